"""The gated delta rule: its definition against itself, its gradient against finite differences, the graph against both."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.fastweights import graph, reference
from tests.suites.fastweights import CASES, SMALL, Array, Case, Inputs, draw, expected, gradient_misses, misses, off, slopes

MLX = {"fp32": mx.float32, "fp16": mx.float16, "bf16": mx.bfloat16}
SOME = SMALL[::4]


def plain(a: mx.array) -> Array:
    return np.array(a.astype(mx.float32))


def in_mlx(case: Case) -> list[mx.array | None]:
    x, kind = draw(case), MLX[case.dtype]
    return [*(mx.array(a).astype(kind) for a in (x.q, x.k, x.v)), *(a if a is None else mx.array(a) for a in (x.decay, x.beta, x.state))]


def test_the_table_is_what_it_claims() -> None:
    assert 150 <= len(CASES) <= 200
    assert {c.dtype for c in CASES} == {"fp32", "fp16", "bf16"}
    assert len(SOME) > 20
    assert any(c.Dk != c.Dv and c.channels and c.passes > 1 for c in SOME)


@pytest.mark.parametrize("case", [c for c in CASES if c.dtype == "fp32"], ids=str)
def test_the_chunked_form_is_the_rule(case: Case) -> None:
    x = draw(case)
    for chunk in (16, 5):
        got = reference.chunked(*x.all, passes=case.passes, chunk=chunk)
        assert max(off(g, w) for g, w in zip(got, expected(case), strict=True)) < 1e-9


@pytest.mark.parametrize("case", [c for c in SMALL if c.dtype == "fp32"], ids=str)
def test_the_gradient_is_the_slope(case: Case) -> None:
    "Along one random direction through all inputs at once, and along each input alone."
    x, rng = draw(case), np.random.default_rng(0)
    given = [np.asarray(a, np.float64) for a in (*x.all[:5], x.state if case.stateful else np.zeros(x.dstate.shape))]
    ways = [rng.standard_normal(a.shape) for a in given]
    for only in (None, *range(6)):
        moved = [w if only in (None, i) else np.zeros_like(w) for i, w in enumerate(ways)]
        want = along(case, x, given, moved)
        got = sum(float((w * g).sum()) for w, g in zip(moved, slopes(case), strict=True))
        size = sum(float(np.sqrt((w**2).sum() * (g**2).sum())) for w, g in zip(moved, slopes(case), strict=True))
        assert abs(got - want) <= 1e-6 * max(size, 1e-3), (only, got, want)


def along(case: Case, x: Inputs, given: list[Array], way: list[Array], h: float = 1e-5) -> float:
    "Central difference of sum(dout out) + sum(dstate state)."
    ends = []
    for sign in (h, -h):
        out, state, _ = reference.gated_delta(*(a + sign * w for a, w in zip(given, way, strict=True)), passes=case.passes)
        ends.append((x.dout * out).sum() + (x.dstate * state).sum())
    return float((ends[0] - ends[1]) / (2 * h))


def test_unit_and_its_gradient() -> None:
    rng = np.random.default_rng(0)
    x, dy, way = (rng.standard_normal((3, 7)) for _ in range(3))
    assert np.allclose(np.linalg.norm(reference.unit(x), axis=-1), 1, atol=1e-5)
    assert not reference.unit(np.zeros((1, 4))).any()
    want = ((dy * reference.unit(x + 1e-6 * way)).sum() - (dy * reference.unit(x - 1e-6 * way)).sum()) / 2e-6
    assert abs((way * reference.unit_gradient(x, dy)).sum() - want) < 1e-8
    assert off(plain(graph.unit(mx.array(x.astype(np.float32)))), reference.unit(x)) < 1e-6


def test_a_pair_told_once_is_recalled_and_a_new_value_replaces_it() -> None:
    "What the rule is for: with full strength and no decay the last value told under a key is what is read."
    k = np.eye(4)[None, [0, 1, 0], None, :]
    v = np.array([[1.0, 2], [3, 4], [5, 6]])[None, :, None, :]
    ones = np.ones((1, 3, 1))
    out, state, surprise = reference.gated_delta(k, k, v, ones, ones, passes=2)
    assert out[0, :, 0].tolist() == v[0, :, 0].tolist()
    assert state[0, 0, :, :2].T.tolist() == [[5, 6], [3, 4]]
    assert surprise[0, 0, :, 0].tolist() == [np.hypot(1, 2), 5, np.hypot(4, 4)]
    assert surprise[1, 0, :, 0].tolist() == [np.hypot(4, 4), 0, np.hypot(4, 4)]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_the_graph_is_the_rule(case: Case) -> None:
    assert misses(case, [plain(a) for a in graph.nap(*in_mlx(case), passes=case.passes)]) == []


@pytest.mark.parametrize("case", [c for c in SOME if c.T < 40], ids=str)
def test_the_graph_has_the_rules_gradient(case: Case) -> None:
    x = draw(case)
    given = in_mlx(replace(case, stateful=True)) if case.stateful else [*in_mlx(case)[:5], mx.zeros(x.dstate.shape)]

    def loss(*inputs: mx.array) -> mx.array:
        out, state, _ = graph.nap(*inputs, passes=case.passes)
        return (out.astype(mx.float32) * mx.array(x.dout)).sum() + (state * mx.array(x.dstate)).sum()

    assert gradient_misses(case, [plain(g) for g in mx.grad(loss, argnums=tuple(range(6)))(*given)]) == []


@pytest.mark.parametrize(("name", "shape"), [("k", (1, 3, 1, 4)), ("v", (1, 2, 1, 2)), ("decay", (1, 3, 1, 4)), ("beta", (3, 1)),
                                             ("state", (1, 1, 5, 2)), ("v", (1, 0, 1, 2)), ("v", (2,))])
def test_shapes_that_do_not_fit_are_named(name: str, shape: tuple[int, ...]) -> None:
    given = {"q": (1, 3, 1, 5), "k": (1, 3, 1, 5), "v": (1, 3, 1, 2), "decay": (1, 3, 1), "beta": (1, 3, 1), "state": (1, 1, 2, 5)}
    arrays = {n: np.zeros(shape if n == name else s, np.float32) for n, s in given.items()}
    for call in (lambda: reference.gated_delta(**arrays), lambda: graph.gated_delta(**{n: mx.array(a) for n, a in arrays.items()})):
        with pytest.raises(BadInput, match=name):
            call()
