"""Plain transcripts: who speaks stands at the beginning of a line, plain (`User:`), bold, or as a heading.

One file is one conversation. What stands in a code fence is no speaker. Where in doubt, words are not the user's own: one user
label holds for a whole file, and any other that stands in an answer is the answer's text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, episode, opened
from pocketsleep.nouns import Episode, Role, content_id

LONGEST = 64 << 20  # bytes
_USER = "user|human|you|me|prompt|question"
_ASSISTANT = r"assistant|ai|bot|model|chatgpt|claude|gpt-?\w*|gemini|llm|response|answer"
_WHO = re.compile(
    r"[ \t]*+(?P<mark>#{1,6}[ \t]+|\*\*|__|>?[ \t]*)?"
    rf"(?P<name>(?:(?P<user>{_USER})|(?P<assistant>{_ASSISTANT})|(?P<system>system)|(?P<tool>tool|function))(?:[ \t]+said)?)"
    r"(?P<end>[ \t]*(?:\*\*|__)?:(?:\*\*|__)?|[ \t]*(?:\*\*|__)?$)[ \t]*(?P<rest>.*)$",
    re.IGNORECASE,
)
_FENCE = re.compile(r"[ \t]*(?P<marks>`{3,}+(?!.*`)|~{3,}+(?!.*~~~))")  # none that the same line closes


class Label(NamedTuple):
    "Who begins to speak in a line, how that is written, and what stands behind it."

    role: Role
    sign: tuple[str, str]  # the name, and plain, bold, a heading or a quotation by its first mark
    rest: str


def label(line: str) -> Label | None:
    "Without a colon, only a heading is one."
    found = _WHO.match(line.rstrip("\r\n"))
    if found is None or (":" not in found["end"] and not line.lstrip().startswith(("#", "**", "__"))):
        return None
    role: Role = next(role for role in ("user", "assistant", "system", "tool") if found[role])
    style = (found["mark"] or "").strip()[:1].replace("_", "*")
    return Label(role, (" ".join(found["name"].lower().split()), style), found["rest"])


def looks_so(lines: Iterable[str]) -> bool:
    "Whether these are the first lines of a transcript: a person speaks."
    return any((found := label(line)) is not None and found.role == "user" for line in lines)


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


def _said(lines: Sequence[str]) -> Iterator[Said]:
    labelled = list(_labelled(lines))
    own = _signs([found for _, found in labelled if found])
    role: Role | None = None
    held: list[str] = []
    for line, found in labelled:
        if found is None or not _opens(found, role, own):
            held.append(line)
            continue
        if role:
            yield Said(role, "\n".join(held).strip())
        role, held = found.role, [found.rest]
    if role:
        yield Said(role, "\n".join(held).strip())


def _labelled(lines: Sequence[str]) -> Iterator[tuple[str, Label | None]]:
    "Each line with its label. A fence may open behind one; a fence that nothing closes is none."
    fence = ""
    ahead = {mark: _longest_ahead([_closing(line, mark) for line in lines]) for mark in "`~"}
    for number, line in enumerate(lines):
        if fence:
            fence = "" if _closing(line, fence[0]) >= len(fence) else fence
            yield line, None
            continue
        found = label(line)
        begun = _FENCE.match(found.rest if found else line)
        if begun and ahead[begun["marks"][0]][number] >= len(begun["marks"]):
            fence = begun["marks"]
        yield line, found


def _closing(line: str, mark: str) -> int:
    "How long a fence a line can close: the marks at its end, code before them or not."
    line = line.rstrip()
    before = line.rstrip(mark)
    return 0 if 3 * mark in before else len(line) - len(before)


def _longest_ahead(lengths: Sequence[int]) -> list[int]:
    "The largest of what follows each."
    return list(accumulate(reversed(lengths), max, initial=0))[-2::-1]


def _signs(labels: Sequence[Label]) -> dict[Role, tuple[str, str]]:
    """How the user and the assistant are written in this file: as at first. Where a file's head has several for the user
    (`Prompt:`, then `User:`) the one that comes most often."""
    users: list[tuple[str, str]] = []
    for one in labels:
        if one.role == "assistant" and users:
            break
        users += [one.sign] if one.role == "user" else []
    every = Counter(one.sign for one in labels)
    first: dict[Role, tuple[str, str]] = {one.role: one.sign for one in reversed(labels)}
    return first | ({"user": max(dict.fromkeys(users), key=every.__getitem__)} if users else {})


def _opens(found: Label, role: Role | None, own: dict[Role, tuple[str, str]]) -> bool:
    "Whether a turn begins here. Any label but the user's may end a user's turn; to begin one takes the file's own."
    if found.role in ("system", "tool") or (found.role == "assistant" and role != "assistant"):
        return True
    return found.sign == own[found.role]


FORMAT = Format("text", "a transcript (`User:`, `Assistant:`)", read)
