# shellcheck shell=bash
# What the demo and the SDK tests run on: the providers, real or fake, and the gateway before them, all on free ports of
# 127.0.0.1 and with their files in a temporary folder. Source it; then stack_begin, stack_providers, stack_gateway.
# stack_end runs by itself when the script ends, however it ends.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
# shellcheck source=scripts/processes.sh
. "$root/scripts/processes.sh"

model=smollm2:135m

# Prints the folder of the environment that holds the official client.
stack_venv() {
    # By its relative name, else every checkout would make the environment anew, under the feet of the others.
    cd "$root" && pip_venv sdk -r tests/sdk/requirements.txt
}

# Prints a folder with the JavaScript clients and the test that uses them.
stack_node() {
    local dir
    command -v npm >/dev/null || apt_install nodejs npm >&2 || return
    dir=$(cache_dir)/node-sdk
    with_lock node-sdk node_make "$dir" "$root/tests/sdk/js" >&2 || return
    printf '%s\n' "$dir"
}

# node_make FOLDER SOURCE: made anew only where what is wanted has changed.
node_make() {
    mkdir -p "$1"
    if ! cmp -s "$2/package-lock.json" "$1/installed"; then
        say "installing the JavaScript clients"
        cp "$2/package.json" "$2/package-lock.json" "$1/"
        quietly npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$1" || return
        cp "$2/package-lock.json" "$1/installed"
    fi
    cp "$2/clients.test.mjs" "$1/"
}

# stack_begin real|fake
stack_begin() {
    mode=$1
    command -v curl >/dev/null || apt_install curl ca-certificates
    work=$(mktemp -d)
    # All that is started from here bears this mark, and so do its children: nothing of ours can hide.
    mark=EDGEHOLD_STACK=$work
    ollama_pid='' gateway_pid=''
    trap 'stack_end $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    trap 'exit 141' PIPE # `| head` must not leave servers running
    read -r ollama_port second_port claude_port gemini_port gateway_port < <(free_ports 5)
    url=http://127.0.0.1:$gateway_port
    ollama_url=http://127.0.0.1:$ollama_port
    # A proxy of the machine's has no business between programs of this machine.
    export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
}

# Ends everything, the gateway first, and looks whether anything is left; then the script's own status counts.
stack_end() {
    local status=$1 left
    trap - EXIT
    trap '' INT TERM HUP PIPE # being asked twice must not leave the job half done
    stop_started "$gateway_pid"
    if [ "$mode" = real ]; then
        "$root/scripts/real-llm" down "$ollama_port" || status=1
        "$root/scripts/real-llm" down "$second_port" llama || status=1
    fi
    end_marked "$mark" || status=1
    left=$(marked "$mark")
    if [ -n "$left" ]; then
        say "left behind: processes ${left//$'\n'/ }"
        status=1
    fi
    rm -rf "$work"
    [ "$(type -t stack_ended)" != function ] || stack_ended "$status"
    exit "$status"
}

# stop_started PID: ends a child of this script; nothing to do without one.
stop_started() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    local _
    for _ in $(seq 200); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

start_ollama() {
    if [ "$mode" = real ]; then
        env "$mark" "$root/scripts/real-llm" up "$ollama_port" ollama
        return
    fi
    start_fake ollama "$ollama_port" /
    ollama_pid=$started
}

stop_ollama() {
    if [ "$mode" = real ]; then
        "$root/scripts/real-llm" down "$ollama_port" ollama
    else
        stop_started "$ollama_pid"
    fi
}

# start_fake KIND PORT PATH: PATH answers once it is up.
start_fake() {
    start_marked "$mark" "$work/$1.log" python3 "$root/tests/sdk/fake_providers.py" "$1" "$2"
    wait_for_url "http://127.0.0.1:$2$3" "$started" 20 || die "the fake $1 did not start: $(tail -n 1 "$work/$1.log")"
}

stack_providers() {
    start_ollama
    if [ "$mode" = real ]; then
        env "$mark" "$root/scripts/real-llm" up "$second_port" llama
    else
        start_fake openai "$second_port" /v1/models
        start_fake anthropic "$claude_port" /v1/models
        start_fake gemini "$gemini_port" /v1beta/models
    fi
}

# The tables of the providers that stand in for clouds.
stack_clouds() {
    [ "$mode" = fake ] || return 0
    cat <<TOML
[providers.claude]
kind = "anthropic"
base_url = "http://127.0.0.1:$claude_port"

[providers.gemini]
kind = "gemini"
base_url = "http://127.0.0.1:$gemini_port/v1beta"
TOML
}

# stack_gateway BINARY
stack_gateway() {
    config=$work/edgehold.toml
    cat >"$config" <<TOML
[server]
listen = ["127.0.0.1:$gateway_port"]

[providers.local]
kind = "ollama"
base_url = "$ollama_url"

[providers.second]
kind = "openai"
base_url = "http://127.0.0.1:$second_port/v1"
locality = "local"

[models.default]
targets = ["local/$model", "second/$model"]

[queue]
path = "$work/queue.db"

$(stack_clouds)
TOML
    start_gateway "$1"
}

# start_gateway BINARY
start_gateway() {
    start_marked "$mark" "$work/gateway.log" "$1" serve --config "$config"
    gateway_pid=$started
    wait_for_url "$url/readyz" "$gateway_pid" 30 || {
        tail -n 15 "$work/gateway.log" >&2
        die "edgehold did not get ready"
    }
}
