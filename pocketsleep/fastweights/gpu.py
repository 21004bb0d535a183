"""native/gpu: kernels for Metal and CUDA as text, and how they are launched.

The text is written once, in the words of a dialect (native/metal, native/cuda); MLX compiles it at run time. A `Launch` says all
that a runner has to know: MLX's are below, the tests have one that runs the same text on a CPU. Arrays are MLX's or numpy's:
only what both can do is done to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pocketsleep.errors import BadInput
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx

PACKAGE = Path(__file__).resolve().parent.parent
NATIVE = PACKAGE / "native" if (PACKAGE / "native").is_dir() else PACKAGE.parent / "native"
DIALECTS = {"metal": "metal/dialect.metal", "cuda": "cuda/dialect.cuh"}
NEAR = 32 * 1024  # bytes that the threads of a group share: Metal's bound, and below CUDA's
WIDEST, MOST = 512, 2**31 - 1  # key channels; numbers of an array, which the text counts in 32 bits


@dataclass(frozen=True, slots=True)
class Kernel:
    "One text: names with types; `Num` is the type of q, k, v and out."

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[str, ...]

    def text(self) -> str:
        "The body, with what it includes, behind the line that says where a thread is."
        folder = NATIVE / "gpu"
        body = (folder / f"{self.name}.inc").read_text()
        return "HERE;\n" + body.replace('#include "chunk.inc"\n', (folder / "chunk.inc").read_text())


def kind(name: str) -> str:
    "Type of an argument."
    return "int" if name == "sizes" else "Num" if name in ("q", "k", "v", "out", "dout") else "float"


CHUNK = ("DK", "GATES", "PER", "CH", "BV", "THREADS")
DECODE = Kernel("decode", ("sizes", "q", "k", "v", "decay", "beta", "state"), ("out", "last", "errors"), ("DK", "PER", "ROWS"))
FORWARD = Kernel("forward", DECODE.inputs, ("out", "last", "errors", "marks"), (*CHUNK, "SAVE"))
BACKWARD = Kernel("backward", ("sizes", "q", "k", "decay", "beta", "marks", "errors", "dout", "dlast"),
                  ("dq", "dk", "dv", "da", "db", "dstate"), CHUNK)
KERNELS = {k.name: k for k in (DECODE, FORWARD, BACKWARD)}


@dataclass(frozen=True, slots=True)
class Launch:
    "A kernel with its constants, over groups (x, y) of so many threads."

    kernel: Kernel
    constants: tuple[int, ...]
    groups: tuple[int, int]
    threads: int
    sizes: tuple[int, ...]  # T, Hk, Hv, DV, passes, B Hv
    shapes: tuple[tuple[int, ...], ...]  # of the outputs


Run = Callable[[Launch, Sequence[Any]], list[Any]]  # inputs after `sizes` -> outputs


@dataclass(frozen=True, slots=True)
class Plan:
    "Sizes of a call and how it is cut: chunks of CH tokens, BV rows a group."

    B: int
    T: int
    Hk: int
    Hv: int
    DK: int
    DV: int
    per: bool
    passes: int

    @property
    def gates(self) -> int:
        return self.DK if self.per else 1

    @property
    def BV(self) -> int:
        return 8

    @property
    def CH(self) -> int:
        "As long as what a group shares fits."
        for n in (16, 8, 4):
            if 4 * (2 * n * self.DK + n * self.gates + self.BV * self.DK + 2 * n * n + n + 3 * n * self.BV) <= NEAR:
                return n
        return 2

    @property
    def blocks(self) -> int:
        return -(-self.DV // self.BV)

    @property
    def marks(self) -> tuple[int, ...]:
        return (self.passes * -(-self.T // self.CH), self.B, self.Hv, self.DV, self.DK)

    def launch(self, kernel: Kernel, shapes: Sequence[tuple[int, ...]], **more: int) -> Launch:
        constants = {"DK": self.DK, "GATES": self.gates, "PER": int(self.per), "CH": self.CH, "BV": self.BV, "THREADS": 128} | more
        sizes = (self.T, self.Hk, self.Hv, self.DV, self.passes, self.B * self.Hv)
        groups = self.blocks if kernel is not DECODE else -(-self.DV // constants["ROWS"])
        threads = constants["THREADS"] if kernel is not DECODE else 32 * constants["ROWS"]
        chosen = tuple(constants[c] for c in kernel.constants)
        return Launch(kernel, chosen, (self.B * self.Hv, groups), threads, sizes, tuple(shapes))


def plan(q: Any, v: Any, decay: Any, passes: int = 1) -> Plan:
    "Raises BadInput where the text cannot hold it."
    (B, T, Hk, DK), (Hv, DV) = q.shape, v.shape[2:]
    if why := reason(DK):
        raise BadInput(why, hint="smaller heads, or pocketsleep/fastweights/graph.py")
    made = Plan(B, T, Hk, Hv, DK, DV, decay.ndim == 4, passes)
    if max(math.prod(made.marks), B * T * Hv * DK * made.blocks, passes * B * T * Hv * DV) > MOST:
        raise BadInput(f"{T} tokens are more than native/gpu counts", hint="chunks: give the state of one to the next")
    return made


def reason(DK: int) -> str:
    return "" if DK <= WIDEST else f"{DK} key channels, at most {WIDEST}"


def decode(run: Run, q: Any, k: Any, v: Any, decay: Any, beta: Any, state: Any) -> tuple[Any, Any, Any]:
    "One token: out, state, surprise."
    p = plan(q, v, decay)
    shapes = (v.shape, state.shape, v.shape)
    out, last, errors = run(p.launch(DECODE, shapes, ROWS=4), (q, k, v, decay, beta, state))
    return out, last, length(errors)[None]


def forward(run: Run, q: Any, k: Any, v: Any, decay: Any, beta: Any, state: Any, passes: int = 1) -> tuple[Any, Any, Any]:
    "A chunk or a nap: out, state, surprise."
    out, last, errors, _ = _forward(run, plan(q, v, decay, passes), (q, k, v, decay, beta, state), save=False)
    return out, last, length(errors)


def backward(run: Run, q: Any, k: Any, v: Any, decay: Any, beta: Any, state: Any, dout: Any, dlast: Any,
             passes: int = 1) -> tuple[Any, ...]:
    "Slopes by q, k, v, decay, beta, state, in float32. States before each chunk are computed again, not kept from forward."
    p = plan(q, v, decay, passes)
    _, _, errors, marks = _forward(run, p, (q, k, v, decay, beta, state), save=True)
    keys = (p.blocks, p.B, p.T, p.Hv, p.DK)
    shapes = (keys, keys, v.shape, keys, keys[:-1], state.shape)
    dq, dk, dv, da, db, dstate = run(p.launch(BACKWARD, shapes), (q, k, decay, beta, marks, errors, dout, dlast))
    group = (p.B, p.T, p.Hk, p.Hv // p.Hk, p.DK)
    dq, dk = (a.sum(0).reshape(group).sum(3) for a in (dq, dk))
    return dq, dk, dv, da.sum(0) if p.per else da.sum(0).sum(-1), db.sum(0), dstate


def _forward(run: Run, p: Plan, inputs: tuple[Any, ...], save: bool) -> list[Any]:
    v, state = inputs[2], inputs[5]
    shapes = (v.shape, state.shape, (p.passes, *v.shape), p.marks if save else (1,))
    return run(p.launch(FORWARD, shapes, SAVE=int(save)), inputs)


def length(errors: Any) -> Any:
    return (errors * errors).sum(-1) ** 0.5


@lru_cache(maxsize=8)
def _compiled(dialect: str, name: str) -> Any:
    made: Any = mx.fast.metal_kernel if dialect == "metal" else mx.fast.cuda_kernel
    kernel = KERNELS[name]
    return made(name=f"pocketsleep_delta_{name}", input_names=list(kernel.inputs), output_names=list(kernel.outputs),
                source=source(dialect, kernel), header=(NATIVE / DIALECTS[dialect]).read_text())


def source(dialect: str, kernel: Kernel) -> str:
    """What MLX is given. It writes the signature, and on Metal names the attributes that stand in the text itself, not in its
    header: so HERE is spelled out."""
    header = (NATIVE / DIALECTS[dialect]).read_text()
    here = next(line.removeprefix("#define HERE ") for line in header.splitlines() if line.startswith("#define HERE "))
    return kernel.text().replace("HERE;", here + ";", 1)


def on(dialect: str) -> Run:
    "A runner on MLX's GPU."
    def run(launch: Launch, inputs: Sequence[mx.array]) -> list[mx.array]:
        kernel, num = launch.kernel, inputs[0].dtype
        kinds = {"Num": num, "float": mx.float32}
        template = [("Num", num), *zip(kernel.constants, launch.constants, strict=True)]
        (x, y), threads = launch.groups, launch.threads
        made = _compiled(dialect, kernel.name)(
            inputs=[mx.array(launch.sizes, mx.int32), *inputs], template=template,
            grid=(x * threads, y, 1), threadgroup=(threads, 1, 1), output_shapes=list(launch.shapes),
            output_dtypes=[kinds[kind(n)] for n in kernel.outputs])
        return list(made)

    return run
