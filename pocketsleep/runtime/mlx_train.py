"""The training loop of a night, on MLX: LoRA alone trains, the head runs at answer positions alone.

Every random draw is a function of (seed, epoch), every sum has one order: the same lessons, plan and portions give
the same bytes on a CPU, and a run that was cut short ends where the undisturbed one would have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from safetensors import SafetensorError, safe_open

from pocketsleep import disk
from pocketsleep.errors import NightInterrupted
from pocketsleep.nouns import Epoch, Plan, content_id
from pocketsleep.runtime import mlx_lora, whiten
from pocketsleep.runtime.adam import Optimizer
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row, Soft, batches, shared_prefix
from pocketsleep.runtime.packed import Packed
from pocketsleep.runtime.packed_math import top

LISTENED = 160  # anchors whose inputs are measured: their tokens outnumber the directions found by ten
AHEAD = 2.0  # standard errors by which an epoch has to be ahead of a later one to be kept instead of it
CHECKPOINT_EVERY = 24  # steps; five to ten seconds on two cores


@dataclass(frozen=True, slots=True)
class Trained:
    tensors: dict[str, np.ndarray]
    epochs: tuple[Epoch, ...]
    reason: str  # why it stopped
    foreseen: int = 0  # bytes of the process at its peak, as they were foreseen; 0 where nobody can


Tick = Callable[[int, int, float], None]  # steps done, steps in all, loss


class Engine(Protocol):
    "What computes a step: packed passes on a CPU (`packed`), MLX's own elsewhere (`mlx_forward`)."

    prefix: tuple[int, ...]
    reason: str  # why the packed pass is not taken, '' when it is
    most: int  # tokens that a step keeps things for; 0 where MLX decides

    def keep_lower(self, rows: Sequence[Row], path: Path) -> None: ...
    def step(self, rows: Sequence[Row], soft: Sequence[Soft | None], indices: Sequence[int]) -> tuple[float, Mapping[str, Any]]: ...
    def logits(self, rows: Sequence[Row], indices: Sequence[int] | None = None) -> Iterator[tuple[int, np.ndarray]]: ...
    def moments(self, rows: Sequence[Row], indices: Sequence[int]) -> Mapping[str, np.ndarray]: ...
    def optimizer(self) -> Optimizer: ...
    def close(self) -> None: ...


def engine(model: nn.Module, rows: Sequence[Row], plan: Plan, own: bool = False, most: int = 0, rounded: bool = True) -> Engine:
    "The fastest engine that computes this model on this machine rightly. `own`, `most`, `rounded`: as `Packed` takes them."
    prefix, first = shared_prefix([r.prompt for r in rows]), min(plan.layers)
    why = "layers beside the MLP are adapted" if any(not k.startswith("mlp.") for k in plan.keys) else ""
    packed = Packed(model, rows, prefix, first, rounded, own, most) if not why else None
    if packed is not None and not packed.reason:
        return packed
    plain = Forward(model, rows, prefix, first)
    plain.reason = plain.reason or why or (packed.reason if packed else "")
    return plain


def soft_targets(by: Engine, rows: Sequence[Row], top_k: int) -> list[Soft | None]:
    "The base's own top-k at each answer position, given the teacher's context. Made before training, after `keep_lower`."
    made: list[Soft | None] = [None] * len(rows)
    own = [i for i, r in enumerate(rows) if r.soft > 0 and r.teacher == r.prompt]
    told = [i for i, r in enumerate(rows) if r.soft > 0 and r.teacher != r.prompt]
    for n, logits in by.logits([rows[i] for i in own], own):
        made[own[n]] = top(logits, top_k)
    for n, logits in by.logits([Row(rows[i].teacher, rows[i].answer) for i in told]):
        made[told[n]] = top(logits, top_k)
    return made


def measure(by: Engine, rows: Sequence[Row], indices: Sequence[int] | None = None) -> tuple[float, float]:
    "Share of answers whose every token is the argmax, and the median nats an answer token. `indices` as in `logits`."
    hit: list[bool] = []
    nats: list[float] = []
    for i, logits in by.logits(rows, indices):
        target = np.array(rows[i].answer)
        high = logits.max(axis=-1, keepdims=True)
        lse = high[:, 0] + np.log(np.exp(logits - high).sum(axis=-1, dtype=np.float64))
        hit.append(bool((logits.argmax(axis=-1) == target).all()))
        nats += (lse - logits[np.arange(len(target)), target]).tolist()
    return (float(np.mean(hit)), float(np.median(nats))) if hit else (0.0, 0.0)


def surpassed(share: float, best: float, count: int) -> bool:
    """Whether the epoch that had the `best` share of `count` held-out answers is kept instead of the one that has `share` now. A
    rate that falls to the plan's end makes later ones better in what is not held out, so a question or two is no reason."""
    middle = (share + best) / 2
    return best - share > AHEAD * float(np.sqrt(middle * (1 - middle) / max(1, count)))


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    "Linear warm-up over the first twentieth, then a cosine down to a tenth."
    warm = max(1, steps // 20)
    if step < warm:
        return plan.learning_rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return plan.learning_rate * (0.1 + 0.45 * (1 + float(np.cos(np.pi * min(1.0, done)))))


class Trainer:
    "One training run over one model. The model is left bare when it ends, however it ends."

    by: Engine

    def __init__(self, model: nn.Module, rows: Sequence[Row], held: Sequence[Row], plan: Plan, folder: Path,
                 on: str = "", own: bool = False, most: int = 0) -> None:
        """`on` names what the model is besides its base: a checkpoint of another model is not gone on with.
        `own`: the model is nobody else's and may be of no use afterwards, which saves memory. `most`: tokens of a step."""
        self.own, self.most = own, most
        self.model, self.rows, self.held, self.plan, self.folder = model, rows, held, plan, folder
        self.task = content_id("task", repr(plan), repr(list(rows)), repr(list(held)), on)
        self.epochs: list[Epoch] = []
        self.losses: list[float] = []
        self.epoch = self.step = 0
        self.best: dict[str, np.ndarray] = {}

    def run(self, tick: Tick, late: Callable[[], bool] = lambda: False) -> Trained:
        """Train to the end of the plan. Once `late` says so, what comes of it is the last finished epoch, or one
        that is clearly ahead of it; without any NightInterrupted is raised, and the next run goes on from here."""
        plan, self.late = self.plan, late
        mlx_lora.attach(self.model, plan.keys, plan.layers, plan.rank, plan.scale, plan.seed)
        try:
            self.by = engine(self.model, [*self.rows, *self.held], plan, self.own, self.most)
            try:
                self._prepare()
                reason = self._epochs(tick)
            finally:
                self.by.close()
            return Trained(self.best, tuple(self.epochs), reason)
        finally:
            mlx_lora.detach(self.model)
            (self.folder / "lower.bin").unlink(missing_ok=True)

    def _prepare(self) -> None:
        self.by.keep_lower([*self.rows, *self.held], self.folder / "lower.bin")
        self.soft = soft_targets(self.by, self.rows, self.plan.top_k)
        self.optimizer = self.by.optimizer()
        self.optimizer.whiten(self._filters())
        self._resume()

    def _filters(self) -> dict[str, whiten.Filter]:
        # Rows with soft targets: anchors, and items of levels below that are asked again. Both are to stay as they are.
        anchors = [i for i, row in enumerate(self.rows) if not row.hard]
        some = anchors[:: max(1, len(anchors) // LISTENED)]
        if not self.plan.whiten or not some:
            return {}
        return whiten.filters(self.by.moments([self.rows[i] for i in some], some), self.plan.whiten)

    def _epochs(self, tick: Tick) -> str:
        while self.epoch < self.plan.epochs:
            if self.epochs and self.epochs[-1].held_out >= self.plan.enough:
                return f"unseen phrasings reached {self.epochs[-1].held_out:.0%} after epoch {self.epoch}"
            if not self._one_epoch(tick):
                return f"the time was up in epoch {self.epoch + 1}"
        return f"all {self.plan.epochs} epochs were run"

    def _one_epoch(self, tick: Tick) -> bool:
        order = batches(self.rows, self.plan.batch, self.plan.seed, self.epoch, self.by.prefix)
        steps = len(order) * self.plan.epochs
        while self.step < len(order):
            if self.late():
                return self._out_of_time()
            done = self.epoch * len(order) + self.step
            self.losses.append(self._step(order[self.step], learning_rate(self.plan, done, steps)))
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

    def _step(self, chosen: Sequence[int], rate: float) -> float:
        loss, grads = self.by.step([self.rows[i] for i in chosen], [self.soft[i] for i in chosen], chosen)
        self.optimizer.update(grads, rate)
        return loss

    def _close_epoch(self) -> None:
        share, nats = measure(self.by, self.held, range(len(self.rows), len(self.rows) + len(self.held)))
        self.epochs.append(Epoch(self.epoch + 1, float(np.mean(self.losses)), share, nats))
        if not surpassed(share, max(e.held_out for e in self.epochs), len(self.held)):
            self.optimizer.publish()
            self.best = mlx_lora.read(self.model, self.plan.keys, self.plan.layers)
        self.epoch, self.step, self.losses = self.epoch + 1, 0, []
        self._save()

    def _save(self) -> None:
        "Adapter, optimizer, best so far and cursor in one file: whole or absent."
        arrays = self.optimizer.arrays() | {f"best.{k}": mx.array(v) for k, v in self.best.items()}
        cursor = {"epoch": self.epoch, "step": self.step, "losses": self.losses,
                  "epochs": [asdict(e) for e in self.epochs], "task": self.task, "most": self.by.most}
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / "draft.safetensors"
        mx.save_safetensors(str(draft), arrays, metadata={"cursor": json.dumps(cursor)})
        disk.sync(draft)
        os.replace(draft, self.folder / "train.safetensors")

    def _resume(self) -> None:
        path = self.folder / "train.safetensors"
        try:
            with safe_open(path, framework="numpy") as kept:
                cursor = json.loads(kept.metadata()["cursor"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return  # there is none, or it is not whole, as a power cut may leave it: start again
        arrays: Any = mx.load(str(path))
        if cursor["task"] != self.task or not self.optimizer.restore(arrays):
            return  # other lessons, another recipe or engine: start again
        self.best = {k: np.array(v) for k, v in _under("best.", arrays)}
        self.epoch, self.step, self.losses = cursor["epoch"], cursor["step"], cursor["losses"]
        self.epochs = [Epoch(**e) for e in cursor["epochs"]]
        self.by.most = cursor.get("most", self.by.most)  # portions decide the order of sums, and so the bytes


def _under(prefix: str, arrays: dict[str, mx.array]) -> Iterator[tuple[str, mx.array]]:
    return ((name[len(prefix):], value) for name, value in arrays.items() if name.startswith(prefix))
