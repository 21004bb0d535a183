"""Conversations from elsewhere, one format a file.

    messages    JSON Lines, OpenAI's message format       chatgpt     conversations.json, or its zip
    llm         the log database of the llm command       claude      conversations.json, or its zip
    text        transcripts                               openwebui   an export of chats

Each gives Episodes one at a time, in bounded memory, and tells what it cannot read. Adding one: `register(Format(...))`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing import chatgpt, claude, llm, openwebui, plugged, text
from pocketsleep.journal.importing.form import BadLine, Format, Seen, conversations, is_zip, opened
from pocketsleep.journal.importing.messages import read_jsonl
from pocketsleep.nouns import Episode

AUTO, HEAD = "auto", 1 << 16  # bytes looked at


def _messages(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    return read_jsonl(path, seen)


FORMATS: dict[str, Format] = {}


def register(one: Format) -> None:
    "A later one takes the name of an earlier one."
    FORMATS[one.name] = one


_LINES = Format("messages", "JSON Lines, a conversation a line (OpenAI's messages)", _messages)
for _one in (_LINES, openwebui.FORMAT, claude.FORMAT, chatgpt.FORMAT, llm.FORMAT, text.FORMAT):
    register(_one)


def read(path: Path, form: str = AUTO, seen: Seen = lambda done, size: None) -> Iterator[Episode | BadLine]:
    "The conversations of a file. BadInput when it cannot be read, or is of no format that is known."
    name = detect(path) if form == AUTO else form
    known = plugged.formats() | FORMATS  # a plugin's never stands for one of ours
    if name not in known:
        raise BadInput(f"there is no format `{form}`", hint=f"--format {AUTO}|{'|'.join(known)}")
    return known[name].read(path, seen)


def detect(path: Path) -> str:
    "The format of a file, by what stands in it."
    with opened(path) as file:
        head = file.read(HEAD)
    if name := plugged.claimed(path):
        return name
    if head.startswith(llm.MAGIC):
        return "llm"
    if not is_zip(path):
        if _is_lines(head):
            return "messages"
        if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"[", b"{"):
            if text.looks_so(head.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()[:2000]):
                return "text"
            raise _unknown(path, "it is neither JSON, a zip, an SQLite database nor a transcript")
    first = next((one for one in conversations(path, lambda done, size: None) if isinstance(one, dict)), None)
    if first is None:
        raise _unknown(path, "it holds no conversation")
    for form in FORMATS.values():
        if form.knows(first):
            return form.name
    raise _unknown(path, f"its first conversation has {', '.join(f'`{key}`' for key in list(first)[:6]) or 'nothing in it'}")


def _is_lines(head: bytes) -> bool:
    "JSON Lines, UTF-16 too: an object that ends where its line does, or breaks off within what was looked at."
    from pocketsleep.journal.importing.messages import looks_so

    return looks_so(head)


def _unknown(path: Path, why: str) -> BadInput:
    known = "; ".join(f"{one.name} is {one.title}" for one in FORMATS.values())
    return BadInput(f"`{path}` is of no format that is known: {why}", hint=f"`pocketsleep import {path} --format NAME`: {known}")


__all__ = ["AUTO", "FORMATS", "BadLine", "Format", "Seen", "detect", "read", "read_jsonl", "register"]
