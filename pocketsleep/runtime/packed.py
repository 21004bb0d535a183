"""The training step on a CPU: packed rows, one prefix, no padding, no graph; what is frozen gets no gradient.

MLX's CPU backend spends more time between matrix products than in them. Here a step is OpenBLAS products
and the passes of native/fused over preallocated arrays. The MLX model owns the weights; every run begins by
comparing this pass with the model's own, and takes that where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketsleep.runtime import blas  # before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.tuner.lora import LoRALinear

from pocketsleep.runtime import mlx_forward, whiten
from pocketsleep.runtime.adam import FlatAdam
from pocketsleep.runtime.kept import Kept, fits
from pocketsleep.runtime.mlx_rows import Row, Soft, starts, too_long, weights
from pocketsleep.runtime.packed_block import Block, Linear, Shape, numbers
from pocketsleep.runtime.packed_math import LANES, Array, Layout, Room, Weight, call, reason, rounds

ROUNDED = 3e-2  # of the largest logit, between products in bfloat16 and the model's own
POSITIONS = 2048  # tokens of the longest row: angles are laid out beforehand
ANSWERS_AT_ONCE = 64  # rows of logits held: a large vocabulary makes them big
TOKENS_AT_ONCE = 512  # of a pass that keeps nothing for gradients
SHARED = -2  # the slot of blocks that keep nothing
NAMES = ("gate_proj", "up_proj", "down_proj")


class Packed:
    "One model, bare or wrapped with a LoRA on its MLPs from block `first` on."

    def __init__(self, model: nn.Module, rows: Sequence[Row], prefix: tuple[int, ...], first: int,
                 rounded: bool = False) -> None:
        self.model, self.prefix, self.first = model, prefix, first
        self.room = Room()
        self.kept: Kept | None = None
        self.owned = False  # whether the LoRA lives here and not in the MLX model
        self.entering_prefix: Array = np.empty(0, np.float32)  # what enters block `first` for the prefix
        self.reason = reason() or _unknown(model)
        if not self.reason:
            self._read()
            self.reason = self._misfit(rows, mlx_forward.TOLERANCE)
        if not self.reason and rounded and rounds():
            self._round(True)
            if self._misfit(rows, ROUNDED):
                self._round(False)

    def _read(self) -> None:
        inner = self.model.model
        shape = _shape(self.model)
        self.table = numbers(inner.embed_tokens.weight)
        self.head = Weight(self.table if "lm_head" not in self.model else numbers(self.model.lm_head.weight))
        self.words = len(self.head.plain)
        self.norm = _norm(inner.norm, shape)
        self.embed_scale = 1.0
        if shape.normed:  # as mlx_lm scales it
            self.embed_scale = float(mx.array(self.model.args.hidden_size**0.5, mx.bfloat16).astype(mx.float32))
        ropes: dict[str, tuple[Array, Array]] = {}
        self.blocks = [_block(i, layer, shape, ropes) for i, layer in enumerate(inner.layers)]

    def _quiet(self) -> AbstractContextManager[None]:
        return blas.alone() if self.head.rounded else nullcontext()

    def _round(self, on: bool) -> None:
        for weight in (self.head, *(w for block in self.blocks for w in block.weights())):
            weight.rounded = on

    def optimizer(self) -> FlatAdam:
        "From now on the LoRA lives in one buffer of this pass, and the MLX model is told of it by `publish`."
        self.refresh()
        linears = [(block, name) for block in self.blocks for name in NAMES if block.mlp[name].lora is not None]
        flat = np.concatenate([part.ravel() for block, name in linears for part in block.mlp[name].lora or ()])
        self.owned, views, at = True, {}, 0
        for block, name in linears:
            layer, parts = block.mlp[name], []
            for part, which in zip(layer.lora or (), ("lora_a", "lora_b"), strict=True):
                view = flat[at : at + part.size].reshape(part.shape)
                views[f"model.layers.{block.layer}.mlp.{name}.{which}"] = view
                parts.append(view)
                at += part.size
            block.mlp[name] = replace(layer, lora=(parts[0], parts[1]))
        return FlatAdam(self.model, flat, views)

    def refresh(self) -> None:
        "Take the LoRA's present values: MLX replaces arrays, it does not write into them."
        if self.owned:
            return
        for block, layer in zip(self.blocks, self.model.model.layers, strict=True):
            for name in NAMES:
                block.mlp[name] = _linear(layer.mlp[name], block.mlp.get(name))

    def keep_lower(self, rows: Sequence[Row], path: Path) -> None:
        "Compute what enters block `first` once for each of these rows; `step` then takes it by index."
        width = self.table.shape[1]
        if self.first and fits([len(r) for r in rows], width):
            with self._quiet():
                self.kept = Kept(path, [len(r) - self.cut([r]) for r in rows], width, lambda: self._lower(rows))
            for weight in (w for block in self.blocks[: self.first] for w in block.weights()):
                weight.forget()

    def _lower(self, rows: Sequence[Row]) -> Iterator[tuple[int, Array]]:
        for part in self._alike(rows):
            lay, x = self.below([rows[i] for i in part])
            if lay.p:
                self.entering_prefix = x[: lay.p].copy()
            for i, begin, end in zip(part, *lay.runs, strict=True):
                yield i, x[begin:end]

    def _alike(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        "Indices of rows in portions that all share the prefix, or of which none does."
        for shared in (True, False):
            chosen = [i for i, r in enumerate(rows) if starts(r.prompt, self.prefix) is shared]
            yield from _portions(chosen, lambda i: len(rows[i]), TOKENS_AT_ONCE)

    def step(self, rows: Sequence[Row], soft: Sequence[Soft | None], indices: Sequence[int]) -> tuple[float, dict[str, Array]]:
        "Loss and gradients of the LoRA by parameter name. Rows all share the prefix, or none does."
        with self._quiet():
            return self._step(rows, soft, indices)

    def _step(self, rows: Sequence[Row], soft: Sequence[Soft | None], indices: Sequence[int]) -> tuple[float, dict[str, Array]]:
        self.refresh()
        lay, x = self._entering(rows, indices)
        inputs = []
        for i, block in enumerate(self.blocks[self.first :], self.first):
            inputs.append(x)
            x = block.forward(x, lay, self.room, i)
        where = self._where(rows, lay)
        loss, dstates = self._loss(x[where], rows, soft)
        d = self.room.get("d", -1, *x.shape)
        d[:] = 0.0
        d[where] = dstates
        got: dict[str, Array] = {}
        for i in range(len(self.blocks) - 1, self.first - 1, -1):
            got |= self.blocks[i].backward(inputs[i - self.first], d, lay, self.room, i, last=i == self.first)
        return loss, got

    def logits(self, rows: Sequence[Row], indices: Sequence[int] | None = None) -> Iterator[tuple[int, Array]]:
        """(index of a row, logits [answer tokens, V]): valid until the next is taken. `indices`: these rows' own in
        `keep_lower`, where they were among them."""
        self.refresh()
        for part in self._alike(rows):
            some = [rows[i] for i in part]
            with self._quiet():
                lay, x = self._entering(some, [indices[i] for i in part]) if indices is not None else self.below(some)
                for block in self.blocks[self.first :]:
                    x = block.forward(x, lay, self.room, SHARED)
            states, begin = self._normed(x[self._where(some, lay)]), 0
            for together in _portions(part, lambda i: len(rows[i].answer), ANSWERS_AT_ONCE):
                count = sum(len(rows[i].answer) for i in together)
                out = self.room.get("logits", -1, count, self.words)
                self.head.through(states[begin : begin + count], out, self.room)
                begin, at = begin + count, 0
                for i in together:
                    yield i, out[at : at + len(rows[i].answer)]
                    at += len(rows[i].answer)

    def moments(self, rows: Sequence[Row], indices: Sequence[int]) -> dict[str, Array]:
        "The moment [in, in] of each adapted layer's inputs, by the name of its lora_a; `indices` as in `logits`."
        self.refresh()
        found: dict[str, Array] = {}
        for part in self._alike(rows):
            lay, x = self._entering([rows[i] for i in part], [indices[i] for i in part])
            often = np.ones((lay.n, 1), np.float32)
            often[: lay.p] = len(part) ** 0.5  # the prefix stands for itself in every row
            with self._quiet():
                for block in self.blocks[self.first :]:
                    x = block.forward(x, lay, self.room, SHARED)
                    whiten.add(found, {f"model.layers.{block.layer}.mlp.{name}.lora_a": read
                                       for name, read in block.read(lay.n, self.room, SHARED).items()}, often)
        return found

    def below(self, rows: Sequence[Row]) -> tuple[Layout, Array]:
        "What enters block `first`, [n, D] of a packed batch."
        lay, x = self._embedded(rows)
        for block in self.blocks[: self.first]:
            x = block.forward(x, lay, self.room, SHARED)
        return lay, x

    def cut(self, rows: Sequence[Row]) -> int:
        "How many tokens these rows share."
        return len(self.prefix) if all(starts(r.prompt, self.prefix) for r in rows) else 0

    def _entering(self, rows: Sequence[Row], indices: Sequence[int]) -> tuple[Layout, Array]:
        if self.kept is None:
            return self.below(rows)
        lay = Layout.of(self.cut(rows), [len(r) - self.cut(rows) for r in rows])
        x = self.room.get("entering", -1, lay.n, self.table.shape[1])
        if lay.p:
            x[: lay.p] = self.entering_prefix
        for i, begin, end in zip(indices, *lay.runs, strict=True):
            x[begin:end] = self.kept[i]
        return lay, x

    def _embedded(self, rows: Sequence[Row]) -> tuple[Layout, Array]:
        cut = self.cut(rows)
        ids = [*self.prefix[:cut], *(t for r in rows for t in (*r.prompt[cut:], *r.answer))]
        lay = Layout.of(cut, [len(r) - cut for r in rows])
        return lay, self.table[ids] * np.float32(self.embed_scale)

    def _where(self, rows: Sequence[Row], lay: Layout) -> Array:
        "Flat positions whose next token is an answer token."
        return np.concatenate([np.arange(e - len(r.answer) - 1, e - 1) for r, e in zip(rows, lay.runs[1], strict=True)])

    def _normed(self, x: Array) -> Array:
        out = np.empty_like(x)
        call("ps_rms", x, self.norm, out, len(x), x.shape[1], x.shape[1], x.shape[1], self.blocks[0].shape.eps)
        return out

    def _loss(self, x: Array, rows: Sequence[Row], soft: Sequence[Soft | None]) -> tuple[float, Array]:
        "hard x cross-entropy + soft x KL(teacher's top-k || student), and its gradient by the states [m, D]."
        states, dstates = self._normed(x), np.empty_like(x)
        target, hard, weight, ids, p = weights(rows, soft)
        losses = np.empty(len(x), np.float32)
        for at in range(0, len(x), ANSWERS_AT_ONCE):
            part = slice(at, min(at + ANSWERS_AT_ONCE, len(x)))
            count = part.stop - part.start
            logits = self.head.through(states[part], self.room.get("logits", -1, count, self.words), self.room)
            grad = self.room.get("dlogits", -1, *logits.shape)
            call("ps_loss", logits, target[part], hard[part], weight[part], ids[part], p[part], losses[part], grad, count,
                 self.words, ids.shape[1])
            self.head.back(grad, dstates[part], self.room)
        d = np.zeros_like(x)
        width = x.shape[1]
        call("ps_rms_grad", x, self.norm, dstates, d, len(x), width, width, width, width, self.blocks[0].shape.eps)
        return float(losses.sum(dtype=np.float64)), d

    def _misfit(self, rows: Sequence[Row], most: float) -> str:
        "Why the model's own pass has to be taken; '' when this one equals it."
        if beyond := too_long(self.model, rows, POSITIONS):
            return beyond
        probe = rows[0] if rows else Row((1, 2, 3), (4, 5))
        own = np.array(mlx_forward.logits_of(self.model, [(probe.prompt, probe.answer)]))
        ours = next(self.logits([probe]))[1]
        off = float(np.abs(own - ours).max() / np.abs(own).max())
        return "" if off < most else f"the packed pass of a {self.model.model_type} model computes something else"


def _portions(indices: Sequence[int], size: Callable[[int], int], most: int) -> Iterator[list[int]]:
    "Indices in order, in portions whose sizes add up to at most `most` (or of one, where it is larger)."
    part: list[int] = []
    total = 0
    for i in indices:
        if part and total + size(i) > most:
            yield part
            part, total = [], 0
        part.append(i)
        total += size(i)
    if part:
        yield part


def _unknown(model: nn.Module) -> str:
    "Why this model's blocks are not known here; '' when they are."
    known = ("mlx_lm.models.llama", "mlx_lm.models.gemma3_text")
    if type(model).__module__ not in known:
        return f"{model.model_type} is computed by MLX's own pass: the packed one knows Llama and Gemma 3"
    wrapped = [m for layer in model.model.layers for m in layer.self_attn.values() if isinstance(m, LoRALinear)]
    odd = [m for layer in model.model.layers for part in (layer.self_attn, layer.mlp) for m in part.values()
           if isinstance(m, nn.QuantizedLinear) or (isinstance(m, nn.Linear) and "bias" in m)]
    shape = _shape(model)
    widths = (shape.d, model.args.hidden_size, model.args.intermediate_size)
    if wrapped or odd or any(w % LANES for w in widths) or getattr(model.model.layers[0].self_attn.rope, "traditional", False):
        return "attention is adapted, layers are quantised or have biases, or widths are odd: MLX's own pass is taken"
    return ""


def _shape(model: nn.Module) -> Shape:
    gemma = type(model).__module__.endswith("gemma3_text")
    one = model.model.layers[0].self_attn
    return Shape(one.n_heads, one.n_kv_heads, one.head_dim, float(one.scale), float(model.args.rms_norm_eps),
                 "gelu" if gemma else "silu", gemma)


def _norm(module: Any, shape: Shape) -> Array:
    return numbers(module.weight) + np.float32(1.0) if shape.normed else numbers(module.weight)


def _block(index: int, layer: Any, shape: Shape, ropes: dict[str, tuple[Array, Array]]) -> Block:
    attention = layer.self_attn
    qkv = np.concatenate([numbers(getattr(attention, f"{k}_proj").weight) for k in "qkv"])
    if shape.normed:
        norms = {"attention": layer.input_layernorm, "after_attention": layer.post_attention_layernorm,
                 "mlp": layer.pre_feedforward_layernorm, "after_mlp": layer.post_feedforward_layernorm,
                 "query": attention.q_norm, "key": attention.k_norm}
    else:
        norms = {"attention": layer.input_layernorm, "mlp": layer.post_attention_layernorm}
    made = Block(shape, Weight(qkv), Weight(numbers(attention.o_proj.weight)), {k: _norm(v, shape) for k, v in norms.items()},
                 _angles(attention.rope, shape.d, ropes), index)
    made.mlp.update({name: _linear(layer.mlp[name], None) for name in NAMES})
    return made


def _linear(module: Any, before: Linear | None) -> Linear:
    inner = module.linear if isinstance(module, LoRALinear) else module
    weight = before.weight if before is not None else Weight(numbers(inner.weight))
    if not isinstance(module, LoRALinear):
        return Linear(weight)
    return Linear(weight, (numbers(module.lora_a), numbers(module.lora_b)), float(module.scale))


def _angles(rope: Any, d: int, known: dict[str, tuple[Array, Array]], longest: int = POSITIONS) -> tuple[Array, Array]:
    "cos and sin [longest, d / 2] as the model's own rope turns (1, 0): any scheme of angles is taken as it is."
    half = np.concatenate([np.ones(d // 2, np.float32), np.zeros(d // 2, np.float32)])
    turned = numbers(rope(mx.array(np.tile(half, (1, 1, longest, 1)))))[0, 0]
    key = turned.tobytes()[-4096:].hex()
    if key not in known:
        known[key] = (np.ascontiguousarray(turned[:, : d // 2]), np.ascontiguousarray(turned[:, d // 2 :]))
    return known[key]
