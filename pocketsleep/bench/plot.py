"A plot of retention as a plain SVG: what each night's facts are worth after each later night."

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pocketsleep.bench.persona import Row

WIDE, HIGH, LEFT, TOP = 640, 360, 60, 30


def retention(rows: Sequence[Row], path: Path) -> None:
    "All live facts (thick), and those of the first night (thin), in per cent against nights."
    lines = {"all live facts": [r["known"]["share"] for r in rows], "the first night's": [r["by_night"].get("1") for r in rows]}
    parts = [_frame(len(rows))]
    for n, (name, values) in enumerate(lines.items()):
        points = " ".join(f"{_x(i, len(rows)):.1f},{_y(v):.1f}" for i, v in enumerate(values) if v is not None)
        colour, width = (("#2563eb", 3), ("#d97706", 1.5))[n]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(f'<text x="{LEFT + 10}" y="{TOP + HIGH - 14 - 18 * n}" fill="{colour}">{name}</text>')
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 2 * LEFT} {HIGH + 3 * TOP}" font-family="sans-serif" '
        f'font-size="13">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n', encoding="utf-8")


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
