"How content that is gone, or hidden, is known again in notes about it: stages, verdicts, study items."

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pocketsleep.journal.privacy import Rules
from pocketsleep.journal.search import words

GONE, HIDDEN = "[forgotten]", "[hidden]"


@dataclass(slots=True)
class Traces:
    """Ids and sentences are found anywhere, lone words as whole words. In a JSON value keys are names, and have only ids looked for
    in them, and a string of one word goes as a whole: what a night keeps is not to fall apart over "live" or "page-1"."""

    ids: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    instead: str = GONE

    def in_text(self, text: str) -> bool:
        folded = text.casefold()
        return (
            any(one in text for one in self.ids)
            or any(one in folded for one in self.phrases)
            or not self.words.isdisjoint(words(folded))
        )

    def cleared(self, value: Any) -> Any:
        "The same JSON value with what mentions it taken out."
        if isinstance(value, str):
            return self.instead if self._held(value) else value
        if isinstance(value, list):
            return [self.cleared(one) for one in value if not (isinstance(one, str) and self._held(one))]
        if isinstance(value, dict):
            return {key: self.cleared(one) for key, one in value.items() if not self._names(key)}
        return value

    def _names(self, key: str) -> bool:
        return self.in_text(key) if " " in key.strip() else any(one in key for one in self.ids)

    def _held(self, value: str) -> bool:
        return self._names(value) or value.strip(" .,!?").casefold() in self.words


@dataclass(slots=True)
class Hidden(Traces):
    "Traces of what is hidden. A string of one word is a name or an id, and is let be."

    rules: Rules = field(default_factory=Rules)
    instead: str = HIDDEN

    def in_text(self, text: str) -> bool:
        if " " not in text.strip():
            return False
        return bool(self.rules.of_text(text)) or Traces.in_text(self, text)


def sentences(text: str) -> Iterable[str]:
    "The sentences of a text by which it is known again: three words or more, in lower case."
    return (part.strip().casefold() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if len(part.split()) >= 3)
