"""States for memory layers: what enters chosen blocks for many texts, kept in a file that a second run goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.nn as nn
import numpy as np

from pocketsleep import disk
from pocketsleep.nouns import content_id
from pocketsleep.runtime.mlx_states import states

AT_ONCE = 100  # texts after which the file is known to be good


class Entering:
    """What enters blocks `taps`, and what leaves the last, for each text of token ids, less the first `head` tokens: float16.
    `base`: its hash."""

    def __init__(self, model: nn.Module, texts: Sequence[Sequence[int]], taps: Sequence[int], head: int, folder: Path,
                 base: str) -> None:
        self.model, self.texts, self.taps, self.head = model, texts, tuple(taps), head
        deep, width = len(model.model.layers), model.args.hidden_size
        self.layers = [tap - 1 for tap in (*self.taps, deep)]
        self.ends = np.cumsum([0, *(len(text) - head for text in texts)])
        self.name = content_id("entering", base, json.dumps([list(map(int, t)) for t in texts]), str(self.layers), str(head))
        self.path, self.note = folder / f"{self.name}.states", folder / f"{self.name}.json"
        folder.mkdir(parents=True, exist_ok=True)
        shape = (int(self.ends[-1]), len(self.layers), width)
        whole = self.path.exists() and self.path.stat().st_size == 2 * int(np.prod(shape))
        self.numbers: Any = np.memmap(str(self.path), np.float16, "r+" if whole else "w+", shape=shape)
        self.done = int(json.loads(self.note.read_text())["done"]) if whole and self.note.exists() else 0

    def fill(self, tick: Callable[[int, int], None]) -> Entering:
        "Compute what is missing; `tick(texts done, texts)`."
        while self.done < len(self.texts):
            part = self.texts[self.done :]
            for one in states(self.model, part, self.layers):
                self.numbers[self.ends[self.done] : self.ends[self.done + 1]] = one[self.head :]
                self.done += 1
                tick(self.done, len(self.texts))
                if self.done % AT_ONCE == 0 or self.done == len(self.texts):
                    self._note()
        return self

    def _note(self) -> None:
        self.numbers.flush()
        with disk.new_file(self.note) as draft:
            draft.write_text(json.dumps({"done": self.done}))

    def __getitem__(self, index: int) -> np.ndarray:
        "[tokens, len(taps) + 1, D] of a text."
        return np.asarray(self.numbers[self.ends[index] : self.ends[index + 1]])
