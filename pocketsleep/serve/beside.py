"""For programs that talk to other models and want this memory beside: the notes a question calls for, and turns to be recorded.

    POST /notes  {"question": "..."}                                      -> {"notes": [{"id", "text"}, ...]}
    POST /turns  {"app": "...", "conversation": "...", "private": false,
                  "messages": [{"role": "user", "content": "..."}, ...]}  -> {"conversation": "...", "added": 2}

A conversation is sent as it stands; only what is new in it is added. Whose words a turn holds goes by its role, as everywhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pocketsleep.errors import BadInput
from pocketsleep.journal import Journal
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Role, Turn
from pocketsleep.serve.notes import Notes
from pocketsleep.serve.page_wire import body, said, text

ROLES = ("system", "user", "assistant", "tool")


def routes(journal: Journal) -> Sequence[BaseRoute]:
    "For `api.build`, behind its guard."
    beside = _Beside(journal)
    return [Route("/notes", beside.notes, methods=["POST"]), Route("/turns", beside.turns, methods=["POST"])]


class _Beside:
    def __init__(self, journal: Journal) -> None:
        self.journal, self.found = journal, Notes(journal)

    async def notes(self, request: Request) -> Response:
        question = text(await body(request), "question", needed=True)
        found = await asyncio.to_thread(self.found.find, question)
        return said({"notes": [{"id": m.id, "text": m.text} for m in found]})

    async def turns(self, request: Request) -> Response:
        episode = _episode(await body(request))
        kept = await asyncio.to_thread(self.journal.record, episode)
        return said({"conversation": kept.episode_id, "added": kept.added_turns})


def _episode(given: dict[str, Any]) -> Episode:
    app = re.sub(r"[^\w.-]+", "-", text(given, "app", needed=True)).strip("-").casefold()
    if not app:
        raise BadInput(f"`app` is {given['app']!r}, and has to be a name")
    messages, private = given.get("messages"), bool(given.get("private"))
    if not isinstance(messages, list):
        raise BadInput("`messages` has to be a list")
    now, turns = datetime.now(UTC).isoformat(timespec="seconds"), list[Turn]()
    for number, one in enumerate(messages):
        role = one.get("role") if isinstance(one, dict) else None
        if role not in ROLES:
            raise BadInput(f"message {number} has the role {role!r}; known are {', '.join(ROLES)}")
        if role != "system":
            content = text(one, "content")
            turns.append(Turn(cast(Role, role), content, taint(turns, cast(Role, role), content), private, now))
    name = text(given, "conversation", needed=True)
    return Episode(f"{app}-{name}", tuple(turns), now, app, private)
