"""The recording proxy: between a program and its own model server (Ollama, LM Studio, llama-server, any endpoint).

Whatever the upstream answers goes to the program byte by byte, in the moment it comes. The proxy listens along, and once an
exchange has ended whole it is handed over to be recorded; nothing that happens there reaches the program. Of a request only the
head is written anew: where it goes, and the key, since ours ends here.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from pocketsleep.errors import BadInput
from pocketsleep.serve.guard import Door, Headers, Refusal, error, grouped
from pocketsleep.serve.server import free

HEAD_IN, BODY_IN, IDLE = 10.0, 60.0, 75.0  # seconds until a request's head and its body are there; between requests
LINGER = 1.0  # seconds that a refused program has to read why
MOST = 64 * 1024 * 1024  # bytes of a request's body: pictures are sent in it
HEARD = 32 * 1024 * 1024  # bytes of an answer that is recorded
OWN = (b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"content-length", b"expect", b"upgrade",
       b"x-pocketsleep-token", b"x-pocketsleep-private")
NO_BODY = ("GET", "HEAD", "DELETE")


@dataclass(slots=True)
class Exchange:
    "A request and what was answered."

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes  # as the program sent it
    sent: bytes | None = None  # to the upstream, where it is another
    close: bool = False  # the program's connection ends with it
    status: int = 0
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = False


Heard = Callable[[Exchange], None]
Change = Callable[[Exchange], Awaitable[bytes | None]]  # the body to send instead, if any


class Upstream:
    "Where requests go, and the open connections to it."

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"`{url}` is no address of a server", hint="pocketsleep serve --upstream http://127.0.0.1:11434")
        self.host, self.tls = parts.hostname, ssl.create_default_context() if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)
        self.path, self.key, self.named = parts.path.rstrip("/"), key, parts.netloc.rpartition("@")[2]
        self.idle: deque[Line] = deque()

    def request(self, exchange: Exchange) -> bytes:
        "A request as the upstream gets it."
        path = self.path.removesuffix("/v1") if exchange.target.startswith("/v1/") else self.path
        lines = [f"{exchange.method} {path}{exchange.target} HTTP/1.1\r\nHost: {self.named}\r\n".encode("latin-1")]
        apart = any(name.lower() == b"x-pocketsleep-token" for name, _ in exchange.headers)
        for name, value in exchange.headers:
            if name.lower() not in OWN and (apart or name.lower() not in (b"authorization", b"cookie")):
                lines.append(name + b": " + value + b"\r\n")
        if self.key and not apart:
            lines.append(f"Authorization: Bearer {self.key}\r\n".encode("latin-1"))
        body = exchange.body if exchange.sent is None else exchange.sent
        if body or exchange.method not in NO_BODY:
            lines.append(f"Content-Length: {len(body)}\r\n".encode())
        return b"".join([*lines, b"\r\n", body])

    async def line(self) -> Line:
        "A new connection."
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(self), self.host, self.port, ssl=self.tls)
        return line

    def close(self) -> None:
        while self.idle:
            self.idle.pop().transport.close()


class Line(asyncio.Protocol):
    "A connection to the upstream: one exchange at a time."

    def __init__(self, upstream: Upstream) -> None:
        self.upstream, self.client, self.used = upstream, cast("Client | None", None), False

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport

    def send(self, client: Client, exchange: Exchange) -> None:
        self.client, self.exchange, self.began, self.ended = client, exchange, False, False
        self.stays = True
        self.parser = httptools.HttpResponseParser(self)
        self.transport.resume_reading()
        self.transport.write(self.upstream.request(exchange))

    def data_received(self, data: bytes) -> None:
        if self.client is None:  # said unasked
            self.transport.close()
            return
        self.began = True
        self.client.transport.write(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:  # passed on as it is, but nothing can be made of it
            self.exchange.status = 0
            self.transport.close()
            return
        if self.ended:
            self._end(self.stays and self.exchange.method != "HEAD")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.exchange.answer_headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.exchange.status = self.parser.get_status_code()
        if self.exchange.status < 200:
            self.exchange.answer_headers.clear()
        self.ended = self.exchange.method == "HEAD"

    def on_body(self, body: bytes) -> None:
        self.exchange.size += len(body)
        if self.exchange.size <= HEARD:
            self.exchange.parts.append(body)

    def on_message_complete(self) -> None:
        self.ended = self.exchange.status >= 200
        self.stays = self.parser.should_keep_alive()  # forgotten by the parser once it goes on

    def _end(self, keep: bool) -> None:
        client, self.client = self.client, None
        if keep:
            self.used = True
            self.upstream.idle.append(self)
        else:
            self.transport.close()
        if client is not None:
            self.exchange.whole = True
            client.ended(self.exchange, keep)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.upstream.idle:
            self.upstream.idle.remove(self)
        client, self.client = self.client, None
        if client is None:
            return
        if self.used and not self.began:  # it was closed while it was idle: nobody has seen the request
            client.send(self.exchange)
            return
        names = {name.lower() for name, _ in self.exchange.answer_headers}
        # A body without a length ends with its connection; one with a length was cut off.
        sized = names & {b"content-length", b"transfer-encoding"}
        self.exchange.whole = error is None and self.exchange.status >= 200 and not sized
        if self.began:
            client.ended(self.exchange, False)
        else:
            client.refuse(502, f"the upstream {self.upstream.named} closed without an answer")

    def pause_writing(self) -> None:
        if self.client:
            self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.client:
            self.client.transport.resume_reading()


class Client(asyncio.Protocol):
    "A program's connection. Its requests are read whole, then sent on one by one."

    def __init__(self, proxy: Proxy) -> None:
        self.proxy, self.waiting, self.line = proxy, deque[Exchange](), cast("Line | None", None)
        self.busy, self.over = False, False
        self.parser = httptools.HttpRequestParser(self)
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.proxy.clients.add(self)
        self._wait(HEAD_IN)

    def _wait(self, seconds: float) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = asyncio.get_running_loop().call_later(seconds, self.transport.close) if seconds else None

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(400, "no other protocol is spoken here")
        except httptools.HttpParserError as wrong:
            self.refuse(400, f"this is no HTTP/1.1 request ({wrong})")

    def on_message_begin(self) -> None:
        self._url, self._headers, self._parts, self._size, self._head = b"", list[tuple[bytes, bytes]](), list[bytes](), 0, 0
        if not self.busy:
            self._wait(HEAD_IN)

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._measure(len(name) + len(value))

    def _measure(self, more: int) -> None:
        self._head += more
        if self._head > 65536 and not self.over:
            self.refuse(431, "the request's head is too long")

    def on_headers_complete(self) -> None:
        if self.over:
            return
        if refused := self.proxy.refusal(self.parser.get_method().decode("latin-1"), grouped(self._headers)):
            self.refuse(*refused)
            return
        if not self.busy:
            self._wait(BODY_IN)
        if any(name.lower() == b"expect" for name, _ in self._headers):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MOST and not self.over:
            self.refuse(413, f"the body may hold {MOST} bytes")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self.over:
            return
        target = self._url.decode("latin-1")
        if not target.startswith("/"):
            self.refuse(400, "the address has to begin with a slash")
            return
        method, close = self.parser.get_method().decode("latin-1"), not self.parser.should_keep_alive()
        self.waiting.append(Exchange(method, target, self._headers, b"".join(self._parts), close=close))
        self._next()

    def _next(self) -> None:
        if self.busy or self.over or not self.waiting:
            return
        self.busy, exchange = True, self.waiting.popleft()
        self._wait(0)
        if self.proxy.change is None:
            self.send(exchange)
        else:
            self.proxy.task(self._changed(exchange))

    async def _changed(self, exchange: Exchange) -> None:
        assert self.proxy.change is not None
        exchange.sent = await self.proxy.change(exchange)
        self.send(exchange)

    def send(self, exchange: Exchange) -> None:
        "To the upstream, on a connection that is idle or a new one."
        if self.over:
            return
        while self.proxy.upstream.idle:
            line = self.proxy.upstream.idle.pop()
            if not line.transport.is_closing():
                self._on(line, exchange)
                return
        self.proxy.task(self._connect(exchange))

    async def _connect(self, exchange: Exchange) -> None:
        try:
            line = await self.proxy.upstream.line()
        except OSError as wrong:
            self.refuse(502, f"the upstream {self.proxy.upstream.named} cannot be reached ({wrong.strerror or wrong})")
            return
        if self.over:
            self.proxy.upstream.idle.append(line)
        else:
            self._on(line, exchange)

    def _on(self, line: Line, exchange: Exchange) -> None:
        self.line = line
        line.send(self, exchange)

    def ended(self, exchange: Exchange, keep: bool) -> None:
        "All of an answer has been passed on, or all that came of it."
        self.line, self.busy = None, False
        if exchange.whole:
            self.proxy.heard(exchange)
        if not keep or exchange.close or self.proxy.closing:
            self.over = True
            self.transport.close()
            return
        self._wait(IDLE)
        self._next()

    def refuse(self, status: int, reason: str) -> None:
        self.over = True
        body = json.dumps(error(reason, status)).encode()
        head = (f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n")
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._wait(LINGER)  # closed at once, what still comes in would take the answer back

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True
        self._wait(0)
        self.proxy.clients.discard(self)
        if self.line is not None:  # the program has gone: the upstream may stop
            self.line.client = None
            self.line.transport.close()

    def pause_writing(self) -> None:
        if self.line:
            self.line.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.line and not self.line.transport.is_closing():
            self.line.transport.resume_reading()


class Proxy:
    "The listening side."

    def __init__(self, upstream: Upstream, token: str, port: int, heard: Heard, change: Change | None = None) -> None:
        if not token:
            raise BadInput("the server's token is empty", hint="delete the file, and a new one is made: `pocketsleep serve`")
        self.upstream, self.door, self.heard, self.change = upstream, Door(token, port, MOST, json_alone=False), heard, change
        self.port, self.clients, self.closing = port, set[Client](), False
        self._tasks = set[asyncio.Task[None]]()

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        "By the guard's rules. A program whose own key belongs to the upstream shows ours beside it."
        if b"x-pocketsleep-token" in headers:
            ours = [f"Bearer {value}" for value in headers[b"x-pocketsleep-token"]]
            headers = {**headers, b"authorization": ours}
        return self.door.refusal(method, headers)

    def task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, stop: asyncio.Event, host: str = "127.0.0.1", grace: float = 20.0) -> None:
        "Until `stop`; then answers under way may end within `grace` seconds."
        server = await asyncio.get_running_loop().create_server(lambda: Client(self), host, self.port)
        await stop.wait()
        self.closing = True
        server.close()
        for client in [c for c in self.clients if not c.busy]:
            client.transport.close()
        end = asyncio.get_running_loop().time() + grace
        while self.clients and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        for client in list(self.clients):
            client.transport.abort()
        self.upstream.close()


def run(proxy: Proxy) -> None:
    "Until SIGTERM, or Ctrl-C, which is raised again as KeyboardInterrupt."
    caught: list[int] = []

    async def until() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def heard(number: int, frame: Any) -> None:
            caught.append(number)
            loop.call_soon_threadsafe(stop.set)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, heard)
        await proxy.run(stop)

    free("127.0.0.1", proxy.port)
    sys.setswitchinterval(0.0005)  # seconds: the thread that records may not hold a byte up
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        asyncio.run(until())
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    if signal.SIGINT in caught:
        raise KeyboardInterrupt
