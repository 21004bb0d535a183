"""Answers that may only be spelled in a certain way: of the likeliest tokens, those that keep to it.

A prompt brings `begins(text)`: may an answer begin like this? It is asked of the answer so far with each of the likeliest
next tokens, so that a rule about text does for every tokenizer. The end of the turn is always allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketsleep.runtime import Begins
from pocketsleep.weights.tokenizer import Tokenizer

MOST = 128  # tokens that are tried; where none of them will do, the answer is over


@dataclass(frozen=True, slots=True)
class Spelled:
    "What may come next in one answer."

    tokenizer: Tokenizer
    begins: Begins

    def likeliest(self, said: Sequence[int], logits: np.ndarray) -> int:
        "The likeliest token, out of logits [vocabulary], that may follow the token ids said so far."
        order = _first(logits)
        ordered = order[np.argsort(-logits[order], kind="stable")].tolist()
        return next((token for token in ordered if self._may(said, token)), min(self.tokenizer.ends))

    def allowed(self, said: Sequence[int], logits: np.ndarray) -> np.ndarray:
        "[vocabulary] the logits of what may follow; -inf for the rest, and for all but the MOST likeliest."
        kept = [token for token in _first(logits).tolist() if self._may(said, token)] or [min(self.tokenizer.ends)]
        masked = np.full(logits.shape, -np.inf, np.float32)
        masked[kept] = logits[kept]
        return masked

    def _may(self, said: Sequence[int], token: int) -> bool:
        if token in self.tokenizer.ends:
            return True
        if not self.tokenizer.utf8([token]):  # a special token that ends nothing
            return False
        whole = self.tokenizer.decode([*said, token]).removesuffix("�")  # half a character shows nothing yet
        return "�" not in whole and self.begins(whole)


def texts(tokenizer: Tokenizer, answers: Sequence[Sequence[int]], held: bool) -> list[str]:
    "The texts of answers; one that was `held` may have had to stop within a character."
    whole = [tokenizer.decode(answer) for answer in answers]
    return [text.removesuffix("�") for text in whole] if held else whole


def _first(logits: np.ndarray) -> np.ndarray:
    most = min(MOST, len(logits) - 1)
    return np.argpartition(-logits, most)[:most]
