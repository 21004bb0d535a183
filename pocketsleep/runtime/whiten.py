"""What general prompts use, a LoRA is slow to use: its inputs are whitened by their second moment on the anchors.

Adam moves every weight of A by as much, so A learns from whatever is loud in its input, and that is what all
prompts share. Training A = W A' instead, with W = g (1 + C / c)^-1/2 over the strongest directions of the moment
C of the inputs on general prompts, evens out how loudly they speak: the same facts are held by an adapter that
general prompts move less. It is natural gradient (Amari, 1998) with the metric of what must not move; projecting those
directions out altogether (Saha et al. 2021, 2103.09762; Fang et al. 2025, 2410.02355) costs recall. What is
exported is W A', an ordinary LoRA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.tuner.lora import LoRALinear

from pocketsleep.runtime.mlx_rows import Row

TOKENS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Filter:
    "W = gain (1 - span diag(cut) span'), symmetric: span [in, k] orthonormal, cut [k, 1]. NumPy's or MLX's arrays."

    span: Any
    cut: Any  # 1 - (1 + eigenvalue / c)^-1/2
    gain: float  # inputs through W have the energy that they had

    def __call__(self, a: Any) -> Any:
        "W a, [in, r]."
        return self.gain * (a - self.span @ (self.cut * (self.span.T @ a)))

    def on_device(self) -> Filter:
        return Filter(mx.array(self.span), mx.array(self.cut), self.gain)


class Listening(nn.Module):
    "A layer that remembers what it was last given."

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.heard: list[mx.array] = []

    def __call__(self, x: mx.array) -> mx.array:
        self.heard[:] = [x]
        return self.inner(x)


def filters(moments: Mapping[str, np.ndarray], share: float) -> dict[str, Filter]:
    "By the name of each lora_a. Layers that share their input share its moment, and its filter."
    known: dict[int, Filter] = {}
    for moment in moments.values():
        if id(moment) not in known:
            known[id(moment)] = whitening(moment, share)
    return {name: known[id(moment)] for name, moment in moments.items()}


def add(moments: dict[str, np.ndarray], inputs: Mapping[str, np.ndarray], often: np.ndarray | float = 1.0) -> None:
    """Add x'x [in, in] of what each layer was given [n, in], each token at a length of 1 (times `often`): the first
    token's can be a thousand times as long as the others', and would be all that is seen."""
    made: dict[int, np.ndarray] = {}
    for name, x in inputs.items():
        if id(x) not in made:
            flat = x * (often / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6))
            made[id(x)] = flat.T @ flat + moments.get(name, 0.0)
        moments[name] = made[id(x)]


def moments(model: nn.Module, rows: Sequence[Row]) -> dict[str, np.ndarray]:
    "The same by the model's own pass, for every layer that has a LoRA on it."
    found: dict[str, np.ndarray] = {}
    with _listening(model) as layers:
        for ids in _groups(rows):
            model.model(ids)
            heard = {id(layer.heard[0]): layer.heard[0] for layer in layers.values()}
            flat = {key: np.array(x.reshape(-1, x.shape[-1]).astype(mx.float32)) for key, x in heard.items()}
            add(found, {f"{name}.lora_a": flat[id(layer.heard[0])] for name, layer in layers.items()})
    return found


@contextmanager
def _listening(model: nn.Module) -> Iterator[dict[str, Listening]]:
    places = [(name, model.model.layers[int(name.split(".")[2])], name.split(".")[3:])
              for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    layers: dict[str, Listening] = {}
    try:
        for name, block, (part, linear) in places:
            layers[name] = Listening(block[part][linear])
            block[part][linear] = layers[name]
        yield layers
    finally:
        for name, block, (part, linear) in places:
            if name in layers:
                block[part][linear] = layers[name].inner


def _groups(rows: Sequence[Row]) -> Iterator[mx.array]:
    "Ids [B, T] of rows of one length: without padding every token counts."
    order = sorted((list((*r.prompt, *r.answer)) for r in rows), key=len)
    for length, alike in groupby(order, key=len):
        some = list(alike)
        step = max(1, TOKENS_AT_ONCE // length)
        for at in range(0, len(some), step):
            yield mx.array(some[at : at + step])


def whitening(moment: np.ndarray, share: float) -> Filter:
    "The fewest eigenvectors of a moment [n, n] that hold `share` of its trace; c is the weakest one's eigenvalue."
    values, vectors = np.linalg.eigh(moment)
    values, vectors = np.maximum(values[::-1], 0.0).astype(np.float64), vectors[:, ::-1]
    held = np.cumsum(values)
    count = min(int(np.searchsorted(held, share * held[-1])) + 1, len(values))
    kept, rest = values[:count], held[-1] - held[count - 1]
    left = (1.0 + kept / max(kept[-1], np.finfo(np.float32).tiny)) ** -0.5
    gain = float(np.sqrt(held[-1] / max((kept * left**2).sum() + rest, np.finfo(np.float32).tiny)))
    return Filter(np.ascontiguousarray(vectors[:, :count], np.float32), (1.0 - left).astype(np.float32)[:, None], gain)
