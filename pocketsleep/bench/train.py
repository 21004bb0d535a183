"""How fast a night's training goes, against MLX's own pass, stock mlx_lm and the machine's matrix products.

Every arm sees the first of the same batches of the same lessons from the same start, the slower the fewer; a ratio is of the
times that both took over those, each after a first step that is not counted. Results are compared before anything is timed: an
arm that computes another loss is an error, not a figure.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pocketsleep.bench import peft
from pocketsleep.bench.study import lessons
from pocketsleep.errors import ModelError
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx
import numpy as np

from pocketsleep.nouns import Card, Plan
from pocketsleep.runtime import mlx_lora, mlx_train
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row, Soft, batches, shared_prefix
from pocketsleep.runtime.packed import Packed
from pocketsleep.runtime.packed_math import Room, Weight, one_pool
from pocketsleep.weights import Base

SIDE = 1024  # of the square product that measures the peak
SAME = 2e-3  # relative difference of a loss between arms
NEAR, DEGREES = 1e-2, 10.0  # of a loss, and between gradients, where products are rounded

STOCK = '''
import json, sys, time
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from pathlib import Path
from mlx_lm.utils import load_model
from mlx_lm.tuner.lora import LoRALinear
task = json.loads(Path(sys.argv[1]).read_text())
model, _ = load_model(Path(task["folder"])); model.set_dtype(mx.float32); model.freeze()
for i in task["layers"]:
    for key in task["keys"]:
        block, name = key.split(".")
        part = getattr(model.model.layers[i], block)
        setattr(part, name, LoRALinear.from_base(getattr(part, name), r=task["rank"], scale=task["scale"]))
def loss_of(model, ids, mask):  # mlx_lm.tuner.trainer.default_loss, with the prompt masked
    logits = model(ids[:, :-1]).astype(mx.float32)
    return (nn.losses.cross_entropy(logits, ids[:, 1:]) * mask).sum() / mask.sum()
step, adam = nn.value_and_grad(model, loss_of), optim.AdamW(learning_rate=1e-5)
model.train()
took = []
for rows in task["batches"]:
    width = max(len(p) + len(a) for p, a in rows)
    ids = mx.array([p + a + [0] * (width - len(p) - len(a)) for p, a in rows])
    mask = mx.array([[float(len(p) <= t + 1 < len(p) + len(a)) for t in range(width - 1)] for p, a in rows])
    started = time.perf_counter()
    loss, grads = step(model, ids, mask); adam.update(model, grads); mx.eval(loss, model.parameters(), adam.state)
    took.append([len(rows), time.perf_counter() - started, loss.item()])
print(json.dumps(took))
'''


def train(card: Card, base: Base, say: Callable[[str], None], steps: int = 16, stock_steps: int = 2,
          peft_python: Path | None = None) -> dict[str, Any]:
    """examples_per_second and what they are to be compared with. `gemm_share` counts the products of whole rows through
    all blocks, over this machine's peak for a 1024-cube in the precision they are multiplied in; `gemm_share_done` those
    alone that are left once prefixes are shared and the states below the first adapted block are kept. In float32
    the step has to equal MLX's, in bfloat16 to point where it points. PEFT runs where `peft_python` has it."""
    study, _, recipe = lessons(base)
    runtime, plan = Mlx(card, base), recipe.plan()
    rows = runtime.rows(study)
    mlx_lora.attach(runtime.model, plan.keys, plan.layers, plan.rank, plan.scale, plan.seed)
    say(f"{len(rows)} lessons, {sum(map(len, rows))} tokens; batches of {plan.batch}")
    fast, plain = mlx_train.engine(runtime.model, rows, plan), Forward(runtime.model, rows)
    rounded = isinstance(fast, Packed) and fast.head.rounded
    peak = rounded_peak() if rounded else gemm_peak()
    say(f"peak of a {SIDE}-cube: {peak:.0f} GFLOP/s in {'bfloat16' if rounded else 'float32'}")
    order = batches(rows, plan.batch, plan.seed, 0, shared_prefix([r.prompt for r in rows]))
    first = [rows[i] for i in order[0]]
    loss = agree(mlx_train.engine(runtime.model, rows, plan, rounded=False), plain, first, order[0])
    off = near(fast, plain, first, order[0])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fast.keep_lower(rows, Path(folder) / "lower.bin")
        kept, on_disk = time.perf_counter() - started, (Path(folder) / "lower.bin").exists()
        ours = timed(fast, rows, order[:steps])
        beside = lambda some, theirs: timed(fast, rows, some) / theirs  # noqa: E731  rows of other batches are longer or shorter
        mlx = timed(plain, rows, few := order[: max(2, steps // 4)])
        say("stock mlx_lm, in a process of its own")
        stock = stock_seconds(base, plan, rows, order[:stock_steps])
        ratios = {"ratio_mlx": beside(few, mlx), "ratio_mlx_lm": beside(order[:stock_steps], stock)}
        half = order[: max(3, steps // 2)]
        peer = against_peft(peft_python, base, plan, rows, half, loss, say) if peft_python else {}
        if peer:
            peer["ratio_peft"] = beside(half, peer["peft_examples_per_second"])
    chosen = [rows[i] for part in order[:steps] for i in part]
    each = ours / len(chosen) / 1e9 / peak
    return {
        "examples_per_second": ours, "mlx_examples_per_second": mlx, "stock_examples_per_second": stock,
        **ratios, "gemm_peak_gflops": peak,
        "products": "bfloat16" if rounded else "float32", "gradient_off_degrees": off,
        "gemm_share": flops(base, plan, chosen) * each,
        "gemm_share_done": done(base, plan, rows, order[:steps], len(fast.prefix), on_disk) * each, "seconds_to_keep_lower": kept,
        "step": fast.reason or "packed", "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    } | peer


def against_peft(python: Path, base: Base, plan: Plan, rows: Sequence[Row], order: Sequence[Sequence[int]], loss: float,
                 say: Callable[[str], None]) -> dict[str, Any]:
    "PEFT's rate on these batches; an error where its first loss is not ours."
    say("PyTorch and PEFT, in their own environment")
    theirs = peft.seconds(python, base, plan, rows, [order[0], *order])  # it counts those after the first
    if abs(theirs["loss"] - loss) > SAME * abs(loss):
        raise ModelError(f"PEFT computes another loss: {theirs['loss']:.5f}, here {loss:.5f}", hint="pocketsleep doctor")
    return {"peft_examples_per_second": theirs["examples_per_second"], "peft_versions": " ".join(theirs["versions"])}


def agree(fast: mlx_train.Engine, plain: Forward, rows: Sequence[Row], indices: Sequence[int]) -> float:
    "The loss of one batch; raises unless both engines give it, and the same gradients."
    none: list[Soft | None] = [None] * len(rows)
    (loss, grads), (want, ours) = fast.step(rows, none, indices), plain.step(rows, none, indices)
    off = max(float(np.abs(np.array(grads[k]) - np.array(g)).max() / np.abs(np.array(g)).max()) for k, g in ours.items()
              if float(mx.abs(mx.array(g)).max()) > 0)
    if abs(loss - want) > SAME * abs(want) or off > 2e-2:
        raise ModelError(f"the engines disagree: loss {loss:.5f} and {want:.5f}, gradients by {off:.1%}", hint="pocketsleep doctor")
    return float(want)


def near(fast: mlx_train.Engine, plain: Forward, rows: Sequence[Row], indices: Sequence[int]) -> float:
    "Degrees between the gradients of one batch; raises where losses or directions are not those of full precision."
    none: list[Soft | None] = [None] * len(rows)
    (loss, grads), (want, theirs) = fast.step(rows, none, indices), plain.step(rows, none, indices)
    a, b = (np.concatenate([np.array(g[k]).ravel() for k in sorted(theirs)]) for g in (grads, theirs))
    off = float(np.degrees(np.arccos(min(1.0, a @ b / np.linalg.norm(a) / np.linalg.norm(b)))))
    if abs(loss - want) > NEAR * abs(want) or not off < DEGREES:
        raise ModelError(f"bfloat16 computes something else: loss {loss:.5f} and {want:.5f}, gradients {off:.1f} degrees apart",
                         hint="pocketsleep doctor")
    return off


def timed(by: mlx_train.Engine, rows: Sequence[Row], order: Sequence[Sequence[int]]) -> float:
    "Examples a second, optimizer included; one step to warm up."
    adam = by.optimizer()
    started, done = 0.0, 0
    for n, part in enumerate([order[0], *order]):
        if n == 1:
            started = time.perf_counter()
        _, grads = by.step([rows[i] for i in part], [None] * len(part), part)
        adam.update(grads, 1e-5)
        done += len(part) if n else 0
    return done / (time.perf_counter() - started)


def stock_seconds(base: Base, plan: Plan, rows: Sequence[Row], order: Sequence[Sequence[int]]) -> float:
    "Examples a second of mlx_lm's own loss and LoRA after one step to warm up, in a process that never loads our BLAS bridge."
    task = {"folder": str(base.folder), "rank": plan.rank, "scale": plan.scale, "keys": plan.keys, "layers": plan.layers,
            "batches": [[[list(rows[i].prompt), list(rows[i].answer)] for i in part] for part in [order[0], *order]]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        path.write_text(json.dumps(task))
        run = subprocess.run([sys.executable, "-c", STOCK, str(path)], capture_output=True, text=True)
    if run.returncode:
        raise ModelError(f"stock mlx_lm failed: {run.stderr.strip()[-300:]}", hint="pip install mlx-lm")
    took = json.loads(run.stdout.splitlines()[-1])[1:]
    return float(sum(n for n, _, _ in took) / sum(s for _, s, _ in took))


def gemm_peak(repeats: int = 8) -> float:
    "GFLOP/s of a SIDE-cube float32 product on the device MLX computes on: the best of several."
    a = mx.random.normal((SIDE, SIDE))
    mx.eval(a @ a)
    best = 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        mx.eval(a @ a)
        best = max(best, 2 * SIDE**3 / (time.perf_counter() - started) / 1e9)
    return best


def rounded_peak(repeats: int = 100) -> float:
    "The same of a product in bfloat16, by native/fused/matrix.c; often enough for other libraries' threads to fall asleep."
    weight, room = Weight(np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)), Room()
    weight.rounded, out, best = True, np.empty((SIDE, SIDE), np.float32), 0.0
    with one_pool(True):
        weight.through(weight.plain, out, room)
        for _ in range(repeats):
            started = time.perf_counter()
            weight.through(weight.plain, out, room)
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - started) / 1e9)
    return best


def flops(base: Base, plan: Plan, rows: Sequence[Row]) -> float:
    """Products of forward and backward over these rows, each row whole: all blocks forward, adapted ones backward
    without weight gradients, the head at answer positions both ways."""
    tokens, answers = sum(map(len, rows)), sum(len(r.answer) for r in rows)
    return 2 * per_block(base) * tokens * (base.layers + len(plan.layers)) + 4 * table(base) * answers


def done(base: Base, plan: Plan, rows: Sequence[Row], order: Sequence[Sequence[int]], prefix: int, kept: bool) -> float:
    "Products of these batches that no sharing saves: one prefix a batch, and no block that kept states stand for."
    parts = [[rows[i] for i in part] for part in order]
    tokens = sum(prefix + sum(len(r) - prefix for r in part) for part in parts)
    forward = base.layers - (min(plan.layers) if kept else 0)
    answers = sum(len(r.answer) for part in parts for r in part)
    return 2 * per_block(base) * tokens * (forward + len(plan.layers)) + 4 * table(base) * answers


def per_block(base: Base) -> float:
    "Numbers in the matrices of one block."
    return float(sum(np.prod(shape) for name, shape in base.shapes.items()
                     if name.startswith("model.layers.0.") and len(shape) == 2))


def table(base: Base) -> float:
    return float(np.prod(base.shapes["model.embed_tokens.weight"]))
