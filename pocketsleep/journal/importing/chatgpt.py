"""ChatGPT's export: conversations.json, alone or in its zip.

A conversation is a tree of nodes (`mapping`); what was shown last is the path to `current_node`. Hidden nodes, those of
weight 0, the model's thoughts and what it sent to tools are left out; what tools sent back is kept as theirs. The flat form
has `messages` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketsleep.journal.importing.form import BadLine, Format, Said, Seen, Unreadable, date, each, episode, path_to, texts
from pocketsleep.nouns import Episode

_TOOLS = ("execution_output", "tether_quote", "tether_browsing_display", "system_error")
_UNSAID = ("thoughts", "reasoning_recap", "user_editable_context", "model_editable_context", "app_pairing_content")
_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "system": "system", "developer": "system", "tool": "tool"}


def knows(first: dict[str, Any]) -> bool:
    flat = isinstance(first.get("messages"), list) and "chat" not in first
    return isinstance(first.get("mapping"), dict) or flat


def read(path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    return each(path, seen, parse)


def parse(plain: dict[str, Any]) -> Episode | None:
    name = plain.get("conversation_id") or plain.get("id")
    private = bool(plain.get("is_do_not_remember")) or bool(plain.get("is_temporary_chat"))
    said = (one for message in _messages(plain) if (one := _said(message)) is not None)
    return episode("chatgpt", name, said, date(plain.get("create_time") or plain.get("started_at")), private)


def _messages(plain: dict[str, Any]) -> list[Any]:
    mapping = plain.get("mapping")
    if not isinstance(mapping, dict):
        if not isinstance(flat := plain.get("messages"), list):
            raise Unreadable("has neither a `mapping` nor `messages`")
        return flat
    nodes = {name: node for name, node in mapping.items() if isinstance(node, dict)}
    leaf = plain.get("current_node")
    if leaf not in nodes:
        ends = [name for name, node in nodes.items() if not node.get("children")]
        leaf = max(ends, key=lambda name: _time(nodes[name]), default=None)
    return [nodes[name].get("message") for name in path_to(leaf, lambda name: nodes[name].get("parent"), nodes.__contains__)]


def _time(node: dict[str, Any]) -> float:
    time = (node.get("message") or {}).get("create_time")
    return time if isinstance(time, int | float) else 0.0


def _said(message: Any) -> Said | None:
    if not isinstance(message, dict):
        return None
    about, content = message.get("metadata") or {}, message.get("content")
    author = message.get("author")
    role = _ROLES.get(str(author.get("role") if isinstance(author, dict) else message.get("role")).lower())
    kind = content.get("content_type", "text") if isinstance(content, dict) else "text"
    hidden = about.get("is_visually_hidden_from_conversation") or message.get("weight") == 0 or kind in _UNSAID
    aside = role == "assistant" and message.get("recipient") not in (None, "", "all")
    if role is None or hidden or aside:
        return None
    if kind in _TOOLS:
        role = "tool"
    return Said(role, _text(content), date(message.get("create_time")))  # type: ignore[arg-type]


def _text(content: Any) -> str:
    if not isinstance(content, dict):
        return texts(content)
    parts = content.get("parts")
    if not isinstance(parts, list):
        return texts(content.get("text") or content.get("result"))
    return "\n".join(text for part in parts if (text := _part(part)))


def _part(part: Any) -> str:
    "Dictated words are words; pictures and sounds are named in brackets."
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{str(part.get('content_type') or 'part').removesuffix('_asset_pointer').replace('_', ' ')}]"


FORMAT = Format("chatgpt", "ChatGPT's export (zip or conversations.json)", read, knows)
