"""Four tasks whose questions come when what they are about has left the window, each with its depth.

A token is four small numbers (`SLOTS`), embedded as a sum: what spelling costs is not asked here. Every sequence is some
chunks and many questions, and each question is answered on its own. Generators are seeded and vectorised;
`tests/test_naps.py` holds them against solvers that are as slow as they are plain.

| task | a chunk | a question | depth |
|---|---|---|---|
| mqar | pairs key, value | the value of a key | pairs in the sequence |
| khop | edges of a cycle through the chunk's nodes, shuffled | where k steps from a node lead | k |
| rule110 | one row of cells, dark beyond its ends | a cell after t steps of Rule 110 | t |
| swaps | boxes and what is in them, then swaps of two boxes | what is in a box at the end | moves of what is in it |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pocketsleep.errors import BadInput

Array = np.ndarray
KINDS = ("nothing", "item", "swap", "question")
SLOTS = ("kind", "who", "what", "depth")
NOTHING, ITEM, SWAP, QUESTION = range(4)


@dataclass(frozen=True, slots=True)
class Batch:
    "context [B, C, T, 4], questions [B, Q, 4]: numbers of slots. answers, depths [B, Q]: -1 as an answer is not asked."

    context: Array
    questions: Array
    answers: Array
    depths: Array


@dataclass(frozen=True, slots=True)
class Task:
    "A generator with its sizes: `chunks` of `items`, questions to `depth`, `sizes` of the four slots, `answers` to choose from."

    name: str
    draw: Callable[[Task, np.random.Generator, int], Batch]
    chunks: int
    items: int
    depth: int
    sizes: tuple[int, int, int, int]
    answers: int
    asked: int = 32  # questions of a sequence
    blocks: int = 1  # of the models it is put to
    steps: int = 500  # of training
    full: int = 0  # of mqar: the depth at which every place holds a pair

    def batch(self, seed: int | tuple[int, ...], size: int) -> Batch:
        return self.draw(self, np.random.default_rng(seed), size)


def tokens(kind: int | Array, who: int | Array, what: int | Array, depth: int | Array = 0) -> Array:
    "[..., 4] of slots that are numbers or arrays of one shape."
    return np.stack(np.broadcast_arrays(kind, who, what, depth), axis=-1).astype(np.int32)


def shuffled(rng: np.random.Generator, rows: int, n: int) -> Array:
    "[rows, n]: permutations of 0 .. n - 1."
    return rng.random((rows, n)).argsort(axis=1)


def asking(who: Array, depth: Array, answers: Array, context: Array, told: Array | None = None) -> Batch:
    "A batch whose questions name `who`, and `told` (depth, unless another number says so) as far as they know it."
    questions = tokens(QUESTION, who, 0, depth if told is None else told)
    return Batch(context, questions, answers.astype(np.int32), depth.astype(np.int32))


def mqar(task: Task, rng: np.random.Generator, size: int) -> Batch:
    "From few to all places hold a pair; keys are told apart, values repeat. Depth is the number of pairs, and not told."
    n = task.chunks * task.items
    keys, values = shuffled(rng, size, n), rng.integers(0, task.answers, (size, n))
    pairs = rng.integers(1, task.depth + 1, (size, 1)) * n // task.full
    there = shuffled(rng, size, n) < pairs
    context = tokens(np.where(there, ITEM, NOTHING), np.where(there, keys, 0), np.where(there, values, 0))
    shown, depth = context.reshape(size, task.chunks, task.items, 4), np.broadcast_to(pairs, keys.shape)
    return asking(keys, depth, np.where(there, values, -1), shown, np.zeros_like(keys))


def khop(task: Task, rng: np.random.Generator, size: int) -> Batch:
    "Each chunk has one cycle through its own nodes, so that no path is shorter than it looks; edges come in any order."
    rows, n = size * task.chunks, task.items
    cycle = shuffled(rng, rows, n)  # the n-th on the way round
    first = np.tile(np.arange(task.chunks) * n, size)[:, None]
    order = shuffled(rng, rows, n)
    edges = tokens(ITEM, np.take_along_axis(cycle, order, 1) + first, np.take_along_axis(cycle, (order + 1) % n, 1) + first)
    row, at, hops = _picked(task, rng, size, n)
    start, end = cycle[row, at], cycle[row, (at + hops) % n]
    return asking(start + first[row, 0], hops, end + first[row, 0], edges.reshape(size, task.chunks, n, 4))


def _picked(task: Task, rng: np.random.Generator, size: int, n: int, least: int = 1) -> tuple[Array, Array, Array]:
    "Which row of all chunks, which of its n places, how deep: [size, asked] each."
    shape = (size, task.asked)
    chunk = rng.integers(0, task.chunks, shape)
    return np.arange(size)[:, None] * task.chunks + chunk, rng.integers(0, n, shape), rng.integers(least, task.depth + 1, shape)


def rule110(task: Task, rng: np.random.Generator, size: int) -> Batch:
    "Rows of random cells."
    rows, n = size * task.chunks, task.items
    cells = rng.integers(0, 2, (rows, n))
    first = np.tile(np.arange(task.chunks) * n, size)[:, None]
    context = tokens(ITEM, first + np.arange(n), cells)
    after = [cells]
    for _ in range(task.depth):
        after.append(evolved(after[-1]))
    row, at, steps = _picked(task, rng, size, n, least=0)
    return asking(first[row, 0] + at, steps, np.stack(after)[steps, row, at], context.reshape(size, task.chunks, n, 4))


def evolved(cells: Array) -> Array:
    """One step of Rule 110 (01101110) in a frame that moves a cell to the right: place i now holds what cell i - 1 becomes, which
    depends on places up to i alone. Causal models can follow it; what is beyond the left end is dark."""
    left, own, right = (np.pad(cells, ((0, 0), (by, 0)))[:, : cells.shape[1]] for by in (2, 1, 0))
    return (own | right) & ~(left & own & right) & 1


def swaps(task: Task, rng: np.random.Generator, size: int) -> Batch:
    "`answers` boxes with one thing each in the first places of the first chunk; other places swap two boxes, or nothing happens."
    boxes, n = task.answers, task.chunks * task.items
    inside, moves = shuffled(rng, size, boxes), np.zeros((size, boxes), int)
    context = np.zeros((size, n, 4), np.int32)
    context[:, :boxes] = tokens(ITEM, np.broadcast_to(np.arange(boxes), inside.shape), inside)
    many = rng.integers(0, min(n - boxes, 2 * task.depth) + 1, (size, 1))
    there, every = shuffled(rng, size, n - boxes) < many, np.arange(size)
    for place in range(boxes, n):
        x, y = shuffled(rng, size, boxes)[:, :2].T
        y = np.where(there[:, place - boxes], y, x)
        context[:, place] = np.where((x != y)[:, None], tokens(SWAP, x, y), 0)
        moves[every, x] += x != y
        moves[every, y] += x != y
        for things in (inside, moves):
            things[every, x], things[every, y] = things[every, y], things[every, x]
    who = np.broadcast_to(np.arange(boxes), inside.shape)
    shown = context.reshape(size, task.chunks, task.items, 4)
    return asking(who, np.minimum(moves, task.depth), inside, shown, np.zeros_like(who))


TASKS = {task.name: task for task in (
    Task("mqar", mqar, chunks=4, items=8, depth=4, sizes=(4, 32, 16, 1), answers=16, steps=120, full=4),
    Task("khop", khop, chunks=2, items=8, depth=4, sizes=(4, 16, 16, 5), answers=16, steps=500),
    Task("rule110", rule110, chunks=2, items=8, depth=4, sizes=(4, 16, 2, 5), answers=2, steps=500),
    Task("swaps", swaps, chunks=2, items=10, depth=6, sizes=(4, 6, 6, 1), answers=6, steps=400),
)}


def find(name: str) -> Task:
    "Raises BadInput where there is no such task."
    if name not in TASKS:
        raise BadInput(f"no task is called `{name}`", hint=f"--tasks {','.join(TASKS)}")
    return TASKS[name]
