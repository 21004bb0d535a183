"""How programs' tools want to be called, as nights found it out: names and shapes, never a value or a word of a result.

A knack stands with the turns that showed it. What hides one of these hides it, and what forgets one of them takes it along. Two
conversations that showed the same keep it in two places, and it is one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from pocketsleep.errors import BadInput
from pocketsleep.journal.nights import Nights
from pocketsleep.journal.store import Row
from pocketsleep.nouns import Knack

_SHORTEST = len("tool-") + 4  # characters of an id by which one is found


class Knacks(Nights):
    "Keeping, telling and forgetting them. No memory is made of one, so no night learns it."

    def keep_knacks(self, night_id: str, found: Iterable[Knack]) -> None:
        "Keep what a night found. The same of the same turns is kept once."
        with self.atomic():
            number = self._number(night_id)
            for one in self.new_knacks(found):
                self.put("knacks", {"id": one.id, "night": number, "tool": one.tool, "argument": one.argument, "wants": one.wants,
                                    "was": one.was, "episode": one.episode, "begins": one.first, "ends": one.last})

    def new_knacks(self, found: Iterable[Knack]) -> list[Knack]:
        "Those that are not there yet, but what was forgotten, or goes by a turn that was, and what an excluded pattern stands in."
        there = (one for one in found if not (self._kept(one) or self._gone(one)))
        return [one for one in there if not (self.buried(*_tombstone(one)) or self.excluded(one.text))]

    def _kept(self, one: Knack) -> bool:
        there = "select 1 from knacks where id = ? and episode = ? and begins = ?"
        return self.row(there, one.id, one.episode, one.first) is not None

    def _gone(self, one: Knack) -> bool:
        "Whether one of its turns was forgotten while a night read them."
        gone = "select 1 from turns where episode = ? and idx between ? and ? and mark is not null"
        return self.row(gone, one.episode, one.first, one.last) is not None

    def knacks(self, tools: Collection[str] | None = None, night: str = "") -> list[Knack]:
        "What is known of these tools (None: of all), or what a night found: one a place, the newest first."
        number = self._number(night) if night else None
        named = None if tools is None else json.dumps(list(tools))
        rows = self.rows(
            "select * from knacks_shown where (? is null or night = ?) and (? is null or tool in (select value from json_each(?))) "
            "order by place desc, tool, argument",
            number,
            number,
            named,
            named,
        )
        return [one for one in map(_knack, rows) if not self.excluded(one.text)]

    def _knacks_named(self, target: str) -> list[Row]:
        "The rows of one knack, by its id or the beginning of it. A conversation of that name comes first."
        if not target.startswith("tool-") or len(target) < _SHORTEST or self.row("select 1 from episodes where id = ?", target):
            return []
        rows = self.rows("select * from knacks where substr(id, 1, ?) = ?", len(target), target)
        if len({row["id"] for row in rows}) > 1:
            raise BadInput(f"`{target}` begins the ids of several", hint="type more of it: `pocketsleep memories --tools`")
        return rows

    def _knacks_of(self, turns: Sequence[Row]) -> list[Row]:
        "The rows that go by one of these turns."
        going = {(turn["episode"], turn["idx"]) for turn in turns}
        rows = self.rows("select * from knacks") if going else []
        return [row for row in rows if any((row["episode"], at) in going for at in range(row["begins"], row["ends"] + 1))]

    def _erase_knacks(self, rows: Sequence[Row]) -> tuple[str, ...]:
        "Delete them. One that nothing shows any more does not come back. Returns the ids of these."
        for row in rows:
            self.remove("knacks", row)
        left = {row["id"] for row in self.rows("select id from knacks")}
        gone = {row["id"]: row for row in rows if row["id"] not in left}
        for row in gone.values():
            self.bury(*_tombstone(_knack(row)))
        return tuple(gone)


def _tombstone(one: Knack) -> tuple[str, ...]:
    return "knack", one.tool, one.argument, one.wants, one.was


def _knack(row: Row) -> Knack:
    return Knack(row["tool"], row["argument"], row["wants"], row["was"], row["episode"], row["begins"], row["ends"])
