"""Nights: what each came to, what is worn, and one begun, watched and stopped from the page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pocketsleep.journal import reports
from pocketsleep.nouns import Night
from pocketsleep.serve.page_wire import House, Sleeps, body, said, text


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    nights = _Nights(house, sleeps)
    return [Route("/page/nights", nights.all), Route("/page/night", nights.one), Route("/page/sleep", nights.state),
            Route("/page/sleep/begin", nights.begin, methods=["POST"]),
            Route("/page/sleep/cancel", nights.cancel, methods=["POST"]),
            Route("/page/undo", nights.undo, methods=["POST"]), Route("/page/use", nights.use, methods=["POST"])]


class _Nights:
    def __init__(self, house: House, sleeps: Sleeps) -> None:
        self.house, self.sleeps = house, sleeps

    def all(self, request: Request) -> Response:
        "The newest first, in short; and what waits for the next."
        journal = self.house.journal
        here = {a.id for a in self.house.registry.list()}
        return said({"worn": journal.current() or None, "unslept": self._unslept(), "memories": len(journal.memories()),
                     "nights": [self._short(n, here) for n in reversed(journal.nights())]})

    def _unslept(self) -> int:
        "Messages of the person that no night has read yet."
        journal = self.house.journal
        return sum(journal.turn(cite).role == "user" for cite in journal.unslept())

    def _short(self, night: Night, here: set[str]) -> dict[str, Any]:
        report = reports.night_report(self.house.journal, night)
        short = ("night", "started_at", "verdict", "failed", "adapter", "scores", "live", "waiting", "base")
        return {name: report[name] for name in short} | {
            "learnt": len(report["learnt"]), "dropped": len(report["dropped"]),
            "wearable": report["verdict"] == "worn" and report["adapter"] in here,
            "worn": report["verdict"] == "worn" and report["adapter"] is not None and report["adapter"] == report["worn"]}

    def one(self, request: Request) -> Response:
        journal = self.house.journal
        return said(reports.night_report(journal, journal.night(request.query_params.get("id", ""))))

    def state(self, request: Request) -> Response:
        return said(self.sleeps.state())

    async def begin(self, request: Request) -> Response:
        given = await body(request)
        self.sleeps.start(text(given, "depth") or "night", bool(given.get("fresh")))
        return said(self.sleeps.state())

    async def cancel(self, request: Request) -> Response:
        self.sleeps.cancel()
        return said(self.sleeps.state())

    async def undo(self, request: Request) -> Response:
        return said({"worn": await asyncio.to_thread(self.house.undo) or None})

    async def use(self, request: Request) -> Response:
        name = text(await body(request), "name", needed=True)
        return said({"worn": await asyncio.to_thread(self.house.use, name) or None})
