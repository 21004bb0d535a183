"""Small hybrids: attention over what is in the window, a gated delta layer over everything, N passes over a chunk before it goes.

    W = 0
    for each chunk c:
        H = embed(c)
        N times:  H, W = blocks(H, W)       the same tokens again; keys and values are made anew from H
        H and the keys and values of attention are dropped, W stays
    a question is one pass of the blocks; it reads W and sees no token but itself

Source: arXiv 2605.26099. With `window="all"` nothing is evicted and there is no W (full attention); with `window="chunk"` and
`memory=False` nothing is kept at all (a sliding window).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pocketsleep.bench.naps.tasks import Task
from pocketsleep.fastweights import graph, pick

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np

States = Sequence[mx.array | None]  # one for each block, [B, heads, side, side]; None where there is no memory


@dataclass(frozen=True, slots=True)
class Shape:
    "What a model is made of; `passes` are over each chunk, `looks` those over a question."

    width: int = 64
    blocks: int = 1
    heads: int = 2
    mlp: int = 2
    passes: int = 1
    looks: int = 1
    memory: bool = True
    window: str = "chunk"


class Attention(nn.Module):
    "Causal, with a learnt number for each distance and head."

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        first = self.qkv.weight
        self.qkv.weight = mx.concatenate([first[:width] / math.sqrt(width // heads), first[width:]])  # the usual scale
        back = mx.arange(heads)[:, None] + 1.0  # heads begin by looking one, two ... tokens back
        self.by_distance = -2.0 * mx.abs(mx.arange(reach) - back)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        "x [B, T, D], bias as `distances` gives it."
        q, k, v = (self._split(a) for a in mx.split(self.qkv(x), 3, axis=-1))
        return self._join(mx.softmax(q @ k.swapaxes(-1, -2) + bias, axis=-1) @ v)

    def ask(self, x: mx.array, before: mx.array) -> mx.array:
        "x [B, Q, D]: each sees all of before [B, T, D] and itself, and none of its neighbours."
        q, k, v = (self._split(a) for a in mx.split(self.qkv(x), 3, axis=-1))
        _, seen, told = (self._split(a) for a in mx.split(self.qkv(before), 3, axis=-1))
        weights = mx.softmax(mx.concatenate([q @ seen.swapaxes(-1, -2), (q * k).sum(-1, keepdims=True)], axis=-1), axis=-1)
        return self._join(weights[..., :-1] @ told + weights[..., -1:] * v)

    def alone(self, x: mx.array) -> mx.array:
        "x [B, Q, D]: each sees itself."
        D = x.shape[-1]
        return x @ self.qkv.weight[2 * D :].T @ self.out.weight.T

    def distances(self, T: int) -> mx.array:
        "[heads, T, T]: what is added to scores; what comes later is not seen."
        far = np.arange(T)[:, None] - np.arange(T)
        return mx.where(mx.array(far >= 0), self.by_distance[:, mx.array(far.clip(0, self.reach - 1))], mx.array(-1e9))

    def _split(self, x: mx.array) -> mx.array:
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)

    def _join(self, x: mx.array) -> mx.array:
        return self.out(x.swapaxes(1, 2).flatten(-2))


class Memory(nn.Module):
    "A gated delta layer: what is read is gated, what is written has a strength and lets the old fade."

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.gates = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, 2 * heads)
        self.out = nn.Linear(width, width, bias=False)
        first = self.qkv.weight
        self.qkv.weight = mx.concatenate([first[:width], first[:width], first[2 * width :]])  # asked for as it was written
        self.gates.bias = mx.array([0.0] * heads + [5.0] * heads)  # write at 1/2, keep 0.993

    def __call__(self, x: mx.array, state: mx.array) -> tuple[mx.array, mx.array]:
        "x [B, T, D], state [B, heads, side, side] -> what is read, the state after."
        B, T, D = x.shape
        q, k, v = (a.reshape(B, T, self.heads, -1) for a in mx.split(self.qkv(x), 3, axis=-1))
        beta, decay = mx.split(mx.sigmoid(self.gates(x)), 2, axis=-1)
        read, state = pick.gated_delta(graph.unit(q), graph.unit(k), v, decay, beta, state)
        return self.out(self._even(read).reshape(B, T, D)), state

    def read(self, x: mx.array, state: mx.array) -> mx.array:
        "x [B, Q, D]: each reads the state, none writes."
        B, Q, D = x.shape
        q = (x @ self.qkv.weight[:D].T).reshape(B, Q, self.heads, -1)
        found = graph.unit(q).swapaxes(1, 2) @ state.swapaxes(-1, -2)
        return self.out(self._even(found.swapaxes(1, 2)).reshape(B, Q, D))

    def _even(self, read: mx.array) -> mx.array:
        return mx.fast.rms_norm(read, None, 1e-3)


class Block(nn.Module):
    "Attention, MLP, memory, MLP; each added to what came in."

    def __init__(self, shape: Shape, reach: int) -> None:
        super().__init__()
        D = shape.width
        self.attention = Attention(D, shape.heads, reach)
        if shape.memory:
            self.memory = Memory(D, shape.heads)
        self.after_attention, self.after_memory = MLP(D, shape.mlp), MLP(D, shape.mlp)

    def __call__(self, x: mx.array, state: mx.array | None, bias: mx.array) -> tuple[mx.array, mx.array | None]:
        "Tokens of a chunk: [B, T, D]."
        x = self.after_attention(x + self.attention(norm(x), bias))
        if state is not None:
            read, state = self.memory(norm(x), state)
            x = x + read
        return self.after_memory(x), state

    def ask(self, x: mx.array, state: mx.array | None, before: mx.array | None) -> mx.array:
        "Questions [B, Q, D], each on its own; `before` is what this block was given for tokens that are still in the window."
        seen = self.attention.alone(norm(x)) if before is None else self.attention.ask(norm(x), norm(before))
        x = self.after_attention(x + seen)
        return self.after_memory(x if state is None else x + self.memory.read(norm(x), state))


class MLP(nn.Module):
    "Added to what came in."

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, factor * width), nn.Linear(factor * width, width)

    def __call__(self, x: mx.array) -> mx.array:
        return x + self.down(nn.relu(self.up(norm(x))))


def norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, 1e-5)


class Model(nn.Module):
    "Made for one task and one shape; answers [B, Q, answers] as logits."

    def __init__(self, task: Task, shape: Shape) -> None:
        super().__init__()
        self.shape, self.sizes = shape, task.sizes
        self.embedding = mx.random.normal((sum(task.sizes), shape.width)) * 0.5
        reach = task.items * (task.chunks if shape.window == "all" else 1)
        self.blocks = [Block(shape, reach) for _ in range(shape.blocks)]
        self.begin = mx.random.normal((shape.passes, shape.width)) * 0.5  # which pass it is
        self.head = nn.Linear(shape.width, task.answers)

    def __call__(self, context: np.ndarray, questions: np.ndarray) -> mx.array:
        if self.shape.window == "all":
            given = self.through(context)
            return self.answer(questions, [None] * len(self.blocks), given)
        return self.answer(questions, self.remember(context))

    def embed(self, tokens: np.ndarray) -> mx.array:
        "[..., 4] -> [..., D]: a product with ones and zeros, whose slope is one product too."
        offsets = np.cumsum([0, *self.sizes[:-1]])
        wide = np.zeros((*tokens.shape[:-1], sum(self.sizes)), np.float32)
        np.put_along_axis(wide, tokens + offsets, 1.0, axis=-1)
        return mx.array(wide) @ self.embedding

    def remember(self, context: np.ndarray, passes: int = 0) -> States:
        "What is left of the chunks [B, C, T, 4] when all are gone: a state for each block."
        states = self.empty(len(context))
        biases = self.biases(context.shape[2])
        for n in range(context.shape[1]):
            states = self.nap(self.embed(context[:, n]), states, passes or self.shape.passes, biases)
        return states

    def biases(self, T: int) -> list[mx.array]:
        return [block.attention.distances(T) for block in self.blocks]

    def empty(self, B: int) -> States:
        side = self.shape.width // self.shape.heads
        return [mx.zeros((B, self.shape.heads, side, side)) if self.shape.memory else None for _ in self.blocks]

    def nap(self, H: mx.array, before: States, passes: int, biases: Sequence[mx.array]) -> States:
        "`passes` times over a chunk H [B, T, D]. What is returned is all that is kept of it."
        states = list(before)
        for j in range(passes):
            H = H + self.begin[min(j, len(self.begin) - 1)]
            for n, block in enumerate(self.blocks):
                H, states[n] = block(H, states[n], biases[n])
        return states

    def through(self, context: np.ndarray) -> list[mx.array]:
        "Everything in one window: what each block is given, [B, C T, D]."
        x = self.embed(context.reshape(len(context), -1, context.shape[-1]))
        given = []
        for block, bias in zip(self.blocks, self.biases(x.shape[1]), strict=True):
            given.append(x)
            x, _ = block(x, None, bias)
        return given

    def answer(self, questions: np.ndarray, states: States, given: Sequence[mx.array] | None = None) -> mx.array:
        x = self.embed(questions)
        for _ in range(self.shape.looks):
            for n, block in enumerate(self.blocks):
                x = block.ask(x, states[n], None if given is None else given[n])
        return self.head(norm(x))
