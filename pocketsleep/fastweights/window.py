"""A hard window: at most so many tokens in the cache, and a nap over those that leave.

    window = Window(seen, size=1024, passes=2, head=system_ids)
    logits = window.add(ids)        # of the last token; as often as there is something to read, token by token when generating

When what comes does not fit, all that is held (but the head) leaves together: a nap writes it into the state, the cache
is dropped, the head is read again. Memory is constant however long this goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pocketsleep.errors import BadInput
from pocketsleep.fastweights.keeping import State
from pocketsleep.fastweights.memory import Progress, Remembering

# isort: split
import mlx.core as mx


class Window:
    "One conversation on a base with memory layers."

    def __init__(self, seen: Remembering, size: int, passes: int = 1, head: Sequence[int] = (), state: State | None = None) -> None:
        if size - len(head) < 2:
            raise BadInput(f"a window of {size} tokens leaves no room behind a head of {len(head)}", hint="a wider window")
        self.seen, self.size, self.passes, self.head = seen, size, passes, tuple(head)
        self.state = state if state is not None else seen.memory.fresh()
        seen.check(self.state)
        self.held: list[int] = []
        self.naps = 0
        self._cache: list[Any] | None = None

    @property
    def room(self) -> int:
        "Tokens that may still come before others leave."
        return self.size - len(self.head) - len(self.held)

    def add(self, ids: Sequence[int], progress: Progress = lambda done, total: None,
            cancelled: Callable[[], bool] = lambda: False) -> mx.array:
        "Logits [V] after the last of some more tokens. A nap runs first where they do not fit."
        if not len(ids):
            raise BadInput("no tokens to read", hint="one or more")
        if len(ids) > self.room and self.held:
            self.evict(progress, cancelled)
        while len(ids) > self.room:  # more than the whole window: all but the last of it is only passing through
            part, ids = ids[: self.room], ids[self.room :]
            self.held.extend(part)
            self.evict(progress, cancelled)
        self.held.extend(ids)
        return self._read([*(self.head if self._cache is None else ()), *ids])

    def evict(self, progress: Progress = lambda done, total: None, cancelled: Callable[[], bool] = lambda: False) -> None:
        "A nap over all that is held, which then leaves. A cancelled nap remembers nothing of it."
        self.state = self.seen.nap(self.held, self.state, self.passes, progress, cancelled)
        self.naps += 1
        self.held, self._cache = [], None

    def _read(self, ids: Sequence[int]) -> mx.array:
        if self._cache is None:
            self._cache = self.seen.make_cache()
        self.seen.state = self.state
        logits = self.seen(mx.array([list(ids)]), cache=self._cache)[0, -1]
        mx.eval(logits, [c.state for c in self._cache])
        return logits
