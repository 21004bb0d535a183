"""What a person's correction of an answer says, in the person's own words.

    "Your dog is called Fen."                          corrected to  "Moss"   says  "My dog is called Moss."
    "Your cat is called... you haven't told me that."  corrected to  "Gus"    says  "My cat is called Gus."

Only answers about the person are corrected so, and only where it is known what in them is the value: from the gap, or from the
live note that they say. What replaces any other answer may be a letter in somebody else's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pocketsleep.night.grammar.lead import GAP, lead, told
from pocketsleep.nouns import Memory

LONGEST = 6  # words that replace a value
_OPENING = re.compile(
    r"^(?:no|nope|wrong|actually|sorry|well|(?:it|that|he|she)(?:'s| is)(?: called)?|should be|not \S+ but)[,:]? +", re.IGNORECASE)
_NOT = re.compile(r",? (?:and )?not \S.*$", re.IGNORECASE)
_STATES = re.compile(r"\b(?:I|I'm|I've|my|mine|me|we|our)\b", re.IGNORECASE)
_MINE = ((r"\bYour\b", "My"), (r"\byour\b", "my"), (r"\b[Yy]ou are\b", "I am"), (r"\b[Yy]ou were\b", "I was"), (r"\b[Yy]ou\b", "I"))


def corrected(answer: str, correction: str, live: Sequence[Memory]) -> str:
    "A sentence in the first person, '' where a correction says nothing about the person."
    if not answer.lstrip().startswith(("You ", "Your ")):
        return ""
    if _STATES.search(correction):
        return correction
    value = _NOT.sub("", correction.strip().rstrip(".!"))
    while value != (value := _OPENING.sub("", value)):
        pass
    before = _before(answer.strip(), live)
    if not value or not before or len(value.split()) > LONGEST:
        return ""
    for pattern, mine in _MINE:
        before = re.sub(pattern, mine, before)
    return f"{before} {value}."


def _before(answer: str, live: Sequence[Memory]) -> str:
    "What the answer says before its value."
    if answer.endswith(GAP):
        return answer.removesuffix(GAP)
    return next((lead(answer.rstrip("."), m.answer) for m in live if m.answer and told(m.text, m.answer) == answer), "")
