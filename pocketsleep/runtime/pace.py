"How many threads compute: what was faster a moment ago."

from __future__ import annotations

import os

FIRST, LONGEST = 8, 512  # runs between two trials


def processors() -> int:
    "Processors that this process may use."
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pace:
    """Of two numbers of threads, the one that was faster when both were last tried on as many tokens.

    With every processor busy, each of some hundred barriers a token waits for a thread that is not running:
    all of them are tried now and then, ever more rarely while that is slower. Numbers do not depend on it.
    """

    def __init__(self, few: int, many: int) -> None:
        self.now, self.other = few, many
        self._trying = False
        self._pause = self._left = FIRST
        self._took: dict[int, float] = {}  # tokens of a run -> seconds of the last such run

    def threads(self, tokens: int) -> int:
        "Threads for a run of so many tokens; `took` has to be told how long it was."
        self._left -= 1
        self._trying = self._left < 0 and tokens in self._took and self.now != self.other
        return self.other if self._trying else self.now

    def took(self, tokens: int, seconds: float) -> None:
        if not self._trying:
            self._took[tokens] = seconds
            return
        if seconds < self._took[tokens]:
            self.now, self.other, self._pause = self.other, self.now, FIRST
        else:
            self._pause = min(LONGEST, 4 * self._pause)
        self._left = self._pause
        self._took.clear()
