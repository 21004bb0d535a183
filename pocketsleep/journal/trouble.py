"What SQLite and the disk complain of, said as a PocketError with a hint."

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils.utils import sqlite3

from pocketsleep.errors import Busy, JournalDamaged, JournalError, PocketError

_FULL = "disk is full"
_KNOWN: tuple[tuple[str, type[PocketError], str, str], ...] = (  # SQLite says; error; what; hint
    ("locked", Busy, "is being written by another process", "try again in a moment"),
    ("busy", Busy, "is being written by another process", "try again in a moment"),
    (
        _FULL,
        JournalError,
        f"cannot grow: the {_FULL}",
        "free some space, then try again (`pocketsleep forget` and `pocketsleep undo` work even now)",
    ),
    (
        "readonly",
        JournalError,
        "cannot be written: the file or its disk is read-only",
        "make it writable, or choose another home: `POCKETSLEEP_HOME=/some/folder pocketsleep doctor`",
    ),
    (
        "not a database",
        JournalError,
        "is not a database",
        "move it away and run `pocketsleep doctor`: a new one is made",
    ),
    ("malformed", JournalDamaged, "is damaged", "restore the newest backup, then run `pocketsleep doctor`"),
    (
        "unable to open",
        JournalError,
        "cannot be opened",
        "choose another home: `POCKETSLEEP_HOME=/some/folder pocketsleep doctor`",
    ),
    (
        "disk i/o",
        JournalError,
        "cannot be read or written: the disk reports an error",
        "look at the disk's health and its free space",
    ),
    ("closed database", JournalError, "is closed", "open it anew"),
)


def explain(path: Path, error: Exception) -> PocketError:
    "The same trouble in plain words."
    said = str(error).lower()
    for clue, kind, what, hint in _KNOWN:
        if clue in said:
            return kind(f"the journal `{path}` {what}", hint=hint)
    return JournalError(f"the journal `{path}` refuses ({error})", hint="`pocketsleep doctor` looks closer")


def is_full(error: PocketError) -> bool:
    "Whether the error told of a full disk."
    return _FULL in str(error)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    "Turn errors of SQLite and of the file system into PocketErrors."
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except UnicodeError as error:  # a name or a message of SQLite's that is no text any more
        raise explain(path, ValueError("malformed")) from error
    except OSError as error:
        raise JournalError(
            f"the journal `{path}` cannot be opened ({error.strerror or error})",
            hint="choose another home: `POCKETSLEEP_HOME=/some/folder pocketsleep doctor`",
        ) from error
