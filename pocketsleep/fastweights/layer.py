"""A memory layer: one matrix of fast weights a head, written by naps, read at every token (gated delta rule; no MLP).

    x_t  = states that enter the blocks `taps`, each at length sqrt(D), side by side            [T, len(taps) D]
    k_t  = unit(sum_j c_j * (Wk x)_{t-j}), j = 0..2: at first the token before alone            [T, H, Dk]
    v_t  = Wv (the token's embedding)                                                           [T, H, Dv]
    b_t  = sigmoid(write strength from x_t and x_{t-1})     a_t = exp(-softplus(decay from x_t)) [T, H]
    nap:   S <- the rule of reference.py over (k, v, a, b)                                      [H, Dv, Dk]
    read:  o_t = S unit(Wq x_t)      h_t <- h_t + |h_t| Wo (g_t o_t)      g_t = sigmoid(Wg x_t + s |o_t| + c) by head

So what stands under a key is the token that came next: an induction head whose keys outlive the window. Wo begins as
zeros, and a state of zeros reads as zeros: without a nap the base is untouched to the bit, trained layers or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from pocketsleep.fastweights import graph, pick
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx
import mlx.nn as nn

EPS = 1e-6
TAPS = 3  # tokens that a key is made of: this one, the one before, the one before that
WRITE, FORGET, GATE = 1.0, -9.0, 1.0  # first biases: write at 0.73, keep 0.9999 of everything, gates open at 0.73


@dataclass(frozen=True, slots=True)
class Shape:
    "Where a layer stands, and its sizes."

    at: int  # the block before which it adds what it read; as many as there are blocks: after the last
    taps: tuple[int, ...]  # blocks whose entering states it looks at, none beyond `at`
    width: int  # D
    heads: int
    key: int  # Dk
    value: int  # Dv

    @property
    def features(self) -> int:
        return len(self.taps) * self.width

    @property
    def parameters(self) -> int:
        keys, values = self.heads * self.key, self.heads * self.value
        return 2 * self.features * keys + TAPS * keys + 2 * self.width * values + self.heads * (4 * self.features + 4)


class Writing(tuple[mx.array, mx.array, mx.array, mx.array]):
    "k, v, decay, beta of some tokens, as `pick.left` takes them."


class MemoryLayer(nn.Module):
    "The slow weights of one layer. The fast ones are the caller's."

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        draw = mx.random.split(mx.random.key(seed), 3)
        keys, values = shape.heads * shape.key, shape.heads * shape.value

        def normal(i: int, out: int, width: int) -> mx.array:
            return mx.random.normal((out, width), key=draw[i]) * width**-0.5

        self._shape = shape
        self.key, self.value = normal(0, keys, shape.features), normal(2, values, shape.width)
        self.query = self.key * 1.0  # what is looked for is at first what was written under
        self.shift = mx.concatenate([mx.zeros((1, keys)), mx.ones((1, keys)), mx.zeros((TAPS - 2, keys))])
        self.write, self.write_bias = mx.zeros((2 * shape.heads, shape.features)), mx.full((shape.heads,), WRITE)
        self.forget, self.forget_bias = mx.zeros((shape.heads, shape.features)), mx.full((shape.heads,), FORGET)
        self.gate, self.gate_bias = mx.zeros((shape.heads, shape.features)), mx.full((shape.heads,), GATE)
        self.sure = mx.zeros((shape.heads,))
        self.out = mx.zeros((shape.width, values))

    @property
    def shape(self) -> Shape:
        return self._shape

    def writing(self, x: mx.array, embedded: mx.array, real: mx.array | None = None) -> Writing:
        """What a pass over x [B, T, features] and the tokens' embeddings [B, T, D] writes. `real` [B, T]: 0 where a token is
        padding, which writes nothing."""
        s, (B, T) = self.shape, x.shape[:2]
        z = x @ self.key.T
        key = z * self.shift[0] + _later(z, 1) * self.shift[1] + _later(z, 2) * self.shift[2]
        k = graph.unit(key.reshape(B, T, s.heads, s.key))
        v = (normed(embedded) @ self.value.T).reshape(B, T, s.heads, s.value)
        now, before = mx.split(x @ self.write.T, 2, axis=-1)
        beta = mx.sigmoid(now + _later(before, 1) + self.write_bias)
        decay = mx.exp(-nn.softplus(x @ self.forget.T + self.forget_bias))
        if real is not None:
            beta, decay = beta * real[..., None], 1 - (1 - decay) * real[..., None]
        return Writing((k, v, decay, beta))

    def reading(self, x: mx.array, state: mx.array) -> mx.array:
        "What x [B, T, features] reads in a state [B, H, Dv, Dk], as a share of the residual's length: [B, T, D]."
        s, (B, T) = self.shape, x.shape[:2]
        q = graph.unit((x @ self.query.T).reshape(B, T, s.heads, s.key))
        o = (q.transpose(0, 2, 1, 3) @ state.swapaxes(-1, -2)).transpose(0, 2, 1, 3)  # [B, T, H, Dv]
        length = mx.sqrt((o * o).sum(-1) + EPS)
        gate = mx.sigmoid(x @ self.gate.T + self.sure * length + self.gate_bias)
        return (gate[..., None] * o).reshape(B, T, -1) @ self.out.T

    def empty(self, batch: int = 1) -> mx.array:
        "A state that remembers nothing."
        return mx.zeros((batch, self.shape.heads, self.shape.value, self.shape.key))


def written(writing: Writing, state: mx.array, passes: int = 1) -> mx.array:
    "The state [B, H, Dv, Dk] after so many passes over the same keys and values. Differentiable."
    k, v, decay, beta = writing
    return pick.left(k, v, decay, beta, state, passes)


def added(h: mx.array, reading: mx.array) -> mx.array:
    "The residual [B, T, D] with a reading in it, in h's dtype."
    length = mx.sqrt(mx.mean(mx.square(h.astype(mx.float32)), axis=-1, keepdims=True))
    return h + (length * reading).astype(h.dtype)


def normed(h: mx.array) -> mx.array:
    "Each state at length sqrt(D), in float32."
    wide = h.astype(mx.float32)
    return wide * mx.rsqrt(mx.mean(wide * wide, axis=-1, keepdims=True) + EPS)


def features(entering: dict[int, mx.array], taps: tuple[int, ...]) -> mx.array:
    "x [B, T, len(taps) D] out of what enters each block."
    return mx.concatenate([normed(entering[tap]) for tap in taps], axis=-1)


def _later(z: mx.array, tokens: int) -> mx.array:
    "z [B, T, C] of so many tokens before, zeros before the first."
    if not tokens:
        return z
    return mx.pad(z, [(0, 0), (tokens, 0), (0, 0)])[:, : z.shape[1]]
