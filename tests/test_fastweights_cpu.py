"""native/cpu against the definition: every case, every instruction set of this machine, between fences, into NaN."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.fastweights import cpu
from tests.suites.fastweights import CASES, STEPS, Array, Case, draw, gradient_misses, misses

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="native/cpu is compiled on Linux")
LEVELS = [1, 2, 3]
FENCE, WALL = 777.0, 16


def bits(a: Array, dtype: str) -> Array:
    "float32 numbers that `dtype` holds, in `dtype`; bfloat16 as uint16."
    return a if dtype == "fp32" else a.astype(np.float16) if dtype == "fp16" else (a.view(np.uint32) >> 16).astype(np.uint16)


def plain(a: Array) -> Array:
    return (a.astype(np.uint32) << 16).view(np.float32) if a.dtype == np.uint16 else a.astype(np.float32)


def given(case: Case) -> cpu.Given:
    x = draw(case)
    return cpu.Given.of(*(bits(a, case.dtype) for a in (x.q, x.k, x.v)), x.decay, x.beta, x.state)


@pytest.fixture
def fences(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    "Fresh results are NaN between rows of FENCE; answers whether all fences stand."
    made: list[tuple[Array, int]] = []

    def fenced(shape: tuple[int, ...], dtype: type = np.float32) -> Array:
        size = int(np.prod(shape))
        whole = np.full(size + 2 * WALL, FENCE, dtype)
        whole[WALL : WALL + size] = 0x7FC0 if np.dtype(dtype) == np.uint16 else np.nan
        made.append((whole, size))
        return whole[WALL : WALL + size].reshape(shape)

    monkeypatch.setattr(cpu, "fresh", fenced)
    return lambda: len(made) > 0 and all((w[at] == w.dtype.type(FENCE)).all() for w, n in made for at in (slice(WALL), slice(WALL + n, None)))


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[int]:
    assert cpu.reason() == ""
    try:
        if cpu.level(request.param) != cpu.LEVELS[request.param]:
            pytest.skip(f"this processor has no {cpu.LEVELS[request.param]}")
        yield request.param
    finally:
        cpu.level(3)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_chunks_and_naps(level: int, case: Case, fences: Callable[[], bool]) -> None:
    out, last, surprise = cpu.forward(given(case), case.passes)
    assert misses(case, [plain(out), last, surprise]) == []
    assert fences()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients(level: int, case: Case, fences: Callable[[], bool]) -> None:
    x = draw(case)
    got = cpu.backward(given(case), bits(x.dout, case.dtype), x.dstate, case.passes)
    assert gradient_misses(case, [plain(g) for g in got]) == []
    assert fences()


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_one_token(level: int, case: Case, fences: Callable[[], bool]) -> None:
    out, last, surprise = cpu.step(given(case))
    assert misses(case, [plain(out), last, surprise]) == []
    assert fences()
    x = given(case)
    place = x.state.copy()
    cpu.step(replace(x, state=place), last=place)
    assert np.array_equal(place, last)


def test_decoding_token_by_token_is_the_chunk() -> None:
    "One prepared call, its arrays filled anew for each token, the state in place."
    x = draw(case := Case(9, 24, 20, B=2, Hk=1, Hv=2, channels=True, stateful=True))
    first = cpu.Given(*(np.ascontiguousarray(a[:, :1]) for a in x.all[:5]), x.state.copy())
    out = np.empty(first.v.shape, np.float32)
    step, outs = cpu.stepping(first, out, first.state), []
    for t in range(case.T):
        for place, a in zip((first.q, first.k, first.v, first.decay, first.beta), x.all[:5], strict=True):
            place[:] = a[:, t : t + 1]
        step()
        outs.append(out.copy())
    assert misses(case, [np.concatenate(outs, 1), first.state], ("out", "state")) == []


@pytest.mark.parametrize("case", [CASES[40], CASES[56], CASES[-1], Case(3, 512, 576)], ids=str)
def test_threads_change_no_number(case: Case) -> None:
    x, found = draw(case), []
    for threads in (1, 3):
        cpu.threads(threads)
        found.append([*cpu.forward(given(case), case.passes), *cpu.backward(given(case), bits(x.dout, case.dtype), x.dstate, case.passes)])
    cpu.threads(1)
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_every_number_of_two_bytes_goes_in_and_out() -> None:
    "With state 0, decay and strength 1, q = k = 1, one channel: what goes in as v comes out, bit by bit, or rounded."
    for kind, finite in ((np.float16, 0x7C00), (np.uint16, 0x7F80)):
        v = np.arange(2 * finite, dtype=np.uint16)
        v = (v % finite | (v // finite) << 15).astype(np.uint16).view(kind)[None, None, None]
        one = np.array([0x3F80], np.uint16) if kind is np.uint16 else np.ones(1, np.float16)
        ones = one.reshape(1, 1, 1, 1)
        out, last, _ = cpu.forward(cpu.Given.of(ones, ones, v, *np.ones((2, 1, 1, 1), np.float32)))
        assert np.array_equal(plain(out), plain(v))
        assert np.array_equal(last[0, 0, :, 0], plain(v)[0, 0, 0])


def test_rounding_is_to_nearest_even() -> None:
    rng = np.random.default_rng(0)
    decay = np.concatenate([rng.uniform(0, 1, 5000), 2.0 ** -rng.uniform(0, 26, 5000)]).astype(np.float32)
    n, one = len(decay), np.ones((1, len(decay), 1, 1), np.float16)
    x = cpu.Given.of(one[:, :1], one[:, :1], one[:, :1] * 0, decay[:1, None, None], np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32))
    each = [cpu.forward(replace(x, decay=decay[i].reshape(1, 1, 1)))[0].item() for i in range(0, n, 5)]
    assert np.array_equal(np.array(each, np.float16), decay[::5].astype(np.float16))


def test_what_it_cannot_do_it_says(level: int) -> None:
    x = draw(Case(2, 1025, 3))
    with pytest.raises(BadInput, match="1025 key channels, at most 1024"):
        cpu.forward(cpu.Given.of(*x.all))
    with pytest.raises(BadInput, match="takes one token"):
        cpu.step(cpu.Given.of(*draw(Case(2, 4, 3, stateful=True)).all))
    with pytest.raises(BadInput, match="float64"):
        cpu.Given.of(*(a.astype(np.float64) for a in draw(Case(2, 4, 3)).all[:5]))


def test_a_wrong_answer_is_seen() -> None:
    case = CASES[20]
    out, last, surprise = (plain(a) for a in cpu.forward(given(case), case.passes))
    assert misses(case, [out, last * (1 + 3e-5), surprise])
    assert misses(case, [out, np.swapaxes(last, -1, -2), surprise])
