"""Keeps the results of a run in tests/quality/results, and their tables between the marks in README.md.

    publish.py FOLDER
"""

import datetime
import json
import pathlib
import re
import sys

import measure
import tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests/quality/results"
SHOWN = [
    "point late", "point late, held out", "point at the end", "point in the middle", "point in the lead",
    "English", "not English", "papers without abstract", "papers with abstract",
]


def main():
    out = pathlib.Path(sys.argv[1])
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in ("quality", "speed")}
    KEPT.mkdir(exist_ok=True)
    for name, results in found.items():
        (KEPT / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (KEPT / "figures.md").write_text(everything(**found))
    readme = ROOT / "README.md"
    section = f"<!-- quality -->\n{short(**found)}\n<!-- /quality -->"
    text, count = re.subn(r"<!-- quality -->.*<!-- /quality -->", lambda _: section, readme.read_text(), flags=re.DOTALL)
    if count != 1:
        sys.exit("quality: README.md has no place for the figures")
    readme.write_text(text)


def short(quality, speed):
    large = speed["large"]
    return "\n".join([
        f"Measured {datetime.date.today()}: {tables.machine()}. `tests/quality/run BINARY publish` makes all of it.",
        "",
        "ROUGE-1 / -2 / -L (F1, in per cent) with as many words as the reference has:",
        "",
        tables.quality(quality, measure.OURS, measure.LEAD, SHOWN),
        "",
        f"The same text of {speed['text_bytes'] / 1000:.0f} KB, whole processes:",
        "",
        tables.speed(speed),
        "",
        f"`{measure.OURS}` alone with {large['text_bytes'] / 1e6:.0f} MB: {large['mb_a_second']:.0f} MB a second, "
        f"{large['bytes'] / tables.MIB:.2g} MiB.",
    ])


def everything(quality, speed):
    parts = ["# Figures of summaries", short(quality, speed), "## Every mean, with its interval of 95 %", tables.detail(quality)]
    parts += ["## Length of the summaries, as a part of the budget, before they are cut", tables.lengths(quality)]
    return "\n\n".join(parts) + "\n"


main()
