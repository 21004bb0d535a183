"""native/gpu, in Metal's words and in CUDA's, against the definition. No GPU runs here: native/shim stands in for one.

What these tests say: the text computes the rule, stays inside its arrays and misses no barrier. What they cannot say: that
Apple's or NVIDIA's compiler takes it, or how fast it is.
"""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.fastweights import gpu
from tests.suites import shim
from tests.suites.fastweights import CASES, STEPS, Array, Case, draw, gradient_misses, misses
from tests.test_fastweights_cpu import bits, plain

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="the stand-in is compiled by g++")
ORDERS = {"metal": 0, "cuda": 1}  # threads of a group first to last, last to first


@lru_cache(maxsize=2)
def library(dialect: str, folder: Path) -> ctypes.CDLL:
    return shim.build(folder, dialect)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("shim")
    library.cache_clear()


def inputs(case: Case) -> list[Array]:
    x = draw(case)
    return [*(bits(a, case.dtype) for a in (x.q, x.k, x.v)), x.decay, x.beta, np.zeros_like(x.dstate) if x.state is None else x.state]


def wrong(case: Case, run: gpu.Run) -> list[str]:
    "What forward and backward get wrong."
    x, given = draw(case), inputs(case)
    found = misses(case, [plain(a) for a in gpu.forward(run, *given, passes=case.passes)])
    got = gpu.backward(run, *given, bits(x.dout, case.dtype), x.dstate, passes=case.passes)
    return found + gradient_misses(case, [plain(a) for a in got])


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dialect", ORDERS)
def test_chunks_naps_and_gradients(dialect: str, case: Case, folder: Path) -> None:
    assert wrong(case, shim.runner(library(dialect, folder), ORDERS[dialect])) == []


@pytest.mark.parametrize("case", STEPS, ids=str)
@pytest.mark.parametrize("dialect", ORDERS)
def test_one_token(dialect: str, case: Case, folder: Path) -> None:
    got = gpu.decode(shim.runner(library(dialect, folder), ORDERS[dialect]), *inputs(case))
    assert misses(case, [plain(a) for a in got]) == []


TELLING = Case(18, 36, 12, Hk=1, Hv=2, channels=True, passes=2, stateful=True)
TOKEN = Case(1, 36, 10, B=2, Hk=1, Hv=2, channels=True, stateful=True)

PLANTED = [  # kernel, what stands there, what is planted
    ("decode", "state[at + c]", "state[gx * DV * DK + c * DV + row]"),  # transposed
    ("decode", "m * 32 + lane < DK", "m * 32 + lane <= DK"),
    ("decode", "% Hv / (Hv / Hk)) * DK", "% Hv / (Hv / Hk)) * DV"),  # stride
    ("decode", "recalled += S[m]", "recalled += state[at + c]"),  # before the decay
    ("forward", "marks[((n * heads + gx) * DV + first) * DK + x] = S[x]", "marks[((n * heads + gx) * DV + first) * DK + x] = S[x % DK * BV + x / DK]"),  # transposed, where backward reads it
    ("forward", "S[x] = first", "S[x % DK * BV + x / DK] = first"),
    ("forward", "(b * T + t) * Hk + hk", "(b * T + t) * Hv + hk"),  # stride
    ("forward", "x < CH * DK", "x <= CH * DK"),
    ("forward", "i < CH; i++)\n            for (int j = 0; j < i;", "i < CH; i++)\n            for (int j = 0; j <= i;"),
    ("forward", "j = 0; j <= i; j++) o", "j = 0; j < i; j++) o"),
    ("forward", "n < passes * chunks", "n < (passes + 1) * chunks"),  # one pass too many
    ("forward", "if (pass == passes - 1) out", "if (pass == 0) out"),
    ("forward", "first + x / DK < DV) last", "first + x / DK <= DV) last"),
    ("backward", "DS[row * DK + c] * K[j * DK + c]", "DS[c * BV + row] * K[j * DK + c]"),  # transposed
    ("backward", "n = passes * chunks - 1", "n = (passes + 1) * chunks - 1"),
    ("backward", "int i = j + 1; i < CH; i++) DU", "int i = j + 1; i <= CH; i++) DU"),
    ("backward", "int i = j; i < CH; i++) du", "int i = j + 1; i < CH; i++) du"),
    ("backward", "at + i < T) db", "at + i <= T) db"),
    ("backward", "pass == passes - 1", "true"),
]


def caught(kernel: str, change: Callable[[str], str], dialect: str, folder: Path) -> bool:
    "Whether a change of one text is seen, in one order of threads at least."
    kernels = [gpu.DECODE] if kernel == "decode" else [gpu.FORWARD, gpu.BACKWARD]
    seen: list[bool] = []

    def only(text: str) -> str:
        mine = gpu.source(dialect, gpu.KERNELS[kernel]) == text
        seen.append(mine and change(text) != text)
        return change(text) if mine else text

    made = shim.build(folder, dialect, kernels, ("float",), only, "-O0")
    assert any(seen), "nothing was planted"
    try:
        if kernel == "decode":
            return any(misses(TOKEN, [plain(a) for a in gpu.decode(shim.runner(made, order), *inputs(TOKEN))]) for order in (0, 1))
        return any(wrong(TELLING, shim.runner(made, order)) for order in (0, 1))
    except shim.Broken:
        return True


@pytest.mark.parametrize(("kernel", "right", "planted"), PLANTED)
def test_a_planted_bug_is_caught(kernel: str, right: str, planted: str, tmp_path: Path) -> None:
    assert caught(kernel, lambda text: text.replace(right, planted), "metal", tmp_path)


@pytest.mark.parametrize(("kernel", "which"), [(k, n) for k in ("forward", "backward") for n in range(6)])
def test_each_missed_barrier_is_caught(kernel: str, which: int, tmp_path: Path) -> None:
    whole = gpu.source("cuda", gpu.KERNELS[kernel])
    assert whole.count("BARRIER;") == 6
    at = [m.start() for m in re.finditer("BARRIER;", whole)][which]
    assert caught(kernel, lambda text: text[:at] + text[at + len("BARRIER;") :], "cuda", tmp_path)


def test_nothing_planted_is_nothing_caught(tmp_path: Path) -> None:
    "Or else the tests above would pass for a reason of their own."
    assert not caught("forward", lambda text: text + "// the same\n", "metal", tmp_path)
    assert not caught("decode", lambda text: text + "// the same\n", "cuda", tmp_path)


def test_what_a_group_shares_fits_metal() -> None:
    for dk, per in ((64, True), (128, True), (128, False), (160, True), (256, True), (256, False), (512, True), (512, False)):
        p = gpu.Plan(1, 64, 1, 1, dk, 128, per, 1)
        sizes = {"DK": dk, "GATES": p.gates, "CH": p.CH, "BV": p.BV}
        for kernel in (gpu.FORWARD, gpu.BACKWARD):
            arrays = re.findall(r"LOCAL float \w+\[(.+)\];", kernel.text())
            assert len(arrays) >= 9
            assert 4 * sum(eval(a, {}, sizes) for a in arrays) <= gpu.NEAR, (dk, per)
        assert p.CH >= 4 if dk <= 256 else p.CH == 2


def test_what_it_cannot_hold_it_says() -> None:
    def never(launch: gpu.Launch, given: object) -> list[Array]:
        raise AssertionError("launched")

    with pytest.raises(BadInput, match="513 key channels, at most 512"):
        gpu.forward(never, *inputs(Case(1, 513, 2)))
    huge = [np.broadcast_to(np.float32(0), s) for s in ((1, 10**6, 1, 128), (1, 10**6, 1, 128), (1, 10**6, 32, 128), (1, 10**6, 32), (1, 10**6, 32))]
    with pytest.raises(BadInput, match="1000000 tokens are more than native/gpu counts"):
        gpu.forward(never, *huge, np.zeros((1, 32, 128, 128), np.float32))


@pytest.mark.parametrize("dialect", [d for d, here in (("metal", mx.metal.is_available()), ("cuda", mx.cuda.is_available())) if here])
def test_on_the_gpu_itself(dialect: str) -> None:
    "Where there is one. (In this table's types; without a GPU no such test is collected as passed: it is skipped as empty.)"
    kinds = {"fp32": mx.float32, "fp16": mx.float16, "bf16": mx.bfloat16}
    for case in CASES:
        x = draw(case)
        given = [mx.array(a).astype(kinds[case.dtype]) for a in (x.q, x.k, x.v)] + [mx.array(a) for a in inputs(case)[3:]]
        got = gpu.forward(gpu.on(dialect), *given, passes=case.passes)
        assert misses(case, [np.array(a.astype(mx.float32)) for a in got]) == [], str(case)
        got = gpu.backward(gpu.on(dialect), *given, mx.array(x.dout).astype(kinds[case.dtype]), mx.array(x.dstate), passes=case.passes)
        assert gradient_misses(case, [np.array(a.astype(mx.float32)) for a in got]) == [], str(case)
