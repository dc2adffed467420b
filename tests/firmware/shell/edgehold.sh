#!/bin/sh
# edgehold from a POSIX shell with curl: a question in plain text, and durable jobs.
#
#   edgehold.sh HOST PORT ask TEXT | later KEY TEXT | job ID TEXT
#
# The answer goes to standard output once it is whole, all else to standard error. A token is taken from $EDGEHOLD_TOKEN.
set -eu

ask='/v1/ask?model=default'
wait=20     # seconds that one request waits for a job's result
timeout=30  # seconds that one request takes at most; more than $wait
tries=5     # how often in a row something may fail that can come right
rounds=90   # how many waits a job gets in one call
longest=30  # seconds that are waited at most between two tries, whatever Retry-After says

usage() {
    sed -n '4s/^# *//p' "$0" >&2
    exit 64
}

fail() {
    printf 'failed: %s\n' "$*" >&2
    exit 1
}

# header NAME: its value in the last response.
header() {
    tr -d '\r' <"$dir/head" | sed -n "s/^$1: *//Ip" | head -n 1
}

# request METHOD PATH [WORDS OF CURL...]: one exchange. Leaves the body in $dir/body, prints the status.
request() {
    method=$1 path=$2
    shift 2
    : >"$dir/head"
    : >"$dir/body"
    # The token is in a file that only this user can read: a command line can be seen by all.
    curl -sS --http1.1 --max-time "$timeout" -X "$method" -D "$dir/head" -o "$dir/body" -H "@$dir/token" \
        -w '%{http_code}' "$@" "http://$host:$port$path" 2>"$dir/why"
}

# patiently METHOD PATH [...]: tries until there is a 200 or 202; $status has it then.
patiently() {
    try=0
    while :; do
        pause=1
        if status=$(request "$@"); then
            [ -n "$(header content-length)" ] || fail "an answer without its length"
            case $status in
            200 | 202) return ;;
            429 | 503)
                # A job may have ended with either.
                [ "$(header x-edgehold-job)" != failed ] || fail "the job failed ($status): $(cat "$dir/body")"
                why="busy ($status): $(cat "$dir/body")"
                pause=$(header retry-after)
                ;;
            *) fail "refused ($status): $(cat "$dir/body")" ;;
            esac
        else
            why=$(cat "$dir/why")
        fi
        try=$((try + 1))
        [ "$try" -lt "$tries" ] || fail "$why"
        case $pause in
        '' | *[!0-9]* | 0) pause=1 ;;
        esac
        [ "$pause" -le "$longest" ] || pause=$longest
        sleep "$pause"
    done
}

# If this gets lost, the gateway lets the job go when its time is over.
let_go() {
    cat "$dir/body"
    [ -z "$1" ] || request DELETE "$1" >/dev/null || :
    printf 'ok\n' >&2
}

# collect PLACE: waits for the job's result, and prints it.
collect() {
    round=0
    while [ "$round" -lt "$rounds" ]; do
        patiently GET "$1/result?wait=$wait"
        if [ "$status" = 200 ]; then
            let_go "$1"
            return
        fi
        round=$((round + 1))
        sleep 1
    done
    fail "no result yet; call again with the same id"
}

# give TEXT [WORDS OF CURL...]: the text as it stands.
give() {
    printf '%s' "$1" >"$dir/text"
    shift
    patiently POST "$ask" -H 'Content-Type: text/plain; charset=utf-8' --data-binary "@$dir/text" "$@"
    place=$(header location)
    if [ "$status" = 200 ]; then
        let_go "$place"
        return
    fi
    case $place in
    /v1/jobs/*) collect "$place" ;;
    *) fail "202 without a job's address" ;;
    esac
}

# A text as it stands in a JSON string. Control characters but tab and line feed are left out.
escaped() {
    printf '%s' "$1" | tr -d '\000-\010\013-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$(printf '\t')/\\\\t/g" |
        awk '{ printf "%s%s", (NR > 1 ? "\\n" : ""), $0 }'
}

# job ID TEXT: under an id of our own making, so that handing it over again is safe.
job() {
    printf '{"path":"%s","body":"%s"}' "$ask" "$(escaped "$2")" >"$dir/text"
    patiently PUT "/v1/jobs/$1" -H 'Content-Type: application/json' --data-binary "@$dir/text"
    [ "$(header location)" = "/v1/jobs/$1" ] || fail "an answer for another job than $1"
    collect "/v1/jobs/$1"
}

[ $# -ge 4 ] || usage
host=$1 port=$2 verb=$3
shift 3
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 143' HUP INT TERM
printf '%s\n' "${EDGEHOLD_TOKEN:+Authorization: Bearer $EDGEHOLD_TOKEN}" >"$dir/token"
case $verb:$# in
ask:1) give "$1" ;;
later:2) give "$2" -H "Prefer: respond-async, wait=$wait" -H "Idempotency-Key: $1" ;;
job:2) job "$1" "$2" ;;
*) usage ;;
esac
