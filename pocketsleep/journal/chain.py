"""Hashes that let `verify` find a changed byte: seals, the chain of turns, and its head on disk.

    content = blake2b(text, salt)                     a commitment: says nothing once the salt is gone
    link    = blake2b(previous link, episode, index, role, taint, private, said_at, content)
    seal    = blake2b(table, every column of a row)   one a row, of whatever table
    tally   = XOR of a table's seals, and their count one a table: finds rows that are lost

A forgotten turn loses its text and its salt and keeps `content`, so that the chain still links over it.
Seals are not keyed: they find decay and accidents, not someone who rewrites the file and its hashes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pocketsleep import disk

START = "b2-" + "0" * 32


def _digest(*fields: Any) -> str:
    packed = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=bytes.hex)
    return "b2-" + blake2b(packed.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def content(text: str, salt: bytes) -> str:
    "A commitment to a text. Salted (16 bytes), so that a short text cannot be guessed from it later."
    return "b2-" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, salt=salt).hexdigest()


def link(previous: str, row: Mapping[str, Any]) -> str:
    "The hash that ties a turn to all turns recorded before it."
    names = ("episode", "idx", "role", "taint", "private", "said_at", "content")
    return _digest("link", previous, *(row[name] for name in names))


def seal(table: str, row: Mapping[str, Any]) -> str:
    "The hash over every column of a row but the seal itself."
    return _digest("seal", table, *((name, row[name]) for name in sorted(row) if name != "seal"))


def mark(key: bytes, kind: str, *fields: Any) -> str:
    "A tombstone: a keyed hash by which a forgotten text is known again, without the text."
    packed = json.dumps([kind, *fields], ensure_ascii=False).encode("utf-8", "surrogatepass")
    return "k2-" + blake2b(packed, digest_size=16, key=key).hexdigest()


def toggle(total: str, *seals: str) -> str:
    "XOR hashes into a running total: a hash put in twice is out again."
    number = int(total[3:], 16)
    for one in seals:
        with contextlib.suppress(ValueError):  # a damaged seal: the tally then disagrees, as it should
            number ^= int(one[3:], 16)
    return f"b2-{number:032x}"


@dataclass(frozen=True, slots=True)
class Head:
    "How many turns the chain had, and its last link."

    turns: int
    link: str


def head_path(database: Path) -> Path:
    return database.with_name(database.name + ".head")


def read_head(database: Path) -> Head | None:
    "The head kept beside the database; None when there is none. ValueError when it cannot be understood."
    try:
        plain = json.loads(head_path(database).read_text("utf-8"))
        return Head(int(plain["turns"]), str(plain["link"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"cannot be understood ({error})") from error


def write_head(database: Path, head: Head) -> None:
    "Whole or not at all. A head that is behind is harmless, so a full disk does not stop the caller."
    with contextlib.suppress(OSError), disk.new_file(head_path(database)) as draft:
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"turns": head.turns, "link": head.link}), "utf-8")
