"""The one place where the model works: a thread that takes jobs in the order of asking, one at a time.

An answer is one job from its first piece to its last, since a runtime is taken until its answer ends. Whoever asks while too
many wait is told so at once. A client that has gone stops its job at the next piece; a server that stops lets the answer under
way end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, Generic, TypeVar, cast

from pocketsleep.errors import Busy

T = TypeVar("T")
MOST = 64  # jobs that may wait


class Full(Busy):
    "Too many wait already; soon fewer will."


class Stopping(Busy):
    "The server is on its way out."


class Desk:
    "Jobs in a row. Every call of the model goes through here, whichever route it came by."

    def __init__(self, most: int = MOST) -> None:
        self.most, self.waiting, self.closed = most, 0, False
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._streams: set[Stream[Any]] = set()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        "Raises Full where too many wait, Stopping where the server does."
        with self._lock:
            if self.closed:
                raise _stopping()
            if self.waiting >= self.most:
                raise Full(f"{self.waiting} requests wait already", hint="try again in a moment")
            self.waiting += 1
            done = self._pool.submit(work)
        done.add_done_callback(self._less)
        return done

    def _less(self, done: Future[Any]) -> None:
        with self._lock:
            self.waiting -= 1

    async def run(self, work: Callable[[], T]) -> T:
        "What a job comes to. One that has not begun when its waiter goes is never begun."
        future = self.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.cancelled() and self.closed:
                raise _stopping() from None
            raise

    def stream(self, make: Callable[[], Iterator[T]]) -> Stream[T]:
        "A job that gives piece by piece."
        stream = Stream(make)
        self._streams.add(stream)
        try:
            self.submit(stream.speak).add_done_callback(lambda done: self._streams.discard(stream))
        except Busy:
            self._streams.discard(stream)
            raise
        return stream

    def close(self) -> None:
        "No new jobs; those that wait are refused, the one under way goes on to its end."
        with self._lock:
            self.closed = True
        for stream in list(self._streams):
            stream.refuse_unbegun()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def cut(self) -> None:
        "Stop the answer under way, too."
        for stream in list(self._streams):
            stream.end(_stopping())


def _stopping() -> Stopping:
    return Stopping("the server is stopping", hint="start it again: `pocketsleep serve`")


class Stream(Generic[T]):
    "Pieces of a job, read by the event loop it was made on."

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make, self.begun = make, False
        self._gone = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue()

    def speak(self) -> None:
        "On the worker: from the first piece to the last, or to the one at which nobody listens."
        try:
            if self._gone.is_set():
                return
            self.begun = True
            with closing(cast(Any, self._make())) as pieces:
                for piece in pieces:
                    if self._gone.is_set():
                        return
                    self._put((piece,))
            self._put(None)
        except Exception as wrong:  # told to the client by the event loop
            self._put(wrong)

    def _put(self, said: tuple[T] | Exception | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever listened
            self._loop.call_soon_threadsafe(self._queue.put_nowait, said)

    def end(self, wrong: Exception) -> None:
        "Stop the worker at its next piece; who listens gets this instead."
        self._gone.set()
        self._put(wrong)

    def refuse_unbegun(self) -> None:
        if not self.begun:
            self.end(_stopping())

    def stop(self) -> None:
        "Nobody listens any more."
        self._gone.set()

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        said = await self._queue.get()
        if isinstance(said, Exception):
            raise said
        if said is None:
            self._queue.put_nowait(None)  # asked again, the end is still the end
            raise StopAsyncIteration
        return said[0]
