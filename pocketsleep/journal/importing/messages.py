"""JSON Lines in the OpenAI message format, one conversation a line.

    {"id": "...", "started_at": "...", "private": false,
     "messages": [{"role": "user", "content": "..."}, ...],
     "feedback": [{"message": 3, "rating": "up", "correction": "..."}]}

A broken line is told with its number and the rest is read on. A turn's index is its message's index.
"""

from __future__ import annotations

import codecs
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing.form import BadLine, Seen, opened
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Feedback, Role, Turn, content_id

LONGEST = 64 << 20  # bytes of one line
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_TEXT_PARTS = ("text", "input_text", "output_text")


class _Wrong(Exception):
    "What is wrong with one conversation."


def looks_so(head: bytes) -> bool:
    "Whether a file that begins so is JSON Lines of conversations; in UTF-16 it can be nothing else."
    if head[:2] in _UTF16 or _guess(head[:4]) != "utf-8":
        return True
    line, _, rest = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return line[:1] == b"{" and b'"messages"' in line and b'"history"' not in line and not rest
    bare = isinstance(first, list) and bool(first) and isinstance(first[0], dict) and "role" in first[0]
    return bare or (isinstance(first, dict) and isinstance(first.get("messages"), list))


def read_jsonl(path: Path, seen: Seen = lambda done, size: None) -> Iterator[Episode | BadLine]:
    """The conversations of a file, line by line. BadInput when it is no JSON Lines file at all; a line that
    cannot be read is a BadLine, and so is feedback that points nowhere (its conversation comes too)."""
    with opened(path) as file:
        size = Path(path).stat().st_size
        for number, line in _lines(path, file):
            seen(file.tell(), size)
            if isinstance(line, BadLine):
                yield line
            elif line.strip():
                yield from _conversation(path, number, line)


def checked(number: int, plain: Any) -> Iterator[Episode | BadLine]:
    "The same of one conversation that was read elsewhere."
    try:
        episode, lost = _episode(plain)
    except (_Wrong, ValueError, RecursionError) as error:
        yield BadLine(number, str(error), unit="conversation")
    else:
        yield episode
        yield from (BadLine(number, what, unit="conversation") for what in lost)


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, str | BadLine]]:
    "UTF-8 is cut into lines before it is decoded, so that one bad byte costs one line."
    start = file.read(4)
    file.seek(0)
    encoding = _UTF16.get(start[:2]) or _guess(start)
    stream: IO[Any] = file if encoding == "utf-8" else io.TextIOWrapper(file, encoding, newline="\n")
    for number in itertools.count(1):
        try:
            line = _line(stream, b"\n" if stream is file else "\n")
            text = line.decode() if isinstance(line, bytes) else line
        except UnicodeDecodeError as error:
            what = f"is not {encoding.upper()} (byte 0x{error.object[error.start]:02x} at {error.start + 1})"
            yield number, BadLine(number, what, hint=f"`iconv -f latin1 -t utf-8 {path}` if it is Latin-1")
            if stream is not file:
                return
            continue
        if not text:
            return
        too_long = BadLine(number, f"is longer than {LONGEST >> 20} MiB")
        yield number, too_long if len(line) > LONGEST else text.removeprefix("\ufeff").rstrip("\r\n")


def _guess(start: bytes) -> str:
    "UTF-16 without its mark shows as zero bytes around a '{'; all else must be UTF-8."
    if start[1:2] == b"\0" and start[:1] != b"\0":
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" and start[1:2] != b"\0" else "utf-8"


def _line(stream: IO[Any], newline: Any) -> Any:
    "One line. Only the beginning of an overlong one is kept; the rest of it is read past."
    line = more = stream.readline(LONGEST + 1)
    while len(more) >= LONGEST and not more.endswith(newline):
        more = stream.readline(LONGEST)
    return line


def _conversation(path: Path, number: int, line: str) -> Iterator[Episode | BadLine]:
    try:
        plain = json.loads(line)
        if isinstance(plain, list):
            plain = _bare(path, number, plain)
        episode, lost = _episode(plain)
    except (ValueError, RecursionError) as error:
        if number == 1 and line.strip() == "[":
            raise _array(path) from error
        yield BadLine(number, f"is not JSON ({error})", hint="each line holds one conversation")
    except _Wrong as error:
        yield BadLine(number, str(error))
    else:
        yield episode
        yield from (BadLine(number, what) for what in lost)


def _array(path: Path) -> BadInput:
    return BadInput(f"`{path}` is a JSON array, not JSON Lines", hint=f"`jq -c '.[]' {path} > conversations.jsonl`")


def _bare(path: Path, number: int, plain: list[Any]) -> dict[str, Any]:
    "A line may be the messages alone."
    if number == 1 and plain and isinstance(plain[0], dict) and "messages" in plain[0]:
        raise _array(path)
    return {"messages": plain}


def _episode(plain: Any) -> tuple[Episode, list[str]]:
    "A conversation, and what of its feedback was lost."
    if not isinstance(plain, dict):
        raise _Wrong(f"holds {_kind(plain)} instead of a conversation")
    messages = plain.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _Wrong("has no `messages`")
    private = _flag(plain.get("private"))
    started_at = _text_or_empty(plain.get("started_at"))
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        turns.append(_turn(turns, index, message, private, started_at))
    feedback, lost = _feedback(plain.get("feedback"), len(turns))
    name = plain.get("id")
    name = (
        str(name)
        if isinstance(name, str | int) and not isinstance(name, bool) and str(name).strip()
        else content_id("episode", started_at, *(field for turn in turns for field in (turn.role, turn.text)))
    )
    return Episode(name, tuple(turns), started_at, "import", private, feedback), lost


def _turn(before: list[Turn], index: int, message: Any, private: bool, started_at: str) -> Turn:
    if not isinstance(message, dict):
        raise _Wrong(f"message {index} is {_kind(message)} instead of an object")
    if not isinstance(message.get("role"), str):
        raise _Wrong(f"message {index} has no `role`")
    role = _ROLES.get(message["role"].strip().lower())
    if role is None:
        raise _Wrong(f"message {index} has an unknown role {message['role'][:40]!r}")
    text = _content(index, message)
    return Turn(role, text, taint(before, role, text), private, _text_or_empty(message.get("said_at")) or started_at)


def _content(index: int, message: Mapping[str, Any]) -> str:
    "The text of a message. Parts that are not text (images, sound) are named in brackets."
    content = message.get("content", message.get("refusal"))
    if content is None:
        if message.get("role") == "assistant" or "content" in message:
            return ""
        raise _Wrong(f"message {index} has no `content`")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part(index, part) for part in content)
    raise _Wrong(f"message {index} has {_kind(content)} as its `content`")


def _part(index: int, part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise _Wrong(f"message {index} has {_kind(part)} among its parts")
    if part.get("type", "text") in _TEXT_PARTS and isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{_text_or_empty(part.get('type')) or 'part'}]"


def _feedback(plain: Any, turns: int) -> tuple[tuple[Feedback, ...], list[str]]:
    found, lost = [], []
    for one in plain if isinstance(plain, list) else [] if plain is None else [plain]:
        index = one.get("message") if isinstance(one, dict) else None
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < turns:
            lost.append(f"has feedback on message {index!r}, which is not there")
            continue
        rating, correction = one.get("rating") or "", _text_or_empty(one.get("correction"))
        if rating not in ("up", "down", ""):
            lost.append(f"has a rating {rating!r} on message {index} instead of 'up' or 'down'")
            rating = ""
        if rating or correction:
            found.append(Feedback(index, cast(Any, rating), correction))
    return tuple(found), lost


def _flag(value: Any) -> bool:
    "Whether a conversation is private; anything unclear counts as yes."
    return value not in (None, False, 0, "", "false", "False", "no", "0")


def _text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )
