"""One model trained from scratch on one task, and what it then knows at each depth.

Muon moves the matrices of the blocks, Adam the rest. Depth is a curriculum: questions go to depth 1 first and to all depths
after three quarters of the steps, for every arm alike; nothing about a model decides when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pocketsleep.bench.naps.model import Model, Shape
from pocketsleep.bench.naps.tasks import Batch, Task

# isort: split
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as opt
import numpy as np
from mlx.utils import tree_flatten

RATE, MUON = 3e-3, 5.0  # Adam's learning rate, and how much larger Muon's is
CLIMB, WARM, LEAST = 0.75, 50, 0.05  # share of the steps until all depths are asked; steps to the full rate; what is left of it
RECIPE = (RATE, MUON, CLIMB, WARM, LEAST)
HELD_OUT = 10**6  # batches to examine with come from seeds that no training reaches


@dataclass(frozen=True, slots=True)
class Run:
    "How long, with how much at once."

    steps: int
    size: int = 64
    seed: int = 0


def train(task: Task, shape: Shape, run: Run, step: Callable[[int, float], None] = lambda n, loss: None) -> Model:
    "The model after `run.steps`; `step` hears of each with its loss. The same on every run of one seed."
    mx.random.seed(run.seed)
    model = Model(task, shape)
    optimizer = _optimizer()
    slopes = nn.value_and_grad(model, loss)
    for n in range(run.steps):
        batch = at_step(task, n / run.steps).batch((run.seed, n), run.size)
        for part, rate in zip(optimizer.optimizers, (RATE * MUON, RATE), strict=True):
            part.learning_rate = rate * min(1.0, (n + 1) / WARM) * max(LEAST, 1 - n / run.steps)
        value, grads = slopes(model, batch)
        optimizer.update(model, opt.clip_grad_norm(grads, 1.0)[0])
        mx.eval(model.parameters(), optimizer.state)
        step(n, value.item())
    return model


def at_step(task: Task, share: float) -> Task:
    "The task with questions as deep as they are asked after this share of the steps."
    return replace(task, depth=min(task.depth, 1 + int(share / CLIMB * task.depth)))


def _optimizer() -> opt.MultiOptimizer:
    def is_matrix(path: str, array: mx.array) -> bool:
        return array.ndim == 2 and path.startswith("blocks") and not path.endswith(("by_distance", "gates.weight"))

    parts: list[opt.Optimizer] = [opt.Muon(learning_rate=RATE, weight_decay=0.01), opt.AdamW(learning_rate=RATE, betas=[0.9, 0.98])]
    return opt.MultiOptimizer(parts, [is_matrix])


def loss(model: Model, batch: Batch) -> mx.array:
    "Cross-entropy of what is asked, in nats."
    asked = mx.array((batch.answers >= 0).astype(np.float32))
    each = nn.losses.cross_entropy(model(batch.context, batch.questions), mx.array(batch.answers.clip(0)))
    return (each * asked).sum() / asked.sum()


def examine(model: Model, task: Task, seed: int, size: int = 512, passes: int = 0) -> dict[int, float]:
    "Share of right answers at each depth, on sequences that no training saw; `passes` other than those trained with are a probe."
    batch = task.batch((HELD_OUT, seed), size)
    model.shape = replace(model.shape, passes=passes or model.shape.passes)
    right = np.array(model(batch.context, batch.questions)).argmax(-1) == batch.answers
    return {int(d): float(right[(batch.depths == d) & (batch.answers >= 0)].mean()) for d in np.unique(batch.depths)}


def parameters(model: Model) -> int:
    flat: list[tuple[str, mx.array]] = tree_flatten(model.parameters())  # type: ignore[assignment]
    return sum(a.size for _, a in flat)


def cost(task: Task, shape: Shape) -> dict[str, Any]:
    "Additions and multiplications (millions) a token of the context, with its passes, and a question; products with weights and W."
    D, side = shape.width, shape.width // shape.heads
    block = 8 * D * D + 8 * shape.mlp * D * D + shape.memory * (8 * D * D + 7 * D * side)
    ask = block if shape.window == "all" else block - 4 * D * D - shape.memory * (4 * D * D + 5 * D * side)
    window = task.items * (task.chunks if shape.window == "all" else 1)
    attends = 4 * D * window
    return {"context_mflop": shape.passes * shape.blocks * (block + attends) / 1e6,
            "question_mflop": shape.looks * shape.blocks * (ask + attends * (shape.window == "all")) / 1e6}
