"""Every way of knowing what a set told, on the same questions (sets.py): without weights, by other people's nights, by ours.

    base          the bare base, asked
    oracle        the bare base with what answers the question in front: the ceiling
    notes         the bare base with the notes in front, the newest as far as there is room
    recall        the bare base with the notes that recall finds
    transcripts   a LoRA on the raw text of all days so far
    stacked       a LoRA a night on that night's items alone, each on top of the one before
    ours          the night as it is, by the adapter alone
    both          the same, with the ledger
    no ...        ours with one part left out (learn.py)

Candidates are worn whatever their exam said, and the verdicts told. An arm that is in the file of results is not run again.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep import cards, disk
from pocketsleep.bench.learn import VARIANTS, unheld
from pocketsleep.bench.marks import interval, marked, recovered
from pocketsleep.bench.planted import Altered, Planted
from pocketsleep.bench.sets import Asked, Life, Size, Told, lives
from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.nouns import Lesson, content_id
from pocketsleep.runtime.prompting import ask

Say = Callable[[str], None]
Row = dict[str, Any]
Marks = dict[str, dict[str, dict[str, float]]]  # unit -> question id -> measure -> mark
BARE = ("base", "oracle", "notes", "recall")
NIGHTS: Mapping[str, Planted] = {
    **{name: planted for name, planted in VARIANTS.items() if name not in ("stacked", "transcripts")},
    "no dreamer": Planted("no dreamer", changes={"skilled": 0}),
    "transcripts": Planted("transcripts", manner=False), "stacked": Planted("stacked", unheld),
}
ARMS = (*BARE, "transcripts", "stacked", "ours", "both")
BEGINS = b'{"set":'  # every row of results
ROOM = 1500  # tokens of notes in front of a question
SMALL = {"per_memory": 20, "declines": 64, "anchors": 160, "anchor_turns": 2, "passages": 24, "skilled": 0}  # two minutes


@dataclass(frozen=True, slots=True)
class Wanted:
    "What is measured, of which set, how much of it, on which base; `small`: by smaller nights."

    name: str
    path: Path
    size: Size
    arms: tuple[str, ...] = ARMS
    base: str = ""
    small: bool = False

    def key(self, arm: str) -> Row:
        "What a row of results is a function of: of files, by what is in them."
        data = _data(self.name, self.path, self.size, _stamps(self.path))
        return {"set": self.name, "arm": arm, **asdict(self.size), "base": self.base, "small": self.small, "data": data,
                "weights": _weights(self.base), "skills": _skills()}


def _stamps(path: Path) -> tuple[tuple[str, int], ...]:
    "Changes when a file does."
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file())


@lru_cache
def _data(name: str, path: Path, size: Size, stamps: tuple[tuple[str, int], ...]) -> str:
    "What is told and asked."
    return content_id("lives", repr(lives(name, path, size)))


def _weights(base: str) -> str:
    card = cards.find(base or cards.DEFAULT)
    return _hashed(_stamps(Path(card.path))) if card.path else card.sha256 or card.name


def _skills() -> str:
    return _hashed(_stamps(cards.skills()))


@lru_cache
def _hashed(stamps: tuple[tuple[str, int], ...]) -> str:
    return content_id("files", *(disk.sha256(Path(file)) for file, _ in stamps))


@dataclass(frozen=True, slots=True)
class Homes:
    "Throw-away homes that share what holds nothing of anybody: the imported base."

    folder: Path
    base: str

    def new(self, planted: Planted | None = None) -> Altered:
        return Altered(Home(Path(tempfile.mkdtemp(dir=self.folder)), self.folder), self.base, planted)


def arms(wanted: Wanted, say: Say, results: Path | None = None) -> Iterator[Row]:
    "A row an arm, in the order of `wanted.arms`, and each kept in `results` as soon as it is there."
    if unknown := [a for a in wanted.arms if a not in {*BARE, *NIGHTS, "both"}]:
        raise BadInput(f"no arm is called `{unknown[0]}`", hint=f"arms: {', '.join(dict.fromkeys([*ARMS, *NIGHTS]))}")
    some = lives(wanted.name, wanted.path, wanted.size)
    rows = _kept(wanted, results)
    with tempfile.TemporaryDirectory() as folder:
        homes = Homes(Path(folder), wanted.base)
        for arm in wanted.arms:
            if arm not in rows:
                for made in _run(wanted, homes, some, arm, say):
                    rows[made["arm"]] = made
                    if results is not None:
                        with results.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(made, ensure_ascii=False) + "\n")
            yield compared(rows[arm], rows)


def _kept(wanted: Wanted, results: Path | None) -> dict[str, Row]:
    "The rows of these settings that are in the file of results. Raises BadInput before anything is run where none can be kept."
    if results is None:
        return {}
    try:
        with results.open("ab+") as file:
            file.seek(0)
            *lines, last = file.read().split(b"\n")
            if last and BEGINS.startswith(last[: len(BEGINS)]):  # a row without its end was cut short: the next is not glued to it
                file.truncate(sum(len(line) + 1 for line in lines))
                last = b""
        rows = [json.loads(line) for line in [*lines, last] if line.strip()]
        return {row["arm"]: row for row in rows if wanted.key(row["arm"]).items() <= row.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"results cannot be kept in `{results}` ({type(error).__name__}: {error})",
                       hint="`--results FILE` names a new file, or one that `pocketsleep bench learn --set` began") from None


def compared(row: Row, rows: Mapping[str, Row]) -> Row:
    "A row as it is told: means with intervals, and how much of the gap between base and oracle it recovers."
    told = {k: v for k, v in row.items() if k != "marks"}
    names = sorted({m for by in row["marks"].values() for marks in by.values() for m in marks})
    told["measures"] = {name: interval(_by_unit(row, name)) for name in names}
    if {"base", "oracle"} <= rows.keys():
        three = rows["base"], row, rows["oracle"]
        told["recovered"] = {name: recovered(*(_by_unit(one, name) for one in three)) for name in names}
    return told


def _by_unit(row: Row, measure: str) -> dict[str, list[float]]:
    return {unit: [by[id][measure] for id in sorted(by)] for unit, by in row["marks"].items()}


def _run(wanted: Wanted, homes: Homes, some: Sequence[Life], arm: str, say: Say) -> Iterator[Row]:
    "The rows of one arm over all lives; `ours` and `both` are asked of the same nights, so that one brings the other."
    started, asked = time.perf_counter(), ["ours", "both"] if arm in ("ours", "both") else [arm]
    asked = [a for a in asked if a in wanted.arms]
    answers: dict[str, dict[str, str]] = {a: {} for a in asked}
    curves: list[list[Row]] = []
    verdicts: list[list[Any]] = []
    for n, life in enumerate(some, 1):
        say(f"{wanted.name}, {arm}: {n} of {len(some)}")
        if arm in BARE:
            answers[arm] |= _bare(homes, life, arm)
            continue
        curve = list(_lived(wanted, homes, life, arm, asked, answers, verdicts, say))
        curves.append(curve)
    for one in asked:
        yield {**wanted.key(one), "marks": _marks([q for life in some for q in life.asked], answers[one]), "answers": answers[one],
               "verdicts": verdicts, "curve": _joined(curves) if one == asked[0] else [],
               "seconds": round(time.perf_counter() - started)}


def _marks(asked: Sequence[Asked], answers: Mapping[str, str]) -> Marks:
    found: Marks = defaultdict(dict)
    for q in asked:
        found[q.unit][q.id] = {"right": float(answers[q.id] == q.golds[0])} if q.options else marked(answers[q.id], q.golds)
    return dict(found)


def _bare(homes: Homes, life: Life, arm: str) -> dict[str, str]:
    with homes.new() as pocket:
        for day in life.days:
            _tell(pocket, day)
        return said(pocket, life.asked, arm)


def _tell(pocket: Altered, day: Told) -> None:
    for note in day.notes:
        pocket.remember(note)


def _lived(wanted: Wanted, homes: Homes, life: Life, arm: str, asked: Sequence[str], answers: Mapping[str, dict[str, str]],
           verdicts: list[list[Any]], say: Say) -> Iterator[Row]:
    "What is known after each night of all that was told before; the last night's answers are left in `answers`."
    planted = NIGHTS["ours" if arm == "both" else arm]
    pocket = homes.new(planted)
    try:
        for night, day in enumerate(life.days, 1):
            if arm == "stacked" and night > 1:
                below = pocket.registry.path(worn) if (worn := pocket.journal.current()) else pocket.below
                pocket.close()
                pocket = homes.new(planted)
                pocket.below = below
            _tell(pocket, day)
            if arm == "transcripts":
                pocket.planted = replace(planted, lessons=_as_it_stood(life.days[:night]))
            ended, verdict = pocket.night(0, SMALL if wanted.small else {})
            pocket.wear_whatever(ended)
            verdicts.append([verdict.outcome, list(verdict.failed)])
            due = [q for q in life.asked if q.night <= night]
            for one in asked if night == len(life.days) else asked[:1]:
                answers[one].update(said(pocket, due, "both" if one == "both" else "weights"))
            yield {"night": night, "marks": _marks(due, answers[asked[0]]), "of": {q.id: q.night for q in due}}
            say(f"{arm}, night {night}: {verdict.outcome} {', '.join(verdict.failed)}")
    finally:
        pocket.close()


def _as_it_stood(days: Sequence[Told]) -> Callable[[Sequence[Lesson]], Sequence[Lesson]]:
    rows = [Lesson(ask(prompt), text) for day in days for prompt, text in day.raw]
    return lambda lessons: rows


def _joined(curves: Sequence[Sequence[Row]]) -> list[Row]:
    "The curves of all lives as one, in the form that `bench keep` plots: of each night's questions, per cent after each night."
    found = []
    for night in range(1, max(map(len, curves), default=0) + 1):
        hits: dict[int, list[float]] = defaultdict(list)
        for curve in (c for c in curves if len(c) >= night):
            row = curve[night - 1]
            for by in row["marks"].values():
                for id, marks in by.items():
                    hits[row["of"][id]].append(marks["right" if "right" in marks else "f1"])
        everything = [x for some in hits.values() for x in some]  # nothing where no question is due yet
        found.append({"night": night, "known": {"share": round(100 * float(np.mean(everything)), 1) if everything else None},
                      "by_night": {str(n): round(100 * float(np.mean(some)), 1) for n, some in sorted(hits.items())}})
    return found


def said(pocket: Altered, asked: Sequence[Asked], arm: str) -> dict[str, str]:
    "What an arm answers, by question: generated, or of its options the one it finds likeliest."
    day = pocket.day()
    day.wear(pocket.journal.current() if arm in ("weights", "both") else "")
    open_ended, chosen = [q for q in asked if not q.options], [q for q in asked if q.options]
    some = asked if arm != "both" else chosen
    notes = dict(zip([q.id for q in some], _notes(pocket, some, arm), strict=True))
    if arm == "both":
        answers = day.answers([q.question for q in open_ended], "both")
    else:
        answers = day.runtime.answer([ask(q.question, notes[q.id]) for q in open_ended], max_tokens=48)
    found = {q.id: a for q, a in zip(open_ended, answers, strict=True)}
    for q in chosen:
        nats = [float(np.mean(one)) for one in day.runtime.score([(ask(q.question, notes[q.id]), option) for option in q.options])]
        found[q.id] = q.options[int(np.argmax(nats))]
    return found


def _notes(pocket: Altered, asked: Sequence[Asked], arm: str) -> list[list[str]]:
    "What stands in front of each question."
    if arm in ("recall", "both"):
        return [[m.text for m in found] for found in pocket.day().notes.sought([q.question for q in asked])]
    if arm == "oracle":
        return [list(q.context) for q in asked]
    return [_newest(pocket) if arm == "notes" else []] * len(asked)


def _newest(pocket: Altered) -> list[str]:
    "As many of the newest notes as there is room for."
    found: list[str] = []
    room = ROOM
    for memory in reversed(pocket.journal.memories()):
        room -= pocket.serving().count(memory.text)
        if room < 0:
            break
        found.insert(0, memory.text)
    return found


__all__ = ["ARMS", "NIGHTS", "Wanted", "arms", "said"]
