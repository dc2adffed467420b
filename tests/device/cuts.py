"""The state's disk when the power goes: QEMU logs each write, and of those that no flush covered some are lost, torn or garbage.

The moment of the cut is that of QEMU's death, or any write before it: what the clients saw after that write has then not
happened. `now` tells where in all logs they are.
"""

import collections
import mmap
import os
import pathlib
import random
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reliability"))

from board import Board, copy_sparse  # noqa: E402
from writelog import FLUSH, Cutter, WriteLog  # noqa: E402

LOG_MOST = 4 << 30  # bytes of a log; the file is sparse
COUNT_AT = 16  # where a log's header has the number of its entries
TRIES = 50


class LoggedState:
    """The disk of the board's state. `arm` before each boot, `replay` after each cut."""

    def __init__(self, board: Board, rng: random.Random):
        self.board, self.rng = board, rng
        self.state, self.before, self.log = (board.folder / name for name in ("state.img", "before.img", "state.log"))
        self.counts = collections.Counter()
        self.before_this = 0  # entries of all logs before
        self.open_log = None

    def arm(self):
        """From the next boot on each write is logged; the disk as it is now is kept."""
        copy_sparse(self.state, self.before)
        with open(self.log, "wb") as file:
            file.truncate(LOG_MOST)
        self.open_log = os.open(self.log, os.O_RDONLY)
        log = {"driver": "file", "filename": str(self.log)}
        self.board.filters = [{"driver": "blklogwrites", "log": log, "log-super-update-interval": 1}]

    def now(self) -> int:
        """How many writes and flushes there have been so far."""
        return self.before_this + struct.unpack("<Q", os.pread(self.open_log, 8, COUNT_AT))[0]

    def replay(self, lies: bool = False, at_end: bool = False) -> int:
        """Makes of the disk what a card may have after the cut. Returns the moment of it, by `now`.

        A card that lies has lost half of what it had confirmed, and says nothing of it.
        """
        os.close(self.open_log)
        log = WriteLog(self.log)
        self.log.unlink()
        count = len(log.entries)
        self.counts["writes"] += count
        # QEMU may have been killed while it wrote the log. Where an entry is missing, what follows cannot be told: the disk
        # stays as QEMU left it.
        if all(entry.sectors or entry.flags for entry in log.entries):
            moment = count // 2 if lies else count if at_end else self.choose(log)
            self.rebuild(log, moment)
        else:
            self.counts["logs_broken"] += 1
            self.before.unlink()
            moment = count
        self.before_this += count
        return self.before_this - count + (count if lies else moment)

    def choose(self, log: WriteLog) -> int:
        """The end, or a moment in the second half at which something was under way."""
        count = len(log.entries)
        for _ in range(TRIES if self.rng.random() < 0.9 else 0):
            moment = self.rng.randint(count // 2, count)
            if moment and not log.entries[moment - 1].flags & FLUSH:
                return moment
        return count

    def rebuild(self, log: WriteLog, moment: int):
        cutter = Cutter(log, 0, self.rng, garbage=True)
        entries = log.entries[:moment]
        covered = max((number for number, entry in enumerate(entries) if entry.flags & FLUSH), default=0)
        with open(self.before, "r+b") as file, mmap.mmap(file.fileno(), 0) as image:
            for entry in entries[:covered]:
                log.apply(image, entry)
            for entry in entries[covered:]:
                cutter.in_flight(image, entry)
        self.counts.update(cutter.damage)
        os.replace(self.before, self.state)

    def repair(self):
        """What a board does that checks its file system before it mounts it."""
        self.counts["repaired"] += 1
        subprocess.run(["e2fsck", "-f", "-y", str(self.state)], stdout=subprocess.DEVNULL, timeout=300)
