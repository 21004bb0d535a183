"""Nights with something changed in them: what a bench leaves out, and what it plants.

The night stays whole and real; only what reaches the trainer, the recipe, or what the night starts from is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.home import Home
from pocketsleep.nouns import Lesson, Night, Plan, Verdict
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.registry import read_adapter
from pocketsleep.runtime.mlx_train import Trained

Lessons = Sequence[Lesson]


@dataclass(frozen=True, slots=True)
class Planted:
    "What is done to the lessons, the plan and the outcome of one training; recipe fields; whether it starts from the manner."

    name: str
    lessons: Callable[[Lessons], Lessons] = lambda lessons: lessons
    plan: Callable[[Plan], Plan] = lambda plan: plan
    made: Callable[[np.ndarray], np.ndarray] = lambda array: array
    changes: Mapping[str, Any] = field(default_factory=dict)
    manner: bool = True


class Quiet:
    "A teller that says nothing."

    def stage(self, name: str, detail: str = "") -> None: ...
    def progress(self, done: int, total: int, detail: str = "") -> None: ...


class _Spoilt:
    "A trainer with something planted in it."

    def __init__(self, trainer: Any, planted: Planted) -> None:
        self.trainer, self.planted = trainer, planted

    def train(self, lessons: Lessons, held: Lessons, plan: Plan, *further: Any) -> Trained:
        learnt = self.trainer.train(self.planted.lessons(lessons), held, self.planted.plan(plan), *further)
        return replace(learnt, tensors={name: self.planted.made(array) for name, array in learnt.tensors.items()})

    def close(self) -> None:
        self.trainer.close()


class Altered(Pocket):
    "A home whose nights have `planted` in them. `below`: an adapter, of another home too, that they rest on instead of the manner."

    below: Path | None = None

    def __init__(self, home: Home, base: str = "", planted: Planted | None = None) -> None:
        super().__init__(home, base)
        self.planted = planted

    def night(self, seed: int = 0, changes: Mapping[str, Any] | None = None) -> tuple[Night, Verdict]:
        "One night, begun anew."
        wanted = {**(changes or {}), **(self.planted.changes if self.planted else {})}
        return self.sleep(Wishes(seed, changes=wanted, fresh=True), Quiet())

    def wear_whatever(self, night: Night) -> None:
        """Wear a night's candidate though its exam refused it: to measure what the exam kept from a person. One that does not
        load cannot be worn."""
        if night.verdict and "loads" in night.verdict.failed:
            return
        seeded = self.journal.stage(night.id, "seed") or {}
        if (adapter := seeded.get("adapter")) and not (night.verdict and night.verdict.passed):
            self.journal.use(adapter)

    def _trainer(self) -> Any:
        trainer = super()._trainer()
        return _Spoilt(trainer, self.planted) if self.planted else trainer

    def _manner(self, night: Night) -> str:
        if self.below is None:
            return super()._manner(night) if self.planted is None or self.planted.manner else ""
        told, tensors = read_adapter(self.below)
        return self.registry.publish(tensors, base=told.base, base_sha256=told.base_sha256, rank=told.rank, scale=told.scale,
                                     keys=told.keys, layers=told.layers).id

    def _tidy(self, night: Night) -> None:
        "Refused candidates stay: they are asked, too."
