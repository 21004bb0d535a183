"""An answer under way, in the OpenAI dialect: whole, or as server-sent events."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request

from pocketsleep.errors import BadInput, Busy, ModelError, NotFound, PocketError
from pocketsleep.runtime.text import TooLong
from pocketsleep.serve.api_asked import Asked, Wrong
from pocketsleep.serve.day import NoModel
from pocketsleep.serve.desk import Desk, Full
from pocketsleep.serve.guard import error
from pocketsleep.weights import tools

KINDS: tuple[tuple[type[Exception], int, str | None, str | None], ...] = (  # status, param, code
    (Full, 429, None, None), (NoModel, 404, "model", "model_not_found"), (TooLong, 400, "messages", "context_length_exceeded"),
    (NotFound, 404, None, None), (ModelError, 422, None, None), (Busy, 503, None, None), (BadInput, 400, None, None),
    (PocketError, 500, None, None), (Exception, 400, None, None))


class Gone(Exception):
    "The client hung up."


def failure(wrong: Exception) -> tuple[dict[str, Any], int]:
    "An error as the dialect tells it, and its status. Clients try again on 429 and 5xx, so what cannot get better is neither."
    _, status, param, code = next(kind for kind in KINDS if isinstance(wrong, kind[0]))
    if isinstance(wrong, Wrong):
        param, code = wrong.param, "invalid_value"
    hint = getattr(wrong, "hint", "")
    told = f"{wrong} ({hint})" if hint else str(wrong) or type(wrong).__name__
    return error(told, status, param, code), status


class Reply:
    "One answer: its pieces from the desk, while the client is there. An answer cut off is not recorded."

    def __init__(self, day: Any, desk: Desk, asked: Asked, request: Request) -> None:
        self.day, self.asked, self.called, self.heard = day, asked, 0, list[str]()
        self.read, self.most = asked.messages, asked.sampling.max_tokens
        self.stream = desk.stream(self._made)
        self.first: Any = None
        self.watcher = asyncio.create_task(self._watch(request))

    def _made(self) -> Any:
        "On the worker: text and calls, as they come."
        asked = self.asked
        pieces = self.day.reply(asked.messages, asked.sampling, model=asked.model, conversation=asked.conversation,
                                private=asked.private)
        overheard = self._overheard(pieces)
        return tools.split(overheard) if asked.tools else overheard

    def _overheard(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            if not self.heard and (window := getattr(self.day, "window", None)):
                self.read = window.messages or self.read  # the oldest may have left
                self.most = min(self.most, self.day.room or self.most)  # where the window ends, an answer is cut as well
            self.heard.append(piece)
            yield piece

    async def _watch(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.stream.end(Gone())

    async def open(self) -> None:
        "Wait for the first piece, so that what is wrong is told before anything is sent."
        try:
            self.first = await anext(self.stream, None)
        except BaseException:
            self.close()
            raise

    async def deltas(self) -> AsyncIterator[dict[str, Any]]:
        "What each piece adds to the message."
        try:
            if self.first is None:
                return
            yield self._delta(self.first)
            async for piece in self.stream:
                yield self._delta(piece)
        finally:
            self.close()

    def _delta(self, piece: Any) -> dict[str, Any]:
        if isinstance(piece, str):
            return {"content": piece}
        self.called += 1
        function = {"name": piece["name"], "arguments": json.dumps(piece["arguments"], ensure_ascii=False)}
        return {"tool_calls": [{"index": self.called - 1, "id": f"call_{uuid.uuid4().hex[:24]}", "type": "function",
                                "function": function}]}

    def close(self) -> None:
        self.stream.stop()
        self.watcher.cancel()

    async def whole(self) -> dict[str, Any]:
        deltas = [delta async for delta in self.deltas()]
        text = "".join(delta.get("content", "") for delta in deltas)
        calls = [{k: v for k, v in call.items() if k != "index"} for delta in deltas for call in delta.get("tool_calls", ())]
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message |= {"content": text.strip() or None, "tool_calls": calls}
        usage = await asyncio.to_thread(self.usage)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish(usage)}
        return {**self.asked.head("chat.completion"), "choices": [choice], "usage": usage}

    async def events(self) -> AsyncIterator[str]:
        "Server-sent events. What goes wrong half-way is an event too."
        head = self.asked.head("chat.completion.chunk")
        try:
            yield _event(head, {"role": "assistant", "content": ""})
            async for delta in self.deltas():
                yield _event(head, delta)
            usage = await asyncio.to_thread(self.usage)
            yield _event(head, {}, self.finish(usage))
            if self.asked.usage:
                yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"
        except Gone:
            pass
        except PocketError as wrong:
            yield f"data: {json.dumps(failure(wrong)[0])}\n\n"
        finally:
            self.close()

    def usage(self) -> dict[str, int]:
        read = sum(self.day.count(text) for m in self.read for text in (tools.said(m), m.tools) if text)
        said = self.day.count("".join(self.heard))
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}

    def finish(self, usage: dict[str, int]) -> str:
        if usage["completion_tokens"] >= self.most:
            return "length"
        return "tool_calls" if self.called else "stop"


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"
