"""Full-text search: queries made of a person's words, the two FTS5 indexes, and sweeping deleted words out.

FTS5 keeps the words of a deleted row until its segments are merged; `sweep` rebuilds, vacuums, and empties
the write-ahead log, so that no file holds them.
"""

from __future__ import annotations

import re

from pocketsleep.errors import Busy, JournalError
from pocketsleep.journal.irregular import forms
from pocketsleep.journal.store import Row, Store

_ASKING = """
a about am an and any are as at be been can could did do does for from had has have how i if in is it its
me mine my myself of on or our please remind shall should tell that the their them then there these they
this to user was we were what what's when where which who who's whom whose why will with would you your
"""
QUESTION_WORDS = frozenset(_ASKING.split())
_DUE = "sweep"


def words(text: str) -> list[str]:
    "The words of a text, lower case, in order, each once."
    return list(dict.fromkeys(re.findall(r"\w+(?:['’]\w+)?", text.casefold())))


def quoted(word: str, prefix: bool = False) -> str:
    "A word as an FTS5 string: whatever it holds, it is no operator."
    return '"' + word.replace('"', '""') + '"' + ("*" if prefix else "")


def every(text: str) -> str:
    "A query for rows that have all the words, the last letters of each left open."
    return " ".join(quoted(word, prefix=True) for word in words(text))


def some(text: str) -> str:
    "A query for rows that have any of the words that carry meaning, in any form; '' when none does."
    telling = [word for word in words(text) if word not in QUESTION_WORDS and len(word) > 1]
    return " OR ".join(dict.fromkeys(quoted(form) for word in telling for form in sorted(forms(word))))


class Search(Store):
    "The two indexes, kept in step by hand: a turn or a memory enters with its row and leaves with it."

    def _index_turn(self, row: Row) -> None:
        if self._searchable(row):
            self.db.execute("insert into turns_fts(rowid, text) values (?, ?)", [row["place"], row["text"]])

    def _unindex_turn(self, row: Row) -> None:
        "`row` as it is in the table: FTS5 takes the old words from it."
        if self._searchable(row):
            self.db.execute(
                "insert into turns_fts(turns_fts, rowid, text) values ('delete', ?, ?)",
                [row["place"], row["text"]],
            )

    def _searchable(self, row: Row) -> bool:
        return self.row("select 1 from turns_said where place = ?", row["place"]) is not None

    def _index_memory(self, row: Row) -> None:
        self.db.execute(
            "insert into memories_fts(rowid, text, answer) values (?, ?, ?)",
            [row["seq"], row["text"], row["answer"]],
        )

    def _unindex_memory(self, row: Row) -> None:
        self.db.execute(
            "insert into memories_fts(memories_fts, rowid, text, answer) values ('delete', ?, ?, ?)",
            [row["seq"], row["text"], row["answer"]],
        )

    def _said_elsewhere(self, word: str) -> bool:
        "Whether any turn or memory still has this word."
        return any(
            self.row(f"select 1 from {table} where {table} match ? limit 1", quoted(word))
            for table in ("turns_fts", "memories_fts")
        )

    def _sweep_later(self) -> None:
        self.put("settings", {"name": _DUE, "value": "due"})

    def sweep(self) -> bool:
        "Make the files forget what the tables have forgotten. False when it must be tried again later."
        try:
            with self.atomic():
                for table in ("turns_fts", "memories_fts"):
                    self.db.execute(f"insert into {table}({table}) values ('rebuild')")
            self.rows("vacuum")
            if not self._empty_log():
                return False
            self.set_setting(_DUE, "")
            return self._empty_log()
        except (JournalError, Busy):
            return False

    @property
    def sweep_due(self) -> bool:
        return self.setting(_DUE) == "due"
