"""native/fused as it was compiled at installation: vectorised passes for CPUs, or the reason why not."""

from __future__ import annotations

import ctypes
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent / "_native" / "libpsfused.so"


def _open() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None


_library = _open()


def reason() -> str:
    "Why the passes are not there; '' when they are."
    return "" if _library is not None else "native/fused was not compiled (no C compiler at installation)"


def library() -> ctypes.CDLL:
    "The compiled passes; ask `reason` first."
    assert _library is not None
    return _library
