"""Which version the source is of, and of which time: what the packages and the bill of materials are marked with."""

from __future__ import annotations

import os
import subprocess
import tomllib

from payload import PARTS, REPOSITORY, Wrong


def released_version() -> str:
    """Cargo.toml's version, which the changelog's newest entry must have too."""
    with (REPOSITORY / "Cargo.toml").open("rb") as file:
        version = str(tomllib.load(file)["package"]["version"])
    newest = (PARTS / "debian" / "changelog").read_text().split("\n", 1)[0]
    if f"({version})" not in newest:
        raise Wrong(f"Cargo.toml has version {version}, and the changelog begins with: {newest}")
    return version


def source_time() -> int:
    """$SOURCE_DATE_EPOCH, else the time of the last commit."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    done = subprocess.run(["git", "-C", REPOSITORY, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong("no commit says what time this is of; set SOURCE_DATE_EPOCH")
    return int(done.stdout)
