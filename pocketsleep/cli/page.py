"""The command that shows the page: open."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from pocketsleep.asleep import Sleeper
from pocketsleep.cli import BaseName, Json, app, opened, out
from pocketsleep.cli.watch import Log
from pocketsleep.errors import BadInput, MissingPart
from pocketsleep.pocket import Pocket

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds for a server of ours to come up


@app.command("open")
def open_(
    port: Annotated[int, typer.Option(help="Port on the loopback address.")] = 8765,
    window: Annotated[bool, typer.Option("--window", help="In a window of its own instead of the browser.")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser, or print the link alone.")] = True,
    base: BaseName = "", json_: Json = False,
) -> None:
    """Show the page: chat, memory, nights, settings. Starts the server where none runs.

    Example: pocketsleep open
    """
    show = _window() if window else webbrowser.open if browser else None
    with opened(base) as pocket:
        if link := _link(pocket.token(), port):
            _tell(link, port, False, json_)
            if show:
                show(link)
            return
        _serve(pocket, port, show, window, json_)


def _tell(link: str, port: int, started: bool, json_: bool) -> None:
    out.one({"url": link, "port": port, "started": started}) if json_ else out.data(link)
    if started:
        out.talk.print("the link works once, for two minutes. Ctrl-C ends the server")


def _window() -> Callable[[str], Any]:
    "A window of pywebview's; it has to be on the main thread, and returns when it is closed."
    try:
        import webview
    except ImportError:
        raise MissingPart("a window of its own needs pywebview, which is not installed",
                          hint="`pip install 'pocketsleep[window]'`, or `pocketsleep open` for the browser") from None

    logging.getLogger("pywebview").setLevel(logging.CRITICAL)  # its tracebacks for each toolkit that is not here

    def show(link: str) -> None:
        webview.create_window("pocketsleep", link, width=1180, height=820, min_size=(360, 480))
        try:
            webview.start()
        except webview.errors.WebViewException as wrong:
            raise MissingPart(f"pywebview finds nothing to draw a window with ({wrong})",
                              hint="`pip install 'pywebview[qt]'`, or `pocketsleep open` for the browser") from None

    return show


def _link(token: str, port: int) -> str:
    "A one-time link of the server that runs there, '' where none does. BadInput where it is somebody else's."
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("POST", "/open", "{}", {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
    except ConnectionRefusedError:
        return ""
    except (OSError, http.client.HTTPException) as wrong:
        raise _taken(port, str(wrong) or type(wrong).__name__) from None
    finally:
        connection.close()
    with suppress(ValueError, KeyError, TypeError):
        return f"http://{HOST}:{port}{json.loads(said)['path']}"
    raise _taken(port, f"it answers {answer.status}")


def _taken(port: int, why: str) -> BadInput:
    return BadInput(f"port {port} is taken by something that is not this home's server ({why})",
                    hint=f"pocketsleep open --port {port + 1}")


def _serve(pocket: Pocket, port: int, show: Callable[[str], Any] | None, window: bool, json_: bool) -> None:
    "Serve until stopped, or until the window is closed."
    from pocketsleep.serve import beside, page, server
    from pocketsleep.serve.api import build

    sleeper = Sleeper(pocket.home, pocket.named)
    routes = [*page.routes(pocket, sleeper), *beside.routes(pocket.journal)]
    day = pocket.day()
    day.watch = Log()
    application = build(day, pocket.token(), port, routes)
    link = f"http://{HOST}:{port}/open?once={application.state.once.make()}"
    try:
        if window and show:
            _beside(server.Server(application, HOST, port), lambda: _announce(link, port, show, json_))
            return
        threading.Thread(target=_announce, args=(link, port, show, json_), daemon=True).start()
        server.run(application, HOST, port)
    finally:
        sleeper.close()


def _beside(running: Any, work: Callable[[], Any]) -> None:
    "The server on a thread while `work` has the main one."
    thread = threading.Thread(target=running.run, name="server")
    thread.start()
    try:
        work()
    finally:
        running.should_exit = True
        thread.join()


def _announce(link: str, port: int, show: Callable[[str], Any] | None, json_: bool) -> None:
    "Once the server listens: tell the link, and show the page."
    if _up(port):
        _tell(link, port, True, json_)
        if show:
            show(link)


def _up(port: int) -> bool:
    "Wait for the server to listen."
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        time.sleep(0.05)
    return False
