"""Open WebUI's export of chats: a list, each with a tree of messages (`history`), of which the path to `currentId` is taken.

Older ones have `messages` alone. Files, and the sources that an answer was given, are kept as nobody's own words; the model's
thoughts and its calls of tools, which stand in its answers as `<details>`, are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, Unreadable, date, each, episode, path_to, texts
from pocketsleep.nouns import Episode, Role

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
_DETAILS = re.compile(r"<details\b[^>]{0,4000}type=\"(\w+)\"[^>]*>(?:(?!<details).)*?</details>\s*", re.DOTALL)
_LONGEST = 20_000  # characters of one source


def knows(first: dict[str, Any]) -> bool:
    chat = first.get("chat", first)
    return isinstance(chat, dict) and (isinstance(chat.get("history"), dict) or ("chat" in first and "messages" in chat))


def read(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    return each(path, seen, parse)


def parse(plain: dict[str, Any]) -> Episode | None:
    chat = plain.get("chat", plain)
    if not isinstance(chat, dict):
        raise Unreadable("has no `chat`")
    said = [one for message in _messages(chat) if isinstance(message, dict) for one in _said(message)]
    name = plain.get("id") or chat.get("id")
    return episode("openwebui", name, said, date(plain.get("created_at") or chat.get("timestamp")))


def _messages(chat: dict[str, Any]) -> list[Any]:
    tree = (chat.get("history") or {}).get("messages")
    if not isinstance(tree, dict) or not tree:
        if not isinstance(flat := chat.get("messages"), list):
            raise Unreadable("has neither `history` nor `messages`")
        return flat
    leaf = chat["history"].get("currentId")
    if leaf not in tree:
        leaf = next(reversed(tree))
    return [tree[name] for name in path_to(leaf, lambda name: tree[name].get("parentId"), tree.__contains__)]


def _said(message: dict[str, Any]) -> Iterator[Said]:
    role, at = _ROLES.get(str(message.get("role")).lower()), date(message.get("timestamp"))
    if role is None:
        return
    for file in message.get("files") or ():
        inner = file.get("file") if isinstance(file, dict) else None
        yield Said("tool", texts(((inner or {}).get("data") or {}).get("content"))[:_LONGEST], at)
    for source in message.get("sources") or message.get("citations") or ():
        yield Said("tool", texts(source.get("document") if isinstance(source, dict) else "")[:_LONGEST], at)
    text = texts(message.get("content"))
    if role == "assistant":
        if "tool_calls" in _DETAILS.findall(text):
            yield Said("tool", "[the result of a tool]", at)
        text = _DETAILS.sub("", text)
    yield Said(role, text, at, _rating(message) if role == "assistant" else "")


def _rating(message: dict[str, Any]) -> str:
    note = message.get("annotation")
    return {"1": "up", "-1": "down"}.get(str(note.get("rating")) if isinstance(note, dict) else "", "")


FORMAT = Format("openwebui", "Open WebUI's export of chats", read, knows)
