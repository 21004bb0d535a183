"""The training loop of a night, on MLX: LoRA alone trains, the head runs at answer positions alone.

Every random draw is a function of (seed, epoch), every sum has one order: the same lessons and plan give
the same bytes on a CPU, and a run that was cut short ends where the undisturbed one would have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from pocketsleep.errors import NightInterrupted
from pocketsleep.nouns import Epoch, Plan, content_id
from pocketsleep.runtime import mlx_lora
from pocketsleep.runtime.mlx_forward import Forward, head, picked
from pocketsleep.runtime.mlx_rows import Batch, Row, Soft, batches, collate, shared_prefix

CHECKPOINT_EVERY = 8  # steps; about twenty seconds on two cores


@dataclass(frozen=True, slots=True)
class Trained:
    tensors: dict[str, np.ndarray]
    epochs: tuple[Epoch, ...]
    reason: str  # why it stopped


Tick = Callable[[int, int, float], None]  # steps done, steps in all, loss


def soft_targets(forward: Forward, rows: Sequence[Row], top_k: int, batch: int) -> list[Soft | None]:
    "The base's own top-k at each answer position, given the teacher's context. Made before training."
    made: list[Soft | None] = [None] * len(rows)
    wanted = sorted((i for i, r in enumerate(rows) if r.soft > 0), key=lambda i: len(rows[i].teacher))
    for start in range(0, len(wanted), batch):
        chosen = wanted[start : start + batch]
        logits = forward.logits([Row(rows[i].teacher, rows[i].answer) for i in chosen])
        np_ids, np_p = _top(np.array(logits), top_k)
        at = 0
        for i in chosen:
            n = len(rows[i].answer)
            made[i] = (np_ids[at : at + n], np_p[at : at + n])
            at += n
    return made


def _top(logits: np.ndarray, k: int) -> Soft:
    "The k likeliest tokens of each row and their share among themselves. NumPy: MLX sorts slowly on a CPU."
    ids = np.argpartition(-logits, k - 1, axis=-1)[:, :k]
    chosen = np.take_along_axis(logits, ids, axis=-1)
    p = np.exp(chosen - chosen.max(axis=-1, keepdims=True))
    return ids.astype(np.int32), (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


def loss_of(forward: Forward, batch: Batch, indices: Sequence[int] | None = None) -> mx.array:
    "hard x cross-entropy + soft x KL(teacher's top-k || student), in nats."
    states = forward.states(batch.ids, batch.prefix > 0, indices)
    logits = head(forward.model, picked(states, batch.where))
    logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    chosen = mx.take_along_axis(logp, batch.target[:, None], axis=-1)[:, 0]
    student = mx.take_along_axis(logp, batch.top_ids, axis=-1)
    entropy = (batch.top_p * mx.log(mx.maximum(batch.top_p, 1e-20))).sum(-1)
    kl = entropy - (batch.top_p * student).sum(-1)
    return (batch.soft * kl - batch.hard * chosen).sum()


def measure(forward: Forward, rows: Sequence[Row], batch: int = 32) -> tuple[float, float]:
    "Share of answers whose every token is the argmax, and the median nats an answer token."
    hit: list[bool] = []
    nats: list[float] = []
    ordered = sorted(rows, key=len)
    for start in range(0, len(ordered), batch):
        part = ordered[start : start + batch]
        logits = forward.logits(part)
        target = np.concatenate([r.answer for r in part])
        logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        right = np.array(mx.argmax(logits, axis=-1)) == target
        nll = -np.array(mx.take_along_axis(logp, mx.array(target[:, None]), axis=-1))[:, 0]
        at = 0
        for row in part:
            span = slice(at, at + len(row.answer))
            hit.append(bool(right[span].all()))
            nats += nll[span].tolist()
            at += len(row.answer)
    return (float(np.mean(hit)), float(np.median(nats))) if hit else (0.0, 0.0)


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    "Linear warm-up over the first twentieth, then a cosine down to a tenth."
    warm = max(1, steps // 20)
    if step < warm:
        return plan.learning_rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return plan.learning_rate * (0.1 + 0.45 * (1 + float(np.cos(np.pi * min(1.0, done)))))


class Trainer:
    "One training run over one model. The model is left bare when it ends, however it ends."

    def __init__(self, model: nn.Module, rows: Sequence[Row], held: Sequence[Row], plan: Plan, folder: Path) -> None:
        self.model, self.rows, self.held, self.plan, self.folder = model, rows, held, plan, folder
        self.task = content_id("task", repr(plan), repr(list(rows)), repr(list(held)))
        self.epochs: list[Epoch] = []
        self.losses: list[float] = []
        self.epoch = self.step = 0
        self.best: dict[str, np.ndarray] = {}
        self.optimizer = optim.AdamW(learning_rate=plan.learning_rate, weight_decay=0.0, bias_correction=True)

    def run(self, tick: Tick, late: Callable[[], bool] = lambda: False) -> Trained:
        """Train to the end of the plan. Once `late` says so, the best finished epoch is what comes of it;
        without one NightInterrupted is raised, and the next run goes on from here."""
        plan, self.late = self.plan, late
        mlx_lora.attach(self.model, plan.keys, plan.layers, plan.rank, plan.scale, plan.seed)
        try:
            prefix = shared_prefix([r.prompt for r in self.rows])
            self.forward = Forward(self.model, [*self.rows, *self.held], prefix, min(plan.layers))
            self.soft = soft_targets(self.forward, self.rows, plan.top_k, plan.batch)
            self.forward.keep_lower(self.rows, self.folder / "lower.bin")
            self._resume()
            reason = self._epochs(tick)
            return Trained(self.best, tuple(self.epochs), reason)
        finally:
            mlx_lora.detach(self.model)
            (self.folder / "lower.bin").unlink(missing_ok=True)

    def _epochs(self, tick: Tick) -> str:
        while self.epoch < self.plan.epochs:
            if self.epochs and self.epochs[-1].held_out >= self.plan.enough:
                return f"unseen phrasings reached {self.epochs[-1].held_out:.0%} after epoch {self.epoch}"
            if not self._one_epoch(tick):
                return f"the time was up in epoch {self.epoch + 1}"
        return f"all {self.plan.epochs} epochs were run"

    def _one_epoch(self, tick: Tick) -> bool:
        order = batches(self.rows, self.plan.batch, self.plan.seed, self.epoch, self.forward.prefix)
        steps = len(order) * self.plan.epochs
        step_of = nn.value_and_grad(self.model, lambda batch, indices: loss_of(self.forward, batch, indices))
        while self.step < len(order):
            if self.late():
                return self._out_of_time()
            done = self.epoch * len(order) + self.step
            self.losses.append(self._step(step_of, order[self.step], learning_rate(self.plan, done, steps)))
            self.step += 1
            tick(done + 1, steps, self.losses[-1])
            if self.step % CHECKPOINT_EVERY == 0 and self.step < len(order):
                self._save()
        self._close_epoch()
        return True

    def _out_of_time(self) -> bool:
        if self.epochs:
            return False
        self._save()
        raise NightInterrupted("the time was up before the first pass over the lessons was done",
                               hint="pocketsleep sleep --tonight")

    def _step(self, step_of: Callable[..., Any], chosen: Sequence[int], rate: float) -> float:
        self.optimizer.learning_rate = mx.array(rate)
        batch = collate([self.rows[i] for i in chosen], [self.soft[i] for i in chosen], self.plan.top_k,
                        self.forward.prefix)
        loss, grads = step_of(batch, chosen)
        grads, _ = optim.clip_grad_norm(grads, max_norm=1.0)
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.trainable_parameters(), self.optimizer.state)
        return float(loss)

    def _close_epoch(self) -> None:
        share, nats = measure(self.forward, self.held)
        self.epochs.append(Epoch(self.epoch + 1, float(np.mean(self.losses)), share, nats))
        if share >= max(e.held_out for e in self.epochs):  # the later of equals: it has seen more
            self.best = mlx_lora.read(self.model, self.plan.keys, self.plan.layers)
        self.epoch, self.step, self.losses = self.epoch + 1, 0, []
        self._save()

    def _save(self) -> None:
        "Adapter, optimizer, best so far and cursor in one file: whole or absent."
        arrays = {f"optimizer.{k}": v for k, v in _flat(self.optimizer.state)}
        arrays |= {f"adapter.{k}": v for k, v in _flat(self.model.trainable_parameters())}
        arrays |= {f"best.{k}": mx.array(v) for k, v in self.best.items()}
        cursor = {"epoch": self.epoch, "step": self.step, "losses": self.losses,
                  "epochs": [asdict(e) for e in self.epochs], "task": self.task}
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / "draft.safetensors"
        mx.save_safetensors(str(draft), arrays, metadata={"cursor": json.dumps(cursor)})
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, self.folder / "train.safetensors")

    def _resume(self) -> None:
        path = self.folder / "train.safetensors"
        if not path.exists():
            return
        loaded: Any = mx.load(str(path), return_metadata=True)
        arrays, metadata = loaded
        cursor = json.loads(metadata["cursor"])
        if cursor["task"] != self.task:
            return  # other lessons or another recipe: start again
        self.model.update(tree_unflatten(list(_under("adapter.", arrays))))
        self.optimizer.init(self.model.trainable_parameters())
        self.optimizer.state = tree_unflatten(list(_under("optimizer.", arrays)))
        self.best = {k: np.array(v) for k, v in _under("best.", arrays)}
        self.epoch, self.step, self.losses = cursor["epoch"], cursor["step"], cursor["losses"]
        self.epochs = [Epoch(**e) for e in cursor["epochs"]]
        mx.eval(self.model.parameters(), self.optimizer.state)


def _flat(tree: Any) -> list[tuple[str, mx.array]]:
    pairs: Any = tree_flatten(tree)
    return [(name, value) for name, value in pairs if isinstance(value, mx.array)]


def _under(prefix: str, arrays: dict[str, mx.array]) -> Iterator[tuple[str, mx.array]]:
    return ((name[len(prefix):], value) for name, value in arrays.items() if name.startswith(prefix))
