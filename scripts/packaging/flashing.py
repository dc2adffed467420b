"""What `scripts/flash` does, step by step; how a folder or an image is written is the business of `roots` and `image`."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import disk
import dpkgdb
import elf
import payload as payloads
import units
from image import Image
from payload import BINARY, CONFIG, DOC, KEYS, RECORD, Entry, Payload, Tree, Wrong
from roots import Folder, Root

# Programs that nearly every system has, by which its machine is known.
KNOWN_PROGRAMS = ("usr/lib/systemd/systemd", "lib/systemd/systemd", "bin/busybox", "bin/sh", "bin/ls", "usr/bin/dpkg", "usr/bin/env", "sbin/init")
SYSTEMD = KNOWN_PROGRAMS[:2]
LAN_EXAMPLE = f"{DOC}/examples/systemd/edgehold.socket.d-lan.conf"
LAN = "etc/systemd/system/edgehold.socket.d/lan.conf"
LARGEST_KEY = 64 << 10


def flash(options: argparse.Namespace) -> None:
    """Everything is looked at before anything is written."""
    wanted = _payload(options)
    with _root(options) as root:
        _check_machine(root, wanted)
        _check_owner(root, wanted)
        tree = dict(wanted.tree)
        _choose_config(root, tree, options.config)
        tree.update(_keys(options.key))
        tree.update(_lan(wanted.tree, options.lan))
        _check_config(root, tree, options)
        links = units.links(tree)
        if wanted.control and dpkgdb.there(root):
            tree.update(dpkgdb.records(root, wanted, links))
        payloads.add_folders(tree, links)
        stale = {path for path, entry in tree.items() if not root.is_as(path, entry)}
        _check_room(root, tree, stale)
        changed = _write(root, tree, stale, links, _obsolete(root, tree))
        root.finish()
        _report(root, options, tree, links, changed)


def _payload(options: argparse.Namespace) -> Payload:
    source = options.deb or options.tar or options.binary
    if not source.is_file():
        raise Wrong(f"{source} is no file")
    if options.deb:
        return payloads.from_deb(source)
    if options.tar:
        return payloads.from_tar(source)
    return Payload(payloads.recorded(payloads.from_repository(source.read_bytes()).tree))


@contextlib.contextmanager
def _root(options: argparse.Namespace) -> Iterator[Root]:
    path = options.root
    if path.is_dir():
        if options.partition is not None:
            raise Wrong("--partition is for images")
        yield _checked_root(Folder(path), path)
        return
    if not path.exists():
        raise Wrong(f"{path} does not exist")
    _check_writable(path)
    image = _open_image(path, options.partition)
    try:
        yield image
    finally:
        image.close()


def _checked_root(root: Root, path: pathlib.Path) -> Root:
    if not _is_root(root):
        raise Wrong(f"{path} is no root of a system: it has no /etc and /usr")
    return root


def _is_root(root: Root) -> bool:
    return all((found := root.follow(name)[1]) and found.is_folder for name in ("etc", "usr"))


def _check_writable(path: pathlib.Path) -> None:
    try:
        with path.open("r+b"):
            pass
    except OSError as error:
        raise Wrong(f"{path} cannot be written: {error.strerror}") from None
    used = [str(path.resolve())]
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if backing.read_text().strip() in used:
                raise Wrong(f"{path} is in use as /dev/{backing.parts[3]}; detach it first, or give the folder where it is mounted")


def _open_image(path: pathlib.Path, number: int | None) -> Image:
    found = disk.partitions(path)
    if not found:
        raise Wrong(f"{path} is no disk image: no partition table and no ext4 file system is in it")
    if number is not None:
        found = [it for it in found if it.number == number]
        if not found:
            raise Wrong(f"{path} has no partition {number}")
    if not any(it.is_ext for it in found):
        raise Wrong(f"no ext4 file system is in {path}; mount it and give the folder")
    images = [(it.number, Image(path, it.offset)) for it in found if it.is_ext]
    roots = [(number, image) for number, image in images if _is_root(image)]
    if len(roots) != 1:
        numbers = ", ".join(str(it) for it, _ in roots)
        raise Wrong(f"partitions {numbers} are all roots; choose with --partition" if roots else f"no partition of {path} is the root of a system")
    image = roots[0][1]
    image.repair()
    return image


def _check_machine(root: Root, wanted: Payload) -> None:
    ours = elf.machine((wanted.tree[BINARY].data or b"")[:64])
    if ours is None:
        raise Wrong("what is to be installed is no program")
    for program in KNOWN_PROGRAMS:
        at, found = root.follow(program)
        theirs = elf.machine(root.head(at)) if found and found.is_file else None
        if theirs is not None:
            if theirs != ours:
                raise Wrong(f"wrong architecture: the binary is for {ours}, and /{program} for {theirs}")
            return
    print(f"flash: no program was found by which to know the machine; the binary is for {ours}", file=sys.stderr)


def _check_owner(root: Root, wanted: Payload) -> None:
    if not wanted.control and dpkgdb.registered(root):
        raise Wrong("dpkg has a package edgehold in this root; flash a --deb")


def _choose_config(root: Root, tree: Tree, given: pathlib.Path | None) -> None:
    if given is not None:
        tree[CONFIG] = Entry(0o644, given.read_bytes())
    elif root.read(CONFIG) is not None:
        del tree[CONFIG]


def _keys(options: list[str]) -> Tree:
    tree: Tree = {}
    for option in options:
        name, separator, source = option.partition("=")
        path = pathlib.Path(source)
        if not separator or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name):
            raise Wrong(f"--key wants NAME=FILE, with a name of letters, digits, _, - and .; not {name!r}")
        if not path.is_file() or path.stat().st_size > LARGEST_KEY:
            raise Wrong(f"{path} is no file with a key")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            print(f"flash: warning: others may read {path}; chmod 600 it", file=sys.stderr)
        if not path.read_bytes().strip():
            raise Wrong(f"{path} is empty")
        tree[f"{KEYS}/{name}"] = Entry(0o600, path.read_bytes())
    return tree


def _lan(tree: Tree, address: str | None) -> Tree:
    """The drop-in of the examples, with this address in the place of its own."""
    if address is None:
        return {}
    if not re.fullmatch(r"(\d+(\.\d+){3}|\[[0-9a-fA-F:]+\]):\d+", address):
        raise Wrong(f"--lan wants IP:PORT, not {address!r}")
    example = (tree[LAN_EXAMPLE].data or b"").decode()
    text = re.sub(r"^ListenStream=.+$", f"ListenStream={address}", example, flags=re.M)
    return {LAN: Entry(0o644, text.encode())}


def _check_config(root: Root, tree: Tree, options: argparse.Namespace) -> None:
    config = tree[CONFIG].data if CONFIG in tree else root.read(CONFIG)
    with tempfile.TemporaryDirectory(prefix="edgehold-flash-") as name:
        scratch = pathlib.Path(name)
        (scratch / "edgehold.toml").write_bytes(config or b"")
        binary = scratch / "edgehold"
        binary.write_bytes(options.check_with.read_bytes() if options.check_with else tree[BINARY].data or b"")
        binary.chmod(0o700)
        _set_down_keys(root, tree, scratch / "keys")
        command = [*_runner(binary), str(binary), "check", "--config", str(scratch / "edgehold.toml")]
        environment = {"PATH": os.environ.get("PATH", ""), "CREDENTIALS_DIRECTORY": str(scratch / "keys")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            said = done.stderr.strip().replace(f"{scratch}/", "")
            raise Wrong(f"the configuration is not right, and nothing was written:\n{said}")
        listen = next((line for line in done.stdout.splitlines() if line.startswith("listen =")), "")
        if options.lan and f'"{options.lan}"' not in listen:
            raise Wrong(f"the configuration does not listen on {options.lan}; it has {listen}")


def _set_down_keys(root: Root, tree: Tree, folder: pathlib.Path) -> None:
    """As systemd would for the service: those that are there, and those that are given."""
    at, found = root.follow(KEYS)
    keys = {name: root.read(f"{KEYS}/{name}") for name in root.names(at)} if found and found.is_folder else {}
    keys |= {path.removeprefix(f"{KEYS}/"): it.data for path, it in tree.items() if path.startswith(f"{KEYS}/")}
    folder.mkdir(mode=0o700)
    for name, data in keys.items():
        if data is not None:
            (folder / name).write_bytes(data)


def _runner(binary: pathlib.Path) -> list[str]:
    with binary.open("rb") as file:
        machine = elf.machine(file.read(64))
    if machine == elf.HOSTS.get(platform.machine()):
        return []
    for emulator in elf.EMULATORS.get(machine or "", ()):
        if shutil.which(emulator):
            return [emulator]
    raise Wrong(f"a binary for {machine} cannot check the configuration here: install qemu-user-static, or give one that can run with --check-with")


def _check_room(root: Root, tree: Tree, stale: set[str]) -> None:
    # Every file is written whole before the old one goes, and takes whole blocks.
    needed = sum(len(tree[path].data or b"") // 4096 * 4096 + 8192 for path in stale)
    if needed > root.room():
        raise Wrong(f"no room: {needed} bytes are needed, and {root.room()} are free")


def _obsolete(root: Root, tree: Tree) -> list[str]:
    before = dpkgdb.listed(root) if dpkgdb.INFO + "/edgehold.list" in tree else []
    record = root.read(f"{RECORD}/files")
    before += (record or b"").decode().splitlines()
    if record is not None and f"{RECORD}/files" not in tree:
        before += [f"{RECORD}/files", f"{RECORD}/install.sh"]
    # The device's own is not ours to remove.
    return sorted({path for path in before if path not in tree and not path.startswith(("etc/", "var/"))})


def _write(root: Root, tree: Tree, stale: set[str], links: dict[str, str], obsolete: list[str]) -> int:
    changed = 0
    for path, entry in sorted(tree.items()):
        if entry.data is None:
            changed += _write_folder(root, path, entry)
        elif path in stale:
            root.put_file(root.place(path), entry.mode, entry.data)
            changed += 1
    for path, target in sorted(links.items()):
        found = root.look(root.place(path))
        if not found or found.target != target:
            root.put_link(root.place(path), target)
            changed += 1
    for path in obsolete:
        found = root.look(root.place(path))
        if found and not found.is_folder:
            root.remove(root.place(path))
            changed += 1
    return changed


def _write_folder(root: Root, path: str, entry: Entry) -> int:
    at, found = root.follow(path)
    if found and not found.is_folder:
        raise Wrong(f"/{path} is in the way: it is no folder")
    # A folder of the system's stays as it is; that of the keys must be closed.
    if found and (path != KEYS or root.is_as(path, entry)):
        return 0
    root.make_folder(at, entry.mode)
    return 1


def _report(root: Root, options: argparse.Namespace, tree: Tree, links: dict[str, str], changed: int) -> None:
    keys = sum(path.startswith(f"{KEYS}/") for path in tree)
    print(f"{options.root}: {changed} changes; {len(links)} links enable the units; {keys} keys given; config {'written' if CONFIG in tree else 'kept'}")
    if not any((found := root.follow(path)[1]) and found.is_file for path in SYSTEMD):
        print("flash: no systemd is in this root; nothing will start the service", file=sys.stderr)
