"""Plots as SVG, drawn by hand: bars on a logarithmic scale, and memory over the number of streams."""

import math
from xml.sax.saxutils import escape

COLOURS = ["#8a8f98", "#b0b7c3", "#d9480f", "#f08c4a", "#4263eb", "#2b8a3e"]
WIDTH, LEFT, ROW = 740, 225, 24


def all_of(figures):
    names = figures.gateways()
    cpu = [(name, figures.one(name, "cpu_us")) for name in names]
    memory = {
        name: [(count, figures.one(name, key)) for count, key in [(0, "idle_rss"), (100, "rss_100"), (1000, "rss_1000")]]
        for name in names
    }
    latency = [
        (f"{name}, {connections}", figures.added(name, f"p50_us_{connections}"))
        for connections in (1, 16, 100)
        for name in names
    ]
    return {
        "cpu.svg": bars("Processor time of an answer at 100 connections, microseconds (logarithmic)", cpu),
        "latency.svg": bars("Added p50 by connections, microseconds (logarithmic)", latency),
        "memory.svg": lines("Resident memory by streams open at once, MiB (logarithmic)", memory),
    }


def bars(title, rows):
    rows = [(name, value) for name, value in rows if value and value > 0]
    most = math.log10(max([value for _, value in rows], default=10) * 1.3)
    least = min(0.0, math.log10(min([value for _, value in rows], default=1)))
    parts = [text(10, 20, title, weight="bold")]
    for index, (name, value) in enumerate(rows):
        y = 36 + index * ROW
        length = (math.log10(value) - least) / (most - least) * (WIDTH - LEFT - 90)
        parts.append(text(LEFT - 8, y + 15, name, anchor="end"))
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{max(length, 2):.0f}" height="{ROW - 8}" fill="{colour(name)}"/>')
        parts.append(text(LEFT + max(length, 2) + 6, y + 15, f"{value:,.0f}" if value >= 10 else f"{value:.2g}"))
    return svg(36 + len(rows) * ROW + 12, parts)


def lines(title, series):
    height, bottom, top = 320, 280, 40
    series = {name: [(x, y / 2**20) for x, y in points if y] for name, points in series.items()}
    values = [y for points in series.values() for _, y in points] or [1, 10]
    low, high = math.log2(min(values) * 0.8), math.log2(max(values) * 1.3)
    across = lambda count: 70 + (WIDTH - 270) * (math.log10(max(count, 10)) - 1) / 2
    down = lambda mib: bottom - (math.log2(mib) - low) / (high - low) * (bottom - top)
    parts = [text(10, 20, title, weight="bold")]
    for exponent in range(math.ceil(low), math.floor(high) + 1):
        y = down(2**exponent)
        parts.append(f'<line x1="60" x2="{WIDTH - 190}" y1="{y:.0f}" y2="{y:.0f}" stroke="#dddddd"/>')
        parts.append(text(52, y + 4, f"{2**exponent:g}", anchor="end"))
    for count, label in [(0, "idle"), (100, "100"), (1000, "1,000")]:
        parts.append(text(across(count), bottom + 20, label, anchor="middle"))
    taken = []
    # From the highest down, so that a name that has to give way moves down only a little.
    for name, points in sorted(series.items(), key=lambda it: -it[1][-1][1] if it[1] else 0):
        path = " ".join(f"{across(x):.0f},{down(y):.0f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(name)}" stroke-width="2"/>')
        if points:
            y = down(points[-1][1]) + 4
            while any(abs(y - other) < 14 for other in taken):
                y += 14
            taken.append(y)
            parts.append(text(across(points[-1][0]) + 8, y, name, fill=colour(name)))
    return svg(height, parts)


def colour(name):
    order = ["nginx", "HAProxy", "edgehold", "edgehold, Ollama behind it", "LiteLLM", "Portkey"]
    base = next((known for known in sorted(order, key=len, reverse=True) if name.startswith(known)), "nginx")
    return COLOURS[order.index(base)]


def text(x, y, content, anchor="start", weight="normal", fill="#333333"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">{escape(content)}</text>'
    )


def svg(height, parts):
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )
