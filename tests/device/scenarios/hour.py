"""An hour of mixed load on each class of boards, by the clock of the machine that drives it.

Nothing is killed and nothing is short, and `memory.current` in the end is within 5 % of what it was after the first five
minutes. EDGEHOLD_CLASS=32, or 16, does one class alone.

The control has somebody in the service's cgroup who takes a MiB and keeps it.
"""

import os

from board import UNIT
from scenarios.memory import classes, drift, settle

SOAK = True
OPTIONS = {}
HOUR = 3600
LEAK = 1 << 20


def scenario(board):
    wanted = os.environ.get("EDGEHOLD_CLASS")
    for kind in classes(True):
        if wanted in (None, kind.name):
            settle(board, kind)
            if getattr(board, "leaks", False):
                drift(board, kind, then=lambda: leak(board))
            else:
                drift(board, kind, HOUR)


def sabotage(board):
    board.leaks = True


def leak(board):
    inside = f"echo $$ >/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs"
    board.must_run(f"(sh -c '{inside}; kept=$(head -c {LEAK} /dev/zero | tr \"\\0\" x); while :; do sleep 9; done' >/dev/null 2>&1 </dev/null &)")
