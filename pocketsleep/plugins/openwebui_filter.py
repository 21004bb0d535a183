"""
title: pocketsleep
description: Your local memory beside any model: recalls what you told about yourself, and records what you say for the night.
author: the pocketsleep authors
license: Apache-2.0
version: 0.1.0
required_open_webui_version: 0.5.0
"""

# One file, to be pasted under Admin Panel > Functions. It needs `pocketsleep serve` on the same machine and imports nothing
# of it. Whatever goes wrong here, the chat goes on as if the filter were not there.

import asyncio
import json
import logging
import urllib.request
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

log = logging.getLogger("pocketsleep")
INTRO = "Known about the user, from what they said themselves:"


class Filter:
    class Valves(BaseModel):
        url: str = Field(default="http://127.0.0.1:8765", description="Where `pocketsleep serve` listens: a loopback address.")
        token: str = Field(default="", description="Its token; or leave this empty and name the file.")
        token_file: str = Field(default="~/.local/share/pocketsleep/token", description="The file the token lies in.")
        user: str = Field(default="", description="E-mail of the person whose memory this is; empty: any admin, nobody else.")
        recall: bool = Field(default=True, description="Put notes that a question calls for in front of it.")
        record: bool = Field(default=True, description="Record conversations for the night.")
        seconds: float = Field(default=2.0, description="How long the memory may take to answer.")
        priority: int = Field(default=0, description="Among filters, lower comes first.")

    class UserValves(BaseModel):
        remember: bool = Field(default=True, description="Let my chats be recorded.")

    def __init__(self) -> None:
        self.valves = self.Valves()

    async def inlet(self, body: dict[str, Any], __user__: dict[str, Any] | None = None,
                    __metadata__: dict[str, Any] | None = None) -> dict[str, Any]:
        "Before the model is asked: notes, as a system message."
        question = _last(body.get("messages") or [])
        if not self.valves.recall or not question.strip() or not self._mine(body, __user__):
            return body
        found = await self._ask("/notes", {"question": question})
        if notes := [one["text"] for one in (found or {}).get("notes", [])]:
            _put_in_front(body["messages"], "\n".join([INTRO, *(f"- {note}" for note in notes)]))
        return body

    async def outlet(self, body: dict[str, Any], __user__: dict[str, Any] | None = None,
                     __metadata__: dict[str, Any] | None = None) -> dict[str, Any]:
        "After the answer: the conversation as it stands. Temporary chats are not recorded."
        chat = str(body.get("chat_id") or (__metadata__ or {}).get("chat_id") or "")
        if not self.valves.record or not chat or chat.startswith("local") or not self._mine(body, __user__) or not _lets(__user__):
            return body
        messages = [plain for one in body.get("messages") or [] for plain in _plain(one)]
        if messages:
            await self._ask("/turns", {"app": "openwebui", "conversation": chat, "messages": messages})
        return body

    def _mine(self, body: dict[str, Any], user: dict[str, Any] | None) -> bool:
        "Whether this is the person whose memory it is, talking to another model: ours recalls and records by itself."
        if str(body.get("model") or "").startswith("pocketsleep") or not user:
            return False
        if self.valves.user:
            return str(user.get("email") or "").casefold() == self.valves.user.strip().casefold()
        return user.get("role") == "admin"

    async def _ask(self, path: str, value: dict[str, Any]) -> dict[str, Any] | None:
        "None where anything is wrong, which the log tells."
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._post, path, value), self.valves.seconds + 1)
        except Exception as wrong:
            log.warning("the memory does not answer (%s: %s); the chat goes on without it", type(wrong).__name__, wrong)
            return None

    def _post(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        token = self.valves.token or Path(self.valves.token_file).expanduser().read_text("ascii").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self.valves.url.rstrip("/") + path, json.dumps(value).encode(), headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(asked, timeout=self.valves.seconds) as answer:
            return dict(json.loads(answer.read()))


def _lets(user: dict[str, Any] | None) -> bool:
    "The person's own switch: Open WebUI gives their valves as an object, older versions as a dict."
    own = (user or {}).get("valves")
    return bool(own.get("remember", True) if isinstance(own, dict) else getattr(own, "remember", True))


def _text(content: Any) -> str:
    "Of a message of parts, those that are text."
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict) and part.get("type") == "text")
    return content if isinstance(content, str) else ""


def _last(messages: list[dict[str, Any]]) -> str:
    return next((_text(one.get("content")) for one in reversed(messages) if one.get("role") == "user"), "")


def _plain(one: dict[str, Any]) -> list[dict[str, str]]:
    "A message as it is recorded. Files and pages that an answer was made from stand before it as a tool's result."
    role, content = one.get("role"), _text(one.get("content"))
    if role not in ("user", "assistant", "tool") or not content.strip():
        return []
    read = [{"role": "tool", "content": "[sources]"}] if role == "assistant" and one.get("sources") else []
    return [*read, {"role": role, "content": content}]


def _put_in_front(messages: list[dict[str, Any]], notes: str) -> None:
    first = messages[0]
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        messages[0] = {**first, "content": f"{first['content']}\n\n{notes}"}
    else:
        messages.insert(0, {"role": "system", "content": notes})
