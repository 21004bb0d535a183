"""The day's turns: what may be listened to, and what is set aside unheard, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pocketsleep.night.knacks import knacks
from pocketsleep.nouns import Cite, Dropped, Episode, Knack, Turn


class Journal(Protocol):
    "What gathering reads of a journal."

    def episodes(self, *, unslept: bool = ...) -> Iterable[Episode]: ...

    def unslept(self) -> Iterable[Cite]: ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """Episodes with something new, the user turns to listen to, answers that were corrected, the turns set aside, and what of these
    is known of calls of tools all the same."""

    episodes: tuple[Episode, ...]
    turns: tuple[Cite, ...]
    aside: tuple[Dropped, ...]
    knacks: tuple[Knack, ...] = ()


_WHY = {
    "pasted": "pasted: not the user's own words",
    "tool": "tool: the result of a tool",
    "after_tool": "after_tool: said with a tool's result in its context",
}


def gather(journal: Journal) -> Gathered:
    "Unslept user turns and corrected answers. A private turn is set aside without its text: a report may not repeat it."
    episodes = tuple(journal.episodes(unslept=True))
    fresh = set(journal.unslept())
    turns: list[Cite] = []
    aside: list[Dropped] = []
    for episode in episodes:
        corrected = {note.turn for note in episode.feedback if note.correction}
        for index, turn in enumerate(episode.turns):
            cite = Cite(episode.id, index)
            if cite not in fresh:
                continue
            if reason := _aside(episode, turn):
                aside.append(Dropped("" if reason.startswith("private") else turn.text, reason, cite))
            elif turn.role == "user":
                turns.append(cite)
            if turn.role == "assistant" and index in corrected and not turn.private:
                turns.append(cite)
    return Gathered(episodes, tuple(turns), tuple(aside), tuple(one for episode in episodes for one in knacks(episode, fresh)))


def _aside(episode: Episode, turn: Turn) -> str:
    "Why a turn is not listened to, '' when it may be (or is merely the assistant's)."
    if episode.private or turn.private:
        return "private: said off the record"
    return _WHY.get(turn.taint, "") or (_WHY["tool"] if turn.role == "tool" else "")
