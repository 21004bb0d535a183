"""The local server: the OpenAI dialect (chat completions, models, embeddings) and whatever routes are put beside it.

Only `serve/api*` knows OpenAI's JSON. Everything is behind one guard, and every model call goes through one desk: an added
route finds `request.app.state.once`, `.desk` and `.day`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from pocketsleep.errors import BadInput, PocketError
from pocketsleep.nouns import Message, Sampling
from pocketsleep.serve import server
from pocketsleep.serve.api_asked import Asked, read
from pocketsleep.serve.api_embed import Texts
from pocketsleep.serve.api_reply import Gone, Reply, failure
from pocketsleep.serve.day import NoModel
from pocketsleep.serve.desk import Desk
from pocketsleep.serve.guard import Guard, error
from pocketsleep.serve.once import Once

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SOON = {"Retry-After": "2"}  # seconds


class Talks(Protocol):
    "What the server needs of a day (serve.day.Day)."

    def models(self) -> list[str]: ...
    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str, conversation: str,
              private: bool) -> Iterator[str]: ...
    def embed(self, texts: Sequence[str]) -> Any: ...
    def count(self, text: str) -> int: ...


def build(day: Talks, token: str, port: int, routes: Sequence[BaseRoute] = (), *, once: Once | None = None,
          desk: Desk | None = None) -> Starlette:
    "The application. `routes` come after its own and are behind the same guard; `once` makes codes for `/open?once=`."
    if not token:
        raise BadInput("the server's token is empty", hint="delete the file, and a new one is made: `pocketsleep serve`")
    once, desk = once or Once(), desk or Desk()
    api = _Api(day, desk)
    own = [Route("/v1/models", api.models, methods=["GET"]), Route("/v1/models/{name}", api.model, methods=["GET"]),
           Route("/v1/chat/completions", api.complete, methods=["POST"]), Route("/v1/embeddings", api.embed, methods=["POST"]),
           Route("/open", _link, methods=["POST"])]

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.close()

    app = Starlette(routes=[*own, *routes], middleware=[Middleware(Guard, token=token, port=port, once=once)],
                    exception_handlers={404: _unknown, 405: _unknown, PocketError: _wrong}, lifespan=life)
    app.state.day, app.state.once, app.state.desk = day, once, desk
    return app


def serve(day: Talks, token: str, host: str = "127.0.0.1", port: int = 8765, routes: Sequence[BaseRoute] = (), *,
          once: Once | None = None) -> None:
    "Run until stopped. Anything but a loopback address is refused."
    if host not in LOOPBACK:
        raise BadInput(f"`{host}` is not a loopback address", hint="pocketsleep serve")
    server.run(build(day, token, port, routes, once=once), host, port)


async def _unknown(request: Request, exception: Exception) -> Response:
    return JSONResponse(error(f"there is no {request.method} {request.url.path}", 404), 404)


async def _wrong(request: Request, wrong: Exception) -> Response:
    "What any route raises and a person can be told."
    body, status = failure(wrong)
    return JSONResponse(body, status, SOON if status in (429, 503) else None)


async def _link(request: Request) -> Response:
    "A one-time link, for a program that knows the token (`pocketsleep open`)."
    return JSONResponse({"path": f"/open?once={request.app.state.once.make()}"})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "pocketsleep"}


class _Api:
    def __init__(self, day: Talks, desk: Desk) -> None:
        self.day, self.desk = day, desk

    async def models(self, request: Request) -> Response:
        names = await asyncio.to_thread(self.day.models)
        return JSONResponse({"object": "list", "data": [_model(name) for name in names]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        await self._known(name)
        return JSONResponse(_model(name))

    async def _known(self, name: str) -> None:
        if name not in await asyncio.to_thread(self.day.models):
            raise NoModel(f"no model is called `{name}`", hint="pocketsleep nights")

    async def embed(self, request: Request) -> Response:
        try:
            asked = Texts(read(await request.body()))
        except (ValueError, RecursionError) as wrong:
            return await _wrong(request, wrong)
        await self._known(asked.model)
        rows = await self.desk.run(lambda: self.day.embed(asked.texts))
        tokens = await asyncio.to_thread(lambda: sum(map(self.day.count, asked.texts)))
        return JSONResponse(asked.answer(rows, tokens))

    async def complete(self, request: Request) -> Response:
        try:
            asked = Asked(read(await request.body()))
            reply = Reply(self.day, self.desk, asked, request)
            await reply.open()
            if asked.stream:
                return StreamingResponse(reply.events(), media_type="text/event-stream")
            return JSONResponse(await reply.whole())
        except Gone:
            return Response(status_code=499)  # nobody will read it
        except (ValueError, RecursionError) as wrong:
            return await _wrong(request, wrong)
