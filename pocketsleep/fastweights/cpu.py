"""native/cpu: the gated delta rule in C++, on numpy arrays. Shapes as in `reference.py`.

q, k, v and out are float32, float16, or bfloat16 as uint16 bits; everything else is float32. Called by `pick.py`.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketsleep.errors import BadInput
from pocketsleep.fastweights.reference import Array, check

LIBRARY = Path(__file__).resolve().parent.parent / "_native" / "libpsdelta.so"
KINDS = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.uint16): 2}
LINE = 64  # bytes
LEVELS = {1: "SSE2 or NEON", 2: "AVX2", 3: "AVX-512"}
POINTERS = "q k v decay beta state out last surprise dout dlast dq dk dv ddecay dbeta dstate".split()
NUMBERS = "B T Hk Hv Dk Dv passes dtype channels".split()


class Delta(ctypes.Structure):
    "One call, as native/cpu/delta.h has it."

    _fields_ = [(name, ctypes.c_void_p) for name in POINTERS] + [(name, ctypes.c_int64) for name in NUMBERS]


def _open() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    for name in ("forward", "backward", "step", "level", "widest"):
        getattr(library, f"ps_delta_{name}").restype = ctypes.c_int64
    library.ps_threads(ctypes.c_int64(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1))
    return library


_library = _open()


def reason(Dk: int = 1) -> str:
    "Why a head of so many key channels cannot run here; '' when it can."
    if _library is None:
        return "native/cpu was not compiled (no C++ compiler at installation)"
    return "" if Dk <= _library.ps_delta_widest() else f"{Dk} key channels, at most {_library.ps_delta_widest()}"


def level(most: int = 0) -> str:
    "The instruction set that runs; `most` (1, 2, 3) allows none beyond it from now on."
    assert _library is not None
    return LEVELS[_library.ps_delta_level(ctypes.c_int64(most))]


def threads(wanted: int) -> None:
    "Threads from now on. They change no number."
    if _library is not None:
        _library.ps_threads(ctypes.c_int64(wanted))


@dataclass(frozen=True, slots=True)
class Given:
    "The inputs of a call, contiguous."

    q: Array
    k: Array
    v: Array
    decay: Array
    beta: Array
    state: Array | None

    @staticmethod
    def of(q: Array, k: Array, v: Array, decay: Array, beta: Array, state: Array | None = None) -> Given:
        "Raises BadInput where shapes or types do not fit."
        check(q.shape, k.shape, v.shape, decay.shape, beta.shape, None if state is None else state.shape)
        if v.dtype not in KINDS or {q.dtype, k.dtype} != {v.dtype}:
            raise BadInput(f"q, k, v are {q.dtype}, {k.dtype}, {v.dtype}",
                           hint="float32, float16 or bfloat16 bits as uint16, all three alike")
        q, k, v = (np.ascontiguousarray(a) for a in (q, k, v))
        decay, beta = (np.ascontiguousarray(a, np.float32) for a in (decay, beta))
        return Given(q, k, v, decay, beta, None if state is None else np.ascontiguousarray(state, np.float32))

    def prepared(self, name: str, passes: int, **others: Array | None) -> Callable[[], None]:
        "A call over these arrays, to be made as often as they hold new numbers. Raises MemoryError where the library found none."
        assert _library is not None, reason()
        arrays = {"q": self.q, "k": self.k, "v": self.v, "decay": self.decay, "beta": self.beta, "state": self.state} | others
        (B, T, Hk, Dk), (Hv, Dv) = self.q.shape, self.v.shape[2:]
        sizes = (B, T, Hk, Hv, Dk, Dv, passes, KINDS[self.v.dtype], int(self.decay.ndim == 4))
        call = Delta(*(None if (a := arrays.get(n)) is None else a.ctypes.data for n in POINTERS), *sizes)
        function, given = getattr(_library, f"ps_delta_{name}"), ctypes.byref(call)

        def run(_kept: object = arrays) -> None:
            if failed := function(given):
                raise MemoryError(f"native/cpu found no memory for {T} tokens") if failed == 2 else BadInput(
                    reason(Dk), hint="smaller heads, or pocketsleep/fastweights/graph.py")

        return run


def fresh(shape: tuple[int, ...], dtype: np.dtype | type = np.float32) -> Array:
    "Where a result goes, from a cache line's start; its content is arbitrary before."
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    at = -room.ctypes.data % LINE
    return room[at : at + size].view(dtype).reshape(shape)


def forward(given: Given, passes: int = 1, surprise: bool = True) -> tuple[Array, Array, Array]:
    "Chunk (passes = 1) or nap: out, state, surprise (empty unless asked for)."
    (B, T, Hv, Dv), Dk = given.v.shape, given.q.shape[-1]
    out, last = fresh(given.v.shape, given.v.dtype), fresh((B, Hv, Dv, Dk))
    told = fresh((passes, B, T, Hv)) if surprise else None
    given.prepared("forward", passes, out=out, last=last, surprise=told)()
    return out, last, told if told is not None else np.empty((0, B, T, Hv), np.float32)


def backward(given: Given, dout: Array, dlast: Array | None = None, passes: int = 1) -> tuple[Array, ...]:
    "Slopes by q, k, v (their type; dv in float32 where there are several passes), decay, beta, state."
    (B, _, Hv, Dv), Dk = given.v.shape, given.q.shape[-1]
    like = [fresh(a.shape, a.dtype) for a in (given.q, given.k)]
    dv = fresh(given.v.shape, np.float32 if passes > 1 else given.v.dtype)
    rest = fresh(given.decay.shape), fresh(given.beta.shape), fresh((B, Hv, Dv, Dk))
    dlast = None if dlast is None else np.ascontiguousarray(dlast, np.float32)
    given.prepared("backward", passes, dout=np.ascontiguousarray(dout), dlast=dlast, dq=like[0], dk=like[1], dv=dv, ddecay=rest[0],
                   dbeta=rest[1], dstate=rest[2])()
    return (*like, dv, *rest)


def step(given: Given, last: Array | None = None, surprise: bool = True) -> tuple[Array, Array, Array]:
    "One token (T = 1). `last` is where the state goes: `given.state` itself to write in place."
    B, T, Hv, _ = given.v.shape
    last = fresh((B, Hv, given.v.shape[-1], given.q.shape[-1])) if last is None else last
    out, told = fresh(given.v.shape, given.v.dtype), fresh((1, B, T, Hv)) if surprise else None
    stepping(given, out, last, told)()
    return out, last, told if told is not None else np.empty((0, B, T, Hv), np.float32)


def stepping(given: Given, out: Array, last: Array, told: Array | None = None) -> Callable[[], None]:
    """For decoding: put the next token's numbers into `given`'s arrays, call, read `out`. What ctypes takes to find sixteen arrays
    (10 microseconds) is paid once."""
    T = given.v.shape[1]
    if T != 1 or given.state is None:
        raise BadInput(f"a step takes one token and a state, here are {T} and {'one' if given.state is not None else 'none'}",
                       hint="`forward` takes chunks")
    return given.prepared("step", 1, out=out, last=last, surprise=told)


def stream(source: Array, target: Array) -> None:
    "Read and write so many floats once, as a step does with its state."
    assert _library is not None
    _library.ps_delta_stream(ctypes.c_void_p(source.ctypes.data), ctypes.c_void_p(target.ctypes.data), ctypes.c_int64(source.size))
