"""Looking for damage: everything that was written down twice is compared.

SQLite's own integrity check sees the shape of pages, not what they say; seals, tallies and the chain do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlite_utils.utils import sqlite3

from pocketsleep.errors import Busy, JournalDamaged, JournalError, PocketError
from pocketsleep.journal import chain
from pocketsleep.journal.forget import Forgetting
from pocketsleep.journal.migrations import TABLES
from pocketsleep.nouns import content_id

_MOST = 50  # findings told of one kind


@dataclass(frozen=True, slots=True)
class Report:
    "What `verify` looked at, and what is wrong: one sentence each."

    turns: int = 0
    memories: int = 0
    nights: int = 0
    findings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    def require(self) -> Report:
        "The same report; JournalDamaged if it found anything. Nothing is trained on a damaged ledger."
        if self.findings:
            more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
            raise JournalDamaged(
                f"the journal is damaged: {self.findings[0]}{more}",
                hint="restore the newest backup; `pocketsleep doctor` tells all findings",
            )
        return self


class Verifying(Forgetting):
    "Verifying."

    def verify(self) -> Report:
        """Re-derive every seal, tally and link, and follow every reference. A snapshot a table: who wants to write
        meanwhile waits for one of them, not for all."""
        try:
            head: chain.Head | ValueError | None = chain.read_head(self.path)  # first: what is written later goes on from it
        except ValueError as error:
            head = error
        checks: dict[str, Callable[[], Iterator[str]]] = {
            "shape": self._check_shape,
            **{f"seals of {table}": partial(self._check_seals, table) for table in TABLES},
            "tallies": self._check_tallies,
            "chain": partial(self._check_chain, head),
            "memories": self._check_memories,
            "adapters": self._check_adapters,
        }
        findings: list[str] = []
        for name, check in checks.items():
            with self.snapshot():
                findings += self._findings(name, check)
        findings += self._findings("indexes", self._check_indexes)
        turns, memories, nights = (self._count(table) for table in ("turns", "memories", "nights"))
        return Report(turns, memories, nights, tuple(findings))

    def _findings(self, name: str, check: Callable[[], Iterator[str]]) -> list[str]:
        "What a check tells; that it cannot read on is a finding too."
        found: list[str] = []
        try:
            for one in check():
                found.append(one)
                if len(found) >= _MOST:
                    return [*found, "and more of this kind"]
        except Busy:
            raise
        except (PocketError, sqlite3.Error, ValueError, KeyError, TypeError, ArithmeticError) as error:
            found.append(f"{name} cannot be read to the end ({error})")
        return found

    def _count(self, table: str) -> int:
        try:
            return int(self.rows(f"select count(*) as n from {table}")[0]["n"])
        except PocketError:
            return 0

    def _check_shape(self) -> Iterator[str]:
        for row in self.rows("pragma integrity_check"):
            if row["integrity_check"] != "ok":
                yield f"SQLite: {row['integrity_check']}"
        for row in self.rows("pragma foreign_key_check"):
            yield f"a row of {row['table']} points to a row of {row['parent']} that is not there"

    def _check_seals(self, table: str) -> Iterator[str]:
        total, count = chain.START, 0
        for row in self._each(f"select * from {table}"):
            if chain.seal(table, row) != row["seal"]:
                yield f"{table} {', '.join(str(row[key]) for key in TABLES[table])} is not what was written"
            total, count = chain.toggle(total, str(row["seal"])), count + 1
        kept = self.row("select rows, total from tallies where name = ?", table) or {
            "rows": 0,
            "total": chain.START,
        }
        if (kept["rows"], kept["total"]) != (count, total):
            yield f"{table}: {count} rows are here, and they are not the {kept['rows']} that were written"

    def _check_tallies(self) -> Iterator[str]:
        for row in self.rows("select name from tallies"):
            if row["name"] not in TABLES:
                yield f"a tally is kept for an unknown table {row['name']!r}"

    def _each(self, sql: str) -> Iterator[dict[str, object]]:
        "Rows one at a time: a long journal does not have to fit into memory."
        cursor = self.db.execute(sql)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def _check_chain(self, head: chain.Head | ValueError | None) -> Iterator[str]:
        if isinstance(head, ValueError):
            raise head
        links, previous = 0, chain.START
        reached = head is not None and head.turns == 0
        for row in self._each("select * from turns order by place"):
            links += 1
            name = f"turn {row['idx']} of `{row['episode']}`"
            if row["place"] != links:
                yield f"{links - 1} turns are followed by number {row['place']}"
                return
            if row["mark"] is None and chain.content(str(row["text"]), bytes(row["salt"])) != row["content"]:  # type: ignore[call-overload]
                yield f"{name} does not hash to what was recorded"
            if row["link"] != chain.link(previous, row):
                yield f"{name} does not follow the turn before it"
            previous = str(row["link"])
            reached = reached or (head is not None and (links, previous) == (head.turns, head.link))
        if head is None:
            yield f"`{chain.head_path(self.path).name}` is missing: the newest turns may be lost"
        elif not reached:
            yield f"the chain has {links} turns and does not reach its head, turn {head.turns}"

    def _check_memories(self) -> Iterator[str]:
        for row in self.rows("select * from memories"):
            if content_id("memory", row["text"]) != row["id"]:
                yield f"memory `{row['id']}` does not hash to its id"
            if row["status"] not in ("active", "superseded"):
                yield f"memory `{row['id']}` has the status {row['status']!r}"
        for row in self.rows(
            "select c.* from cites c left join turns t on t.episode = c.episode and t.idx = c.turn where t.place is null"
        ):
            yield f"memory `{row['memory']}` cites turn {row['turn']} of `{row['episode']}`, which is gone"

    def _check_adapters(self) -> Iterator[str]:
        known = {row["id"] for row in self.rows("select id from adapters")}
        if (worn := self.current()) and worn not in known:
            yield f"adapter `{worn}` is worn, but no night recorded it"
        for row in self.rows("select number, adapter, verdict from nights"):
            if row["verdict"]:
                json.loads(row["verdict"])
                if row["adapter"] and row["adapter"] not in known:
                    yield f"night n{row['number']} made adapter `{row['adapter']}`, which has no record"

    def _check_indexes(self) -> Iterator[str]:
        "An index is rebuilt from the tables, so damage here loses nothing. FTS5 asks for the writer's lock."
        for table in ("turns_fts", "memories_fts"):
            try:
                with self.atomic():
                    self.db.execute(f"insert into {table}({table}, rank) values ('integrity-check', 1)")
            except JournalDamaged:
                yield f"the search index {table} disagrees with its table"
            except JournalError:
                return  # a read-only disk: the tables were looked at, and the index holds nothing of its own
