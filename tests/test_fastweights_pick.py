"""The backends as MLX sees them: values, gradients, and which one runs why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.fastweights import cpu, graph, layer, pick
from tests.suites.fastweights import SMALL, STEPS, Case, draw, gradient_misses, misses
from tests.test_fastweights import MLX, in_mlx, plain

SOME = SMALL[1::5]


def backends(case: Case) -> list[pick.Backend]:
    return [b for b in pick.BACKENDS if b.name != "graph" and not b.unavailable(case.Dk)]


@pytest.mark.parametrize("case", [*SOME, *STEPS[::9]], ids=str)
def test_values(case: Case) -> None:
    assert backends(case), "no kernel at all: native/cpu was not compiled"
    for backend in backends(case):
        got = [plain(a) for a in backend.nap(*in_mlx(case), passes=case.passes)]
        assert misses(case, got if got[2].size else [*got[:2], plain(graph.nap(*in_mlx(case), passes=case.passes)[2])]) == []
    out, state, surprise = pick.nap(*in_mlx(case), passes=case.passes)
    assert (out.dtype, state.dtype, surprise.dtype) == (MLX[case.dtype], mx.float32, mx.float32)


@pytest.mark.parametrize("case", SOME, ids=str)
def test_gradients_by_mlx(case: Case) -> None:
    x = draw(case)
    given = in_mlx(case) if case.stateful else [*in_mlx(case)[:5], mx.zeros(x.dstate.shape)]
    for backend in backends(case):
        def loss(*inputs: mx.array, backend: pick.Backend = backend) -> mx.array:
            out, state, _ = backend.nap(*inputs, passes=case.passes)
            return (out.astype(mx.float32) * mx.array(x.dout)).sum() + (state * mx.array(x.dstate)).sum()

        assert gradient_misses(case, [plain(g) for g in mx.grad(loss, argnums=tuple(range(6)))(*given)]) == [], backend.name


def test_gated_delta_inside_of_a_model() -> None:
    "With a key normalised by `unit`, in a function of parameters, the graph's gradient and the kernel's are the same."
    case = Case(13, 12, 10, Hk=1, Hv=2)
    q, k, v, decay, beta, _ = in_mlx(case)
    w = mx.array(np.random.default_rng(0).standard_normal((12, 12)).astype(np.float32))

    def loss(w: mx.array, rule: object) -> mx.array:
        out, state = rule(q, graph.unit(k @ w), v, decay, beta)  # type: ignore[operator]
        return (out**2).sum() + state.sum()

    ours, theirs = (mx.grad(loss)(w, rule) for rule in (pick.gated_delta, graph.gated_delta))
    assert float(mx.abs(ours - theirs).max()) < 1e-4 * float(mx.abs(theirs).max())


def test_mixed_types_are_computed_in_the_widest() -> None:
    case = Case(6, 8, 5)
    q, k, v, decay, beta, _ = in_mlx(case)
    out, _ = pick.gated_delta(q, k, v.astype(mx.bfloat16), decay, beta)
    assert out.dtype == mx.bfloat16
    assert float(mx.abs(out - graph.gated_delta(q, k, v.astype(mx.bfloat16), decay, beta)[0]).max()) < 0.05


def test_the_choice_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_library", None)
    choice = pick.choose(64)
    if mx.default_device() == mx.Device(mx.cpu):
        assert choice.backend.name == "graph"
        assert str(choice) == ("ordinary MLX operations (mlx: MLX computes on the CPU; "
                               "cpu: native/cpu was not compiled (no C++ compiler at installation))")
    with pytest.raises(BadInput, match=r"was not compiled|on a GPU"):
        pick.by_name("cpu")
    with pytest.raises(BadInput, match="no backend is called `abacus`"):
        pick.by_name("abacus")


def test_naps_run_on_the_kernel_that_is_chosen_though_it_tells_no_surprise(monkeypatch: pytest.MonkeyPatch) -> None:
    "As on a GPU: memory layers write, and are trained, by MLX's own; only who asks for surprise has it from the graph."
    called: list[int] = []

    def mlx(*given: Any) -> pick.Arrays:
        called.append(given[-1])
        return pick.with_mlx(*given)

    there = replace(pick.BACKENDS[0], unavailable=lambda Dk: "", nap=mlx)
    monkeypatch.setattr(pick, "BACKENDS", (there, *pick.BACKENDS[1:]))
    _, k, v, decay, beta, state = in_mlx(Case(18, 36, 12, B=2, Hk=2, Hv=2, stateful=True))
    writing = layer.Writing((graph.unit(k), v, decay, beta))
    ours, plain_one = layer.written(writing, state, 3), graph.nap(writing[0], *writing, state, 3)
    assert (called, str(pick.for_naps(36))) == ([3], there.what)
    assert float(mx.abs(ours - plain_one[1]).max()) < 1e-5 * float(mx.abs(plain_one[1]).max())
    slope = mx.grad(lambda v: layer.written(layer.Writing((writing[0], v, decay, beta)), state).sum())(v)
    other = mx.grad(lambda v: graph.nap(writing[0], writing[0], v, decay, beta, state)[1].sum())(v)
    assert called == [3, 1]
    assert float(mx.abs(slope - other).max()) < 1e-4 * float(mx.abs(other).max())
    assert pick.nap(writing[0], *writing, state, 3)[2].shape == plain_one[2].shape
    assert called == [3, 1]


def test_heads_too_wide_for_the_kernel_are_done_by_the_graph() -> None:
    case = Case(2, 1025, 3)
    if mx.default_device() == mx.Device(mx.cpu):
        assert "1025 key channels, at most 1024" in str(pick.choose(1025))
    out, state = pick.gated_delta(*in_mlx(case))
    assert misses(case, [plain(out), plain(state), plain(graph.nap(*in_mlx(case))[2])]) == []
    assert misses(replace(case, gates="open"), [plain(out), plain(state), plain(graph.nap(*in_mlx(case))[2])])
