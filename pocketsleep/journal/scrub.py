"""Secrets are replaced before a text is written: `[secret: kind]`.

Three kinds of evidence, strongest first: a shape that only secrets have (vendors' prefixes, key blocks,
check digits), a word that announces one ("password", "PIN", "API key") with a value next to it, and a
random-looking token near such a word. The value goes, the words around it stay. Plugins may know of more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pocketsleep import hooks
from pocketsleep.journal.announced import ANNOUNCED, CLUES, NEARBY
from pocketsleep.journal.shapes import RANDOM, SHAPES, Shape

_HOLE = "\ue000"
_LABEL = re.compile(r"\[secret: [a-z ]{2,30}\]")


def storable(text: str) -> str:
    "The text as SQLite can keep it: lone surrogates and NUL become U+FFFD."
    return re.sub("[\ud800-\udfff\x00]", "\ufffd", text)


def scrub(text: str) -> tuple[str, list[str]]:
    "The text without its secrets, and the kinds found, in the rules' order. Doing it twice changes nothing."
    return _scrub(text, {})


def scrub_turns(texts: Iterable[str], known: dict[str, str] | None = None) -> list[str]:
    "The same for a conversation: a secret that was told once is known again in later turns. `known`: those told before; grows."
    known = {} if known is None else known
    return [_scrub(text, known)[0] for text in texts]


def _scrub(text: str, known: dict[str, str]) -> tuple[str, list[str]]:
    "`known`: secrets found so far and their kinds; grows."
    kinds: list[str] = []
    text = storable(text).replace(_HOLE, "\ufffd")
    # A secret's label is a single character until the end, so that no rule reads the words in it.
    labels = _LABEL.findall(text)
    text = _LABEL.sub(_HOLE, text)
    shapes: Iterable[Shape] = (*SHAPES, *(ANNOUNCED if CLUES.search(text) else ()), NEARBY, RANDOM)
    for shape in shapes:
        text, labels, found = _replace(shape, text, labels)
        kinds += [shape[0]] * len(found)
        known |= {one: shape[0] for one in found if _tellable(one)}
    for kind, one in _plugged(text):
        text, labels, found = _replace((kind, re.compile(re.escape(one)), bool), text, labels)
        kinds += [kind] * len(found)
        known |= {one: kind for one in found if _tellable(one)}
    for one, kind in known.items():
        if one not in text:  # a pattern is compiled for what stands there only: secrets times turns are many
            continue
        again = (kind, re.compile(rf"(?<!\w){re.escape(one)}(?!\w)"), bool)
        text, labels, found = _replace(again, text, labels)
        kinds += [kind] * len(found)
    rest = iter(labels)
    return re.sub(_HOLE, lambda _: next(rest), text), kinds


def _plugged(text: str) -> list[tuple[str, str]]:
    "(kind, secret) as plugins found them."
    return [pair for _, found in hooks.ask("scrubber", _pairs, text=text) for pair in found] if text else []


def _pairs(answer: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    "With kinds that are known again as labels. Whatever is no pair of texts raises."
    named = [(re.sub(r"[^a-z ]", "", kind.lower())[:30].strip(), one.strip()) for kind, one in answer]
    return [(kind if len(kind) > 1 else "secret", one) for kind, one in named if len(one) > 1]


def _tellable(secret: str) -> bool:
    "Whether a secret can be known again by itself: 'tarragon' and '381' may be said for other reasons."
    return len(secret) >= 4 and bool(re.search(r"\d|\w[^\w\s'’.-]", secret))


def _replace(shape: Shape, text: str, labels: list[str]) -> tuple[str, list[str], list[str]]:
    "The text with a hole for each secret of this shape, the labels of all its holes in order, the secrets."
    kind, pattern, holds = shape
    pieces: list[str] = []
    ordered: list[str] = []
    found: list[str] = []
    last = 0
    for match in pattern.finditer(text):
        start, end = match.span(match.lastgroup or 0)
        if _HOLE in text[start:end] or not holds(text[start:end]):
            continue
        passed = text.count(_HOLE, last, start)
        ordered += [*labels[:passed], f"[secret: {kind}]"]
        labels = labels[passed:]
        pieces += [text[last:start], _HOLE]
        found.append(text[start:end])
        last = end
    return "".join([*pieces, text[last:]]), ordered + labels, found
