"""Keeps the results of a bench in tests/bench/results, and its table between the marks in README.md."""

import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests/bench/results"


def main():
    out = pathlib.Path(sys.argv[1])
    KEPT.mkdir(exist_ok=True)
    for file in ("figures.md", "figures.json", "cpu.svg", "latency.svg", "memory.svg"):
        shutil.copy(out / file, KEPT / file)
    readme = ROOT / "README.md"
    plots = "\n".join(f"![{name}](tests/bench/results/{name}.svg)" for name in ("cpu", "latency", "memory"))
    section = f"<!-- figures -->\n{(out / 'figures.md').read_text()}\n{plots}\n<!-- /figures -->"
    text, count = re.subn(r"<!-- figures -->.*<!-- /figures -->", lambda _: section, readme.read_text(), flags=re.DOTALL)
    if count != 1:
        sys.exit("bench: README.md has no place for the figures")
    readme.write_text(text)


main()
