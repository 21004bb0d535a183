"""What an answer about the person rests on: the live note that says it, or none.

The weights find what a question is after; what is said of the person is the ledger's. An answer that a live note backs is given
as it is. One that begins as a note does and ends otherwise is put right by the note. One that no note backs is not given.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pocketsleep.nouns import Dream, Memory
from pocketsleep.serve.recall import words

LONGEST = 26  # words of an answer that says a note
OPENING = 2  # words after which it shows whom an answer speaks of
HEARD = "I see."
UNKNOWN = "You haven't told me that."
MARKED = "You marked my answer to that as wrong. Tell me what is right."
_DECLINES = re.compile(r"haven['’]t told me", re.IGNORECASE)
_PERSONAL = re.compile(r"(?:You|Your|Yes|No)\b(?! (?:can|could|may|might|should|need to)\b)")
_MINE = re.compile(r"\b(?:I|I'm|I've|I'd|my|me|mine|we|our|us)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?](?=\s|$)")
_POLAR = re.compile(r"(?:Yes|No)\b[,.]? ?")
_CLAIM = re.compile(r"(?<!^)\b(?:[A-ZÀ-Þ][\w'’À-ÿ-]*|\d[\w.,:]*)")
_WHO = re.compile(r"\b(?i:did|does|do|is|was|has|had|were|are) ([A-ZÀ-Þ][\w'’À-ÿ-]*)")  # of whom is asked
_NOT = re.compile(r"\bnot\b|n['’]t\b")
_DENIES = re.compile(r"\b(?:not|no|never|none|nor|without|only|stopped)\b|n['’]t\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:used to|formerly|previously)\b", re.IGNORECASE)
_OBJECTS = re.compile(r"^(?:no|nope)[,.:;!]\s*", re.IGNORECASE)  # as it begins what puts another right: "No, ..."
_PART = re.compile(r"(?<=[.!?])\s+|\n+")
_WHETHER = re.compile(r"(?:am|are|is|was|were|do|does|did|have|has|had|can|could|will|would|should|may|must)(?:n['’]t)?\b", re.I)
_DENIAL = re.compile(r"\s*No, (?P<said>[^,;:!?\n]{1,60}?)\.?\s*")
_OPENS_DENIAL = re.compile(r"\s*(?:N|No|No,|No, [^,;:!?\n]{0,60})?\s*")
_WEIGHS = re.compile(r"\b(?:or|than|rather|instead|prefer|over|before|after|unlike)\b", re.I)  # two things, one of which is denied
_TELLS = re.compile(r"(?:(?:and|but|so|well|oh|ok|okay|yes|no|actually|by the way)\b,? )*(?:my|our|i|we)\b", re.I)
_ASKS_ANYWAY = re.compile(
    r"\b(?:wonder|forg[eo]t(?:ten)?|remember|recall|remind|tell|say|know|guess|want|need|please|look(?:ing)?)\b|['’]d like", re.I)
_OPENERS = frozenset("The When If Before After Once Whenever It There".split())
_NAME = re.compile(r"(?<![.?!] )(?<!^)\b[A-ZÀ-Þ][\w'’À-ÿ-]*")
_NO_NAMES = frozenset(
    """I I'm I've I'd Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June
    July August September October November December English""".split())


@dataclass(frozen=True, slots=True)
class Backed:
    """An answer that may be given, and the note behind it (None: nothing of the person is in it). `said`: no note, but what the
    person said, quoted."""

    text: str
    memory: Memory | None = None
    said: bool = False


def states(message: str) -> bool:
    "Whether a message only tells of its author: it asks for nothing, not even without a question mark (\"I forget her name.\")."
    whole = message.strip()
    return len(whole.split()) >= 4 and "?" not in whole and bool(_TELLS.match(whole)) and not _ASKS_ANYWAY.search(whole)


def declines(answer: str) -> bool:
    return bool(_DECLINES.search(answer))


class Backing:
    "Live notes, and how the last night said each of them to its user."

    def __init__(self, memories: Sequence[Memory], dreams: Iterable[Dream]) -> None:
        self.memories = tuple(memories)
        said: dict[str, Counter[str]] = defaultdict(Counter)
        self._asked = {m.id: set(words(m.text)) for m in memories}
        for dream in dreams:
            if dream.form in ("direct", "paraphrase", "reverse") and dream.memories[0] in self._asked:
                self._asked[dream.memories[0]] |= words(dream.question)
            if dream.form in ("direct", "paraphrase") and not dream.notes:
                said[dream.memories[0]][dream.answer] += 1
        self._said = {m.id: said[m.id].most_common(1)[0][0] for m in memories if m.id in said}
        self._words = {m.id: words(m.text) for m in memories}
        self._names = {n for m in memories for n in names(f"of {m.text}")} - _OPENERS

    def asks(self, question: str) -> bool:
        "Whether a question can be after the person, or after somebody that the notes know."
        return bool(_MINE.search(question)) or bool(names(f"of {question}") & self._names)

    def meant(self, question: str, notes: Sequence[Memory]) -> list[Memory]:
        """Of notes, those that can be meant: a question after somebody by name alone is after no note without that name, and one
        after somebody whom no note knows ("Which instrument did Paganini play?") after none."""
        if not self.asks(question) and any(names(f"of {one}") for one in _WHO.findall(question)):
            return []
        after = frozenset(w for name in names(f"of {question}") & self._names for w in words(name))
        free = not after or _MINE.search(question)
        return [note for note in notes if free or after & self._words[note.id]]

    def opens(self, answer: str) -> bool:
        "Whether an answer begins like one that speaks of the person, or of somebody that the notes know."
        first = answer.split(" ", 1)[0].removesuffix("'s").strip(".,")
        return declines(answer) or bool(_PERSONAL.match(answer)) or first in self._names

    def personal(self, question: str, answer: str) -> bool:
        "The same of a whole answer: what was learnt is said in one sentence; longer ones are advice."
        short = len(answer.split()) <= LONGEST and len(_SENTENCE.findall(answer.strip())) <= 1
        return self.asks(question) and self.opens(answer) and (short or declines(answer))

    def may_be(self, question: str, head: str) -> bool:
        "Whether an answer that begins so may yet be one about the person."
        few = len(head.split()) <= OPENING
        return self.asks(question) and (few or self.opens(head)) and len(head.split()) <= LONGEST + 1

    def decided(self, question: str, answer: str, memory: Memory) -> Backed | None:
        """Yes or no by the note that a question calls for, where both have names or numbers: those of the question are the
        note's, or others. None where the question has none, or asks for what this note was never asked for."""
        if not _POLAR.match(answer) or _NOT.search(question):
            return None
        claimed = claims(question)
        about = words(question) - claimed
        if not (claimed and about and claims(f"of {memory.answer}")) or not about <= self._asked[memory.id]:
            return None
        right = "Yes" if claimed <= self._words[memory.id] else "No"
        said = self._said.get(memory.id, "")
        return Backed(f"{right}. {said}" if said else f"{right}, {memory.answer}.", memory)

    def repeats(self, question: str, memory: Memory) -> bool:
        "Whether a question says what the note says, and neither denies it."
        asked = words(question)
        return bool(asked) and asked <= self._words[memory.id] and not _DENIES.search(f"{question} {memory.text}")

    def of(self, question: str, answer: str) -> Backed | None:
        "The answer as the ledger lets it stand, None where nothing backs it."
        if declines(answer):
            return None
        said = answer.strip()
        if polar := _POLAR.match(said):
            return self._doubted(question, said, said[polar.end() :])
        named = frozenset(w for name in names(question) for w in words(name))
        for memory in self.memories:
            if named <= self._words[memory.id] and self._says(memory, question, said):
                return Backed(said, memory)
        return self._righted(question, named, said)

    def overruled(self, message: str, answer: str) -> Backed | None:
        """Where a message only tells something: what is said instead of an answer that no note backs, or that a note backs and the
        message tells otherwise. None where the answer may be given."""
        found = self.of("", answer)  # whatever names the message has
        if found and found.memory and self._otherwise(message, found.text, found.memory):
            return Backed(f"{HEARD} So far I had noted: {found.text[:1].lower()}{found.text[1:]}", found.memory)
        return Backed(HEARD) if found is None else None

    def _otherwise(self, message: str, answer: str, note: Memory) -> bool:
        "Whether a message says of what a note is about something else than the note, or denies it."
        said, before = words(message), self._about(note, answer)
        return bool(before) and before <= said and (bool(_DENIES.search(message)) or not words(note.answer) <= said)

    def _doubted(self, question: str, said: str, rest: str) -> Backed | None:
        "Yes and no: what comes with them is a note's; the names in the question may be wrong ones."
        behind = [m for m in self.memories if rest and self._says(m, question, rest)]
        return Backed(said, behind[0] if behind else None) if behind or not rest else None

    def _says(self, memory: Memory, question: str, rest: str) -> bool:
        "Whether a note holds every word of the answer that the question did not, and its value is among them."
        held, told = self._words[memory.id], words(rest)
        grounded = words(memory.answer) <= told and told - words(question) <= held
        return bool(told) and grounded and self._about(memory, rest) <= held

    def _about(self, memory: Memory, rest: str) -> frozenset[str]:
        "The words before the value: whose it is."
        at = rest.casefold().find(memory.answer.casefold())
        return words(rest[:at]) if at > 0 else frozenset()

    def _righted(self, question: str, named: frozenset[str], said: str) -> Backed | None:
        "The one note that begins as the answer does."
        found = [m for m in self.memories if named <= self._words[m.id] and (b := self._before(m)) and said.startswith(b)]
        return Backed(self._said[found[0].id], found[0]) if len(found) == 1 else None

    def _before(self, memory: Memory) -> str:
        said = self._said.get(memory.id, "")
        at = said.find(memory.answer) if memory.answer else -1
        return said[:at] if len(said[:at].split()) >= 3 else ""


def asks_whether(question: str) -> bool:
    return bool(_WHETHER.match(question))


def consistent(question: str, answer: str) -> str:
    """Yes to what is denied by the very words that a question about the person ends with ("Is my dog called Rex?" - "No, Rex."):
    what is so was recalled, and the word before it was chosen too soon. No note is looked into."""
    found = _DENIAL.fullmatch(answer)
    plainly = asks_whether(question) and _MINE.search(question) and not (_WEIGHS.search(question) or _DENIES.search(question))
    if not found or not plainly:
        return answer
    asked = re.search(rf"(?<!\w){re.escape(found['said'])}(?=\W*$)", question)
    return f"Yes, {asked[0]}." if asked and words(asked[0]) else answer


def consistently(question: str, pieces: Iterator[str]) -> Iterator[str]:
    "The same of an answer that is being said: held back as long as it may be such a one."
    head = ""
    for piece in pieces if asks_whether(question) else ():
        head += piece
        if not _OPENS_DENIAL.fullmatch(head):
            break
    if head:
        yield consistent(question, head)
    yield from pieces


def told_here(said: Iterable[str], question: str, answer: str) -> list[str]:
    "The messages of a talk in which the person said an answer: every word of it, and more than the question asks with."
    told = words(answer)
    if not told - words(question) or _POLAR.match(answer.strip()):
        return []
    return [one for one in said if told <= _stated(one, answer)]


def echoes(message: str, answer: str) -> bool:
    "Whether an answer to a statement says no more than it."
    return not message.rstrip().endswith("?") and words(answer) <= _stated(message, answer)


def _stated(message: str, answer: str) -> frozenset[str]:
    "Words of what a message says outright: not of what it asks, nor of what it denies or says of the past and the answer does not."
    parts = (_OBJECTS.sub("", part) for part in _PART.split(message.strip()))
    return frozenset(w for part in parts if not part.endswith("?") and _manner(part) == _manner(answer) for w in words(part))


def _manner(text: str) -> tuple[bool, bool]:
    return bool(_DENIES.search(text)), bool(_PAST.search(text))


def names(text: str) -> set[str]:
    "Capitalised words that do not open a sentence and are no calendar's."
    return {n.removesuffix("'s").removesuffix("’s") for n in _NAME.findall(text)} - _NO_NAMES


def claims(text: str) -> frozenset[str]:
    "Words of the names, dates and numbers in a text, but for what opens it."
    return frozenset(w for found in _CLAIM.findall(text) if found.split("'")[0] not in ("I", "I’m") for w in words(found))
