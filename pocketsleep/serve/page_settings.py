"""Where things are, and how they are set."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pocketsleep import __version__
from pocketsleep.errors import PocketError
from pocketsleep.journal.privacy import Exclusion
from pocketsleep.serve.page_wire import House, Sleeps, body, said, text


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    settings = _Settings(house)
    return [Route("/page/settings", settings.all), Route("/page/state", settings.state),
            Route("/page/exclusions", settings.exclusions), Route("/page/exclude", settings.exclude, methods=["POST"])]


class _Settings:
    def __init__(self, house: House) -> None:
        self.house = house

    def state(self, request: Request) -> Response:
        "What stands at the edge of every view: cheap, asked for often."
        journal = self.house.journal
        current = journal.current()
        night = next((n.id for n in reversed(journal.nights()) if current and n.adapter == current and n.verdict
                      and n.verdict.passed), None)
        return said({"worn": current or None, "night": night, "memories": len(journal.memories()), "base": self.house.card.title})

    def all(self, request: Request) -> Response:
        home, card = self.house.home, self.house.card
        places = (("Everything said and learnt", home.journal), ("Adapters, one a night", home.adapters),
                  ("Imported bases; safe to delete", home.cache), ("The server's token", home.token))
        return said({
            "version": __version__, "home": str(home.root),
            "base": {"name": card.name, "title": card.title, "licence": card.licence, "parameters": card.parameters},
            "places": [{"what": what, "path": str(path), "bytes": _size(path)} for what, path in places],
            "journal": self._journal(),
        })

    def exclusions(self, request: Request) -> Response:
        "What is kept out, and how many turns each keeps."
        journal, hidden = self.house.journal, self.house.journal.hidden()
        return said({"exclusions": [{"kind": one.kind, "value": one.value, "title": self._title(one), "since": one.since,
                                     "turns": hidden.get(one.id, hidden.get(one.kind, 0))} for one in journal.exclusions()],
                     "private": hidden.get("private", 0)})

    def _title(self, one: Exclusion) -> str:
        "Where a conversation or a turn is meant, the day of it: its words are not told any more."
        if one.kind not in ("conversation", "turn"):
            return one.value
        with suppress(PocketError):
            return self.house.journal.episode(one.cite.episode if one.kind == "turn" else one.value).started_at[:10] or one.value
        return one.value

    async def exclude(self, request: Request) -> Response:
        "An exclusion made, or with `back` taken back."
        given = await body(request)
        change = self.house.include if given.get("back") else self.house.exclude
        done = await asyncio.to_thread(change, text(given, "kind", needed=True), text(given, "value", needed=True))
        return said({"turns": done.turns, "memories": list(done.memories), "taken_off": bool(done.taken_off)})

    def _journal(self) -> dict[str, Any]:
        journal = self.house.journal
        return {"sqlite": journal.sqlite_version, "mode": journal.mode, "reason": journal.mode_reason}


def _size(path: Path) -> int:
    "Bytes of a file, or of all files under a folder."
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else []
    return sum(p.stat().st_size for p in files)
