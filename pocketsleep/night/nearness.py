"""Which notes and sentences lie near a question, by vectors: where no word is shared, and however long ago it was said.

    vector = unit((mean of the bare base's last hidden states) . map + shift)    one map for questions, one for what answers them

The maps were taught by questions that people wrote by hand (bench/nearness.py). Nights leave a vector for each note and for each
sentence that may be quoted; by day only the question's is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pocketsleep.disk import new_file
from pocketsleep.errors import NotFound
from pocketsleep.journal import Journal
from pocketsleep.night.extract import meant
from pocketsleep.night.listen.replaces import Alike
from pocketsleep.night.skill import NEAR, Skills, identity
from pocketsleep.nouns import Cite, Memory
from pocketsleep.runtime import Runtime

Array = np.ndarray
Embed = Callable[[Sequence[str]], Array]  # [n, D] of the bare default base
MOST = 2000  # messages of which a night makes vectors: the newest that have none; on two cores a minute or two
AT_ONCE = 64  # texts


@dataclass(frozen=True, slots=True)
class Nearness:
    "Two maps into one space of R dimensions; `of` is the SHA-256 of the base whose states they read."

    asked: Array  # [D + 1, R], the last row is the shift
    told: Array  # [D + 1, R]
    of: str

    def questions(self, states: Array) -> Array:
        "[n, D] -> [n, R], rows of length 1."
        return _mapped(states, self.asked)

    def answers(self, states: Array) -> Array:
        "[n, D] -> [n, R], rows of length 1."
        return _mapped(states, self.told)

    @staticmethod
    def read(path: Path) -> Nearness:
        with np.load(path, allow_pickle=False) as kept:
            return Nearness(kept["asked"].astype(np.float32), kept["told"].astype(np.float32), str(kept["of"]))

    def write(self, path: Path) -> None:
        with new_file(path) as draft, draft.open("wb") as file:
            np.savez(file, asked=self.asked.astype(np.float16), told=self.told.astype(np.float16), of=self.of)


def _mapped(states: Array, by: Array) -> Array:
    rows = states.astype(np.float32) @ by[:-1] + by[-1]
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12), np.float32)


@dataclass(frozen=True, slots=True)
class Near:
    "A journal's vectors by one pair of maps, called `name` in it."

    journal: Journal
    maps: Nearness
    name: str

    @property
    def wanting(self) -> bool:
        return bool(self.journal.unplaced(self.name) or self.journal.unplaced_sayings(self.name, 1))

    def keep(self, embed: Embed) -> None:
        "Make the vectors that are wanting: of notes, and of the newest messages that may be quoted."
        wanting = self.journal.unplaced(self.name)
        for n in range(0, len(wanting), AT_ONCE):
            part = wanting[n : n + AT_ONCE]
            for memory, row in zip(part, self.maps.answers(embed([m.text for m in part])), strict=True):
                with suppress(NotFound):  # forgotten in this very moment
                    self.journal.put_vector(memory.id, self.name, row)
        cites = sorted(self.journal.unplaced_sayings(self.name, MOST))
        for episode, some in groupby(cites, key=lambda cite: cite.episode):
            with suppress(NotFound):
                self._keep_sayings(episode, {cite.turn for cite in some}, embed)

    def _keep_sayings(self, episode: str, turns: set[int], embed: Embed) -> None:
        said: dict[int, list[str]] = {turn: [] for turn in turns}
        for cite, sentence in meant(self.journal.episode(episode)):
            if cite.turn in turns:
                said[cite.turn].append(sentence.text)
        for turn, texts in said.items():
            rows = self.maps.answers(embed(texts)) if texts else np.zeros((0, self.maps.told.shape[1]), np.float32)
            self.journal.put_said_vectors(Cite(episode, turn), self.name, rows)

    def notes(self, question: Array) -> list[str]:
        "Ids of the notes that have a vector, the nearest first. question: [R]."
        ids, rows = self.journal.vectors(self.name)
        return [ids[n] for n in np.argsort(-(rows @ question), kind="stable")] if ids else []

    def sayings(self, question: Array, most: int) -> list[tuple[Cite, int]]:
        "Sentences that may be quoted, the nearest first: a message and which of its sentences it is. question: [R]."
        places, rows = self.journal.said_vectors(self.name)
        return [places[n] for n in np.argsort(-(rows @ question), kind="stable")[:most]] if places else []


def near(journal: Journal, skills: Skills | None) -> Near | None:
    "By the shipped maps. None where the default base is not installed, or is another than they were made for."
    path = skills.folder / NEAR if skills else None
    maps = Nearness.read(path) if path and path.is_file() else None
    return Near(journal, maps, identity(path)) if path and maps and skills and maps.of == skills.base_sha256 else None


@contextmanager
def alike(journal: Journal, skills: Skills | None) -> Iterator[Alike | None]:
    """How near notes are to each other, by the map of what answers. What has no vector yet is read once, on an engine that is asked
    for where there is such a note, and kept until the end. None as for `near`."""
    found = near(journal, skills)
    if skills is None or found is None:
        yield None
        return
    rows = dict(zip(*journal.vectors(found.name), strict=True))  # by the note's id, which its text alone decides
    with ExitStack() as stack:
        engine: list[Runtime] = []

        def compare(new: str, olds: Sequence[str]) -> list[float]:
            notes = {text: Memory(text).id for text in (new, *olds)}
            if texts := [text for text, name in notes.items() if name not in rows]:
                engine[:] = engine or [stack.enter_context(skills.engine())]
                made = found.maps.answers(engine[0].embed(texts))
                rows.update(zip((notes[text] for text in texts), made, strict=True))
            return [float(rows[notes[new]] @ rows[notes[old]]) for old in olds]

        yield compare


def place(journal: Journal, skills: Skills | None) -> None:
    "Make the vectors that are wanting, on one engine that is asked for where some are."
    if skills and (found := near(journal, skills)) and found.wanting:
        with skills.engine() as runtime:
            found.keep(runtime.embed)
