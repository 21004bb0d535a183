"""A request in the OpenAI dialect, checked. Unknown fields are left alone; what would be answered wrongly is refused."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from pocketsleep.errors import BadInput
from pocketsleep.nouns import Message, Role, Sampling
from pocketsleep.weights import tools

ROLES = ("system", "user", "assistant", "tool")
TOKENS, MOST = ("max_completion_tokens", "max_tokens"), 32768  # how an answer's length is limited, and to what at most


class Wrong(BadInput):
    "A field of a request that cannot be answered, by its name in the dialect."

    def __init__(self, what: str, param: str) -> None:
        super().__init__(what)
        self.param = param


def read(body: bytes) -> dict[str, Any]:
    "What a body says. Half characters, which JSON can spell and UTF-8 cannot, are a ValueError."
    said = json.loads(body)
    json.dumps(said, ensure_ascii=False).encode()
    if not isinstance(said, dict):
        raise BadInput("the body has to be a JSON object")
    return said


class Asked:
    "What a chat request wants."

    def __init__(self, body: dict[str, Any]) -> None:
        self.model = named(body)
        for name, only in (("n", 1), ("logprobs", False), ("modalities", ["text"])):
            if body.get(name) not in (None, only):
                raise Wrong(f"`{name}` may be {json.dumps(only)} here", name)
        self.messages = _messages(body.get("messages"))
        self.stream = bool(body.get("stream"))
        options = body.get("stream_options")
        self.usage = isinstance(options, dict) and bool(options.get("include_usage"))
        about = body.get("metadata")  # `user` names a person, who has many conversations
        self.conversation = str(about.get("conversation") or "") if isinstance(about, dict) else ""
        self.private = body.get("store") is False  # said outright: most clients say nothing
        self.sampling = _sampling(body)
        self.tools = _tools(body)
        self._use(body)
        self.id, self.created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    def _use(self, body: dict[str, Any]) -> None:
        "What tools and formats do to the prompt and the answer."
        choice, schema = body.get("tool_choice"), _schema(body.get("response_format"))
        if choice == "none" or not self.tools:
            self.tools = []
        else:
            self.messages = _told(self.messages, json.dumps(self.tools, ensure_ascii=False))
            if choice not in (None, "auto"):
                schema = _call(self.tools, choice)
                self.sampling = replace(self.sampling, within=(f"{tools.OPEN}\n", f"\n{tools.CLOSE}"), stop=())
        self.sampling = replace(self.sampling, schema=schema)

    def head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def named(body: dict[str, Any]) -> str:
    model = body.get("model") or "pocketsleep"
    if not isinstance(model, str):
        raise Wrong(f"`model` is {model!r}, and has to be a name", "model")
    return model


def _lenient(body: dict[str, Any]) -> dict[str, Any]:
    "As programs mean it: -1 tokens, or more than there can be, are as many as there can be; a negative seed is none."
    given = dict(body)
    for name in TOKENS:
        if isinstance(wanted := given.get(name), (int, float)) and (wanted == -1 or wanted > MOST):
            given[name] = MOST
    if isinstance(seed := given.get("seed"), (int, float)) and seed < 0:
        given["seed"] = None
    return given


def _sampling(body: dict[str, Any]) -> Sampling:
    body = _lenient(body)
    warm = _number(body, ("temperature",), 0.0, 0, 2, float)
    seed = secrets.randbits(32) if warm else 0  # asked again, another answer
    return Sampling(
        max_tokens=_number(body, TOKENS, 512, 1, MOST, int), temperature=warm,
        top_p=_number(body, ("top_p",), 1.0, 0, 1, float), seed=_number(body, ("seed",), seed, 0, 2**63 - 1, int),
        stop=_stop(body.get("stop")))


def _number(body: dict[str, Any], names: Sequence[str], default: Any, least: float, most: float, kind: type) -> Any:
    for name in names:
        given = body.get(name)
        if given is None:
            continue
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not least <= given <= most:
            raise Wrong(f"`{name}` is {given!r}, and has to be a number from {least} to {most}", name)
        return kind(given)
    return default


def _stop(given: Any) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise Wrong("`stop` has to be a string or a list of strings", "stop")
    return tuple(stops)


def _schema(given: Any) -> str:
    "The JSON Schema that `response_format` asks for; '' for text."
    if given is None or given == {"type": "text"}:
        return ""
    if isinstance(given, dict) and given.get("type") == "json_object":
        return '{"type": "object"}'
    about = given.get("json_schema") if isinstance(given, dict) and given.get("type") == "json_schema" else None
    schema = about.get("schema") if isinstance(about, dict) else None
    if not isinstance(schema, dict):
        raise Wrong("`response_format` has to be text, json_object, or json_schema with a `schema`", "response_format")
    return json.dumps(schema)


def _tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("tools") or []
    for one in given if isinstance(given, list) else [None]:
        function = one.get("function") if isinstance(one, dict) and one.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Wrong("`tools` has to be a list of functions with names", "tools")
        if not isinstance(function.get("parameters") or {}, dict):
            raise Wrong(f"the parameters of `{function['name']}` have to be a JSON Schema", "tools")
    return cast(list[dict[str, Any]], given)


def _call(given: list[dict[str, Any]], choice: Any) -> str:
    "The JSON Schema of a call that has to be made, of any tool or of a named one."
    functions = {one["function"]["name"]: one["function"] for one in given}
    function = choice.get("function") if isinstance(choice, dict) else None
    wanted = function.get("name") if isinstance(function, dict) else None
    if choice != "required" and wanted not in functions:
        raise Wrong("`tool_choice` has to be none, auto, required, or one of the tools", "tool_choice")
    return json.dumps({"oneOf": [
        {"type": "object", "required": ["name", "arguments"], "additionalProperties": False,
         "properties": {"name": {"const": name}, "arguments": one.get("parameters") or {"type": "object"}}}
        for name, one in functions.items() if choice == "required" or name == wanted]})


def _told(messages: tuple[Message, ...], listed: str) -> tuple[Message, ...]:
    "The conversation with its tools on a system message."
    if messages[0].role == "system":
        return replace(messages[0], tools=listed), *messages[1:]
    return Message("system", "", tools=listed), *messages


def _messages(given: Any) -> tuple[Message, ...]:
    if not isinstance(given, list) or not given:
        raise Wrong("`messages` has to be a list that is not empty", "messages")
    return tuple(_message(one, i) for i, one in enumerate(given))


def _message(one: Any, index: int) -> Message:
    role = one.get("role") if isinstance(one, dict) else None
    role = {"developer": "system", "function": "tool"}.get(str(role), role)
    if role not in ROLES:
        raise Wrong(f"message {index} has the role {role!r}; known are {', '.join(ROLES)}", f"messages[{index}].role")
    content = one.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise Wrong(f"the content of message {index} is neither text nor parts of text", f"messages[{index}].content")
    return Message(cast(Role, role), "".join(map(str, texts)), calls=_calls(one.get("tool_calls"), index))


def _calls(given: Any, index: int) -> str:
    "An assistant's calls as our messages keep them. Arguments come as text that mostly is JSON."
    found = []
    for one in given if isinstance(given, list) else [] if given is None else [None]:
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Wrong(f"the calls of message {index} are no list of functions", f"messages[{index}].tool_calls")
        found.append({"name": function["name"], "arguments": _arguments(function.get("arguments"))})
    return json.dumps(found, ensure_ascii=False) if found else ""


def _arguments(given: Any) -> dict[str, Any]:
    try:
        read = json.loads(given) if isinstance(given, str) and given.strip() else given or {}
    except ValueError:
        return {"text": given}
    return read if isinstance(read, dict) else {"value": read}
