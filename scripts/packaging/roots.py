"""The root of a device's system, to be looked at and written into: a folder here, an ext4 image in `image.py`.

Links are followed inside of the root only: one that says /data means the root's own, never this machine's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pathlib
import stat
from collections.abc import Iterator

from payload import Entry, Wrong

LINKS_IN_A_PATH = 40


@dataclasses.dataclass(frozen=True)
class Found:
    """What is at a place: its type and mode, its owner, and where it leads if it is a link."""

    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


class Root:
    """What both kinds can do. Paths are written without the slash in front; `at` paths have no link in them."""

    def look(self, at: str) -> Found | None:
        """What is there, if anything."""
        raise NotImplementedError

    def contents(self, at: str) -> bytes:
        """All bytes of a file."""
        raise NotImplementedError

    def head(self, at: str) -> bytes:
        """The first bytes of a file, enough for an ELF header."""
        return self.contents(at)[:64]

    def names(self, at: str) -> list[str]:
        """What a folder holds."""
        raise NotImplementedError

    def room(self) -> int:
        """How many bytes are free."""
        raise NotImplementedError

    def make_folder(self, at: str, mode: int) -> None:
        """Makes a folder of root's, or gives one that is there to root, with this mode."""
        raise NotImplementedError

    def put_file(self, at: str, mode: int, data: bytes) -> None:
        """Makes or replaces a file of root's."""
        raise NotImplementedError

    def put_link(self, at: str, target: str) -> None:
        """Makes or replaces a link."""
        raise NotImplementedError

    def remove(self, at: str) -> None:
        """Removes a file or a link."""
        raise NotImplementedError

    def finish(self) -> None:
        """Carries out what has not been written yet, and proves that it is there."""

    def place(self, path: str) -> str:
        """The path with every link in its folders followed; its last name stays as it is."""
        pending = [part for part in path.split("/") if part][::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                del done[-1:]
                continue
            found = self.look("/".join([*done, part])) if pending else None
            if found is None or not found.is_link:
                done.append(part)
                continue
            links += 1
            if links > LINKS_IN_A_PATH:
                raise Wrong(f"/{path} leads through too many links")
            if found.target.startswith("/"):
                done = []
            pending += [part for part in found.target.split("/") if part not in ("", ".")][::-1]
        return "/".join(done)

    def follow(self, path: str) -> tuple[str, Found | None]:
        """The place that the whole path leads to, and what is there."""
        at = self.place(path)
        for _ in range(LINKS_IN_A_PATH):
            found = self.look(at)
            if found is None or not found.is_link:
                return at, found
            inside = "" if found.target.startswith("/") else at.rpartition("/")[0]
            at = self.place(f"{inside}/{found.target}")
        raise Wrong(f"/{path} leads through too many links")

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or nothing where there is none."""
        at, found = self.follow(path)
        return self.contents(at) if found and found.is_file else None

    def is_as(self, path: str, entry: Entry) -> bool:
        """Whether the entry is there already, to the byte."""
        if entry.data is None:
            _, found = self.follow(path)
            return bool(found) and found.is_folder and (stat.S_IMODE(found.mode), found.uid, found.gid) == (entry.mode, 0, 0)
        at = self.place(path)
        found = self.look(at)
        if not found or not found.is_file or found.size != len(entry.data):
            return False
        return (stat.S_IMODE(found.mode), found.uid, found.gid) == (entry.mode, 0, 0) and self.contents(at) == entry.data


class Folder(Root):
    """A mounted or unpacked root."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def _host(self, at: str) -> pathlib.Path:
        return self.path / at

    def look(self, at: str) -> Found | None:
        try:
            found = os.lstat(self._host(at))
        except (FileNotFoundError, NotADirectoryError):
            return None
        target = os.readlink(self._host(at)) if stat.S_ISLNK(found.st_mode) else ""
        return Found(found.st_mode, found.st_uid, found.st_gid, found.st_size, target)

    def contents(self, at: str) -> bytes:
        return self._host(at).read_bytes()

    def head(self, at: str) -> bytes:
        with self._host(at).open("rb") as file:
            return file.read(64)

    def names(self, at: str) -> list[str]:
        return sorted(os.listdir(self._host(at)))

    def room(self) -> int:
        figures = os.statvfs(self.path)
        return figures.f_bavail * figures.f_frsize

    def make_folder(self, at: str, mode: int) -> None:
        with _explained(at):
            self._host(at).mkdir(exist_ok=True)
            self._give_to_root(self._host(at), mode)

    def put_file(self, at: str, mode: int, data: bytes) -> None:
        # Beside it and then in its place: a system that is cut off has the old one or the new one.
        beside = self._host(at).with_name(f".{pathlib.PurePosixPath(at).name}.new")
        with _explained(at):
            beside.unlink(missing_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._give_to_root(beside, mode)
            beside.replace(self._host(at))

    def put_link(self, at: str, target: str) -> None:
        with _explained(at):
            self._host(at).unlink(missing_ok=True)
            self._host(at).symlink_to(target)

    def remove(self, at: str) -> None:
        with _explained(at):
            self._host(at).unlink()

    @staticmethod
    def _give_to_root(host: pathlib.Path, mode: int) -> None:
        if (os.lstat(host).st_uid, os.lstat(host).st_gid) != (0, 0):
            os.chown(host, 0, 0, follow_symlinks=False)
        os.chmod(host, mode)


WORDS = {
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "no room is left",
    errno.EPERM: "not permitted; files are given to root, which only root may do",
    errno.EACCES: "not permitted; files are given to root, which only root may do",
}


@contextlib.contextmanager
def _explained(at: str) -> Iterator[None]:
    """Turns what the system says into a sentence of ours."""
    try:
        yield
    except OSError as error:
        raise Wrong(f"/{at}: {WORDS.get(error.errno or 0, error.strerror)}") from None
