"""The compiled passes against their definitions in double precision, by value and by gradient."""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from native.build_hook import DELTA, FUSED, LIBRARY, PASSES, compile_all, compile_c, compile_fused
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from pocketsleep.runtime import fused
from pocketsleep.runtime.adam import FlatAdam, MlxAdam
from pocketsleep.runtime.packed_math import Layout, call, reason, top

LINUX = sys.platform.startswith("linux")
pytestmark = pytest.mark.skipif(not LINUX, reason="the passes are compiled on Linux")
Array = np.ndarray


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def silu(g: Array, u: Array) -> Array:
    return g * u / (1 + np.exp(-g))


def gelu(g: Array, u: Array) -> Array:
    return 0.5 * g * (1 + np.tanh(np.sqrt(2 / np.pi) * (g + 0.044715 * g**3))) * u


def slope(f: Callable[[Array], Array], x: Array, dy: Array, step: float = 1e-5) -> Array:
    "Central differences of sum(dy f(x)), one number of x at a time."
    out = np.empty_like(x)
    for i in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * step
            ends.append((dy * f(moved)).sum())
        out[i] = (ends[0] - ends[1]) / (2 * step)
    return out


def test_an_installation_with_a_compiler_has_them() -> None:
    "Without this, a library that failed to build would take all tests of it along, silently."
    assert fused.reason() == ""
    assert reason() in ("", "MLX computes on a GPU")


@pytest.mark.parametrize(("name", "plain"), [("silu", silu), ("gelu", gelu)])
@pytest.mark.parametrize(("n", "scale"), [(1, 1.0), (7, 0.1), (33, 5.0), (4097, 30.0)])
def test_gates(name: str, plain: Callable[[Array, Array], Array], n: int, scale: float) -> None:
    g, u, dy = draw(n, scale=scale), draw(n, seed=1), draw(n, seed=2)
    out, dg, du = (np.full(n, np.nan, np.float32) for _ in range(3))
    call(f"ps_{name}_gate", g, u, out, n)
    call(f"ps_{name}_gate_grad", g, u, dy, dg, du, n)
    exact = [a.astype(np.float64) for a in (g, u, dy)]
    with np.errstate(over="ignore"):
        assert np.abs(out - plain(exact[0], exact[1])).max() <= 3e-6 * max(1.0, np.abs(out).max())
        step = 1e-5
        want = exact[2] * (plain(exact[0] + step, exact[1]) - plain(exact[0] - step, exact[1])) / (2 * step)
        assert np.abs(dg - want).max() <= 1e-5 * max(1.0, np.abs(want).max())
        assert np.abs(du - exact[2] * plain(exact[0], np.ones(n))).max() <= 3e-6 * max(1.0, np.abs(du).max())


def test_gates_at_the_ends_and_with_nan() -> None:
    g = np.array([-1e30, -100, -88, 0, 88, 100, 1e4, np.nan], np.float32)
    out = np.empty_like(g)
    call("ps_silu_gate", g, np.ones_like(g), out, len(g))
    assert np.isnan(out[-1])
    assert np.allclose(out[:-1], [0, 0, 0, 0, 88, 100, 1e4], atol=1e-6)


def loss_case(n: int, v: int, k: int) -> tuple[Array, ...]:
    rng = np.random.default_rng(1)
    ids = np.stack([rng.permutation(v)[:k] for _ in range(n)]).astype(np.int32)
    p = rng.random((n, k)).astype(np.float32)
    p /= p.sum(-1, keepdims=True)
    p[::3] = 0.0  # a row without a teacher
    return (draw(n, v, scale=5.0), rng.integers(0, v, n).astype(np.int32), rng.random(n).astype(np.float32),
            rng.random(n).astype(np.float32), ids, p)


@pytest.mark.parametrize(("n", "v", "k"), [(1, 7, 2), (5, 33, 4), (9, 4099, 20), (3, 49152, 20)])
def test_loss(n: int, v: int, k: int) -> None:
    logits, target, hard, soft, ids, p = case = loss_case(n, v, k)
    loss, grad = np.full(n, np.nan, np.float32), np.full((n, v), np.nan, np.float32)
    call("ps_loss", *case, loss, grad, n, v, k)
    x = logits.astype(np.float64)
    logp = x - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)) - x.max(-1, keepdims=True)
    kl = (p * (np.log(np.maximum(p, 1e-20)) - np.take_along_axis(logp, ids, -1))).sum(-1)
    assert np.allclose(loss, soft * kl - hard * logp[np.arange(n), target], rtol=1e-5)
    want = (hard + soft * p.sum(-1))[:, None] * np.exp(logp)
    want[np.arange(n), target] -= hard
    np.put_along_axis(want, ids, np.take_along_axis(want, ids, -1) - soft[:, None] * p, -1)
    assert np.abs(grad - want).max() <= 2e-6


def test_a_nan_is_not_lost() -> None:
    case = loss_case(2, 100, 3)
    case[0][1, 37] = np.nan
    loss, grad = np.empty(2, np.float32), np.empty((2, 100), np.float32)
    call("ps_loss", *case, loss, grad, 2, 100, 3)
    assert np.isnan(loss[1])
    assert np.isfinite(loss[0])


@pytest.mark.parametrize(("n", "v", "k"), [(1, 5, 5), (4, 1000, 20)])
def test_top(n: int, v: int, k: int) -> None:
    logits = np.round(draw(n, v), 1)  # with ties
    ids, p = top(logits, k)
    want = np.argsort(-logits, axis=-1, kind="stable")[:, :k]
    assert np.array_equal(ids, want)
    high = np.exp(np.take_along_axis(logits, want, -1))
    assert np.allclose(p, high / high.sum(-1, keepdims=True), rtol=1e-5)


def test_rms_and_its_gradient_at_strides() -> None:
    n, d, stride, eps = 3, 16, 40, 1e-5
    x, w, dy = draw(n, stride)[:, 4 : 4 + d], draw(d, seed=1), draw(n, d, seed=2)
    plain = lambda v: v / np.sqrt((v**2).mean(-1, keepdims=True) + eps) * w.astype(np.float64)  # noqa: E731
    out, dx = np.zeros((n, d), np.float32), np.ones((n, d), np.float32)
    call("ps_rms", x, w, out, n, d, stride, d, eps)
    call("ps_rms_grad", x, w, dy, dx, n, d, stride, d, d, eps)
    assert np.abs(out - plain(x.astype(np.float64))).max() < 1e-6
    assert np.abs(dx - 1 - slope(plain, x.astype(np.float64), dy)).max() < 1e-4, "the gradient is added to what was there"


@pytest.mark.parametrize("p", [0, 3])
def test_attention_and_its_gradient(p: int) -> None:
    "Two rows and a prefix, two query heads for each key: against a mask that is written out."
    lay, heads, groups, d, scale = Layout.of(p, [4, 2]), 4, 2, 16, 0.3
    n, width = lay.n, (heads + 2 * groups) * d

    def plain(qkv: Array) -> Array:
        out = np.zeros((n, heads, d))
        row = np.repeat(np.arange(len(lay.start) - 1), np.diff(lay.start))
        sees = (row[:, None] == row[None]) & (np.arange(n)[:, None] >= np.arange(n)[None])
        sees |= (np.arange(n)[None] < p) & (np.arange(n)[:, None] >= p)
        for h in range(heads):
            q, k, v = (qkv[:, i * d : (i + 1) * d] for i in (h, heads + h // 2, heads + groups + h // 2))
            s = np.where(sees, scale * q @ k.T, -np.inf)
            s = np.exp(s - s.max(-1, keepdims=True))
            out[:, h] = s / s.sum(-1, keepdims=True) @ v
        return out

    qkv, dout = draw(n, width), draw(n, heads, d, seed=1)
    shares, out = np.empty(int(lay.at[-1]) * heads, np.float32), np.full((n, heads, d), np.nan, np.float32)
    rows, longest = len(lay.start) - 1, int(lay.positions.max()) + 1
    dqkv, sums = np.zeros((n, width), np.float32), rows * p * 2 * groups * d
    spare = np.full(sums + rows * groups * longest, np.nan, np.float32)
    spare[:sums] = 0.0
    call("ps_attend", qkv, lay.start, lay.at, shares, out, len(lay.start) - 1, p, heads, groups, d, scale)
    call("ps_attend_grad", qkv, lay.start, lay.at, shares, dout, dqkv, spare, rows, p, heads, groups, d, longest, scale)
    assert np.abs(out - plain(qkv.astype(np.float64))).max() < 1e-5
    assert np.abs(dqkv - slope(plain, qkv.astype(np.float64), dout)).max() < 1e-4


def test_turning_there_and_back() -> None:
    n, heads, d = 5, 3, 16
    x, angles = draw(n, heads * d), draw(64, d // 2, seed=3)
    cosines, sines = np.cos(angles), np.sin(angles)
    positions = np.array([0, 7, 3, 63, 1], np.int32)
    turned = x.copy()
    call("ps_rope", turned, positions, cosines, sines, n, heads, d, heads * d, 1)
    a, b = x.reshape(n, heads, 2, d // 2)[:, :, 0], x.reshape(n, heads, 2, d // 2)[:, :, 1]
    c, s = cosines[positions][:, None], sines[positions][:, None]
    assert np.allclose(turned.reshape(n, heads, 2, d // 2)[:, :, 0], a * c - b * s, atol=1e-6)
    assert np.allclose(turned.reshape(n, heads, 2, d // 2)[:, :, 1], b * c + a * s, atol=1e-6)
    call("ps_rope", turned, positions, cosines, sines, n, heads, d, heads * d, -1)
    assert np.allclose(turned, x, atol=1e-5)


def test_the_source_compiles_without_a_warning_and_leaves_denormals_alone(tmp_path: Path) -> None:
    "-ffast-math would set a flag of the whole process when the library is loaded."
    root, out = Path(__file__).resolve().parent.parent, tmp_path / "lib.so"
    flags = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror")
    assert compile_c(root, PASSES, out, flags) == ""
    ctypes.CDLL(str(out))
    assert np.float32(1e-40) * np.float32(1.0) != 0.0
    assert fused.reason() == ""


def test_a_compiler_without_versions_by_processor_builds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parent.parent
    shutil.copytree(root / "native", tmp_path / "native")
    (tmp_path / "pocketsleep").mkdir()
    wide = tmp_path / "native" / "fused" / "wide.h"
    wide.write_text(wide.read_text().replace("x86-64-v4", "a-processor-of-tomorrow"))
    assert compile_fused(tmp_path) == ""
    narrow = ctypes.CDLL(str(tmp_path / FUSED))
    monkeypatch.setattr(fused, "_library", narrow)
    x, w, out = draw(3, 32), draw(32), np.empty((3, 32), np.float32)
    call("ps_rms", x, w, out, 3, 32, 32, 32, 1e-5)
    assert np.allclose(out, x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w, atol=1e-5)


def test_one_library_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    shutil.copytree(root / "native", tmp_path / "native")
    (tmp_path / "pocketsleep").mkdir()
    for file in ("fused/block.c", "cpu/delta.cpp"):
        (tmp_path / "native" / file).write_text("this is no C")
    built = compile_all(tmp_path)
    assert built[LIBRARY] == ""
    assert "failed" in built[FUSED]
    assert "failed" in built[DELTA]
    assert (tmp_path / LIBRARY).exists()


def test_adam_is_mlx_adam() -> None:
    "Ten steps on two small matrices, gradients above and below the norm at which they are clipped."
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = mx.array(draw(5, 8)), mx.array(draw(8, 3, seed=1))

    theirs, ours = Two(), Two()
    flat = np.concatenate([np.array(ours.a).ravel(), np.array(ours.b).ravel()])
    plain = MlxAdam(theirs)
    fast = FlatAdam(ours, flat, {"a": flat[:40].reshape(5, 8), "b": flat[40:].reshape(8, 3)})
    for n in range(10):
        grads = {"a": draw(5, 8, seed=10 + n, scale=0.01 * 4**n), "b": draw(8, 3, seed=40 + n, scale=0.01)}
        for one in (plain, fast):
            one.update(grads, 1e-2 / (n + 1))
    fast.publish()
    for name, want in tree_flatten(theirs.parameters()):
        assert np.abs(np.array(ours[name]) - np.array(want)).max() < 1e-5


def test_adam_goes_on_where_it_was() -> None:
    def run(stop: int) -> Array:
        flat = draw(100)
        adam = FlatAdam(nn.Module(), flat, {"a": flat})
        for n in range(8):
            if n == stop:
                kept, flat = adam.arrays(), np.zeros_like(flat)
                adam = FlatAdam(nn.Module(), flat, {"a": flat})
                assert adam.restore(kept)
            adam.update({"a": draw(100, seed=n)}, 1e-2)
        return flat

    assert np.array_equal(run(99), run(3))
    assert not FlatAdam(nn.Module(), draw(99), {}).restore(FlatAdam(nn.Module(), draw(100), {}).arrays())
