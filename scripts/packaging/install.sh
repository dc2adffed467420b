#!/bin/sh
# Installs edgehold from the unpacked archive, or takes it away again. Any POSIX shell will do, busybox's too.
#
#   ./install.sh                 install or upgrade: this machine; where systemd runs, the service is started
#   ./install.sh --root DIR      into another system's root; nothing is run or started. $DESTDIR does the same
#   ./install.sh --no-start      neither start nor restart anything
#   ./install.sh --uninstall     remove everything but the configuration, the keys and the jobs
#   ./install.sh --purge         remove these too
#
# A configuration that is there stays. /usr/share/edgehold/install.sh is a copy of this file, for --uninstall.
set -eu

units='edgehold.socket edgehold.service'
record=usr/share/edgehold
here=$(cd "$(dirname "$0")" && pwd)

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '4,8s/^# *//p' "$0" >&2
    exit 64
}

root=${DESTDIR:-} action=install start=yes
while [ $# -gt 0 ]; do
    case $1 in
    --root)
        [ $# -ge 2 ] || usage
        root=$2
        shift
        ;;
    --no-start) start=no ;;
    --uninstall | --purge) action=${1#--} ;;
    *) usage ;;
    esac
    shift
done
if [ -n "$root" ]; then
    [ -d "$root" ] || die "$root is no folder"
    root=$(cd "$root" && pwd)
    root=${root%/}
fi

# Whether there is a systemd here to be told.
systemd_runs() {
    [ -z "$root" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null
}

install_all() {
    [ -d "$here/root" ] || die "no files to install are beside this script"
    [ ! -e "$root/var/lib/dpkg/info/edgehold.list" ] || die "dpkg has a package edgehold here; upgrade or remove that one"
    [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die "only root may install into /"
    try_binary
    first=yes
    [ ! -e "$root/$record/files" ] || first=no
    copy_files
    remove_obsolete
    [ "$first" = no ] || enable_units
    if systemd_runs; then
        systemctl daemon-reload
        [ "$start" = no ] || start_units
    fi
    echo "edgehold is installed; its configuration is $root/etc/edgehold/edgehold.toml"
}

# The binary knows best whether it can run here, and whether it can go on with the configuration.
try_binary() {
    [ -z "$root" ] || return 0
    "$here/root/usr/bin/edgehold" --version >/dev/null 2>&1 || die "this archive is not for this machine ($(uname -m))"
    [ ! -e /etc/edgehold/edgehold.toml ] || CREDENTIALS_DIRECTORY=/etc/edgehold/keys "$here/root/usr/bin/edgehold" check \
        --config /etc/edgehold/edgehold.toml >/dev/null || die "the configuration does not fit this version; nothing was changed"
}

copy_files() {
    new=$(mktemp)
    (cd "$here/root" && find . -type f) | sed 's,^\./,,' | sort >"$new"
    while read -r path; do
        if [ "$path" != etc/edgehold/edgehold.toml ] || [ ! -e "$root/$path" ]; then
            put "$here/root/$path" "$path"
        fi
    done <"$new"
    make_folder etc/edgehold/keys
    chmod 0700 "$root/etc/edgehold/keys"
    # The configuration is the owner's from now on.
    { grep -v '^etc/' "$new" && printf '%s\n' "$record/files" "$record/install.sh"; } | sort >"$new.listed"
    put "$here/install.sh" "$record/install.sh"
}

# put FILE PATH: a copy in the root. Beside it first and then in its place, so that a cut leaves the old or the new, and
# a program that runs is not written into.
put() {
    make_folder "$(dirname "$2")"
    cp "$1" "$root/$2.new"
    case $2 in
    usr/bin/*) chmod 0755 "$root/$2.new" ;;
    *) chmod 0644 "$root/$2.new" ;;
    esac
    [ "$(id -u)" -ne 0 ] || chown 0:0 "$root/$2.new"
    mv -f "$root/$2.new" "$root/$2"
}

# make_folder PATH: with those above it, open to all whatever the umask is.
make_folder() {
    [ ! -d "$root/$1" ] || return 0
    case $1 in */*) make_folder "$(dirname "$1")" ;; esac
    mkdir "$root/$1"
    chmod 0755 "$root/$1"
    [ "$(id -u)" -ne 0 ] || chown 0:0 "$root/$1"
}

# What the version before had and this one has not; then the record is this version's.
remove_obsolete() {
    if [ -e "$root/$record/files" ]; then
        while read -r path; do
            grep -qxF "$path" "$new.listed" || rm -f "$root/$path"
        done <"$root/$record/files"
    fi
    put "$new.listed" "$record/files"
    rm -f "$new" "$new.listed"
}

# As `systemctl enable` would, which may be missing or not run where another system's root is filled.
enable_units() {
    for unit in $units; do
        # shellcheck disable=SC2013 # words are wanted
        for wanting in $(sed -n 's/^WantedBy=//p' "$root/usr/lib/systemd/system/$unit"); do
            make_folder "etc/systemd/system/$wanting.wants"
            ln -sf "/usr/lib/systemd/system/$unit" "$root/etc/systemd/system/$wanting.wants/$unit"
        done
    done
}

# The socket stays open while the service restarts: who connects then is answered a little later.
start_units() {
    for unit in $units; do
        ! systemctl is-enabled --quiet "$unit" || systemctl start "$unit"
    done
    [ "$first" = yes ] || systemctl try-restart edgehold.service
}

uninstall_all() {
    [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die "only root may remove from /"
    [ -e "$root/$record/files" ] || [ "$action" = purge ] || die "nothing is installed that this script knows of"
    # shellcheck disable=SC2086 # two names
    ! systemd_runs || systemctl stop $units || :
    for link in "$root"/etc/systemd/system/*.wants/edgehold.socket "$root"/etc/systemd/system/*.wants/edgehold.service; do
        rm -f "$link"
        remove_empty "$(dirname "${link#"$root"/}")"
    done
    if [ -e "$root/$record/files" ]; then
        listed=$(cat "$root/$record/files")
        for path in $listed; do
            rm -f "$root/$path"
        done
        for path in $listed; do
            remove_empty "$(dirname "$path")"
        done
    fi
    if [ "$action" = purge ]; then
        rm -rf "$root/etc/edgehold" "$root/var/lib/edgehold" "$root/var/lib/private/edgehold"
    fi
    ! systemd_runs || systemctl daemon-reload
    echo "edgehold is removed"
}

# remove_empty PATH: the folder and those above it, as far as nothing is in them.
remove_empty() {
    [ "$1" != . ] && rmdir "$root/$1" 2>/dev/null || return 0
    remove_empty "$(dirname "$1")"
}

case $action in
install) install_all ;;
*) uninstall_all ;;
esac
