"One of each hook. docs/plugins.md explains them."

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pocketsleep.hooks import Importer, Offer, impl
from pocketsleep.nouns import Card, Dropped, Memory, Night
from pocketsleep.weights import Base


@impl
def importer() -> Importer:
    "Diaries: one day a paragraph, each a conversation in which only you speak."

    def read(path: Path) -> Iterator[dict[str, Any]]:
        for number, day in enumerate(path.read_text(encoding="utf-8").split("\n\n")):
            yield {"id": f"{path.stem}-{number}", "messages": [{"role": "user", "content": day}]}

    return Importer("diary", "a text file, a day a paragraph", lambda path: path.suffix == ".diary", read)


@impl
def recaller(question: str, memories: Sequence[Memory]) -> list[str] | None:
    "'What have I told you lately?' calls for the newest notes, whatever their words."
    if not re.search(r"\b(?:lately|recently)\b", question):
        return None
    return [m.id for m in reversed(memories)][:3]


@impl
def scrubber(text: str) -> list[tuple[str, str]]:
    "This company's staff numbers."
    return [("staff number", found) for found in re.findall(r"\bE-\d{5}\b", text)]


@impl
def runtime(card: Card, base: Base) -> Offer | None:
    "llama.cpp on one core, which leaves the others to you."
    if base.gguf is None:
        return None

    def load():  # type: ignore[no-untyped-def]
        from pocketsleep.runtime.llamacpp import LlamaCpp

        return LlamaCpp(card, base, threads=1)

    return Offer("llamacpp-1", "one core", load)


@impl
def report(night: Night, learnt: Sequence[Memory], dropped: Sequence[Dropped]) -> None:
    "A line a night, where the variable says."
    if place := os.environ.get("POCKETSLEEP_EXAMPLE_DIARY"):
        outcome = night.verdict.outcome if night.verdict else "unfinished"
        with Path(place).open("a", encoding="utf-8") as diary:
            diary.write(f"night {night.id}: {outcome}, {len(learnt)} learnt, {len(dropped)} dropped\n")
