"""Which notes a question calls for: matched against the notes and against what the last night asked of them.

A person asks in other words than the note's ("the mouser" for the cat). The night has already asked of each note in
many words, so its study questions find the note as well (document expansion by queries, 1904.08375). Questions that
the night declined stand for no note: what is most like one of them calls for none.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocketsleep.journal.irregular import BASE
from pocketsleep.nouns import Dream, Memory

NOTES = 3  # more drown a small model
LEAST = 0.5  # likeness below which a note is not called for
FAR, SECOND = 0.3, 4  # likeness and number of notes for a second look
BESIDE = 0.85  # of the best likeness: what comes along with it
K1, B = 1.2, 0.75  # BM25 as it is commonly set
_STOP = frozenset(
    """a about am an and any are as at be been by can could did do does for from get give had has have he her his how i if in is it
    its me mine my no not of on or our please remind say shall she should so tell than that the their them then there these they
    this to us user was we were what when where which who whom whose why will with would yes you your s d m ve re ll t""".split()
)


def words(text: str) -> frozenset[str]:
    "Stems of the words that carry meaning: lower case, no accents, common endings off, grew as grow."
    folded = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    return frozenset(_stem(BASE.get(w, w)) for w in re.findall(r"[^\W_]+", plain) if w not in _STOP)


def _stem(word: str) -> str:
    for ending, put in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + put
    return word


@dataclass(frozen=True, slots=True)
class _Entry:
    memory: str  # id, '' for a question that is declined
    words: frozenset[str]


class Index:
    """All live notes with their study questions. Small enough to be made anew whenever either changes.

    How alike a question and one entry are (Dice) says whether a note is called for at all. Which one is said by BM25 over one
    document a note, the note and all that was asked of it: many questions together know more words for a thing than any of them.
    """

    def __init__(self, memories: Sequence[Memory], dreams: Iterable[Dream]) -> None:
        self.memories = tuple(memories)  # the oldest first
        self._by_id = {m.id: m for m in memories}
        self._entries = [_Entry(m.id, words(m.text)) for m in memories]
        for dream in dreams:
            if dream.form == "context" or dream.form == "rewrite":
                continue
            live = [m for m in dream.memories if m in self._by_id]
            declined = dream.form == "unstated" or (dream.form == "contrast" and "told me" in dream.answer)
            for memory in [""] if declined else live[:1]:
                self._entries.append(_Entry(memory, words(dream.question)))
        self._at: dict[str, list[int]] = defaultdict(list)
        for i, entry in enumerate(self._entries):
            for word in entry.words:
                self._at[word].append(i)
        self._documents = _documents(self._entries)
        self._mean = sum(d.total() for d in self._documents.values()) / max(1, len(self._documents)) or 1.0
        self._in = Counter(word for document in self._documents.values() for word in document)

    def find(self, question: str, limit: int = NOTES) -> list[Memory]:
        "The notes that a question calls for, the likeliest first."
        alike = self._likeness(question)
        declined = alike.pop("", 0.0)
        most = max(alike.values(), default=0.0)
        if most < max(LEAST, declined):
            return []
        return self.ranked(question, [m for m, s in alike.items() if s >= BESIDE * most])[:limit]

    def near(self, question: str) -> list[Memory]:
        "Notes that could be meant, for a second look at a question that was declined."
        alike = self._likeness(question)
        alike.pop("", None)
        return self.ranked(question, [m for m, s in alike.items() if s >= FAR])[:SECOND]

    def rivals(self, question: str, memory: Memory) -> list[Memory]:
        """Notes for a second look at an answer that rests on this one, where another is called for more by as much as a word weighs
        that stands in one note alone. Where no word calls for this one, words say nothing of it: it may never have been studied."""
        asked, ranked = words(question), self.ranked(question)
        mark = self._bm25(asked, memory.id)
        doubted = mark > 0 and self._bm25(asked, ranked[0].id) - mark >= math.log(1 + len(self._documents))
        return ranked[:SECOND] if doubted else []

    def ranked(self, question: str, memories: Iterable[str] | None = None) -> list[Memory]:
        "These notes (default: all that share a word with the question or what was asked of them), the likeliest first."
        asked = words(question)
        some = self._documents if memories is None else memories
        marks = {m: mark for m in some if (mark := self._bm25(asked, m)) > 0}
        return [self._by_id[m] for m in sorted(marks, key=lambda m: -marks[m])]

    def _bm25(self, asked: frozenset[str], memory: str) -> float:
        "Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, eq. 3.15: weights of words (nats), saturated."
        document = self._documents[memory]
        long = K1 * (1 - B + B * document.total() / self._mean)
        return sum(self._rarity(w) * document[w] * (K1 + 1) / (document[w] + long) for w in asked if w in document)

    def _rarity(self, word: str) -> float:
        return math.log(1 + len(self._documents) / self._in[word])

    def _weight(self, word: str) -> float:
        return math.log(1 + len(self._entries) / (1 + len(self._at.get(word, ()))))

    def _likeness(self, question: str) -> dict[str, float]:
        "Memory id -> likeness of its likest entry, 0 to 1; '' for what is declined."
        asked = words(question)
        best: dict[str, float] = {}
        whole = sum(map(self._weight, asked))
        for i in {i for word in asked for i in self._at.get(word, ())}:
            entry = self._entries[i]
            shared = sum(self._weight(w) for w in asked & entry.words)
            likeness = 2 * shared / (whole + sum(map(self._weight, entry.words)))
            best[entry.memory] = max(best.get(entry.memory, 0.0), likeness)
        return best


def _documents(entries: Iterable[_Entry]) -> dict[str, Counter[str]]:
    "Memory id -> how many of its entries hold each word."
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry.memory:
            made[entry.memory].update(entry.words)
    return made
