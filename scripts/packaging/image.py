"""A root inside of an ext4 image, read and written by debugfs: nothing is mounted, and nobody has to be root."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

from payload import Wrong
from roots import Found, Root

KINDS = {
    "regular": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "character": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "FIFO": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
# What debugfs would read as more than a name.
UNSPEAKABLE = re.compile(r'[\x00-\x1f"\\]')


class Image(Root):
    """Changes are gathered, and written in one run by `finish`."""

    def __init__(self, path: pathlib.Path, offset: int) -> None:
        self.file = f"{path}?offset={offset}" if offset else str(path)
        self.seen: dict[str, Found | None] = {}
        self.said = ""
        self.commands: list[str] = []
        self.written: list[tuple[str, int, bytes | None]] = []
        # Made for the first file that is set down, so that an image which is only looked at leaves nothing behind.
        self.scratch: pathlib.Path | None = None
        self.super = self._superblock()

    def close(self) -> None:
        """Removes what was set down in this machine's folder for scratch."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _set_down(self, name: str, data: bytes) -> pathlib.Path:
        """Puts a file where debugfs can read it."""
        if self.scratch is None:
            self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="edgehold-flash-"))
        path = self.scratch / name
        path.touch(0o600)
        path.write_bytes(data)
        return path

    def _superblock(self) -> dict[str, str]:
        text = self._ask("show_super_stats -h").decode("utf-8", "replace")
        figures = dict(re.findall(r"^([A-Z][^:\n]*):[ \t]*(.*)$", text, re.M))
        if "Block count" not in figures:
            raise Wrong(f"the image's file system cannot be read: {self.said}")
        return figures

    def _ask(self, request: str) -> bytes:
        done = subprocess.run(_command("debugfs", "-R", request, self.file), capture_output=True, timeout=120, check=False)
        self.said = _said(done.stderr)
        return done.stdout

    def repair(self) -> None:
        """Lets e2fsck do what it does at every boot, where the image was not unmounted."""
        if "needs_recovery" not in self.super["Filesystem features"] and self.super["Filesystem state"] == "clean":
            return
        done = subprocess.run(_command("e2fsck", "-p", self.file), capture_output=True, timeout=600, check=False)
        if done.returncode > 1:
            raise Wrong(f"the image's file system is damaged; mend it with e2fsck: {_said(done.stdout + done.stderr)}")
        self.seen.clear()
        self.super = self._superblock()

    def look(self, at: str) -> Found | None:
        if at not in self.seen:
            self.seen[at] = self._look(at)
        return self.seen[at]

    def _look(self, at: str) -> Found | None:
        text = self._ask(f"stat {_quoted(at)}").decode("utf-8", "replace")
        head = re.search(r"Type: (\S+) .*?Mode: +(\d+)", text)
        owner = re.search(r"User: +(\d+) +Group: +(\d+) .*?Size: (\d+)", text)
        if not head or not owner:
            return None
        mode = KINDS.get(head[1], 0) | int(head[2], 8)
        target = ""
        if stat.S_ISLNK(mode):
            fast = re.search(r'Fast link dest: "(.*)"', text)
            target = fast[1] if fast else self._ask(f"cat {_quoted(at)}").decode("utf-8", "replace")
        return Found(mode, int(owner[1]), int(owner[2]), int(owner[3]), target)

    def contents(self, at: str) -> bytes:
        return self._ask(f"cat {_quoted(at)}")

    def names(self, at: str) -> list[str]:
        text = self._ask(f"ls -p {_quoted(at)}").decode("utf-8", "replace")
        # /inode/mode/owner/group/name/size/
        rows = [line.split("/") for line in text.splitlines() if line.count("/") >= 6]
        return sorted(row[5] for row in rows if row[5] not in ("", ".", ".."))

    def room(self) -> int:
        blocks = int(self.super["Free blocks"]) - int(self.super["Reserved block count"])
        return max(0, blocks) * int(self.super["Block size"])

    def make_folder(self, at: str, mode: int) -> None:
        if self.look(at) is None:
            self._in_folder(at, "mkdir {name}")
        self._fields(at, stat.S_IFDIR | mode)
        self.written.append((at, stat.S_IFDIR | mode, None))

    def put_file(self, at: str, mode: int, data: bytes) -> None:
        source = self._set_down(str(len(self.commands)), data)
        if self.look(at) is not None:
            self.remove(at)
        self._in_folder(at, f'write "{source}" {{name}}')
        self._fields(at, stat.S_IFREG | mode)
        self.written.append((at, stat.S_IFREG | mode, data))

    def put_link(self, at: str, target: str) -> None:
        if self.look(at) is not None:
            self.remove(at)
        self._in_folder(at, f"symlink {{name}} {_quoted(target, '')}")
        self.written.append((at, stat.S_IFLNK | 0o777, target.encode()))
        self.seen[at] = Found(stat.S_IFLNK | 0o777, target=target)

    def remove(self, at: str) -> None:
        self.commands.append(f"rm {_quoted(at)}")
        self.seen[at] = None

    def _in_folder(self, at: str, command: str) -> None:
        # Older versions of debugfs know names, and no paths, for what they make.
        folder, _, name = at.rpartition("/")
        self.commands.append(f"cd {_quoted(folder)}")
        self.commands.append(command.format(name=_quoted(name, "")))

    def _fields(self, at: str, mode: int) -> None:
        for field, value in (("mode", f"0{mode:o}"), ("uid", "0"), ("gid", "0")):
            self.commands.append(f"set_inode_field {_quoted(at)} {field} {value}")
        self.seen[at] = Found(mode)

    def finish(self) -> None:
        if not self.commands:
            return
        script = self._set_down("commands", "".join(f"{line}\n" for line in self.commands).encode())
        command = _command("debugfs", "-w", "-f", str(script), self.file)
        done = subprocess.run(command, capture_output=True, timeout=600, check=False)
        # It ends well whatever it could not do; only its words tell.
        if done.returncode or _said(done.stderr):
            raise Wrong(f"the image could not be written: {_said(done.stderr)}")
        self.seen.clear()
        self._prove()

    def _prove(self) -> None:
        for at, mode, data in self.written:
            found = self._look(at)
            if found is None or found.mode != mode or (found.uid, found.gid) != (0, 0):
                raise Wrong(f"/{at} is not in the image as it was written")
            there = found.target.encode() if found.is_link else data and self.contents(at)
            if there != data:
                raise Wrong(f"/{at} has other bytes in the image than were written")
        done = subprocess.run(_command("e2fsck", "-fn", self.file), capture_output=True, timeout=600, check=False)
        if done.returncode:
            raise Wrong(f"the image's file system is not sound any more: {_said(done.stdout + done.stderr)}")


def _command(tool: str, *words: str) -> list[str]:
    # They lie where an ordinary user's PATH does not lead.
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Wrong(f"{tool} is needed to write into an image; it is in the package e2fsprogs")
    return [path, *words]


def _quoted(at: str, front: str = "/") -> str:
    if UNSPEAKABLE.search(at):
        raise Wrong(f"a name in the image cannot be dealt with: {at!r}")
    return f'"{front}{at}"'


def _said(text: bytes) -> str:
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"(debugfs|e2fsck) \d", line))
