"Messages that leave the window, as a terminal and a log tell of them."

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pocketsleep.cli import out
from pocketsleep.serve.window import Window


class Watch:
    "A nap in the terminal: seconds on stderr; Ctrl-C stops the nap, and the talk goes on."

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.began = 0.0
        self.open = True

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        "Until the window stands, Ctrl-C is for the nap; afterwards it ends the program, as ever."
        self.stopped.clear()
        self.began, self.before = 0.0, signal.signal(signal.SIGINT, self._stop)
        try:
            yield
        finally:
            self._give_back()

    def _stop(self, *_: Any) -> None:
        if self.stopped.is_set() and not self.began:  # twice, and no nap is heard of
            raise KeyboardInterrupt
        self.stopped.set()

    def _give_back(self) -> None:
        signal.signal(signal.SIGINT, self.before)

    def napping(self, messages: int, share: float) -> None:
        self.began = self.began or time.monotonic()
        if out.talk.is_terminal:
            out.talk.print(f"\r  a nap over {messages} older messages: {time.monotonic() - self.began:.1f} s, {share:.0%}", end="")

    def opened(self, window: Window) -> None:
        self._give_back()
        if self.stopped.is_set() and not self.began:  # there was no nap to stop
            raise KeyboardInterrupt
        if out.talk.is_terminal and self.began:
            out.talk.print("\r\x1b[2K", end="")
        if line := leaving(window):
            out.talk.print(f"  {line}", style="dim", markup=False)

    def cancelled(self) -> bool:
        return self.stopped.is_set()


def leaving(window: Window) -> str:
    "What a person is told of messages that left just now; '' where none did."
    why = f" ({window.why})" if window.why else ""
    if window.leaving and window.napped:
        return f"{window.leaving} older messages left the window; a nap of {window.seconds:.1f} s went over them{why}"
    if window.leaving:
        return f"{window.leaving} older messages left the window and are not read any more{why}"
    return window.why


def told(window: Window) -> dict[str, Any]:
    "The same for a program."
    return {"left": window.left, "leaving": window.leaving, "napped": window.napped, "seconds": round(window.seconds, 2),
            "why": window.why or None}


class Log:
    "What a server tells of naps, on its stderr."

    def napping(self, messages: int, share: float) -> None:
        pass

    def opened(self, window: Window) -> None:
        if line := leaving(window):
            out.talk.print(line, markup=False)

    def cancelled(self) -> bool:
        return False
