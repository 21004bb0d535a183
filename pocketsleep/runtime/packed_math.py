"""What a packed pass is made of: OpenBLAS for products, native/fused for the rest, numpy arrays in between."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

from pocketsleep.runtime import blas, fused
from pocketsleep.runtime.pace import processors

# isort: split
import mlx.core as mx
import numpy as np

ROW, PLAIN, TURNED = 101, 111, 112  # CBLAS: row-major, as it is, transposed
PANEL = 64  # columns that native/fused/matrix.c packs together
LANES = 16  # native/fused/block.c works on so many floats at a time
Array = np.ndarray


def reason() -> str:
    "Why the packed pass cannot run here; '' when it can."
    if mx.default_device() != mx.Device(mx.cpu):
        return "MLX computes on a GPU"
    return fused.reason() or ("" if blas.BRIDGE.active else blas.BRIDGE.reason)


def _pointer(a: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(a.ctypes.data)


def gemm(a: Array, b: Array, out: Array, *, ta: bool = False, tb: bool = False, alpha: float = 1.0, beta: float = 0.0) -> Array:
    "out = alpha op(a) op(b) + beta out, float32 matrices whose rows lie in order (a stride between rows is fine)."
    m, n = out.shape
    k = a.shape[0] if ta else a.shape[1]
    blas.sgemm(ROW, TURNED if ta else PLAIN, TURNED if tb else PLAIN, m, n, k, alpha, _pointer(a), a.strides[0] // 4,
               _pointer(b), b.strides[0] // 4, beta, _pointer(out), out.strides[0] // 4)
    return out


def call(name: str, *given: Array | int | float) -> None:
    "A function of native/fused: arrays by address, integers as int64, numbers as double."
    passed = [_pointer(g) if isinstance(g, np.ndarray) else ctypes.c_double(g) if isinstance(g, float) else ctypes.c_int64(g)
              for g in given]
    getattr(fused.library(), name)(*passed)


class Weight:
    """A frozen matrix w [out, in]. Multiplied in float32 by OpenBLAS, or, once `rounded` is set, in bfloat16 by
    native/fused/matrix.c, which is two to three times as fast: packed for each direction when it is first taken."""

    def __init__(self, plain: Array) -> None:
        self.plain, self.shape, self.rounded = plain, plain.shape, False
        self._packed: dict[bool, Array] = {}

    def through(self, x: Array, out: Array, room: Room) -> Array:
        "out [n, out] = x [n, in] w'."
        return self._multiply(x, out, room, turned=True) if self.rounded else gemm(x, self.plain, out, tb=True)

    def back(self, dy: Array, dx: Array, room: Room, add: bool = False) -> Array:
        "dx [n, in] = dy [n, out] w (+ dx)."
        if self.rounded:
            return self._multiply(dy, dx, room, turned=False, add=add)
        return gemm(dy, self.plain, dx, beta=float(add))

    def pack(self, *directions: bool) -> None:
        "Pack for `through` (True) and `back` (False) where that has not been done."
        for turned in directions:
            if turned not in self._packed:
                out, wide = self.shape
                k, n = (wide, out) if turned else (out, wide)
                self._packed[turned] = np.empty(-(-n // PANEL) * -(-k // 2) * 2 * PANEL, np.uint16)
                call("ps_pack", self.plain, self._packed[turned], out, wide, int(turned))

    def drop(self) -> None:
        "Give the float32 numbers back: only directions that are packed can be taken from now on."
        self.plain = np.empty((0, 0), np.float32)

    def forget(self) -> None:
        "Give the packed copies back; the next product packs anew, unless the numbers were dropped."
        self._packed.clear()

    def _multiply(self, a: Array, out: Array, room: Room, turned: bool, add: bool = False) -> Array:
        m, k, n = len(a), a.shape[1], out.shape[1]
        if turned not in self._packed and not self.plain.size:
            raise RuntimeError("these weights were given back before training began")
        self.pack(turned)
        near = room.get("near", -1, m, -(-k // 32) * 16)  # so many pairs of two bytes
        call("ps_multiply", a, self._packed[turned], out, near, m, n, k, a.strides[0] // 4, out.strides[0] // 4, int(add))
        return out


@contextmanager
def one_pool(rounded: bool) -> Iterator[None]:
    """Within, either native/fused's threads or OpenBLAS's: both wait awake for the next piece of work, in each other's way.
    `rounded`: the products are native/fused's."""
    call("ps_threads", processors() if rounded else 1)
    with blas.alone() if rounded else nullcontext():
        yield


@cache
def rounds() -> bool:
    "Whether this processor multiplies in bfloat16."
    if fused.reason():
        return False
    able = fused.library().ps_bf16
    able.restype = ctypes.c_int64
    return bool(able())


def top(logits: Array, k: int) -> tuple[Array, Array]:
    "The k likeliest words of each row [n, V] and their share among themselves: ids [n, k] int32, p [n, k]."
    n, v = logits.shape
    ids, values = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    if not fused.reason():
        call("ps_top", np.ascontiguousarray(logits), ids, values, n, v, k)
    else:
        some = np.argpartition(-logits, k - 1, axis=-1)[:, :k]
        order = np.argsort(-np.take_along_axis(logits, some, -1), axis=-1, kind="stable")
        ids = np.take_along_axis(some, order, -1).astype(np.int32)
        values = np.take_along_axis(logits, ids, -1)
    p = np.exp(values - values[:, :1])
    return ids, p / p.sum(axis=-1, keepdims=True)


class Room:
    "Arrays kept by name between steps: the pages of a fresh one would be zeroed by the kernel each time."

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Array] = {}

    def get(self, name: str, layer: int, *shape: int) -> Array:
        "float32 of this shape, its content arbitrary."
        size = int(np.prod(shape))
        flat = self._kept.get((name, layer))
        if flat is None or flat.size < size:
            flat = self._kept[name, layer] = np.empty(size + size // 8, np.float32)
        return flat[:size].reshape(shape)


@dataclass(frozen=True, slots=True)
class Layout:
    "Where the tokens of a batch lie: a shared prefix of p tokens first, then row after row without padding."

    p: int
    start: Array  # [rows + 1] int64, the prefix counted as a row
    at: Array  # [n + 1] int64, where each token's attention shares begin
    positions: Array  # [n] int32

    @staticmethod
    def of(p: int, lengths: Sequence[int]) -> Layout:
        runs = ([p] if p else []) + list(lengths)
        start = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
        positions = np.concatenate([np.arange(n) + (p if p and i else 0) for i, n in enumerate(runs)]).astype(np.int32)
        at = np.concatenate([[0], np.cumsum(positions.astype(np.int64) + 1)]).astype(np.int64)
        return Layout(p, start, at, positions)

    @property
    def n(self) -> int:
        return int(self.start[-1])

    @property
    def runs(self) -> tuple[Array, Array]:
        "Where each row begins and ends, the prefix left out."
        first = 1 if self.p else 0
        return self.start[first:-1], self.start[first + 1 :]
