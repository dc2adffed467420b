"""A service that hangs, and one that cannot start.

It is stopped as if it hung (SIGSTOP): systemd's watchdog, which is shorter here than in the unit, starts it anew, and no accepted
job is lost. A program that ends at once is started again and again: the starts come slower and slower, write next to nothing to
the disks, and once the program is right the service comes back by itself.
"""

from board import DROP_IN, UNIT
from jobs import hand_in, must_be_there, must_end

SOAK = True
JOBS = 10
WINDOW = 40  # seconds of the board's clock in which starts are counted
MOST_STARTS = 10
MOST_BYTES = 64 * 1024  # for each of them: what systemd and the file system note of a start, in blocks; it was 50 KB


def scenario(board):
    hangs(board)
    cannot_start(board)


def hangs(board):
    board.drop_in("watchdog", "WatchdogSec=5s")
    board.restart()
    hand_in(board, "held", JOBS, not_before="1d")
    hand_in(board, "run", JOBS)
    before = board.unit_state()
    board.must_run(f"kill -STOP {before['MainPID']}")
    board.wait("the watchdog to start the service anew", lambda: int(board.unit_state()["NRestarts"]) > int(before["NRestarts"]))
    board.until_ready()
    board.must("Watchdog timeout" in board.journal(), "systemd does not say that it was the watchdog")
    must_be_there(board, "held", JOBS, "queued")
    must_end(board, "run", JOBS)


def cannot_start(board):
    board.drop_in("crash", "ExecStart=\nExecStart=/bin/false")
    # What the service writes as it ends in order is no part of it.
    board.must_run(f"systemctl stop {UNIT}", timeout=300)
    began, starts, written = board.uptime(), started(board), written_bytes(board)
    board.must_run(f"systemctl start --no-block {UNIT}")
    board.wait("the window to pass", lambda: board.uptime() - began > WINDOW, pause=2)
    starts, written = started(board) - starts, written_bytes(board) - written
    board.fact(starts_in_a_crash_loop=starts, bytes_written_by_it=written, window_s=WINDOW)
    board.must(2 <= starts <= MOST_STARTS, f"a program that ends at once was started {starts} times in {WINDOW} s")
    board.must(written <= starts * MOST_BYTES, f"a program that ends at once had {written} bytes written by {starts} starts")
    board.must_run(f"rm {DROP_IN}/crash.conf && systemctl daemon-reload")
    # Nobody starts it: the next try of systemd's finds a program that works.
    board.until_ready()
    must_be_there(board, "held", JOBS, "queued")


def started(board) -> int:
    return board.journal().count("Starting edgehold.service")


def written_bytes(board) -> int:
    """Of both disks, once all that waits to be written is."""
    stat = board.must_run("sync; cat /sys/block/vda/stat /sys/block/vdb/stat")
    return sum(int(line.split()[6]) * 512 for line in stat.splitlines())


def sabotage(board):
    """A unit that is started again as fast as it goes, and held back by nothing."""
    board.drop_in("zz", "ExecStartPre=\nRestartSec=100ms")
