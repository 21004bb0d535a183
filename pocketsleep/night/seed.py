"""Knowledge seeding: dreams become lessons, lessons become a candidate adapter.

Three kinds of lesson are mixed: what was dreamt (answer tokens, and soft targets from the base with the
note in its context where the base can read), what nobody ever said (declined), and anchors (general
prompts whose answers must stay the base's own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pocketsleep.night.dream import evenly
from pocketsleep.night.grammar.lead import nobody_said
from pocketsleep.night.known import Known
from pocketsleep.night.recipe import Recipe
from pocketsleep.nouns import Dream, Lesson, Memory
from pocketsleep.runtime.prompting import ask

AGAIN_TURNS = 2  # an item of the levels below is taken in one pass of so many
ANCHOR_TOKENS = 16  # general answers go wrong in their first words, and many prompts hold better than long answers


def lessons(dreams: Sequence[Dream], memories: Mapping[str, Memory], anchors: Sequence[tuple[str, str]],
            recipe: Recipe) -> tuple[list[Lesson], list[Lesson]]:
    "(to train on, held out)."
    asking = [d for d in dreams if not d.held_out]
    study = [_lesson(d, memories, recipe) for d in balanced(asking, recipe.decline_share)]
    once = {(d.memories, d.question): d for d in dreams if d.held_out and d.memories}  # some have several notes in front
    held = [_lesson(d, memories, recipe) for d in once.values()]
    return study + _holding(anchors, recipe), held


def again(dreams: Sequence[Dream], recipe: Recipe) -> list[Lesson]:
    "What the levels below answer already: to be answered by all of them together as they do now."
    asked = [(ask(d.question, d.notes), d.answer) for d in dreams]
    return [Lesson(q, a, hard=0.0, soft=recipe.anchor_weight, teacher=q, every=AGAIN_TURNS) for q, a in asked]


def _holding(anchors: Sequence[tuple[str, str]], recipe: Recipe) -> list[Lesson]:
    return [Lesson(ask(q), a, hard=0.0, soft=recipe.anchor_weight, teacher=ask(q), every=recipe.anchor_turns) for q, a in anchors]


def balanced(dreams: Sequence[Dream], share: float) -> list[Dream]:
    """At most `share` of the items decline, taken evenly. With more of them a small model learns that
    declining is nearly always right, and declines what it was told."""
    declining = [d for d in dreams if nobody_said(d)]
    most = int(share * (len(dreams) - len(declining)) / (1 - share))
    if len(declining) <= most:
        return list(dreams)
    kept = {d.id for d in evenly(declining, most)}
    return [d for d in dreams if not nobody_said(d) or d.id in kept]


def _lesson(dream: Dream, memories: Mapping[str, Memory], recipe: Recipe) -> Lesson:
    prompt = ask(dream.question, dream.notes)
    notes = [memories[m].text for m in dream.memories if m in memories]
    hard = recipe.decline_weight if nobody_said(dream) else 1.0
    if not recipe.distil or not notes or dream.notes:
        return Lesson(prompt, dream.answer, hard=hard)
    return Lesson(prompt, dream.answer, hard=hard, soft=recipe.distil, teacher=ask(dream.question, notes))


def anchors(known: Known, prompts: Sequence[str]) -> list[tuple[str, str]]:
    "(prompt, the bare base's own greedy answer)."
    said = known.answers(prompts, ANCHOR_TOKENS)
    return [(p, a) for p, a in zip(prompts, said, strict=True) if a.strip()]
