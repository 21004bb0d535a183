"""Whitened inputs: the right directions, the same Adam on A' in both engines, the same bytes after a pause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.runtime import mlx_forward, mlx_lora, mlx_train, whiten
from pocketsleep.runtime.adam import FlatAdam, _filtering
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.packed import Packed
from pocketsleep.weights import model as weights_model
from tests.test_packed import needs_passes
from tests.test_train import PLAN, rows, same

WHITE = replace(PLAN, whiten=0.9)


@pytest.fixture(scope="module")
def model(tiny: Path) -> nn.Module:
    mx.disable_compile()
    return weights_model.load(tiny)


def anchors(count: int = 30) -> list[Row]:
    return [r for r in rows(count) if not r.hard]


def filters_of(model: nn.Module) -> dict[str, whiten.Filter]:
    mlx_lora.attach(model, WHITE.keys, WHITE.layers, WHITE.rank, WHITE.scale, 0)
    try:
        return whiten.filters(whiten.moments(model, anchors()), 0.9)
    finally:
        mlx_lora.detach(model)


def test_strong_directions_are_evened_out_and_the_energy_stays() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    energy = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    moment = (turn * energy) @ turn.T
    for share, count in [(0.5, 1), (0.6, 2), (0.77, 2), (0.78, 3), (1.0, 5)]:
        made = whiten.whitening(moment, share)
        assert made.span.shape == (5, count)
        w = made(np.eye(5))
        assert np.allclose(w, w.T, atol=1e-6)
        assert np.trace(w @ moment @ w) == pytest.approx(31, rel=1e-5)
        wanted = np.where(energy >= energy[-count], (1 + energy / energy[-count]) ** -0.5, 1.0)
        assert np.allclose(np.diag(turn.T @ w @ turn) / made.gain, wanted, atol=1e-5)


def test_what_a_layer_is_given_is_what_is_measured(model: nn.Module) -> None:
    "The first adapted block's inputs, row by row and by hand."
    moment, layer = 0.0, model.model.layers[WHITE.layers[0]]
    for row in anchors():
        h = model.model.embed_tokens(mx.array([[*row.prompt, *row.answer]]))
        for block in model.model.layers[: WHITE.layers[0]]:
            h = block(h, "causal", None)
        x = layer.post_attention_layernorm(h + layer.self_attn(layer.input_layernorm(h), "causal", None))
        unit = np.array(x[0]) / np.linalg.norm(np.array(x[0]), axis=-1, keepdims=True)
        moment = moment + unit.T @ unit
    found = filters_of(model)
    name = f"model.layers.{WHITE.layers[0]}.mlp.gate_proj.lora_a"
    want = whiten.whitening(np.asarray(moment), 0.9)
    assert found[name] is found[name.replace("gate", "up")]
    eye = np.eye(len(want.span))
    assert np.allclose(found[name](eye), want(eye), atol=1e-3)
    assert len(found) == 3 * len(WHITE.layers)


@needs_passes
def test_both_engines_measure_the_same(model: nn.Module) -> None:
    head = (7, 8, 9, 10, 11)
    some = [replace(r, prompt=(*head, *r.prompt)) for r in anchors()] + anchors()
    mlx_lora.attach(model, WHITE.keys, WHITE.layers, WHITE.rank, WHITE.scale, 0)
    try:
        packed, plain = Packed(model, some, head, 1), mlx_forward.Forward(model, some, head, 1)
        assert not packed.reason
        ours, theirs = (by.moments(some, range(len(some))) for by in (packed, plain))
    finally:
        mlx_lora.detach(model)
    assert ours.keys() == theirs.keys() == {f"{n}.lora_a" for n, *_ in mlx_lora.linears(model, WHITE.keys, WHITE.layers)}
    for name, moment in theirs.items():
        assert np.allclose(ours[name], moment, atol=1e-3 * np.abs(moment).max())


@pytest.mark.parametrize("kind", [pytest.param(Packed, marks=needs_passes), mlx_forward.Forward])
def test_kept_states_give_the_same_soft_targets(kind: Any, model: nn.Module, tmp_path: Path) -> None:
    head = (7, 8, 9, 10, 11)
    some = [replace(r, prompt=(*head, *r.prompt)) for r in rows(12)] + rows(12)
    by = kind(model, some, head, 1)
    assert not by.reason
    bare = {i: logits.copy() for i, logits in by.logits(some)}
    by.keep_lower(some, tmp_path / "lower.bin")
    chosen = list(range(1, len(some), 2))
    for i, logits in by.logits([some[i] for i in chosen], chosen):
        assert np.allclose(logits, bare[chosen[i]], atol=2e-3 * np.abs(logits).max())


def test_listening_leaves_the_model_as_it_was(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    mlx_lora.attach(model, WHITE.keys, WHITE.layers, WHITE.rank, WHITE.scale, 0)
    try:
        before = [getattr(parent, name) for _, parent, name in mlx_lora.linears(model, WHITE.keys, WHITE.layers)]
        monkeypatch.setattr(whiten, "_groups", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            whiten.moments(model, anchors())
        after = [getattr(parent, name) for _, parent, name in mlx_lora.linears(model, WHITE.keys, WHITE.layers)]
        assert all(a is b for a, b in zip(before, after, strict=True))
    finally:
        mlx_lora.detach(model)


@needs_passes
@pytest.mark.parametrize("before", [False, True])
def test_many_filters_in_one_call(before: bool) -> None:
    "In C as they are written down, whatever the shape."
    rng = np.random.default_rng(1)
    sizes = [(1, 1, 1), (7, 3, 5), (8, 2, 8), (9, 9, 17), (33, 12, 4)]
    filters = {str(i): whiten.Filter(np.linalg.qr(rng.normal(size=(n, n)))[0][:, :k].astype(np.float32),
                                     rng.uniform(size=(k, 1)).astype(np.float32), 1.5) for i, (n, k, _) in enumerate(sizes)}
    arrays, old = ({str(i): rng.normal(size=(n, r)).astype(np.float32) for i, (n, _, r) in enumerate(sizes)} for _ in range(2))
    want = {name: old[name] + one(arrays[name] - old[name]) if before else one(arrays[name]) for name, one in filters.items()}
    _filtering(filters, arrays, old if before else {})()
    for name, array in arrays.items():
        np.testing.assert_allclose(array, want[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("packed", [pytest.param(True, marks=needs_passes), False])
def test_a_is_w_times_what_adam_trains(packed: bool, model: nn.Module) -> None:
    "Three updates against Adam on A' as it is written down."
    mlx_lora.attach(model, WHITE.keys, WHITE.layers, WHITE.rank, WHITE.scale, 0)
    try:
        filters = whiten.filters(whiten.moments(model, anchors()), 0.9)
        by = mlx_train.engine(model, rows(8), WHITE) if packed else mlx_forward.Forward(model, rows(8))
        start = mlx_lora.read(model, WHITE.keys, WHITE.layers)
        optimizer = by.optimizer()
        assert isinstance(optimizer, FlatAdam) is packed
        optimizer.whiten(filters)
        rng = np.random.default_rng(0)
        grads = [{n: (1e-3 * rng.normal(size=v.shape)).astype(np.float32) for n, v in start.items()} for _ in range(3)]
        for one in grads:
            optimizer.update(one, 0.01)
        optimizer.publish()
        trained = mlx_lora.read(model, WHITE.keys, WHITE.layers)
    finally:
        mlx_lora.detach(model)
    for name, before in start.items():
        w = filters[name](np.eye(len(before))) if name in filters else np.eye(len(before))
        inner, first, second = before.astype(np.float64), 0.0, 0.0
        for count, one in enumerate(grads, 1):
            norm = np.sqrt(sum(float(((filters[n](g) if n in filters else g) ** 2).sum()) for n, g in one.items()))
            g = w @ one[name] * min(1.0, 1.0 / norm)
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
            inner = inner - 0.01 * (first / (1 - 0.9**count)) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)
        assert np.allclose(trained[name], w @ inner, atol=2e-4 * np.abs(w @ inner).max())


def test_a_run_that_was_cut_short_ends_the_same(model: nn.Module, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, *_: object) -> None:
        if done == 12:
            raise Stop

    whole = mlx_train.Trainer(model, rows(30), rows(6, seed=1), WHITE, tmp_path / "whole").run(lambda *_: None)
    with pytest.raises(Stop):
        mlx_train.Trainer(model, rows(30), rows(6, seed=1), WHITE, tmp_path / "cut").run(stop)
    assert (tmp_path / "cut" / "train.safetensors").exists()
    again = mlx_train.Trainer(model, rows(30), rows(6, seed=1), WHITE, tmp_path / "cut").run(lambda *_: None)
    assert same(whole.tensors, again.tensors)


def test_without_anchors_nothing_is_whitened(model: nn.Module, tmp_path: Path) -> None:
    taught = [r for r in rows(12) if r.hard]
    free, white = (mlx_train.Trainer(model, taught, [], plan, tmp_path / str(plan.whiten)).run(lambda *_: None) for plan in (PLAN, WHITE))
    assert same(free.tensors, white.tensors)
    spoken = [mlx_train.Trainer(model, rows(12), [], plan, tmp_path / f"{plan.whiten}b").run(lambda *_: None) for plan in (PLAN, WHITE)]
    assert not same(spoken[0].tensors, spoken[1].tensors)
