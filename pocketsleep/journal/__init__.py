"""The journal: what was said, what was learnt, what the nights did. One SQLite file, and the only SQL.

    store       the connection: modes, errors, transactions, seals
    search      FTS5 and sweeping deleted words out
    turns       conversations in a hash chain         record, episodes, episode, turn, unslept, search_turns
    before      one that is about to go on            place, as_read
    memories    what was learnt                       learn, cite, memories, memory, recall
    vectors     of what was learnt and said           vectors, said_vectors, unplaced, unplaced_sayings
    privacy     the rule: what is hidden              excluded, exclusions, hidden
    veil        keeping it, beside the tables
    again       conversations that repeat others
    nights      stages, dropped items, dreams         begin, stage, finish, drop, keep_dreams
    wearing     verdicts, what is worn                settle, use, undo, holds, scores, exclude, include, hide
    knacks      how tools want to be called           keep_knacks, new_knacks, knacks
    receipts    what answers rested on                keep_receipt, receipts
    ratings     what a person thought of them         rated
    forget      out of every table and every file     forget
    verify      looking for damage                    verify

Beside the database lie its `.head` (the chain's end, to notice lost turns) and its `.ballast` (room for
forgetting on a full disk).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from pocketsleep.journal.before import Place
from pocketsleep.journal.forget import Forgotten
from pocketsleep.journal.turns import Recorded
from pocketsleep.journal.veil import Veiled
from pocketsleep.journal.verify import Report, Verifying


class Journal(Verifying):
    "An open journal. Safe to share between threads; other processes may have it open too."

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        super().__init__(path, patience)
        self.draw_veil()
        if self.sweep_due:
            self._sweep_at_once()

    def _sweep_at_once(self) -> None:
        "Finish an earlier forgetting if nobody else is reading; else the next opening does."
        with self._waiting(0.1):
            self.sweep()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


__all__ = ["Forgotten", "Journal", "Place", "Recorded", "Report", "Veiled"]
