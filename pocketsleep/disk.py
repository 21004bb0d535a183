"""Files that are written once, whole or absent; and their hashes, remembered while nothing changes.

Write order: draft, fsync of each file, fsync of the draft's folder, rename, fsync of the parent.
After a power cut there is the old state or the new one, and perhaps a `.draft` that nobody reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

DRAFT = ".draft"
_BLOCK = 1 << 20


def sync(path: Path) -> None:
    "Ask the disk itself to keep a file or a folder. macOS needs F_FULLFSYNC: its fsync stops at the drive."
    if sys.platform == "win32" and path.is_dir():
        return  # Windows cannot open a folder for writing; its renames are journalled
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{DRAFT}")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A draft folder to fill; published as `path` when the block ends well, removed when it does not.

    Callers name folders by content: if `path` exists by then, it is the same and the draft is dropped.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft_of(path)
    draft.mkdir(mode=0o700)
    try:
        yield draft
        for file in sorted(draft.rglob("*"), reverse=True):  # reverse: a file before its folder
            sync(file)
        sync(draft)
        if not path.exists():
            os.rename(draft, path)
            sync(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    "A draft file's path to write to; published as `path`, in place of any old one, when the block ends well."
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft_of(path)
    try:
        yield draft
        sync(draft)
        os.replace(draft, path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_once(path: Path, data: bytes) -> None:
    "Whole or absent, never half. A second write of a file named by its content is a no-op."
    if not path.exists():
        with new_file(path) as draft:
            draft.write_bytes(data)


def sha256(path: Path) -> str:
    "Hex digest of a file's bytes."
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path, cache: Path) -> str:
    """Hex digest of a file's bytes, read anew only when its size or modification time changed.

    This saves a second per gigabyte at every start. It finds a replaced or a torn file; someone who
    alters bytes and sets the clock back is not found here.
    """
    stat = path.stat()
    place = str(path.resolve())
    seen = [place, stat.st_size, stat.st_mtime_ns]
    note = cache / "hashes" / (hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:20] + ".json")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(note.read_text("utf-8"))
        if known["seen"] == seen:
            return str(known["sha256"])
    digest = sha256(path)
    with new_file(note) as draft:
        draft.write_text(json.dumps({"seen": seen, "sha256": digest}), "utf-8")
    return digest


def folder_sha256(folder: Path, names: list[str], cache: Path) -> str:
    "Hex digest over the named files of a folder: their names and their digests, in the order of names."
    listing = [[name, known_sha256(folder / name, cache)] for name in sorted(names)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
