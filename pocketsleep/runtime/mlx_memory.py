"""Memory layers on the MLX runtime: naps over messages that leave the window, and a model that reads what they wrote.

A nap goes over at most one window of tokens at a time, so that its memory does not grow with what leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pocketsleep.errors import BadInput, ModelError
from pocketsleep.fastweights.keeping import State
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.nouns import Message
from pocketsleep.weights import Base

# isort: split
import mlx.nn as nn

WINDOW, PASSES = 1024, 1  # where the layers' recipe does not say how they were trained
LEAST = 256  # tokens of a window that can be talked in


class Memory:
    "The layers of one base, and how they are used."

    def __init__(self, layers: MemoryLayers) -> None:
        self.layers, self.base, self.sha256 = layers, layers.base, layers.sha256
        self.window, self.passes = int(layers.recipe.get("window", WINDOW)), int(layers.recipe.get("passes", PASSES))
        if self.window < LEAST or self.passes < 1:
            raise BadInput(f"memory layers for a window of {self.window} tokens and naps of {self.passes} passes",
                           hint=f"a window of {LEAST} or more, one pass or more: `pocketsleep memory-layers train`")

    @staticmethod
    def load(file: Path, base_sha256: str, model: nn.Module) -> Memory:
        "Raises AdapterError for a file that is torn or of another base, ModelError where the layers do not fit."
        layers = MemoryLayers.load(file, base_sha256)
        layers.attach(model)
        return Memory(layers)

    @property
    def state_bytes(self) -> int:
        "Of one conversation, however long it is."
        return sum(layer.empty().nbytes for layer in self.layers.layers)

    @property
    def about(self) -> str:
        "For `doctor`."
        size = f"{len(self.layers.layers)} layers of {self.layers.parameters / 1e6:.1f}M numbers"
        return f"{size}, a window of {self.window} tokens, naps of {self.passes} passes, a state of {self.state_bytes / 1e3:.0f} kB"

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
        seen, ids = self.layers.attach(model), _ids(base, messages)
        state = state if state is not None else self.layers.fresh()
        parts = [ids[at : at + self.window] for at in range(0, len(ids), self.window)]
        for n, part in enumerate(parts):
            def tick(done: int, total: int, before: int = n) -> None:
                progress((before + done / total) / len(parts))

            state = seen.nap(part, state, self.passes, tick, cancelled)
            if cancelled():
                return None
        return state


def _ids(base: Base, messages: Sequence[Message]) -> list[int]:
    "As they stood in the window, without what stands in front of every conversation."
    if not messages:
        return []
    try:
        ids, front = base.prompter.ids(messages, generate=False), base.prompter.ids([Message("user", "?")], generate=False)
    except ModelError:  # what is hidden in between leaves turns that do not alternate
        return base.tokenizer.encode("\n".join(message.content for message in messages))
    same = next((n for n, (a, b) in enumerate(zip(ids, front, strict=False)) if a != b), 0)
    return ids[same:]
