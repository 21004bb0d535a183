"""One sentence -> candidates: lasting wishes, relations, statements; and what is not kept, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pocketsleep.night.listen import frames, slots, words
from pocketsleep.night.listen.heart import heart, stands_out
from pocketsleep.night.listen.people import Candidate, People, pronoun_relation, relations
from pocketsleep.night.listen.presumed import presumed
from pocketsleep.night.listen.reading import Unfit
from pocketsleep.night.listen.sentences import Clause, Sentence, asks, clauses, expand
from pocketsleep.night.listen.standing import standing
from pocketsleep.night.listen.statements import statement
from pocketsleep.nouns import Memory

LONGEST_SENTENCE = 600  # characters: more is no sentence that a person types


@dataclass(slots=True)
class Heard:
    "Candidates, and (text, reason) of what was not kept."

    kept: list[Candidate] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)


def candidates(
    sentence: Sentence, previous: str, people: People, live: Sequence[Memory], message: str = ""
) -> Heard:
    """What one sentence says. `previous` is the sentence before it (for pronouns), `live` the memories
    that it may bring news of; people named here are added to `people`."""
    heard = Heard()
    if reason := refused(sentence):
        if frames.speaks_of_self(sentence.text):
            heard.dropped.append((sentence.text, reason))
        return heard
    text = _THAT.sub(r"\1 ", expand(sentence.text))
    wish = standing(text)
    heard.kept += [wish] if wish else []
    heard.kept += relations(sentence.text, people)
    heard.kept += [c for c in presumed(text, people) if not any(_same(c, k) for k in heard.kept)]
    if wish:
        return heard
    parts = _stated(text, sentence)
    if not parts:
        if frames.speaks_of_self(sentence.text) and not heard.kept:
            heard.dropped.append((sentence.text, "question: asks, does not state"))
        return heard
    _statements(parts, previous, people, live, message, heard)
    return heard


_THAT = re.compile(
    (
        r"^((?:please |pls |and |so |also )*(?:remember|note|keep in mind|bear in mind|do not "
        r"forget)) that "
    ),
    re.I,
)


def refused(sentence: Sentence) -> str:
    "Why a whole sentence is not listened to, '' when it is."
    if len(sentence.text) > LONGEST_SENTENCE:
        return "long: no sentence that a person types"
    if frames.secret(sentence.text):
        return "secret: carries or names a secret"
    return "joke: not meant" if frames.joke(sentence.text) else ""


_SAYS_NOTHING = re.compile(
    r".*\b(?:user|users|assistant)\b.*|(?:whatever|be|will|not)\b.*|them|it|then|that|this|these|those|one", re.IGNORECASE)


def span(candidate: Candidate) -> str:
    """The answer, if it is a span of the text of one to six words that says something, else the heart of the text. Of what is to
    be done at a word, a name or a figure is what counts: 'October' of 'put the idea away until October'."""
    answer = candidate.answer.strip()
    fits = 1 <= len(answer.split()) <= 6 and answer in candidate.text and not _SAYS_NOTHING.fullmatch(answer)
    core = heart(candidate.text) if not fits or candidate.text.startswith("When ") else ""
    if fits and (core in answer or not stands_out(core)):
        return answer
    return "" if _SAYS_NOTHING.fullmatch(core) else core


def _stated(text: str, sentence: Sentence) -> list[Clause]:
    """The clauses that state something. A question is its first clause ("can you ..., I can't bear it")
    or its last ("I work on Fridays, could you ...?"); all of it when it neither starts nor ends elsewhere."""
    parts = clauses(text)
    marked = sentence.text.rstrip("\"'”’) ").endswith("?")
    if asks(text):
        return [] if marked else parts[1:]
    return parts[:-1] if marked else parts


def _statements(
    parts: list[Clause], previous: str, people: People, live: Sequence[Memory], message: str, heard: Heard
) -> None:
    conditional = frames.conditional(" ".join(p.text for p in parts))
    for clause in parts:
        try:
            candidate = _of_clause(clause.text, clause.link, conditional, previous, message, people, live)
        except Unfit as why:
            heard.dropped.append((clause.text, str(why)))
            continue
        if candidate and not any(_same(candidate, kept) for kept in heard.kept):
            heard.kept.append(candidate)


def _same(one: Candidate, other: Candidate) -> bool:
    "The same text, or the same relation said another way."
    return one.text == other.text or (one.kind == other.kind == "relation" and one.answer == other.answer)


_SUBORDINATE = words.bag(
    "if unless that when whenever where what how who which whether than like until till before after or"
)


def _of_clause(
    text: str,
    link: str,
    conditional: bool,
    previous: str,
    message: str,
    people: People,
    live: Sequence[Memory],
) -> Candidate | None:
    if frames.command(text) or text.endswith("?"):
        return None
    if link in _SUBORDINATE or conditional:
        if re.match(r"(?:I|we|my|our)\b", text, re.IGNORECASE):
            raise Unfit(
                "hypothetical: under a condition" if conditional else "unsure: not stated, only mentioned"
            )
        return None
    return (
        pronoun_relation(text, previous, people) or slots.news(text, message, live) or statement(text, people)
    )
