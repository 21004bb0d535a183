"""How tools stand in a prompt and in an answer.

Templates that know tools write them their own way. For all others they are written as text: what there is in the system
message, a call as `<tool_call>{"name": ..., "arguments": ...}</tool_call>` in the assistant's turn, a result as the user's. Models
that were taught tools mostly answer in the same form, so one reader serves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pocketsleep.nouns import Message

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CALL = re.compile(rf"{OPEN}(.*?){CLOSE}", re.DOTALL)
_TOLD = ("You can call functions. Here they are, as JSON, one a line:\n{tools}\n"
         'To call one, answer with <tool_call>{{"name": ..., "arguments": ...}}</tool_call> and nothing else.')
Call = Mapping[str, Any]  # {"name": str, "arguments": dict}


def written(content: str, calls: Iterable[Call]) -> str:
    "An assistant's turn with calls, as text: always the same for the same."
    return "\n".join([*([content.strip()] if content.strip() else []), *(f"{OPEN}\n{_json(call)}\n{CLOSE}" for call in calls)])


def said(message: Message) -> str:
    "What a message says, its calls included."
    return written(message.content, json.loads(message.calls)) if message.calls else message.content


def tidy(answer: str) -> str:
    "An answer with its calls written as `written` does."
    parts = list(split([answer]))
    calls = [part for part in parts if not isinstance(part, str)]
    return written("".join(part for part in parts if isinstance(part, str)), calls) if calls else answer


def as_text(messages: Sequence[Message]) -> list[Message]:
    "A conversation with tools, for a template that has none."
    found: list[Message] = []
    for message in messages:
        if message.tools:
            listed = "\n".join(_json(one.get("function", one)) for one in json.loads(message.tools))
            message = replace(message, content=f"{message.content}\n\n{_TOLD.format(tools=listed)}".strip(), tools="")
        if message.role == "tool":
            message = Message("user", f"<tool_response>\n{message.content}\n</tool_response>")
            if found and found[-1].role == "user":  # several results: most templates want turns to alternate
                message = Message("user", f"{found.pop().content}\n{message.content}")
        found.append(replace(message, content=said(message), calls=""))
    return found


def split(pieces: Iterable[str]) -> Iterator[str | Call]:
    "An answer that comes in pieces: its text as it comes, its calls as they are whole. A call that is none is text."
    held = ""
    for piece in pieces:
        held += piece
        while call := _CALL.search(held):
            if before := held[: call.start()]:
                yield before
            yield _read(call[1]) or call[0]
            held = held[call.end() :]
        safe = held.find(OPEN) if OPEN in held else len(held) - _begun(held)
        if safe:
            yield held[:safe]
            held = held[safe:]
    if held:
        yield held


def _read(text: str) -> Call | None:
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    arguments = call.get("arguments", call.get("parameters")) or {}
    return {"name": call["name"], "arguments": arguments} if isinstance(arguments, dict) else None


def _begun(text: str) -> int:
    "Length of the end of a text that may be the beginning of a call."
    return next((n for n in range(min(len(OPEN) - 1, len(text)), 0, -1) if OPEN.startswith(text[-n:])), 0)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
