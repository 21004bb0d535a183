"All live notes, and whether something was said in them."

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pocketsleep.night.grammar.words import DETERMINERS, PREPOSITIONS, wordset

_STOP = (
    DETERMINERS
    | PREPOSITIONS
    | wordset(
        """user users the is are was were has have had and or not be been do does did will who which called
    named years"""
    )
)


@dataclass(frozen=True, slots=True)
class Live:
    "All live notes, to ask whether something was said."

    notes: tuple[str, ...]
    words: frozenset[str]

    @classmethod
    def of(cls, notes: Sequence[str], implied: frozenset[str] = frozenset()) -> Live:
        "`implied`: words that no note has and that say what one does."
        return cls(tuple(notes), frozenset(w for note in notes for w in content(note)) | implied)

    def knows(self, phrase: str) -> bool:
        "Whether any word of the phrase stands in any note."
        return any(w in self.words or w.rstrip("s") in self.words for w in content(phrase))

    def says(self, about: Sequence[str], words: frozenset[str]) -> bool:
        "Whether a note that mentions one of the names `about` also has one of `words`."
        for note in self.notes:
            found = content(note)
            if found & words and any(a in found for a in about):
                return True
        return False

    def apart(self, name: str, text: str) -> bool:
        "Whether no note on `name` speaks of anything that the text does: what the text asks of that name was never said."
        mine, asked = content(name), content(text) - content(name)
        return not any(mine & content(note) and asked & content(note) for note in self.notes)

    def names(self, noun: str) -> set[str]:
        "Names that notes give to the user's <noun>: several of them make 'my <noun>' ambiguous."
        found: set[str] = set()
        for note in self.notes:
            found |= {m for m in re.findall(rf"\b{re.escape(noun)}s? (?:is |are )?(?:called |named )?([A-ZÀ-Þ][\w-]+)", note)}
        return found


@lru_cache(maxsize=16384)
def content(text: str) -> frozenset[str]:
    "Content words in lower case, without possessive."
    found = (w.lower().removesuffix("'s").removesuffix("’s") for w in re.findall(r"[\w'’-]+", text))
    return frozenset(w for w in found if w not in _STOP)
