"""The trained ear: choose sentences, write their notes, and believe no word that was not said.

    message -> sentences -> chance of each (probe) -> notes of the chosen ones (writer) -> written

Rules hear first; the ear hears what they have no rule for, and vetoes what it finds unlikely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketsleep.night.listen.grounding import unfaithful, ungrounded
from pocketsleep.night.listen.probe import Probe, features
from pocketsleep.night.listen.said import BEFORE, LAYERS, Said, laid_out, writing
from pocketsleep.night.listen.sentences import clauses, expand
from pocketsleep.night.skill import EAR, WRITER, Skills

CHOSEN = 0.5  # chance at which a sentence is written down
DOUBTED = 0.2  # chance below which not even a rule is believed
LONGEST_NOTES = 72  # tokens
TRIES, WARMTH = 3, 0.6  # after the greedy one


@dataclass(frozen=True, slots=True)
class Note:
    "What the writer made of a sentence: the note, and its core."

    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Heard:
    "What the ear makes of one sentence."

    chance: float
    notes: tuple[Note, ...] = ()  # that hold against what was said
    pointed: str = ""  # what was written first, invented words and all: it points to what matters

    @property
    def doubted(self) -> bool:
        return self.chance < DOUBTED


Ear = Callable[[Sequence[Said]], list[list[Heard]]]


def ear(skills: Skills, tell: Callable[[int, int, str], None] = lambda done, total, detail: None) -> Ear:
    "Listens with the shipped probe and writer."
    probe = Probe.read(skills.folder / EAR)

    def listen(messages: Sequence[Said]) -> list[list[Heard]]:
        laid = [laid_out(m, skills.encode) for m in messages]
        read = [i for i, m in enumerate(messages) if m.sentences]
        states = skills.states([laid[i][0] for i in read], LAYERS)
        rows = features([messages[i] for i in read], states, [laid[i][1] for i in read])
        places = [(i, n) for i in read for n in range(len(messages[i].sentences))]
        chances = {}
        for done, (place, row) in enumerate(zip(places, rows, strict=True)):
            chances[place] = float(probe.chances(row[None])[0])
            tell(done + 1, len(places), "sentences")
        chosen = [place for place in places if chances[place] >= CHOSEN]
        notes = _written(skills, messages, chosen)
        nothing: tuple[tuple[Note, ...], str] = ((), "")
        places_of = [[(i, n) for n, _ in enumerate(m.sentences)] for i, m in enumerate(messages)]
        return [[Heard(chances[one], *notes.get(one, nothing)) for one in some] for some in places_of]

    return listen


Place = tuple[int, int]  # message, sentence


def _written(skills: Skills, messages: Sequence[Said], chosen: Sequence[Place]) -> dict[Place, tuple[tuple[Note, ...], str]]:
    """Notes of the chosen sentences that hold, and what was written first: greedily, and where a word was invented, by chance,
    at most TRIES times."""
    notes: dict[Place, tuple[Note, ...]] = {}
    first: dict[Place, str] = {}
    with skills.wearing(WRITER) as runtime:
        for seed in range(TRIES + 1):
            left = [place for place in chosen if place not in notes]
            prompts = [writing(messages[i], messages[i].sentences[n]) for i, n in left]
            said = runtime.answer(prompts, LONGEST_NOTES, WARMTH if seed else 0.0, seed) if prompts else []
            for (i, n), text in zip(left, said, strict=True):
                first.setdefault((i, n), text)
                if kept := tuple(note for note in written(text) if _holds(note, messages[i], n)):
                    notes[i, n] = kept
    return {place: (notes.get(place, ()), first[place]) for place in chosen}


def _holds(note: Note, said: Said, n: int) -> bool:
    """Whether every word of a note was said, within two clauses (words from far apart are put together wrongly more often than
    not), and nothing speaks against it."""
    own = " ".join((said.text, *said.known))
    sentence = said.sentences[n].text
    parts = [c.text for c in clauses(expand(sentence))]
    pairs = [sentence] if note.text.startswith("When ") else [f"{a} {b}" for a, b in zip(parts, [*parts[1:], ""], strict=True)]
    whole = any(not ungrounded(note.text, " ".join((part, said.before[-BEFORE:], *said.known))) for part in pairs)
    return whole and not ungrounded(note.text, own) and not unfaithful(note.text, note.answer, sentence)


_LINE = re.compile(r"^(?P<text>[^|\n]{8,240}[.\"'])\s*\|\s*(?P<answer>[^|\n]{1,80})$")


def written(said: str) -> list[Note]:
    "The notes in a writer's answer, one a line: whole lines alone, each once."
    found: dict[str, Note] = {}
    for line in said.splitlines():
        hit = _LINE.match(line.strip())
        if hit and hit["answer"].strip() in hit["text"] and re.search(r"\buser\b", hit["text"]):
            found.setdefault(hit["text"].strip(), Note(hit["text"].strip(), hit["answer"].strip()))
    return list(found.values())
