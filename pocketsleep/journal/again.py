"""Conversations that begin as another one does, word for word.

Programs send a conversation whole each time, and it is kept under another id when a message was edited or answered
anew, or on another day. What is told again so was said once, and is forgotten at once: its copies go with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from pocketsleep.journal.store import Row
from pocketsleep.journal.veil import Veil, root, tombstone_fields
from pocketsleep.nouns import Turn, content_id

_TELLING = {
    "user": 4,
    "system": 8,
    "assistant": 8,
    "tool": 8,
}  # words from which a text is known again anywhere


def is_telling(role: str, text: str) -> bool:
    "Whether a text is long enough to be blocked wherever it comes again; 'thanks' is not."
    return len(text.split()) >= _TELLING.get(role, 8)


def is_copied(one: str, other: str, alike: Sequence[Row], telling: bool) -> bool:
    "Whether what two conversations begin with was said once: in tellings of one root, or with its answer. A greeting is not."
    return bool(alike) and (root(one) == root(other) or (telling and any(row["role"] == "assistant" for row in alike)))


# An id, and those that begin with it and ~: \x7f comes next, so the primary key finds them without reading all the others.
_ROOTED = "select id from episodes where id = ? or (id >= ? and id < ?) order by length(id), id"
_MOST = 200  # conversations of the same opening that are compared when one is recorded


class Again(Veil):
    "What is told again."

    _openings: dict[str, list[str]]  # conversations by their first turn: the file has no index of what was said
    _last_opening = (0, "")  # place and link of the last one among them

    def _rooted(self, name: str) -> list[str]:
        "A conversation of this id and other tellings of it, the first before those that came of it."
        return [row["id"] for row in self.rows(_ROOTED, name, f"{name}~", f"{name}\x7f")]

    def _told_before(self, name: str, turns: Sequence[Turn]) -> dict[int, tuple[int, str]]:
        """For the turns with which another conversation began, the night they slept in and when they were first said. One of
        another root counts only where this one goes on after it and all of it is dated at once, as a program's request is: the same
        may be said, and answered, on two days, and an export dates each turn."""
        fresh: list[Row] = [{"role": turn.role, "text": turn.text, "mark": None} for turn in turns]
        at_once = len({turn.said_at for turn in turns}) == 1
        told: dict[int, list[Row]] = {}
        for other in self._opened_by(fresh[0])[-_MOST:]:
            kept = self._beginning(other, fresh)
            if is_copied(other, name, kept, telling=len(kept) < len(turns) and at_once):
                for index, row in enumerate(kept):
                    told.setdefault(index, []).extend([] if row["hidden"] else [row])
        return {
            index: (max(row["slept"] for row in rows), min((row["since"] for row in rows if row["since"]), default=""))
            for index, rows in told.items()
            if rows
        }

    def _beginning(self, other: str, turns: Sequence[Row]) -> list[Row]:
        "The turns of a conversation that are the same as these. One by one: most differ early."
        kept: list[Row] = []
        for index, turn in enumerate(turns):
            row = self.row(
                "select t.role, t.text, t.mark, t.slept, coalesce(nullif(t.said_at, ''), e.started_at, '') as since, "
                "v.place is not null as hidden from turns t join episodes e on e.id = t.episode "
                "left join veiled v on v.place = t.place where t.episode = ? and t.idx = ?",
                other,
                index,
            )
            if row is None or not self._same(row, turn):
                break
            kept.append(row)
        return kept

    def _opened_by(self, turn: Row) -> list[str]:
        "Conversations that open with this turn, oldest first. What was recorded since the last look is read, after a rollback all."
        place, link = self._last_opening
        if not place or not self.row("select 1 from turns where place = ? and link = ?", place, link):
            self._openings, place = {}, 0
        for row in self.rows("select * from turns where place > ? and idx = 0 order by place", place):
            self._openings.setdefault(row["mark"] or _digest(row), []).append(row["episode"])
            self._last_opening = (row["place"], row["link"])
        return [*self._openings.get(self._stone(turn), ()), *self._openings.get(_digest(turn), ())]

    def _copies(self, turns: list[Row], but: Collection[str] = ()) -> Iterator[tuple[list[Row], int]]:
        "Other conversations that begin as this one does, `but` for some: their turns, and how many of them are the same."
        for other in self._opened_alike(turns[0]) if turns else ():
            if other in but:
                continue
            kept = self.rows("select * from turns where episode = ? order by idx", other)
            alike = self._alike(kept, turns)
            telling = any(row["role"] == "user" and is_telling("user", row["text"] or "") for row in kept[:alike])
            if is_copied(other, turns[0]["episode"], kept[:alike], telling):
                yield kept, alike

    def _opened_alike(self, turn: Row) -> list[str]:
        rows = self.rows(
            "select distinct episode from turns where idx = 0 and role = ? and (text = ? or mark = ?) and episode <> ? "
            "order by place",
            turn["role"],
            turn["text"],
            self._stone(turn),
            turn["episode"],
        )
        return [row["episode"] for row in rows]

    def _alike(self, kept: Iterable[Row], turns: Iterable[Mapping[str, Any]]) -> int:
        "How many turns they begin with that say the same, or said it before they were forgotten."
        return sum(1 for _ in takewhile(lambda two: self._same(*two), zip(kept, turns, strict=False)))

    def _same(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        if one["role"] != other["role"]:
            return False
        if one["mark"] or other["mark"]:
            return self._stone(one) == self._stone(other)
        return tombstone_fields(one["role"], one["text"]) == tombstone_fields(other["role"], other["text"])

    def _stone(self, turn: Mapping[str, Any]) -> str:
        "By what a turn is known once it is forgotten; '' while nothing ever was."
        if turn["mark"] or not self.setting("tombstone_key"):
            return str(turn["mark"] or "")
        return self._mark(*tombstone_fields(turn["role"], turn["text"]))


def _digest(turn: Mapping[str, Any]) -> str:
    return content_id(*tombstone_fields(turn["role"], turn["text"]))
