"""The log database of the `llm` command (`llm logs path`), both shapes of it: threads, which point at the last of a chain of
messages, and what older versions wrote, a row for each prompt and response. One conversation is read at a time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, date, episode, path_to, texts
from pocketsleep.nouns import Episode, Role

MAGIC = b"SQLite format 3\0"
_HINT = 'pocketsleep import "$(llm logs path)"'
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}


def read(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    with _database(path) as db:
        tables = {row[0] for row in db.execute("select name from sqlite_master where type = 'table'")}
        if not tables >= {"responses", "conversations"} and "threads" not in tables:
            raise BadInput(f"`{path}` is an SQLite database, and not one of llm's logs", hint=_HINT)
        old = _all(db, tables, "responses", "select distinct coalesce(conversation_id, id) from responses")
        new = _all(db, tables, "threads", "select id, tip_message_hash, datetime_utc from threads")
        for number, name in enumerate(old):
            seen(number, len(old) + len(new))
            yield from _found(number, lambda name=name: _legacy(db, tables, name[0]))
        for number, thread in enumerate(new, start=len(old)):
            seen(number, len(old) + len(new))
            yield from _found(number, lambda thread=thread: _thread(db, *thread))


def _all(db: Any, tables: set[str], table: str, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.execute(sql)] if table in tables else []


def _found(number: int, make: Any) -> Iterator[Episode | BadLine]:
    try:
        if (one := make()) is not None:
            yield one
    except (sqlite3.Error, ValueError, TypeError) as error:
        yield BadLine(number + 1, f"cannot be read ({error})", unit="conversation")


@contextlib.contextmanager
def _database(path: Path) -> Iterator[Any]:
    "Opened to read alone."
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise BadInput(f"`{path}` cannot be read as SQLite ({error})", hint=_HINT) from error


def _legacy(db: Any, tables: set[str], name: str) -> Episode | None:
    rows = db.execute("select id, prompt, system, response, datetime_utc from responses where coalesce(conversation_id, id) = ? "
                      "order by datetime_utc, id", [name]).fetchall()
    said: list[Said] = []
    for one, prompt, system, response, when in rows:
        at = date(when)
        said += [Said("system", system or "", at)] if system and not said else []
        for table, sql in (("prompt_fragments", "select f.content from prompt_fragments p join fragments f on f.id = p.fragment_id "
                                                'where p.response_id = ? order by p."order"'),
                           ("tool_results", "select output from tool_results where response_id = ? order by id")):
            if table in tables:
                said += [Said("tool", row[0] or "", at) for row in db.execute(sql, [one])]
        said += [Said("user", prompt or "", at), Said("assistant", response or "", at)]
    return episode("llm", name, said)


def _thread(db: Any, name: str, tip: str, begun: str) -> Episode | None:
    when: dict[str, str] = {}
    for row in db.execute("select parent_message_hash, tip_message_hash, datetime_utc from turns where thread_id = ?", [name]):
        when |= dict.fromkeys(row[:2], date(row[2]))

    def up(message: str) -> Any:
        row = db.execute("select parent_hash from messages where hash = ?", [message]).fetchone()
        return row[0] if row else None

    said: list[Said] = []
    for message in path_to(tip, up, lambda one: True):
        said += _message(db, message, when.get(message, ""))
    return episode("llm", name, said, date(begun))


def _message(db: Any, message: str, at: str) -> Iterator[Said]:
    "Fragments and results of tools first, then what was said with them."
    row = db.execute("select role from messages where hash = ?", [message]).fetchone()
    role = _ROLES.get(row[0]) if row else None
    own: list[str] = []
    parts = "select type, text, payload from parts where message_hash = ? order by position"
    for kind, text, packed in db.execute(parts, [message]):
        payload = json.loads(packed) if packed else {}
        if kind == "tool_result":
            yield Said("tool", texts(payload.get("output") or text), at)
        elif kind == "text":
            for piece in payload.get("text_ref") or [{"literal": text or ""}]:
                if "literal" in piece:
                    own.append(piece["literal"])
                elif found := db.execute("select content from fragments where id = ?", [piece.get("fragment")]).fetchone():
                    yield Said("tool", found[0] or "", at)
    if role:
        yield Said(role, "".join(own).strip("\n"), at)


FORMAT = Format("llm", "the log database of the llm command (logs.db)", read)
