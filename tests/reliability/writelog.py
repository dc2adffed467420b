"""The log of a disk's writes, and what is on the disk when the power goes at one of them.

The format is that of Linux's dm-log-writes: a header sector (magic, version, number of entries, sector size), then for each
entry a sector (first sector, sectors, flags, length of data) and its data. What a FLUSH has covered stays; of the writes
after the last one, a card may have kept any, some sectors of any, or something else altogether.
"""

import mmap
import struct
from dataclasses import dataclass

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


@dataclass
class Entry:
    sector: int
    sectors: int
    flags: int
    at: int  # where its data are in the log


class WriteLog:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, _, count, self.sector_size = struct.unpack_from("<QQQI", self.bytes, 0)
        if magic != MAGIC:
            raise ValueError(f"{path} is no log of writes")
        self.entries = self.read(count)

    def read(self, count):
        entries, at = [], self.sector_size
        for _ in range(count):
            sector, sectors, flags, _ = struct.unpack_from("<QQQQ", self.bytes, at)
            at += self.sector_size
            entries.append(Entry(sector, sectors, flags, at))
            # A discard has sectors and no data; a write of zeros has both, though it says that its length is 0.
            if not flags & DISCARD:
                at += sectors * self.sector_size
        return entries

    def data(self, entry):
        length = entry.sectors * self.sector_size
        return bytes(length) if entry.flags & DISCARD else self.bytes[entry.at : entry.at + length]

    def apply(self, image, entry, data=None):
        start = entry.sector * self.sector_size
        data = self.data(entry) if data is None else data
        image[start : start + len(data)] = data


class Cutter:
    """Images of a disk that was cut off, one after the other; the cuts have to come in rising order."""

    def __init__(self, log, size, rng, garbage):
        self.log, self.rng, self.garbage = log, rng, garbage
        self.safe, self.safe_entries = bytearray(size), 0  # what the last flush before the cut has made sure of
        self.damage = {"lost": 0, "torn": 0, "garbage": 0}

    def image(self, cut):
        """The disk when of its log's entries only the first `cut` had been given to it."""
        entries = self.log.entries
        covered = max((i for i in range(self.safe_entries, cut) if entries[i].flags & FLUSH), default=self.safe_entries)
        for entry in entries[self.safe_entries : covered]:
            self.log.apply(self.safe, entry)
        self.safe_entries = covered
        image = bytearray(self.safe)
        for entry in entries[covered:cut]:
            self.in_flight(image, entry)
        return image

    def in_flight(self, image, entry):
        """What became of a write that no flush has covered: it may be whole, and it may not."""
        fate = "whole" if entry.flags & FUA or not entry.sectors else self.fate()
        if fate != "whole":
            self.damage[fate] += 1
        match fate:
            case "whole":
                self.log.apply(image, entry)
            case "torn":
                kept = self.rng.randrange(entry.sectors) * self.log.sector_size
                self.log.apply(image, entry, self.log.data(entry)[:kept])
            case "garbage":
                self.log.apply(image, entry, self.rng.randbytes(entry.sectors * self.log.sector_size))

    def fate(self):
        return self.rng.choice(("whole", "lost", "torn", *(("garbage",) if self.garbage else ())))
