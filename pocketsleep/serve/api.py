"""The OpenAI dialect on this machine alone: /v1/chat/completions and /v1/models.

The only file that knows OpenAI's JSON. Model calls are blocking: one worker thread gives each answer
whole, in the order of asking, and stops where its client has gone.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, Protocol, cast

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pocketsleep.errors import BadInput, Busy, ModelError, NotFound, PocketError
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
    if not token:
        raise BadInput("the server's token is empty", hint="delete the file, and a new one is made: `pocketsleep serve`")
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


class Gone(Exception):
    "The client hung up."


class _Api:
    def __init__(self, day: Talks) -> None:
        self.day = day
        # Whole answers, not pieces, are its jobs: a runtime is taken until its answer ends.
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def models(self, request: Request) -> Response:
        names = await asyncio.to_thread(self.day.models)
        return JSONResponse({"object": "list", "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "pocketsleep"} for name in names]})

    async def complete(self, request: Request) -> Response:
        try:
            asked = _Asked(_json(await request.body()))
            reply = _Reply(self, asked, request)
            await reply.open()
            if asked.stream:
                return StreamingResponse(reply.events(), media_type="text/event-stream")
            return JSONResponse(await reply.whole())
        except Gone:
            return Response(status_code=499)  # nobody will read it
        except (PocketError, ValueError, RecursionError, TooLarge) as wrong:
            return JSONResponse(error(_told(wrong), _status(wrong)), _status(wrong))


def _json(body: bytes) -> Any:
    "What a body says. Half characters, which JSON can spell and UTF-8 cannot, are a ValueError."
    said = json.loads(body)
    json.dumps(said, ensure_ascii=False).encode()
    return said


def _told(wrong: Exception) -> str:
    hint = getattr(wrong, "hint", "")
    return f"{wrong} ({hint})" if hint else str(wrong) or type(wrong).__name__


def _status(wrong: Exception) -> int:
    "By the nature of an error; clients try again on 5xx, so what cannot get better is 4xx."
    kinds = ((TooLarge, 413), (NotFound, 404), (ModelError, 422), (Busy, 503), (BadInput, 400), (PocketError, 500))
    return next((status for kind, status in kinds if isinstance(wrong, kind)), 400)


class _Asked:
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


class _Reply:
    """An answer under way: made on the worker when its turn comes, read here piece by piece.

    Once the client has gone the worker stops at the next piece; an answer cut off is not recorded.
    """

    def __init__(self, api: _Api, asked: _Asked, request: Request) -> None:
        self.day, self.asked = api.day, asked
        self.gone = threading.Event()
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.first: str | None = None
        self.watcher = asyncio.create_task(self._watch(request))
        api.worker.submit(self._speak)

    def _speak(self) -> None:
        "On the worker: from the first piece to the last, or to the one at which nobody listens."
        asked = self.asked
        try:
            if self.gone.is_set():
                return
            stream = self.day.reply(asked.messages, asked.sampling, model=asked.model, conversation=asked.conversation)
            with closing(cast(Generator[str], stream)):
                for piece in stream:
                    if self.gone.is_set():
                        return
                    self._hand_over(piece)
            self._hand_over(None)
        except Exception as wrong:  # told to the client by the event loop
            self._hand_over(wrong)

    def _hand_over(self, said: str | Exception | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever listened
            self.loop.call_soon_threadsafe(self.queue.put_nowait, said)

    async def _watch(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.gone.set()
        self.queue.put_nowait(Gone())

    async def _next(self) -> str | None:
        said = await self.queue.get()
        if isinstance(said, Exception):
            raise said
        return said

    async def open(self) -> None:
        "Wait for the first piece, so that what is wrong is told before anything is sent."
        try:
            self.first = await self._next()
        except Exception:
            self.close()
            raise

    async def pieces(self) -> AsyncIterator[str]:
        try:
            piece = self.first
            while piece is not None:
                yield piece
                piece = await self._next()
        finally:
            self.close()

    def close(self) -> None:
        self.gone.set()
        self.watcher.cancel()

    async def whole(self) -> dict[str, Any]:
        text = "".join([piece async for piece in self.pieces()])
        usage = await asyncio.to_thread(_usage, self.day, self.asked, text)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": _finish(usage, self.asked)}
        return {**self.asked.head("chat.completion"), "choices": [choice], "usage": usage}

    async def events(self) -> AsyncIterator[str]:
        "Server-sent events. What goes wrong half-way is an event too."
        head, said = self.asked.head("chat.completion.chunk"), []
        try:
            yield _event(head, {"role": "assistant", "content": ""})
            async for piece in self.pieces():
                said.append(piece)
                yield _event(head, {"content": piece})
            usage = await asyncio.to_thread(_usage, self.day, self.asked, "".join(said))
            yield _event(head, {}, _finish(usage, self.asked))
            if self.asked.usage:
                yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"
        except Gone:
            pass
        except PocketError as wrong:
            yield f"data: {json.dumps(error(_told(wrong), _status(wrong)))}\n\n"
        finally:
            self.close()


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"


def _usage(day: Talks, asked: _Asked, text: str) -> dict[str, int]:
    read, said = sum(day.count(m.content) for m in asked.messages), day.count(text)
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def _finish(usage: dict[str, int], asked: _Asked) -> str:
    return "length" if usage["completion_tokens"] >= asked.sampling.max_tokens else "stop"
