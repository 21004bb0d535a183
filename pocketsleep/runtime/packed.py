"""The training step on a CPU: packed rows, one prefix, no padding, no graph; what is frozen gets no gradient.

MLX's CPU backend spends more time between matrix products than in them. Here a step is OpenBLAS products
and the passes of native/fused over preallocated arrays; where the processor can, products with frozen weights are
native/fused's, too. Every run begins by comparing this pass with the model's own, and takes that where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.tuner.lora import LoRALinear

from pocketsleep.runtime import mlx_forward, packed_read, whiten
from pocketsleep.runtime.adam import FlatAdam
from pocketsleep.runtime.kept import Kept, fits
from pocketsleep.runtime.mlx_rows import Row, Soft, starts, too_long, weights
from pocketsleep.runtime.packed_block import numbers
from pocketsleep.runtime.packed_math import Array, Layout, Room, Weight, call, one_pool, reason, rounds
from pocketsleep.runtime.packed_memory import ANSWERS_AT_ONCE, Sizes, tokens
from pocketsleep.runtime.packed_read import NAMES, POSITIONS

ROUNDED = 3e-2  # of what a block adds to its input, between products in bfloat16 and in float32
TOKENS_AT_ONCE = 512  # of a pass that keeps nothing for gradients
SHARED = -2  # the slot of blocks that keep nothing


class Packed:
    "One model, bare or wrapped with a LoRA on its MLPs from block `first` on."

    def __init__(self, model: nn.Module, rows: Sequence[Row], prefix: tuple[int, ...], first: int,
                 rounded: bool = False, own: bool = False, most: int = 0) -> None:
        """most: tokens that a step may keep things for; 0 is what fits in packed_memory.STEP.
        rounded: frozen weights are multiplied in bfloat16 where the processor can and the model bears it.
        own: nobody else uses the model. Numbers that are packed for that are then given back, its own included."""
        self.own = own
        self.model, self.prefix, self.first = model, prefix, first
        self.room = Room()
        self.kept: Kept | None = None
        self.most = most  # tokens of a step that keep what backward needs
        self.owned = False  # whether the LoRA lives here and not in the MLX model
        self.entering_prefix: Array = np.empty(0, np.float32)  # what enters block `first` for the prefix
        self.reason = reason() or packed_read.unknown(model)
        if not self.reason:
            self._read()
            self.most = most or tokens(Sizes.of(vars(model.args)), len(self.blocks) - first)
            self.reason = self._misfit(rows)
        if not self.reason and rounded and rounds():
            self._round(rows)

    def _read(self) -> None:
        inner = self.model.model
        shape = packed_read.shape(self.model)
        self.table = numbers(inner.embed_tokens.weight)
        self.head = Weight(self.table if "lm_head" not in self.model else numbers(self.model.lm_head.weight))
        self.words = self.head.shape[0]
        self.norm = packed_read.norm(inner.norm, shape)
        self.embed_scale = 1.0
        if shape.normed:  # as mlx_lm scales it
            self.embed_scale = float(mx.array(self.model.args.hidden_size**0.5, mx.bfloat16).astype(mx.float32))
        ropes: dict[str, tuple[Array, Array]] = {}
        self.blocks = [packed_read.block(i, layer, shape, ropes) for i, layer in enumerate(inner.layers)]

    def _round(self, rows: Sequence[Row]) -> None:
        """Block by block from now on in bfloat16, where a row's way through the block is nearly the same. What is
        packed is given back in float32 as that goes on: two thirds of a model's memory."""
        lay, x = self._embedded([probe_of(rows)])
        for i, block in enumerate(self.blocks):
            plain = block.forward(x, lay, self.room, SHARED).copy()
            for weight in block.weights():
                weight.rounded = True
            off = np.linalg.norm(block.forward(x, lay, self.room, SHARED) - plain) / np.linalg.norm(plain - x)
            if off >= ROUNDED or not np.isfinite(off):
                for weight in block.weights():
                    weight.rounded = False
                    weight.forget()
            elif self.own:
                self._spare(i)
            x = plain
        self.head.rounded = all(w.rounded for block in self.blocks for w in block.weights())

    def _spare(self, i: int) -> None:
        for weight in self.blocks[i].weights():
            weight.pack(True, *([False] if i >= self.first else []))
            weight.drop()
        layer = self.model.model.layers[i]
        for module in (*layer.self_attn.values(), *layer.mlp.values()):
            inner = module.linear if isinstance(module, LoRALinear) else module
            if isinstance(inner, nn.Linear):
                inner.weight = mx.zeros((0, 0))

    def optimizer(self) -> FlatAdam:
        """From now on the LoRA lives in one buffer of this pass, and the MLX model is told of it by `publish`. What
        enters block `first` is known where it was kept, and the blocks below are no longer asked."""
        self.refresh()
        if self.kept is not None and self.own and self.head.rounded:
            self._forget_below()
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

    def close(self) -> None:
        "The file of `keep_lower`."
        if self.kept is not None:
            self.kept.close()

    def _forget_below(self) -> None:
        "The blocks below `first`, and the table of words once the head is packed both ways."
        for weight in (w for block in self.blocks[: self.first] for w in block.weights()):
            weight.forget()
        self.head.pack(True, False)
        self.head.drop()
        self.table = np.empty((0, 0), np.float32)
        self.model.model.embed_tokens.weight = mx.zeros((0, 0))
        if "lm_head" in self.model:
            self.model.lm_head.weight = mx.zeros((0, 0))

    def refresh(self) -> None:
        "Take the LoRA's present values: MLX replaces arrays, it does not write into them."
        if self.owned:
            return
        for block, layer in zip(self.blocks, self.model.model.layers, strict=True):
            for name in NAMES:
                block.mlp[name] = packed_read.linear(layer.mlp[name], block.mlp.get(name))

    def keep_lower(self, rows: Sequence[Row], path: Path) -> None:
        "Compute what enters block `first` once for each of these rows; `step` then takes it by index."
        width = self.norm.shape[0]
        if self.first and fits([len(r) for r in rows], width):
            with one_pool(self.head.rounded), suppress(OSError):  # without the file each step computes anew
                self.kept = Kept(path, [len(r) - self.cut([r]) for r in rows], width, lambda: self._lower(rows))

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
        with one_pool(self.head.rounded):
            return self._step(rows, soft, indices)

    def _step(self, rows: Sequence[Row], soft: Sequence[Soft | None], indices: Sequence[int]) -> tuple[float, dict[str, Array]]:
        "In portions of at most `most` tokens, whose losses and gradients add up."
        self.refresh()
        loss, got, wanted, at = 0.0, dict[str, Array](), weights(rows, soft), 0
        for part in _portions(range(len(rows)), lambda i: len(rows[i]), self.most):
            lay, x = self._entering([rows[i] for i in part], [indices[i] for i in part])
            end = at + sum(len(rows[i].answer) for i in part)
            some, grads = self._portion(lay, x, [rows[i] for i in part], tuple(a[at:end] for a in wanted))
            loss, at = loss + some, end
            got = {name: got[name] + grad for name, grad in grads.items()} if got else grads
        return loss, got

    def _portion(self, lay: Layout, x: Array, rows: Sequence[Row], wanted: Sequence[Array]) -> tuple[float, dict[str, Array]]:
        """One pass up and one down. A row that is longer than `most` alone is taken up twice: blocks then keep
        nothing but their inputs, and what backward needs is computed again block by block (Chen et al., 2016)."""
        again, inputs = lay.n > self.most, list[Array]()
        for i, block in enumerate(self.blocks[self.first :], self.first):
            inputs.append(x.copy() if again else x)
            x = block.forward(x, lay, self.room, SHARED if again else i)
        where = self._where(rows, lay)
        loss, dstates = self._loss(x[where], *wanted)
        d = self.room.get("d", -1, *x.shape)
        d[:] = 0.0
        d[where] = dstates
        got: dict[str, Array] = {}
        for i in range(len(self.blocks) - 1, self.first - 1, -1):
            block, entered, slot = self.blocks[i], inputs[i - self.first], SHARED if again else i
            if again:
                block.forward(entered, lay, self.room, slot)
            got |= block.backward(entered, d, lay, self.room, slot, last=i == self.first)
        return loss, got

    def logits(self, rows: Sequence[Row], indices: Sequence[int] | None = None) -> Iterator[tuple[int, Array]]:
        """(index of a row, logits [answer tokens, V]): valid until the next is taken. `indices`: these rows' own in
        `keep_lower`, where they were among them."""
        self.refresh()
        for part in self._alike(rows):
            some = [rows[i] for i in part]
            with one_pool(self.head.rounded):
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
            with one_pool(self.head.rounded):
                for block in self.blocks[self.first :]:
                    x = block.forward(x, lay, self.room, SHARED)
                    whiten.add(found, {f"model.layers.{block.layer}.mlp.{name}.lora_a": read
                                       for name, read in block.read(lay.n, self.room, SHARED).items()}, often)
        return found

    def leaving(self, rows: Sequence[Row], layers: Sequence[int]) -> Iterator[Array]:
        "[tokens, len(layers), D] of each row: what leaves these blocks."
        for part in _portions(range(len(rows)), lambda i: len(rows[i]), TOKENS_AT_ONCE):
            with one_pool(self.head.rounded):
                lay, x = self._embedded([rows[i] for i in part])
                taken = []
                for i, block in enumerate(self.blocks[: max(layers) + 1]):
                    x = block.forward(x, lay, self.room, SHARED)
                    taken += [x.copy()] if i in layers else []
            together = np.stack(taken, axis=1)
            yield from (together[begin:end] for begin, end in zip(*lay.runs, strict=True))

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
        x = self.room.get("entering", -1, lay.n, self.norm.shape[0])
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

    def _loss(self, x: Array, target: Array, hard: Array, weight: Array, ids: Array, p: Array) -> tuple[float, Array]:
        "hard x cross-entropy + soft x KL(teacher's top-k || student), as `weights` gives them, and its gradient [m, D]."
        states, dstates = self._normed(x), np.empty_like(x)
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

    def _misfit(self, rows: Sequence[Row]) -> str:
        "Why the model's own pass has to be taken; '' when this one equals it."
        if beyond := too_long(self.model, rows, POSITIONS):
            return beyond
        probe = probe_of(rows)
        own = np.array(mlx_forward.logits_of(self.model, [(probe.prompt, probe.answer)]))
        ours = next(self.logits([probe]))[1]
        off = float(np.abs(own - ours).max() / np.abs(own).max())
        return "" if off < mlx_forward.TOLERANCE else f"the packed pass of a {self.model.model_type} model computes something else"


def probe_of(rows: Sequence[Row]) -> Row:
    return rows[0] if rows else Row((1, 2, 3), (4, 5))


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
