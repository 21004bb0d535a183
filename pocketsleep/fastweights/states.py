"""What conversations have left in fast weights, one file each in the home; deleted with what they were written from.

`clear` gives the folder another age, and a state that was begun at an older one is not kept: what was forgotten while a nap ran
does not come back by it. MLX is loaded only where a file is read or written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pocketsleep import disk
from pocketsleep.errors import AdapterError, NotFound
from pocketsleep.nouns import content_id


@dataclass(frozen=True, slots=True)
class Past:
    "What of a conversation is not in the window any more."

    left: int = 0  # messages, the system message not counted
    stem: str = ""  # by which these are known again
    state: Any = None  # keeping.State, None where nothing was written


@dataclass(frozen=True, slots=True)
class Kept:
    "A file, as its header tells of it."

    path: Path
    conversation: str
    left: int
    tokens: int
    base: str
    layers: str


class States:
    "The folder. Nothing is made until something is kept or cleared."

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, conversation: str) -> Path:
        return self.folder / (content_id("fast weights", conversation).removeprefix("b2-") + ".safetensors")

    def age(self) -> int:
        "Another one after each `clear`. Makes the folder."
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        epoch = self._epoch()
        if not epoch.exists():
            epoch.touch(mode=0o600)
        return epoch.stat().st_mtime_ns

    def load(self, conversation: str, base: str, layers: str) -> Past | None:
        "None where there is none. AdapterError where it is torn, or of another base or other layers."
        path = self.path(conversation)
        if not path.is_file():
            return None
        from pocketsleep.fastweights import keeping

        try:
            state, note = keeping.load_noted(path, base, layers)
        except NotFound:  # cleared in just this moment
            return None
        return Past(int(note["left"]), str(note["stem"]), state)

    def keep(self, conversation: str, past: Past, age: int) -> bool:
        "Written whole, in place of the one before. False, and nothing is written, where `clear` came in between."
        from pocketsleep.fastweights import keeping

        with self._alone():
            if self.age() != age:
                return False
            about = {"conversation": conversation, "left": past.left, "stem": past.stem}
            keeping.save_state(self.path(conversation), past.state, about)
        return True

    def drop(self, conversation: str) -> None:
        "With what a write of it that was cut short has left."
        if not self.folder.is_dir():
            return
        path = self.path(conversation)
        with self._alone():
            for one in (path, *self._drafts(path.name)):
                one.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors")) if self.folder.is_dir() else []

    def _drafts(self, name: str = "*") -> list[Path]:
        "What writes that were cut short have left, while this process is `_alone`: nobody else writes then."
        return sorted(self.folder.glob(f".{name}.*{disk.DRAFT}"))

    def sweep(self) -> None:
        "Delete these; not now, where another process writes."
        if self.folder.is_dir():
            with suppress(Timeout, OSError), self._alone(timeout=0):
                for path in self._drafts():
                    path.unlink(missing_ok=True)

    def kept(self) -> Iterator[Kept | tuple[Path, AdapterError]]:
        "Every file, or what is wrong with it."
        yield from self._kept()
        if self.folder.is_dir():
            with self._alone():
                left = self._drafts()
            for path in left:
                yield path, AdapterError(f"`{path}` is left of a write that was cut short", hint="delete the file")

    def _kept(self) -> Iterator[Kept | tuple[Path, AdapterError]]:
        for path in self.files():
            from pocketsleep.fastweights import keeping

            try:
                note = keeping.opened(path, "fast_weights")[0]
                yield Kept(path, note["conversation"], int(note["left"]), int(note["tokens"]), note["base"], note["layers"])
            except KeyError as missing:
                yield path, AdapterError(f"`{path}` does not say of which conversation it is ({missing})", hint="delete the file")
            except AdapterError as wrong:
                yield path, wrong
            except NotFound:
                continue

    def clear(self, which: Callable[[Kept], bool] | None = None) -> int:
        "Delete those (None: all), and whatever is damaged. Works on a full disk. Returns how many files went."
        with self._alone():
            doomed = self.files() if which is None else [
                one.path if isinstance(one, Kept) else one[0] for one in self._kept() if not isinstance(one, Kept) or which(one)]
            for path in (*doomed, *self._drafts()):
                path.unlink(missing_ok=True)
            disk.sync(self.folder)
            later = max(time.time_ns(), self.age() + 1000)  # in steps that every file system tells apart
            os.utime(self._epoch(), ns=(later, later))
        return len(doomed)

    def _epoch(self) -> Path:
        return self.folder / ".epoch"

    def _alone(self, timeout: float = -1) -> FileLock:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock", timeout=timeout)
