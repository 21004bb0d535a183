"""A night in a process of its own, so that answers go on meanwhile; what it tells comes back through a pipe.

The process may be killed at any moment: the next night goes on from there. One that nobody listens to any more stops by itself.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from pocketsleep.errors import Busy, PocketError
from pocketsleep.home import Home
from pocketsleep.pocket import Pocket, Wishes

Work = Callable[[Home, str, Wishes, Connection], None]


@dataclass(frozen=True, slots=True)
class Progress:
    "How a night goes, as far as it has told."

    running: bool = False
    stage: str = ""
    stages: tuple[str, ...] = ()  # begun so far, in order
    detail: str = ""
    done: int = 0
    total: int = 0
    began: float = 0.0  # seconds since the epoch
    night: str = ""  # once it has ended
    outcome: str = ""  # worn, refused, nothing; cancelled or failed
    error: str = ""
    hint: str = ""


class _Tell:
    "Sends on what a night tells."

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def stage(self, name: str, detail: str = "") -> None:
        self.pipe.send({"stage": name, "detail": detail, "done": 0, "total": 0})

    def progress(self, done: int, total: int, detail: str = "") -> None:
        self.pipe.send({"done": done, "total": total, "detail": detail})


def live(home: Home, base: str, wishes: Wishes, pipe: Connection) -> None:
    "In the process: one night from its first stage to the verdict."
    try:
        with Pocket(home, base) as pocket:
            night, verdict = pocket.sleep(wishes, _Tell(pipe))
        pipe.send({"night": night.id, "outcome": verdict.outcome})
    except PocketError as wrong:
        pipe.send({"outcome": "failed", "error": str(wrong), "hint": wrong.hint})
    except (BrokenPipeError, KeyboardInterrupt):
        return  # the server has gone, or was told to: so are we


class Sleeper:
    "At most one night at a time, begun and watched from here."

    def __init__(self, home: Home, base: str = "", wishes: Wishes | None = None, work: Work = live) -> None:
        self.home, self.base, self.wishes, self.work = home, base, wishes or Wishes(), work
        self._lock = threading.Lock()
        self._state = Progress()
        self._process: BaseProcess | None = None

    def state(self) -> dict[str, Any]:
        with self._lock:
            return asdict(self._state)

    def start(self, depth: str = "night", fresh: bool = False) -> None:
        "Begin a night, or go on with one that was cut short."
        with self._lock:
            if self._state.running:
                raise Busy("a night is already under way", hint="wait for it, or cancel it")
            context = multiprocessing.get_context("spawn")  # a fork would share the journal's connection
            ours, theirs = context.Pipe(duplex=False)
            wishes = replace(self.wishes, depth=depth, fresh=fresh)
            self._process = context.Process(target=self.work, args=(self.home, self.base, wishes, theirs), daemon=True,
                                            name="night")
            self._process.start()
            theirs.close()
            self._state = Progress(running=True, began=time.time())
            threading.Thread(target=self._listen, args=(self._process, ours), daemon=True, name="night").start()

    def _listen(self, process: BaseProcess, pipe: Connection) -> None:
        "Until the process has gone, however it went."
        while True:
            try:
                told = pipe.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                self._state = _further(self._state, told)
        process.join()
        pipe.close()
        with self._lock:
            lost = not self._state.outcome
            self._state = replace(_lost(self._state, process.exitcode) if lost else self._state, running=False)

    def cancel(self) -> None:
        "Stop the night under way. What is done of it is kept for the next."
        with self._lock:
            process = self._process
            if not self._state.running or process is None:
                return
            self._state = replace(self._state, outcome="cancelled")
        process.terminate()

    def close(self) -> None:
        "With the server goes its night; the next one goes on from there."
        self.cancel()
        if self._process is not None:
            self._process.join(10)


def _further(state: Progress, told: dict[str, Any]) -> Progress:
    stages = (*state.stages, told["stage"]) if "stage" in told else state.stages
    return replace(state, **told, stages=stages)


def _lost(state: Progress, code: int | None) -> Progress:
    return replace(state, outcome="failed", error=f"the night's process ended with {code}",
                   hint="start it again: it goes on where it stopped; `pocketsleep sleep --tonight` shows what goes wrong")
