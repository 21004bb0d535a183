"""One table of cases that every backend of the gated delta rule must pass, with its tolerances.

Numbers are rounded to a case's type before anything is computed, so the definition (float64) and a kernel start from the
same ones. A backend computes in float32 whatever the type: `fp16` and `bf16` widen the tolerance of what is stored in them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np

from pocketsleep.fastweights import reference

Array = np.ndarray
WIDE, GRADIENT = 1e-5, 2e-5  # of the largest number of an array: forward; sums of many more terms
NARROW = {"fp32": 0.0, "fp16": 2.0**-11, "bf16": 2.0**-8}  # half a unit in the last place, twice over


@dataclass(frozen=True)
class Case:
    "One call. Shapes as in reference.py."

    T: int
    Dk: int
    Dv: int
    B: int = 1
    Hk: int = 1
    Hv: int = 1
    dtype: str = "fp32"
    channels: bool = False  # a decay for each key channel
    passes: int = 1
    stateful: bool = False  # an initial state is given
    gates: str = "usual"

    def __str__(self) -> str:
        parts = [f"B{self.B}T{self.T}H{self.Hk}-{self.Hv}K{self.Dk}V{self.Dv}", self.dtype, self.gates]
        return "-".join([*parts, *["channels"] * self.channels, *["stateful"] * self.stateful, f"N{self.passes}"])


@dataclass(frozen=True)
class Inputs:
    "What a backend is called with: q, k, v as float32 numbers that the case's type can hold; the rest float32."

    q: Array
    k: Array
    v: Array
    decay: Array
    beta: Array
    state: Array | None
    dout: Array  # slopes for the gradient, rounded like v
    dstate: Array

    @property
    def all(self) -> tuple[Array, Array, Array, Array, Array, Array | None]:
        return self.q, self.k, self.v, self.decay, self.beta, self.state


def gates(kind: str, rng: np.random.Generator, decay: tuple[int, ...], beta: tuple[int, ...]) -> tuple[Array, Array]:
    "Decay and write strength. `extreme` mixes what no formula with a quotient or a logarithm survives."
    if kind == "usual":
        return rng.uniform(0.8, 1.0, decay), rng.uniform(0.1, 1.0, beta)
    if kind == "open":
        return np.ones(decay), np.ones(beta)
    if kind == "shut":
        return np.zeros(decay), np.zeros(beta)
    if kind == "fading":
        return rng.uniform(0.0, 0.3, decay), rng.uniform(0.0, 1.0, beta)
    return rng.choice([0.0, 1e-38, 1e-20, 1e-6, 0.5, 1.0, 1.0, 1.0], decay), rng.choice([0.0, 1e-30, 0.5, 1.0, 2.0], beta)


@lru_cache(maxsize=8)
def draw(case: Case) -> Inputs:
    "The same numbers for the same case, always."
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    key, value = (case.B, case.T, case.Hk, case.Dk), (case.B, case.T, case.Hv, case.Dv)
    decay, beta = gates(case.gates, rng, (*value[:3], case.Dk) if case.channels else value[:3], value[:3])
    state = rng.standard_normal((case.B, case.Hv, case.Dv, case.Dk))
    q, k, v, dout = (rounded(a, case.dtype) for a in (
        rng.standard_normal(key), reference.unit(rng.standard_normal(key)), rng.standard_normal(value), rng.standard_normal(value)))
    single = [a.astype(np.float32) for a in (decay, beta, state, rng.standard_normal(state.shape))]
    return Inputs(q, k, v, single[0], single[1], single[2] if case.stateful else None, dout, single[3])


def rounded(a: Array, dtype: str) -> Array:
    "The nearest numbers of `dtype`, as float32."
    a = a.astype(np.float32)
    if dtype == "fp16":
        return a.astype(np.float16).astype(np.float32)
    if dtype == "bf16":
        bits = a.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return a


@lru_cache(maxsize=256)
def expected(case: Case) -> reference.Pass:
    return reference.gated_delta(*draw(case).all, passes=case.passes)


@lru_cache(maxsize=256)
def slopes(case: Case) -> reference.Gradient:
    x = draw(case)
    return reference.gradient(*x.all, x.dout, x.dstate, passes=case.passes)


def off(got: Array, want: Array) -> float:
    "The largest difference, as a share of the largest number wanted. NaN anywhere is infinitely wrong."
    if got.shape != want.shape or not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-30)) if want.any() else float(np.abs(got).max())


def misses(case: Case, got: Sequence[Array], names: Iterable[str] = reference.Pass._fields) -> list[str]:
    "Which of out, state, surprise are not what the definition says, and by how much."
    found = ((name, off(g, w), WIDE + NARROW[case.dtype] * (name == "out")) for name, g, w in zip(names, got, expected(case), strict=len(got) == 3))
    return [f"{name} is off by {by:.1e} (at most {most:.1e})" for name, by, most in found if not by <= most]


def gradient_misses(case: Case, got: Sequence[Array]) -> list[str]:
    "The same of the six gradients."
    found = ((name, off(g, w), GRADIENT + NARROW[case.dtype] * (name in "qkv"))
             for name, g, w in zip(reference.Gradient._fields, got, slopes(case), strict=True))
    return [f"d{name} is off by {by:.1e} (at most {most:.1e})" for name, by, most in found if not by <= most]


SHAPES = (  # never only square, never only powers of two, never only whole chunks of 16 or vectors of 4, 8, 16
    Case(1, 1, 1), Case(2, 1, 3), Case(3, 5, 2), Case(15, 7, 33), Case(16, 16, 16), Case(17, 33, 5),
    Case(31, 32, 17, B=2), Case(33, 63, 100), Case(20, 100, 63, B=2, Hk=2, Hv=2), Case(24, 64, 64, B=2, Hk=2, Hv=6),
    Case(9, 128, 96, Hk=1, Hv=3), Case(18, 128, 128), Case(5, 160, 40), Case(7, 256, 24),
)
TYPES = ("fp32", "fp16", "bf16")
GATES = ("open", "shut", "fading", "extreme")

CASES = tuple(dict.fromkeys((
    *(replace(c, dtype=d, channels=h, stateful=(i + h) % 2 == 0) for (i, c), d, h in product(enumerate(SHAPES), TYPES, (False, True))),
    *(replace(c, gates=g, channels=h, stateful=True) for c, g, h in product((SHAPES[3], SHAPES[5], SHAPES[7], SHAPES[8]), GATES, (False, True))),
    *(replace(c, gates="extreme", dtype=d, channels=h) for c, d, h in product((SHAPES[6],), TYPES[1:], (False, True))),
    *(replace(c, passes=n, channels=h, stateful=s) for c, n, h, s in product(
        (SHAPES[2], SHAPES[5], Case(18, 24, 20, B=2, Hk=1, Hv=3)), (2, 3, 4), (False, True), (False, True))),
    *(replace(c, passes=4, gates="extreme", channels=h) for c, h in product((SHAPES[4], SHAPES[8]), (False, True))),
    # rows that no registers hold, over more tokens than a block; the head of the layer that is shipped
    *(Case(35, 300, 7, dtype=d, channels=h, stateful=h) for d, h in product(TYPES, (False, True))),
    *(Case(34, 511, 3, Hv=2, channels=h, stateful=True, gates="extreme", passes=2 - h) for h in (False, True)),
    *(Case(3, 512, 576, channels=h, stateful=not h, passes=1 + h) for h in (False, True)),
    *(Case(T, 24, 20, Hk=1, Hv=2, channels=h, stateful=True, passes=n) for (T, n), h in product(((257, 1), (500, 2), (1025, 1)), (False, True))),
)))
STEPS = tuple(dict.fromkeys(replace(c, T=1, passes=1, stateful=True) for c in CASES))  # one token: decode
SMALL = tuple(c for c in CASES if c.B * c.T * c.Hv * c.Dk * c.Dv * c.passes <= 200_000)  # for what is slow
