"""Who may talk to the local server: a bearer token on every route, loopback names in Host, our own Origin.

Against DNS rebinding (CVE-2024-28224, CVE-2025-66416) and reflected origins; no CORS header is ever sent.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
MOST = 4 * 1024 * 1024  # bytes of a request's body


class Guard:
    "ASGI middleware: refuses before anything is read, and never lets an oversized body through."

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in NAMES}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if refused := self.refusal(scope):
            await _refuse(send, *refused)
            return
        await self.app(scope, _limited(receive), send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        "(status, reason), or None when the request may pass."
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        one = {name: values[0].decode("latin-1") for name, values in headers.items()}
        if len(headers.get(b"host", [])) != 1 or one[b"host"].lower() not in self.hosts:
            return 421, "this server answers to its loopback names alone"
        if any(origin.decode("latin-1") not in self.origins for origin in headers.get(b"origin", [])):
            return 403, "requests from other origins are refused"
        given = one.get(b"authorization", "")
        if len(headers.get(b"authorization", [])) > 1 or not self._knows(given):
            return 401, "the bearer token is missing or wrong"
        if scope["method"] == "POST" and not one.get(b"content-type", "").lower().startswith("application/json"):
            return 415, "the body has to be application/json"
        length = one.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > MOST:
            return 413, f"the body may hold {MOST} bytes"
        return None

    def _knows(self, given: str) -> bool:
        scheme, _, token = given.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.encode("latin-1"), self.token.encode())


class TooLarge(Exception):
    "A body that said it was smaller than it is."


def _limited(receive: Receive) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST:
            raise TooLarge
        return message

    return counted


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps(error(reason, status)).encode()
    headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error(reason: str, status: int) -> dict[str, Any]:
    "An error in OpenAI's form."
    kind = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}.get(status, "invalid_request_error")
    return {"error": {"message": reason, "type": kind if status < 500 else "server_error", "param": None, "code": status}}
