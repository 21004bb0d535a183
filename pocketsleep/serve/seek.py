"""Which note a question is on, in whatever words it is asked, and whether that note answers it.

A person asks in other words than the note's, and often in other words than a night's questions on it. A reader that has learnt to
ask of notes says of which one the question is likeliest to be asked: query likelihood (Ponte and Croft, 1998; with a language
model that writes questions: Sachan and others, 2204.07496). The same reader, with that note before it, says whether it answers.
Notes that share words with the question or with what was asked of them come first: most questions end there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from pocketsleep.nouns import Memory
from pocketsleep.serve.recall import Index

LONGEST = 30  # words of a question that is looked for
LONG = 60  # words of a note above which it is found by its words or not at all
WORDED = 12  # notes by words that are looked at first
MOST = 48  # of the others, the newest
DOUBTED = 0.5  # chance that a note does not answer above which it is not found (18 and 94 in 100 of the questions below)

Pair = tuple[Memory, str]  # a note, a question


class Reader(Protocol):
    "One who has learnt to ask of notes, and to answer from them (night/finder.py)."

    def asked(self, pairs: Sequence[Pair]) -> list[float]:
        "Nats: how likely each question is as one on its note."
        ...

    def unsaid(self, pairs: Sequence[Pair]) -> list[float]:
        "0 to 1: the chance that the note does not answer the question; DOUBTED where that cannot be told."
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


def seek(reader: Reader, index: Index, questions: Sequence[str]) -> list[Memory | None]:
    "For each question the note that it is likeliest on, None where the reader does not find the answer there."
    worded = [_worded(index, q) for q in questions]
    return _sought(reader, questions, worded, lambda n: _newest(index, worded[n]))


def seek_said(reader: Reader, sayings: Sayings, questions: Sequence[str]) -> list[Memory | None]:
    "The same among what was said and is no note: sentences that share words with the question, then the newest."
    worded = [_worded(Index(sayings(q), []), q) for q in questions]
    known = [{one.text for one in some} for some in worded]
    newest = cache(sayings.newest)  # the same for all questions, and read where one needs it
    return _sought(reader, questions, worded,
                   lambda n: [s for s in newest() if s.text not in known[n] and readable(s.text)][:WORDED])


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


def short(question: str) -> bool:
    return len(question.split()) <= LONGEST


def readable(note: str) -> bool:
    return len(note.split()) <= LONG


def _newest(index: Index, known: Sequence[Memory]) -> list[Memory]:
    seen = {memory.id for memory in known}
    return [m for m in reversed(index.memories) if m.id not in seen and readable(m.text)][:MOST]


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
