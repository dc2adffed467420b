"""Finds the file systems in a raw disk image: its partition table, GPT or MBR, read byte by byte."""

from __future__ import annotations

import dataclasses
import pathlib
import struct
from typing import BinaryIO

from payload import Wrong

SECTOR = 512
EXT_MAGIC_AT = 1024 + 56
EXT_MAGIC = b"\x53\xef"


@dataclasses.dataclass(frozen=True)
class Partition:
    """Where a partition lies, and whether an ext file system begins there. Number 0 is the whole image."""

    number: int
    offset: int
    is_ext: bool


def partitions(image: pathlib.Path) -> list[Partition]:
    """The image's partitions; one of number 0 where it is a file system without a table."""
    with image.open("rb") as file:
        whole = _partition(file, 0, 0)
        if whole.is_ext:
            return [whole]
        found = _gpt(file) or _mbr(file)
        return [_partition(file, number, offset) for number, offset in found]


def _partition(file: BinaryIO, number: int, offset: int) -> Partition:
    return Partition(number, offset, _at(file, offset + EXT_MAGIC_AT, 2) == EXT_MAGIC)


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _gpt(file: BinaryIO) -> list[tuple[int, int]]:
    header = _at(file, SECTOR, SECTOR)
    if header[:8] != b"EFI PART":
        return []
    first, count, size = struct.unpack_from("<QII", header, 72)
    if not 128 <= size <= 4096 or count > 1024:
        raise Wrong("the image's partition table makes no sense")
    found = []
    for number in range(count):
        entry = _at(file, first * SECTOR + number * size, size)
        if len(entry) == size and entry[:16] != bytes(16):
            found.append((number + 1, struct.unpack_from("<Q", entry, 32)[0] * SECTOR))
    return found


def _mbr(file: BinaryIO) -> list[tuple[int, int]]:
    # The four primary ones: images for boards have no others.
    block = _at(file, 0, SECTOR)
    if block[510:512] != b"\x55\xaa":
        return []
    found = []
    for number in range(4):
        kind = block[446 + 16 * number + 4]
        (start,) = struct.unpack_from("<I", block, 446 + 16 * number + 8)
        if kind and start:
            found.append((number + 1, start * SECTOR))
    return found
