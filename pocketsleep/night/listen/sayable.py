"""The words that a note may hold: said ones, other forms of them, and the words that every note is made of.

What the writer spells is held to them letter by letter, so that it copies where it would have invented: a word that
nobody said cannot even be begun.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from pocketsleep.night.listen.grounding import FRAME, stem
from pocketsleep.night.listen.voice import base_form, third_person

_SAID = re.compile(r"[^\s\"“”()|]+")
_EDGES = ".,;:!?…"
_OWN = ("The", "the", "When", "|", "user's", "users'", "assistant's", "points", "answers", "words")
_NAMING = re.compile(r"\b(?:names?|named|call|called|sign|i'?m|i am|address)\b", re.IGNORECASE)
_ENDINGS = ("", "s", "es", "d", "ed", "ing")
_SPACED = re.compile(r"[\s\"“”()]+")


class Sayable:
    """Whether a text begins notes, one a line, "note | core": made of words that may be said, but for the last one, which may be
    half; and each core is words of its note."""

    def __init__(self, said: str) -> None:
        words = {part for word in _SAID.findall(said) for part in _parts(word)}
        frame = set(FRAME) if _NAMING.search(said) else FRAME - {"name", "names"}
        forms = {form for word in words for form in _forms(word)} | frame | set(_OWN)
        self._words = sorted(forms | {word[0].upper() + word[1:] for word in forms if word})
        self._known = frozenset(self._words)

    def __call__(self, text: str) -> bool:
        *before, line = text.split("\n")
        note, bar, core = line.partition(" | ")
        if any(" | " not in one for one in before) or (bar and core not in note):
            return False
        *whole, last = _SPACED.split(line)
        if whole and not self._whole(whole[-1]):  # those before were asked when they were the last
            return False
        return self._half(last)

    def _whole(self, word: str) -> bool:
        return word in self._known or (bare := word.rstrip(_EDGES)) in self._known or not bare

    def _half(self, word: str) -> bool:
        at = bisect_left(self._words, word)
        return self._whole(word) or (at < len(self._words) and self._words[at].startswith(word))


def _parts(word: str) -> set[str]:
    "A word without the marks around it, and its halves."
    bare = word.strip("'’" + _EDGES + "-–—")
    return {part for part in (bare, re.sub(r"['’]s$", "", bare), *re.split(r"[-–—/]", bare)) if part}


def _forms(word: str) -> set[str]:
    "Other forms of a word, as `grounding` takes them for the same."
    forms = {word, word.replace("’", "'"), word + "'s"}
    low = word.lower()
    if low.isalpha() and word == low:
        cut = {low[: -len(end)] for end in _ENDINGS if end and low.endswith(end) and len(low) - len(end) > 2}
        roots = {low, base_form(low), *cut}
        made = {root + end for root in roots for end in _ENDINGS} | {third_person(root) for root in roots}
        forms |= {form for form in made if stem(form) == stem(low)}
    return forms
