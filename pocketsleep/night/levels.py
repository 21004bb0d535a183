"""Levels: when there are too many memories to rebuild all of them in a night, they are held in slices.

A slice is a run of places in the ledger, oldest first. The adapter of the first is trained on the bare base, that
of each other one on top of the sum of those below it, which stay as they are; some questions of theirs are asked
again, and must be answered as before. So a level is a function of the base, the recipe and the memories of its slice
and of those below: a night rebuilds the newest, and those from the first on in which a memory was forgotten. One that
was replaced stays where it was learnt until a quarter of its slice is of that kind: the slice of its successor, which
lies above, learns the contrast, and two levels a night would not keep up with what changes among hundreds of memories.
Adapters that were trained side by side on the bare base answer each other's questions wrong when they are summed
(bench/LOG.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pocketsleep.night.recipe import Recipe
from pocketsleep.nouns import Memory, content_id

REPLACED = 0.25  # most of a slice that was replaced since it was trained


@dataclass(frozen=True, slots=True)
class Level:
    "One adapter to be: the memories of its slice, and the name of all that it is a function of."

    key: str
    memories: tuple[str, ...]


def slices(places: Mapping[str, int], most: int) -> list[tuple[str, ...]]:
    """Live memories by slice, oldest first: one slice while they fit into it, then by place in the ledger.

    places: memory id -> its place, from 1 on, never given anew while a later one is taken. A place keeps
    its slice for good, so what happens in one slice leaves those below as they were.
    """
    ordered = sorted(places, key=places.__getitem__)
    if len(ordered) <= most:
        return [tuple(ordered)] if ordered else []
    found: dict[int, list[str]] = {}
    for one in ordered:
        found.setdefault((places[one] - 1) // most, []).append(one)
    return [tuple(found[number]) for number in sorted(found)]


def replaced(held: Sequence[Sequence[Memory]], every: Mapping[str, Memory], places: Mapping[str, int],
             most: int) -> list[list[Memory]]:
    """By slice, what has a live successor and still stands in the ledger, the latest replaced first. A slice that
    holds all there is has none: it is rebuilt whenever anything is new.

    every: memories by id, replaced ones too; places: theirs."""
    found: list[list[Memory]] = [[] for _ in held]
    if len(held) < 2:
        return found
    slice_of = {(places[one[0].id] - 1) // most: mine for one, mine in zip(held, found, strict=True)}
    live = {memory.id for one in held for memory in one}
    for old, _ in sorted(_followed(held, every, live), key=lambda pair: -places[pair[1].id]):
        if (mine := slice_of.get((places[old.id] - 1) // most)) is not None:
            mine.append(old)
    return found


def _followed(held: Sequence[Sequence[Memory]], every: Mapping[str, Memory],
              live: Collection[str]) -> Iterator[tuple[Memory, Memory]]:
    "(what was replaced, what replaced it), back along each live memory's chain."
    for last in (memory for one in held for memory in one):
        successor = last
        for old in chain(last, every):
            if old.id in live:
                break
            yield old, successor
            successor = old


def chain(memory: Memory, every: Mapping[str, Memory]) -> Iterator[Memory]:
    "What a memory replaced, what that replaced, and so on, the latest first."
    seen = {memory.id}
    while memory.supersedes in every and memory.supersedes not in seen:
        memory = every[memory.supersedes]
        seen.add(memory.id)
        yield memory


def levels(held: Sequence[Sequence[Memory]], recipe: Callable[[int], Recipe], base_sha256: str, below: str = "",
           replaced: Sequence[Sequence[Memory]] = (), made: Collection[str] = ()) -> list[Level]:
    """The levels over these slices, lowest first. Each one's key holds the key of the one below; `below`: what all of them rest on.

    replaced: by slice, what was learnt there and has a successor by now, the latest first. A level that was `made` when
    some of these still held is taken as it is."""
    found: list[Level] = []
    for number, one in enumerate(held):
        below = found[-1].key if found else below
        gone = replaced[number] if number < len(replaced) else ()
        ways = ([*one, *gone[:more]] for more in range(1 + len(gone)) if more <= REPLACED * (len(one) + more))
        named = [Level(_key(recipe(len(way)), base_sha256, way, below), tuple(m.id for m in way)) for way in ways]
        found.append(next((level for level in named if level.key in made), named[0]))
    return found


def tonight(wanted: Sequence[Level], made: Mapping[str, str], most: int) -> tuple[list[Level], list[Level]]:
    """(to train, to wear), lowest first: at most `most` of those that are not made. What does not rest on
    levels that are made or trained tonight waits for the next night. made: key -> adapter id."""
    now = [level for level in wanted if level.key not in made][:most]
    worn: list[Level] = []
    for level in wanted:
        if level.key not in made and level not in now:
            break
        worn.append(level)
    return [level for level in now if level in worn], worn


def _key(recipe: Recipe, base_sha256: str, memories: Sequence[Memory], below: str) -> str:
    "What a memory replaced is asked for in contrast to it, so it is part of the name."
    facts = {name: value for name, value in recipe.plain().items() if name != "reasons"}
    held = sorted(f"{m.id} {m.supersedes}" for m in memories)
    return content_id("level", base_sha256, json.dumps(facts, sort_keys=True), below, *held)
