"""Answers that say first what was asked for: "Your landlord is called Mr Osei." and, where nobody said it,
"Your dentist is called... you haven't told me that."

The first half is the same whether the value is known or not. So a small model decides in two steps that it is good at: which
note a question is after (any wording, learnt once for everybody: bench/manner.py), and what stands there (its person's, by heart).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pocketsleep.night.grade import declines, plain
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.parse import instruction, parse
from pocketsleep.night.grammar.person import turn
from pocketsleep.nouns import Dream

LONGEST = 24  # words of a note that is said whole
DECLINE = "You haven't told me that."
GAP = "... you haven't told me that."
_SHORT = 2  # words before the value: with fewer, nothing was said about what was asked
_WHAT = re.compile(r"^(?:what|who) ((?:your|[A-Z][\w']*) .+?) ((?:is|are)(?: called)?)$")
_IS = re.compile(r"(?P<v>[A-Z][^,;]*?) (?P<is>is|are) (?P<what>your [\w' -]+)")


def told(note: str, core: str) -> str:
    "The note as said to its user, where its core comes late enough in it; '' where it does not."
    for said in _ways(note):
        if plain(core) in plain(said) and len(said.split()) <= LONGEST and len(lead(said, core).split()) >= _SHORT:
            return sentence(said)
    return ""


def _ways(note: str) -> Iterator[str]:
    for clause in parse(note):
        yield _turned(clause.statement(full=False).rstrip("."))
    if instruction(note):
        yield in_second_person(note).rstrip(".")


def lead(said: str, core: str) -> str:
    "What stands before the core: 'Your landlord is called'. '' where that cannot be told."
    at = said.casefold().find(core.casefold())
    before = said[:at].rstrip() if at > 0 else ""
    return re.sub(r" (?:a|an|the|about|some)$", "", before)


def unknown(before: str) -> str:
    "That nobody said it, behind what was asked for; plainly, where that has no words."
    return f"{before[:1].upper()}{before[1:]}{GAP}" if before else DECLINE


def nobody_said(dream: Dream) -> bool:
    "Whether an item is answered with that nobody said it. What a note says may read like that: 'You have not told your brother.'"
    return dream.form in ("unstated", "contrast", "context") and declines(dream.answer)


def of_thing(noun: str, kind: str) -> str:
    return f"Your {noun} is called" if kind in ("person", "animal", "group", "project", "product", "place") else f"Your {noun} is"


def of_slot(tell: str) -> str:
    'A slot as the beginning of a statement where it can be one: "what your postcode is" -> "your postcode is".'
    return _WHAT.sub(r"\1 \2", tell)


def of_pattern(pattern: str, parts: dict[str, str]) -> str:
    "The beginning of a note of this wording, up to its value; '' where the value comes too early."
    missing = re.search(r"\{[vn]\}", pattern)
    if missing is None:
        return ""
    filled = re.sub(r"\{([xry])\}", lambda part: parts.get(part[1], "{}"), pattern)
    value = "Xanthippe" if missing.group() == "{v}" else "417"
    filled = re.sub(r"\{[vn]\}", value, filled)
    if "{" in filled:
        return ""
    said = told(filled, value)
    return lead(said, value) if said else ""


def _turned(said: str) -> str:
    'What a name is, as the name of that: "Rosa is your sister" -> "Your sister is Rosa".'
    found = _IS.fullmatch(said)
    return f"{found['what'][:1].upper()}{found['what'][1:]} {found['is']} {found['v']}" if found else said


def in_second_person(text: str) -> str:
    "The note as the assistant would say it."
    rule = instruction(text)
    if rule is None:
        return turn(text, "you")
    deed = f"I should {turn(rule.deed, 'you', they=False)}"
    return f"{turn(rule.lead, 'you')}, {deed}" if rule.lead else deed
