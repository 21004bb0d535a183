"""A stand-in for a model server on a real socket, which says exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

from pocketsleep.serve.proxy import Proxy, Upstream


class Stand:
    "Answers each request with what `answer(head, body)` gives: bytes in parts, sent one after the other; None ends the connection."

    def __init__(self, answer: Callable[[bytes, bytes], Any]) -> None:
        self.answer, self.seen = answer, list[tuple[bytes, bytes]]()
        self.lines: list[asyncio.StreamWriter] = []
        self.hung_up = threading.Event()
        self.port = free_port()

    async def run(self, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        await stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")), 0)
                body = await reader.readexactly(length)
                self.seen.append((head, body))
                for part in self.answer(head, body):
                    if part is None:
                        return
                    await asyncio.sleep(part) if isinstance(part, float) else writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


class Running:
    "Servers on an event loop in a thread."

    def __init__(self, *servers: Any) -> None:
        self.servers, self.ready = servers, threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        tasks = [asyncio.create_task(server.run(self.stop)) for server in self.servers]
        await asyncio.sleep(0)
        for server in self.servers:
            await _listening(server.port)
        self.ready.set()
        await asyncio.gather(*tasks)

    def __enter__(self) -> Running:
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def proxied(stand: Stand, token: str, recorder: Any, inject: bool = False, key: str = "") -> Proxy:
    upstream = Upstream(f"http://127.0.0.1:{stand.port}/v1", key)
    return Proxy(upstream, token, free_port(), recorder.heard, recorder.inject if inject else None)
