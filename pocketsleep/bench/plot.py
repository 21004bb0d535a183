"Plots as plain SVG: what each night's facts are worth after each later night, and curves with intervals."

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from pocketsleep.bench.persona import Row

WIDE, HIGH, LEFT, TOP = 640, 360, 60, 30


HUES = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#475569", "#0891b2", "#65a30d")


def retention(rows: Sequence[Row], path: Path) -> None:
    "All live facts (thick), and those of the first night (thin), in per cent against nights."
    known, first = [r["known"]["share"] for r in rows], [r["by_night"].get("1") for r in rows]
    lines({"all live facts": known, "the first night's": first}, path)


def lines(named: Mapping[str, Sequence[float | None]], path: Path) -> None:
    "Per cent against nights, a line a name, the first of them thick. A value that is None is left out."
    nights = max(map(len, named.values()), default=0)
    parts = [_frame(nights)]
    for n, (name, values) in enumerate(named.items()):
        points = " ".join(f"{_x(i, nights):.1f},{_y(v):.1f}" for i, v in enumerate(values) if v is not None)
        colour, width = HUES[n % len(HUES)], 1.5 if n else 3
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(f'<text x="{LEFT + 10}" y="{TOP + HIGH - 14 - 18 * n}" fill="{colour}">{escape(name)}</text>')
    _write(path, WIDE + 2 * LEFT, HIGH + 3 * TOP, parts)


def _write(path: Path, wide: int, high: int, parts: Sequence[str]) -> None:
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" '
        f'font-size="13">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n', encoding="utf-8")


Points = Sequence[tuple[int, float, float, float]]  # x, mean, low, high; shares of 1
COLOURS = ("#93c5fd", "#3b82f6", "#1e3a8a", "#d97706", "#16a34a", "#9ca3af", "#db2777", "#7c3aed", "#0d9488")
PANEL, TALL, GAP = 230, 180, 44


def panels(found: Iterable[tuple[str, Mapping[str, Points]]], path: Path, under: str) -> None:
    "A panel for each title: a line for each name, with its interval at every point. `under` says what is on the x axis."
    every = list(found)
    names = list(dict.fromkeys(name for _, lines in every for name in lines))
    parts = []
    for n, (title, lines) in enumerate(every):
        parts += [f'<g transform="translate({GAP + n * (PANEL + GAP)} {GAP})">', *_panel(title, lines, names, under), "</g>"]
    for n, name in enumerate(names):
        parts.append(f'<text x="{GAP + 90 * n}" y="{TALL + 2 * GAP + 16}" fill="{COLOURS[n % len(COLOURS)]}">{name}</text>')
    _write(path, max(GAP + len(every) * (PANEL + GAP), GAP + 90 * len(names)), TALL + 3 * GAP, parts)


def _panel(title: str, lines: Mapping[str, Points], names: Sequence[str], under: str) -> list[str]:
    at = sorted({x for points in lines.values() for x, *_ in points})
    place = {x: 10 + (PANEL - 20) * i / max(1, len(at) - 1) for i, x in enumerate(at)}
    parts = [f'<text x="{PANEL / 2}" y="-14" text-anchor="middle" font-weight="bold">{title}</text>',
             f'<text x="{PANEL / 2}" y="{TALL + 34}" text-anchor="middle">{under}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = TALL * (1 - share)
        parts.append(f'<line x1="0" x2="{PANEL}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="-6" y="{y + 4}" text-anchor="end">{share:g}</text>')
    parts += [f'<text x="{place[x]:.1f}" y="{TALL + 16}" text-anchor="middle">{x}</text>' for x in at]
    for n, name in enumerate(names):
        colour, shift = COLOURS[n % len(COLOURS)], 1.5 * (n - len(names) / 2)  # beside each other
        points = [(place[x] + shift, *(TALL * (1 - v) for v in shares)) for x, *shares in lines.get(name, ())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
                  for x, _, low, high in points]
    return parts


def _frame(nights: int) -> str:
    parts = [f'<text x="{LEFT + WIDE / 2}" y="{TOP + HIGH + 38}" text-anchor="middle">nights</text>']
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDE}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{percent}%</text>')
    for i in range(0, nights, max(1, nights // 10)):
        parts.append(f'<text x="{_x(i, nights):.1f}" y="{TOP + HIGH + 18}" text-anchor="middle">{i + 1}</text>')
    return "\n".join(parts)


def _x(index: int, nights: int) -> float:
    return LEFT + WIDE * (index / max(1, nights - 1))


def _y(percent: float) -> float:
    return TOP + HIGH * (1 - percent / 100)
