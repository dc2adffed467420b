"""Counts the instructions of the hot path, which are the same whatever else the machine does.

    instructions.py --edgehold BINARY --tools FOLDER            prints the counts as JSON
    instructions.py ... --check FILE                            fails where one grew by more than 3 %
    instructions.py ... --write FILE                            keeps them
    instructions.py ... --emulator qemu-aarch64-static          counts in an emulator, and memory a stream with it

A count is the difference of two runs that differ in the number of requests, or of events, so that the start is not in
it. Here callgrind counts; for another architecture QEMU translates one instruction at a time and says when it runs.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

import gateways
import measure
from gateways import LOCAL, Failed, Process

# More than the difference between two builds of the same source, and less than a careless allocation an event.
MAY_GROW = 1.03


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edgehold", type=gateways.absolute, required=True)
    parser.add_argument("--tools", type=gateways.absolute, required=True)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--emulator")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgehold-count-") as scratch:
        folder = pathlib.Path(scratch)
        try:
            counts = Counter(measure.Bench(options.tools, folder, False), options).all()
        except Failed as failed:
            sys.exit(f"instructions: {failed}")
    print(json.dumps(counts))
    if options.write:
        options.write.write_text(json.dumps(counts, indent=1) + "\n")
    if options.check:
        check(json.loads(options.check.read_text()), counts, options.check)


def check(kept, counts, file):
    grown = [
        f"{name}: {counts[name]} instructions, {known} are kept in {file.name}"
        for name, known in kept.items()
        if name not in counts or counts[name] > known * MAY_GROW
    ]
    if grown:
        sys.exit("instructions: grown by more than 3 %:\n  " + "\n  ".join(grown))


class Counter:
    """Runs edgehold under what counts."""

    def __init__(self, bench, options):
        self.bench, self.options, self.folder = bench, options, bench.folder
        self.api = "openai"

    def all(self):
        argv = [f"{self.options.tools}/upstream", "--port", str(gateways.UPSTREAM_PORT)]
        # An emulator that says of each instruction that it runs is slow: fewer will do.
        few, many = (10, 40) if self.options.emulator else (200, 1200)
        with Process(argv, gateways.UPSTREAM_PORT, self.folder):
            counts = {"an answer": self.slope("openai", self.answers, few, many)}
            if self.options.emulator:
                counts["bytes of memory a stream"] = self.memory()
            else:
                counts["a streamed event"] = self.slope("openai", self.events, 30, 230)
                counts["a streamed event of an Ollama"] = self.slope("ollama", self.events, 30, 230)
                # The same upstream through the other front doors.
                for api, client in [("ollama", "an Ollama's"), ("messages", "Anthropic's"), ("responses", "a Responses")]:
                    self.api = api
                    counts[f"a streamed event for {client} client"] = self.slope("openai", self.events, 30, 230)
        return counts

    def slope(self, kind, load, few, many):
        return round((self.count(kind, load, many) - self.count(kind, load, few)) / (many - few))

    def answers(self, gateway, number):
        self.bench.load("plain", gateway, "plain", "--connections", 1, "--requests", number)

    def events(self, gateway, number):
        # One at a time: two that come together cost less, and a counted program takes a millisecond or more for one where the
        # machine has other things to do.
        model = f"fake/c{number}-d12000-s5"
        self.bench.load("stream", gateway, model, "--streams", 1, "--expect", number)

    def count(self, kind, load, number):
        gateway = gateways.edgehold(self.folder, self.options.edgehold, kind)
        gateway.api = self.api
        if self.options.emulator:
            return self.count_emulated(gateway, load, number)
        argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.folder}/callgrind.out", *gateway.argv]
        with Process(argv, gateway.port, self.folder) as process:
            load(gateway, number)
            process.child.send_signal(signal.SIGTERM)
            process.child.wait(30)
            found = re.search(r"Collected : (\d+)", process.log.read_text())
        if not found:
            raise Failed(f"callgrind counted nothing: {process.log.read_text()[-500:]}")
        return int(found.group(1))

    def count_emulated(self, gateway, load, number):
        """Every line that QEMU writes is one instruction; a thread counts them as they come."""
        pipe = self.folder / "trace"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        lines = []
        thread = threading.Thread(target=lambda: lines.append(newlines(pipe)))
        thread.start()
        argv = [self.options.emulator, "-singlestep", "-d", "exec,nochain", "-D", str(pipe), *gateway.argv]
        with Process(argv, gateway.port, self.folder, patience=120) as process:
            load(gateway, number)
            process.child.send_signal(signal.SIGTERM)
            process.child.wait(60)
        thread.join(60)
        return lines[0]

    def memory(self):
        """Of 100 more streams, when the emulator has translated what they need."""
        gateway = gateways.edgehold(self.folder, self.options.edgehold)
        gateway.argv = [self.options.emulator, *gateway.argv]
        with gateway.start(self.folder) as process:
            measure.slow_streams(self.bench, gateway, process, 100)
            return round(measure.slow_streams(self.bench, gateway, process, 100)["per_stream_100"])


def newlines(pipe):
    total = 0
    with open(pipe, "rb", buffering=0) as trace:
        while block := trace.read(1 << 20):
            total += block.count(b"\n")
    return total


if __name__ == "__main__":
    main()
