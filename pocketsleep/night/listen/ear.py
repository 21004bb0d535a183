"""The trained ear: choose sentences, write their notes, and believe no word that was not said.

    message -> sentences -> chance of each (probe) -> drafts of the chosen ones (writer) -> those that hold -> the likeliest

Rules hear first; the ear hears what they have no rule for, and vetoes what it finds unlikely. A draft is spelled from
words that were said (sayable.py): the writer cannot invent one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketsleep.night.listen.grounding import unfaithful, ungrounded
from pocketsleep.night.listen.probe import Probe, features
from pocketsleep.night.listen.said import BEFORE, LAYERS, Said, asked_for, laid_out, writing, written_from
from pocketsleep.night.listen.sayable import Sayable
from pocketsleep.night.skill import EAR, WRITER, Skills

CHOSEN = 0.6  # chance at which a sentence is written down
DOUBTED = 0.2  # chance below which not even a rule is believed
LONGEST_NOTES = 72  # tokens
DRAFTS, WARMTH = 3, 0.7  # of each sentence, after the greedy one
LIKELY = -0.5  # nats a token that a note has, free to say anything: below, it was squeezed out of words that do not fit


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
    "Of the chosen sentences, what holds of the likeliest draft, and the greedy draft."
    if not chosen:
        return {}
    prompts = [writing(messages[i], messages[i].sentences[n]) for i, n in chosen]
    held = [Sayable(written_from(messages[i], messages[i].sentences[n])) for i, n in chosen]
    with skills.wearing(WRITER) as runtime:
        drafts = [runtime.answer(prompts, LONGEST_NOTES, WARMTH if seed else 0.0, seed, held) for seed in range(DRAFTS + 1)]
        of = [[[note for note in written(text) if _holds(note, messages[i], n)] for text in texts]
              for (i, n), texts in zip(chosen, zip(*drafts, strict=True), strict=True)]
        pairs = list(dict.fromkeys((at, note) for at, texts in enumerate(of) for notes in texts for note in notes))
        scores = runtime.score([(prompts[at], f"{note.text} | {note.answer}") for at, note in pairs])
    likely = {pair: sum(score) / len(score) for pair, score in zip(pairs, scores, strict=True)}
    best = [likeliest([[(likely[at, note], note) for note in notes] for notes in texts]) for at, texts in enumerate(of)]
    return {place: (best[at], drafts[0][at]) for at, place in enumerate(chosen)}


def likeliest(drafts: Sequence[Sequence[tuple[float, Note]]]) -> tuple[Note, ...]:
    "The draft whose notes are the likeliest, each with its mean log-probability a token, without those that are not likely."
    sure = [[(likely, note) for likely, note in notes if likely >= LIKELY] for notes in drafts]
    best = max((notes for notes in sure if notes), key=lambda notes: sum(likely for likely, _ in notes) / len(notes), default=[])
    return tuple(note for _, note in best)


def _holds(note: Note, said: Said, n: int) -> bool:
    """Whether every word of a note was said, in its sentence or the one before ("My Garmin died. Forerunner 245, four years old."),
    its core by the person, and nothing speaks against it."""
    own = " ".join((said.text, *said.known))
    sentence = said.sentences[n].text
    here = " ".join((*(s.text for s in said.sentences[max(0, n - 1) : n + 1]), said.before[-BEFORE:], *said.known))
    said_so = not ungrounded(note.answer, own) and not ungrounded(note.text, f"{own} {asked_for(said.before)}")
    return said_so and not ungrounded(note.text, here) and not unfaithful(note.text, note.answer, sentence)


_LINE = re.compile(r"^(?P<text>[^|\n]{8,240}[.\"'])\s*\|\s*(?P<answer>[^|\n]{1,80})$")


def written(said: str) -> list[Note]:
    "The notes in a writer's answer, one a line: whole lines alone, each once."
    found: dict[str, Note] = {}
    for line in said.splitlines():
        hit = _LINE.match(line.strip())
        if hit and hit["answer"].strip() in hit["text"] and re.search(r"\buser\b", hit["text"]):
            found.setdefault(hit["text"].strip(), Note(hit["text"].strip(), hit["answer"].strip()))
    return list(found.values())
