"""A second look at answers about the person: what the journal lets stand, what it puts right, and what is not said.

The weights answer first. An answer that a live note backs stands, unless a reader finds that the note does not answer what was
asked. For what no note backs, what was declined and what is doubted, the note that the question is on is looked for, and quoted:
the weights know what they were taught, the journal all that was said. Without a reader (the default base is not installed) what
the worn adapter makes of the nearest notes is taken, where a note backs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pocketsleep.nouns import Memory
from pocketsleep.serve.backing import MARKED, UNKNOWN, Backed, Backing, asks_whether, declines
from pocketsleep.serve.notes import NOTHING, Wrong
from pocketsleep.serve.recall import Index
from pocketsleep.serve.seek import DOUBTED, Reader, Sayings, likelier, readable, seek, seek_said

# The chance that a note does not answer, above which nothing that rests on it stands; above DOUBTED it is doubted. Of 400 questions
# that notes answer 1 in 100 is above it, of 200 that they do not 6 in 10 (by a writer whom the reader has not seen).
NEVER = 0.97
Notes = Sequence[Sequence[Memory]]  # for each question


@dataclass(frozen=True, slots=True)
class Looked:
    "One look at the answers to several questions."

    index: Index
    backing: Backing
    answers: Callable[[Sequence[str], Notes], list[str]]  # what is worn, with these notes in front; '' where there are none
    reader: Reader | None = None
    talk: Sequence[str] = ()  # what was said in it before: where that answers, nothing else is quoted
    sayings: Sayings | None = None  # what was said in any talk
    wrong: Wrong = NOTHING  # what was marked as wrong when the same was asked

    def standing(self, questions: Sequence[str], said: Sequence[str]) -> list[Backed]:
        "Each answer as the journal lets it stand, with the note behind it."
        near = [self.index.near(q) for q in questions]
        first = [self._backed(q, a, n[:1]) for q, a, n in zip(questions, said, near, strict=True)]
        read = self.reader
        found = self._by_reader(read, questions, said, first, near) if read else self._by_words(questions, first, near)
        return [self._unmarked(one) or Backed(a if declines(a) else UNKNOWN) for one, a in zip(found, said, strict=True)]

    def before_nights(self, questions: Sequence[str]) -> list[Backed | None]:
        "The note that answers, else what was said; None where neither does, and where this talk does."
        able = [n for n, q in enumerate(questions) if not self.in_talk(q)]
        some = [questions[n] for n in able]
        by = dict(zip(able, self.quoted(some, [""] * len(some)), strict=True))
        left = [n for n in able if by[n] is None]
        by |= zip(left, self.told([questions[n] for n in left]), strict=True)
        by = {n: self._unmarked(one) for n, one in by.items()}
        return [by.get(n) for n in range(len(questions))]

    def _unmarked(self, found: Backed | None) -> Backed | None:
        "What is found; what was marked as wrong is told instead of being said again, and where nothing is found without it."
        unbacked = found is not None and found.memory is None and not found.said
        missing = found is None or (unbacked and declines(found.text))
        again = unbacked and found is not None and found.text in self.wrong.answers
        if not again and not (missing and (self.wrong.memories or self.wrong.turns)):
            return found
        return Backed(f'You put that right: "{self.wrong.instead}"', said=True) if self.wrong.instead else Backed(MARKED)

    def _backed(self, question: str, answer: str, called: Sequence[Memory]) -> Backed | None:
        "By the note that is called for, where that says yes or no; by any other note."
        decided = next((b for note in called if (b := self.backing.decided(question, answer, note))), None)
        return decided or self.backing.of(question, answer)

    def _by_words(self, questions: Sequence[str], first: Sequence[Backed | None], near: Notes) -> list[Backed | None]:
        "What is worn looks into the notes that the question's words call for."
        looked_in = [n if one is None else self._rivals(q, one) for q, n, one in zip(questions, near, first, strict=True)]
        return [looked if looked and (one is None or looked.memory) else one
                for looked, one in zip(self._again(questions, looked_in), first, strict=True)]

    def _rivals(self, question: str, backed: Backed) -> Sequence[Memory]:
        "Where what backs an answer is not what the question's words call for."
        return self.index.rivals(question, backed.memory) if backed.memory else []

    def _again(self, questions: Sequence[str], notes: Notes) -> list[Backed | None]:
        "What is worn, with notes in front, as far as a note backs it."
        said = self.answers(questions, notes)
        return [self.backing.of(q, answer) if n else None for q, answer, n in zip(questions, said, notes, strict=True)]

    def _by_reader(
        self, reader: Reader, questions: Sequence[str], said: Sequence[str], first: Sequence[Backed | None], near: Notes,
    ) -> list[Backed | None]:
        """The reader says what stands. Else the note that answers is quoted, else what is worn looks into the nearest notes, else
        what was said is quoted. An answer that is only doubted gives way to a note, or to words, that answer; to nothing less."""
        chances = _chances(reader, questions, first)
        found = [None if chance > NEVER else one for one, chance in zip(first, chances, strict=True)]
        doubted = [n for n, chance in enumerate(chances) if chance > DOUBTED and not self.in_talk(questions[n])]
        better = dict(zip(doubted, self.quoted([questions[n] for n in doubted], [said[n] for n in doubted]), strict=True))
        left = [n for n, one in enumerate(found) if one is None and better.get(n) is None]
        looked = dict(zip(left, self._looked(reader, [questions[n] for n in left], [near[n] for n in left]), strict=True))
        left = [n for n in doubted if better[n] is None and looked.get(n) is None]
        better |= zip(left, self.told([questions[n] for n in left]), strict=True)
        found = [better.get(n) or looked.get(n) or one for n, one in enumerate(found)]
        return self._outdone(reader, questions, found, [n for n, chance in enumerate(chances) if chance <= DOUBTED])

    def _outdone(self, reader: Reader, questions: Sequence[str], found: Sequence[Backed | None],
                 some: Sequence[int]) -> list[Backed | None]:
        "Of some that stand, those that give way to what the question is far likelier on. Yes and no are not looked up so."
        held = [(n, one.memory) for n in some if (one := found[n]) and one.memory and not asks_whether(questions[n])]
        rivals = likelier(reader, self.index, self.sayings, [questions[n] for n, _ in held], [note for _, note in held])
        by = {n: one for (n, _), one in zip(held, rivals, strict=True) if one and not self.in_talk(questions[n])}
        known = {note.id for note in self.index.memories} if by else set()
        quoted = {n: Backed(reader.said(one), one) if one.id in known else _quote(one) for n, one in by.items()}
        return [quoted.get(n) or one for n, one in enumerate(found)]

    def told(self, questions: Sequence[str]) -> list[Backed | None]:
        "What the person once said that answers, quoted with its date: no night was sure enough of it, or has heard it yet."
        if self.reader is None or self.sayings is None:
            return [None] * len(questions)
        found = seek_said(self.reader, self.sayings, questions)
        return [_quote(one) if one else None for one in found]

    def quoted(self, questions: Sequence[str], said: Sequence[str]) -> list[Backed | None]:
        "What the notes say that the questions are on, and before it yes or no."
        if (reader := self.reader) is None:
            return [None] * len(questions)
        notes = seek(reader, self.index, questions)
        return [self._whole(q, a, n, reader.said(n)) if n else None for q, a, n in zip(questions, said, notes, strict=True)]

    def in_talk(self, question: str) -> str:
        "What was last said in this talk that answers a question, '' where nothing does."
        told = [one for one in self.talk if readable(one) and not one.rstrip().endswith("?")]
        chances = self.reader.unsaid([(Memory(one), question) for one in told]) if self.reader else []
        return next((one for one, chance in zip(reversed(told), reversed(chances), strict=False) if chance < DOUBTED), "")

    def answers_in(self, question: str, told: Sequence[str]) -> bool:
        "Whether one of these messages answers a question. What no reader can read is taken at its word."
        read = [one for one in told if readable(one)] if self.reader else []
        if self.reader is None or len(read) < len(told):
            return bool(told)
        return any(chance < DOUBTED for chance in self.reader.unsaid([(Memory(one), question) for one in read]))

    def _whole(self, question: str, said: str, note: Memory, told: str) -> Backed:
        "Yes or no by the note where its words decide that, else as it was said: what small models infer is wrong too often."
        if not asks_whether(question):
            return Backed(told, note)
        decided = self.backing.decided(question, said, note)
        word = decided.text if decided else "yes" if self.backing.repeats(question, note) else said
        found = re.match(r"(yes|no)\b", word.strip(), re.I)
        return Backed(f"{found[0].capitalize()}. {told}" if found else told, note)

    def _looked(self, reader: Reader, questions: Sequence[str], near: Notes) -> list[Backed | None]:
        "What is worn makes of the nearest notes, where the reader does not doubt that these answer."
        again = self._again(questions, near)
        return [None if chance > DOUBTED else one for one, chance in zip(again, _chances(reader, questions, again), strict=True)]


def _quote(saying: Memory) -> Backed:
    return Backed(f'{_when(saying)}: "{saying.text.strip()}"', said=True)


def _when(saying: Memory) -> str:
    "That it was said, and on what day."
    try:
        day = datetime.fromisoformat(saying.since).astimezone()
    except (ValueError, OverflowError, OSError):  # none, or one that no calendar of this system has
        return "You said"
    return f"On {day.day} {day:%B %Y} you said"


def _chances(reader: Reader, questions: Sequence[str], backed: Sequence[Backed | None]) -> list[float]:
    "That the note behind an answer does not answer the question; 1 where nothing is behind it."
    resting = {n: one.memory for n, one in enumerate(backed) if one and one.memory}
    found = dict(zip(resting, reader.unsaid([(memory, questions[n]) for n, memory in resting.items()]), strict=True))
    return [found.get(n, 1.0 if one is None else NEVER) for n, one in enumerate(backed)]
