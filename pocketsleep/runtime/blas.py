"""Gives MLX on a Linux CPU a fast matrix product: NumPy's OpenBLAS instead of reference BLAS.

`bind` has to run before libmlx is first loaded; `import pocketsleep.runtime.blas` does it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent / "_native" / "libpsblas.so"


@dataclass(frozen=True, slots=True)
class Bridge:
    "Whether MLX's products go through OpenBLAS, and why (not)."

    active: bool
    reason: str


def _openblas() -> ctypes.CDLL | None:
    import numpy

    folder = Path(numpy.__file__).resolve().parent.parent / "numpy.libs"
    found = sorted(folder.glob("libscipy_openblas64_*.so*"))
    return ctypes.CDLL(str(found[0])) if found else None


def _bind() -> Bridge:
    if not sys.platform.startswith("linux"):
        return Bridge(False, "not needed: MLX brings its own matrix product here")
    if "mlx.core" in sys.modules:
        return Bridge(False, "MLX was imported before pocketsleep, so it kept reference BLAS")
    if not LIBRARY.exists():
        return Bridge(False, "the bridge was not compiled (no C compiler at installation)")
    openblas = _openblas()
    if openblas is None:
        return Bridge(False, "this NumPy does not ship an OpenBLAS with 64-bit names")
    names = ("scipy_cblas_sgemm64_", "scipy_cblas_dgemm64_", "scipy_cblas_cgemm64_")
    try:
        addresses = [ctypes.cast(getattr(openblas, name), ctypes.c_void_p) for name in names]
        library = ctypes.CDLL(str(LIBRARY), mode=ctypes.RTLD_GLOBAL)
    except (AttributeError, OSError) as error:
        return Bridge(False, f"the bridge could not be loaded ({error})")
    library.ps_blas_bind(*addresses)
    library.ps_blas_calls.restype = ctypes.c_int64
    return Bridge(True, "MLX multiplies matrices with NumPy's OpenBLAS")


def sgemm(*given: object) -> None:
    "cblas_sgemm by way of the bridge: order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc."
    _sgemm(*given)


def calls() -> int:
    "How many matrix products came through the bridge so far."
    return int(ctypes.CDLL(str(LIBRARY)).ps_blas_calls()) if BRIDGE.active else 0


@contextmanager
def alone() -> Iterator[None]:
    "OpenBLAS on the calling thread: for some milliseconds after a product its others wait awake, in the way of any but themselves."
    get, put = _threads()
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)


@cache
def _threads() -> tuple[Callable[[], int], Callable[[int], object]]:
    openblas = _openblas() if BRIDGE.active else None
    if openblas is None or not hasattr(openblas, "scipy_openblas_set_num_threads64_"):
        return lambda: 1, lambda number: None
    return openblas.scipy_openblas_get_num_threads64_, openblas.scipy_openblas_set_num_threads64_


BRIDGE = _bind()
if BRIDGE.active:
    _i, _f, _p = ctypes.c_int32, ctypes.c_float, ctypes.c_void_p
    _sgemm = ctypes.CDLL(str(LIBRARY)).cblas_sgemm
    _sgemm.argtypes = [_i, _i, _i, _i, _i, _i, _f, _p, _i, _p, _i, _f, _p, _i]
    _sgemm.restype = None
