"""Many nights in a row: each tells some new facts, now and then one that replaces an older; then all that holds is asked.

The facts are invented: things from the question bank (night/grammar/bank.py) with names that no two of them share. Each is asked
outright and in a second wording; wordings of a person's own are what `bench learn` is for.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench.general import paragraphs, text
from pocketsleep.bench.persona import Row, share
from pocketsleep.bench.planted import Altered, Quiet
from pocketsleep.disk import sha256
from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank, lists
from pocketsleep.night.grammar.lead import of_thing
from pocketsleep.night.grammar.things import Thing
from pocketsleep.pocket import Wishes

Say = Callable[[str], None]
ROWS = "nights.jsonl"
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
    nouns = _nouns()
    _suffice(nights, facts, len(nouns))
    chance.shuffle(nouns)
    names = _names(chance)
    live: dict[str, Told] = {}
    for night in range(1, nights + 1):
        today: list[Told] = []
        for n in range(facts):
            spoken_of = {one.noun for one in today}
            may = [one for one in live.values() if one.noun not in spoken_of] if n < facts * CHANGES else []
            old = chance.choice(may) if may else None
            noun = old.noun if old else nouns.pop().noun
            name = next(names)
            today.append(Told(night, noun, f"The user's {noun} is called {name}.", name, old.text if old else ""))
        live |= {one.noun: one for one in today}
        yield today


def _nouns() -> list[Thing]:
    "Things that have names. Of those that are called the same the first: a question by that word would have two right answers."
    found: list[Thing] = []
    taken: set[str] = set()
    for one in bank.things().values():
        if of_thing(one.noun, one.kind).endswith("called") and not taken & one.names:
            found.append(one)
            taken |= one.names
    return found


def _suffice(nights: int, facts: int, nouns: int) -> None:
    "Raises BadInput where so many nights would run out of things."
    new = facts - sum(n < facts * CHANGES for n in range(facts))
    if (needed := facts + (nights - 1) * new) > nouns:
        fewer = f"--nights {1 + (nouns - facts) // max(new, 1)}" if facts <= nouns else f"--nights 1 --facts {nouns}"
        raise BadInput(f"{nights} nights of {facts} facts take {needed} things, and there are {nouns}",
                       hint=f"`pocketsleep bench keep {fewer}`")


def _names(chance: Random) -> Iterator[str]:
    firsts, lasts = list(lists.kinds()["person"]), list(lists.kinds()["surname"])
    pairs = [f"{a} {b}" for a in firsts for b in lasts]
    chance.shuffle(pairs)
    yield from pairs


@dataclass(frozen=True, slots=True)
class Run:
    """What is lived, on which base; `changes`: of the recipe. `home`: where a run that was cut short goes on; without one
    nothing of it stays."""

    base: str
    nights: int
    facts: int
    texts: Path | None = None
    home: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> Row:
        "What rows are a function of: of two texts one is less likely than the other from the first night on."
        text = sha256(self.texts) if self.texts is not None else False
        return {"base": self.base, "facts": self.facts, "texts": text, "changes": dict(self.changes)}


def keep(run: Run, say: Say) -> Iterator[Row]:
    "A row a night: its verdict, what is known of each earlier night by the adapter alone, and the change of plain text."
    told = list(days(run.nights, run.facts))  # there may be too few things for it
    if run.texts is not None:
        paragraphs(run.texts)  # or there may be no such text
    with ExitStack() as stack:
        folder = run.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        done = _done(run, folder / ROWS)
        pocket = stack.enter_context(Altered(Home(folder / "home"), run.base))
        plain = text(pocket.serving(), run.texts) if run.texts else []
        live: dict[str, Told] = {}
        for today in told:
            live |= {one.noun: one for one in today}
            number = today[0].night
            row = done[number - 1] if number <= len(done) else {"night": number, **_lived(pocket, run, today, live, plain)}
            if number > len(done):
                with (folder / ROWS).open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**run.key(), "row": row}) + "\n")
                say(f"night {number}: {row['verdict']}, {row['known']['share']}% of {len(live)}, {row['seconds']:.0f} s")
            yield row


def _done(run: Run, path: Path) -> list[Row]:
    "Rows of the nights that were lived before."
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []  # a row without its end was cut short
    kept = [json.loads(line) for line in lines]
    rows, key = [one.pop("row") for one in kept], run.key()
    old = {**key, "texts": run.texts is not None}  # once rows said no more of it
    if other := [one for one in kept if one not in (key, old)]:
        raise BadInput(f"what lives in `{path.parent}` was begun with {other[0]}, not {key}",
                       hint="name another folder with `--home`")
    return rows


def _lived(pocket: Altered, run: Run, today: Sequence[Told], live: Mapping[str, Told], plain: Sequence[float]) -> Row:
    "One day and its night; what of it was told or slept before stays, and then took no seconds."
    heard = {memory.text for memory in pocket.journal.memories(status=None)}
    for one in today:
        if one.text not in heard:
            pocket.remember(one.text, one.replaces or None)
    verdicts = [night.verdict for night in pocket.journal.nights() if night.verdict]
    started = time.perf_counter()
    before = len(verdicts) >= today[0].night
    slept = verdicts[today[0].night - 1] if before else pocket.sleep(Wishes(changes=run.changes), Quiet())[1]
    row = {"verdict": slept.outcome, "failed": list(slept.failed), "reasons": list(slept.reasons),
           "seconds": round(time.perf_counter() - started, 1), **_known(pocket, live)}
    if run.texts:
        pocket.day().wear(pocket.journal.current())
        row["text"] = round(_median(text(pocket.serving(), run.texts)) / _median(plain) - 1, 4)
    return row


def _known(pocket: Altered, live: Mapping[str, Told]) -> dict[str, Any]:
    "Each live fact asked twice: outright, and by another name where the bank has one."
    asked: list[tuple[Told, str]] = []
    for one in live.values():
        same = bank.things()[one.noun.lower()].same
        asked += [(one, f"What's the name of my {one.noun}?"), (one, f"My {same[-1]} is called?" if " " not in same[-1] else
                   f"Tell me what my {one.noun} is called.")]
    answers = pocket.day().answers([q for _, q in asked], "weights")
    hits = [(one.night, says(a, one.value)) for (one, _), a in zip(asked, answers, strict=True)]
    ages = {night: [hit for n, hit in hits if n == night] for night in sorted({n for n, _ in hits})}
    return {"known": share([hit for _, hit in hits]), "by_night": {str(n): share(v)["share"] for n, v in ages.items()}}


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
