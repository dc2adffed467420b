"""Results as tables in Markdown."""

import pathlib

MIB = 1024 * 1024
SHOWN = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


def quality(results, ours, lead, only=None):
    """ROUGE-1 / -2 / -L of every group and system, and what ours has more than the first words."""
    names = list(results["groups"]["all"]["scores"])
    head = ["documents", "", *names, "gain, ROUGE-1", "gain, ROUGE-L"]
    lines = [row(head), row(["---"] * len(head))]
    for name, group in results["groups"].items():
        if only and name not in only:
            continue
        cells = [triple(group["scores"].get(system)) for system in names]
        more = group["more_than_first_words"][ours]
        lines.append(row([name, group["documents"], *cells, gain(more["rouge1"]), gain(more["rougeL"])]))
    return "\n".join([*lines, "", f"Gain: what {ours} has more than the {lead}, with its interval of 95 %."])


def detail(results):
    """Every mean with its interval."""
    lines = [row(["documents", "system", *SHOWN.values()]), row(["---"] * 5)]
    for name, group in results["groups"].items():
        for system, found in group["scores"].items():
            lines.append(row([name, system, *(span(found[kind]) for kind in SHOWN)]))
    return "\n".join(lines)


def lengths(results):
    lines = [row(["system", "mean", "longest", "over the budget"]), row(["---"] * 4)]
    for name, found in results["words"].items():
        lines.append(row([name, f"{found['mean']:.2f}", f"{found['longest']:.2f}", found["over"]]))
    return "\n".join(lines)


def speed(results):
    head = ["", "time, s", "times ours", "memory, MiB", "times ours"]
    lines = [row(head), row(["---"] * len(head))]
    ours = results["same"][0]
    for one in results["same"]:
        ratios = ["", ""] if one is ours else [times(one["seconds"] / ours["seconds"]), times(one["bytes"] / ours["bytes"])]
        lines.append(row([one["name"], f"{one['seconds']:.3g}", ratios[0], f"{one['bytes'] / MIB:.3g}", ratios[1]]))
    return "\n".join(lines)


def times(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def row(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def triple(found):
    return "-" if found is None else " / ".join(f"{found[kind]['mean']:.1f}" for kind in SHOWN)


def gain(found):
    return f"{found['mean']:+.1f} ({found['low']:+.1f} to {found['high']:+.1f})"


def span(found):
    return f"{found['mean']:.1f} ({found['low']:.1f} to {found['high']:.1f})"


def machine():
    """Processor, cores and kernel, without names."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    cores = sum(line.startswith("processor") for line in lines)
    kernel = pathlib.Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].strip()
    return f"{cores} cores of {model}, Linux {kernel}"
