"""Things of which people have one, by all their names: their own ("hound" for a dog), and broader ones ("dog" for a whippet)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pocketsleep.night.grammar.lists import shipped

_KINDS = frozenset("variety type kind sort brand make model name".split())


@dataclass(frozen=True, slots=True)
class Thing:
    "A noun of which people have one: what else it is called, what it is one of, and how one asks for its name or make."

    noun: str
    kind: str
    same: tuple[str, ...]
    asks: tuple[str, ...]
    broader: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        "What is said of nothing else: in lower case, as all names here."
        return frozenset(w.lower() for w in (self.noun, *self.same))

    @property
    def wide(self) -> frozenset[str]:
        "What is said of it and of others."
        return frozenset(w.lower() for w in self.broader)


@lru_cache(maxsize=1)
def things() -> dict[str, Thing]:
    rows = (json.loads(line) for line in shipped("things.jsonl").splitlines())
    return {r["noun"].lower(): Thing(r["noun"], r["kind"], tuple(r["same"]), tuple(r["asks"]), tuple(r.get("broader", ()))) for r in rows}


@lru_cache(maxsize=1)
def _nouns() -> re.Pattern[str]:
    longest = sorted(things(), key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, longest))})(?:'s|s)?\b", re.IGNORECASE)


def named(notes: Sequence[str]) -> set[str]:
    "Nouns of the things that notes speak of, in lower case."
    return {hit.lower() for note in notes for hit in _nouns().findall(note)}


def implied(notes: Sequence[str]) -> frozenset[str]:
    "Broader words for what notes speak of: who told of a whippet has told of a dog."
    return frozenset(word for noun in named(notes) for word in things()[noun].wide)


def clear(notes: Sequence[str]) -> frozenset[str]:
    "Broader words that lead to one thing alone: with a whippet and a spaniel, 'my dog' asks for neither."
    nouns = named(notes)
    owners = Counter(word for noun in nouns for word in things()[noun].names | things()[noun].wide)
    return frozenset(word for noun in nouns for word in things()[noun].wide if owners[word] == 1)


def thing(phrase: str) -> Thing | None:
    'The thing that a noun phrase names: itself, or its last words ("old farm van").'
    words = phrase.lower().split()
    words = words[:-1] if len(words) > 1 and words[-1] in _KINDS else words
    return next((things()[tail] for n in range(len(words)) if (tail := " ".join(words[n:])) in things()), None)
