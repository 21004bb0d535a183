"An export of any size read into an empty journal: seconds, the highest memory, and what a second reading adds."

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketsleep.night.grammar import lists

BEGUN = 1_700_000_000
PROGRAM = """
import resource, sys
from pocketsleep.cli import main
try:
    main()
finally:
    sys.stderr.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
"""


def export(path: Path, size: int, seed: int = 0) -> int:
    "A made-up ChatGPT export of about `size` bytes, trees with a branch that was left. How many conversations it has."
    draw = random.Random(seed)
    words = " ".join(lists.anchors()).split()
    number, written = 0, 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        while written < size:
            text = ("," if number else "") + json.dumps(_conversation(number, draw, words))
            written += file.write(text)
            number += 1
        file.write("]")
    return number


def _conversation(number: int, draw: random.Random, words: list[str]) -> dict[str, Any]:
    begun = BEGUN + number * 3600
    mapping: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": ["n0"]}}
    last = "root"
    for turn in range(draw.randrange(2, 24, 2)):
        role = ("user", "assistant")[turn % 2]
        told = f"My boat number {number} is called {draw.choice(words).title()}. " if turn == 0 else ""
        text = told + " ".join(draw.choices(words, k=draw.randrange(8, 60) * (1 + 3 * (turn % 2))))
        for name in (f"left{turn}", f"n{turn}"):
            mapping[name] = {"id": name, "parent": last, "children": [], "message": {
                "id": name, "author": {"role": role}, "create_time": begun + turn * 30.5, "weight": 1.0, "recipient": "all",
                "content": {"content_type": "text", "parts": [text]}, "metadata": {"model_slug": "gpt-4o"}}}
        last = f"n{turn}"
    return {"id": f"conversation-{number}", "title": f"Number {number}", "create_time": begun, "mapping": mapping,
            "current_node": last}


def imports(sizes: list[int], say: Callable[[str], None]) -> dict[str, Any]:
    "For each size in MB: read once and once more, each time by a program of its own. peak: its resident memory, in MB."
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="pocketsleep-import-") as folder:
        for size in sizes:
            file, home = Path(folder) / f"{size}.json", Path(folder) / f"home-{size}"
            conversations = export(file, size * 1_000_000)
            say(f"{size} MB, {conversations} conversations")
            first, again = _run(file, home), _run(file, home)
            if first["conversations"] != conversations or not first["added_turns"] or again["added_turns"]:
                raise AssertionError(f"{size} MB were not read once: {first}, {again}")
            rows[f"{size} MB"] = {"conversations": conversations, "turns": first["added_turns"], "seconds": first["seconds"],
                                  "peak": first["peak"], "again seconds": again["seconds"], "again peak": again["peak"],
                                  "again new": again["added_turns"]}
            file.unlink()
    return rows


def _run(file: Path, home: Path) -> dict[str, Any]:
    started = time.monotonic()
    command = [sys.executable, "-c", PROGRAM, "import", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          env={**_surroundings(), "POCKETSLEEP_HOME": str(home)})
    peak = int(done.stderr.rpartition("peak ")[2]) * (1 if sys.platform == "darwin" else 1024)
    return json.loads(done.stdout) | {"seconds": round(time.monotonic() - started, 1), "peak": round(peak / 1e6)}


def _surroundings() -> dict[str, str]:
    "What this process was started with."
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(p for p in sys.path if p), "HF_HUB_OFFLINE": "1"}


__all__ = ["export", "imports"]
