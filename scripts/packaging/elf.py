"""Reads from an ELF file which machine it is for."""

from __future__ import annotations

import struct

MACHINES = {0x03: "i386", 0x28: "ARM", 0x3E: "x86-64", 0xB7: "AArch64", 0xF3: "RISC-V", 0x08: "MIPS", 0x14: "PowerPC"}
HOSTS = {"x86_64": "x86-64", "aarch64": "AArch64", "armv7l": "ARM", "armv8l": "ARM"}
# Of the emulators that run one program: the first that is there is taken.
EMULATORS = {
    "AArch64": ("qemu-aarch64-static", "qemu-aarch64"),
    "ARM": ("qemu-arm-static", "qemu-arm"),
    "x86-64": ("qemu-x86_64-static", "qemu-x86_64"),
}


def machine(head: bytes) -> str | None:
    """The machine's name, from the first 20 bytes; nothing where it is no ELF file."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    order = ">" if head[5] == 2 else "<"
    (number,) = struct.unpack_from(order + "H", head, 18)
    return MACHINES.get(number, f"machine {number}")
