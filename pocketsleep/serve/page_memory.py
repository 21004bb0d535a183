"""What is remembered: looked through, traced, put right, taken back; and what forgetting would take along."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pocketsleep.errors import BadInput
from pocketsleep.journal import reports
from pocketsleep.nouns import Memory
from pocketsleep.serve.page_wire import House, Sleeps, body, said, text

EXAMPLES = 6  # study items shown of a memory


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    memory = _Memory(house)
    return [Route("/page/memories", memory.all), Route("/page/memory", memory.one),
            Route("/page/memory/keep", memory.keep, methods=["POST"]),
            Route("/page/memory/forget", memory.forget, methods=["POST"])]


class _Memory:
    def __init__(self, house: House) -> None:
        self.house = house

    def all(self, request: Request) -> Response:
        wanted = request.query_params
        found = self.house.journal.memories(wanted.get("words", ""), None if wanted.get("all") else "active")
        held = self._held()
        return said([reports.memory_report(m) | {"in_weights": m.id in held} for m in found])

    def _held(self) -> set[str]:
        "Ids in the adapter that is worn."
        current = self.house.journal.current()
        return set(self.house.journal.holds(current)) if current else set()

    def one(self, request: Request) -> Response:
        memory = self.house.journal.memory(request.query_params.get("id", ""))
        return said(self._traced(memory))

    def _traced(self, memory: Memory) -> dict[str, Any]:
        journal = self.house.journal
        ledger = {m.id: m for m in journal.memories(status=None)}
        before = ledger.get(memory.supersedes)
        after = next((m for m in ledger.values() if m.supersedes == memory.id), None)
        dreams = journal.dreams(memory=memory.id)
        holding = [a.id for a in self.house.registry.list() if memory.id in a.memories]
        return reports.memory_report(memory) | {
            "cites": reports.cited(journal, memory), "in_weights": memory.id in self._held(),
            "before": reports.memory_report(before) if before else None, "after": reports.memory_report(after) if after else None,
            "dreams": [{"question": d.question, "answer": d.answer} for d in dreams[:EXAMPLES]], "dreamt": len(dreams),
            "adapters": holding, "nights": [n.id for n in journal.nights() if n.adapter in holding], "takes": self._takes(memory),
        }

    def _takes(self, memory: Memory) -> dict[str, Any]:
        "What goes with it when it is forgotten."
        journal = self.house.journal
        turns = [reports.told_at(journal, cite, turn) for cite, turn in journal.goes_with(memory.id) if turn.text]
        return {"turns": turns, "worn": memory.id in self._held()}

    async def keep(self, request: Request) -> Response:
        "A new memory, or another wording of the one whose id is `instead`."
        given = await body(request)
        old = self.house.journal.memory(text(given, "instead")) if given.get("instead") else None
        wording = text(given, "text", needed=True).strip()
        if old and wording == old.text:
            return said(self._traced(old))
        kept = self.house.remember(wording, old.text if old else None)
        if kept is None and (pattern := self.house.journal.excluded(wording)):
            raise BadInput(f"`{wording}` falls under `{pattern}`, which is left out", hint="pocketsleep exclude list")
        if kept is None:
            raise BadInput(f"`{wording}` was forgotten before, and stays forgotten")
        return said(self._traced(self.house.journal.memory(kept.id)))

    async def forget(self, request: Request) -> Response:
        memory = self.house.journal.memory(text(await body(request), "id", needed=True))
        worn = self.house.journal.current()
        gone = await asyncio.to_thread(self.house.forget, memory.id)
        now = self.house.journal.current()
        return said({"memories": list(gone.memories), "turns": len(gone.turns), "dreams": gone.dreams, "taken_off": worn != now,
                     "worn": now or None, "still_said_in": list(gone.still_said_in)})
