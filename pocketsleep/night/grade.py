"""Whether a generated answer is right: lenient in form (case, accents, articles), strict in substance."""

from __future__ import annotations

import re
import unicodedata

_NOT = r"(?:have not|haven't|had not|hadn't|did not|didn't|never)(?: yet| ever)?"
_TOLD = (r"(?: me\b| us\b| about\b| your [\w ]+'s\b| (?:it|this|that|anything|what|which|who|whose|where|when|why|how|whether|if)\b"
         r"|\W*$|[^\w\s'])")
"What somebody else was not told, or the person does not know, is a note and no refusal."
_DECLINES = re.compile(
    rf"\b{_NOT} tell{_TOLD}|\b{_NOT} told{_TOLD}"
    r"|\b(?:(?:have not|haven't)(?: yet| ever)? (?:mentioned|said)|never mentioned)\b"
    r"(?!(?: (?!(?:where|what|which|when|how|whether|if)\b|\w+ing\b)[\w'-]+){0,4} to (?:your|his|her|their|anyone|anybody)\b)"
    r"|\b(?:i|we)(?: \w+)? (?:do not|don't) know\b|\b(?:i|we)\b[^.!?…]*\b(?:and|but) (?:do not|don't) know\b"
    r"|(?:^|[.!?…])(?:(?!\b(?:you|your|they|who)\b)[^.!?…])*?\b(?:do not|don't) know\b"
    r"|\bno record\b")


_PARTED = re.compile(r"(?<![\d.:])(\d+)[.:](\d+)(?![.:]?\d)")  # decimals and times; dates and addresses have more parts
_BELOW_ZERO = re.compile(r"(?<![^\s(=:])[-\u2212](?=\d)")


def _whole(number: re.Match[str]) -> str:
    "As one word, the same of 7.30 and 7:30; 11:00 is 11."
    return f"{number[1]}_{number[2]}" if number[2].strip("0") else number[1]


def plain(text: str) -> str:
    """Lower case, no accents, punctuation or articles; words between single spaces, one at each end. An apostrophe stays within
    a word alone: elsewhere it quotes. A number is one word: 4.3 holds no 3, and -5 no 5."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    kept = "".join(c for c in folded if not unicodedata.combining(c))
    kept = re.sub(r"(?<=\d)[,.](?=\d{3}\b)", "", kept)
    kept = _BELOW_ZERO.sub("_", _PARTED.sub(_whole, kept))
    words = re.sub(r"(?<!\w)'|'(?!\w)|[^\w']+", " ", kept).split()
    return " " + " ".join(w for w in words if w not in {"a", "an", "the"}) + " "


def says(answer: str, wanted: str) -> bool:
    "Whether `wanted` stands in the answer, as whole words."
    return bool(plain(wanted).strip()) and plain(wanted) in plain(answer)


def declines(answer: str) -> bool:
    "Whether an answer says that it was never told."
    return bool(_DECLINES.search(answer.casefold().replace("\u2019", "'")))


REFUSES = ("i can't", "i cannot", "i can not", "i'm sorry", "i am sorry", "i won't", "i will not", "i'm not able", "i am not able",
           "i'm unable", "i am unable", "sorry, but", "as an ai")


def refuses(answer: str) -> bool:
    "Whether an answer opens by turning the request down."
    return answer.casefold().replace("\u2019", "'").lstrip().startswith(REFUSES)


_POLAR = re.compile(r"\s*(yes|no)\s*(?:[.,;:!?\u2026]|\s[-\u2013\u2014]|$)", re.IGNORECASE)


def polar(expected: str) -> str:
    "The yes or no that an answer begins with, '' where that word begins a value: \"No sugar.\" is none."
    found = _POLAR.match(expected)
    return found[1].lower() if found else ""


def right(answer: str, expected: str, core: str = "") -> bool:
    """Whether `answer` gives what `expected` gives. `core` is the memory's own span: when the expected
    answer holds it, holding it is enough. Yes and no are judged by the first word alone."""
    if word := polar(expected):
        return plain(answer).split()[:1] == [word]
    if declines(expected):
        return declines(answer)
    if declines(answer):
        return False
    return says(answer, core if core and says(expected, core) else expected)
