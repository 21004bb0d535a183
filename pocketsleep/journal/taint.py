"""Whose words a turn holds. Decided from where it came, not from what it says.

tool         what a tool returned
after_tool   the assistant, with a tool's result in its context: from there to the end of the conversation
pasted       a user's turn that is, as a whole, somebody's text: quoted, fenced, forwarded, or markup
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from pocketsleep.nouns import Role, Taint, Turn

_FENCED = re.compile(r"(`{3,}|~{3,}).*?(?:\1`*~*|\Z)", re.DOTALL)
_QUOTED_LINE = re.compile(r"\s*[>|]")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "‘": "’"}
_FORWARDED = re.compile(
    r"\s*(?:-{2,}\s*)?(?:begin forwarded message|(?:forwarded|original) message|"
    r"weitergeleitete nachricht|ursprüngliche nachricht|message transféré)\b",
    re.IGNORECASE,
)
_MAIL_HEAD = re.compile(r"(?:from|to|sent|date|subject|cc|von|an|gesendet|datum|betreff|de|à|objet)\s*:\s*\S", re.IGNORECASE)
_ATTRIBUTION = re.compile(r"on .{4,80} wrote:\s*$|am .{4,80} schrieb .{1,60}:\s*$|le .{4,80} a écrit\s*:\s*$", re.IGNORECASE)
_MARKUP = re.compile(
    r"\s*<(?:!doctype|html|body|head|\?xml|div|table|svg|article|p)\b[^>]*>.*>\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_LONG_QUOTE = 8  # words: a shorter one may be the answer to "what did you say?"


def taint(before: Iterable[Turn], role: Role, text: str) -> Taint:
    "Why the next turn of a conversation is not its author's own word; '' when it is."
    if role == "tool":
        return "tool"
    if role == "assistant" and any(turn.role == "tool" or turn.taint in ("tool", "after_tool") for turn in before):
        return "after_tool"
    return "pasted" if role == "user" and wholly_pasted(text) else ""


def wholly_pasted(text: str) -> bool:
    "Whether nothing of a text is the sender's own."
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return False
    return (
        not _FENCED.sub("", text).strip()
        or _quoted_lines(lines)
        or _in_quotes(text.strip())
        or _forwarded(lines)
        or bool(_MARKUP.match(text))
        or _data(text.strip())
    )


def _quoted_lines(lines: list[str]) -> bool:
    "Every line begins with '>', but for the line that says who wrote them."
    rest = lines[1:] if len(lines) > 1 and _ATTRIBUTION.match(lines[0].strip()) else lines
    return all(_QUOTED_LINE.match(line) for line in rest)


def _in_quotes(text: str) -> bool:
    closing = _QUOTES.get(text[0])
    inner = text[1:-1]
    return (
        closing is not None
        and len(text) > 2
        and text[-1] == closing
        and closing not in inner
        and text[0] not in inner
        and len(inner.split()) >= _LONG_QUOTE
    )


def _forwarded(lines: list[str]) -> bool:
    "A mail that begins with its own head: two header lines, or a line that says it was forwarded."
    heads = sum(bool(_MAIL_HEAD.match(line.strip())) for line in lines[:4])
    return bool(_FORWARDED.match(lines[0])) or (heads >= 2 and bool(_MAIL_HEAD.match(lines[0].strip())))


def _data(text: str) -> bool:
    "A JSON document."
    if text[0] not in "{[" or text[-1] not in "}]" or len(text) < 8:
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
