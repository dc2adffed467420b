"""Measures how long edgehold and sumy take for the same text, and how much memory, as whole processes.

    speed.py BINARY [--quick] [--check | --control] [--out FOLDER]

The text is made of the set's English documents. --check fails unless edgehold is 20 times faster and 10 times smaller than
both of sumy's methods; --control fails unless the check finds fault with sumy in the place of edgehold.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import documents
import systems
import tables

FASTER, SMALLER = 20, 10
KB, MB = 1000, 1000 * 1000
WORDS = 150
PATIENCE = 900  # seconds


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="edgehold-speed-") as folder:
        file = pathlib.Path(folder) / "text.txt"
        write(file, (40 if options.control else 200) * KB)
        if options.control:
            same = [run("edgehold", sumy("TextRank", file)), run("sumy TextRank", sumy("TextRank", file))]
            found = list(lost(same))
            print("\n".join(["sumy as ours: the check finds", *found]))
            sys.exit(len(found) != 2)
        results = measured(options, file)
    print(tables.speed(results))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.check:
        found = list(lost(results["same"]))
        print("\n".join(found) or f"{FASTER} times faster and {SMALLER} times smaller than sumy", file=sys.stderr)
        sys.exit(bool(found))


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary", type=os.path.realpath)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    return parser.parse_args()


def write(file, size):
    """A text of this size: the English documents in an order of chance, again and again, each time in another."""
    texts = [it.text for it in documents.own() if it.language == "en"]
    order, left = random.Random(1), size
    with file.open("w") as opened:
        while left > 0:
            for text in order.sample(texts, len(texts)):
                opened.write(text[:left] + "\n")
                left -= len(text) + 1
                if left <= 0:
                    break


def edgehold(binary, file):
    return [binary, "summarize", "--model", systems.EXTRACTIVE, "--length", f"words={WORDS}", str(file)]


def sumy(name, file):
    return [sys.executable, str(pathlib.Path(__file__).with_name("sumy_alone.py")), name, str(file), str(WORDS)]


def measured(options, file):
    """One text for all, and a larger one for edgehold alone."""
    same = [run("edgehold", edgehold(options.binary, file), times=5)]
    same += [run(f"sumy {name}", sumy(name, file)) for name in ("LexRank", "TextRank")]
    results = {"text_bytes": file.stat().st_size, "same": same}
    write(file, (4 if options.quick else 32) * MB)
    large = run("edgehold", edgehold(options.binary, file), times=3)
    results["large"] = {**large, "text_bytes": file.stat().st_size, "mb_a_second": file.stat().st_size / MB / large["seconds"]}
    return results


def run(name, argv, times=1):
    """The shortest time and the largest memory of some runs."""
    runs = [once(argv) for _ in range(times)]
    return {"name": name, "seconds": min(it[0] for it in runs), "bytes": max(it[1] for it in runs)}


def once(argv):
    """Seconds, and the most memory that all of its processes held at one moment, as it was seen."""
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    most = 0
    with contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        while process.poll() is None:
            # What was only just forked is still this program, with all that it holds.
            if has_begun(process.pid, argv):
                most = max(most, sum(held(pid) for pid in [process.pid, *descendants(process.pid)]))
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"quality: {argv[0]} took longer than {PATIENCE} s")
            time.sleep(0.001 if time.monotonic() - began < 1 else 0.05)
        seconds = time.monotonic() - began
    out, said = process.communicate()
    if process.returncode != 0 or not out.strip():
        sys.exit(f"quality: {' '.join(argv)} ended with {process.returncode}: {said.decode().strip()}")
    return seconds, most


def descendants(pid):
    with contextlib.suppress(OSError):
        for child in map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            yield child
            yield from descendants(child)


def has_begun(pid, argv):
    with contextlib.suppress(OSError):
        return os.path.basename(argv[0]).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    return False


def held(pid):
    """What a process holds: of what it shares with others, its part (Pss)."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def lost(same):
    ours, *others = same
    for other in others:
        for what, unit, least in [("faster", "seconds", FASTER), ("smaller", "bytes", SMALLER)]:
            ratio = other[unit] / ours[unit]
            if ratio < least:
                yield f"{ratio:.2f} times {what} than {other['name']}, and not {least}"


if __name__ == "__main__":
    main()
