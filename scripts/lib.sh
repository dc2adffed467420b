# shellcheck shell=bash
# Functions the scripts share. Source it from a bash script that has set `-euo pipefail`:
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# Words for people go to standard error, so that standard output stays for results.

# Tells the user what happens now.
say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# Says what is wrong and ends the script.
die() {
    say "$*"
    exit 1
}

# Runs a command that must not speak unless it fails; then shows the end of what it said.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" </dev/null >"$log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || tail -n 40 "$log" >&2
    rm -f "$log"
    return "$status"
}

# Runs a command as root: directly, or through sudo, which must not wait for a password that nobody types.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n "$@"
    else
        say "needs root (or sudo) for: $*"
        return 1
    fi
}

# Prints the folder for what is worth keeping between runs; makes it first.
cache_dir() {
    local dir=${XDG_CACHE_HOME:-$HOME/.cache}/edgehold
    mkdir -p "$dir"
    printf '%s\n' "$dir"
}

# with_lock NAME COMMAND...: one run at a time, for installs that two scripts started together would both begin.
with_lock() {
    local lock
    lock=$(cache_dir)/$1.lock
    shift
    (
        flock 9
        "$@" 9>&-
    ) 9>"$lock"
}

# Succeeds when the Debian package is installed.
apt_has() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt_install NAMES...: installs the Debian packages that are missing.
apt_install() {
    local name missing=()
    for name in "$@"; do
        apt_has "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || apt_upgrade "${missing[@]}"
}

# apt_upgrade NAMES...: installs the packages, or brings installed ones to the newest version on offer.
apt_upgrade() {
    command -v apt-get >/dev/null || {
        say "no apt-get here; install by other means: $*"
        return 1
    }
    with_lock apt apt_locked "$@"
}

# apt-get waits for dpkg's lock when asked to, but not for that of the lists: hence the retries.
apt_locked() {
    apt_refresh
    say "installing $*"
    # What is installed stays: a package that would drive out another is for the user to decide.
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-remove --no-install-recommends \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install "$@"
}

# Refreshes the lists, once in a run. To be called under the lock `apt`.
apt_refresh() {
    local try
    apt_lists_stale || return 0
    for try in 1 2 3 4 5; do
        quietly as_root apt-get -qq -o Acquire::Retries=3 update && break
        # Some other list may be broken, and ours fresh: the install will tell.
        [ "$try" -lt 5 ] || say "could not refresh every package list; going on with those there are"
        sleep "$try"
    done
    touch "$(apt_stamp)"
}

# Old lists name versions that are no longer served, so each run of a script refreshes them once, before its first
# install. The start of the run is exported for the scripts that a script starts, and the mark is a file because the
# lock's subshell could not set a variable for later calls.
export EDGEHOLD_RUN_BEGAN=${EDGEHOLD_RUN_BEGAN:-$(date +%s)}
apt_stamp() {
    printf '%s/apt-lists.stamp\n' "$(cache_dir)"
}
apt_lists_stale() {
    local stamp
    stamp=$(apt_stamp)
    [ ! -e "$stamp" ] || [ "$(stat -c %Y "$stamp")" -lt "$EDGEHOLD_RUN_BEGAN" ]
}

# pip_venv NAME REQUIREMENTS...: a Python environment in the cache that holds these packages; prints its folder.
# The requirements are arguments of `pip install`: NAME==VERSION, or --require-hashes -r FILE. When they or the file
# change it is made anew, and it counts only once its stamp is written, last.
pip_venv() {
    local dir
    dir=$(cache_dir)/venv-$1
    shift
    if ! pip_venv_holds "$dir" "$@"; then
        with_lock "${dir##*/}" pip_venv_make "$dir" "$@" >&2 || return
    fi
    printf '%s\n' "$dir"
}

# pip_venv_wants REQUIREMENTS...: what the stamp must say.
pip_venv_wants() {
    local word
    for word in "$@"; do
        printf '%s\n' "$word"
        [ ! -f "$word" ] || cat "$word"
    done
}

# 0.16 and later bring an allocator of their own in the place of musl's, which rounds every size up to a power of two
# and never gives memory back: 1,000 streams would leave 22 MB behind.
ziglang=ziglang==0.15.2
zigbuild=cargo-zigbuild==0.24.0

# zig_venv: the environment with zig and what has cargo use it. One for all scripts, which would else make it anew under
# each other.
zig_venv() {
    pip_venv zig "$ziglang" "$zigbuild"
}

pip_venv_holds() {
    local dir=$1
    shift
    [ "$(cat "$dir/requirements.stamp" 2>/dev/null)" = "$(pip_venv_wants "$@")" ]
}

pip_venv_make() {
    local dir=$1
    shift
    # Another run may have made it while this one waited for the lock.
    ! pip_venv_holds "$dir" "$@" || return 0
    # Debian's python3 comes without ensurepip, which a virtual environment needs.
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3 python3-venv || return
    say "installing $*"
    rm -rf "$dir"
    quietly python3 -m venv "$dir" || return
    quietly "$dir/bin/python" -m pip install --no-input --disable-pip-version-check --retries 5 "$@" || return
    pip_venv_wants "$@" >"$dir/requirements.stamp"
}

# roomy MIB: prints a folder to work in, in memory where so much is free there, so that a rig wears out no disk of this
# machine.
roomy() {
    local free
    free=$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -n 1) || free=0
    if [ "$free" -gt "$1" ]; then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi
}

# emulator_for TARGET: prints the program that runs the target's binaries here, or nothing where they run as they are.
emulator_for() {
    case $1:$(uname -m) in
    aarch64-*:aarch64 | armv7-*:armv7l | x86_64-*:x86_64) ;;
    aarch64-*) echo qemu-aarch64-static ;;
    armv7-*) echo qemu-arm-static ;;
    x86_64-*) echo qemu-x86_64-static ;;
    *)
        say "no emulator known for $1"
        return 1
        ;;
    esac
}

# Makes sure that the emulators of emulator_for can be run.
ensure_qemu_user() {
    apt_install qemu-user-static
}
