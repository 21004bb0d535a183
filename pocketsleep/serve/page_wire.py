"""What the parts of the page share: what they need of a home, and how JSON comes in and goes out."""

from __future__ import annotations

import json
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.journal import Forgotten, Journal, Veiled
from pocketsleep.nouns import Card, Memory
from pocketsleep.registry import Registry


class House(Protocol):
    "What the page needs of an open home (pocket.Pocket)."

    home: Home
    card: Card
    journal: Journal
    registry: Registry

    def remember(self, text: str, supersedes: str | None = None) -> Memory | None: ...
    def forget(self, target: str) -> Forgotten: ...
    def undo(self) -> str: ...
    def use(self, name: str) -> str: ...
    def exclude(self, kind: str, value: str) -> Veiled: ...
    def include(self, kind: str, value: str) -> Veiled: ...


class Sleeps(Protocol):
    "A night that runs beside the server (asleep.Sleeper)."

    def state(self) -> dict[str, Any]: ...
    def start(self, depth: str = "night", fresh: bool = False) -> None: ...
    def cancel(self) -> None: ...


async def body(request: Request) -> dict[str, Any]:
    "A request's JSON object."
    try:
        found = json.loads(await request.body())
        json.dumps(found, ensure_ascii=False).encode()  # half characters can be spelt in JSON and not kept
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadInput("the body has to be a JSON object")
    return found


def text(given: dict[str, Any], name: str, needed: bool = False) -> str:
    "A field that is text; '' where it is missing."
    value = given.get(name) or ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise BadInput(f"`{name}` is {given.get(name)!r}, and has to be text")
    return value


def number(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"`{name}` is {value!r}, and has to be a whole number")
    return value


def said(value: Any) -> Response:
    return JSONResponse(value, headers={"Cache-Control": "no-store"})
