"""The page that `pocketsleep open` shows: its files, and the JSON they ask for. Behind the same guard as everything else.

    page            its files, and all routes
    page_wire       what it needs of a home, and how JSON comes and goes
    page_chat       conversations, answers as they come, what the person thought of them
    page_memory     what is remembered, why, and what forgetting would take
    page_nights     nights, what is worn, a night begun and watched
    page_settings   where things are and how they are set

The files under `static/` are served as they are written: nothing is built, nothing is fetched from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pocketsleep.serve import page_chat, page_memory, page_nights, page_settings
from pocketsleep.serve.page_wire import House, Sleeps

STATIC = Path(__file__).resolve().parent / "static"
PARTS = (page_chat, page_memory, page_nights, page_settings)


async def index(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


class _Files(StaticFiles):
    "Asked for anew each time: an upgrade shows at once, and the way is short."

    def file_response(self, *args: Any, **more: Any) -> Response:
        response = super().file_response(*args, **more)
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    "For `api.build`, which puts the model's desk and the day beside them (`app.state`)."
    return [Route("/", index), Mount("/assets", _Files(directory=STATIC)),
            *(route for part in PARTS for route in part.routes(house, sleeps))]
