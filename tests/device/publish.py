#!/usr/bin/env python3
"""Makes the table of a device's figures from the last run, and puts it between its marks in README.md.

    tests/device/publish.py              prints it
    tests/device/publish.py --publish    and keeps it in README.md

Reads what `scripts/test` or `scripts/test device` left behind: the static binaries (target/cross), the packages made of them
(target/packages) and what was seen on the boards (target/device/results.json); and has systemd-analyze judge the unit. A figure
that is held and not there is an error. Whether each is as small as it should be is in the table.
"""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys

from arch import ARCHES

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEBI = 1024 * 1024
KINDS = {name: (arch.target, arch.debian) for name, arch in ARCHES.items()}
EXPOSURE = 1.3
LOADS = {
    "streams": "slow streams: 100, and 12 under 16 MiB",
    "readers": "slow readers: 32",
    "writers": "slow writers: 32, and 12",
    "jobs": "jobs made and listed: 10,000, and 1,000",
    "document": "a document of 64 MiB, and 16, extracted",
    "pieces": "a document by a model, piece by piece",
    "huge": "answers that are too long",
    "mixed": "some hundred requests of all kinds",
}


@dataclasses.dataclass
class Aim:
    """What is held: a figure for each kind of board, in bytes, and how many MiB it may be at most."""

    what: str
    command: str
    most: dict[str, float]
    measured: dict[str, int]

    def is_held(self) -> bool:
        return all(self.measured[kind] <= self.most[kind] * MEBI for kind in KINDS)

    def row(self) -> str:
        most = " / ".join(dict.fromkeys(f"{value:g}" for value in self.most.values()))
        values = " | ".join(f"{value / MEBI:.2f} MiB ({value:,} bytes)" for value in self.measured.values())
        return f"| {self.what} | {values} | at most {most} MiB | {word(self.is_held())} | {self.command} |"


def main() -> int:
    wanted = sys.argv[1:]
    if wanted not in ([], ["--publish"]):
        sys.exit(__doc__)
    results = seen()
    facts = {key: result["facts"] for key, result in results.items()}
    text = "\n".join([*held(facts), "", *peaks(facts), "", *lived_through(results)])
    print(text)
    if wanted:
        keep(text)
    return 0


def held(facts: dict) -> list[str]:
    score = exposure()
    return [
        "| what is held | aarch64 | armv7 | aim | held | shown by |",
        "| --- | --- | --- | --- | --- | --- |",
        *(aim.row() for aim in aims(facts)),
        f"| exposure of the unit (`systemd-analyze security`) | {score} | {score} | at most {EXPOSURE} | {word(score <= EXPOSURE)} | `tests/systemd/run` |",
    ]


def aims(facts: dict) -> list[Aim]:
    def all_kinds(most: float) -> dict[str, float]:
        return dict.fromkeys(KINDS, most)

    binaries = {kind: size(f"target/cross/{target}/release/edgehold") for kind, (target, _) in KINDS.items()}
    debs = {kind: size(f"target/packages/edgehold_*_{arch}.deb") for kind, (_, arch) in KINDS.items()}
    idle = {kind: facts["boot", kind]["idle_rss"] for kind in KINDS}
    streams = {kind: facts["memory", kind]["streams_rss_32"] for kind in KINDS}
    return [
        Aim("static, stripped binary with everything in it", "`scripts/build TARGET`", {"aarch64": 4.0, "armv7": 3.5}, binaries),
        Aim("the .deb", "`scripts/package TARGET BINARY`", all_kinds(2), debs),
        Aim("resident memory, idle after the start", "`scripts/test device`", all_kinds(4), idle),
        Aim("resident memory, 100 slow streams at once", "`scripts/test device`", all_kinds(10), streams),
    ]


def peaks(facts: dict) -> list[str]:
    """memory.peak by load: what the service's cgroup took at most, pages of files among it. Less is asked of small boards."""
    columns = [(cap, kind) for cap in (32, 16) for kind in KINDS]
    head = " | ".join(f"{kind}, cap {cap} MiB" for cap, kind in columns)
    lines = [f"| `memory.peak` of the unit, MiB | {head} |", "| --- |" + " --- |" * len(columns)]
    for name, words in LOADS.items():
        values = (facts["memory", kind].get(f"peak_{name}_{cap}") for cap, kind in columns)
        lines.append(f"| {words} | " + " | ".join("" if value is None else f"{value / MEBI:.1f}" for value in values) + " |")
    return lines


def lived_through(results: dict) -> list[str]:
    """What the boards did over the power's cuts and an hour; a row only where both kinds have its figures."""
    rows = {
        "power cuts; jobs accepted, lost": ("power", "{cuts}; {accepted:,}, {lost}"),
        "writes that the cuts lost, tore, garbled": ("power", "{writes_lost}, {writes_torn}, {writes_garbage}"),
        "jobs that waited over a cut": ("power", "{backlog:,}"),
        "mixed load for an hour, cap 32 MiB: requests": ("hour", "{mixed_requests_32:,}"),
        "`memory.current` after its first five minutes, and in the end, bytes": ("hour", "{mixed_first_32:,}, {mixed_last_32:,}"),
    }
    lines = ["| lived through | aarch64 | armv7 | shown by |", "| --- | --- | --- | --- |"]
    for words, (scenario, form) in rows.items():
        try:
            found = [results[scenario, kind] for kind in KINDS]
            values = " | ".join(form.format(**result["facts"]) for result in found)
        except KeyError:
            continue
        # Lines of earlier versions do not say whether they are of a soak.
        soak = " --soak" if all(result.get("soak") for result in found) else ""
        lines.append(f"| {words} | {values} | `tests/device/run all --deb-dir DIR {scenario}{soak}` |")
    return lines


def seen() -> dict[tuple[str, str], dict]:
    """The last result of each scenario on each kind of board."""
    lines = (ROOT / "target/device/results.json").read_text().splitlines()
    return {(line["scenario"], line["arch"]): line for line in map(json.loads, lines)}


def size(pattern: str) -> int:
    files = list(ROOT.glob(pattern))
    if len(files) != 1:
        sys.exit(f"publish: {len(files)} files are {pattern}, and one is wanted")
    return files[0].stat().st_size


def exposure() -> float:
    done = subprocess.run([ROOT / "tests/systemd/run"], capture_output=True, text=True, check=True)
    return float(re.search(r"^exposure ([0-9.]+)", done.stdout, re.MULTILINE)[1])


def word(is_held: bool) -> str:
    return "yes" if is_held else "**no**"


def keep(text: str):
    readme = ROOT / "README.md"
    section = f"<!-- device -->\n{text}\n<!-- /device -->"
    new, count = re.subn(r"<!-- device -->.*<!-- /device -->", lambda _: section, readme.read_text(), flags=re.DOTALL)
    if count != 1:
        sys.exit("publish: README.md has no place for the table")
    readme.write_text(new)


if __name__ == "__main__":
    sys.exit(main())
