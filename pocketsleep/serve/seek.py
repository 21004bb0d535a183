"""Which note a question is on, in whatever words it is asked, and whether that note answers it.

A person asks in other words than the note's, and often in other words than a night's questions on it. A reader that has learnt to
ask of notes says of which one the question is likeliest to be asked: query likelihood (Ponte and Croft, 1998; with a language
model that writes questions: Sachan and others, 2204.07496). The same reader, with that note before it, says whether it answers.
Notes that share words with the question or with what was asked of them come first: most questions end there. Then come those that
lie near it (night/nearness.py), however old, and the newest that no night has placed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Protocol

from pocketsleep.nouns import Cite, Memory
from pocketsleep.serve.recall import Index

LONGEST = 30  # words of a question that is looked for
LONG = 60  # words of a note above which it is found by its words or not at all
WORDED = 12  # notes by words that are looked at first
NEAREST = 24  # of the others, those that lie nearest: with the ones by words 95 of 100 right ones are read (the nearest 12: 90)
MOST = 48  # of those that no night has placed, the newest
DOUBTED = 0.5  # chance that a note does not answer above which it is not found (18 and 94 in 100 of the questions below)

RIVALS = 4  # of the nearest notes, and of the nearest sentences, that are held against the note behind an answer
AHEAD = 5.0  # nats by which a question has to be likelier on one of these
_OTHER = re.compile(r"\W*(?:(?:and|but|so|well|oh|then),? )*(?:s?he|they)\b", re.IGNORECASE)
_OF_OTHERS = re.compile(r"\b(?:my|our|s?he|her|hers|his|him|they|them|their)\b|(?<=[\w,] )(?-i:[A-ZÀ-Þ])(?!\b)", re.IGNORECASE)

Pair = tuple[Memory, str]  # a note, a question


class Reader(Protocol):
    "One who has learnt to ask of notes, and to answer from them (night/finder.py)."

    def asked(self, pairs: Sequence[Pair]) -> list[float]:
        "Nats: how likely each question is as one on its note."
        ...

    def unsaid(self, pairs: Sequence[Pair]) -> list[float]:
        "0 to 1: the chance that the note does not answer the question; DOUBTED where that cannot be told."
        ...

    def near(self, question: str) -> list[str]:
        "Ids of the notes that a night has placed, the nearest first."
        ...

    def said(self, memory: Memory) -> str:
        "The note as said to its user."
        ...


class Sayings(Protocol):
    "What the person said, sentence by sentence, each as if it were a note (night/sayings.py)."

    def __call__(self, question: str) -> list[Memory]:
        "Of messages that share words with a question."
        ...

    def newest(self) -> list[Memory]:
        "Of the last messages that no night has heard."
        ...

    def nearest(self, question: str, most: int) -> list[Memory]:
        "Those that lie nearest to a question, the nearest first."
        ...

    def without(self, turns: Collection[Cite]) -> Sayings:
        "The same, but for what was said in these turns."
        ...


def seek(reader: Reader, index: Index, questions: Sequence[str]) -> list[Memory | None]:
    "For each question the note that it is likeliest on, None where the reader does not find the answer there."
    worded = [_worded(index, q) for q in questions]
    return _sought(reader, questions, worded, lambda n: _others(reader, index, questions[n], worded[n]))


def seek_said(reader: Reader, sayings: Sayings, questions: Sequence[str]) -> list[Memory | None]:
    "The same among what was said and is no note: sentences that share words with the question, then the newest and the nearest."
    worded = [[one for one in _worded(Index(sayings(q), []), q) if able(one, q)] for q in questions]
    newest = cache(sayings.newest)  # the same for all questions, and read where one needs it

    def others(n: int) -> list[Memory]:
        known = {one.text for one in worded[n]}
        new = [one for one in newest() if one.text not in known and able(one, questions[n])][:WORDED]
        known |= {one.text for one in new}
        return new + [one for one in sayings.nearest(questions[n], NEAREST) if one.text not in known and able(one, questions[n])]

    return _sought(reader, questions, worded, others)


def likelier(reader: Reader, index: Index, sayings: Sayings | None, questions: Sequence[str],
             notes: Sequence[Memory]) -> list[Memory | None]:
    "For each question with a note behind its answer what it is far likelier on, and answers it: another note, or what was said."
    rivals = [[*_placed(reader, index, q, {note.id})[:RIVALS], *_near_sayings(sayings, q)]
              for q, note in zip(questions, notes, strict=True)]
    held = [[note, *some] if some else [] for note, some in zip(notes, rivals, strict=True)]
    marks = iter(reader.asked([(m, q) for q, some in zip(questions, held, strict=True) for m in some]))
    ahead: list[Memory | None] = []
    for some in held:
        own, *others = [next(marks) for _ in some] or [0.0]
        best = max(zip(others, some[1:], strict=True), key=lambda one: one[0], default=None)
        ahead.append(best[1] if best and best[0] > own + AHEAD else None)
    return _answering(reader, questions, ahead)


def _near_sayings(sayings: Sayings | None, question: str) -> list[Memory]:
    return [one for one in sayings.nearest(question, 2 * RIVALS) if able(one, question)][:RIVALS] if sayings else []


def _worded(index: Index, question: str) -> list[Memory]:
    return [m for m in index.ranked(question) if readable(m.text)][:WORDED] if short(question) else []


def _sought(reader: Reader, questions: Sequence[str], worded: Sequence[Sequence[Memory]],
            others: Callable[[int], Sequence[Memory]]) -> list[Memory | None]:
    "Among those that share words with a question; where none of them answers, among `others` that are likelier than these."
    first = _likeliest(reader, questions, worded)
    found = _answering(reader, questions, [best and best[1] for best in first])
    left = [short(q) and note is None for q, note in zip(questions, found, strict=True)]
    second = _likeliest(reader, questions, [others(n) if so else [] for n, so in enumerate(left)])
    better = [s[1] if s and (f is None or s[0] > f[0]) else None for f, s in zip(first, second, strict=True)]
    again = _answering(reader, questions, better)
    return [one or other for one, other in zip(found, again, strict=True)]


def able(saying: Memory, question: str) -> bool:
    "Whether a sentence can answer a question by itself: one on a `she` of whom it does not tell cannot, where none was asked for."
    return readable(saying.text) and bool(not _OTHER.match(saying.text) or _OF_OTHERS.search(question))


def short(question: str) -> bool:
    return len(question.split()) <= LONGEST


def readable(note: str) -> bool:
    return len(note.split()) <= LONG


def _others(reader: Reader, index: Index, question: str, known: Sequence[Memory]) -> list[Memory]:
    "The nearest of those that are not known yet, and the newest that no night has placed."
    seen = {memory.id for memory in known}
    placed = _placed(reader, index, question, seen)
    seen |= {memory.id for memory in placed}
    return placed[:NEAREST] + [m for m in reversed(index.memories) if m.id not in seen and readable(m.text)][:MOST]


def _placed(reader: Reader, index: Index, question: str, seen: set[str]) -> list[Memory]:
    "The others that a night has placed, the nearest first."
    left = {m.id: m for m in index.memories if m.id not in seen and readable(m.text)}
    return [left[name] for name in reader.near(question) if name in left] if short(question) else []


def _likeliest(reader: Reader, questions: Sequence[str], notes: Sequence[Sequence[Memory]]) -> list[tuple[float, Memory] | None]:
    "(nats, note) of each question's likeliest note, None where there is none to choose from."
    pairs = [(note, question) for question, some in zip(questions, notes, strict=True) for note in some]
    marks = iter(reader.asked(pairs)) if pairs else iter(())
    return [max(((next(marks), note) for note in some), key=lambda one: one[0], default=None) for some in notes]


def _answering(reader: Reader, questions: Sequence[str], notes: Sequence[Memory | None]) -> list[Memory | None]:
    "The notes that answer their question."
    pairs = [(note, question) for question, note in zip(questions, notes, strict=True) if note]
    chances = iter(reader.unsaid(pairs)) if pairs else iter(())
    return [note if note and next(chances) < DOUBTED else None for note in notes]
