"All live notes, and whether something was said in them."

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
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

    notes: tuple[str, ...]  # some of which stand in front of questions
    words: frozenset[str]
    by_word: Mapping[str, Sequence[frozenset[str]]]  # a word -> the words of each note that has it

    @classmethod
    def of(cls, notes: Sequence[str], implied: frozenset[str] = frozenset(), beside: Sequence[str] = ()) -> Live:
        "`implied`: words that no note has and that say what one does. `beside`: further notes, which stand in front of nothing."
        by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
        for words in map(content, (*notes, *beside)):
            for word in words:
                by_word[word].append(words)
        return cls(tuple(notes), frozenset(by_word) | implied, dict(by_word))

    def knows(self, phrase: str) -> bool:
        "Whether any word of the phrase stands in any note."
        return any(w in self.words or w.rstrip("s") in self.words for w in content(phrase))

    def says(self, about: Sequence[str], words: frozenset[str]) -> bool:
        "Whether a note that mentions one of the names `about` also has one of `words`."
        return any(found & words for name in about for found in self.by_word.get(name, ()))

    def apart(self, name: str, text: str) -> bool:
        "Whether no note on `name` speaks of anything that the text does: what the text asks of that name was never said."
        mine, asked = content(name), content(text) - content(name)
        return not any(found & asked for word in mine for found in self.by_word.get(word, ()))


@lru_cache(maxsize=16384)
def content(text: str) -> frozenset[str]:
    "Content words in lower case, without possessive."
    found = (w.lower().removesuffix("'s").removesuffix("’s") for w in re.findall(r"[\w'’-]+", text))
    return frozenset(w for w in found if w not in _STOP)
