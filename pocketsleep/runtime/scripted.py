"""A runtime that has learned its lines: no weights, no clock, no surprises.

Tests and `chat --dry` use it. Every part of the protocol is there, by rules that can be worked out by hand.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np

from pocketsleep.errors import AdapterError, NotFound
from pocketsleep.nouns import Card, Sampling
from pocketsleep.registry import read_adapter
from pocketsleep.runtime import Begins, Prompt, Seed
from pocketsleep.runtime.text import Stops, no_schema

WIDTH = 256  # of an embedding
CARD = Card(name="scripted", title="Lines learned by heart", architecture="none")


class Scripted:
    """Says its lines in order, one a prompt; `heard` are the prompts it was given.

    A token is a word with the white space before it.
    """

    name = variant = "scripted"
    constrains = False

    def __init__(self, *lines: str, card: Card = CARD, base_sha256: str = "") -> None:
        self.card, self.base_sha256, self.worn = card, base_sha256, ""
        self.lines, self.heard = deque(lines), list[Prompt]()
        self._lock = Lock()

    def chat(self, messages: Prompt, sampling: Sampling = Sampling()) -> Iterator[str]:
        if sampling.schema:
            raise no_schema(self.name)
        words = _words(self._next(messages))[: max(sampling.max_tokens, 0)]
        yield from Stops(sampling.stop).through(iter(words))

    def _next(self, messages: Prompt) -> str:
        with self._lock:
            if not self.lines:
                raise NotFound("the script has no line left", hint="give `Scripted` more lines")
            self.heard.append(tuple(messages))
            return self.lines.popleft()

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48, temperature: float = 0.0, seed: Seed = 0,
               begins: Sequence[Begins] | None = None) -> list[str]:
        "With `begins`, a line as far as it may go."
        said = ["".join(self.chat(prompt, Sampling(max_tokens=max_tokens))) for prompt in prompts]
        return said if begins is None else [_as_far(line, may) for line, may in zip(said, begins, strict=True)]

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[list[float]]:
        "Each word costs a tenth of a nat a character, the end of the turn a tenth: short answers are likely."
        return [[*(-0.1 * len(word) for word in _words(text)), -0.1] for _, text in pairs]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        "[n, 256] bags of words: each word, by its hash, adds one to a place. No words: a place too."
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                row[int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) % WIDTH] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)

    def wear(self, adapter: Path | None) -> None:
        "Checks the record as every runtime does; what is said stays the same, there is nothing to adapt."
        if adapter is None:
            self.worn = ""
            return
        found, _ = read_adapter(adapter)
        if self.base_sha256 and found.base_sha256 != self.base_sha256:
            raise AdapterError(f"adapter `{found.id}` was made for `{found.base}`, not `{self.card.name}`",
                               hint=f"`pocketsleep use {found.id} --base {found.base}`")
        self.worn = found.id

    def count(self, text: str) -> int:
        return len(_words(text))

    @property
    def about(self) -> str:
        return f"{len(self.lines)} lines left"

    def close(self) -> None:
        self.lines.clear()


def _as_far(line: str, may: Begins) -> str:
    said = ""
    for word in _words(line):
        if not may(said + word):
            break
        said += word
    return said


def _words(text: str) -> list[str]:
    "Words with the white space before them; joined, they are the text."
    return re.findall(r"\s*\S+|\s+\Z", text)
