"""The programs that a board needs: QEMU, found or unpacked by `run`, and the guest's own tools, compiled here."""

import dataclasses
import hashlib
import os
import pathlib
import subprocess

from arch import Arch

GUEST = pathlib.Path(__file__).parent / "guest"


@dataclasses.dataclass(frozen=True)
class Qemu:
    """Where QEMU is. `prefix` is a folder into which its packages were unpacked, or nothing where it is installed."""

    prefix: pathlib.Path | None

    def program(self, name: str) -> str:
        return str(self.prefix / "usr/bin" / name) if self.prefix else name

    def arguments(self) -> list[str]:
        return ["-L", str(self.prefix / "usr/share/qemu")] if self.prefix else []

    def environment(self) -> dict[str, str]:
        if not self.prefix:
            return dict(os.environ)
        folders = [folder for lib in ("usr/lib", "lib") for folder in (self.prefix / lib).glob("*-linux-gnu")]
        return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def compile_guest(name: str, arch: Arch, cache: pathlib.Path) -> pathlib.Path:
    """Compiles guest/NAME.c, static, and keeps the result under the hash of its source. `zig` is on PATH."""
    source = GUEST / f"{name}.c"
    key = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *sorted(GUEST.glob("*.h"))))).hexdigest()[:16]
    out = cache / "device-tools" / f"{name}-{arch.name}-{key}"
    if not out.exists():
        out.parent.mkdir(exist_ok=True)
        for old in out.parent.glob(f"{name}-{arch.name}-*"):
            old.unlink()
        making = out.with_suffix(".making")
        words = ["zig", "cc", "-target", arch.zig, "-static", "-Os", "-s", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*words, "-o", str(making), str(source)], check=True)
        making.rename(out)
    return out
