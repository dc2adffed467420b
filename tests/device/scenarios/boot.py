"""From power on to service, and what an operator does then.

The board boots to READY in its memory, 128 MiB on armv7 and 256 MiB on aarch64. `systemctl status` says how the service stands. A
request is served by the Ollama in the board. Requests go on while the service is restarted: none is refused, none is lost. A
configuration that is wrong is refused on reload: the one before it is served, and the journal and /status say so. No key and no
prompt is in the journal.
"""

from board import TOKEN
from callers import Callers
from cloud import KEY

TEXT = {"Content-Type": "text/plain"}
PROMPT = "a prompt that nobody else may read"
WRONG = '[server]\nlisten = ["127.0.0.1:11435"]\nno_such_key = 1\n'
RESTARTS = 3


def scenario(board):
    idle(board)
    is_shown(board)
    is_served(board)
    survives_restarts(board)
    refuses_a_wrong_configuration(board)
    keeps_secrets(board)


def idle(board):
    """The figures of a service that has just started and was asked nothing."""
    process, memory = board.process_memory(), board.memory()
    tasks = board.must_run("cat /sys/fs/cgroup/system.slice/edgehold.service/pids.current").strip()
    board.fact(idle_rss=process["VmRSS"], idle_anonymous=process["RssAnon"], idle_cgroup=memory["current"], tasks=int(tasks))
    board.must(memory["oom_kill"] == 0 and memory["max"] == 0, f"the service met its memory's limit at the start: {memory}")


def is_shown(board):
    status = board.must_run("systemctl status --no-pager edgehold.service")
    board.must("taking requests" in status and "jobs waiting" in status, f"systemctl status does not say how it stands: {status}")
    board.wait("the status to name the providers", lambda: "local up" in board.unit_state()["StatusText"])


def is_served(board):
    answer = board.ask("POST", "/v1/ask?model=default", PROMPT, TEXT)
    served = answer.status == 200 and answer.headers["x-edgehold-target"] == "local/small"
    board.must(served and PROMPT.encode() in answer.body, f"not served by the board's Ollama: {answer}")


def survives_restarts(board):
    """Clients come all the time; each must get a whole answer, also those that come while nothing runs."""
    with Callers(board, PROMPT) as callers:
        for number in range(RESTARTS):
            before = callers.served
            board.restart()
            board.wait(f"a client to be served after restart {number}", lambda: callers.served > before or callers.refused)
    callers.must_be_served()
    board.fact(served_over_restarts=callers.served)


def refuses_a_wrong_configuration(board):
    board.write("/etc/edgehold/edgehold.toml", WRONG)
    board.must_run("systemctl reload edgehold.service")
    error = board.wait("/status to tell of the reload", lambda: reload_error(board))
    board.must("no_such_key" in error, f"/status does not say what is wrong: {error}")
    board.must("no_such_key" in board.journal(), "the journal does not say what is wrong")
    is_served(board)
    board.write("/etc/edgehold/edgehold.toml", board.config)
    board.must_run("systemctl reload edgehold.service")
    board.wait("the reload to be good again", lambda: reload_error(board) is None)


def reload_error(board):
    return board.ask("GET", "/status").json()["config"]["reload_error"]


def keeps_secrets(board):
    journal = board.must_run("journalctl -b --no-pager -o export")
    for secret in (KEY, TOKEN, PROMPT):
        board.must(secret not in journal, f"the journal has a secret: {secret}")


def sabotage(board):
    """A service that says READY and answers nothing."""
    liar = "ExecStartPre=\nExecStart=\nNotifyAccess=all\nExecStart=/bin/sh -c 'systemd-notify --ready --status=\"taking requests\"; exec sleep 9999'"
    board.drop_in("liar", liar)
    board.must_run("systemctl restart edgehold.service")
