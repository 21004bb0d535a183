"""What enters the first adapted block, row by row: computed once a training run, kept in a file.

The file saves time and nothing else: where the disk has no room for it, each step computes anew.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

MOST = 2_000_000_000  # bytes on disk
SPARED = 200_000_000  # bytes on disk that are left to checkpoints, the adapter and the journal
HALF_RANGE = 30_000.0  # float16 ends at 65,504


def fits(lengths: Sequence[int], width: int) -> bool:
    "Whether states [sum of lengths, width] may be kept, in float32 should half precision not do."
    return 4 * sum(lengths) * width <= MOST


class Kept:
    """States of rows in one file, in half precision where the range allows.

    `compute` gives (index of a row, its states [length, width]) for every row, in any order; it is asked
    again where a state left the range of float16. Read and written, not mapped: what was read is not this process's memory.
    Raises OSError where the disk does not take them, and leaves no file.
    """

    def __init__(self, path: Path, lengths: Sequence[int], width: int,
                 compute: Callable[[], Iterable[tuple[int, np.ndarray]]]) -> None:
        self.lengths, self.width = list(lengths), width
        self._offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w+b")
        try:
            self._fill(path.parent, compute)
        except OSError:
            with contextlib.suppress(OSError):  # closing writes what is left
                self._file.close()
            path.unlink(missing_ok=True)
            raise

    def _fill(self, folder: Path, compute: Callable[[], Iterable[tuple[int, np.ndarray]]]) -> None:
        for dtype in (np.float16, np.float32):
            self.dtype = np.dtype(dtype)
            if shutil.disk_usage(folder).free < int(self._offsets[-1]) * self.width * self.dtype.itemsize + SPARED:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._filled(compute()):
                return

    def _filled(self, computed: Iterable[tuple[int, np.ndarray]]) -> bool:
        "Whether every state fitted the file's precision."
        for row, states in computed:
            if self.dtype == np.float16 and float(np.abs(states).max()) > HALF_RANGE:
                return False
            self._seek(row)
            self._file.write(states.astype(self.dtype).tobytes())
        self._file.flush()
        return True

    def __getitem__(self, row: int) -> np.ndarray:
        "[length, width] of a row."
        self._seek(row)
        count = self.lengths[row] * self.width
        return np.frombuffer(self._file.read(count * self.dtype.itemsize), self.dtype).reshape(-1, self.width)

    def _seek(self, row: int) -> None:
        self._file.seek(int(self._offsets[row]) * self.width * self.dtype.itemsize)

    def close(self) -> None:
        self._file.close()
