"""What a person thought of answers: the question each was given to, and what it rested on.

A mark holds for the notes that stood behind the answer, and for each no longer than until it is said once more. What is private,
hidden or forgotten, and what came without a receipt, marks nothing that can be asked or kept from being said again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pocketsleep.journal.memories import Memories
from pocketsleep.journal.receipts import Receipts
from pocketsleep.journal.store import Row
from pocketsleep.journal.turns import Turns
from pocketsleep.nouns import Cite


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer that was marked, and how it was put right ('' where it was not). `memories`: ids of live notes behind it; `turns`:
    those that said them, or that it quotes."""

    question: str
    answer: str
    memories: tuple[str, ...] = ()
    turns: tuple[Cite, ...] = ()
    correction: str = ""


class Ratings(Turns, Memories, Receipts):
    "Marks of answers, beside what they rested on."

    def rated(self, rating: str, question: str = "") -> list[Rated]:
        "Answers that are marked `up` or `down`, the oldest first; of one `question` alone."
        rows = self.rows(
            "select a.episode, a.idx, a.place, a.text, f.correction from feedback_shown f join turns_shown a "
            "on a.episode = f.episode and a.idx = f.turn where f.rating = ? and a.mark is null and a.private = 0 and a.text <> '' "
            "order by a.place",
            rating,
        )
        asked = [(row, self._answered(row)) for row in rows]
        return [found for row, told in asked if told and (not question or same_question(told, question))
                if (found := self._rated(row, told))]

    def _answered(self, answer: Row) -> str:
        "What an answer was given to: the person's own message right before it, '' where that is private, hidden or gone."
        row = self.row(
            "select role, text, mark, private, taint from turns_shown where episode = ? and idx < ? order by idx desc limit 1",
            answer["episode"],
            answer["idx"],
        )
        own = row is not None and row["role"] == "user" and row["mark"] is None and not row["private"] and not row["taint"]
        return row["text"] or "" if row and own else ""

    def _rated(self, answer: Row, question: str) -> Rated | None:
        "None where what it rested on is gone: notes that are live no more, or were said again since, or words that are hidden."
        cite = Cite(answer["episode"], answer["idx"])
        receipt = self.receipts(cite.episode).get(cite.turn)
        if receipt is None:
            return None
        notes = [m for name in receipt.memories if (m := self._live(name)) and not self._said_after(name, answer["place"])]
        turns = [*(self.quoted_in(cite) if receipt.source == "said" else []), *(c for m in notes for c in self._said(m))]
        if receipt.source and not (notes or turns):
            return None
        right = "" if self.excluded(answer["correction"]) else answer["correction"]
        return Rated(question, answer["text"], tuple(notes), tuple(dict.fromkeys(turns)), right)

    def _live(self, memory_id: str) -> str:
        return memory_id if self.row("select 1 from memories_shown where id = ? and status = 'active'", memory_id) else ""

    def _said(self, memory_id: str) -> list[Cite]:
        rows = self.rows("select episode, turn from cites_shown where memory = ? order by place", memory_id)
        return [Cite(row["episode"], row["turn"]) for row in rows]

    def _said_after(self, memory_id: str, place: int) -> bool:
        return self.row("select 1 from cites_shown where memory = ? and place > ? limit 1", memory_id, place) is not None


def same_question(one: str, other: str) -> bool:
    "Whether two questions are the same but for case, punctuation, articles and contractions."
    return _plain(one) == _plain(other)


def _plain(question: str) -> list[str]:
    low = question.casefold().replace("’", "'")
    low = re.sub(r"\b(what|who|where|when|how)(?:'s|s)\b", r"\1 is", re.sub(r"n't\b", " not", low))
    return [word.replace("'", "") for word in re.findall(r"[\w']+", low) if word not in ("a", "an", "the", "please")]
