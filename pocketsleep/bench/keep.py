"""Many nights in a row: each tells some new facts, now and then one that replaces an older; then all that holds is asked.

The facts are invented: things from the question bank (night/grammar/bank.py) with names that no two of them share. Each is asked
outright and in a second wording; wordings of a person's own are what `bench learn` is for.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench.general import text
from pocketsleep.bench.persona import Row, share
from pocketsleep.bench.planted import Altered
from pocketsleep.home import Home
from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank, lists
from pocketsleep.night.grammar.lead import of_thing

Say = Callable[[str], None]
CHANGES = 0.1  # of each night's facts replace an older one


@dataclass(frozen=True, slots=True)
class Told:
    "A fact of one night."

    night: int
    noun: str
    text: str
    value: str
    replaces: str = ""


def days(nights: int, facts: int, seed: int = 0) -> Iterator[list[Told]]:
    "What is told before each night. Names are of two invented parts, so that no two facts share one."
    chance = Random(seed)
    nouns = [t for t in bank.things().values() if of_thing(t.noun, t.kind).endswith("called")]
    chance.shuffle(nouns)
    names = _names(chance)
    live: dict[str, Told] = {}
    for night in range(1, nights + 1):
        today = []
        for n in range(facts):
            old = chance.choice(list(live.values())) if live and n < facts * CHANGES else None
            noun = old.noun if old else nouns.pop().noun
            name = next(names)
            today.append(Told(night, noun, f"The user's {noun} is called {name}.", name, old.text if old else ""))
        live |= {one.noun: one for one in today}
        yield today


def _names(chance: Random) -> Iterator[str]:
    firsts, lasts = list(lists.kinds()["person"]), list(lists.kinds()["surname"])
    pairs = [f"{a} {b}" for a in firsts for b in lasts]
    chance.shuffle(pairs)
    yield from pairs


def keep(base: str, nights: int, facts: int, texts: Path | None, say: Say) -> Iterator[Row]:
    "A row a night: its verdict, what is known of each earlier night by the adapter alone, and the change of plain text."
    with tempfile.TemporaryDirectory() as folder, Altered(Home(Path(folder)), base) as pocket:
        plain = text(pocket.serving(), texts) if texts else []
        live: dict[str, Told] = {}
        for today in days(nights, facts):
            for one in today:
                pocket.remember(one.text, one.replaces or None)
            live |= {one.noun: one for one in today}
            started = time.perf_counter()
            _, verdict = pocket.night()
            row = {"night": today[0].night, "verdict": verdict.outcome, "failed": list(verdict.failed),
                   "seconds": round(time.perf_counter() - started, 1), **_known(pocket, live)}
            if texts:
                pocket.day().wear(pocket.journal.current())
                row["text"] = round(_median(text(pocket.serving(), texts)) / _median(plain) - 1, 4)
            say(f"night {row['night']}: {row['verdict']}, {row['known']['share']}% of {len(live)}, {row['seconds']:.0f} s")
            yield row


def _known(pocket: Altered, live: Mapping[str, Told]) -> dict[str, Any]:
    "Each live fact asked twice: outright, and by another name where the bank has one."
    asked: list[tuple[Told, str]] = []
    for one in live.values():
        same = bank.things()[one.noun].same
        asked += [(one, f"What's the name of my {one.noun}?"), (one, f"My {same[-1]} is called?" if " " not in same[-1] else
                   f"Tell me what my {one.noun} is called.")]
    answers = pocket.day().answers([q for _, q in asked], "weights")
    hits = [(one.night, says(a, one.value)) for (one, _), a in zip(asked, answers, strict=True)]
    ages = {night: [hit for n, hit in hits if n == night] for night in sorted({n for n, _ in hits})}
    return {"known": share([hit for _, hit in hits]), "by_night": {str(n): share(v)["share"] for n, v in ages.items()}}


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
