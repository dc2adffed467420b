"""Runs scenarios on virtual boards, both kinds of boards at once. `run` beside this file installs what is needed and calls it.

A line for each scenario and each negative control, and one in the end; exit status 0 only if all held. The figures are kept in
target/device/results.json, a line of JSON for each scenario and kind of board.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from arch import ARCHES
from tools import Qemu

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent.parent / "target" / "device" / "results.json"


def main() -> int:
    options = arguments()
    if options.one:
        import lane  # what follows needs the environment that `run` makes

        return lane.run(options)
    began = time.monotonic()
    arches = list(ARCHES) if options.arch == "all" else [options.arch]
    events: list[dict] = []
    lanes = [threading.Thread(target=follow, args=(options, arch, events)) for arch in arches]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    keep([event for event in events if event["ok"] and not event["control"]], options.soak)
    passed = sum(event["ok"] for event in events)
    failed = len(events) - passed
    count = f"{passed} passed" if not failed else f"{failed} failed, {passed} passed"
    print(f"{count} in {time.monotonic() - began:.1f}s", flush=True)
    return 1 if failed or not passed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arch", choices=[*ARCHES, "all"])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--binary-dir", type=pathlib.Path)
    source.add_argument("--deb-dir", type=pathlib.Path)
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--qemu", type=pathlib.Path)
    parser.add_argument("--one", action="store_true", help="run the one kind of board in this process")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_intermixed_args()
    unknown = set(options.scenarios) - {path.stem for path in (HERE / "scenarios").glob("*.py")}
    if unknown:
        parser.error(f"no such scenario: {' '.join(sorted(unknown))}")
    options.qemu_parts = Qemu(options.qemu)
    return options


def follow(options: argparse.Namespace, arch: str, events: list[dict]):
    """Runs the scenarios of one kind of board in a process of its own, and says what it tells."""
    words = [sys.executable, __file__, "--one", arch, *sys.argv[2:]]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            events.append(event)
            say(event)
    if process.returncode and all(event["ok"] for event in events if event["arch"] == arch):
        event = {"ok": False, "control": False, "scenario": "lane", "arch": arch, "seconds": 0, "why": f"it ended with {process.returncode}"}
        events.append(event)
        say(event)


def say(event: dict):
    name = ("control of " if event["control"] else "") + event["scenario"]
    if event["ok"]:
        facts = " ".join(f"{key}={value}" for key, value in event["facts"].items())
        print(f"ok {name} {event['arch']} ({event['seconds']:.0f} s) {facts}".rstrip(), flush=True)
        return
    text = [f"FAILED {name} {event['arch']} ({event['seconds']:.0f} s): {event['why']}"]
    text += ["    " + line for line in event.get("log", "").splitlines()]
    print("\n".join(text), flush=True)


def keep(events: list[dict], soak: bool):
    """Replaces the kept figures of the scenarios that were run, and says whether a soak made them."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    kept = ("scenario", "arch", "seconds", "facts")
    new = {(event["scenario"], event["arch"]): {key: event[key] for key in kept} | {"soak": soak} for event in events}
    lines = [line for line in lines if (line["scenario"], line["arch"]) not in new] + list(new.values())
    making = RESULTS.with_suffix(".making")
    making.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.replace(making, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
