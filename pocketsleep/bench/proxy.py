"""What the recording proxy adds to a request: the same one to a stand-in upstream directly and through the proxy, in turns."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.errors import PocketError
from pocketsleep.journal import Journal
from pocketsleep.serve.api_recorder import Recorder
from pocketsleep.serve.proxy import Proxy, Upstream

TOKEN = "bench"
WARM = 20  # requests that are not counted
PAUSE = 0.1  # seconds between pairs, in which the last exchange is recorded; without it both share a processor


def proxy(requests: int, tokens: int, say: Callable[[str], None], pause: float = PAUSE) -> dict[str, Any]:
    """Milliseconds that the proxy adds, to a whole answer and to its first byte: medians and 99th percentiles of pairs. Upstream
    and proxy are processes of their own. The answer's bytes have to be equal, and every exchange recorded."""
    ports = [_free(), _free()]
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        stand = spawn.Process(target=_stand, args=(ports[0], tokens), daemon=True)
        between = spawn.Process(target=_between, args=(ports[0], ports[1], journal), daemon=True)
        try:
            for process in (stand, between):
                process.start()
            lines = [_connected(port) for port in ports]
            pairs = []
            for n in range(WARM + requests):
                time.sleep(pause)
                pairs.append([_ask(line, port, n) for line, port in zip(lines, ports, strict=True)])
        finally:
            for process in (between, stand):
                process.terminate()
                process.join()
        if any(direct[2] != passed[2] for direct, passed in pairs):
            raise PocketError("an answer that passed the proxy differs", hint="this is a bug: please tell us")
        recorded = _recorded(journal)
    if recorded != len(pairs):
        raise PocketError(f"{recorded} of {len(pairs)} exchanges were recorded", hint="this is a bug: please tell us")
    say(f"{requests} answers of {len(pairs[0][0][2]):,} bytes equal, {recorded} exchanges recorded")
    return _figures(np.array([[one[:2] for one in pair] for pair in pairs[WARM:]]) * 1000)


def _figures(took: np.ndarray) -> dict[str, Any]:
    "took: [pairs, direct or passed, first or all], milliseconds."
    added = took[:, 1] - took[:, 0]
    return {f"{name}_{what}_p{share}_ms": float(np.percentile(of[:, n], share))
            for n, name in ((1, "whole"), (0, "first_byte")) for what, of in (("added", added), ("direct", took[:, 0]))
            for share in (50, 99)}


def _stand(port: int, tokens: int) -> None:
    "An upstream that streams its tokens, an event and a write each."
    events = [{"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": f"token{n} "}, "finish_reason": None}]}
              for n in range(tokens)]
    events.append({"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]
    chunks = [b"%x\r\n%s\r\n" % (len(line), line) for line in lines] + [b"0\r\n\r\n"]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # the other side has hung up
            while asked := await reader.readuntil(b"\r\n\r\n"):
                length = next(int(line[15:]) for line in asked.splitlines() if line.lower().startswith(b"content-length"))
                await reader.readexactly(length)
                writer.write(head)
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
            await server.serve_forever()

    asyncio.run(run())


def _between(stand: int, port: int, journal: Path) -> None:
    from pocketsleep.serve import proxy as serving

    with Journal(journal) as open_journal:
        recorder = Recorder(open_journal, lambda told: None)
        serving.run(Proxy(Upstream(f"http://127.0.0.1:{stand}"), TOKEN, port, recorder.heard))
        recorder.close()


def _ask(line: socket.socket, port: int, n: int) -> tuple[float, float, bytes]:
    "(seconds to the first byte, to the last, the answer)."
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": f"Question {n}?"}]}).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    started = time.perf_counter()
    line.sendall(head + body)
    got = [line.recv(1 << 16)]
    first = time.perf_counter() - started
    while not got[-1].endswith(b"0\r\n\r\n"):
        if not got[-1]:
            raise PocketError("an answer broke off", hint="this is a bug: please tell us")
        got.append(line.recv(1 << 16))
    return first, time.perf_counter() - started, b"".join(got)


def _connected(port: int) -> socket.socket:
    until = time.monotonic() + 60
    while True:
        try:
            line = socket.create_connection(("127.0.0.1", port), timeout=60)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return line
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _recorded(journal: Path) -> int:
    with Journal(journal) as opened:
        return len(opened.episodes())


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
