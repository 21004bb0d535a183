"""Who may talk to the local server: a token on every route, loopback names in Host, our own Origin, a whole body in time.

Against DNS rebinding (CVE-2024-28224, CVE-2025-66416), reflected origins and forms; no CORS header is ever sent. A program
shows the bearer token. A page shows the cookie that a one-time link gave it (once.py), and for anything but reading the browser
has to say that the page is ours.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pocketsleep.serve.once import Badge, Once

NAMES = ("127.0.0.1", "localhost", "[::1]")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD")
SINGLE = (b"host", b"origin", b"authorization", b"content-type", b"content-length", b"transfer-encoding", b"cookie",
          b"sec-fetch-site")
MOST = 4 * 1024 * 1024  # bytes of a request's body
PATIENCE = 20.0  # seconds until the whole body is there
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"), (b"cross-origin-resource-policy", b"same-origin"),
)
Refusal = tuple[int, str]
Headers = Mapping[bytes, list[str]]


class Door:
    "The rules themselves: from a request's method and headers to a refusal, or None."

    def __init__(self, token: str, port: int, most: int = MOST, json_alone: bool = True) -> None:
        "`json_alone`: whether a body has to be JSON of a program, too, that shows the token. A page's has to be in any case."
        self.token, self.badge, self.most, self.json_alone = token, Badge(token, port), most, json_alone
        self.hosts = {f"{name}:{port}" for name in NAMES}
        self.origins = {f"http://{host}" for host in self.hosts}

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        "Of a request that has to say who it is."
        refused = self.strange(headers) or self._unknown(method, headers) or _body(method, headers, self.most)
        by_token = b"authorization" in headers  # no form and no page of another origin can send it
        return refused or (None if by_token and not self.json_alone else _kind(method, headers))

    def strange(self, headers: Headers) -> Refusal | None:
        "What is refused whoever asks: it was not meant for this server, or is ambiguous."
        if len(headers.get(b"host", ())) != 1 or headers[b"host"][0].lower() not in self.hosts:
            return 421, "this server answers to its loopback names alone"
        if any(len(headers.get(name, ())) > 1 for name in SINGLE):
            return 400, "a header that may stand once stands there several times"
        if _one(headers, b"origin", next(iter(self.origins))) not in self.origins:
            return 403, "requests from other origins are refused"
        return None

    def _unknown(self, method: str, headers: Headers) -> Refusal | None:
        if b"authorization" in headers:
            return None if self._knows(_one(headers, b"authorization")) else _STRANGER
        if not self.badge.shown(headers.get(b"cookie", [])):
            return _STRANGER
        # Another port of this host is the same site to a browser, and gets the cookie sent along.
        if _one(headers, b"sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "requests from other pages are refused"
        own = f"http://{_one(headers, b'host').lower()}"
        if method not in READING and _one(headers, b"origin") != own:
            return 403, "a page has to be this server's own to change anything"
        return None

    def _knows(self, given: str) -> bool:
        scheme, _, token = given.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.encode("latin-1"), self.token.encode())


_STRANGER = 401, "the bearer token is missing or wrong"


def _one(headers: Headers, name: bytes, default: str = "") -> str:
    return headers.get(name, [default])[0]


def _body(method: str, headers: Headers, most: int) -> Refusal | None:
    "Of the method, and what is said about a body before it comes."
    if method not in METHODS:
        return 405, f"{method} is not known here"
    length = _one(headers, b"content-length", "0")
    if not (length.isascii() and length.isdecimal()) or (b"content-length" in headers and b"transfer-encoding" in headers):
        return 400, "how long the body is cannot be told"
    if len(length) > 15 or int(length) > most:
        return 413, f"the body may hold {most} bytes"
    return None


def _kind(method: str, headers: Headers) -> Refusal | None:
    length = _one(headers, b"content-length", "0")
    comes = method in ("POST", "PUT", "PATCH") or int(length) > 0 or b"transfer-encoding" in headers
    kind = _one(headers, b"content-type").partition(";")[0].strip().lower()
    return (415, "the body has to be application/json") if comes and kind != "application/json" else None


def grouped(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    "Headers by name in lower case, every value kept."
    found: dict[bytes, list[str]] = defaultdict(list)
    for name, value in headers:
        found[name.lower()].append(value.decode("latin-1"))
    return dict(found)


class Guard:
    "ASGI middleware: the door, one-time links, and the body, read whole before anybody behind sees the request."

    patience = PATIENCE

    def __init__(self, app: ASGIApp, token: str, port: int, once: Once) -> None:
        self.app, self.door, self.once = app, Door(token, port), once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        send = _dressed(send)
        headers, method = grouped(scope["headers"]), scope["method"]
        if scope["path"] == "/open" and method == "GET" and b"authorization" not in headers:
            await self._open(scope, headers, send)
            return
        refused = self.door.refusal(method, headers)
        if refused is None:
            whole, refused = await self._whole(receive)
        if refused is not None:
            await refuse(send, *refused)
            return
        await self.app(scope, _again(whole, receive), send)

    async def _open(self, scope: Scope, headers: Headers, send: Send) -> None:
        "A link out of `make`. The page is loaded by the answer itself: a redirect from elsewhere would come without the cookie."
        refused = self.door.strange(headers)
        code = parse_qs(scope["query_string"].decode("latin-1")).get("once", [""])[0]
        if refused is None and not self.once.redeem(code):
            refused = 403, "this link was used before or is too old; `pocketsleep open` makes a new one"
        if refused is not None:
            await refuse(send, *refused)
            return
        page = b'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>pocketsleep</title>'
        await _answer(send, 200, b"text/html; charset=utf-8", page,
                      [(b"set-cookie", self.door.badge.header.encode()), (b"cache-control", b"no-store")])

    async def _whole(self, receive: Receive) -> tuple[bytes, Refusal | None]:
        "The body; or why it is not taken."
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.patience):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return b"", (400, "the body ended early")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > MOST:
                        return b"", (413, f"the body may hold {MOST} bytes")
                    if not message.get("more_body"):
                        return b"".join(parts), None
        except TimeoutError:
            return b"", (408, f"the body did not come within {self.patience:g} seconds")


def _again(body: bytes, receive: Receive) -> Receive:
    "A body that was read, then what comes after it (that the client has gone)."
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _dressed(send: Send) -> Send:
    "Adds the headers that keep a page to itself, but for those an answer brings."

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            brought = list(message.get("headers", ()))
            names = {name.lower() for name, _ in brought}
            message = {**message, "headers": brought + [one for one in HEADERS if one[0] not in names]}
        await send(message)

    return dressed


async def refuse(send: Send, status: int, reason: str) -> None:
    "A refusal; what may still come of the request's body is not waited for."
    await _answer(send, status, b"application/json", json.dumps(error(reason, status)).encode(), [(b"connection", b"close")])


async def _answer(send: Send, status: int, kind: bytes, body: bytes, more: list[tuple[bytes, bytes]]) -> None:
    headers: list[Any] = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error(reason: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    "An error in OpenAI's form: https://platform.openai.com/docs/guides/error-codes."
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": reason, "type": kind, "param": param, "code": code or _CODES.get(status)}}


_CODES = {401: "invalid_api_key", 408: "request_timeout", 413: "request_too_large", 429: "rate_limit_exceeded", 503: "busy"}
