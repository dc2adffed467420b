# shellcheck shell=bash
# Functions for scripts that start servers and must leave none behind. Source it after lib.sh.
# A server is known by a mark: an entry NAME=VALUE of its environment, which its own children inherit. A process id
# alone can be taken over by a stranger, and Ollama's model runs in a child that outlives a killed parent.

# marked MARK: prints the ids of the live processes that bear the mark, one a line.
marked() {
    grep -lzsFx -e "$1" /proc/[0-9]*/environ | cut -d / -f 3 || true
}

# end_marked MARK: ends these processes; fails when one of them cannot be ended.
end_marked() {
    local pids _
    mapfile -t pids < <(marked "$1")
    [ ${#pids[@]} -gt 0 ] || return 0
    # Once only: to some servers a second signal means "without grace".
    kill -TERM "${pids[@]}" 2>/dev/null || true
    for _ in $(seq 100); do
        mapfile -t pids < <(marked "$1")
        [ ${#pids[@]} -gt 0 ] || return 0
        sleep 0.05
    done
    for _ in $(seq 40); do
        kill -KILL "${pids[@]}" 2>/dev/null || true
        sleep 0.05
        mapfile -t pids < <(marked "$1")
        [ ${#pids[@]} -gt 0 ] || return 0
    done
    say "cannot be ended: ${pids[*]}"
    return 1
}

# start_marked MARK LOG COMMAND...: starts it in a session of its own, where a Ctrl-C at the terminal does not reach it:
# the script ends it, in its own order. Sets `started` to its process id.
start_marked() {
    local mark=$1 log=$2
    shift 2
    env "$mark" setsid "$@" >"$log" 2>&1 </dev/null &
    # shellcheck disable=SC2034 # for the caller
    started=$!
}

# wait_for_url URL PID SECONDS: succeeds once the URL answers 2xx; fails when the process has ended or time is up.
wait_for_url() {
    local end=$((SECONDS + $3))
    until curl --noproxy '*' -fs -o /dev/null -m 2 "$1"; do
        kill -0 "$2" 2>/dev/null || return 1
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# free_ports COUNT: prints that many different ports of 127.0.0.1 on which nothing listens now.
free_ports() {
    python3 - "$1" <<'PY'
import socket
import sys

# All are held until all are known, else the system could name the same one twice.
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))
PY
}
