"""One SQLite connection: how it is opened, how it writes, and how its errors are told.

A write is a transaction (`atomic`), and every row goes through `put` or `remove`, which keep its seal and
its table's tally. Threads may share a Store: one statement or one transaction runs at a time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3  # pysqlite3 where it is installed

from pocketsleep.errors import Busy, JournalError, JournalTooNew
from pocketsleep.journal import ballast, chain, place, versions
from pocketsleep.journal.migrations import MIGRATIONS, TABLES
from pocketsleep.journal.scrub import storable
from pocketsleep.journal.trouble import is_full, told

T = TypeVar("T")
Row = dict[str, Any]


class Store:
    "An open journal file. `patience` is how long to wait for another writer, in seconds."

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        self.path = Path(path)
        self.sqlite_version: str = sqlite3.sqlite_version
        self._lock, self._depth, self._pid = threading.RLock(), 0, os.getpid()
        self._moved: dict[str, tuple[int, str]] = {}
        self._patience = patience
        with told(self.path):
            place.check(self.path)
            self._create()
            self.db = self._connect(patience)
            try:
                self._migrate()
                self.mode, self.mode_reason = self._choose_mode()
            except BaseException:
                self.db.conn.close()
                raise
        self._furnish()

    def _create(self) -> None:
        "A new file is the owner's alone from its first byte; SQLite gives its side files the same mode."
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        elif self.path.is_file() and self.path.stat().st_mode & 0o077 and os.name == "posix":
            with contextlib.suppress(OSError):
                self.path.chmod(0o600)

    def _connect(self, patience: float) -> Database:
        conn = sqlite3.connect(str(self.path), timeout=patience, isolation_level=None, check_same_thread=False)
        # A damaged byte must reach `verify` as text that differs, not as a decoding error.
        conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        for pragma in (
            "synchronous=full",
            "secure_delete=on",
            "foreign_keys=on",
            "temp_store=memory",
            "fullfsync=on",
            "checkpoint_fullfsync=on",
            "cell_size_check=on",
        ):
            conn.execute(f"pragma {pragma}")
        return Database(conn, recursive_triggers=False, execute_plugins=False)

    def _migrate(self) -> None:
        "Apply what is missing, one transaction each; two processes may open a new file at once."
        while (done := self._version()) < len(MIGRATIONS):
            with self.atomic():
                if self._version() == done:
                    MIGRATIONS[done](self.db.execute)
                    self.db.execute(f"pragma user_version = {done + 1}")
        if done > len(MIGRATIONS):
            raise JournalTooNew(
                f"the journal `{self.path}` has format {done}; this version knows up to {len(MIGRATIONS)}",
                hint="pip install --upgrade pocketsleep",
            )

    def _version(self) -> int:
        return int(self.db.execute("pragma user_version").fetchone()[0])

    def _choose_mode(self) -> tuple[str, str]:
        wanted, reason = versions.choose(self.sqlite_version)
        mode = str(self.db.execute("pragma journal_mode").fetchone()[0])
        if mode == wanted:
            return mode, reason
        try:
            mode = str(self.db.execute(f"pragma journal_mode={wanted}").fetchone()[0])
        except sqlite3.OperationalError as error:
            if mode == "wal":
                raise Busy(
                    f"the journal is open in WAL mode elsewhere; {reason}",
                    hint="close the other pocketsleep, or run both with one Python",
                ) from error
        return mode, reason if mode == wanted else "another process, or a read-only disk, keeps it so"

    def _furnish(self) -> None:
        "The files beside the database. None of them is needed to read."
        ballast.restore(self.path)
        with contextlib.suppress(JournalError, Busy, ValueError):
            if chain.read_head(self.path) is None and not self.rows("select 1 from turns limit 1"):
                chain.write_head(self.path, chain.Head(0, chain.START))

    def close(self) -> None:
        with self._lock:
            self.db.conn.close()

    @property
    def lonely(self) -> bool:
        "Whether this is still the process that opened the file: a connection must not cross a fork."
        return os.getpid() == self._pid

    def _own(self) -> None:
        if not self.lonely:
            raise JournalError(f"the journal `{self.path}` was opened before a fork", hint="open it anew in the child")

    def rows(self, sql: str, *params: Any) -> list[Row]:
        "What a query answers, as dictionaries."
        self._own()
        with self._lock, told(self.path):
            cursor = self.db.execute(sql, params)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, *params: Any) -> Row | None:
        found = self.rows(sql, *params)
        return found[0] if found else None

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        "Both or neither. The writer's lock is taken at once; an inner block joins the outer one."
        self._own()
        with self._lock, told(self.path):
            if self._depth:
                yield
                return
            self.db.execute("begin immediate")
            self._depth, self._moved = 1, {}
            try:
                yield
                self._keep_tallies()
                self.db.execute("commit")
            except BaseException:
                if self.db.conn.in_transaction:
                    self.db.execute("rollback")
                raise
            finally:
                self._depth = 0
        self._committed()

    def _committed(self) -> None:
        "What is to be done after a transaction has ended well."

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        "Several reads that see one state, even while another process writes."
        self._own()
        with self._lock, told(self.path):
            if self._depth:
                yield
                return
            self.db.execute("begin")
            try:
                yield
            finally:
                self.db.execute("rollback")

    @contextlib.contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        "Another patience for a while."
        self.rows(f"pragma busy_timeout = {int(seconds * 1000)}")
        try:
            yield
        finally:
            self.rows(f"pragma busy_timeout = {int(self._patience * 1000)}")

    def vital(self, work: Callable[[], T]) -> T:
        "Do what must also work on a full disk: there, the ballast makes room for it."
        try:
            return work()
        except JournalError as error:
            if not is_full(error):
                raise
        ballast.release(self.path)
        try:
            return work()
        finally:
            with contextlib.suppress(JournalError, Busy):
                self._empty_log()
            ballast.restore(self.path)

    def _empty_log(self) -> bool:
        "A truncating checkpoint answers 'busy' while someone reads: then the log still has old pages."
        return self.mode != "wal" or not self.rows("pragma wal_checkpoint(truncate)")[0]["busy"]

    def put(self, table: str, row: Row) -> Row:
        "Insert a row, or replace the one with its key. Inside `atomic`."
        keys = TABLES[table]
        row = {name: storable(value) if isinstance(value, str) else value for name, value in row.items() if name != "seal"}
        row["seal"] = chain.seal(table, row)
        self._move(table, self._seal_of(table, row), row["seal"])
        changed = ", ".join(f"{name} = excluded.{name}" for name in row if name not in keys)
        self.db.execute(
            f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))}) "
            f"on conflict ({', '.join(keys)}) do update set {changed}",
            tuple(row.values()),
        )
        return row

    def remove(self, table: str, row: Row) -> None:
        "Delete a row by its key. Inside `atomic`."
        self._move(table, self._seal_of(table, row), None)
        self.db.execute(f"delete from {table} where {self._where(table)}", [row[key] for key in TABLES[table]])

    def _where(self, table: str) -> str:
        return " and ".join(f"{key} = ?" for key in TABLES[table])

    def _seal_of(self, table: str, row: Row) -> str | None:
        old = self.row(f"select seal from {table} where {self._where(table)}", *(row[key] for key in TABLES[table]))
        return old["seal"] if old else None

    def _move(self, table: str, old: str | None, new: str | None) -> None:
        count, total = self._moved.get(table, (0, chain.START))
        total = chain.toggle(total, *(one for one in (old, new) if one))
        self._moved[table] = (count + (new is not None) - (old is not None), total)

    def _keep_tallies(self) -> None:
        for table, (count, moved) in self._moved.items():
            old = self.row("select rows, total from tallies where name = ?", table) or {
                "rows": 0,
                "total": chain.START,
            }
            self.db.execute(
                "insert or replace into tallies values (?, ?, ?)",
                [table, old["rows"] + count, chain.toggle(old["total"], moved)],
            )

    def setting(self, name: str) -> str:
        "A kept value, '' when there is none."
        found = self.row("select value from settings where name = ?", name)
        return str(found["value"]) if found else ""

    def set_setting(self, name: str, value: str) -> None:
        with self.atomic():
            self.put("settings", {"name": name, "value": value})

    @property
    def key(self) -> bytes:
        "The random key of this journal's tombstones. Made when it is first needed, inside `atomic`."
        if not (known := self.setting("tombstone_key")):
            known = secrets.token_hex(32)
            self.put("settings", {"name": "tombstone_key", "value": known})
        return bytes.fromhex(known)

    def buried(self, kind: str, *fields: Any) -> bool:
        "Whether this was forgotten once."
        if not (known := self.setting("tombstone_key")):
            return False
        stone = chain.mark(bytes.fromhex(known), kind, *fields)
        return self.row("select 1 from tombstones where mark = ?", stone) is not None

    def _mark(self, kind: str, *fields: Any) -> str:
        return chain.mark(self.key, kind, *fields)

    def bury(self, kind: str, *fields: Any) -> str:
        "Leave a tombstone: a keyed hash, no text. Inside `atomic`."
        stone = self._mark(kind, *fields)
        self.put("tombstones", {"mark": stone, "kind": kind})
        return stone
