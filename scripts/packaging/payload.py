"""What an installation of edgehold consists of: every file with its place, its mode and its bytes.

Three sources give the same: this repository with a built binary, a .deb, and the .tar.xz that `scripts/package` makes.
Nothing here runs what it reads.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import lzma
import pathlib
import stat
import tarfile
from collections.abc import Iterable

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PARTS = REPOSITORY / "scripts" / "packaging"

BINARY = "usr/bin/edgehold"
CONFIG = "etc/edgehold/edgehold.toml"
KEYS = "etc/edgehold/keys"
UNITS = "usr/lib/systemd/system"
PRESETS = "usr/lib/systemd/system-preset"
DOC = "usr/share/doc/edgehold"
# Where install.sh writes down what it has installed, for a later version and for its --uninstall.
RECORD = "usr/share/edgehold"

# Target of the compiler, architecture of Debian, of containers, and machine in an ELF header.
TARGETS = {
    "aarch64-unknown-linux-musl": ("arm64", "arm64", "AArch64"),
    "armv7-unknown-linux-musleabihf": ("armhf", "arm", "ARM"),
    "x86_64-unknown-linux-musl": ("amd64", "amd64", "x86-64"),
}


class Wrong(Exception):
    """What is wrong, in a sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file, or a folder where it has no bytes. All belong to root."""

    mode: int
    data: bytes | None = None


Tree = dict[str, Entry]


@dataclasses.dataclass
class Payload:
    """The tree, and what a .deb has beside it: the files of its control archive."""

    tree: Tree
    control: dict[str, bytes] = dataclasses.field(default_factory=dict)


def from_repository(binary: bytes, notices: pathlib.Path | None = None) -> Payload:
    """The tree as it is in the packages, with this binary and the licences of what is linked into it."""
    tree: Tree = {
        BINARY: Entry(0o755, binary),
        CONFIG: Entry(0o644, (PARTS / "edgehold.toml").read_bytes()),
        KEYS: Entry(0o700),
    }
    _add_units(tree)
    _add_documentation(tree)
    if notices:
        tree[f"{DOC}/third-party.gz"] = _zipped(notices)
    add_folders(tree)
    return Payload(dict(sorted(tree.items())))


def _add_units(tree: Tree) -> None:
    systemd = REPOSITORY / "systemd"
    for name in ("edgehold.service", "edgehold.socket"):
        tree[f"{UNITS}/{name}"] = _plain(systemd / name)
    tree[f"{PRESETS}/90-edgehold.preset"] = _plain(systemd / "90-edgehold.preset")
    for drop_in in sorted(systemd.glob("*.conf")):
        tree[f"{DOC}/examples/systemd/{drop_in.name}"] = _plain(drop_in)


def _add_documentation(tree: Tree) -> None:
    for config in sorted((REPOSITORY / "config").glob("*.toml")):
        tree[f"{DOC}/examples/{config.name}"] = _plain(config)
    tree[f"{DOC}/README.md"] = _plain(REPOSITORY / "README.md")
    tree[f"{DOC}/copyright"] = _plain(PARTS / "debian" / "copyright")
    tree[f"{DOC}/changelog.gz"] = _zipped(PARTS / "debian" / "changelog")
    generated = REPOSITORY / "src" / "cli" / "generated"
    tree["usr/share/man/man1/edgehold.1.gz"] = _zipped(generated / "edgehold.1")
    tree["usr/share/bash-completion/completions/edgehold"] = _plain(generated / "edgehold.bash")
    tree["usr/share/fish/vendor_completions.d/edgehold.fish"] = _plain(generated / "edgehold.fish")
    tree["usr/share/zsh/vendor-completions/_edgehold"] = _plain(generated / "_edgehold")


def _plain(path: pathlib.Path) -> Entry:
    return Entry(0o644, path.read_bytes())


def _zipped(path: pathlib.Path) -> Entry:
    # Without a time, so that the bytes depend on the text alone.
    return Entry(0o644, gzip.compress(path.read_bytes(), 9, mtime=0))


def add_folders(tree: Tree, more: Iterable[str] = ()) -> None:
    """Adds the folders above everything in the tree, and above these paths."""
    for path in [*tree, *more]:
        for folder in pathlib.PurePosixPath(path).parents:
            if str(folder) != ".":
                tree.setdefault(str(folder), Entry(0o755))


def from_deb(path: pathlib.Path) -> Payload:
    """What a .deb would unpack, and its control files."""
    members = _ar_members(path)
    tree: Tree = {}
    control: dict[str, bytes] = {}
    for name, data in members.items():
        if name.startswith("data.tar"):
            tree = _read_tar(_unpacked(data, path))
        elif name.startswith("control.tar"):
            files = _read_tar(_unpacked(data, path))
            control = {name: entry.data for name, entry in files.items() if entry.data is not None}
    if BINARY not in tree or "control" not in control:
        raise Wrong(f"{path} is no package of edgehold")
    return Payload(tree, control)


def from_tar(path: pathlib.Path) -> Payload:
    """What install.sh of the archive would install, with its record."""
    tree: Tree = {}
    for name, entry in _read_tar(_unpacked(path.read_bytes(), path)).items():
        inside = name.split("/", 1)[-1]
        if inside.startswith("root/"):
            tree[inside.removeprefix("root/")] = entry
        elif inside == "install.sh":
            tree[f"{RECORD}/install.sh"] = entry
    if BINARY not in tree:
        raise Wrong(f"{path} is no archive of edgehold")
    return Payload(recorded(tree))


def recorded(tree: Tree) -> Tree:
    """The tree with the record that install.sh keeps, by which it can take everything away again."""
    whole = dict(tree)
    whole.setdefault(f"{RECORD}/install.sh", Entry(0o755, (PARTS / "install.sh").read_bytes()))
    whole[f"{RECORD}/install.sh"] = Entry(0o644, whole[f"{RECORD}/install.sh"].data)
    files = [name for name, entry in whole.items() if entry.data is not None and name != CONFIG]
    listed = "".join(f"{name}\n" for name in sorted([*files, f"{RECORD}/files"]))
    whole[f"{RECORD}/files"] = Entry(0o644, listed.encode())
    add_folders(whole)
    return whole


def _ar_members(path: pathlib.Path) -> dict[str, bytes]:
    archive = path.read_bytes()
    if archive[:8] != b"!<arch>\n":
        raise Wrong(f"{path} is no .deb")
    members, at = {}, 8
    while at + 60 <= len(archive):
        name = archive[at : at + 16].decode("ascii", "replace").strip().rstrip("/")
        size = int(archive[at + 48 : at + 58])
        members[name] = archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return members


def _unpacked(data: bytes, path: pathlib.Path) -> bytes:
    try:
        return lzma.decompress(data) if data[:6] == b"\xfd7zXZ\0" else gzip.decompress(data)
    except (lzma.LZMAError, OSError, EOFError) as error:
        raise Wrong(f"{path} cannot be unpacked: {error}") from None


def _read_tar(data: bytes) -> Tree:
    tree: Tree = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            name = str(pathlib.PurePosixPath(member.name))
            if name == ".":
                continue
            if name.startswith("/") or ".." in name.split("/"):
                raise Wrong(f"the archive has a member outside of itself: {member.name}")
            mode = stat.S_IMODE(member.mode)
            if member.isdir():
                tree[name] = Entry(mode)
            elif member.isfile():
                source = archive.extractfile(member)
                tree[name] = Entry(mode, source.read() if source else b"")
            else:
                raise Wrong(f"the archive has a member that is neither file nor folder: {member.name}")
    return tree
