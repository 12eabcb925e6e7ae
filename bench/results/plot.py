#!/usr/bin/env python3
"""Draws the table "How cost grows" of control-plane-scale.md as control-plane-scale.svg: python3 bench/results/plot.py"""
import pathlib
import re

here = pathlib.Path(__file__).parent
rows = []
for line in (here / "control-plane-scale.md").read_text().split("## How cost grows")[1].splitlines():
    cells = [c.strip().replace(",", "") for c in line.strip("|").split("|")]
    if len(cells) == 12 and cells[0].isdigit():
        rows.append([float(re.match(r"[\d.]+", c).group()) for c in cells])
pods, services, agents, rate, load, resident, with_agents, one, everyone, p50, p99, cores = zip(*rows)

# x, y, title, unit of x, unit of y; both axes logarithmic
panels = [
    (pods, resident, "memory without agents", "pods (services: a tenth)", "MB"),
    (pods, load, "time to load", "pods (services: a tenth)", "s"),
    (pods, one, "first sync of one agent", "pods (services: a tenth)", "ms"),
    (agents, p50, "change to last agent, p50", "agents", "ms"),
    (agents, p99, "change to last agent, p99", "agents", "ms"),
    (tuple(a * r for a, r in zip(agents, rate)), cores, "processor", "responses/s", "cores"),
]
WIDTH, HEIGHT, LEFT, TOP, GAP = 240, 150, 48, 34, 56


def ticks(values):
    low, high = min(values), max(values)
    steps = [m * 10.0 ** e for e in range(-3, 7) for m in (1, 2, 5)]
    inside = [s for s in steps if low * 0.7 <= s <= high * 1.4]
    return inside if len(inside) <= 4 else inside[:: (len(inside) + 3) // 4]


def place(value, values, length):
    import math
    low, high = math.log(min(values) * 0.8), math.log(max(values) * 1.25)
    return (math.log(value) - low) / (high - low) * length


out = []
for i, (xs, ys, title, unit_x, unit_y) in enumerate(panels):
    ox, oy = LEFT + (i % 3) * (WIDTH + GAP), TOP + (i // 3) * (HEIGHT + GAP + 20)
    out.append(f'<text x="{ox}" y="{oy - 12}" class="t">{title}, {unit_y}</text><rect x="{ox}" y="{oy}" width="{WIDTH}" height="{HEIGHT}"/>')
    for t in ticks(xs):
        x = ox + place(t, xs, WIDTH)
        out.append(f'<line x1="{x:.1f}" y1="{oy}" x2="{x:.1f}" y2="{oy + HEIGHT}"/><text x="{x:.1f}" y="{oy + HEIGHT + 14}" text-anchor="middle">{t:g}</text>')
    for t in ticks(ys):
        y = oy + HEIGHT - place(t, ys, HEIGHT)
        out.append(f'<line x1="{ox}" y1="{y:.1f}" x2="{ox + WIDTH}" y2="{y:.1f}"/><text x="{ox - 4}" y="{y + 4:.1f}" text-anchor="end">{t:g}</text>')
    out.append(f'<text x="{ox + WIDTH}" y="{oy + HEIGHT + 28}" text-anchor="end">{unit_x}</text>')
    for x, y, p, a in zip(xs, ys, pods, agents):
        cx, cy = ox + place(x, xs, WIDTH), oy + HEIGHT - place(y, ys, HEIGHT)
        out.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="4"><title>{p:,.0f} pods, {a:,.0f} agents: {y:g} {unit_y}</title></circle>')

total = (LEFT + 3 * (WIDTH + GAP), TOP + 2 * (HEIGHT + GAP + 20))
style = "text{font:11px sans-serif;fill:#444}.t{font-weight:bold}rect{fill:none;stroke:#999}line{stroke:#e4e4e4}circle{fill:#1a6fb3}"
(here / "control-plane-scale.svg").write_text(
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{total[0]}" height="{total[1]}" viewBox="0 0 {total[0]} {total[1]}"><style>{style}</style>\n<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>\n'
    + "\n".join(out) + "\n</svg>\n")
