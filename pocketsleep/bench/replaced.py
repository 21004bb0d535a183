"""How well a note finds the older one that it replaces, and leaves the others alone.

A line of a study file names notes that were `known` before its message, and which of them each of its own notes `supersedes`.
The ledger that a note meets here is those, and all notes of the file's earlier lines.

    right    notes that replaced the one they should, of those that should
    wrong    notes that replaced another, or one where they should have left all, of all notes

What a person has one of (a name, a home, a wife) is not looked for in earlier lines: they are other people's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketsleep.bench.byhand import rows
from pocketsleep.bench.persona import Row
from pocketsleep.errors import BadInput
from pocketsleep.night.listen.replaces import ALIKE, GLANCE, Alike, chance, common, superseded, traits
from pocketsleep.night.listen.tell import told
from pocketsleep.nouns import Memory

RIDGE, STEPS = 2.0, 40
_ONE = re.compile(
    r"The user(?:(?:'s name)? is called|'s (?:name|house|home|flat|address|wife|husband|boss|age|partner|school|boyfriend|"
    r"girlfriend)\b| is \d| lives| moved| stays| is based| is (?:in|at|on)\b| is named| works| weighs)")


@dataclass(frozen=True, slots=True)
class Case:
    "A note as it is told, what it meets, and the one of them that it replaces ('': none)."

    file: str
    new: Memory
    said: str
    live: tuple[Memory, ...]
    old: str  # its id


def replaced(every: Sequence[Case], alike: Alike | None = None) -> Iterator[Row]:
    "A row a file: by words, or by words and nearness."
    for file in sorted({case.file for case in every}):
        mine = [case for case in every if case.file == file]
        found = [(case.old, superseded(case.new, case.live, case.said, alike)) for case in mine]
        should, right = sum(bool(old) for old, _ in found), sum(bool(old) and old == got for old, got in found)
        yield {"file": file, "notes": len(mine), "should": should, "right": right,
               "wrong": sum(bool(got) and old != got for old, got in found)}


def cases(folder: Path) -> list[Case]:
    "Raises BadInput where there are none."
    found = [case for path in sorted(folder.glob("*.jsonl")) for case in _cases(path)]
    if not found:
        raise BadInput(f"`{folder}` has no notes", hint="pocketsleep bench replaced models/study")
    return found


def _cases(path: Path) -> Iterator[Case]:
    lines = rows(path, "message")
    every = [n for line in lines for n in line["memories"]]
    notes = {n["text"]: Memory(n["text"], kind=n.get("kind", "fact"), answer=n["answer"]) for n in every}
    before: list[Memory] = []
    for line in lines:
        known = [notes.get(text) or told(text, None, []) for text in line.get("known") or ()]
        for note in line["memories"]:
            new, texts = notes[note["text"]], {m.text for m in known}
            far = [] if _ONE.match(new.text) else [m for m in before if m.text not in texts and not _ONE.match(m.text)]
            said = _sentence(line["message"], note.get("span") or "")
            yield Case(path.name, new, said, (*far, *known), _id(note.get("supersedes"), known))
            before.append(new)


def _id(text: str | None, known: Sequence[Memory]) -> str:
    return next((m.id for m in known if m.text == text), "")


def _sentence(message: str, span: str) -> str:
    "The one that a span begins in; without a span the message."
    at, start = message.find(span) if span else -1, 0
    for sentence in re.findall(r".+?(?:(?<!\bDr)(?<!\bMr)(?<!\bMrs)[.!?]\s+|\n\s*|$)", message, re.DOTALL) if at >= 0 else ():
        start += len(sentence)
        if at < start:
            return str(sentence).strip()
    return message


def fit(some: Sequence[Case], alike: Alike | None = None) -> dict[str, float]:
    """Weights of `replaces.traits` by name, '' the constant: logistic regression with a ridge on all pairs that share a word (with
    `alike` on those that words leave open), by Newton's method (Hastie, Tibshirani, Friedman, The Elements of Statistical
    Learning, 2009, eq. 4.26)."""
    found, marks = [], []
    for case in some:
        olds = [old for old in case.live if common(case.new, old)]
        if alike:
            olds = [old for old in olds if GLANCE <= chance(case.new, old, case.said) < 1]
        near = alike(case.new.text, [old.text for old in olds]) if alike else [0.0] * len(olds)
        for old, cosine in zip(olds, near, strict=True):
            found.append(traits(case.new, old, case.said) | ({"alike": ALIKE * cosine} if alike else {}))
            marks.append(old.id == case.old)
    if not found:
        raise BadInput("no note shares a word with what it meets", hint="pocketsleep bench replaced models/study --fit")
    names = list(found[0])
    x = np.array([[*(row[name] for name in names), 1.0] for row in found])
    y, ridge, weights = np.array(marks, float), RIDGE * np.eye(len(names) + 1), np.zeros(len(names) + 1)
    ridge[-1, -1] = 1e-6
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        weights -= np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, x.T @ (p - y) + ridge @ weights)
    return {name: round(float(weight), 2) for name, weight in zip([*names, ""], weights, strict=True)}
