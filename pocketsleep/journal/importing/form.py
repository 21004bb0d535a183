"""What the formats share: a file as its reader sees it, and the way from what was said to an Episode."""

from __future__ import annotations

import contextlib
import lzma
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

import ijson

from pocketsleep.errors import BadInput
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Feedback, Role, Turn, content_id

UNPACK = "unpack it: `pocketsleep import conversations.json`"
Seen = Callable[[int, int], None]  # bytes read so far, and how many there are
_PARTS = ("conversations", "chats", "data")  # under which an export that is an object may keep its conversations


@dataclass(frozen=True, slots=True)
class BadLine:
    "A line, a conversation, or a part of one, that could not be read."

    number: int  # from 1
    what: str
    hint: str = ""
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.unit} {self.number}: {self.what}"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. `read` gives conversations one at a time; `knows` says by the first conversation (JSON) whether
    a file is of this kind, and is never asked of others."""

    name: str
    title: str
    read: Callable[[Path, Seen], Iterator[Episode | BadLine]]
    knows: Callable[[dict[str, Any]], bool] = lambda first: False


@dataclass(frozen=True, slots=True)
class Said:
    "One message of a conversation elsewhere. Role `tool` for whatever the person did not write: results, files, sources."

    role: Role
    text: str
    at: str = ""
    rating: str = ""


class Unreadable(Exception):
    "What is wrong with one conversation."


def episode(source: str, name: object, said: Iterable[Said], started_at: str = "", private: bool = False) -> Episode | None:
    "The conversation under `source-name`, None when nothing was said in it."
    turns: list[Turn] = []
    feedback: list[Feedback] = []
    for one in said:
        if not one.text.strip():
            continue
        turns.append(Turn(one.role, one.text, taint(turns, one.role, one.text), private, one.at or started_at))
        if one.rating:
            feedback.append(Feedback(len(turns) - 1, cast(Any, one.rating)))
    if not any(turn.role == "user" for turn in turns):
        return None
    known = str(name) if isinstance(name, str | int) and str(name).strip() else content_id("episode", turns[0].text)
    return Episode(f"{source}-{known}", tuple(turns), started_at or turns[0].said_at, source, private, tuple(feedback))


def date(value: Any) -> str:
    "ISO 8601 in UTC, from that or from a number of (milli-, micro-, nano-) seconds; '' when it is neither."
    with contextlib.suppress(ValueError, OverflowError, OSError):  # among them one outside the years 1 to 9999 in UTC
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return ""
        while value > 1e11:
            value /= 1000
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    return ""


def path_to(leaf: Any, parent: Callable[[Any], Any], there: Callable[[Any], bool]) -> list[Any]:
    "The ids from the root of a tree to a leaf. A circle ends where it closes."
    path: dict[Any, None] = {}
    while leaf is not None and leaf not in path and there(leaf):
        path[leaf] = None
        leaf = parent(leaf)
    return list(path)[::-1]


class _Counting:
    "A stream that says how far it was read."

    def __init__(self, stream: Any, size: int, seen: Seen) -> None:
        self.stream, self.size, self.seen, self.done = stream, size, seen, 0

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self.stream.read(size)
        self.done += len(piece)
        self.seen(self.done, self.size)
        return piece


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"`{path}` cannot be read ({error.strerror})", hint="pocketsleep import FILE") from error


def is_zip(path: Path) -> bool:
    with opened(path) as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextlib.contextmanager
def documents(path: Path, seen: Seen) -> Iterator[Iterator[tuple[str, Any]]]:
    "(name, stream) of the JSON that holds conversations: the file, or each such member of a zip, unpacked as it is read."
    if not is_zip(path):
        with opened(path) as file:
            yield iter([(path.name, _Counting(file, path.stat().st_size, seen))])
        return
    try:
        with ZipFile(path) as archive:
            yield _members(path, archive, seen)
    except (BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise BadInput(f"`{path}` is a damaged zip ({error or 'it ends too soon'})", hint="download the export again") from error
    except NotImplementedError as error:  # as zipfile tells of a way of packing that it does not know
        raise BadInput(f"`{path}` is packed as cannot be read here ({error})", hint=UNPACK) from error
    except RuntimeError as error:  # and of a password; whatever else it is, it is no fault of the file's
        if "encrypted" not in str(error):
            raise
        raise BadInput(f"`{path}` is encrypted", hint=UNPACK) from error


def _members(path: Path, archive: ZipFile, seen: Seen) -> Iterator[tuple[str, Any]]:
    named = sorted((m for m in archive.infolist() if m.filename.endswith(".json")), key=lambda m: m.filename)
    found = [m for m in named if m.filename.rpartition("/")[2].startswith("conversation")] or (named if len(named) == 1 else [])
    if not found:
        raise BadInput(f"`{path}` has no conversations.json in it", hint="give the zip as it was downloaded, or the file itself")
    for member in found:
        with archive.open(member) as stream:
            yield member.filename, _Counting(stream, member.file_size, seen)


def conversations(path: Path, seen: Seen) -> Iterator[dict[str, Any] | BadLine]:
    "Each conversation of a JSON export, one in memory at a time. BadInput when the file is no JSON or breaks off."
    number = 0
    with documents(path, seen) as found:
        for name, stream in found:
            try:
                for one in ijson.items(_Whole(stream), _where(path, name), use_float=True):
                    number += 1
                    yield one if isinstance(one, dict) else BadLine(number, "is no object", unit="conversation")
            except ijson.JSONError as error:
                broken = str(error).splitlines()[0]
                raise BadInput(f"`{path}` breaks off or is no JSON, after {number} conversations ({broken})",
                               hint="what was read is kept; download the export again") from error


class _Whole:
    "A stream without its byte order mark."

    def __init__(self, stream: Any) -> None:
        self.stream, self.fresh = stream, True

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self.stream.read(size)
        if self.fresh and size != 0:
            self.fresh = False
            rest = piece.removeprefix(b"\xef\xbb\xbf")
            return rest or (self.stream.read(size) if piece else rest)
        return piece


def _where(path: Path, name: str) -> str:
    "Where in a document its conversations stand, as ijson says it: in the list, in a list under a name, or it is one itself."
    with documents(path, lambda done, size: None) as found:
        stream = next(one for other, one in found if other == name)
        try:
            for prefix, event, _ in ijson.parse(_Whole(stream)):
                if prefix == "" and event == "start_array":
                    return "item"
                if event == "start_array" and prefix in _PARTS:
                    return f"{prefix}.item"
                if event in ("start_map", "start_array") and prefix:
                    return ""
        except ijson.JSONError:
            pass
    return ""


def each(path: Path, seen: Seen, parse: Callable[[dict[str, Any]], Episode | None]) -> Iterator[Episode | BadLine]:
    "What `parse` makes of each conversation; one that it cannot read is told, the rest is read on."
    for number, plain in enumerate(conversations(path, seen), start=1):
        if isinstance(plain, BadLine):
            yield plain
            continue
        try:
            if (found := parse(plain)) is not None:
                yield found
        except Unreadable as error:
            yield BadLine(number, str(error), unit="conversation")
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            yield BadLine(number, f"is not as expected ({type(error).__name__}: {error})", unit="conversation")


def texts(parts: Any) -> str:
    "The text of a content that is a text, or a list of texts and of objects with a `text`."
    if isinstance(parts, str):
        return parts
    if isinstance(parts, dict):
        return texts(parts.get("text") or parts.get("content") or parts.get("parts"))
    if isinstance(parts, Sequence):
        return "\n".join(text for one in parts if (text := texts(one)))
    return ""
