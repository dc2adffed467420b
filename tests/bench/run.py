"""Measures edgehold beside other gateways; `scripts/bench` sets up what this needs and calls it.

Every round measures each gateway once, in turn, with the upstream asked directly among them. A figure is the median of
its rounds, a ratio the median of the ratios within each round. Any error ends the bench: nothing is reported then.
"""

import argparse
import datetime
import functools
import json
import pathlib
import sys
import tempfile

import gateways
import measure
import report
from gateways import Failed, Process

# The fake and the load generator together must be able to do this much more than a gateway did, or the figure is theirs.
HEADROOM = 1.3


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="edgehold-bench-") as scratch:
        folder = pathlib.Path(scratch)
        bench = measure.Bench(options.tools, folder, options.quick)
        try:
            raw = Rounds(bench, options).all()
        except Failed as failed:
            sys.exit(f"bench: {failed}\nbench: nothing is reported")
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": report.machine(),
        "versions": json.loads(options.versions),
        "sizes": json.loads(options.sizes),
        "crates": json.loads(options.crates),
        "instructions": json.loads(options.instructions),
        "rounds": options.rounds,
    }
    results = {"facts": facts, "raw": raw}
    options.out.mkdir(parents=True, exist_ok=True)
    report.write(results, options.out)
    print((options.out / "figures.md").read_text())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edgehold", type=gateways.absolute, required=True)
    parser.add_argument("--tools", type=gateways.absolute, required=True)
    parser.add_argument("--out", type=gateways.absolute, required=True)
    parser.add_argument("--peers", default="nginx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="some of the measurements, by name, separated by commas")
    parser.add_argument("--litellm", help="its virtual environment")
    parser.add_argument("--portkey", help="the folder it was installed in")
    for name in ("versions", "sizes", "crates", "instructions"):
        parser.add_argument(f"--{name}", default="{}", help="JSON, shown as it is")
    return parser.parse_args()


class Rounds:
    """All measurements of all gateways, round by round."""

    def __init__(self, bench, options):
        self.bench, self.options = bench, options
        self.folder = bench.folder
        self.subjects = [gateways.direct()] + [self.gateway(name) for name in options.peers.split(",") if name]
        self.subjects.append(gateways.edgehold(self.folder, options.edgehold))
        self.subjects.append(gateways.edgehold(self.folder, options.edgehold, "ollama"))
        self.found = {subject.name: [] for subject in self.subjects}

    def gateway(self, name):
        match name:
            case "nginx":
                return gateways.nginx(self.folder)
            case "haproxy":
                return gateways.haproxy(self.folder)
            case "litellm":
                return gateways.litellm(self.folder, self.options.litellm)
            case "portkey":
                return gateways.portkey(self.folder, self.options.portkey)
        sys.exit(f"bench: no peer {name!r}; there are nginx, haproxy, litellm and portkey")

    def all(self):
        for number in range(self.options.rounds):
            for figures in self.found.values():
                figures.append({})
            for name, step in self.steps(number):
                if not self.options.only or name in self.options.only.split(","):
                    print(f"bench: round {number + 1} of {self.options.rounds}: {name}", file=sys.stderr)
                    step()
                    self.refuse_without_headroom()
        return self.found

    def steps(self, number):
        whole = functools.partial
        # Slow gateways take minutes for what others do in seconds: their streams are measured once.
        slowest = 0.5 if number else 0
        yield "plain", whole(self.each, measure.plain)
        yield "paced", whole(self.each, measure.paced, streams=True, slowest=slowest)
        yield "bursts", whole(self.each, measure.bursts, streams=True, slowest=slowest)
        yield "idle", whole(self.fresh, measure.idle_memory, slowest=slowest)
        for streams in (100, 1000):
            step = whole(measure.slow_streams, streams=streams)
            yield f"streams{streams}", whole(self.fresh, step, streams=True, slowest=slowest)
        for readers in (64, 100):
            step = whole(measure.stalled_readers, readers=readers)
            yield f"stalled{readers}", whole(self.fresh, step, streams=True, slowest=0.5)
        yield "cold", self.cold
        yield "fallbacks", self.fallbacks

    def upstream(self):
        argv = [f"{self.options.tools}/upstream", "--port", str(gateways.UPSTREAM_PORT), "--mortal", str(gateways.MORTAL_PORTS)]
        return Process(argv, gateways.UPSTREAM_PORT, self.folder)

    def note(self, subject, figures):
        self.found[subject.name][-1].update(figures)

    def each(self, step, streams=False, slowest=0.0):
        with self.upstream():
            for subject in self.subjects:
                if subject.pace < slowest or (streams and not subject.streams):
                    continue
                if subject.argv is None:
                    self.note(subject, step(self.bench, subject, None))
                    continue
                with subject.start(self.folder) as process:
                    self.note(subject, step(self.bench, subject, process))

    def fresh(self, step, streams=False, slowest=0.0):
        with self.upstream():
            for subject in self.subjects:
                if subject.argv is None or subject.pace < slowest or (streams and not subject.streams):
                    continue
                with subject.start(self.folder) as process:
                    self.note(subject, step(self.bench, subject, process))

    def cold(self):
        with self.upstream():
            for subject in self.subjects:
                if subject.argv is not None:
                    self.note(subject, measure.cold_start(self.bench, subject))

    def fallbacks(self):
        subject = gateways.edgehold_with_faults(self.folder, self.options.edgehold)
        with self.upstream(), subject.start(self.folder):
            self.note(subject, measure.fallbacks(self.bench, subject, gateways.MORTAL_PORTS))

    def refuse_without_headroom(self):
        """A figure that the load generator or the fake decided is none. Where it is one of those that are compared,
        there is no result at all; of another gateway it is left out."""
        most = self.found["direct"][-1]
        for name, rounds in self.found.items():
            for figure in ("rate_100", "streams_rate"):
                rate = rounds[-1].get(figure)
                if name == "direct" or not rate or most.get(figure, 0) >= rate * HEADROOM:
                    continue
                words = (
                    f"{figure} of {name} is {rate:.0f} a second and {most.get(figure, 0):.0f} directly: "
                    "the load generator or the fake is the bottleneck"
                )
                if name == "nginx" or name.startswith("edgehold"):
                    raise Failed(words)
                print(f"bench: left out: {words}", file=sys.stderr)
                del rounds[-1][figure]


if __name__ == "__main__":
    main()
