"""One sentence -> candidates: lasting wishes, relations, statements, and what is not kept, with the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pocketsleep.night.listen import frames, slots
from pocketsleep.night.listen.people import Candidate, People, pronoun_relation, relations
from pocketsleep.night.listen.sentences import Sentence, clauses, expand
from pocketsleep.night.listen.standing import standing
from pocketsleep.night.listen.statements import Unfit, statement
from pocketsleep.nouns import Memory

LONGEST_SENTENCE = 600  # characters: more is no sentence that a person types


@dataclass(slots=True)
class Heard:
    "Candidates, and (text, reason) of what was not kept."

    kept: list[Candidate] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)


def candidates(sentence: Sentence, previous: str, people: People, live: Sequence[Memory]) -> Heard:
    """What one sentence says. `previous` is the sentence before it (for pronouns), `live` the memories
    that it may bring news of; people named here are added to `people`."""
    heard = Heard()
    if reason := refused(sentence):
        if frames.speaks_of_self(sentence.text):
            heard.dropped.append((sentence.text, reason))
        return heard
    text = expand(sentence.text)
    wish = standing(text)
    heard.kept += [wish] if wish else []
    heard.kept += relations(sentence.text, people)
    if wish:
        return heard
    if sentence.question and (sentence.text.rstrip().endswith("?") or "," not in sentence.text):
        if frames.speaks_of_self(sentence.text) and not heard.kept:
            heard.dropped.append((sentence.text, "question: asks, does not state"))
        return heard
    _statements(text, previous, people, live, heard, sentence.question)
    return heard


def refused(sentence: Sentence) -> str:
    "Why a whole sentence is not listened to, '' when it is."
    if len(sentence.text) > LONGEST_SENTENCE:
        return "long: no sentence that a person types"
    if frames.secret(sentence.text):
        return "secret: carries or names a secret"
    return "joke: not meant" if frames.joke(sentence.text) else ""


def span(candidate: Candidate) -> str:
    "The answer, if it is a span of the text of one to six words, else ''."
    answer = candidate.answer.strip()
    return answer if 1 <= len(answer.split()) <= 6 and answer in candidate.text else ""


def _statements(
    text: str, previous: str, people: People, live: Sequence[Memory], heard: Heard, asks: bool
) -> None:
    "Clause by clause. Of a question without its mark, the first clause is the question."
    conditional = frames.conditional(text)
    for clause in clauses(text)[1 if asks else 0:]:
        try:
            candidate = _of_clause(clause.text, clause.link, conditional, previous, people, live)
        except Unfit as why:
            heard.dropped.append((clause.text, str(why)))
            continue
        if candidate and all(candidate.text != k.text for k in heard.kept):
            heard.kept.append(candidate)


_SUBORDINATE = frozenset("if unless that when whenever where what how who which whether than like until till before after or".split())


def _of_clause(
    text: str, link: str, conditional: bool, previous: str, people: People, live: Sequence[Memory]
) -> Candidate | None:
    if frames.command(text) or text.endswith("?"):
        return None
    if link in _SUBORDINATE or conditional:
        if re.match(r"(?:I|we|my|our)\b", text, re.IGNORECASE):
            raise Unfit("hypothetical: under a condition" if conditional else "unsure: not stated, only mentioned")
        return None
    return pronoun_relation(text, previous, people) or slots.news(text, live) or statement(text, people)
