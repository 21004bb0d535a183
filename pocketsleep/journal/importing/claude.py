"""Claude's export: conversations.json, alone or in its zip.

Messages have parts: text is kept, thoughts and calls of tools are not, and what tools sent back, as what was read out of
attached files, is kept as nobody's own words. Where messages name their parents, the path to the last one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, Unreadable, date, each, episode, path_to, texts
from pocketsleep.nouns import Episode, Role

_ROLES: dict[str, Role] = {"human": "user", "user": "user", "assistant": "assistant"}


def knows(first: dict[str, Any]) -> bool:
    return isinstance(first.get("chat_messages"), list)


def read(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    return each(path, seen, parse)


def parse(plain: dict[str, Any]) -> Episode | None:
    messages = plain.get("chat_messages")
    if not isinstance(messages, list):
        raise Unreadable("has no `chat_messages`")
    shown = _path([one for one in messages if isinstance(one, dict)], plain.get("current_leaf_message_uuid"))
    said = [one for message in shown for one in _said(message)]
    return episode("claude", plain.get("uuid"), said, date(plain.get("created_at")), bool(plain.get("is_temporary")))


def _path(messages: list[dict[str, Any]], leaf: Any) -> list[dict[str, Any]]:
    by_id = {one.get("uuid"): one for one in messages if one.get("uuid")}
    if not any(one.get("parent_message_uuid") in by_id for one in messages):
        return messages
    last = leaf if leaf in by_id else max(by_id, key=lambda name: date(by_id[name].get("created_at")))
    ids = path_to(last, lambda name: by_id[name].get("parent_message_uuid"), by_id.__contains__)
    return [by_id[name] for name in ids]


def _said(message: dict[str, Any]) -> Iterator[Said]:
    role, at = _ROLES.get(str(message.get("sender")).lower()), date(message.get("created_at"))
    if role is None:
        return
    for one in message.get("attachments") or ():
        if isinstance(one, dict):
            yield Said("tool", texts(one.get("extracted_content")), at)
    parts = message.get("content")
    parts = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    for one in parts:
        if one.get("type") == "tool_result":
            yield Said("tool", texts(one.get("content")), at)
    own = "\n".join(str(one["text"]) for one in parts if one.get("type", "text") in ("text", "voice_note") and one.get("text"))
    yield Said(role, own or texts(message.get("text")), at)


FORMAT = Format("claude", "Claude's export (zip or conversations.json)", read, knows)
