"""An answer under way, in the OpenAI dialect: whole, or as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from pocketsleep.errors import BadInput, Busy, ModelError, NotFound, PocketError
from pocketsleep.serve.api_asked import Asked
from pocketsleep.serve.desk import Desk
from pocketsleep.serve.guard import error


class Gone(Exception):
    "The client hung up."


def told(wrong: Exception) -> str:
    hint = getattr(wrong, "hint", "")
    return f"{wrong} ({hint})" if hint else str(wrong) or type(wrong).__name__


def status(wrong: Exception) -> int:
    "By the nature of an error; clients try again on 5xx, so what cannot get better is 4xx."
    kinds = ((NotFound, 404), (ModelError, 422), (Busy, 503), (BadInput, 400), (PocketError, 500))
    return next((status for kind, status in kinds if isinstance(wrong, kind)), 400)


class Reply:
    "One answer: its pieces from the desk, while the client is there. An answer cut off is not recorded."

    def __init__(self, day: Any, desk: Desk, asked: Asked, request: Request) -> None:
        self.day, self.desk, self.asked = day, desk, asked
        self.stream = desk.stream(lambda: day.reply(asked.messages, asked.sampling, model=asked.model,
                                                    conversation=asked.conversation))
        self.first: str | None = None
        self.watcher = asyncio.create_task(self._watch(request))

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

    async def pieces(self) -> AsyncIterator[str]:
        try:
            if self.first is None:
                return
            yield self.first
            async for piece in self.stream:
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        self.stream.stop()
        self.watcher.cancel()

    async def whole(self) -> dict[str, Any]:
        text = "".join([piece async for piece in self.pieces()])
        usage = await asyncio.to_thread(self.usage, text)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish(usage)}
        return {**self.asked.head("chat.completion"), "choices": [choice], "usage": usage}

    async def events(self) -> AsyncIterator[str]:
        "Server-sent events. What goes wrong half-way is an event too."
        head, said = self.asked.head("chat.completion.chunk"), []
        try:
            yield _event(head, {"role": "assistant", "content": ""})
            async for piece in self.pieces():
                said.append(piece)
                yield _event(head, {"content": piece})
            usage = await asyncio.to_thread(self.usage, "".join(said))
            yield _event(head, {}, self.finish(usage))
            if self.asked.usage:
                yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"
        except Gone:
            pass
        except PocketError as wrong:
            yield f"data: {json.dumps(error(told(wrong), status(wrong)))}\n\n"
        finally:
            self.close()

    def usage(self, text: str) -> dict[str, int]:
        read, said = sum(self.day.count(m.content) for m in self.asked.messages), self.day.count(text)
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}

    def finish(self, usage: dict[str, int]) -> str:
        return "length" if usage["completion_tokens"] >= self.asked.sampling.max_tokens else "stop"


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"
