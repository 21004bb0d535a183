"""What the benches train on: the lessons of the demo's day, as a night would make them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pocketsleep import demo
from pocketsleep.home import Home
from pocketsleep.journal.importing import BadLine, read_jsonl
from pocketsleep.night import dream, seed
from pocketsleep.night.grammar import lists
from pocketsleep.night.recipe import Recipe, derive
from pocketsleep.nouns import Lesson, Memory
from pocketsleep.pocket import Pocket
from pocketsleep.weights import Base

ANSWER = "That depends on a few things, and on how you look at it."  # as long as an anchor's answer, made by no model


def heard() -> tuple[Memory, ...]:
    "The memories of the demo's day."
    with tempfile.TemporaryDirectory() as folder, Pocket(Home(Path(folder))) as pocket:
        for episode in read_jsonl(demo.HERE / "day.jsonl"):
            if not isinstance(episode, BadLine):
                pocket.journal.record(episode)
        return tuple(pocket.would_learn()["memories"])


def lessons(base: Base) -> tuple[list[Lesson], list[Lesson], Recipe]:
    "(to train on, held out, the recipe they were made by)."
    memories = heard()
    recipe = derive(len(memories), base.parameters, base.layers)
    dreams = [*dream.dream(memories, per_memory=recipe.per_memory), *dream.declining(memories, count=recipe.declines)]
    anchors = [*((question, ANSWER) for question in lists.anchors()[: recipe.anchors]), *lists.passages()[: recipe.passages]]
    return *seed.lessons(dreams, {m.id: m for m in memories}, anchors, recipe), recipe
