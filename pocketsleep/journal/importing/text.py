"""Plain transcripts: who speaks stands at the beginning of a line, plain (`User:`), bold, or as a heading.

One file is one conversation. What stands in a code fence is no speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, episode, opened
from pocketsleep.nouns import Episode, Role, content_id

LONGEST = 64 << 20  # bytes
_USER = "user|human|you|me|prompt|question"
_ASSISTANT = r"assistant|ai|bot|model|chatgpt|claude|gpt-?\w*|gemini|llm|response|answer"
_WHO = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]+|\*\*|__|>?[ \t]*)?"
    rf"(?:(?P<user>{_USER})|(?P<assistant>{_ASSISTANT})|(?P<system>system)|(?P<tool>tool|function))"
    r"(?:[ \t]+said)?(?P<end>[ \t]*(?:\*\*|__)?:(?:\*\*|__)?|[ \t]*(?:\*\*|__)?$)[ \t]*(?P<rest>.*)$",
    re.IGNORECASE,
)


def speaker(line: str) -> tuple[Role, str] | None:
    "Who begins to speak in a line, and what stands after the name. Without a colon, only a heading is one."
    found = _WHO.match(line.rstrip("\r\n"))
    if found is None or (":" not in found["end"] and not line.lstrip().startswith(("#", "**", "__"))):
        return None
    return next(role for role in ("user", "assistant", "system", "tool") if found[role]), found["rest"]


def looks_so(lines: Iterable[str]) -> bool:
    "Whether these are the first lines of a transcript: a person speaks."
    return any((found := speaker(line)) is not None and found[0] == "user" for line in lines)


def read(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    size = path.stat().st_size if path.is_file() else 0
    if size > LONGEST:
        raise BadInput(f"`{path}` has {size >> 20} MiB, and a transcript may have {LONGEST >> 20}",
                       hint="cut it into conversations")
    with opened(path) as file:
        raw = file.read()
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"`{path}` is not UTF-8 (byte 0x{raw[error.start]:02x} at {error.start + 1})",
                       hint=f"`iconv -f latin1 -t utf-8 {path}` if it is Latin-1") from error
    said = list(_said(lines))
    seen(size, size)
    opening = content_id("text", *(one.text for one in said[:2])).removeprefix("b2-")
    if found := episode("text", opening, said):
        yield found
    else:
        yield BadLine(1, "nobody speaks in it: lines begin with `User:` and `Assistant:`")


def _said(lines: Iterable[str]) -> Iterator[Said]:
    role: Role | None = None
    held: list[str] = []
    fenced = False
    for line in lines:
        found = None if fenced else speaker(line)
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if found is None:
            held.append(line)
            continue
        if role:
            yield Said(role, "\n".join(held).strip())
        role, held = found[0], [found[1]]
    if role:
        yield Said(role, "\n".join(held).strip())


FORMAT = Format("text", "a transcript (`User:`, `Assistant:`)", read)
