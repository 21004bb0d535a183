"A small model that answers greedily may say the same for ever: when to stop listening."

from __future__ import annotations

import re

TIMES, SHORTEST = 3, 25  # how often a sentence may be said, and letters of one that counts: "Yes." may come back
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]")


def loops(text: str) -> bool:
    "Whether the last whole sentence of an answer has been said TIMES times."
    said = [one.strip().casefold() for one in _SENTENCE.findall(text)]
    return bool(said) and len(said[-1]) >= SHORTEST and said.count(said[-1]) >= TIMES
