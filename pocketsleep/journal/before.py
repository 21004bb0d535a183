"""A conversation that is about to go on: under which id it is kept, and what of it a reader would be given."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pocketsleep.journal.scrub import scrub
from pocketsleep.journal.turns import Turns, Undone, cleaned
from pocketsleep.journal.veil import root
from pocketsleep.nouns import Episode, Turn


@dataclass(frozen=True, slots=True)
class Place:
    "Where a conversation is kept, before it is recorded as it now stands."

    name: str = ""  # its id, '' where that hangs on what is said next
    private: bool = False  # whether all that is kept of it is off the record
    tellings: tuple[str, ...] = ()  # ids of all that begins as it does by name, its own among them
    kept: int = 0  # turns of it that are there already


class Before(Turns):
    "What can be known of a conversation before it is recorded. Nothing is written."

    def place(self, episode: Episode) -> Place:
        "Another telling is kept under a hash of all that is said in it, with the answer: until then it has no name."
        if not scrub(episode.id)[0].strip():
            return Place()
        episode = cleaned(episode, {})
        with self.snapshot():
            names = self._rooted(episode.id)
            name, kept = self._place_for(episode)
            heard = self.row("select 1 from turns_shown where episode = ? and private = 0 limit 1", name)
            tellings = self._rooted(root(episode.id))
        private = name in names and heard is None
        return Place(name if name in names or not names else "", private, tuple(dict.fromkeys((episode.id, *tellings))), kept)

    def as_read(self, episode: Episode) -> tuple[Turn, ...]:
        "The turns of a conversation as readers are given them once it is recorded: no secrets, nothing hidden or forgotten."
        turns: tuple[Turn, ...] = ()
        with contextlib.suppress(Undone), self.atomic():
            told = dict(self._told)
            name = self.record(episode).episode_id
            turns = self._episode(self.rows("select * from episodes where id = ?", name)[0]).turns[: len(episode.turns)]
            self._told = told
            raise Undone
        self._head_due = False
        return turns
