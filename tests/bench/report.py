"""From figures to what people read: the table of aims, the table of gateways, plots, and one JSON file."""

import json
import pathlib
import statistics

import plots

EDGEHOLD = "edgehold"
MIB = 1024 * 1024


def machine():
    """Processor, cores, memory and kernel, without names."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    cores = sum(line.startswith("processor") for line in lines)
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // MIB
    kernel = pathlib.Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].strip()
    return f"{cores} cores of {model}, {memory} GiB, Linux {kernel}, everything over loopback"


def write(results, out):
    figures = Figures(results)
    results["aims"] = [row.as_dict() for row in aims(figures)]
    (out / "figures.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "figures.md").write_text(markdown(results, figures))
    for name, svg in plots.all_of(figures).items():
        (out / name).write_text(svg)


class Figures:
    """Medians over the rounds, and medians of what is compared within each round."""

    def __init__(self, results):
        self.raw, self.facts = results["raw"], results["facts"]

    def gateways(self):
        return [name for name in self.raw if name != "direct"]

    def one(self, name, key):
        return median(figures.get(key) for figures in self.raw.get(name, []))

    def added(self, name, key):
        """What a gateway adds to asking the upstream directly."""
        return median(minus(one.get(key), two.get(key)) for one, two in self.rounds(name, "direct"))

    def ratio(self, key, name, other):
        return median(divide(one.get(key), two.get(key)) for one, two in self.rounds(name, other))

    def added_ratio(self, key, name, other):
        three = zip(self.raw.get(name, []), self.raw.get(other, []), self.raw.get("direct", []))
        return median(
            divide(minus(one.get(key), base.get(key)), minus(two.get(key), base.get(key))) for one, two, base in three
        )

    def rounds(self, name, other):
        return zip(self.raw.get(name, []), self.raw.get(other, []))


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def minus(one, two):
    return None if one is None or two is None else one - two


def divide(one, two):
    return None if one is None or not two or two < 0 else one / two


class Aim:
    """One row: what is held, and whether it is."""

    def __init__(self, what, value, limit, unit, at_least=False):
        self.what, self.value, self.limit, self.unit, self.at_least = what, value, limit, unit, at_least

    def holds(self):
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_dict(self):
        return {"what": self.what, "value": self.value, "limit": self.limit, "unit": self.unit, "holds": self.holds()}

    def row(self):
        if self.value is None:
            return None
        word = "at least" if self.at_least else "at most"
        answer = "yes" if self.holds() else "**no**"
        return f"| {self.what} | {short(self.value)} {self.unit} | {word} {short(self.limit)} | {answer} |"


def aims(figures):
    one = lambda key: figures.one(EDGEHOLD, key)
    size = figures.facts["sizes"].get("aarch64-unknown-linux-musl")
    llm = [figures.ratio("cpu_us", name, EDGEHOLD) for name in ("Portkey", "LiteLLM")]
    kept = minus(one("rss_after_1000"), one("idle_rss"))
    late = minus(one("refused_us"), one("alone_us"))
    return [
        Aim("processor time of an answer, 100 connections, to nginx's", figures.ratio("cpu_us", EDGEHOLD, "nginx"), 1.5, "times"),
        Aim("the same, LiteLLM's to ours", llm[1], 100, "times", at_least=True),
        Aim("the same, the best other LLM gateway's to ours", min((it for it in llm if it), default=None), 2, "times", at_least=True),
        Aim("processor time of a streamed event, 100 streams, to nginx's", figures.ratio("cpu_us_chunk", EDGEHOLD, "nginx"), 3, "times"),
        Aim("added p50, 1 connection, to nginx's", figures.added_ratio("p50_us_1", EDGEHOLD, "nginx"), 2, "times"),
        Aim("added time to the first event, 100 streams, to nginx's", figures.added_ratio("first_us_100", EDGEHOLD, "nginx"), 2, "times"),
        Aim("memory idle after the start (RSS)", over(one("idle_rss"), MIB), 4, "MiB"),
        Aim("memory with 1,000 slow streams (RSS)", over(one("rss_1000"), MIB), 28, "MiB"),
        Aim("of it still held 5 s after they ended", over(kept, MIB), 3, "MiB"),
        Aim("memory for each of 100 stalled readers of a fast stream", over(one("per_reader_100"), 1024), 64, "KiB"),
        Aim("100 fast streams of 32 events at a time: streams a second, to nginx's", figures.ratio("streams_rate", EDGEHOLD, "nginx"), 0.5, "times", at_least=True),
        Aim("cold start to the first answer, to nginx's", figures.ratio("cold_us", EDGEHOLD, "nginx"), 2, "times"),
        Aim("from a dead first target to the next one's answer, over that one alone", over(late, 1000), 1, "ms"),
        Aim("static binary for aarch64", over(size, MIB), 3.5, "MiB"),
        Aim("errors in any of it", 0, 0, ""),
    ]


def over(value, unit):
    return None if value is None else value / unit


def short(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


COLUMNS = [
    ("CPU, answer", "us", lambda f, n: f.one(n, "cpu_us")),
    ("CPU, event", "us", lambda f, n: f.one(n, "cpu_us_chunk")),
    ("answers a second, c=100", "", lambda f, n: f.one(n, "rate_100")),
    ("added p50 / p99, c=1", "us", lambda f, n: pair(f, n, "us_1")),
    ("c=16", "us", lambda f, n: pair(f, n, "us_16")),
    ("c=100", "us", lambda f, n: pair(f, n, "us_100")),
    ("added first event, 1 / 100 streams", "us", lambda f, n: both(f.added(n, "first_us_1"), f.added(n, "first_us_100"))),
    ("bursts, streams a second", "", lambda f, n: f.one(n, "streams_rate")),
    ("RSS idle", "MiB", lambda f, n: over(f.one(n, "idle_rss"), MIB)),
    ("100 streams", "MiB", lambda f, n: over(f.one(n, "rss_100"), MIB)),
    ("1,000 streams", "MiB", lambda f, n: over(f.one(n, "rss_1000"), MIB)),
    ("5 s after", "MiB", lambda f, n: over(f.one(n, "rss_after_1000"), MIB)),
    ("a stream", "KB", lambda f, n: over(f.one(n, "per_stream_1000"), 1000)),
    ("a stalled reader (64 / 100)", "KB", lambda f, n: both(over(f.one(n, "per_reader_64"), 1000), over(f.one(n, "per_reader_100"), 1000))),
    ("cold start", "ms", lambda f, n: over(f.one(n, "cold_us"), 1000)),
]


def both(one, two):
    return None if one is None or two is None else f"{short(one)} / {short(two)}"


def pair(figures, name, key):
    return both(figures.added(name, f"p50_{key}"), figures.added(name, f"p99_{key}"))


def markdown(results, figures):
    facts = results["facts"]
    lines = [f"Measured {facts['date']}: {facts['machine']}; {facts['rounds']} rounds, medians. `scripts/bench` makes all of it.", ""]
    lines += ["| what is held | measured | aim | held |", "| --- | --- | --- | --- |"]
    lines += [row for aim in aims(figures) if (row := aim.row())]
    names = figures.gateways()
    lines += ["", "| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for title, unit, value in COLUMNS:
        cells = [value(figures, name) for name in names]
        if any(cell is not None for cell in cells):
            lines.append(f"| {title}{', ' + unit if unit else ''} | " + " | ".join(short(cell) for cell in cells) + " |")
    lines += ["", *small_tables(figures)]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return "\n".join(lines + [f"Versions: {versions}.", ""])


def small_tables(figures):
    facts = figures.facts
    if (alone := figures.one(EDGEHOLD, "alone_us")) is not None:
        faults = [("refused", "refuses"), ("reset", "resets"), ("status503", "answers 503"), ("open", "has an open breaker")]
        words = [f"{word}: {short(figures.one(EDGEHOLD, key + '_us') - alone)}" for key, word in faults]
        yield f"Until the next target's answer, over that target alone ({short(alone)} us), when the first one " + "; ".join(words) + " us."
        yield ""
    for title, table in [("Instructions", facts["instructions"]), ("Static binaries, bytes", facts["sizes"]), ("Largest crates, KiB of code", facts["crates"])]:
        if table:
            yield f"{title}: " + "; ".join(f"{name} {short(value)}" for name, value in table.items()) + "."
            yield ""
