"""Runs reliability rigs against a binary; `run` beside this file installs what they need and calls it.

Each rig prints one line of figures. The exit status is 0 only if every promise held and every control failed as it must.
"""

import argparse
import concurrent.futures
import importlib
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import traceback

from verdict import Rig

RIGS = ["kill9", "powercut", "inject", "full", "readonly", "frozen", "flip", "clock", "backlog", "wear", "idempotency", "chunks", "chunkcut"]
PATIENCE = 900  # seconds for a rig of a push


def main():
    options = arguments()
    if options.one:
        sys.exit(alone(options))
    names = wanted(options.names)
    with concurrent.futures.ThreadPoolExecutor(options.lanes) as lanes:
        results = list(lanes.map(lambda name: in_a_process(options, name), names))
    print(f"{results.count(0)} passed, {len(results) - results.count(0)} failed in {time.monotonic() - BEGAN:.1f}s")
    sys.exit(any(results))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--lanes", type=int, default=2, help="how many rigs run at once")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--one", action="store_true", help="run the one rig in this process")
    parser.add_argument("names", nargs="+", choices=[*RIGS, "all-push", "all-soak"], metavar="NAME")
    options = parser.parse_args()
    options.soak = options.soak or "all-soak" in options.names
    return options


def wanted(names):
    """The rigs of these names, each once."""
    every = any(name.startswith("all-") for name in names)
    return [name for name in RIGS if every or name in names]


def in_a_process(options, name):
    """A rig in a process of its own: one that falls over takes no other with it."""
    argv = [sys.executable, __file__, "--one", "--binary", options.binary, "--folder", options.folder]
    argv += ["--seed", str(options.seed), *(["--soak"] if options.soak else []), name]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=None if options.soak else PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"{name}: BROKEN: it did not end within {PATIENCE} s", flush=True)
        return 1
    print(done.stdout.rstrip() or f"{name}: BROKEN: it said nothing", flush=True)
    return done.returncode


def alone(options):
    name = options.names[0]
    folder = options.folder / name
    folder.mkdir(parents=True)
    rig = Rig(options.binary, folder, options.seed, options.soak)
    # A thread that falls over would else be one that found nothing.
    threading.excepthook = lambda failed: rig.must(False, f"a thread ended: {failed.exc_type.__name__}: {failed.exc_value}")
    try:
        importlib.import_module(f"rigs.{name}").run(rig)
    except Exception as error:
        traceback.print_exc()
        rig.must(False, f"it was not finished: {error}")
    print(f"{name}: {'; '.join(rig.figures)} ({time.monotonic() - BEGAN:.1f} s)")
    for fault in rig.faults:
        print(f"{name}: BROKEN: {fault}")
    return 1 if rig.faults else 0


if __name__ == "__main__":
    BEGAN = time.monotonic()
    os.umask(0o077)
    main()
