"""Which kernel runs the gated delta rule, and why: `gated_delta`, `nap` and `left` for whoever builds on them.

A choice carries its reasons (`Choice.refused`), and `pocketsleep doctor` prints them. Every backend is differentiable by MLX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pocketsleep.errors import BadInput
from pocketsleep.fastweights import cpu, graph
from pocketsleep.fastweights.reference import check

# isort: split
import mlx.core as mx
import numpy as np

Arrays = tuple[mx.array, ...]


@dataclass(frozen=True, slots=True)
class Backend:
    "One way to compute the rule: `unavailable(Dk)` says why not, '' when it can."

    name: str
    what: str
    unavailable: Callable[[int], str]
    nap: Callable[..., Arrays]  # as graph.nap


@dataclass(frozen=True, slots=True)
class Choice:
    "What runs, and why nothing before it does."

    backend: Backend
    refused: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.backend.what}" + (f" ({'; '.join(self.refused)})" if self.refused else "")


def _no_gpu(_: int) -> str:
    return "" if mx.default_device() == mx.Device(mx.gpu) else "MLX computes on the CPU"


def _no_cpu(Dk: int) -> str:
    return "MLX computes on a GPU" if mx.default_device() != mx.Device(mx.cpu) else cpu.reason(Dk)


def with_mlx(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array, state: mx.array | None = None,
             passes: int = 1) -> Arrays:
    "MLX's own `mx.fast.gated_delta_update`, pass after pass; it does not tell surprise, which is empty [0, B, T, Hv]."
    for _ in range(passes):
        out, state = mx.fast.gated_delta_update(q, k, v, decay, beta, state)
    return out, state, mx.zeros((0, *beta.shape))  # type: ignore[return-value]


def with_cpu(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array, state: mx.array | None = None,
             passes: int = 1) -> Arrays:
    "native/cpu, by way of numpy."
    check(q.shape, k.shape, v.shape, decay.shape, beta.shape, None if state is None else state.shape)
    kind = v.dtype
    same = kind if q.dtype == k.dtype == kind and kind in (mx.float16, mx.bfloat16) else mx.float32
    if state is None:
        state = mx.zeros((v.shape[0], *v.shape[2:], q.shape[-1]))
    q, k, v = (a.astype(same) for a in (q, k, v))
    out, last, surprise = _native(passes)(q, k, v, *(a.astype(mx.float32) for a in (decay, beta, state)))
    return out.astype(kind), last, surprise


@lru_cache(maxsize=16)
def _native(passes: int) -> Callable[..., Arrays]:
    "native/cpu as one function of MLX with its gradient."

    @mx.custom_function
    def rule(*inputs: mx.array) -> Arrays:
        given = cpu.Given.of(*map(_numpy, inputs))
        one = given.v.shape[1] == passes == 1
        return tuple(map(_mlx, cpu.step(given) if one else cpu.forward(given, passes)))

    @rule.vjp
    def slopes(inputs: Arrays, cotangents: Arrays, _: Arrays) -> Arrays:
        dout, dlast = (_numpy(c) for c in cotangents[:2])
        found = cpu.backward(cpu.Given.of(*map(_numpy, inputs)), dout, dlast, passes)
        return tuple(_mlx(g).astype(i.dtype) for g, i in zip(found, inputs, strict=True))

    return rule  # type: ignore[return-value]


def _numpy(a: mx.array) -> np.ndarray:
    "Without a copy; bfloat16 as its bits."
    return np.array(a.view(mx.uint16) if a.dtype == mx.bfloat16 else a, copy=False)


def _mlx(a: np.ndarray) -> mx.array:
    return mx.array(a).view(mx.bfloat16) if a.dtype == np.uint16 else mx.array(a)


BACKENDS = (  # in the order in which they are tried
    Backend("mlx", "MLX's mx.fast.gated_delta_update", _no_gpu, with_mlx),
    Backend("cpu", "native/cpu", _no_cpu, with_cpu),
    Backend("graph", "ordinary MLX operations", lambda Dk: "", graph.nap),
)


def choose(Dk: int = 1) -> Choice:
    "The first backend that runs heads of Dk key channels here."
    refused: list[str] = []
    for backend in BACKENDS:
        why = backend.unavailable(Dk)
        if not why:
            return Choice(backend, tuple(refused))
        refused.append(f"{backend.name}: {why}")
    raise BadInput("no backend runs the gated delta rule here", hint="; ".join(refused))


def by_name(name: str, Dk: int = 1) -> Backend:
    "A backend asked for by name; raises BadInput where it cannot run."
    for backend in BACKENDS:
        if backend.name == name:
            if why := backend.unavailable(Dk):
                raise BadInput(f"`{name}` cannot run here: {why}", hint="pocketsleep doctor")
            return backend
    raise BadInput(f"no backend is called `{name}`", hint=f"one of {', '.join(b.name for b in BACKENDS)}")


def gated_delta(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array,
                state: mx.array | None = None) -> tuple[mx.array, mx.array]:
    """Once over the tokens: readings [B, T, Hv, Dv] in v's dtype, the state [B, Hv, Dv, Dk] in float32; shapes in reference.py.

    k is taken as it is: give it length 1 (`graph.unit`). Differentiable. Raises BadInput where shapes do not fit."""
    out, last, _ = choose(q.shape[-1]).backend.nap(q, k, v, decay, beta, state)
    return out, last


def nap(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array, state: mx.array | None = None,
        passes: int = 1) -> Arrays:
    "`passes` times over the tokens with the state carried: readings of the last pass, the state, surprise [N, B, T, Hv]."
    return telling(q.shape[-1]).backend.nap(q, k, v, decay, beta, state, passes)


def left(k: mx.array, v: mx.array, decay: mx.array, beta: mx.array, state: mx.array, passes: int = 1) -> mx.array:
    "The state alone that `passes` over the tokens leave: no surprise is asked for, so any backend will do."
    return for_naps(k.shape[-1]).backend.nap(k, k, v, decay, beta, state, passes)[1]


def for_naps(Dk: int = 1) -> Choice:
    "The backend that memory layers nap with."
    return choose(Dk)


def telling(Dk: int = 1) -> Choice:
    "The backend of `nap`, which tells surprise as well."
    choice = choose(Dk)
    if choice.backend.name != "mlx":
        return choice
    return Choice(BACKENDS[-1], (*choice.refused, f"{choice.backend.name}: it does not tell surprise"))
