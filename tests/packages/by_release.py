"""`scripts/release` in a clone whose build is a stand-in: that it makes all, twice, and notices a build that is not the same."""

from __future__ import annotations

import pathlib

from bench import REPOSITORY, Bench, hold, run

# What scripts/build does, as far as a release can tell; $PWD in it is what a careless build leaves in a binary.
BUILD = """#!/bin/sh
made=$(cd "$(dirname "$0")/.." && pwd)/target/$1
mkdir -p "$(dirname "$made")"
cp {binary} "$made"
{more}
echo "$made 0 0"
"""


def clone(ours: Bench, more: str) -> pathlib.Path:
    """The committed sources, with a build that takes a moment."""
    place = ours.scratch / "clone"
    run("git", "clone", "-q", "--no-hardlinks", REPOSITORY, place)
    binary = ours.scratch / "binary"
    binary.write_bytes(ours.binary.read_bytes()[:4096])
    (place / "scripts/build").write_text(BUILD.format(binary=binary, more=more))
    run("git", "-C", place, "-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "commit", "-qam", "Stand in")
    return place


def a_release_has_everything_with_sums(ours: Bench) -> None:
    out = ours.scratch / "release"
    said = run(clone(ours, ":") / "scripts/release", "--out", out, ours.target)
    hold("byte for byte" in said, said)
    names = {str(it.relative_to(out)) for it in out.rglob("*") if it.is_file()}
    image = {f"container/{ours.platform}/{it}" for it in ("usr/bin/edgehold", "etc/edgehold/edgehold.toml")}
    bill = f"edgehold-{ours.version}-{ours.target}.cdx.json"
    wanted = {ours.archive.name, ours.deb.name, bill, "container/Containerfile", "SHA256SUMS", *image}
    hold(names == wanted, f"too many or too few: {sorted(names ^ wanted)}")
    hold(len((out / "SHA256SUMS").read_text().splitlines()) == len(wanted) - 1, "not every file has a sum")
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=out)


def a_build_that_depends_on_its_place_is_noticed(ours: Bench) -> None:
    place = clone(ours, 'echo "$made" >>"$made"')
    said = run(place / "scripts/release", "--out", ours.scratch / "release", ours.target, fails=True)
    hold("other bytes" in said and "usr/bin/edgehold" in said and ours.deb.name in said, said)


def a_release_wants_a_clean_tree(ours: Bench) -> None:
    place = clone(ours, ":")
    (place / "stray").touch()
    said = run(place / "scripts/release", "--out", ours.scratch / "release", fails=True)
    hold("in no commit" in said and "stray" in said and not (ours.scratch / "release").exists(), said)


CHECKS = (a_release_has_everything_with_sums, a_build_that_depends_on_its_place_is_noticed, a_release_wants_a_clean_tree)
