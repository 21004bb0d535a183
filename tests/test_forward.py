"""Nothing computed twice, and nothing computed otherwise: shared prefixes and kept states against the model's own pass."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.runtime import kept, mlx_lora, mlx_train
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row, batches, shared_prefix
from pocketsleep.weights import model as weights_model

KEYS = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
PREFIX = (5, 6, 7, 8, 9, 10)


FULL = ["at once", *(["as it is written"] if Path("/dev/full").exists() else [])]


def full_disk(folder: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    "A file where no more has room than is to be left free, or where writing fails."
    file = folder / "lower.bin"
    if how == "at once":
        monkeypatch.setattr(kept.shutil, "disk_usage", lambda folder: SimpleNamespace(free=kept.SPARED))
    else:
        file.symlink_to("/dev/full")
    return file


@pytest.fixture(scope="module")
def model(tiny: Path) -> nn.Module:
    mx.disable_compile()
    return weights_model.load(tiny)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    "A random Gemma of three blocks, one of them global."
    from mlx_lm.models.gemma3_text import Model, ModelArgs

    mx.random.seed(3)
    model = Model(ModelArgs(model_type="gemma3_text", hidden_size=32, num_hidden_layers=3, intermediate_size=48,
                            num_attention_heads=4, num_key_value_heads=1, head_dim=8, vocab_size=4096,
                            query_pre_attn_scalar=8, sliding_window=64, sliding_window_pattern=3))
    mx.eval(model.parameters())
    return model


def rows(count: int, seed: int = 0, prefix: tuple[int, ...] = PREFIX) -> list[Row]:
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        prompt = (*prefix, *(int(n) for n in rng.integers(20, 4000, rng.integers(1, 9))))
        made.append(Row(prompt, tuple(int(n) for n in rng.integers(20, 4000, rng.integers(1, 5))), 1.0, i % 2 * 0.5, prompt))
    return made


def gradients(forward: Forward, some: list[Row], indices: range) -> dict[str, np.ndarray]:
    soft = mlx_train.soft_targets(Forward(forward.model, some), some, 5)
    loss, grads = forward.step(some, soft, indices)
    return {"loss": np.array(loss)} | {k: np.array(v) for k, v in grads.items()}


def dress(model: nn.Module) -> None:
    mlx_lora.attach(model, KEYS, (1, 2), 4, 2.0, seed=0)
    rng = np.random.default_rng(5)
    for _, parent, name in mlx_lora.linears(model, KEYS, (1, 2)):
        module = getattr(parent, name)
        module.lora_b = mx.array(rng.normal(0, 0.2, module.lora_b.shape).astype(np.float32))


@pytest.mark.parametrize("which", ["model", "gemma"])
@pytest.mark.parametrize("keep", [False, True])
def test_loss_and_gradients_equal_the_padded_ones(which: str, keep: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model, some = request.getfixturevalue(which), rows(7)
    dress(model)
    try:
        plain = Forward(model, [])
        plain.whole = True
        want = gradients(plain, some, range(7))
        ours = Forward(model, some, PREFIX, 1)
        assert ours.reason == ""
        if keep:
            ours.keep_lower(some, tmp_path / "lower.bin")
            assert ours.lower is not None
        got = gradients(ours, some, range(7))
        for name in want:
            scale = np.abs(want[name]).max()
            # states kept in half precision are rounded once, by at most 2^-11 of their size
            assert np.abs(got[name] - want[name]).max() <= (5e-3 if keep else 1e-4) * scale, name
    finally:
        mlx_lora.detach(model)


@pytest.mark.parametrize("how", FULL)
def test_where_the_disk_is_full_the_lower_blocks_are_computed_anew(model: nn.Module, how: str, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    some, file = rows(7), full_disk(tmp_path, how, monkeypatch)
    dress(model)
    try:
        want, ours = gradients(Forward(model, some), some, range(7)), Forward(model, some, PREFIX, 1)
        ours.keep_lower(some, file)
        got = gradients(ours, some, range(7))
        ours.close()
        assert ours.lower is None
        assert not list(tmp_path.iterdir())
        for name in want:
            assert np.abs(got[name] - want[name]).max() <= 1e-4 * np.abs(want[name]).max(), name
    finally:
        mlx_lora.detach(model)


def test_states_out_of_half_precisions_range_are_kept_in_full(model: nn.Module, tmp_path: Path) -> None:
    table = model.model.embed_tokens.weight
    try:
        model.model.embed_tokens.weight = table * 1e7
        forward = Forward(model, rows(4), PREFIX, 1)
        forward.keep_lower(rows(4), tmp_path / "lower.bin")
        assert forward.lower is not None
        assert forward.lower.kept.dtype == np.float32
    finally:
        model.model.embed_tokens.weight = table


def test_rows_beyond_a_sliding_window_take_the_models_own_pass(gemma: nn.Module) -> None:
    forward = Forward(gemma, [Row(tuple(range(20, 90)), (5,))], PREFIX, 1)
    assert forward.whole
    assert "window of 64" in forward.reason


def test_blocks_that_do_not_compose_are_noticed(model: nn.Module) -> None:
    "An embedding that is scaled elsewhere: the composed pass would silently be another model."
    class Scaled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.model, self.args, self.model_type = inner.model, inner.args, "gemma_like"

    forward = Forward(Scaled(model), rows(3), PREFIX, 1)
    assert forward.whole
    assert "something else" in forward.reason


def test_the_prefix_is_what_most_prompts_share() -> None:
    some = [r.prompt for r in rows(9)] + [(1, 2, 3, 4, 5, 6, 7)] * 4
    assert shared_prefix(some) == PREFIX
    assert shared_prefix([(1, 2, 3, 9), (1, 2, 3, 8)]) == ()
    assert shared_prefix([PREFIX] * 3) == PREFIX[:-1], "one token of each is left over"
    assert shared_prefix([]) == ()


def test_rows_with_and_without_the_prefix_never_meet() -> None:
    some = rows(20) + rows(20, seed=1, prefix=())
    made = batches(some, 4, 0, 0, PREFIX)
    assert sorted(i for b in made for i in b) == list(range(40))
    assert all(len({i < 20 for i in b}) == 1 for b in made)
