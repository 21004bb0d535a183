"""Memory layers on the MLX runtime: naps over messages that leave the window, and a model that reads what they wrote.

A nap goes over what leaves part by part, none longer than the talks that the layers were trained on (`chunk` of their recipe):
so its memory does not grow with what leaves, and it reads no more at once than it was taught to. The window of a talk is the
engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pocketsleep.errors import BadInput, ModelError
from pocketsleep.fastweights.keeping import State
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.nouns import Message
from pocketsleep.weights import Base

# isort: split
import mlx.nn as nn

CHUNK, PASSES = 420, 1  # where the layers' recipe does not say how they were trained
LEAST = 32  # tokens that are gone over at once


class Memory:
    "The layers of one base, and how they are used."

    def __init__(self, layers: MemoryLayers) -> None:
        self.layers, self.base, self.sha256 = layers, layers.base, layers.sha256
        self.chunk, self.passes = int(layers.recipe.get("chunk", CHUNK)), int(layers.recipe.get("passes", PASSES))
        if self.chunk < LEAST or self.passes < 1:
            raise BadInput(f"memory layers for naps of {self.passes} passes over {self.chunk} tokens at a time",
                           hint=f"{LEAST} tokens or more, one pass or more: `pocketsleep memory-layers train`")

    @staticmethod
    def load(file: Path, base_sha256: str, model: nn.Module) -> Memory:
        "Raises AdapterError for a file that is torn or of another base, ModelError where the layers do not fit."
        layers = MemoryLayers.load(file, base_sha256)
        layers.attach(model)
        return Memory(layers)

    @property
    def widest(self) -> int:
        "Key channels of a head: which kernel naps run on hangs on it."
        return max(layer.shape.key for layer in self.layers.layers)

    @property
    def state_bytes(self) -> int:
        "Of one conversation, however long it is."
        return sum(layer.empty().nbytes for layer in self.layers.layers)

    @property
    def about(self) -> str:
        "For `doctor`."
        size = f"{_many(len(self.layers.layers), 'layer')} of {self.layers.parameters / 1e6:.1f}M numbers"
        naps = f"naps of {_many(self.passes, 'pass', 'passes')} over at most {self.chunk} tokens at a time"
        return f"{size}, {naps}, a state of {self.state_bytes / 1e3:.0f} kB"

    def reading(self, model: nn.Module, state: State) -> Remembering | nn.Module:
        "The model with a state to read. An empty one reads as nothing: then it is the model itself."
        if state.empty:
            return model
        seen = self.layers.attach(model)
        seen.check(state)
        seen.state = state
        return seen

    def nap(self, model: nn.Module, base: Base, messages: Sequence[Message], state: State | None,
            progress: Callable[[float], None], cancelled: Callable[[], bool]) -> State | None:
        "The state after all of them, None where it was stopped: then none of it counts."
        seen = self.layers.attach(model)
        state = state if state is not None else self.layers.fresh()
        parts = list(_parts(base, messages, self.chunk))
        for n, part in enumerate(parts):
            def tick(done: int, total: int, before: int = n) -> None:
                progress((before + done / total) / len(parts))

            state = seen.nap(part, state, self.passes, tick, cancelled)
            if cancelled():
                return None
        return state


def head(base: Base) -> list[int]:
    "What every window begins with: the tokens up to the first word of the first message."
    one, other = (base.prompter.ids([Message("user", word)]) for word in ("Hello", "What"))
    return one[: _same(one, other)]


def _parts(base: Base, messages: Sequence[Message], most: int) -> Iterator[list[int]]:
    "At most so many tokens that leave together, cut where a turn begins if one does in the second half."
    ids = _ids(base, messages)
    while ids:
        turns = [i for i in range(most // 2, most + 1) if i < len(ids) and ids[i] == base.prompter.turn_start]
        end = len(ids) if len(ids) <= most else turns[-1] if turns else most
        yield ids[:end]
        ids = ids[end:]


def _ids(base: Base, messages: Sequence[Message]) -> list[int]:
    "As they stood in the window, without what stands in front of every conversation."
    if not messages:
        return []
    try:
        ids = base.prompter.ids(messages, generate=False)
    except ModelError:  # what is hidden in between leaves turns that do not alternate
        return base.tokenizer.encode("\n".join(message.content for message in messages))
    return ids[_same(ids, head(base)) :]


def _same(a: Sequence[int], b: Sequence[int]) -> int:
    "How many tokens two rows have in common at their beginning."
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one}" if count == 1 else f"{count} {more or one + 's'}"
