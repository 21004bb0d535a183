"""A model's states at answer positions, with nothing computed twice.

Rows of a batch share a prompt prefix (the system message, the turn's header): it goes through the blocks
once, and the rows read its keys and values. Blocks below the first adapted one never change: their output
is computed once a training run and kept in a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from pocketsleep.runtime import whiten
from pocketsleep.runtime.adam import MlxAdam
from pocketsleep.runtime.kept import Kept, fits
from pocketsleep.runtime.mlx_rows import Batch, Row, Soft, collate, padded, positions, starts, too_long

TOLERANCE = 1e-3  # of the largest state, between this pass and the model's own
AT_ONCE = 32  # rows
LOGITS_AT_ONCE = 8  # rows: logits of a large vocabulary are big


class Keep:
    "Stands where a KV cache would: keeps the prefix's keys and values, differentiable."

    offset = 0

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        self.keys, self.values = keys, values
        return keys, values


class Share:
    "Stands where a KV cache would: puts a prefix of batch 1 before the keys and values of every row."

    def __init__(self, kept: Keep) -> None:
        self.kept, self.offset = kept, kept.keys.shape[2]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return _before(self.kept.keys, keys), _before(self.kept.values, values)


def _before(prefix: mx.array, rows: mx.array) -> mx.array:
    return mx.concatenate([mx.broadcast_to(prefix, (rows.shape[0], *prefix.shape[1:])), rows], axis=2)


def head(model: nn.Module, states: mx.array) -> mx.array:
    "Logits [..., V] in float32."
    tied = "lm_head" not in model
    out = model.model.embed_tokens.as_linear(states) if tied else model.lm_head(states)
    return out.astype(mx.float32)


def hidden(model: nn.Module, ids: mx.array) -> mx.array:
    "Normed last hidden states [B, T, D] by the model's own pass. Causal, so padding on the right changes nothing before it."
    return model.model(ids)


def logits_of(model: nn.Module, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> mx.array:
    "Logits [N, V] at the answer positions of (prompt, answer) pairs, one after the other, by the model's own pass."
    ids = padded([[*p, *a] for p, a in pairs])
    where = positions([(len(p), len(a)) for p, a in pairs], ids.shape[1])
    return head(model, picked(hidden(model, mx.array(ids)), mx.array(where)))


def picked(states: mx.array, where: mx.array) -> mx.array:
    "[B, T, D] -> [N, D] at flat positions."
    return states.reshape(-1, states.shape[-1])[where]


class Forward:
    """States of rows in blocks `first` and above, behind one shared prefix.

    Falls back to the model's own pass (`whole`) for architectures whose blocks do not compose this way
    and for rows longer than a sliding window; `reason` says so.
    """

    def __init__(self, model: nn.Module, rows: Sequence[Row], prefix: tuple[int, ...] = (), first: int = 0) -> None:
        self.model, self.prefix, self.first = model, prefix, first
        self.reason = self._misfit(rows)
        self.whole = bool(self.reason)
        self.lower: Lower | None = None
        self.most = 0
        if self.whole:
            self.prefix, self.first = (), 0

    def keep_lower(self, rows: Sequence[Row], path: Path) -> None:
        "Compute the output of the frozen lower blocks for these rows once; `states` then takes it by index."
        if not self.whole and self.first and fits([len(r) for r in rows], self.model.args.hidden_size):
            with suppress(OSError):  # without the file each step computes anew
                self.lower = Lower(self, rows, path)

    def close(self) -> None:
        if self.lower is not None:
            self.lower.kept.close()

    def optimizer(self) -> MlxAdam:
        return MlxAdam(self.model)

    def states(self, ids: mx.array, prefix: bool, indices: Sequence[int] | None = None) -> mx.array:
        "Normed states [B, T, D] of rows whose first tokens are cut off where `prefix` says they share it."
        if self.whole:
            return hidden(self.model, ids)
        if self.lower is not None and indices is not None:
            before, h = self.lower.prefix, self.lower.take(indices, ids.shape[1])
        else:
            before, h = self.below(ids, prefix)
        return self.model.model.norm(self._through(before if prefix else None, h, self.first, None)[1])

    def leaving(self, ids: mx.array, layers: Sequence[int]) -> np.ndarray:
        "[tokens, len(layers), D] of one row [1, T]: what leaves these blocks."
        h, taken, at = self._embed(ids), [], 0
        for layer in layers:
            h, at = self._through(None, h, at, layer + 1)[1], layer + 1
            taken.append(h[0].astype(mx.float32))
        return np.array(mx.stack(taken, axis=1))

    def read(self, ids: Sequence[int]) -> list[Keep]:
        "Keys and values of a prefix, for `behind`."
        kept, h = [Keep() for _ in self.model.model.layers], self._embed(mx.array([list(ids)]))
        for layer, keep in zip(self.model.model.layers, kept, strict=True):
            h = layer(h, "causal", keep)
        mx.eval([(keep.keys, keep.values) for keep in kept])
        return kept

    def behind(self, kept: Sequence[Keep], ids: mx.array) -> mx.array:
        "Normed states [B, T, D] of what stands behind a prefix that was read."
        h = self._embed(ids)
        for layer, keep in zip(self.model.model.layers, kept, strict=True):
            h = layer(h, "causal", Share(keep))
        return self.model.model.norm(h)

    def below(self, ids: mx.array, prefix: bool) -> tuple[mx.array | None, mx.array]:
        "What enters block `first`: ([1, P, D] of the prefix, [B, T, D] of the rows)."
        before = self._embed(mx.array([self.prefix])) if prefix else None
        return self._through(before, self._embed(ids), 0, self.first)

    def step(self, rows: Sequence[Row], soft: Sequence[Soft | None], indices: Sequence[int]) -> tuple[float, dict[str, mx.array]]:
        "Loss and gradients of all that trains, by parameter name. Rows all share the prefix, or none does."
        batch = collate(rows, soft, self.prefix)
        loss, grads = nn.value_and_grad(self.model, lambda b: self.loss(b, indices))(batch)
        mx.eval(loss, grads)
        return float(loss), dict(tree_flatten(grads))

    def loss(self, batch: Batch, indices: Sequence[int] | None = None) -> mx.array:
        "hard x cross-entropy + soft x KL(teacher's top-k || student), in nats."
        states = self.states(batch.ids, batch.prefix > 0, indices)
        logits = head(self.model, picked(states, batch.where))
        logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        chosen = mx.take_along_axis(logp, batch.target[:, None], axis=-1)[:, 0]
        student = mx.take_along_axis(logp, batch.top_ids, axis=-1)
        entropy = (batch.top_p * mx.log(mx.maximum(batch.top_p, 1e-20))).sum(-1)
        kl = entropy - (batch.top_p * student).sum(-1)
        return (batch.soft * kl - batch.hard * chosen).sum()

    def logits(self, rows: Sequence[Row], indices: Sequence[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        "(index of a row, its logits [answer tokens, V]). `indices`: these rows' own in `keep_lower`, where they were among them."
        for shared in (True, False):
            alike = [i for i, r in enumerate(rows) if starts(r.prompt, self.prefix) is shared]
            order = sorted(alike, key=lambda i: (len(rows[i]), i))
            for at in range(0, len(order), LOGITS_AT_ONCE):
                part = order[at : at + LOGITS_AT_ONCE]
                whole = self._logits([rows[i] for i in part], [indices[i] for i in part] if indices is not None else None)
                begin = 0
                for i in part:
                    yield i, whole[begin : begin + len(rows[i].answer)]
                    begin += len(rows[i].answer)

    def _logits(self, rows: Sequence[Row], indices: Sequence[int] | None) -> np.ndarray:
        cut = len(self.prefix) if starts(rows[0].prompt, self.prefix) else 0
        ids = padded([[*r.prompt[cut:], *r.answer] for r in rows])
        where = positions([(len(r.prompt) - cut, len(r.answer)) for r in rows], ids.shape[1])
        return np.array(head(self.model, picked(self.states(mx.array(ids), cut > 0, indices), mx.array(where))))

    def moments(self, rows: Sequence[Row], indices: Sequence[int]) -> dict[str, np.ndarray]:
        return whiten.moments(self.model, rows)

    def _embed(self, ids: mx.array) -> mx.array:
        h = self.model.model.embed_tokens(ids)
        if self.model.model_type.startswith("gemma"):  # as mlx_lm scales it
            h = h * mx.array(self.model.args.hidden_size**0.5, mx.bfloat16).astype(h.dtype)
        return h

    def _through(self, before: mx.array | None, h: mx.array, start: int, stop: int | None) -> tuple[mx.array | None, mx.array]:
        for layer in self.model.model.layers[start:stop]:
            if before is None:
                h = layer(h, "causal", None)
            else:
                kept = Keep()
                before = layer(before, "causal", kept)
                h = layer(h, "causal", Share(kept))
        return before, h

    def _misfit(self, rows: Sequence[Row]) -> str:
        "Why the model's own pass has to be taken; '' when this one equals it."
        if beyond := too_long(self.model, rows):
            return beyond
        probe = mx.array([[*rows[0].prompt, *rows[0].answer]]) if rows else mx.array([[1, 2, 3]])
        try:
            own = hidden(self.model, probe)
            composed = self.model.model.norm(self._through(None, self._embed(probe), 0, None)[1])
            off = float(mx.abs(own - composed).max() / mx.abs(own).max())
        except (AttributeError, TypeError, ValueError) as error:
            return f"the blocks of a {self.model.model_type} model do not compose ({error})"
        return "" if off < TOLERANCE else f"the blocks of a {self.model.model_type} model compose to something else"


class Lower:
    "What enters the first adapted block, for each row, and for the prefix that they share."

    def __init__(self, forward: Forward, rows: Sequence[Row], path: Path) -> None:
        self.prefix: mx.array | None = None
        self.dtype: mx.Dtype = mx.float32
        self.forward, self.rows, self.cut = forward, rows, len(forward.prefix)
        self.shared = [starts(r.prompt, forward.prefix) for r in rows]
        lengths = [len(r) - (self.cut if s else 0) for r, s in zip(rows, self.shared, strict=True)]
        self.kept = Kept(path, lengths, forward.model.args.hidden_size, lambda: self._computed(lengths))

    def _computed(self, lengths: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        for shared in (True, False):
            order = sorted((i for i, s in enumerate(self.shared) if s is shared), key=lambda i: (lengths[i], i))
            for at in range(0, len(order), AT_ONCE):
                yield from self._some(order[at : at + AT_ONCE], lengths, shared)

    def _some(self, part: Sequence[int], lengths: Sequence[int], shared: bool) -> Iterator[tuple[int, np.ndarray]]:
        ids = [[*self.rows[i].prompt, *self.rows[i].answer][self.cut if shared else 0 :] for i in part]
        before, h = self.forward.below(mx.array(padded(ids)), shared)
        states, self.dtype = np.array(h.astype(mx.float32)), h.dtype
        if shared and self.prefix is None and before is not None:
            self.prefix = before
            mx.eval(self.prefix)
        for k, i in enumerate(part):
            yield i, states[k, : lengths[i]]

    def take(self, indices: Sequence[int], width: int) -> mx.array:
        "[B, width, D], zeros on the right."
        out = np.zeros((len(indices), width, self.kept.width), dtype=np.float32)
        for row, i in enumerate(indices):
            out[row, : self.kept.lengths[i]] = self.kept[i]
        return mx.array(out).astype(self.dtype)
