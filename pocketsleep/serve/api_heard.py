"""What passed through the proxy, read: a conversation out of a request and its answer, and notes put into a request.

Reads OpenAI's chat completions and Ollama's /api/chat. Whatever else passes is let pass.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pocketsleep.nouns import Message, Role
from pocketsleep.runtime.prompting import CALLS, with_notes
from pocketsleep.serve.api_asked import ROLES
from pocketsleep.serve.proxy import HEARD, Exchange
from pocketsleep.weights import tools

PATHS = ("/chat/completions", "/api/chat")


@dataclass(frozen=True, slots=True)
class Said:
    "A conversation that passed, with its last answer."

    messages: tuple[Message, ...]
    answer: str
    conversation: str
    private: bool


def is_chat(exchange: Exchange) -> bool:
    return exchange.method == "POST" and exchange.target.partition("?")[0].endswith(PATHS)


def overheard(exchange: Exchange) -> Said | None:
    "None where nothing was said. Raises ValueError where it cannot be read."
    if not is_chat(exchange) or exchange.status != 200:
        return None
    if exchange.size > HEARD:
        raise ValueError(f"the answer has {exchange.size} bytes")
    body = _json(_plain(exchange.body, exchange.headers))
    messages = tuple(_message(one) for one in _list(body.get("messages")))
    answer = _answer(_plain(b"".join(exchange.parts), exchange.answer_headers).decode())
    if not answer or not any(m.role == "user" for m in messages):
        return None
    about = body.get("metadata")
    name = str(about.get("conversation") or "") if isinstance(about, dict) else ""
    marked = any(k.lower() == b"x-pocketsleep-private" for k, _ in exchange.headers)
    return Said(messages, answer, name, marked or body.get("store") is False)


def last_question(body: bytes) -> str:
    "What a request's user said last."
    said = [m.content for m in map(_message, _list(_json(body).get("messages"))) if m.role == "user"]
    return said[-1] if said else ""


def offered(body: bytes) -> Any:
    "The tools that a request offers to be called, as it lists them."
    asked = _json(body)
    return [] if asked.get("tool_choice") == "none" else asked.get("tools")


def noted(body: bytes, notes: Sequence[str], knacks: Sequence[str] = ()) -> bytes:
    "A request with notes, and what is known of calls of its tools, in its system message; everything else of it as it was."
    asked = _json(body)
    text = with_notes(with_notes([], notes), knacks, CALLS)[0].content
    messages = _list(asked["messages"])
    first = messages[0]
    if first.get("role") not in ("system", "developer"):
        asked["messages"] = [{"role": "system", "content": text}, *messages]
    elif isinstance(first.get("content"), list):
        asked["messages"] = [{**first, "content": [*first["content"], {"type": "text", "text": text}]}, *messages[1:]]
    else:
        asked["messages"] = [{**first, "content": f"{first.get('content') or ''}\n\n{text}".lstrip()}, *messages[1:]]
    return json.dumps(asked, ensure_ascii=False).encode()


def _plain(body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    "Without its coding."
    coding = b",".join(value.strip().lower() for name, value in headers if name.lower() == b"content-encoding")
    if coding in (b"", b"identity"):
        return body
    if coding not in (b"gzip", b"deflate"):
        raise ValueError(f"it is coded as {coding.decode('latin-1')}")
    try:
        return gzip.decompress(body) if coding == b"gzip" else zlib.decompress(body)
    except (OSError, EOFError, zlib.error) as wrong:
        raise ValueError(str(wrong)) from wrong


def _json(text: bytes | str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _list(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise ValueError("it has no messages")
    return given


def _message(one: dict[str, Any]) -> Message:
    "Leniently: what is not text is left out."
    role = {"developer": "system", "function": "tool"}.get(str(one.get("role")), one.get("role"))
    content = one.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    calls = [_call(call.get("function") or {}) for call in one.get("tool_calls") or ()]
    return Message(cast(Role, role if role in ROLES else "system"), "".join(texts), calls=json.dumps(calls) if calls else "")


def _call(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {"text": arguments}
    return {"name": str(function.get("name")), "arguments": arguments}


def _answer(text: str) -> str:
    "The text of an answer and its calls, whole or in events; '' where it did not end."
    pieces, calls, ended = [], dict[int, dict[str, Any]](), False
    for event in _events(text):
        if event.get("error"):
            return ""
        choice = next((c for c in event.get("choices") or () if not c.get("index")), event)
        said = choice.get("delta") or choice.get("message") or {}
        pieces.append(said.get("content") or "")
        for n, call in enumerate(said.get("tool_calls") or ()):
            kept = calls.setdefault(call.get("index", n), {"name": "", "arguments": ""})
            function = call.get("function") or {}
            arguments = function.get("arguments") or ""
            kept["name"] += function.get("name") or ""
            kept["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments)
        ended = ended or bool(choice.get("finish_reason") or choice.get("done"))
    if not ended:
        return ""
    return tools.written("".join(pieces), map(_call, calls.values())) if calls else "".join(pieces)


def _events(text: str) -> Iterable[dict[str, Any]]:
    "One JSON object, one a line, or server-sent events."
    if not text.lstrip().startswith(("data:", "event:", "id:", ":")):
        yield from (_json(line) for line in _split(text) if line.strip()) if _lines(text) else [_json(text)]
        return
    for line in _split(text):
        if line.startswith("data:") and (data := line[5:].strip()) != "[DONE]":
            yield _json(data)


def _split(text: str) -> list[str]:
    "At ends of lines alone. str.splitlines() takes U+2028 and others for one, which JSON's texts may hold as they are."
    return re.split(r"\r\n|\r|\n", text)


def _lines(text: str) -> bool:
    "Whether each line is an object of its own."
    first = _split(text.strip())[:1]
    try:
        return bool(first) and isinstance(json.loads(first[0]), dict)
    except ValueError:
        return False
