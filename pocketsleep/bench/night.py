"A whole night, stage by stage: the demo's day in a throw-away home."

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketsleep import demo
from pocketsleep.home import Home
from pocketsleep.journal.importing import BadLine, read_jsonl
from pocketsleep.pocket import Pocket, Wishes


class Clock:
    "Seconds of each stage, from one to the next."

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}
        self._at, self._began = "", 0.0

    def stage(self, name: str, detail: str = "") -> None:
        now = time.perf_counter()
        if self._at:
            self.seconds[self._at] = now - self._began
            self.say(f"{self._at}: {self.seconds[self._at]:.1f} s")
        self._at, self._began = name, now

    def progress(self, done: int, total: int, detail: str = "") -> None: ...


def night(base: str, say: Callable[[str], None]) -> dict[str, Any]:
    "Seconds in all and by stage, the base's import left out; peak memory of the whole process."
    clock = Clock(say)
    with tempfile.TemporaryDirectory() as folder, Pocket(Home(Path(folder)), base) as pocket:
        for episode in read_jsonl(demo.HERE / "day.jsonl"):
            if not isinstance(episode, BadLine):
                pocket.journal.record(episode)
        say(f"imported {pocket.base.folder.name}")
        started = time.perf_counter()
        ended, verdict = pocket.sleep(Wishes(), clock)
        seconds = time.perf_counter() - started
        clock.stage("")
        foreseen = (pocket.journal.stage(ended.id, "seed") or {}).get("foreseen_mb", 0)
        held = len(pocket.journal.holds(ended.adapter)) if ended.adapter else 0
    return {"seconds": seconds, **{f"{k}_seconds": v for k, v in clock.seconds.items()}, "memories": held,
            "verdict": verdict.outcome, "foreseen_rss_mb": foreseen,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
