"""The training loop: right gradients, right rows, and the same bytes however often it was cut short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.errors import NightInterrupted
from pocketsleep.nouns import Plan
from pocketsleep.runtime import mlx_forward, mlx_lora, mlx_rows, mlx_train
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.mlx_train import Trainer
from pocketsleep.weights import model as weights_model

PLAN = Plan(rank=4, scale=2.0, keys=("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"), layers=(1, 2),
            learning_rate=1e-2, epochs=3, batch=4, seed=7, enough=1.1, top_k=5)


def rows(count: int, seed: int = 0) -> list[Row]:
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        prompt = tuple(int(n) for n in rng.integers(20, 4000, rng.integers(3, 12)))
        answer = tuple(int(n) for n in rng.integers(20, 4000, rng.integers(1, 5)))
        anchor = i % 4 == 3
        made.append(Row(prompt, answer, 0.0 if anchor else 1.0, 1.0 if anchor else 0.0, prompt if anchor else (),
                        2 if anchor else 1))
    return made


@pytest.fixture(scope="module")
def model(tiny: Path) -> nn.Module:
    mx.disable_compile()
    return weights_model.load(tiny)


def run(model: nn.Module, folder: Path, plan: Plan = PLAN, **changes: object) -> mlx_train.Trained:
    return Trainer(model, rows(30), rows(6, seed=1), plan, folder).run(lambda *_: None, **changes)  # type: ignore[arg-type]


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_loss_is_the_definition(model: nn.Module) -> None:
    "Row by row in numpy, unpadded, against the padded batch."
    some = rows(6)
    forward = mlx_forward.Forward(model, some)
    soft = mlx_train.soft_targets(forward, some, 5)
    got = float(forward.loss(mlx_rows.collate(some, soft)))
    want = 0.0
    for row, target in zip(some, soft, strict=True):
        logits = np.array(mlx_forward.head(model, mlx_forward.hidden(model, mx.array([[*row.prompt, *row.answer]]))))[0]
        at = logits[len(row.prompt) - 1 : -1].astype(np.float64)
        logp = at - np.log(np.exp(at - at.max(-1, keepdims=True)).sum(-1, keepdims=True)) - at.max(-1, keepdims=True)
        want -= row.hard * logp[np.arange(len(row.answer)), row.answer].mean()
        if target is not None:
            ids, p = target
            want += row.soft * (p * (np.log(p) - np.take_along_axis(logp, ids, -1))).sum(-1).mean()
    assert got == pytest.approx(want / len(some), rel=1e-4)


def test_gradient_against_finite_differences(model: nn.Module) -> None:
    some = rows(4)
    mlx_lora.attach(model, PLAN.keys, PLAN.layers, 2, 2.0, seed=1)
    try:
        for _, parent, name in mlx_lora.linears(model, PLAN.keys, PLAN.layers):
            module = getattr(parent, name)
            module.lora_b = mx.array(np.random.default_rng(0).normal(0, 0.1, module.lora_b.shape).astype(np.float32))
        forward = mlx_forward.Forward(model, some)
        soft = mlx_train.soft_targets(forward, some, 5)
        flat = forward.step(some, soft, range(4))[1]
        assert len(flat) == 2 * len(PLAN.keys) * len(PLAN.layers), "nothing but the LoRA may have gradients"
        module = model.model.layers[2].mlp.down_proj
        whole = np.array(module.lora_a)
        direction = np.random.default_rng(3).normal(size=whole.shape).astype(np.float32)
        ends = []
        for sign in (1, -1):
            module.lora_a = mx.array(whole + sign * 1e-2 * direction)
            ends.append(forward.step(some, soft, range(4))[0])
        slope = float((np.array(flat["model.layers.2.mlp.down_proj.lora_a"]) * direction).sum())
        assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(slope, rel=2e-2)
    finally:
        mlx_lora.detach(model)


def test_it_learns_and_leaves_the_model_bare(model: nn.Module, tmp_path: Path) -> None:
    before = np.array(model(mx.array([[5, 6, 7]])))
    trained = run(model, tmp_path, replace(PLAN, epochs=6))
    assert trained.epochs[-1].loss < 0.8 * trained.epochs[0].loss
    assert np.array_equal(before, np.array(model(mx.array([[5, 6, 7]]))))


@pytest.mark.parametrize(("shares", "kept"), [
    ((0.806, 0.802, 0.802), 3),  # a question of 227 less is chance, and the rate has not fallen yet
    ((0.8, 0.75, 0.78), 3),
    ((0.5, 0.9, 0.7), 2),
    ((0.9, 0.3, 0.2), 1),
    ((0.2, 0.2, 0.2), 3),
])
def test_an_epoch_is_kept_over_a_later_one_only_where_it_is_clearly_ahead(
        model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...], kept: int) -> None:
    seen: list[dict[str, np.ndarray]] = []
    one = Trainer(model, rows(30), rows(227, seed=1), PLAN, tmp_path)
    closing = one._close_epoch

    def close() -> None:
        one.optimizer.publish()
        seen.append(mlx_lora.read(model, PLAN.keys, PLAN.layers))
        closing()

    monkeypatch.setattr(one, "_close_epoch", close)
    monkeypatch.setattr(mlx_train, "measure", lambda *_: (shares[len(seen) - 1], 1.0))
    assert same(one.run(lambda *_: None).tensors, seen[kept - 1])
    assert not same(seen[0], seen[2])


def test_a_new_lora_changes_nothing(model: nn.Module) -> None:
    before = np.array(model(mx.array([[5, 6, 7]])))
    mlx_lora.attach(model, PLAN.keys, PLAN.layers, 4, 2.0, seed=3)
    after = np.array(model(mx.array([[5, 6, 7]])))
    mlx_lora.detach(model)
    assert np.array_equal(before, after)


@pytest.mark.parametrize("dies_at", [1, 4, 9, 12, 16, 18])
def test_a_run_cut_short_ends_in_the_same_bytes(model: nn.Module, tmp_path: Path, dies_at: int,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlx_train, "CHECKPOINT_EVERY", 2)
    whole = run(model, tmp_path / "whole")

    def dying(done: int, total: int, loss: float) -> None:
        if done == dies_at:
            raise KeyboardInterrupt

    cut = Trainer(model, rows(30), rows(6, seed=1), PLAN, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        cut.run(dying)
    steps: list[int] = []
    resumed = Trainer(model, rows(30), rows(6, seed=1), PLAN, tmp_path / "cut").run(lambda done, *_: steps.append(done))
    assert same(whole.tensors, resumed.tensors)
    assert whole.epochs == resumed.epochs
    assert dies_at < 2 or steps[0] > 1, "it began again instead of going on"


def test_other_lessons_do_not_resume_an_old_checkpoint(model: nn.Module, tmp_path: Path) -> None:
    run(model, tmp_path)
    fresh = Trainer(model, rows(30, seed=9), rows(6, seed=1), PLAN, tmp_path).run(lambda *_: None)
    clean = Trainer(model, rows(30, seed=9), rows(6, seed=1), PLAN, tmp_path / "clean").run(lambda *_: None)
    assert same(fresh.tensors, clean.tensors)


def test_seed_decides(model: nn.Module, tmp_path: Path) -> None:
    first, again = run(model, tmp_path / "a"), run(model, tmp_path / "b")
    other = run(model, tmp_path / "c", replace(PLAN, seed=8))
    assert same(first.tensors, again.tensors)
    assert not same(first.tensors, other.tensors)


def test_time_up_before_the_first_pass_says_so_and_goes_on(model: nn.Module, tmp_path: Path) -> None:
    calls = iter([False, False, True])
    with pytest.raises(NightInterrupted):
        run(model, tmp_path / "cut", late=lambda: next(calls))
    resumed = Trainer(model, rows(30), rows(6, seed=1), PLAN, tmp_path / "cut").run(lambda *_: None)
    assert same(resumed.tensors, run(model, tmp_path / "whole").tensors)


def test_every_anchor_is_taken_in_its_turn() -> None:
    some = rows(40)
    taken = [{i for batch in mlx_rows.batches(some, 4, 0, epoch) for i in batch} for epoch in (0, 1)]
    assert taken[0] | taken[1] == set(range(40))
    assert all(some[i].every == 2 for i in taken[0] ^ taken[1])
