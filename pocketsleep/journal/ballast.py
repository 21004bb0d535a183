"""A file that takes up room next to the database, so that there is room when the disk is full.

Deleting a row makes a journal file grow before anything shrinks. Released, the ballast gives that room.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 256 * 1024
_PIECE = 4096


def path(database: Path) -> Path:
    return database.with_name(database.name + ".ballast")


def restore(database: Path) -> bool:
    "Put the ballast back, or as much of it as there is room for. False when it is not whole."
    place = path(database)
    with contextlib.suppress(OSError):
        if place.stat().st_size == SIZE:
            return True
    try:
        _write(place)
    except OSError:
        return False
    return True


def _write(place: Path) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(SIZE // _PIECE):
            os.write(handle, os.urandom(_PIECE))  # random: a file system that packs zeros would keep no room
        os.fsync(handle)
    finally:
        os.close(handle)


def release(database: Path) -> None:
    "Give the room back to the disk."
    with contextlib.suppress(OSError):
        path(database).unlink()
