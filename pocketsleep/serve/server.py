"""An application on a loopback socket: heads that have to come in time, and an end without loss.

On SIGTERM or Ctrl-C no new request is taken, those that wait are refused, and the answer under way may end within GRACE.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from pocketsleep.errors import BadInput
from pocketsleep.serve.desk import Desk

PATIENCE = 10.0  # seconds until a request's whole head is there
GRACE = 20.0  # seconds that the answer under way may still take
CONNECTIONS = 512
HEAD = 64 * 1024  # bytes


class Punctual(H11Protocol):
    "A connection that is closed where a request's head does not come in time; uvicorn alone would wait for ever."

    patience = PATIENCE
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._relax()

    def _wait(self) -> None:
        "Runs from the first byte that is due to the last of the head; more bytes give no more time."
        if self.conn.their_state is not h11.IDLE:
            self._relax()
        elif self._due is None:
            self._due = self.loop.call_later(self.patience, self.transport.close)

    def _relax(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class Server(uvicorn.Server):
    "uvicorn, but that the desk hears of the end before the connections are waited for."

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 8765, grace: float = GRACE) -> None:
        super().__init__(uvicorn.Config(
            app, host=host, port=port, log_level="error", server_header=False, http=Punctual, ws="none",
            h11_max_incomplete_event_size=HEAD, limit_concurrency=CONNECTIONS))
        self.desk: Desk = app.state.desk
        self.grace = grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.desk.close()
        cut = asyncio.get_running_loop().call_later(self.grace, self.desk.cut)
        await super().shutdown(sockets)
        cut.cancel()


def run(app: Starlette, host: str, port: int, linger: int | None = None) -> None:
    """Until SIGTERM, or Ctrl-C, which is raised again as KeyboardInterrupt. linger: seconds after which streams that never end
    by themselves are cut; None waits for all."""
    free(host, port)
    server = Server(app, host, port)
    server.config.timeout_graceful_shutdown = linger
    with stopped_by_sigterm(lambda: setattr(server, "should_exit", True)):
        server.run()


def free(host: str, port: int) -> None:
    "BadInput where somebody listens there already; uvicorn would end the process."
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise BadInput(f"{port} is no port: they go up to 65535", hint="pocketsleep serve --port 8765") from None
        except OSError as error:
            raise BadInput(f"port {port} cannot be used ({error.strerror})",
                           hint=f"pocketsleep serve --port {port + 1}") from None


@contextmanager
def stopped_by_sigterm(stop: Callable[[], None]) -> Iterator[None]:
    "SIGTERM calls `stop`, and is no reason to die in the middle: uvicorn raises it again once it is done."
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
