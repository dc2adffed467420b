"""What the checks of packages share: the packages made once, roots to put them into, and words for what went wrong."""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import shutil
import stat
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "scripts" / "packaging"))

import elf  # noqa: E402
from payload import TARGETS  # noqa: E402

NEXT = "0.1.999"
KEY = "sk-of-nobody-0123456789"


class Failed(Exception):
    """What did not hold."""


def hold(truth: object, words: str) -> None:
    if not truth:
        raise Failed(words)


def run(*command: object, fails: bool = False, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None) -> str:
    """Runs it, and returns all that it said. It must end well, or with `fails` must not."""
    words = [str(it) for it in command]
    surroundings = {**os.environ, **(env or {})}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=surroundings, cwd=cwd, check=False)
    said = done.stdout + done.stderr
    hold((done.returncode != 0) == fails, f"{' '.join(words)} ended with {done.returncode}:\n{said}")
    return said


class Bench:
    """The binary, its packages, and a folder for scratch."""

    def __init__(self, binary: pathlib.Path, target: str, scratch: pathlib.Path) -> None:
        self.binary, self.target, self.place = binary, target, scratch
        self.architecture, self.platform, self.machine = TARGETS[target]
        self.made = scratch / "made"
        said = self.pack(self.made)
        self.archive, self.deb = (pathlib.Path(line.split()[0]) for line in said.splitlines())
        self.version = self.deb.name.split("_")[1]
        self.deb_next = pathlib.Path(self.pack(scratch / "next", "--version", NEXT).splitlines()[1].split()[0])
        self.runner = []
        if self.machine != elf.HOSTS.get(platform.machine()):
            self.runner = [next(it for it in map(shutil.which, elf.EMULATORS[self.machine]) if it)]

    def begin(self, name: str) -> None:
        """Gives the next check a folder of its own, with a key in it."""
        self.scratch = self.place / name
        self.scratch.mkdir()
        self.key = self.scratch / "key"
        self.key.write_text(KEY)
        self.key.chmod(0o600)

    def pack(self, out: pathlib.Path, *words: str, env: dict[str, str] | None = None) -> str:
        return run(REPOSITORY / "scripts" / "package", self.target, self.binary, "--out", out, *words, env=env)

    def root(self, name: str, machine: bytes | None = None) -> pathlib.Path:
        """A new root with a dpkg and one program, by which its machine can be told."""
        root = self.scratch / name
        for folder in ("etc", "usr/bin", "usr/lib/systemd", "var/lib/dpkg/info", "var/lib/dpkg/updates", "run"):
            (root / folder).mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
        (root / "usr/lib/systemd/systemd").write_bytes(machine or self.binary.read_bytes()[:64])
        (root / "var/lib/dpkg/status").touch()
        (root / "var/lib/dpkg/arch").write_text(f"{self.architecture}\n")
        return root

    def flash(self, root: pathlib.Path, *words: object, fails: bool = False) -> str:
        """Flashes into a root. Whatever comes of it, nothing of it stays in this machine's folder for scratch."""
        scratch = self.scratch / "tmp"
        scratch.mkdir(exist_ok=True)
        said = run(REPOSITORY / "scripts" / "flash", root, *words, fails=fails, env={"TMPDIR": str(scratch)})
        hold(not list(scratch.iterdir()), f"left behind: {list(scratch.iterdir())}")
        return said

    def other_machine(self) -> bytes:
        """The head of a program for a machine that the binary is not for: MIPS."""
        return b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x08\x00" + bytes(44)


def tree(root: pathlib.Path, *leave_out: str) -> dict[str, str]:
    """All that is under a folder: path to mode, owner, and a link's target or a file's sum."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(leave_out):
            continue
        state = path.lstat()
        kind = os.readlink(path) if path.is_symlink() else ""
        if stat.S_ISREG(state.st_mode):
            kind = hashlib.sha256(path.read_bytes()).hexdigest()
        found[name] = f"{state.st_mode:o} {state.st_uid}:{state.st_gid} {kind}"
    return found


def files(root: pathlib.Path, *leave_out: str) -> set[str]:
    """Everything under a folder that is no folder."""
    return {name for name, what in tree(root, *leave_out).items() if not what.startswith("4")}


def difference(one: dict[str, str], two: dict[str, str]) -> str:
    return "\n".join(f"{it}: {one.get(it)} | {two.get(it)}" for it in sorted(one | two) if one.get(it) != two.get(it))
