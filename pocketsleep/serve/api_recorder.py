"""What the proxy does beside passing on: it records, and puts notes in front where that is wished. Neither holds an answer up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pocketsleep.journal import Journal
from pocketsleep.serve import api_heard
from pocketsleep.serve.day import conversed
from pocketsleep.serve.notes import Notes
from pocketsleep.serve.proxy import Exchange

MOST = 256 * 1024 * 1024  # bytes of exchanges that may wait to be written


class Recorder:
    "Listens to a proxy's exchanges. `tell` hears what could not be recorded, and why."

    def __init__(self, journal: Journal, tell: Callable[[str], None]) -> None:
        self.journal, self.tell, self.notes = journal, tell, Notes(journal)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lock, self._waiting = threading.Lock(), 0

    def heard(self, exchange: Exchange) -> None:
        "On the event loop: leaves the reading and writing to a thread."
        if not api_heard.is_chat(exchange):
            return
        if self._waiting > MOST:
            self.tell("not recorded: the journal is too slow, or locked")
            return
        self._count(exchange, 1)
        self._pool.submit(self._record, exchange)

    def _count(self, exchange: Exchange, sign: int) -> None:
        with self._lock:
            self._waiting += sign * (len(exchange.body) + exchange.size)

    def _record(self, exchange: Exchange) -> None:
        try:
            said = api_heard.overheard(exchange)
            if said is not None:
                self.journal.record(conversed(said.messages, said.answer, said.conversation, said.private, "proxy"))
        except Exception as wrong:  # the answer has arrived; what went wrong here is told, and the next one tried
            self.tell(f"not recorded: {wrong or type(wrong).__name__}")
        finally:
            self._count(exchange, -1)

    async def inject(self, exchange: Exchange) -> bytes | None:
        "The request with the notes that its question calls for, and what is known of its tools; None where it stays as it is."
        if not api_heard.is_chat(exchange):
            return None
        try:
            return await asyncio.to_thread(self._noted, exchange.body)
        except Exception as wrong:  # a request that cannot be read is the upstream's to refuse
            self.tell(f"no notes: {wrong or type(wrong).__name__}")
            return None

    def _noted(self, body: bytes) -> bytes | None:
        question = api_heard.last_question(body)
        notes = self.notes.find(question) if question.strip() else []
        knacks = self.notes.of_tools(api_heard.offered(body))
        return api_heard.noted(body, [note.text for note in notes], [one.text for one in knacks]) if notes or knacks else None

    def close(self) -> None:
        "Once what was heard is written."
        self._pool.shutdown(wait=True)
