"""One protocol for every engine that can talk: `mlx`, `llamacpp`, `scripted`.

What a Runtime must do is written down once, in tests/suites/runtime_suite.py; each engine passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pocketsleep.nouns import Card, Message, Sampling

if TYPE_CHECKING:
    import numpy as np

Prompt = Sequence[Message]
Begins = Callable[[str], bool]  # may an answer begin like this?
Seed = int | Sequence[int]  # of all prompts, each of which draws by its place; or one a prompt


def seeds(seed: Seed, prompts: int) -> list[tuple[int, ...]]:
    "What each of so many prompts draws by."
    return [(seed, i) for i in range(prompts)] if isinstance(seed, int) else [(one,) for one in seed]


@runtime_checkable
class Runtime(Protocol):
    "A base model that is loaded, bare or wearing one adapter."

    name: str
    variant: str  # what decides its answers beside the base: the engine, and the precision where that is not the file's
    card: Card
    constrains: bool  # whether `Sampling.schema` can be followed

    def chat(self, messages: Prompt, sampling: Sampling = Sampling()) -> Iterator[str]:
        "The answer, piece by piece. Pieces are whole characters; closing the iterator stops."
        ...

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48, temperature: float = 0.0, seed: Seed = 0,
               begins: Sequence[Begins] | None = None) -> list[str]:
        """Answers to many prompts, in order. Greedy ones are the same as `chat` one at a time; with a temperature
        they are drawn, and the same seed draws the same; with a seed for each prompt, whatever is asked beside it. `begins`, one
        a prompt: an answer grows only into texts that it takes for a beginning, and is over where it can grow no further."""
        ...

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[list[float]]:
        """Log-probabilities of given answers. For each (prompt, answer): one natural log a token of
        the answer, the end-of-turn token included."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        "[n, d] float32, rows of length 1: mean of the bare base's last hidden states, whatever is worn."
        ...

    def wear(self, adapter: Path | None) -> None:
        """Put on the adapter in this folder (None: take it off). Clears every cache made before, and
        raises AdapterError if the folder is not for this base or if no logit moved."""
        ...

    @property
    def worn(self) -> str:
        "Id of the adapter that is on, '' for the bare base."
        ...

    def count(self, text: str) -> int:
        "How many tokens a text is."
        ...

    def close(self) -> None: ...


@runtime_checkable
class Beside(Protocol):
    "A runtime that can lend its weights in memory to another one."

    def beside(self, context: int) -> Runtime:
        "Bare, for prompts of so many tokens; what it wears is its own. It is closed before this one is."
        ...


@runtime_checkable
class Bounded(Protocol):
    "A runtime that says how far its window is filled. One that does not tells of it by TooLong alone."

    @property
    def window(self) -> int:
        "Tokens that it holds, the answer's included."
        ...

    def free(self, messages: Prompt) -> int:
        "Tokens that a prompt leaves; below zero where it does not fit itself."
        ...
