"""Registers a package in the database of a system's dpkg, as an installation by dpkg itself would.

A package that only lay there would be in nobody's list: never upgraded, never removed.
"""

from __future__ import annotations

import hashlib

import units
from payload import Entry, Payload, Tree
from roots import Root

NAME = "edgehold"
STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info"
# What deb-systemd-helper remembers of the links that it has made, so that a purge removes them.
HELPER = "var/lib/systemd/deb-systemd-helper-enabled"


def there(root: Root) -> bool:
    """Whether the root has a dpkg."""
    return root.read(STATUS) is not None


def registered(root: Root) -> bool:
    """Whether its dpkg has a package of ours."""
    return root.read(f"{INFO}/{NAME}.list") is not None


def listed(root: Root) -> list[str]:
    """The paths of the package that is registered."""
    text = root.read(f"{INFO}/{NAME}.list") or b""
    return [line.lstrip("/") for line in text.decode().splitlines()]


def records(root: Root, payload: Payload, links: dict[str, str]) -> Tree:
    """The files that make the package an installed one."""
    tree: Tree = {STATUS: Entry(0o644, _status(root.read(STATUS) or b"", payload))}
    paths = ["/.", *(f"/{path}" for path in payload.tree)]
    tree[f"{INFO}/{NAME}.list"] = Entry(0o644, "".join(f"{path}\n" for path in paths).encode())
    for name, data in payload.control.items():
        if name != "control":
            script = name in ("preinst", "postinst", "prerm", "postrm")
            tree[f"{INFO}/{NAME}.{name}"] = Entry(0o755 if script else 0o644, data)
    tree.update(_helper(links, units.also(payload.tree)))
    return tree


def _status(before: bytes, payload: Payload) -> bytes:
    others = [it for it in before.decode().split("\n\n") if it.strip() and f"Package: {NAME}" not in it.splitlines()]
    return "\n\n".join([*(it.strip("\n") for it in others), _stanza(payload)]).encode() + b"\n\n"


def _stanza(payload: Payload) -> str:
    lines = payload.control["control"].decode().rstrip("\n").split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("Package:"))
    lines.insert(at + 1, "Status: install ok installed")
    conffiles = payload.control.get("conffiles", b"").decode().split()
    if conffiles:
        sums = [f" {path} {_md5(payload.tree[path.lstrip('/')])}" for path in conffiles]
        # Before the description, which is last.
        at = next(number for number, line in enumerate(lines) if line.startswith("Description:"))
        lines[at:at] = ["Conffiles:", *sums]
    return "\n".join(lines)


def _md5(entry: Entry) -> str:
    return hashlib.md5(entry.data or b"", usedforsecurity=False).hexdigest()


def _helper(links: dict[str, str], also: dict[str, list[str]]) -> Tree:
    tree: Tree = {}
    made: dict[str, list[str]] = {}
    for link in links:
        folder, _, unit = link.removeprefix(f"{units.FOLDER}/").rpartition("/")
        made.setdefault(unit, []).append(f"/{link}\n")
        if folder:
            tree[f"{HELPER}/{folder}"] = Entry(0o755)
            tree[f"{HELPER}/{folder}/{unit}"] = Entry(0o644, b"")
    for unit, lines in made.items():
        others = [line for other in also.get(unit, []) for line in made.get(other, [])]
        tree[f"{HELPER}/{unit}.dsh-also"] = Entry(0o644, "".join([*others, *lines]).encode())
    return tree
