"""The OpenAI dialect on this machine alone: /v1/chat/completions and /v1/models.

The only file that knows OpenAI's JSON. Model calls are blocking: one worker takes them in turn.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, cast

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pocketsleep.errors import BadInput, NotFound, PocketError
from pocketsleep.nouns import Message, Role, Sampling
from pocketsleep.serve.guard import Guard, TooLarge, error

ROLES = ("system", "user", "assistant", "tool")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Talks(Protocol):
    "What the server needs of a day (serve.day.Day)."

    def models(self) -> list[str]: ...
    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str, conversation: str) -> Iterator[str]: ...
    def count(self, text: str) -> int: ...


def build(day: Talks, token: str, port: int) -> Starlette:
    "The application; every route is behind the guard."
    api = _Api(day)
    routes = [Route("/v1/models", api.models, methods=["GET"]),
              Route("/v1/chat/completions", api.complete, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token, port=port)],
                     exception_handlers={404: _unknown, 405: _unknown})


async def _unknown(request: Request, exception: Exception) -> Response:
    return JSONResponse(error(f"there is no {request.method} {request.url.path}", 404), 404)


def serve(day: Talks, token: str, host: str = "127.0.0.1", port: int = 8765) -> None:
    "Run until stopped. Anything but a loopback address is refused."
    if host not in LOOPBACK:
        raise BadInput(f"`{host}` is not a loopback address", hint="pocketsleep serve")
    uvicorn.run(build(day, token, port), host=host, port=port, log_level="warning", server_header=False)


class _Api:
    def __init__(self, day: Talks) -> None:
        self.day = day
        # One thread for all: SQLite connections and model contexts stay where they were first used.
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def _work(self, call: Any, *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.worker, call, *given)

    async def models(self, request: Request) -> Response:
        names = await self._work(self.day.models)
        return JSONResponse({"object": "list", "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "pocketsleep"} for name in names]})

    async def complete(self, request: Request) -> Response:
        try:
            asked = _Asked(json.loads(await request.body()))
            pieces = _Pieces(self, asked)
            await pieces.open()
        except TooLarge:
            return JSONResponse(error("the body is too large", 413), 413)
        except NotFound as wrong:
            return JSONResponse(error(str(wrong), 404), 404)
        except (PocketError, ValueError) as wrong:
            return JSONResponse(error(str(wrong), 400), 400)
        if asked.stream:
            return StreamingResponse(_events(self, asked, pieces), media_type="text/event-stream")
        return await self._whole(asked, pieces, request)

    async def _whole(self, asked: _Asked, pieces: _Pieces, request: Request) -> Response:
        said = []
        async for piece in pieces:
            said.append(piece)
            if await request.is_disconnected():
                await pieces.close()
                return Response(status_code=499)
        text = "".join(said)
        usage = await self._work(_usage, self.day, asked, text)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": _finish(usage, asked)}
        return JSONResponse({**asked.head("chat.completion"), "choices": [choice], "usage": usage})


class _Asked:
    "A request, checked. Unknown fields are left alone."

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise BadInput("the body has to be a JSON object")
        self.messages = _messages(body.get("messages"))
        self.model = body.get("model") or "pocketsleep"
        self.stream = bool(body.get("stream"))
        self.usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.conversation = str(body.get("user") or "")
        stop = body.get("stop") or ()
        self.sampling = Sampling(
            max_tokens=_number(body, ("max_completion_tokens", "max_tokens"), 512, 1, 32768, int),
            temperature=_number(body, ("temperature",), 0.0, 0, 2, float), top_p=_number(body, ("top_p",), 1.0, 0, 1, float),
            seed=_number(body, ("seed",), 0, 0, 2**63 - 1, int), stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)))
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
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if isinstance(part, dict) and part.get("type") == "text")
    if content is not None and not isinstance(content, str):
        raise BadInput(f"the content of message {index} is neither text nor parts of text")
    return Message(cast(Role, role), content or "")


class _Pieces:
    "A reply's pieces, each fetched on the worker; closing stops the model."

    def __init__(self, api: _Api, asked: _Asked) -> None:
        self.api, self.asked = api, asked
        self.first: str | None = None

    async def open(self) -> None:
        "Fetch the first piece, so that what is wrong is told before anything is sent."
        asked = self.asked
        self.stream = self.api.day.reply(asked.messages, asked.sampling, model=asked.model, conversation=asked.conversation)
        self.first = await self.api._work(next, self.stream, None)

    async def __aiter__(self) -> AsyncIterator[str]:
        piece = self.first
        while piece is not None:
            yield piece
            piece = await self.api._work(next, self.stream, None)

    async def close(self) -> None:
        await self.api._work(self.stream.close)  # type: ignore[attr-defined]


async def _events(api: _Api, asked: _Asked, pieces: _Pieces) -> AsyncIterator[str]:
    head, said = asked.head("chat.completion.chunk"), []
    try:
        yield _event(head, {"role": "assistant", "content": ""})
        async for piece in pieces:
            said.append(piece)
            yield _event(head, {"content": piece})
        usage = await api._work(_usage, api.day, asked, "".join(said))
        yield _event(head, {}, _finish(usage, asked))
        if asked.usage:
            yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"
    finally:
        await asyncio.shield(pieces.close())


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"


def _usage(day: Talks, asked: _Asked, text: str) -> dict[str, int]:
    read, said = sum(day.count(m.content) for m in asked.messages), day.count(text)
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def _finish(usage: dict[str, int], asked: _Asked) -> str:
    return "length" if usage["completion_tokens"] >= asked.sampling.max_tokens else "stop"
