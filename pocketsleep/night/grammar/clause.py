"""One clause of a note, and what can be said and asked with it.

A clause is subject, finite verb, the rest of the verb group, and chunks (objects and adverbials). Said
with a voice it is a statement; with its finite verb in front, a yes/no question; with one chunk taken
out and a question word in front, a wh-question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pocketsleep.night.grammar.inflect import agree, base_of_past, base_of_third, conjugate
from pocketsleep.night.grammar.person import Voice, turn, unmark

ChunkKind = Literal[
    "object",
    "complement",
    "time",
    "often",
    "length",
    "place",
    "manner",
    "reason",
    "other",
    "particle",
    "aside",
    "condition",
]


@dataclass(frozen=True, slots=True)
class Chunk:
    "A part of the predicate, in the third person: 'on Wednesdays' (prep 'on'), 'bell ringing' (prep '')."

    text: str
    kind: ChunkKind
    prep: str = ""

    @property
    def noun(self) -> str:
        "The chunk without its preposition."
        return self.text[len(self.prep) :].strip() if self.prep else self.text


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause in the third person. `finite` is the first verb as written (never 'not'), `middle` the
    rest of the verb group, `auxiliary` whether it inverts without do."""

    subject: str
    finite: str
    middle: str
    chunks: tuple[Chunk, ...]
    auxiliary: bool
    past: bool = False
    negation: str = ""  # "not", "n't", "never"
    adverb: str = ""
    appositive: str = ""
    lead: str = ""
    plural: bool = False
    crowd: bool = False  # other things stand in the plural: "they" need not be the user

    @property
    def user(self) -> bool:
        return self.subject.lower() == "the user"

    @property
    def lemma(self) -> str:
        "Of the finite verb when it is a full one."
        return self.finite if self.past or self.auxiliary else base_of_third(self.finite)

    @property
    def head(self) -> str:
        "Last word of the subject that is not a name: 'dog' of 'the user's dog Rex'."
        words = [w for w in self.subject.split() if not w[0].isupper()]
        return (words[-1] if words else self.subject).lower()

    def person(self, voice: Voice) -> str:
        if self.user:
            return voice
        return "plural" if self.plural else "third"

    def verb(self, voice: Voice) -> str:
        "The finite verb agreeing with its subject."
        if self.auxiliary:
            return agree(self.finite, self.person(voice))
        if self.past or (not self.user and not self.plural):
            return self.finite
        return conjugate(self.lemma, self.person(voice))

    def about(self, voice: Voice, full: bool = False) -> str:
        "The subject, said by `voice`; with its appositive when `full`."
        said = turn(self.subject, voice) if not self.user else voice
        if full and self.appositive:
            said += f", {turn(self.appositive, voice, theirs=False, they=False)},"
        return said

    def rest(self, voice: Voice, without: int = -1, stranded: bool = False, asides: bool = True) -> str:
        "The chunks, but one; `stranded` leaves its preposition behind."
        said = []
        for i, chunk in enumerate(self.chunks):
            if chunk.kind in ("aside", "reason") and not asides and i != without:
                continue
            if i != without:
                said.append(chunk.text)
            elif stranded and chunk.prep:
                said.append(chunk.prep)
        return self.speak(" ".join(said).strip().rstrip(","), voice)

    def speak(self, text: str, voice: Voice) -> str:
        "A text of the predicate in the person of `voice`, with what the clause knows of its pronouns."
        text = unmark(text) if self.user and not self.past else text
        return turn(
            text,
            voice,
            theirs=not self.plural,
            they=self.user and not self.crowd,
            them=not self.plural and not self.crowd,
        )

    def statement(self, voice: Voice = "you", lead: bool = True, full: bool = True) -> str:
        "The clause as a sentence: 'Your dog, a whippet, is called Tarragon.'"
        verb = self.verb(voice)
        if self.negation == "never":
            group = f"{verb} never" if self.auxiliary else f"never {verb}"
        elif self.negation and verb == "can":
            group = "cannot" if self.negation == "not" else "can't"
        elif self.negation == "n't" and verb not in ("am", "will"):
            group = f"{verb}n't"
        else:
            group = f"{verb} not" if self.negation else verb
        group = join(group, self.adverb) if self.auxiliary else join(self.adverb, group)
        said = join(self.about(voice, full), group, self.middle, self.rest(voice))
        if lead and self.lead:
            said = f"{self.speak(self.lead, voice)}, {said}"
        return sentence(said)

    def polar(self, voice: Voice = "I", *, swap: tuple[str, str] = ("", "")) -> str:
        "Yes/no question: 'Is my dog called Tarragon?'; `swap` replaces one value by another."
        verb, body = self._front(voice)
        ever = "ever" if self.negation == "never" else ""
        rest = self.rest(voice, asides=False)
        if swap[0]:
            rest = rest.replace(*swap, 1)
        return question(join(verb, self.about(voice), ever, body, rest, self.trailing(voice)))

    def wh(self, word: str, gap: int, voice: Voice = "I", *, stranded: bool = False) -> str:
        "Direct question for one chunk: 'What is my dog called?'"
        verb, body = self._front(voice, keep=True)
        return question(
            join(
                word,
                verb,
                self.about(voice),
                body,
                self.rest(voice, gap, stranded, asides=False),
                self.trailing(voice),
            )
        )

    def embedded(self, word: str, gap: int, voice: Voice = "I", *, stranded: bool = False) -> str:
        "Indirect question: 'what my dog is called'."
        verb = self.verb(voice)
        group = f"{verb} {'never' if self.negation == 'never' else 'not'}" if self.negation else verb
        if self.negation == "never" and not self.auxiliary:
            group = f"never {verb}"
        group = "cannot" if group == "can not" else group
        group = join(group, self.adverb) if self.auxiliary else join(self.adverb, group)
        return join(
            word,
            self.about(voice),
            group,
            self.middle,
            self.rest(voice, gap, stranded, asides=False),
            self.trailing(voice),
        )

    def subject_wh(self, word: str, voice: Voice = "I") -> str:
        "Question for the subject: 'Who drives me to hydrotherapy?'"
        verb = self.verb(voice) if not self.plural else agree(self.finite, "third")
        if self.plural and not self.auxiliary and not self.past:
            verb = conjugate(self.lemma, "third")
        neg = self.negation or ""
        group = f"{verb} {neg}" if neg and neg != "n't" else verb
        return question(
            join(word, group, self.adverb, self.middle, self.rest(voice, asides=False), self.trailing(voice))
        )

    def _front(self, voice: Voice, keep: bool = False) -> tuple[str, str]:
        "(what stands before the subject, what is left after it)"
        verb = self.verb(voice)
        kept = ("never" if self.negation == "never" else "not") if self.negation and keep else ""
        adverb = "" if self.adverb in ("ever",) else self.adverb
        if self.auxiliary:
            return verb, join(kept, adverb, self.middle)
        if self.past:
            return "did", join(kept, adverb, base_of_past(self.finite), self.middle)
        return conjugate("do", self.person(voice)), join(kept, adverb, self.lemma, self.middle)

    def trailing(self, voice: Voice) -> str:
        return self.speak(self.lead[:1].lower() + self.lead[1:], voice) if self.lead else ""

    def gap(self, index: int, voice: Voice = "you", bare: bool = False) -> str:
        "The chunk that was asked for, as an answer: 'On Wednesdays.'"
        chunk = self.chunks[index]
        return sentence(self.speak((chunk.noun if bare else chunk.text).rstrip(","), voice))

    def of(self, subject: str, plural: bool = False) -> Clause:
        "The same predicate said of somebody else."
        finite = self.finite
        if self.user or self.plural != plural:
            person = "plural" if plural else "third"
            finite = agree(finite, person) if self.auxiliary else finite if self.past else conjugate(self.lemma, person)
        return replace(self, subject=subject, appositive="", plural=plural, finite=finite)


def join(*words: str) -> str:
    return " ".join(w for w in words if w)


def sentence(text: str) -> str:
    "Capital letter in front, full stop behind."
    text = text.strip().rstrip(",;")
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" and not text.endswith("etc.") else ".")


def question(text: str) -> str:
    text = text.strip().rstrip(".,;")
    return text[0].upper() + text[1:] + "?"


def bare(text: str) -> str:
    "A sentence without its full stop."
    return text.removesuffix(".")


def pieces(chunks: Sequence[Chunk]) -> str:
    return " ".join(c.text for c in chunks)
