"""Sentences and clauses of casual typing, with character offsets; contractions written out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pocketsleep.night.listen import words

ABBREVIATIONS = words.bag("mr mrs ms dr prof st rev no e.g i.e etc approx vs jr sr a.m p.m lic")


@dataclass(frozen=True, slots=True)
class Sentence:
    "One sentence of a message: text[start:end], contractions kept."

    text: str
    start: int
    end: int

    @property
    def question(self) -> bool:
        return self.text.rstrip("\"'”’) ").endswith("?") or bool(_ASKS.match(self.text))


@dataclass(frozen=True, slots=True)
class Clause:
    "A clause, contractions written out, and the conjunction that led it in ('' for none)."

    text: str
    link: str = ""


_ASKS = re.compile(
    r"(?:(?:and|so|but|ok|okay|hey|hi|hello|please|um|also|well)[,.]? )*(?:what|why|how|who|"
    r"whose|which|where|whats|what's|"
    r"hows|how's|wheres|where's|is|are|am|was|were|do(?! (?:it|this|that|not|the|mention|"
    r"please))|does|did|can|could|would|will|should|shall|may|has|"
    r"have (?:i|we|you|they)|any idea|anyone know)\b(?!,)",
    re.IGNORECASE,
)


def asks(text: str) -> bool:
    "Does it open as a question?"
    return bool(_ASKS.match(text))


_STOP = re.compile(r"[.!?…]+[\"”’')\]]*(?=\s|$)|\n+")


def sentences(text: str, start: int, end: int) -> list[Sentence]:
    "Sentences of text[start:end], offsets counted in `text`."
    found, at = [], start
    for stop in _STOP.finditer(text, start, end):
        if _abbreviation(text, at, stop):
            continue
        found.append(_sentence(text, at, stop.end()))
        at = stop.end()
    found.append(_sentence(text, at, end))
    return [s for s in found if s.text]


def _abbreviation(text: str, at: int, stop: re.Match[str]) -> bool:
    "A full stop after 'Dr' or a single initial ends nothing."
    if stop.group()[0] != "." or len(stop.group()) > 1:
        return False
    before = text[max(at, stop.start() - 12) : stop.start()].split()
    word = before[-1].lower().strip("(\"'“") if before else ""
    follows = text[stop.end() : stop.end() + 2].strip()[:1]
    return word in ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i" and follows.isupper())


def _sentence(text: str, start: int, end: int) -> Sentence:
    while start < end and (text[start].isspace() or text[start] in "-–—•*,;:"):
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Sentence(text[start:end], start, end)


_CONTRACTIONS = [
    (re.compile(p, re.IGNORECASE), r)
    for p, r in (
        (r"\bcan't\b|\bcant\b|\bcannot\b", "can not"),
        (r"\bwon't\b|\bwont\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|would|could|should|must|need)n['’]?t\b", r"\1 not"),
        (r"\bi'm\b|(?<![\w'])im\b", "I am"),
        (r"\bi'?ve\b", "I have"),
        (r"\bi'll\b", "I will"),
        (r"\bi'd\b", "I would"),
        (r"\bwe're\b", "we are"),
        (r"\bwe'?ve\b", "we have"),
        (r"\bwe'll\b", "we will"),
        (r"\bwe'd\b", "we would"),
        (r"\bthey're\b", "they are"),
        (r"\bthey've\b", "they have"),
        (r"\b(he|she|it|that|there|who|what|here)'s (got|been|had|gone)\b", r"\1 has \2"),
        (r"\b(he|she|it|that|there|who|here)'s\b", r"\1 is"),
        (r"\bthats\b", "that is"),
        (r"\b(hes|shes)\b", lambda m: m.group(1)[:-1] + " is"),
        (r"\b(\w+)'s (called|named)\b", r"\1 is \2"),
        (
            r"\b((?:my|our) \w+)'s (?=(?:an?|the|from|on|in|at|closed|open|now|allergic|\d+|"
            r"vegan|vegetarian)\b)",
            r"\1 is ",
        ),
        (r"\b(he|she|it|they)'ll\b", r"\1 will"),
        (r"\b(I|we|they) have got\b", r"\1 have"),
        (r"\b(he|she|it) has got\b", r"\1 has"),
        (r"(?<![\w'])i\b(?!['’.\-])", "I"),
        (r",? \b(?:lol|lmao|tbh|imo|thx|xd)\b", ""),
    )
]


def expand(text: str) -> str:
    "Contractions written out, curly apostrophes straightened, spaces collapsed."
    text = re.sub(r"\s+", " ", text.replace("’", "'").replace("‘", "'"))
    for pattern, put in _CONTRACTIONS:
        text = pattern.sub(put, text)
    return text.strip()


_STARTER = (
    r"(?:[\w']+ (?:is|are) (?:now )?(?:my|on|at|in)\b|(?:(?:also|now|then|still|yes|no|well|"
    r"only|actually|sometimes|usually|always|never|plus) )?"
    r"(?:I|we|he|she|it|they|there (?:is|are)|that is|my|our|please|don't|the \w+ (?:is|are|has|was)|"
    r"(?:can|could|would|will|should|do|did|are|is) (?:you|I|we|it|there)|what|how|"
    r"(?:where|when|why|which|who) (?:is|are|do|does|can|could|should)|make|"
    r"write|give|put|tell|show|"
    r"[A-ZÀ-Þ][\w-]+ (?:is|has|was|does|can not|does not))\b)"
)
_CUT = re.compile(
    r"\s*(?:;|:(?!\d)|\s[-–—]+(?=\s)|—|\.\.+|…|[()])\s*"
    r"|,?\s+(?P<link>and|but|so|because|cos|coz|cuz|since|as|though|although|while|plus|or|"
    r"if|unless|that|when|"
    rf"whenever|where|what|how|who|which|whether|than|like)\s+(?={_STARTER})"
    rf"|,\s+(?={_STARTER})"
    r"|\s+(?=I (?:need|want|would|will|have to|must)\b)"
    r"|[.!?]+(?:\s+|$)"
)


def clauses(sentence: str) -> list[Clause]:
    "Clauses of an expanded sentence, cut where a new subject starts; brackets stand alone."
    found, at, link = [], 0, ""
    for cut in _CUT.finditer(sentence):
        found.append(Clause(sentence[at : cut.start()].strip(" ,"), link))
        at, link = cut.end(), (cut.group("link") or "").lower()
    found.append(Clause(sentence[at:].strip(" ,.!"), link))
    return [c for c in found if c.text]
