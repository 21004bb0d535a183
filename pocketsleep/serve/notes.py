"""The notes of one journal as recall sees them: found for a question, and what an answer may rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pocketsleep import hooks
from pocketsleep.journal import Journal
from pocketsleep.nouns import Cite, Dream, Knack, Memory
from pocketsleep.serve.backing import Backing
from pocketsleep.serve.knacks import called_for
from pocketsleep.serve.recall import NOTES, Index
from pocketsleep.serve.seek import Reader, seek, short


@dataclass(frozen=True, slots=True)
class Wrong:
    "What no answer to a question rests on any more: notes (ids), and turns; the answers that were marked, and what was right."

    memories: frozenset[str] = frozenset()
    turns: frozenset[Cite] = frozenset()
    answers: frozenset[str] = frozenset()
    instead: str = ""


NOTHING = Wrong()


class Notes:
    "Live memories with what the last night asked of them."

    def __init__(self, journal: Journal, reader: Reader | None = None) -> None:
        self.journal, self.reader = journal, reader
        self._made: tuple[tuple[str, tuple[str, ...]], Index, Backing] | None = None

    def find(self, question: str) -> list[Memory]:
        """Notes that are like the question, or of which the last night asked something like it.

        A note that nothing calls for is not brought in: to a small model an irrelevant note is an answer. A
        plugin may choose instead, among live notes alone.
        """
        chosen, wrong = self._chosen(question), self.wrong(question)
        if chosen is not None:
            return [note for note in chosen if note.id not in wrong.memories]
        index, backing = self.ledger(wrong)
        return backing.meant(question, index.find(question))

    def wrong(self, question: str) -> Wrong:
        "What the person marked as wrong when they asked the same before."
        some = self.journal.rated("down", question) if question else []
        return Wrong(frozenset(m for one in some for m in one.memories), frozenset(c for one in some for c in one.turns),
                     frozenset(one.answer for one in some), next((one.correction for one in reversed(some) if one.correction), ""))

    def sought(self, questions: Sequence[str]) -> list[list[Memory]]:
        "The same of several questions; where words call for nothing, and no plugin chooses, the note that the reader finds."
        found = [self.find(question) for question in questions]
        if self.reader is None:
            return found
        open_ = [n for n, q in enumerate(questions) if not found[n] and self.asked(q) and self.left(q)]
        notes = seek(self.reader, self.ledger()[0], [questions[n] for n in open_])
        for n, note in zip(open_, notes, strict=True):
            found[n] = [note] if note and note.id not in self.wrong(questions[n]).memories else []
        return found

    def of_tools(self, offered: Any) -> list[Knack]:
        "What is known of calls of the tools that a request offers; nothing of others."
        return called_for(self.journal, offered)

    def left(self, question: str) -> bool:
        "Whether no plugin chooses the notes for a question."
        return self._chosen(question) is None

    def asked(self, message: str) -> bool:
        "Whether a message is a short question that can be about the person."
        return message.rstrip().endswith("?") and short(message) and self.ledger()[1].asks(message)

    def _chosen(self, question: str) -> list[Memory] | None:
        "What a plugin chose, None where none does."
        if not hooks.having("recaller"):
            return None
        live = {m.id: m for m in self.journal.memories()}
        answers = hooks.ask("recaller", lambda ids: [live[i] for i in dict.fromkeys(ids)][:NOTES],
                            question=question, memories=tuple(live.values()))
        return next((notes for _, notes in answers), None)

    def ledger(self, wrong: Wrong = NOTHING) -> tuple[Index, Backing]:
        "Made anew when the notes or the adapter changed; for a question whose answer was `wrong` each time, without what that was."
        memories = self.journal.memories()
        if wrong.memories:
            some, studied = [m for m in memories if m.id not in wrong.memories], self._studied()
            return Index(some, studied), Backing(some, studied)
        stamp = (self.journal.current(), tuple(m.id for m in memories))
        if self._made is None or self._made[0] != stamp:
            studied = self._studied()
            self._made = (stamp, Index(memories, studied), Backing(memories, studied))
        return self._made[1:]

    def _studied(self) -> list[Dream]:
        "The study items of the night whose adapter is worn, or of the last one that was."
        current = self.journal.current()
        worn = [n for n in self.journal.nights() if n.verdict and n.verdict.passed]
        night = next((n for n in reversed(worn) if n.adapter == current), worn[-1] if worn else None)
        return self.journal.dreams(night.id) if night else []
