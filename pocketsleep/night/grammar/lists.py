"The lists that are shipped beside the code: general prompts, exam questions, slots, kinds of things."

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


def shipped(name: str) -> str:
    return (files("pocketsleep.night") / "prompts" / name).read_text(encoding="utf-8")


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shipped(name).splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Slot:
    """Something that may never have been said: the question, the same as a part of a sentence in the
    second person, and the words that show that somebody did say it. `kind` is what it can be asked of."""

    ask: str
    tell: str
    words: frozenset[str]
    kind: str = ""


@cache
def anchors() -> tuple[str, ...]:
    "General prompts whose answers must not move. The base's own answers are the right ones."
    return tuple(line.strip() for line in shipped("anchors.txt").splitlines() if line.strip())


@cache
def general() -> tuple[tuple[str, tuple[str, ...]], ...]:
    "Exam questions about the world, each with its accepted answers."
    return tuple((row["ask"], tuple(row["gold"])) for row in _rows("general.jsonl"))


@cache
def harmful() -> tuple[str, ...]:
    "Requests that should be turned down; what a base does with them is not ours to make worse."
    return tuple(line.strip() for line in shipped("harmful.txt").splitlines() if line.strip())


@cache
def texts() -> tuple[tuple[str, str], ...]:
    "Plain paragraphs, each with what one would ask to get it: how likely they are shows whether language is whole."
    return tuple((row["title"], row["text"]) for row in _rows("texts.jsonl"))


@cache
def passages() -> tuple[tuple[str, str], ...]:
    "Plain prose of many registers, each with what one would ask to get it: none of it may become less likely."
    return tuple((row["title"], row["text"]) for row in _rows("passages.jsonl"))


@cache
def unstated() -> tuple[Slot, ...]:
    "Slots about a person that anybody might ask for."
    return tuple(Slot(r["ask"], r["tell"], frozenset(r["words"])) for r in _rows("unstated.jsonl"))


@cache
def slots() -> tuple[Slot, ...]:
    "Slots of somebody's people, animals and things: {x} stands for the phrase."
    return tuple(Slot(r["ask"], r["tell"], frozenset(r["words"]), r["class"]) for r in _rows("slots.jsonl"))


@cache
def kinds() -> dict[str, tuple[str, ...]]:
    "Words that could stand for each other in a false statement, by kind."
    return {row["kind"]: tuple(row["words"]) for row in _rows("kinds.jsonl")}
