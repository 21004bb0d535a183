"""Products with frozen weights in bfloat16, and the threads that share them out."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.runtime import blas, fused, mlx_lora, packed_math
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.pace import processors
from pocketsleep.runtime.packed import Packed
from pocketsleep.runtime.packed_math import Room, Weight, call, rounds
from tests.test_forward import PREFIX, dress, rows
from tests.test_packed import gemma, model, needs_passes, step  # noqa: F401  fixtures

BF16 = "avx512_bf16" in (Path("/proc/cpuinfo").read_text() if sys.platform.startswith("linux") else "")
needs_bf16 = pytest.mark.skipif(not BF16, reason="this processor has no AVX512-BF16")
EPS = 2.0**-8  # two numbers, each rounded to 8 bits

Array = np.ndarray


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bf16(x: Array) -> Array:
    "Rounded to the nearest bfloat16, ties to even, as float32."
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


def rounded(w: Array) -> Weight:
    weight = Weight(w)
    weight.rounded = True
    return weight


@needs_bf16
def test_a_processor_that_can_does() -> None:
    assert rounds()


@needs_passes
def test_one_thread_beside_openblas_and_all_where_products_are_ours(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    told: list[int] = []
    monkeypatch.setattr(packed_math, "call", lambda name, *given: told.append(given[0]) if name == "ps_threads" else call(name, *given))
    for rounded in (False, True):
        packed = Packed(model, rows(7), PREFIX, 1, rounded=rounded)
        told.clear()
        packed.step(rows(7), [None] * 7, range(7))
        assert set(told) == {processors() if packed.head.rounded else 1}


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (1, 64, 2), (2, 63, 3), (5, 65, 31), (6, 128, 33), (7, 1, 513), (61, 100, 514),
                                           (121, 192, 1025), (13, 576, 96)])
@needs_bf16
@pytest.mark.parametrize("turned", [True, False])
def test_products(m: int, n: int, k: int, turned: bool) -> None:
    "The product of the rounded numbers, in float32; nothing beside the matrix is touched."
    w, a = draw(n, k) if turned else draw(k, n), draw(m, k + 5, seed=1)[:, :k]
    out = np.full((m + 1, n + 7), np.nan, np.float32)
    weight, room = rounded(w), Room()
    want = bf16(a).astype(np.float64) @ (bf16(w).T if turned else bf16(w)).astype(np.float64)
    if turned:
        weight.through(a, out[:m, :n], room)
    else:
        weight.back(a, out[:m, :n], room)
    assert np.abs(out[:m, :n] - want).max() <= 1e-5 * np.abs(want).max()
    assert np.isnan(out[m]).all()
    assert np.isnan(out[:, n:]).all()
    assert np.abs(want - a.astype(np.float64) @ (w.T if turned else w)).max() <= EPS * np.sqrt(k) * np.abs(a).max() * np.abs(w).max()


@needs_bf16
def test_adding_to_what_is_there() -> None:
    w, dy, dx = draw(70, 90), draw(11, 70, seed=1), draw(11, 90, seed=2)
    want = dx + bf16(dy) @ bf16(w)
    assert np.abs(rounded(w).back(dy, dx.copy(), Room(), add=True) - want).max() < 1e-4


@needs_bf16
def test_a_weight_that_was_forgotten_is_packed_again() -> None:
    w, x = draw(70, 90), draw(11, 90, seed=1)
    weight, room = rounded(w), Room()
    first = weight.through(x, np.empty((11, 70), np.float32), room)
    weight.forget()
    w[:] *= 2
    assert np.array_equal(weight.through(x, np.empty((11, 70), np.float32), room), 2 * first)


@needs_bf16
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_lost(bad: float) -> None:
    w, x = draw(70, 90), draw(11, 90, seed=1)
    x[3, 5] = bad
    out = rounded(w).through(x, np.empty((11, 70), np.float32), Room())
    assert not np.isfinite(out[3]).any()
    assert np.isfinite(np.delete(out, 3, 0)).all()
    w[2, 4] = bad
    out = rounded(w).through(draw(11, 90), np.empty((11, 70), np.float32), Room())
    assert not np.isfinite(out[:, 2]).any()


THREADS = """
import ctypes, sys, threading, time
from pocketsleep.runtime import fused
from pocketsleep.runtime.packed_math import call
Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
for number in map(int, sys.argv[1:]):
    done, by = [], set()
    def piece(given, i):
        time.sleep(0.002)
        done.append(i)
        by.add(threading.get_native_id())
    call("ps_threads", number)
    fused.library().ps_each(Work(piece), None, ctypes.c_int64(60))
    assert sorted(done) == list(range(60)), done
    assert (len(by) == 1) if number == 1 else (1 < len(by) <= number), (number, by)
"""


@needs_passes
@pytest.mark.parametrize("numbers", [(1,), (3,), (7, 2, 1, 4)])
def test_so_many_threads_take_each_piece_once(numbers: tuple[int, ...]) -> None:
    "In a process of its own: as many as were last told, more or fewer than before."
    run = subprocess.run([sys.executable, "-c", THREADS, *map(str, numbers)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


@needs_bf16
def test_numbers_depend_on_no_number_of_threads() -> None:
    w, x, room, seen = draw(900, 300), draw(200, 300, seed=1), Room(), []
    for number in (processors(), 1, processors()):
        call("ps_threads", number)
        seen += [rounded(w).through(x, np.empty((200, 900), np.float32), room) for _ in range(20)]
    assert all(np.array_equal(one, seen[0]) for one in seen)


@needs_bf16
def test_callers_at_once_do_not_disturb_each_other() -> None:
    weight, some = rounded(draw(300, 200)), [draw(40, 200, seed=i) for i in range(4)]
    want = [weight.through(x, np.empty((40, 300), np.float32), Room()).copy() for x in some]
    wrong: list[int] = []

    def work(i: int) -> None:
        room = Room()
        for _ in range(200):
            if not np.array_equal(weight.through(some[i], np.empty((40, 300), np.float32), room), want[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert wrong == []


def _in_child(w: Array, x: Array, want: Array) -> None:
    got = rounded(w).through(x, np.empty_like(want), Room())
    os._exit(0 if np.array_equal(got, want) else 1)


@needs_bf16
def test_a_forked_child_has_threads_of_its_own() -> None:
    w, x = draw(300, 200), draw(40, 200, seed=1)
    want = rounded(w).through(x, np.empty((40, 300), np.float32), Room())
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(w, x, want))
    child.start()
    child.join(60)
    assert child.exitcode == 0


@needs_bf16
@pytest.mark.parametrize("which", ["model", "gemma"])
@pytest.mark.parametrize("most", [0, 1, 40])
def test_a_rounded_step_is_the_step_within_what_rounding_does(which: str, most: int, request: pytest.FixtureRequest) -> None:
    found, some = request.getfixturevalue(which), rows(7)
    dress(found)
    try:
        want = step(Forward(found, some), some, range(7))
        got = step(Packed(found, some, PREFIX, 1, rounded=True, most=most), some, range(7))
    finally:
        mlx_lora.detach(found)
    assert got["loss"] == pytest.approx(want["loss"], rel=1e-2)
    assert not np.array_equal(got["loss"], want["loss"])
    for name in want.keys() - {"loss"}:
        a, b = got[name].ravel(), want[name].ravel()
        assert a @ b >= 0.999 * np.linalg.norm(a) * np.linalg.norm(b), name


@needs_bf16
def test_a_model_that_rounding_changes_too_much_is_computed_in_full(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("pocketsleep.runtime.packed.ROUNDED", 1e-6)
    packed = Packed(model, rows(7), PREFIX, 1, rounded=True)
    assert packed.reason == ""
    assert not any(weight.rounded or weight._packed for block in packed.blocks for weight in block.weights())


@needs_bf16
def test_openblas_has_its_threads_back_after_a_step(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    number, seen = blas._threads()[0], []
    before = number()
    packed = Packed(model, rows(7), PREFIX, 1, rounded=True)
    monkeypatch.setattr(packed, "_step", lambda *given: seen.append(number()) or (0.0, {}))
    packed.step(rows(7), [None] * 7, range(7))
    assert seen == [1]
    assert number() == before


def test_without_the_library_nothing_is_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "_library", None)
    rounds.cache_clear()
    assert not rounds()
    rounds.cache_clear()
