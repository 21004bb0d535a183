"""Where things are, and how they are set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pocketsleep import __version__
from pocketsleep.serve.page_wire import House, Sleeps, said


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    return [Route("/page/settings", _Settings(house).all), Route("/page/state", _Settings(house).state)]


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

    def _journal(self) -> dict[str, Any]:
        journal = self.house.journal
        return {"sqlite": journal.sqlite_version, "mode": journal.mode, "reason": journal.mode_reason}


def _size(path: Path) -> int:
    "Bytes of a file, or of all files under a folder."
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else []
    return sum(p.stat().st_size for p in files)
