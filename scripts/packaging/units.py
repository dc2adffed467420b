"""Says which links enable units, as `systemctl preset` would make them, from the units and the preset alone."""

from __future__ import annotations

import fnmatch
import re

from payload import PRESETS, UNITS, Tree

WANTS = {"WantedBy": "wants", "RequiredBy": "requires"}
FOLDER = "etc/systemd/system"


def links(tree: Tree) -> dict[str, str]:
    """Path of each link to where it leads, for the units that the tree's preset enables."""
    preset = "\n".join(_text(tree, path) for path in sorted(tree) if path.startswith(f"{PRESETS}/"))
    found: dict[str, str] = {}
    for path in sorted(tree):
        folder, _, unit = path.rpartition("/")
        if folder == UNITS and _enabled(unit, preset):
            for place in _places(unit, _text(tree, path)):
                found[f"{FOLDER}/{place}"] = f"/{path}"
    return found


def also(tree: Tree) -> dict[str, list[str]]:
    """For each unit those that it enables along with itself."""
    found = {}
    for path in tree:
        folder, _, unit = path.rpartition("/")
        if folder == UNITS:
            found[unit] = [other for line in re.findall(r"^Also=(.*)$", _text(tree, path), re.M) for other in line.split()]
    return found


def _text(tree: Tree, path: str) -> str:
    return (tree[path].data or b"").decode()


def _enabled(unit: str, preset: str) -> bool:
    # The first line that fits decides.
    for line in preset.splitlines():
        word, _, patterns = line.strip().partition(" ")
        if word in ("enable", "disable") and any(fnmatch.fnmatch(unit, it) for it in patterns.split()):
            return word == "enable"
    return False


def _places(unit: str, text: str) -> list[str]:
    places, section = [], ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        key, _, value = line.partition("=")
        if section != "[Install]":
            continue
        if key.strip() in WANTS:
            places += [f"{other}.{WANTS[key.strip()]}/{unit}" for other in value.split()]
        elif key.strip() == "Alias":
            places += value.split()
    return places
