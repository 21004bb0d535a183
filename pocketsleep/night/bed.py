"What a night needs around it, and how a stage of it happens once."

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pocketsleep.errors import NightInterrupted
from pocketsleep.journal import Journal
from pocketsleep.night.known import Known
from pocketsleep.night.listen.ear import Ear
from pocketsleep.night.listen.replaces import Alike
from pocketsleep.night.recipe import Recipe
from pocketsleep.nouns import Dream, Memory, Night
from pocketsleep.registry import Registry
from pocketsleep.runtime import Runtime


class Teller(Protocol):
    "Hears how the night goes on."

    def stage(self, name: str, detail: str = "") -> None: ...
    def progress(self, done: int, total: int, detail: str = "") -> None: ...


class Trains(Protocol):
    "A runtime that can train (runtime.mlx.Mlx)."

    def train(self, lessons: Sequence[Any], held_out: Sequence[Any], plan: Any, folder: Path, tick: Any,
              late: Any, on: Path | None) -> Any: ...
    def close(self) -> None: ...


Dreamer = Callable[[Sequence[Memory], int], Mapping[str, Sequence[Dream]]]  # memories, seed -> dreams by memory id


@dataclass(frozen=True, slots=True)
class Bed:
    "What a night needs around it."

    journal: Journal
    registry: Registry
    serving: Callable[[], Runtime]  # the runtime that will serve; opened once, kept
    trainer: Callable[[], Trains]
    recipe: Callable[[int], Recipe]  # number of live memories -> recipe
    base: str
    base_sha256: str
    known: Known  # the base's answers to prompts about nobody
    work: Path
    dress: Callable[[str], Path]  # adapter id -> a folder the serving runtime can wear
    late: Callable[[], bool] = lambda: False
    ear: Ear | None = None  # the trained ear; without one the rules listen alone
    alike: Callable[[], AbstractContextManager[Alike | None]] = nullcontext  # how near notes are to each other (nearness.py)
    dreamer: Dreamer | None = None  # the trained dreamer; without one the grammar dreams alone
    dreamer_id: str = ""  # which one it is: dreams of another are not taken up
    place: Callable[[], None] = lambda: None  # makes the vectors that are wanting (nearness.py)
    manner: str = ""  # the adapter that a night starts from: how to answer, about nobody; '': the bare base


def stage(bed: Bed, night: Night, tell: Teller, name: str, work: Callable[[], Any], detail: str = "") -> Any:
    """Do `work` once per night. A night cut short picks up where it stopped; one whose stages were taken away while it worked has
    read what was forgotten since, and ends."""
    done = bed.journal.stage(night.id, name)
    tell.stage(name, "done before" if done is not None else detail)
    if done is not None:
        return done
    before, found = bed.journal.stages(night.id), work()
    with bed.journal.atomic():
        if not bed.journal.stages(night.id).keys() >= before.keys():
            raise NightInterrupted("something was forgotten while the night ran",
                                   hint="`pocketsleep sleep --tonight` begins it again")
        return bed.journal.finish(night.id, name, found)
