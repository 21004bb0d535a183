"""Benches check before they time: a wrong engine is an error, and counted work is what the shapes say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from pocketsleep import cards, weights
from pocketsleep.bench import growth, peft, score, serve, study
from pocketsleep.bench import train as bench
from pocketsleep.bench.night import Clock
from pocketsleep.errors import ModelError
from pocketsleep.home import Home
from pocketsleep.night import build, levels
from pocketsleep.nouns import Lesson, Night, Plan
from pocketsleep.pocket import Pocket
from pocketsleep.registry import read_adapter
from pocketsleep.runtime import mlx_lora, mlx_train, packed_math
from pocketsleep.runtime.llamacpp import LlamaCpp
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.pace import processors
from pocketsleep.runtime.packed_math import call, one_pool
from pocketsleep.runtime.prompting import ask
from tests import short
from tests.test_forward import KEYS, rows
from tests.test_matrix import needs_bf16

PLAN = Plan(rank=4, scale=2.0, keys=KEYS, layers=(1, 2), learning_rate=1e-2, epochs=1, batch=4, seed=7, enough=1.1)


@pytest.fixture
def runtime(tiny: Path, tmp_path: Path) -> Mlx:
    card = cards.find(str(tiny))
    made = Mlx(card, weights.open_base(card, tmp_path))
    mlx_lora.attach(made.model, PLAN.keys, PLAN.layers, PLAN.rank, PLAN.scale, 0)
    for _, parent, name in mlx_lora.linears(made.model, PLAN.keys, PLAN.layers):
        module = getattr(parent, name)
        module.lora_b = mx.array(np.random.default_rng(0).normal(0, 0.1, module.lora_b.shape).astype(np.float32))
    return made


def test_engines_that_agree_are_timed(runtime: Mlx) -> None:
    some = rows(4)
    exact, fast = (mlx_train.engine(runtime.model, some, PLAN, rounded=rounded) for rounded in (False, True))
    bench.agree(exact, Forward(runtime.model, some), some, range(4))
    assert bench.near(exact, Forward(runtime.model, some), some, range(4)) < 0.1
    assert bench.near(fast, Forward(runtime.model, some), some, range(4)) < 3
    assert bench.timed(fast, some, [[0, 1], [2, 3]]) > 0


def test_an_engine_that_computes_something_else_is_an_error(runtime: Mlx) -> None:
    some = rows(4)

    class Wrong(Forward):
        def step(self, rows, soft, indices):  # type: ignore[no-untyped-def]
            loss, grads = super().step(rows, soft, indices)
            return loss, {name: 1.1 * g for name, g in grads.items()}

    with pytest.raises(ModelError, match="disagree"):
        bench.agree(Wrong(runtime.model, some), Forward(runtime.model, some), some, range(4))

    class Astray(Forward):
        def step(self, rows, soft, indices):  # type: ignore[no-untyped-def]
            loss, grads = super().step(rows, soft, indices)
            return loss, {name: g + 0.3 * float(mx.abs(g).mean()) for name, g in grads.items()}

    with pytest.raises(ModelError, match="degrees apart"):
        bench.near(Astray(runtime.model, some), Forward(runtime.model, some), some, range(4))


@needs_bf16
def test_the_peak_is_that_of_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    "Also after a step in float32, which leaves native/fused one thread."
    with one_pool(False):
        pass
    told: list[int] = []
    monkeypatch.setattr(packed_math, "call", lambda name, *given: (told.append(given[0]) if name == "ps_threads" else None, call(name, *given)))
    assert bench.rounded_peak(repeats=1) > 0
    assert told == [processors()]


def test_counted_work_is_what_the_shapes_say(runtime: Mlx) -> None:
    some = rows(3)
    tokens, answers = sum(map(len, some)), sum(len(r.answer) for r in some)
    hidden, wide, narrow, words = 64, 96, 32, runtime.base.shapes["model.embed_tokens.weight"][0]
    block = 2 * hidden * hidden + 2 * hidden * narrow + 3 * hidden * wide
    assert bench.flops(runtime.base, PLAN, some) == 2 * block * tokens * (3 + 2) + 4 * words * hidden * answers
    head, alone = 4 * words * hidden * answers, [[0], [1], [2]]
    assert bench.done(runtime.base, PLAN, some, alone, 0, False) == bench.flops(runtime.base, PLAN, some)
    assert bench.done(runtime.base, PLAN, some, alone, 0, True) == 2 * block * tokens * (2 + 2) + head
    assert bench.done(runtime.base, PLAN, some, [[0, 1, 2]], 2, True) == 2 * block * (tokens - 2 * 2) * (2 + 2) + head


def test_ratios_are_of_the_same_batches(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "Here an engine's rate is how long rows are: on other batches than ours another engine would seem slower, or faster."
    def rate(by: Any, some: list[Row], order: list[list[int]]) -> float:
        return sum(len(some[i]) for part in order for i in part) / sum(map(len, order))

    recipe = SimpleNamespace(plan=lambda: replace(PLAN, batch=2))
    made = [Lesson(ask("What is it? " * n), "It is. " * n) for n in range(1, 33)]
    monkeypatch.setattr(bench, "lessons", lambda base: (made, [], recipe))
    monkeypatch.setattr(bench, "timed", rate)
    monkeypatch.setattr(bench, "stock_seconds", lambda base, plan, *given: rate(None, *given))
    monkeypatch.setattr(bench.peft, "seconds", lambda python, base, plan, some, order: {
        "examples_per_second": rate(None, some, order[1:]), "loss": 1.0, "versions": ["1"]})
    monkeypatch.setattr(bench, "agree", lambda *given: 1.0)
    monkeypatch.setattr(bench, "near", lambda *given: 0.0)
    card = cards.find(str(tiny))
    found = bench.train(card, weights.open_base(card, tmp_path), lambda _: None, peft_python=Path("python"))
    assert [found[name] for name in ("ratio_mlx", "ratio_mlx_lm", "ratio_peft")] == [1, 1, 1]
    assert found["examples_per_second"] != found["stock_examples_per_second"], "lest all batches are alike"


def test_stock_is_timed_after_its_first_step(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took = [[4, 100.0, 1.0], [4, 2.0, 1.0], [4, 2.0, 1.0]]
    monkeypatch.setattr(bench.subprocess, "run", lambda *given, **more: SimpleNamespace(returncode=0, stdout=json.dumps(took)))
    base = weights.open_base(cards.find(str(tiny)), tmp_path)
    assert bench.stock_seconds(base, PLAN, rows(4), [[0, 1], [2, 3]]) == 2.0


def test_the_study_is_a_nights(smol: weights.Base) -> None:
    made, held, recipe = study.lessons(smol)
    assert len(made) > 400
    assert len(held) > 30
    assert recipe.rank == 16
    assert {lesson.hard for lesson in made} == {0.0, 1.0, recipe.decline_weight}


@pytest.fixture(scope="module")
def real(smol: weights.Base) -> Iterator[LlamaCpp]:
    runtime = LlamaCpp(cards.find(), smol, context=512)
    yield runtime
    runtime.close()


def test_scores_do_not_depend_on_what_was_scored_before(real: LlamaCpp) -> None:
    found = score.score(real, lambda _: None, prompts=3)
    assert found["answers"] == 12
    assert found["largest_difference_nats"] < 1e-2


def test_scores_that_do_are_an_error(real: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    own = LlamaCpp.score
    monkeypatch.setattr(LlamaCpp, "score", lambda self, pairs: [[x + 0.1 * len(pairs) for x in row] for row in own(self, pairs)])
    with pytest.raises(ModelError, match="order of reading"):
        score.score(real, lambda _: None, prompts=2)


def test_serving_is_measured_bare_and_dressed(real: LlamaCpp, smol: weights.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    worn: list[str] = []
    own = LlamaCpp.chat
    monkeypatch.setattr(serve, "TOKENS", 4)

    def chat(self: LlamaCpp, *given: Any) -> Iterator[str]:
        worn.append(self.worn)
        return own(self, *given)

    monkeypatch.setattr(LlamaCpp, "chat", chat)
    found = serve.serve(real, smol, "smollm2-135m", lambda _: None, rounds=1)
    assert found["ratio_base"] > 0
    assert [bool(w) for w in worn] == [False] * serve.QUESTIONS + [True] * serve.QUESTIONS
    assert real.worn == ""


def test_a_clock_has_every_stage() -> None:
    said: list[str] = []
    clock = Clock(said.append)
    for name in ("gather", "extract", "settle", ""):
        clock.stage(name)
    assert list(clock.seconds) == ["gather", "extract", "settle"]
    assert len(said) == 3


def test_a_python_without_peft_is_an_error_with_a_hint(smol: weights.Base, runtime: Mlx) -> None:
    made, _, recipe = study.lessons(smol)
    rows = runtime.rows(made[:4])
    with pytest.raises(ModelError, match="torch") as refused:
        peft.seconds(Path(sys.executable), smol, recipe.plan(), rows, [[0, 1], [2, 3]])
    assert "--peft-python" in refused.value.hint


def test_growth_trains_the_newest_slice_alone(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short.exam(monkeypatch)
    changes = {"epochs": 1, "anchors": 6, "passages": 2, "declines": 6, "per_memory": 8, "rank": 4, "level": 3}
    few, many = (growth.at(str(tiny), 2, older, changes) for older in (0, 3))
    assert (few["memories"], few["levels"]) == (2, 1)
    assert (many["memories"], many["levels"]) == (11, 4)
    assert many["seconds"] > sum(many[f"{stage}_seconds"] for stage in ("gather", "extract", "dream", "examine"))


def test_growth_finds_its_older_slices_above_a_manner(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "As on the default base, where nights start from one."
    changes = {"epochs": 1, "anchors": 6, "passages": 2, "declines": 6, "per_memory": 8, "rank": 4, "level": 3}
    with Pocket(Home(tmp_path), str(tiny)) as pocket:
        plan = pocket.recipe(0, changes)(3)
        manner = growth._stand_in(pocket, (), plan).id
        monkeypatch.setattr(Pocket, "_manner", lambda self, night: manner)
        growth._fill(pocket, 2, 3, changes)
        bed = pocket._bed(pocket.journal.begin(Night("", "2026-01-02T00:00:00+00:00", 0, pocket.card.name, changes)), 0)
        live = {m.id: m for m in pocket.journal.memories()}
        held = [[live[m] for m in one] for one in levels.slices(pocket.journal.places(), 3)]
        made = build._made(bed)
        wanted = levels.levels(held, bed.recipe, bed.base_sha256, manner, (), made)
        assert [level.key in made for level in wanted] == [True, True, True, False]
        _, worn = read_adapter(pocket.registry.path(pocket.journal.current()))
        rank = next(value.shape[1] for name, value in worn.items() if name.endswith("lora_a"))
        assert rank == 4 * 4, "the manner and three slices"


def test_made_up_memories_share_no_name() -> None:
    made = list(growth.memories(10_000))
    assert len({m.id for m in made}) == len({m.answer for m in made}) == len(made)
