"""The state's disk fails in four ways: it is full, it can only be read, each write takes a second, and writes end with EIO.

Each time the service says why in /status, and answers chats. A job that it cannot store is refused, never taken and lost; and once
the disk is well it takes jobs again, without a restart and without hands. Every job that it had accepted is there in the end.
"""

from board import LIMIT, UNIT
from jobs import hand_in, must_be_there, must_end, put, states

SOAK = True
SPENDS = True
TEXT = {"Content-Type": "text/plain"}
JOBS, MOST = 5, 600
READ_ONLY, WRITABLE = "echo u >/proc/sysrq-trigger", "mount -o remount,rw / && mount -o remount,rw /var/lib"


def scenario(board):
    hand_in(board, "held", JOBS, not_before="1d")
    full(board)
    read_only(board)
    slow(board)
    broken(board)
    state = board.unit_state()
    board.fact(restarts=int(state["NRestarts"]))


def full(board):
    hand_in(board, "gone", 1, not_before="1d")
    # The database has room of its own in its file: jobs are large here, to fill what it has.
    board.must_run("dd if=/dev/zero of=/var/lib/filler bs=64k 2>/dev/null; sync; true", timeout=LIMIT)
    taken = until_refused(board, "full", (429, 503), size=64 * 1024)
    says_why(board, "full")
    serves(board)
    gone = board.ask("DELETE", "/v1/jobs/gone-0").status
    board.must(gone in (200, 202, 204), f"a job cannot be let go on a full disk: {gone}")
    board.must_run("rm /var/lib/filler")
    heals(board, "full", taken)


def read_only(board):
    board.must_run(READ_ONLY)
    board.wait("the disks to be read-only", lambda: " ro," in board.must_run("grep ' /var/lib ' /proc/mounts"))
    taken = until_refused(board, "readonly", (503,))
    says_why(board, "read-only")
    serves(board)
    board.must_run(WRITABLE)
    heals(board, "readonly", taken)


def slow(board):
    restarts = board.unit_state()["NRestarts"]
    board.slow(1)
    serves(board)
    for number in range(3):
        answer = put(board, f"slow-{number}", timeout=LIMIT)
        board.must(answer.status == 202, f"a job on a slow disk: {answer}")
        serves(board)
    board.slow(0)
    must_end(board, "slow", 3)
    after = board.unit_state()["NRestarts"]
    board.must(after == restarts, f"the service was restarted {after} times for a slow disk")


def broken(board):
    """Writes fail. ext4 gives up then, and what a device does is to start anew."""
    monitor = board.monitor
    rule = {"event": "none", "iotype": "write", "errno": 5, "once": False, "immediately": False}
    monitor.do("blockdev-add", driver="blkdebug", node_name="fault", image="state-file", **{"inject-error": [rule]})
    over(monitor, "fault")
    taken = until_refused(board, "broken", (503,))
    says_why(board, "broken")
    serves(board)
    over(monitor, "state-file")
    board.cut()
    board.boot()
    board.until_ready()
    heals(board, "broken", taken)
    must_be_there(board, "held", JOBS, "queued")


def over(monitor, node: str):
    """The throttle of the state's disk lies over this node from now on."""
    monitor.do("blockdev-reopen", options=[{"driver": "throttle", "node-name": "state", "throttle-group": "pace", "file": node}])


def until_refused(board, name: str, statuses, size: int = 0) -> int:
    """Jobs are handed in until one is refused. Returns how many were taken before."""
    taken = 0

    def refused():
        nonlocal taken
        answer = put(board, f"{name}-{taken}", timeout=LIMIT, not_before="1d", size=size)
        taken += answer.status == 202
        board.must(taken < MOST, f"{name}: {taken} jobs were taken and none refused")
        board.must(answer.status in (202, *statuses), f"{name}: a job got {answer}")
        return answer.status != 202

    board.wait(f"jobs to be refused: {name}", refused)
    return taken


def says_why(board, name: str):
    queue = board.ask("GET", "/status").json()["queue"]
    board.must(queue["why"] or queue["full"], f"{name}: /status does not say why jobs are refused: {queue}")
    board.fact(**{f"why_{name}": (queue["why"] or queue["full"])[:60].replace(" ", "_")})


def serves(board):
    answer = board.ask("POST", "/v1/ask?model=default", "Hello", TEXT)
    board.must(answer.status == 200, f"no chats while the disk is ill: {answer}")


def heals(board, name: str, taken: int):
    """Jobs are taken again, and done, and all that had been accepted are there."""
    board.wait(f"jobs to be taken again: {name}", lambda: put(board, f"well{name}-0", timeout=LIMIT).status == 202)
    must_end(board, f"well{name}", 1)
    # One that was refused may be there as well, where the disk did not answer.
    lost = {f"{name}-{number}" for number in range(taken)} - states(board, name).keys()
    board.must(not lost, f"{name}: of {taken} jobs that were taken these are gone: {sorted(lost)}")
    board.fact(**{f"taken_{name}": taken})
    board.must(board.unit_state(UNIT)["ActiveState"] == "active", f"{name}: the service is not active")


def sabotage(board):
    """The service forgets its jobs with each start, as where its database lies on a disk that is not kept."""
    forgets = "ExecStartPre=+/bin/sh -c 'rm -f /var/lib/private/edgehold/queue.db*'"
    board.drop_in("zz", forgets, folder=f"/etc/systemd/system/{UNIT}.d")
    # It is to be there after the cut.
    board.must_run("sync")
