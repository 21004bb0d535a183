"""The packed pass is the model: logits, loss and gradients as MLX computes them, for Llama and for Gemma 3."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.nouns import Plan
from pocketsleep.runtime import fused, mlx_forward, mlx_lora, mlx_train
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.packed import Packed
from pocketsleep.runtime.packed_math import reason
from pocketsleep.weights import model as weights_model
from tests.test_forward import FULL, KEYS, PREFIX, dress, full_disk, rows

# tests/test_fused.py fails where Linux lacks the compiled passes: nothing is skipped there unnoticed
needs_passes = pytest.mark.skipif(not sys.platform.startswith("linux") or reason() == "MLX computes on a GPU", reason="a CPU's pass, compiled on Linux")


@pytest.fixture(scope="module")
def model(tiny: Path) -> nn.Module:
    mx.disable_compile()
    return weights_model.load(tiny)


@pytest.fixture(scope="module")
def gemma() -> nn.Module:
    "A random Gemma of three blocks, one of them global, with norms that are not one."
    from mlx_lm.models.gemma3_text import Model, ModelArgs

    mx.disable_compile()
    mx.random.seed(3)
    model = Model(ModelArgs(model_type="gemma3_text", hidden_size=32, num_hidden_layers=3, intermediate_size=48,
                            num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=4096,
                            query_pre_attn_scalar=16, sliding_window=64, sliding_window_pattern=3))
    for _, module in model.named_modules():
        if type(module).__name__ == "RMSNorm":
            module.weight = mx.random.normal(module.weight.shape) * 0.3
    mx.eval(model.parameters())
    return model


def step(by: Packed | Forward, some: list[Row], indices: range) -> dict[str, np.ndarray]:
    soft = mlx_train.soft_targets(Forward(by.model, some), some, 5)
    loss, grads = by.step(some, soft, indices)
    return {"loss": np.array(loss)} | {k: np.array(v) for k, v in grads.items()}


@needs_passes
@pytest.mark.parametrize("how", FULL)
def test_where_the_disk_is_full_a_step_computes_anew(model: nn.Module, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some, file = rows(7), full_disk(tmp_path, how, monkeypatch)
    dress(model)
    try:
        want, ours = step(Forward(model, some), some, range(7)), Packed(model, some, PREFIX, 1, own=True)
        ours.keep_lower(some, file)
        ours.optimizer()
        got = step(ours, some, range(7))
        ours.close()
        assert ours.kept is None
        assert not list(tmp_path.iterdir())
        for name in want:
            assert np.abs(got[name] - want[name]).max() <= 2e-4 * np.abs(want[name]).max(), name
    finally:
        mlx_lora.detach(model)


@needs_passes
@pytest.mark.parametrize("which", ["model", "gemma"])
@pytest.mark.parametrize("prefix", [(), PREFIX])
@pytest.mark.parametrize("kept", [False, True])
def test_loss_and_gradients_equal_mlx(which: str, prefix: tuple[int, ...], kept: bool, request: pytest.FixtureRequest,
                                      tmp_path: Path) -> None:
    model, some = request.getfixturevalue(which), rows(7)
    dress(model)
    try:
        want = step(Forward(model, some), some, range(7))
        ours = Packed(model, some, prefix, 1)
        assert ours.reason == ""
        if kept:
            ours.keep_lower(some, tmp_path / "lower.bin")
        got = step(ours, some, range(7))
        assert got.keys() == want.keys()
        for name in want:
            # states kept in half precision are rounded once, by at most 2^-11 of their size
            assert np.abs(got[name] - want[name]).max() <= (5e-3 if kept else 2e-4) * np.abs(want[name]).max(), name
    finally:
        mlx_lora.detach(model)


@needs_passes
@pytest.mark.parametrize("which", ["model", "gemma"])
def test_logits_equal_mlx(which: str, request: pytest.FixtureRequest) -> None:
    model, some = request.getfixturevalue(which), rows(40) + rows(5, seed=2, prefix=())
    packed = dict((i, a.copy()) for i, a in Packed(model, some, PREFIX, 1).logits(some))
    for i, row in enumerate(some):
        own = np.array(mlx_forward.logits_of(model, [(row.prompt, row.answer)]))
        assert np.abs(packed[i] - own).max() < 1e-4 * np.abs(own).max()


@needs_passes
def test_a_part_of_the_mlp_may_be_adapted(model: nn.Module) -> None:
    mlx_lora.attach(model, ("mlp.down_proj",), (2,), 4, 2.0, seed=0)
    try:
        want, got = step(Forward(model, rows(5)), rows(5), range(5)), step(Packed(model, rows(5), PREFIX, 2), rows(5), range(5))
        assert got.keys() == want.keys()
        assert len(got) == 3
        assert got["loss"] == pytest.approx(want["loss"], rel=1e-5)
    finally:
        mlx_lora.detach(model)


PLAN = Plan(rank=4, scale=2.0, keys=KEYS, layers=(1, 2), learning_rate=1e-2, epochs=1, batch=4, seed=7, enough=1.1)


@needs_passes
def test_the_trainer_takes_it_where_it_can(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(mlx_train.engine(model, rows(4), PLAN), Packed)
    wide = mlx_train.engine(model, rows(4), replace(PLAN, keys=("self_attn.q_proj", *KEYS)))
    assert isinstance(wide, Forward)
    assert "beside the MLP" in wide.reason
    monkeypatch.setattr(fused, "_library", None)
    slow = mlx_train.engine(model, rows(4), PLAN)
    assert isinstance(slow, Forward)
    assert "not compiled" in slow.reason


@needs_passes
def test_a_pass_that_computes_something_else_is_not_taken(gemma: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = gemma.model.layers[1]
    monkeypatch.setattr(type(layer), "__call__", lambda self, x, mask=None, cache=None: x)
    assert "something else" in Packed(gemma, rows(3), PREFIX, 1).reason


@needs_passes
def test_rows_beyond_a_sliding_window_are_left_to_mlx(gemma: nn.Module) -> None:
    assert "window of 64" in Packed(gemma, [Row(tuple(range(20, 90)), (5,))], PREFIX, 1).reason


def test_both_engines_train_to_nearly_the_same_adapter(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = mlx_train.Trainer(model, rows(20), rows(4, seed=1), PLAN, tmp_path / "a").run(lambda *_: None)
    monkeypatch.setattr(fused, "_library", None)
    plain = mlx_train.Trainer(model, rows(20), rows(4, seed=1), PLAN, tmp_path / "b").run(lambda *_: None)
    assert ours.epochs[0].loss == pytest.approx(plain.epochs[0].loss, rel=1e-2)
