"""The memory layers of one base, and the base that wears them: read through, nap over what leaves.

    layers = MemoryLayers.load(path, base_sha256)       # or MemoryLayers.new(...)
    seen   = layers.attach(model)                       # called as mlx_lm calls a model; the model itself is not touched
    seen.state = seen.nap(tokens, seen.state, passes=2) # before their cache is dropped
    logits = seen(ids, cache=cache)                     # reads seen.state at every token

A nap goes over its tokens N times, as arXiv:2605.26099 does: the first pass reads what was there before it, each further
one what the last has left, and all write. Keys and values of blocks above the lowest layer are computed anew in each pass;
where nothing that a layer looks at can change, the passes are the kernel's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.errors import AdapterError, BadInput, ModelError
from pocketsleep.fastweights import keeping
from pocketsleep.fastweights.keeping import State
from pocketsleep.fastweights.layer import MemoryLayer, Shape, added, features, written

# isort: split
import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.models.base import create_attention_mask
from mlx_lm.models.cache import make_prompt_cache

FAMILIES = ("llama", "gemma3_text")
LARGEST = 0.1  # of the base's parameters
Progress = Callable[[int, int], None]


class MemoryLayers:
    "Layers with the hash of the base they were made for."

    def __init__(self, layers: Sequence[MemoryLayer], base_sha256: str, recipe: dict[str, Any] | None = None) -> None:
        self.layers, self.base, self.recipe = list(layers), base_sha256, dict(recipe or {})

    @staticmethod
    def new(shapes: Sequence[Shape], base_sha256: str, seed: int = 0) -> MemoryLayers:
        "Layers that change nothing yet."
        return MemoryLayers([MemoryLayer(shape, seed + i) for i, shape in enumerate(shapes)], base_sha256)

    @property
    def parameters(self) -> int:
        return sum(layer.shape.parameters for layer in self.layers)

    @property
    def sha256(self) -> str:
        "Of shapes and of weights as they are stored, so the same before saving and after loading."
        digest = hashlib.sha256(json.dumps([asdict(layer.shape) for layer in self.layers]).encode())
        for name, values in sorted(self._tensors().items()):
            digest.update(name.encode() + values.tobytes())
        return digest.hexdigest()

    def _tensors(self) -> dict[str, np.ndarray]:
        found: list[Any] = [[f"{i}.{name}", value] for i, layer in enumerate(self.layers)
                            for name, value in _flat(layer.trainable_parameters())]
        return {name: np.array(value.astype(mx.float16)) for name, value in found}

    def save(self, path: Path) -> None:
        "Half precision, with shapes, recipe and the base's hash in the header."
        note = {"base": self.base, "shapes": [asdict(layer.shape) for layer in self.layers], "recipe": self.recipe}
        keeping.write(path, "memory_layers", note, self._tensors())

    @staticmethod
    def load(path: Path, base_sha256: str) -> MemoryLayers:
        "Raises AdapterError for a file that is torn, or was made for another base."
        note, tensors = keeping.opened(path, "memory_layers")
        if note["base"] != base_sha256:
            told = f"the memory layers `{path.name}` were made for the base {note['base'][:12]}, this is {base_sha256[:12]}"
            raise AdapterError(told, hint="pocketsleep memory-layers train")
        shapes = [Shape(**{**one, "taps": tuple(one["taps"])}) for one in note["shapes"]]
        made = MemoryLayers.new(shapes, base_sha256)
        made.recipe = note["recipe"]
        wanted = {name: value.shape for name, value in made._tensors().items()}
        if {name: value.shape for name, value in tensors.items()} != wanted:
            raise AdapterError(f"`{path}` does not hold the layers that its header tells of", hint="install pocketsleep again")
        for i, layer in enumerate(made.layers):
            mine = {name.split(".", 1)[1]: v for name, v in tensors.items() if name.startswith(f"{i}.")}
            layer.load_weights([(name, mx.array(v.astype(np.float32))) for name, v in mine.items()])
        return made

    def fresh(self) -> State:
        "Nothing was written yet."
        return State(tuple(layer.empty() for layer in self.layers), self.base, self.sha256)

    def attach(self, model: nn.Module) -> Remembering:
        "The model with these layers between its blocks. Raises ModelError where they do not fit."
        return Remembering(model, self)


class Remembering:
    "A base that reads what naps have written. Called as the base itself is; whatever else is asked is the base's answer."

    def __init__(self, model: nn.Module, memory: MemoryLayers) -> None:
        if model.model_type not in FAMILIES:
            raise ModelError(f"memory layers do not know how a {model.model_type} model is put together",
                             hint=f"a base of one of these families: {', '.join(FAMILIES)}")
        deep, width = len(model.model.layers), model.args.hidden_size
        for shape in (layer.shape for layer in memory.layers):
            if shape.width != width or not 0 <= max(shape.taps) <= shape.at <= deep:
                where = f"before block {shape.at} of width {shape.width}"
                raise ModelError(f"a memory layer {where} does not fit {deep} blocks of width {width}",
                                 hint="pocketsleep memory-layers train")
        size = _count(model)
        if memory.parameters > LARGEST * size:
            raise ModelError(f"memory layers of {memory.parameters} numbers are more than a tenth of the base's {size}",
                             hint="fewer or smaller layers")
        self.model, self.memory = model, memory
        self.state: State | None = None
        self.first = min(layer.shape.at for layer in memory.layers)  # what enters this block no reading has changed
        self.top = max(max(layer.shape.taps) for layer in memory.layers)  # beyond it nothing is looked at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def make_cache(self) -> list[Any]:
        return make_prompt_cache(self.model)

    def __call__(self, inputs: mx.array, cache: Any = None, input_embeddings: mx.array | None = None) -> mx.array:
        "Logits [B, T, V], as the base gives them; read with `state`, if there is one."
        return self.head(self.hidden(inputs, cache, input_embeddings))

    def hidden(self, inputs: mx.array, cache: Any = None, input_embeddings: mx.array | None = None) -> mx.array:
        "Normed last states [B, T, D]."
        state = self.state
        tensors = state.tensors if state is not None and not state.empty else None
        h = self.embed(inputs) if input_embeddings is None else self.scaled(input_embeddings)
        return self.model.model.norm(self.through(h, 0, len(self.model.model.layers), {}, tensors, cache))

    def head(self, states: mx.array) -> mx.array:
        return self.model.model.embed_tokens.as_linear(states) if "lm_head" not in self.model else self.model.lm_head(states)

    def embed(self, ids: mx.array) -> mx.array:
        return self.scaled(self.model.model.embed_tokens(ids))

    def scaled(self, embedded: mx.array) -> mx.array:
        if self.model.model_type != "gemma3_text":
            return embedded
        return embedded * mx.array(self.model.args.hidden_size**0.5, mx.bfloat16).astype(embedded.dtype)

    def through(self, h: mx.array, start: int, stop: int, entering: dict[int, mx.array], states: Sequence[mx.array] | None = None,
                cache: Any = None, tick: Callable[[int, mx.array], None] | None = None) -> mx.array:
        """h [B, T, D] through blocks start..stop - 1 and the layers before them (where `stop` is the end, behind them too); what
        enters each block that a layer looks at is put into `entering`, `stop` included. `tick` is told of each block done."""
        blocks = self.model.model.layers
        masks: dict[bool, Any] = {}
        taps = {tap for layer in self.memory.layers for tap in layer.shape.taps}
        for i in range(start, stop + 1):
            if i in taps:
                entering[i] = h
            if i == stop < len(blocks):
                return h
            h = self._read(i, h, entering, states)
            if i == stop:
                return h
            held, kind = cache[i] if cache is not None else None, _sliding(blocks[i])
            if kind not in masks:
                masks[kind] = create_attention_mask(h, held, window_size=self._window if kind else None)
            h = blocks[i](h, masks[kind], held)
            if tick is not None:
                tick(i, h)
        return h

    def _read(self, i: int, h: mx.array, entering: dict[int, mx.array], states: Sequence[mx.array] | None) -> mx.array:
        if states is not None:
            for layer, state in zip(self.memory.layers, states, strict=True):
                if layer.shape.at == i:
                    h = added(h, layer.reading(features(entering, layer.shape.taps), state))
        return h

    @property
    def _window(self) -> int:
        return int(getattr(self.model.args, "sliding_window", None) or 0)

    def nap(self, tokens: Sequence[int], state: State | None = None, passes: int = 1,
            progress: Progress = lambda done, total: None, cancelled: Callable[[], bool] = lambda: False) -> State:
        """The state after `passes` over tokens that leave the window; the one given (None: an empty one) is not changed, and
        is what comes back when `cancelled` says so. `progress(blocks done, blocks in all)`."""
        before = state if state is not None else self.memory.fresh()
        self.check(before)
        if passes < 1:
            raise BadInput(f"a nap of {passes} passes", hint="one or more")
        if not len(tokens):
            return before
        changing = max(0, self.top - self.first)  # blocks that a further pass goes through again
        again = passes - 1 if self._changes() else 0
        done, total = 0, self.top + again * changing

        def tick(_: int, h: mx.array) -> None:
            nonlocal done
            mx.eval(h)
            done += 1
            progress(done, total)
            if cancelled():
                raise _Cancelled

        try:
            tensors = self._passes(mx.array([list(tokens)]), before.tensors, passes, tick)
        except _Cancelled:
            return before
        mx.eval(tensors)
        return before if cancelled() else State(tuple(tensors), before.base, before.layers, before.tokens + len(tokens))

    def _changes(self) -> bool:
        "Whether what one layer reads can change what another looks at."
        return self.top > self.first

    def _passes(self, ids: mx.array, tensors: Sequence[mx.array], passes: int,
                tick: Callable[[int, mx.array], None]) -> list[mx.array]:
        entering: dict[int, mx.array] = {}
        embedded = h = self.embed(ids)
        low = min(self.first, self.top)
        h = self.through(h, 0, low, entering, None, None, tick)
        at_once = 1 if self._changes() else passes
        for _ in range(passes // at_once):
            if self._changes():
                entering = {k: v for k, v in entering.items() if k <= low}
                self.through(h, low, self.top, entering, tensors, None, tick)
            tensors = [written(layer.writing(features(entering, layer.shape.taps), embedded), s, at_once)
                       for layer, s in zip(self.memory.layers, tensors, strict=True)]
        return list(tensors)

    def check(self, state: State) -> None:
        "Raises AdapterError for a state of another base or of other layers."
        keeping.check(state, self.memory.base, self.memory.sha256)


class _Cancelled(Exception):
    pass


def _sliding(block: Any) -> bool:
    "Whether a block sees a few tokens back only (Llama with `layer_types`, Gemma 3)."
    return bool(getattr(block, "use_sliding", False) or getattr(block.self_attn, "is_sliding", False))


def _count(model: nn.Module) -> int:
    "Parameters of the bare model; a quantised matrix counts as it was."
    values = [value for _, value in _flat(model.parameters())]
    return sum(int(v.size) * (8 if v.dtype == mx.uint32 else 1) for v in values)  # 32 bits hold eight of four


def _flat(parameters: Any) -> list[tuple[str, Any]]:
    found: Any = tree_flatten(parameters)
    return list(found)
