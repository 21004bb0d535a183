"What enters the first adapted block, row by row: computed once a training run, kept in a memory-mapped file."

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

MOST = 2_000_000_000  # bytes on disk
HALF_RANGE = 30_000.0  # float16 ends at 65,504


def fits(lengths: Sequence[int], width: int) -> bool:
    "Whether states [sum of lengths, width] may be kept, in float32 should half precision not do."
    return 4 * sum(lengths) * width <= MOST


class Kept:
    """States of rows in one file, in half precision where the range allows.

    `compute` gives (index of a row, its states [length, width]) for every row, in any order; it is asked
    again where a state left the range of float16.
    """

    def __init__(self, path: Path, lengths: Sequence[int], width: int,
                 compute: Callable[[], Iterable[tuple[int, np.ndarray]]]) -> None:
        self.lengths = list(lengths)
        self._offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        path.parent.mkdir(parents=True, exist_ok=True)
        for dtype in (np.float16, np.float32):
            self.states = np.memmap(path, dtype=dtype, mode="w+", shape=(int(self._offsets[-1]), width))
            if self._filled(compute()):
                return

    def _filled(self, computed: Iterable[tuple[int, np.ndarray]]) -> bool:
        "Whether every state fitted the file's precision."
        for row, states in computed:
            if self.states.dtype == np.float16 and float(np.abs(states).max()) > HALF_RANGE:
                return False
            self[row][:] = states
        return True

    def __getitem__(self, row: int) -> np.ndarray:
        "[length, width] of a row, a view of the file."
        return self.states[self._offsets[row] : self._offsets[row + 1]]
