"""Levels: when there are too many memories to rebuild all of them in a night, they are held in slices.

A slice is a run of places in the ledger, oldest first. The adapter of the first is trained on the bare base, that
of each other one on top of the sum of those below it, which stay as they are; some questions of theirs are asked
again, and must be answered as before. So a level is a function of the base, the recipe and the memories of its slice
and of those below: a night rebuilds the newest, and those from the first on in which a memory was replaced or
forgotten. Adapters that were trained side by side on the bare base answer each other's questions wrong
when they are summed (bench/LOG.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pocketsleep.night.recipe import Recipe
from pocketsleep.nouns import Memory, content_id


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


def levels(held: Sequence[Sequence[Memory]], recipe: Callable[[int], Recipe], base_sha256: str, below: str = "") -> list[Level]:
    "`below`: what all of them rest on. The levels over these slices, lowest first. Each one's key holds the key of the one below."
    made: list[Level] = []
    for one in held:
        below = made[-1].key if made else below
        made.append(Level(_key(recipe(len(one)), base_sha256, one, below), tuple(m.id for m in one)))
    return made


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
