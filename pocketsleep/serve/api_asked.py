"""A chat request in the OpenAI dialect, checked. Unknown fields are left alone."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any, cast

from pocketsleep.errors import BadInput
from pocketsleep.nouns import Message, Role, Sampling

ROLES = ("system", "user", "assistant", "tool")


def read(body: bytes) -> Any:
    "What a body says. Half characters, which JSON can spell and UTF-8 cannot, are a ValueError."
    said = json.loads(body)
    json.dumps(said, ensure_ascii=False).encode()
    return said


class Asked:
    "A request, checked. Unknown fields are left alone."

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise BadInput("the body has to be a JSON object")
        self.messages = _messages(body.get("messages"))
        self.model = body.get("model") or "pocketsleep"
        if not isinstance(self.model, str):
            raise BadInput(f"`model` is {self.model!r}, and has to be a name")
        self.stream = bool(body.get("stream"))
        options = body.get("stream_options")
        self.usage = isinstance(options, dict) and bool(options.get("include_usage"))
        about = body.get("metadata")  # `user` names a person, who has many conversations
        self.conversation = str(about.get("conversation") or "") if isinstance(about, dict) else ""
        stop = _stop(body.get("stop"))
        self.sampling = Sampling(
            max_tokens=_number(body, ("max_completion_tokens", "max_tokens"), 512, 1, 32768, int),
            temperature=_number(body, ("temperature",), 0.0, 0, 2, float), top_p=_number(body, ("top_p",), 1.0, 0, 1, float),
            seed=_number(body, ("seed",), 0, 0, 2**63 - 1, int), stop=stop)
        self.id, self.created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    def head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _number(body: dict[str, Any], names: Sequence[str], default: Any, least: float, most: float, kind: type) -> Any:
    for name in names:
        given = body.get(name)
        if given is None:
            continue
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not least <= given <= most:
            raise BadInput(f"`{name}` is {given!r}, and has to be a number from {least} to {most}")
        return kind(given)
    return default


def _stop(given: Any) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadInput("`stop` has to be a string or a list of strings")
    return tuple(stops)


def _messages(given: Any) -> tuple[Message, ...]:
    if not isinstance(given, list) or not given:
        raise BadInput("`messages` has to be a list that is not empty")
    return tuple(_message(one, i) for i, one in enumerate(given))


def _message(one: Any, index: int) -> Message:
    role = one.get("role") if isinstance(one, dict) else None
    role = "system" if role == "developer" else role
    if role not in ROLES:
        raise BadInput(f"message {index} has the role {role!r}; known are {', '.join(ROLES)}")
    content = one.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise BadInput(f"the content of message {index} is neither text nor parts of text")
    return Message(cast(Role, role), "".join(map(str, texts)))
