"""Tasks by arms by seeds; each finished run is a file, and is not done again. What `pocketsleep bench naps` prints.

Arms of N passes differ in nothing else: the same parameters, the same cost of a question. The controls get what
N = 4 takes, in other ways:

| arm | window | passes | what it is for |
|---|---|---|---|
| 1, 2, 4 | a chunk, then evicted | N | the paper's |
| deep | the same | 1 | four times the blocks: N = 4's work on the context, four times its parameters and its work on a question |
| wide | the same | 1 | twice the width: four times the work on every token, no more depth |
| loop | the same | 1 | four looks at the question: thinking when asked, what is gone is gone |
| full | everything | 1 | `deep` without memory, nothing evicted |
| window | a chunk, no memory | 1 | what is evicted is lost: chance |
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep import disk
from pocketsleep.bench.naps import tasks
from pocketsleep.bench.naps.model import Shape
from pocketsleep.bench.naps.train import RECIPE, Run, cost, examine, parameters, train
from pocketsleep.errors import BadInput
from pocketsleep.nouns import content_id

MOST = 4  # passes that the controls are matched with
CONTROLS: dict[str, Callable[[Shape], Shape]] = {
    "deep": lambda one: replace(one, blocks=MOST * one.blocks), "wide": lambda one: replace(one, width=2 * one.width),
    "loop": lambda one: replace(one, looks=MOST), "window": lambda one: replace(one, memory=False),
    "full": lambda one: replace(one, blocks=MOST * one.blocks, memory=False, window="all"),
}
PROBED = (1, 2, 3, 4, 6)  # passes that a model trained with several is also examined with
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # Student's t, 1 to 9 degrees of freedom, 95% between

Say = Callable[[str], None]
Row = dict[str, Any]


def shape_of(arm: str, task: tasks.Task) -> Shape:
    "Raises BadInput where there is no such arm."
    one = Shape(blocks=task.blocks)
    if arm in CONTROLS:
        return CONTROLS[arm](one)
    if not arm.isdigit() or not 1 <= int(arm) <= 16:
        raise BadInput(f"no arm is called `{arm}`",
                       hint=f"--passes takes numbers from 1 to 16, --controls takes {','.join(CONTROLS)}")
    return replace(one, passes=int(arm))


@dataclass(frozen=True, slots=True)
class Case:
    "One run of a sweep; its file is named by everything that decides its figures."

    task: tasks.Task
    arm: str
    run: Run

    def path(self, out: Path) -> Path:
        task = self.task
        sizes = [str(v) for v in (task.chunks, task.items, task.depth, task.asked, *RECIPE, *([task.full] if task.full else []))]
        key = content_id("naps", *sizes, json.dumps(asdict(shape_of(self.arm, self.task))), json.dumps(asdict(self.run)))
        return out / f"{self.task.name}-{self.arm}-seed{self.run.seed}-{key[-8:]}.json"


def cases(names: Sequence[str], arms: Sequence[str], seeds: int, steps: int = 0) -> list[Case]:
    "Seed after seed, so that what is interrupted has all arms of the first."
    found = [tasks.find(name) for name in names]
    for arm in arms:
        shape_of(arm, found[0])
    return [Case(task, arm, Run(steps or task.steps, seed=seed)) for seed in range(seeds) for task in found for arm in arms]


def sweep(wanted: Sequence[Case], out: Path, say: Say) -> list[Row]:
    "Every run that has no file yet is made; answers with all of them."
    rows = []
    for n, case in enumerate(wanted, 1):
        path, name = case.path(out), f"{n}/{len(wanted)} {case.task.name} {case.arm} seed {case.run.seed}"
        if not path.exists():
            with disk.new_file(path) as draft:
                draft.write_text(json.dumps(made(case, lambda text, name=name: say(f"{name}: {text}"))) + "\n", encoding="utf-8")  # type: ignore[misc]
        rows.append(json.loads(path.read_text(encoding="utf-8")))
        say(f"{name}: " + " ".join(f"{d}:{v:.2f}" for d, v in rows[-1]["accuracy"].items()) + f"  {rows[-1]['seconds']:.0f} s")
    return rows


def made(case: Case, say: Say) -> Row:
    "Train, examine, probe."
    shape, started, losses = shape_of(case.arm, case.task), time.perf_counter(), []

    def step(n: int, loss: float) -> None:
        losses.append(loss)
        if (n + 1) % max(1, case.run.steps // 5) == 0 and n + 1 < case.run.steps:
            say(f"step {n + 1} of {case.run.steps}, loss {np.mean(losses[-20:]):.3f}")

    model = train(case.task, shape, case.run, step)
    seconds = time.perf_counter() - started
    probes = {n: examine(model, case.task, case.run.seed, passes=n) for n in PROBED if shape.passes > 1}
    return {"task": case.task.name, "arm": case.arm, "seed": case.run.seed, "steps": case.run.steps, "seconds": seconds,
            "accuracy": examine(model, case.task, case.run.seed, passes=shape.passes), "by_passes": probes,
            "parameters": parameters(model), **cost(case.task, shape), "loss": float(np.mean(losses[-20:]))}


def summary(rows: Sequence[Row]) -> list[Row]:
    "Accuracy of each task, arm and depth: the mean over seeds with its interval."
    groups: dict[tuple[str, str, int], list[float]] = {}
    for row in rows:
        for depth, share in row["accuracy"].items():
            groups.setdefault((row["task"], row["arm"], int(depth)), []).append(share)
    return [{"task": task, "arm": arm, "depth": depth, **interval(values)} for (task, arm, depth), values in groups.items()]


def probes(rows: Sequence[Row]) -> list[Row]:
    "What models trained with several passes know after other numbers of them: means over seeds."
    groups: dict[tuple[str, str, int, int], list[float]] = {}
    for row in rows:
        for passes, known in row["by_passes"].items():
            for depth, share in known.items():
                groups.setdefault((row["task"], row["arm"], int(passes), int(depth)), []).append(share)
    return [{"task": task, "arm": arm, "passes": passes, "depth": depth, "mean": float(np.mean(values))}
            for (task, arm, passes, depth), values in groups.items()]


def costs(rows: Sequence[Row]) -> list[Row]:
    "Of each task and arm: parameters, millions of operations a token of context and a question, seconds of training."
    names = ("task", "arm", "parameters", "context_mflop", "question_mflop")
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(tuple(row[n] for n in names), []).append(row["seconds"])
    return [dict(zip(names, key, strict=True)) | {"seconds": float(np.mean(took))} for key, took in groups.items()]


def interval(values: Sequence[float]) -> dict[str, Any]:
    "Mean, and Student's 95% interval of it; of one value the interval is everything."
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return {"mean": mean, "low": 0.0, "high": 1.0, "seeds": n}
    half = T95[min(n - 2, len(T95) - 1)] * float(np.std(values, ddof=1)) / math.sqrt(n)
    return {"mean": mean, "low": max(0.0, mean - half), "high": min(1.0, mean + half), "seeds": n}


def rises(table: Sequence[Row], few: str = "1", many: str = str(MOST)) -> dict[str, list[int]]:
    "The depths of each task at which `many` lies above `few`, intervals apart."
    at = {(r["task"], r["arm"], r["depth"]): r for r in table}
    pairs = [(task, depth, r, at.get((task, many, depth))) for (task, arm, depth), r in at.items() if arm == few]
    found: dict[str, list[int]] = {task: [] for task, _, _, other in pairs if other}
    for task, depth, r, other in pairs:
        if other and other["low"] > r["high"]:
            found[task].append(depth)
    return found


def curves(table: Sequence[Row]) -> Iterator[tuple[str, dict[str, list[tuple[int, float, float, float]]]]]:
    "For the plotter: of each task the arms, each a list of depth, mean, low, high."
    for task in dict.fromkeys(r["task"] for r in table):
        lines: dict[str, list[tuple[int, float, float, float]]] = {}
        for r in sorted((r for r in table if r["task"] == task), key=lambda r: r["depth"]):
            name = f"N = {r['arm']}" if r["arm"].isdigit() else r["arm"]
            lines.setdefault(name, []).append((r["depth"], r["mean"], r["low"], r["high"]))
        yield task, lines
