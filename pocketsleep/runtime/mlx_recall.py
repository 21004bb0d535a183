"""What a base makes of answers: with the talk in front of it, without it, and through memory layers that napped over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np

from pocketsleep.fastweights.free import training_free
from pocketsleep.fastweights.layer import features, written
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.runtime.mlx_forward import Forward, head, picked
from pocketsleep.runtime.mlx_rows import Row, padded, positions, too_long

AT_ONCE = 8  # continuations
PROSE = 256  # tokens of prose at once, when states are whitened


@dataclass(frozen=True, slots=True)
class Continuation:
    "A prompt, and an answer to it whose tokens are judged, but for the first `given`."

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    given: int = 0


def attended(model: nn.Module, context: Sequence[int], asked: Sequence[Continuation]) -> list[np.ndarray]:
    "Nats of each answer's judged tokens, `context` being the first part of every prompt: it is read once."
    rows = [Row(one.prompt, one.answer) for one in asked]
    forward = Forward(model, [], tuple(context))
    if forward.whole or too_long(model, rows):
        every = dict(Forward(model, rows, tuple(context)).logits(rows))
        return [_nats(every[i], one.answer)[one.given :] for i, one in enumerate(asked)]
    kept = forward.read(context)
    found: list[np.ndarray] = []
    for at in range(0, len(asked), AT_ONCE):
        some = asked[at : at + AT_ONCE]
        ids = padded([[*one.prompt[len(context) :], *one.answer] for one in some])
        where = positions([(len(one.prompt) - len(context), len(one.answer)) for one in some], ids.shape[1])
        found += _split(np.array(head(model, picked(forward.behind(kept, mx.array(ids)), mx.array(where)))), some)
    return found


def _split(logits: np.ndarray, some: Sequence[Continuation]) -> list[np.ndarray]:
    "Nats of the judged tokens of some answers, whose logits [tokens, V] stand one after the other."
    ends = np.cumsum([0, *(len(one.answer) for one in some)])
    return [_nats(logits[a:b], one.answer)[one.given :] for one, (a, b) in zip(some, pairwise(ends.tolist()), strict=True)]


class Prefilled:
    "Continuations that went through the blocks once, up to the first layer that reads."

    def __init__(self, seen: Remembering, asked: Sequence[Continuation]) -> None:
        self.seen, self.parts = seen, []
        for at in range(0, len(asked), AT_ONCE):
            some = asked[at : at + AT_ONCE]
            entering: dict[int, mx.array] = {}
            ids = padded([[*one.prompt, *one.answer] for one in some])
            h = seen.through(seen.embed(mx.array(ids)), 0, seen.first, entering)
            where = mx.array(positions([(len(one.prompt), len(one.answer)) for one in some], ids.shape[1]))
            mx.eval(h, entering)
            self.parts.append((some, h, entering, where))

    def nats(self, states: Sequence[mx.array]) -> list[np.ndarray]:
        "Of each answer's judged tokens, read with these states."
        found: list[np.ndarray] = []
        seen = self.seen
        for some, h, entering, where in self.parts:
            last = seen.through(h, seen.first, len(seen.model.model.layers), dict(entering), states)
            logits = np.array(seen.head(picked(seen.model.model.norm(last), where)).astype(mx.float32))
            found += _split(logits, some)
        return found


def _nats(logits: np.ndarray, answer: Sequence[int]) -> np.ndarray:
    top = logits.max(-1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(logits - top).sum(-1))
    return np.asarray(total - logits[np.arange(len(answer)), list(answer)])


def naps(seen: Remembering, chunks: Sequence[Sequence[int]], passes: Iterable[int]) -> dict[int, Sequence[mx.array]]:
    "States after naps over chunks, by number of passes. Where no reading changes what a layer looks at, blocks run once for all."
    found: dict[int, Sequence[mx.array]] = {n: seen.memory.fresh().tensors for n in passes}
    if seen.top > seen.first:
        return {n: reduce(lambda state, chunk, n=n: seen.nap(chunk, state, n), chunks, seen.memory.fresh()).tensors  # type: ignore[misc]
                for n in found}
    for chunk in chunks:
        entering: dict[int, mx.array] = {}
        embedded = seen.embed(mx.array([list(chunk)]))
        seen.through(embedded, 0, seen.top, entering)
        writings = [layer.writing(features(entering, layer.shape.taps), embedded) for layer in seen.memory.layers]
        found = {n: [written(w, s, n) for w, s in zip(writings, states, strict=True)] for n, states in found.items()}
        mx.eval(found)
    return found


def both(memory: MemoryLayers, model: nn.Module, prose: Sequence[int], strength: float) -> Remembering:
    "The trained layers and, behind them, the training-free one, whitened on `prose`; each is silent where its state is empty."
    tap = max(layer.shape.taps[-1] for layer in memory.layers)
    entering: dict[int, mx.array] = {}
    seen = memory.attach(model)
    found = []
    for at in range(0, len(prose), PROSE):
        seen.through(seen.embed(mx.array([list(prose[at : at + PROSE])])), 0, tap, entering)
        found.append(np.array(features(entering, (tap,))[0]))
    free = training_free(np.concatenate(found), tap, len(model.model.layers), strength)
    return MemoryLayers([*memory.layers, free], memory.base).attach(model)
