"""The dreamer by day: of which note a question is likely to be asked, and whether that note answers it.

What it learnt for the night - questions on a note, answers from notes or "not said" - is what looking something up takes. It runs
beside what talks: dressing one engine in turns takes longer. llama.cpp lends it the weights in memory, where they are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import exp, inf
from threading import Lock

import numpy as np

from pocketsleep.errors import PocketError
from pocketsleep.night.dreamt import UNSAID, prompt, reading
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.lead import in_second_person
from pocketsleep.night.nearness import Near
from pocketsleep.nouns import Cite, Memory
from pocketsleep.runtime import Prompt, Runtime

ROOM = 400  # tokens of a note and a question together; longer ones are not read
IN_MIND = 256  # questions: each is asked of notes, then of what was said
UNKNOWN = 0.5  # neither found nor doubted (serve/seek.py)
Pair = tuple[Memory, str]  # a note, a question
Put = Callable[[Memory, str], tuple[Prompt, str]]


class Finder:
    """Loaded when first asked. `load`: the skills' base, wearing the dreamer. Where that fails nothing is found and nothing
    doubted, as by words alone: `unread` says why."""

    def __init__(self, load: Callable[[], Runtime], near: Callable[[], Near | None] = lambda: None) -> None:
        self._load, self._placed, self._lock = load, cache(near), Lock()
        self._runtime: Runtime | None = None
        self._asked: dict[str, np.ndarray] = {}
        self.unread = ""

    def asked(self, pairs: Sequence[Pair]) -> list[float]:
        "Log-likelihood of each question after its note, in nats, without the end of the turn: further questions may follow."
        return self._scored(pairs, lambda m, q: (prompt("ask", m.text), q), lambda score: sum(score[:-1]), -inf)

    def unsaid(self, pairs: Sequence[Pair]) -> list[float]:
        "How likely the reader's answer from the note is to be that it is not said there."
        return self._scored(pairs, lambda m, q: (reading([m.text], q), UNSAID), lambda score: exp(sum(score)), UNKNOWN)

    def _scored(self, pairs: Sequence[Pair], put: Put, mark: Callable[[list[float]], float], unread: float) -> list[float]:
        with self._lock:
            runtime = self._engine() if pairs else None
            if runtime is None:
                return [unread] * len(pairs)
            sizes = {text: runtime.count(text) for text in {text for m, q in pairs for text in (m.text, q)}}
            able = [n for n, (m, q) in enumerate(pairs) if sizes[m.text] + sizes[q] <= ROOM]
            scores = dict(zip(able, runtime.score([put(*pairs[n]) for n in able]), strict=True))
        return [mark(scores[n]) if n in scores else unread for n in range(len(pairs))]

    def near(self, question: str) -> list[str]:
        "Ids of the notes that have a vector, the nearest first; none where nothing can be read."
        asked = self._vector(question)
        return asked[0].notes(asked[1]) if asked else []

    def near_sayings(self, question: str, most: int) -> list[tuple[Cite, int]]:
        "The nearest sentences that may be quoted, each as (turn, which of its sentences)."
        asked = self._vector(question)
        return asked[0].sayings(asked[1], most) if asked else []

    def _vector(self, question: str) -> tuple[Near, np.ndarray] | None:
        with self._lock:
            if (runtime := self._engine()) is None or (near := self._placed()) is None:
                return None
            if question not in self._asked:
                if len(self._asked) >= IN_MIND:
                    self._asked.clear()
                self._asked[question] = near.maps.questions(runtime.embed([question]))[0]
            return near, self._asked[question]

    def said(self, memory: Memory) -> str:
        "The note in the second person."
        return sentence(in_second_person(memory.text))

    def _engine(self) -> Runtime | None:
        if self._runtime is None and not self.unread:
            try:
                self._runtime = self._load()
            except (PocketError, OSError) as wrong:
                self.unread = f"{wrong}; {wrong.hint}" if isinstance(wrong, PocketError) else str(wrong)
        return self._runtime

    def failure(self) -> str:
        "Why it cannot read, '' where it can; loaded to know."
        with self._lock:
            self._engine()
            return self.unread

    def close(self, for_good: bool = False) -> None:
        "It is loaded again when next asked, unless it was `for_good`."
        with self._lock:
            if self._runtime is not None:
                self._runtime.close()
                self._runtime = None
            if for_good:
                self.unread = "it is closed"
