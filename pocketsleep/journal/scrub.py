"""Secrets are replaced before a text is written: `[secret: kind]`.

Three kinds of evidence, strongest first: a shape that only secrets have (vendors' prefixes, key blocks,
check digits), a word that announces one ("password", "PIN", "API key") with a value next to it, and a
random-looking token near such a word. The value goes, the words around it stay.
"""

from __future__ import annotations

import re

from pocketsleep.journal.announced import ANNOUNCED, CLUES, NEARBY
from pocketsleep.journal.shapes import RANDOM, SHAPES, Shape

_HOLE = "\ue000"
_LABEL = re.compile(r"\[secret: [a-z ]{2,30}\]")


def storable(text: str) -> str:
    "The text as SQLite can keep it: lone surrogates and NUL become U+FFFD."
    return re.sub("[\ud800-\udfff\x00]", "\ufffd", text)


def scrub(text: str) -> tuple[str, list[str]]:
    "The text without its secrets, and the kinds found, in the rules' order. Doing it twice changes nothing."
    kinds: list[str] = []
    text = storable(text).replace(_HOLE, "\ufffd")
    # A secret's label is a single character until the end, so that no rule reads the words in it.
    labels = _LABEL.findall(text)
    text = _LABEL.sub(_HOLE, text)
    for shape in (*SHAPES, *(ANNOUNCED if CLUES.search(text) else ()), NEARBY, RANDOM):
        before = len(labels)
        text, labels = _replace(shape, text, labels)
        kinds += [shape[0]] * (len(labels) - before)
    rest = iter(labels)
    return re.sub(_HOLE, lambda _: next(rest), text), kinds


def _replace(shape: Shape, text: str, labels: list[str]) -> tuple[str, list[str]]:
    "The text with a hole for each secret of this shape, and the labels of all its holes in order."
    kind, pattern, holds = shape
    pieces: list[str] = []
    ordered: list[str] = []
    last = 0
    for match in pattern.finditer(text):
        start, end = match.span(match.lastgroup or 0)
        if _HOLE in text[start:end] or not holds(text[start:end]):
            continue
        passed = text.count(_HOLE, last, start)
        ordered += [*labels[:passed], f"[secret: {kind}]"]
        labels = labels[passed:]
        pieces += [text[last:start], _HOLE]
        last = end
    return "".join([*pieces, text[last:]]), ordered + labels
