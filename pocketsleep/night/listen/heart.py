"""The heart of a note: the one to six words that a question about it would be answered with.

A note says one thing. Figures, names and quoted words carry it where there are any; else what stands behind
the last preposition ("in ounces", "of sweet chestnut"), else the object.
"""

from __future__ import annotations

import re

from pocketsleep.night.listen import words
from pocketsleep.night.listen.voice import core

LONGEST = 6  # words

_MONTHS = "|".join(sorted((m.capitalize() for m in words.MONTHS if len(m) > 2), key=len, reverse=True))
_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
_NO_UNIT = r"(?!(?:and|or|in|on|of|for|at|with|to|when|an?|per|each|every|by|from|till|until|is|are)\b)"
_UNIT = rf"(?: ?(?:%|(?:am|pm|cm|mm|km|kg|g|ml|l|kW|o'clock)\b|\b{_NO_UNIT}[a-z][\w-]+))?"
_FIGURE = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTHS})(?: \d{{4}})?\b|\b(?:{_MONTHS}) \d{{1,2}}\b"
    rf"|\b\d{{1,2}}[:.]\d\d(?: ?[ap]m)?\b|(?:[£$€] ?)?\b\d[\d.,]*\d\b{_UNIT}|[£$€]?\b\d\b{_UNIT}"
    rf"|(?<![\w-])(?:{_NUMBERS})(?:-\w+)? {_NO_UNIT}[a-z][\w-]+"
)
_QUOTED = re.compile(r"(?<!\w)['\"‘“]([^'\"’”]{1,60})['\"’”](?!\w)")
_DAYS = "|".join(sorted((d.capitalize() for d in words.DAYS if len(d) > 3), key=len, reverse=True))
_NAME = re.compile(
    r"(?<![.\w'])(?!(?:I|The|When|If|Before|After)\b)[A-ZÀ-ÞŁŠŽČ][\wÀ-ÿ'’&.-]*"
    r"(?: (?:(?:of|de|da|van|von|der|la|le|du|&|a|the) )?[A-ZÀ-ÞŁŠŽČ0-9][\wÀ-ÿ'’&.-]*)*"
)
_LEAD = re.compile(r"^(?:When(?:ever)?|If|Before|After|Once) .+?, ")
_SUBJECT = re.compile(
    r"^(?:The user|the user|[A-ZÀ-Þ][^,]*?, the user's [^,]+?,|(?:The [\w -]+? of )?[Tt]he user's .+?|.+?)"
    r" (?=(?:now |still |always |never |no longer |only )?"
    r"(?:is|are|was|were|has|have|had|does|do|did|will|would|can|cannot|must|should|came|went|grew|lived|got|made|won|lost|"
    r"bought|began|kept|built|[a-z]+(?:s|ed))\b)"
)
_VERB = re.compile(
    r"^(?:(?:now|still|always|never|no longer|only|usually|also) )*"
    r"(?:(?:does|do|did|will|would|can|cannot|must|should) (?:not )?(?:be )?[\w'-]+ "
    r"|(?:is|are|was|were|has|have|had) (?:not |now |no longer |only )?(?:been )?(?:[\w-]+(?:ed|ing) )?|[\w'-]+ )(?P<rest>.*)$"
)
_PLACED = re.compile(r" (?:to|in|into|on|onto|of|from|by|with|until|till|at|as|under|for|against|about|near|after|before|through) ")
_DISLIKES = re.compile(r"\b(?:not (?:want|like|eat|drink|wear|use|keep)|hates?|dislikes?|loves?|likes?|enjoys?|avoids?|wants no)\b")
_NO_NOUN = re.compile(r"^(?:(?:the )?(?:user|them|her|him|it|me|their own|home|work|[a-z]+ing)\b|it$)")
_DETERMINERS = re.compile(r"^(?:the|a|an|their|his|her|its|some|any|no|called|named|made|very|only|old|new|(?:the )?user's) (?=\S)",
                          re.IGNORECASE)


def heart(note: str) -> str:
    "A span of one to six words of the note, '' when nothing in it stands out."
    text = note.strip().rstrip(".")
    lead = _LEAD.match(text)
    said = text[lead.end() :] if lead else text
    subject = _SUBJECT.match(said)
    predicate = said[subject.end() :] if subject else said
    helper = _NAME.match(said)
    if helper and re.search(r"\bthe user\b(?!'s)", predicate):  # "Anwen helps the user to paint the boat"
        return _trimmed(helper.group())
    for find in (_named, _figured, _quoted, _named_within, _placed):
        if span := _trimmed(find(predicate)):
            return span
    return _trimmed(core(_VERB.sub(lambda m: m["rest"], predicate)) or core(predicate))


def stands_out(span: str) -> bool:
    "Whether a name or a figure is in it."
    return bool(_FIGURE.search(span) or re.search(r"[\dA-ZÀ-ÞŁŠŽČ]", span))


def _named(predicate: str) -> str:
    called = re.match(r"(?:is|are|was|were)(?: now)? (?:called|named) (.+)$", predicate)
    return called[1] if called and len(called[1].split()) <= LONGEST else ""


def _figured(predicate: str) -> str:
    hit = _FIGURE.search(predicate)
    return hit.group() if hit else ""


def _quoted(predicate: str) -> str:
    hit = _QUOTED.search(predicate)
    return hit[1] if hit else ""


def _named_within(predicate: str) -> str:
    found = [m.group() for m in _NAME.finditer(predicate)]
    return next((n for n in found if not n.endswith(("'s", "’s"))), "")


def _placed(predicate: str) -> str:
    "What the last preposition leads in, unless the object before it is what is loved or unwanted."
    if _DISLIKES.search(predicate):
        return ""
    parts = _PLACED.split(predicate)
    for part in reversed(parts[1:]):
        if not _NO_NOUN.match(part) and len(part.split()) <= 4:
            return part
    return ""


def _trimmed(span: str) -> str:
    "Without determiners, possessives and punctuation; '' beyond six words."
    span = span.strip(" ,;:.!?")
    while (shorter := _DETERMINERS.sub("", span)) != span:
        span = shorter
    span = re.sub(r"['’]s$", "", span)
    return span if len(span.split()) <= LONGEST else ""
