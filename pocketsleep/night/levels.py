"""Levels: when there are too many memories to rebuild all of them in a night, they are held in slices.

A slice is a run of places in the ledger, oldest first. The adapter of the first is trained on the bare base, that
of each other one on top of the sum of those below it, which stay as they are; some questions of theirs are asked
again, and must be answered as before. So a level is a function of the base, the recipe and the memories of its slice
and of those below: a night rebuilds the newest, and those from the first on in which a memory was forgotten. One that
was replaced stays where it was learnt until a quarter of its slice is of that kind: the slice of its successor, which
lies above, learns the contrast, and two levels a night would not keep up with what changes among hundreds of memories.
Adapters that were trained side by side on the bare base answer each other's questions wrong when they are summed
(bench/LOG.md).

How a night teaches (its depth, its seed, its passes) is asked of what it trains alone: a level of the same memories, base and
shape on the same level below is as good a part of the sum however it was taught, and stays. And no night takes off what is worn:
where levels have to be made anew, all up to the highest that holds something worn are made in that night, however many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pocketsleep.night.recipe import Recipe
from pocketsleep.nouns import Memory, content_id

REPLACED = 0.25  # most of a slice that was replaced since it was trained
SHAPE = ("scale", "keys", "first_layer", "layers")  # of a recipe: adapters that differ in one of these are no sum
BY = "-by-"  # between what a level is and how it was taught, in its name


@dataclass(frozen=True, slots=True)
class Level:
    "One adapter to be: the memories of its slice, and the name of all that it is a function of."

    key: str  # what it is for the sum, and how it was taught
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
           replaced: Sequence[Sequence[Memory]] = (), made: Collection[str] = (),
           stays: Collection[str] | None = None) -> list[Level]:
    """The levels over these slices, lowest first. Each one's key holds the key of the one below; `below`: what all of them rest on.

    replaced: by slice, what was learnt there and has a successor by now, the latest first. A level that was `made` when
    some of these still held is taken as it is. stays: of what was made, the keys of levels that another recipe may have taught
    (all of it)."""
    found: list[Level] = []
    alike = {_kind_of(key): key for key in (made if stays is None else stays)}
    for number, one in enumerate(held):
        below = found[-1].key if found else below
        gone = replaced[number] if number < len(replaced) else ()
        ways = ([*one, *gone[:more]] for more in range(1 + len(gone)) if more <= REPLACED * (len(one) + more))
        named = [Level(_key(recipe(len(way)), base_sha256, way, below), tuple(m.id for m in way)) for way in ways]
        found.append(_standing(named, alike) or next((level for level in named if level.key in made), named[0]))
    return found


def _standing(named: Sequence[Level], alike: Mapping[str, str]) -> Level | None:
    "The first that stays, by the name it was made under: before one that was made as is asked for now, and taken off since."
    return next((replace(level, key=alike[kind]) for level in named if (kind := _kind_of(level.key)) in alike), None)


def tonight(wanted: Sequence[Level], made: Mapping[str, str], most: int,
            held: Collection[str] = ()) -> tuple[list[Level], list[Level]]:
    """(to train, to wear), lowest first: of those that are not made at most `most`, but all up to the last that has a memory which
    is `held` by what is worn now. What does not rest on levels that are made or trained tonight waits for the next night.
    made: key -> adapter id."""
    holding = max((n for n, level in enumerate(wanted, 1) if not set(held).isdisjoint(level.memories)), default=0)
    missing = [(n, level) for n, level in enumerate(wanted, 1) if level.key not in made]
    now = [level for number, (n, level) in enumerate(missing) if number < most or n <= holding]
    worn: list[Level] = []
    for level in wanted:
        if level.key not in made and level not in now:
            break
        worn.append(level)
    return [level for level in now if level in worn], worn


def _key(recipe: Recipe, base_sha256: str, memories: Sequence[Memory], below: str) -> str:
    """What a level is for the sum, then how it was taught, which the recipe alone says. What a memory replaced is asked for in
    contrast to it, so it is part of the name."""
    facts = {name: value for name, value in recipe.plain().items() if name != "reasons"}
    shape = {name: facts[name] for name in SHAPE}
    held = sorted(f"{m.id} {m.supersedes}" for m in memories)
    kind = content_id("level", base_sha256, json.dumps(shape, sort_keys=True), below, *held)
    return kind + BY + content_id("taught", json.dumps(facts, sort_keys=True))


def _kind_of(key: str) -> str:
    "What a level of this name is for the sum."
    return key.partition(BY)[0]
