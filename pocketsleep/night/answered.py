"""What notes answer by themselves, whatever else is known: a slice is asked nothing that notes below it answer otherwise.

A night looks at slice after slice, each on those below, so what a note answers is found once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, zip_longest

from pocketsleep.night.grammar import bank, frames, generic, habits, plainer, whole
from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.items import Item, plain
from pocketsleep.night.grammar.parse import parse
from pocketsleep.night.grammar.synonyms import reworded
from pocketsleep.night.grammar.typed import statement, typed
from pocketsleep.nouns import Memory

KEPT = 16384  # notes


def answered(memories: Sequence[Memory]) -> dict[str, set[str]]:
    "Answers of these notes, by plain question."
    found: dict[str, set[str]] = defaultdict(set)
    for memory in memories:
        for question, answer in _answered(memory.text):
            found[question].add(answer)
    return found


@lru_cache(maxsize=KEPT)
def _answered(text: str) -> tuple[tuple[str, str], ...]:
    items = readable(lambda: chain.from_iterable((*map(_by_itself, parse(text)), whole.instructed(Memory(text)))))
    said = [*((i.question, i.answer) for i in (*items, *reworded(items))), *((q, a) for q, a, _ in _types(text))]
    return tuple(dict.fromkeys((plain(question), answer) for question, answer in said))


def _by_itself(clause: Clause) -> Iterator[Item]:
    yield from frames.framed(clause)
    yield from habits.framed(clause)
    for asking in (generic.asked_for, generic.subject_asked, generic.true_or_not, generic.whether):
        yield from asking(clause)
    yield from besides(clause)
    yield from generic.reversed_(clause)
    yield from generic.rewritten(clause)


def besides(clause: Clause) -> Iterator[Item]:
    "Questions on what the clause says besides; what would be said whole is the clause itself."
    for said in plainer.plainer(clause):
        whole = said.statement(full=False)
        yield from (replace(i, answer=clause.statement(full=False)) if i.answer == whole else i for i in generic.asked_for(said))


def readable(propose: Callable[[], Iterable[Item]]) -> list[Item]:
    "What is proposed, nothing where the grammar stumbles over a note: an odd one must not end every night from now on."
    try:
        return list(propose())
    except (IndexError, KeyError, ValueError):
        return []


def types(text: str, broader: frozenset[str]) -> tuple[bank.Asked, ...]:
    "Questions by type. Most notes ask the same whichever broader words may be used for things."
    narrow = _types(text)
    return narrow if narrow == _types(text, _every_broader()) else _types(text, broader)


@lru_cache(maxsize=2 * KEPT)
def _types(text: str, broader: frozenset[str] = frozenset()) -> tuple[bank.Asked, ...]:
    "Both lists in turn: whatever is taken evenly has its share of each."
    return (*_listed(text, broader), *_besides(text, broader))


def _listed(text: str, broader: frozenset[str]) -> tuple[bank.Asked, ...]:
    pairs = zip_longest(typed(text), bank.asked(text, broader))
    return tuple(asked for pair in pairs for asked in pair if asked is not None)


def _besides(text: str, broader: frozenset[str]) -> Iterator[bank.Asked]:
    "Questions on what the note says besides; their answer is the note: one answer for all wordings."
    for besides in plainer.notes(text):
        said, whole = plain(statement(besides)), f"{statement(text)}."
        for question, answer, form in _listed(besides, broader):
            yield question, whole if form == "paraphrase" and plain(answer) == said else answer, form


@lru_cache(maxsize=1)
def _every_broader() -> frozenset[str]:
    return frozenset(word.lower() for one in bank.things().values() for word in one.broader)
