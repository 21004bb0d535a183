"""A night in a process of its own: what it tells, how it is stopped, how it fails; and the command that shows the page."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from pocketsleep.asleep import Sleeper
from pocketsleep.cli import app
from pocketsleep.errors import BadInput, Busy, MissingPart
from pocketsleep.home import Home
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from tests import short
from tests.browser import site, unskilled
from tests.test_night import SMALL, home
from tests.upstream import free_port


def until(true: Callable[[], Any]) -> Any:
    for _ in range(12000):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def dozing(home: Home, base: str, wishes: Wishes, pipe: Connection) -> None:
    pipe.send({"stage": "seed", "done": 1, "total": 9})
    time.sleep(600)


def dying(home: Home, base: str, wishes: Wishes, pipe: Connection) -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def shortly(home: Home, base: str, wishes: Wishes, pipe: Connection) -> None:
    "A whole night in the child, with a short exam."
    with pytest.MonkeyPatch.context() as patch:
        short.exam(patch)
        unskilled(home, base, wishes, pipe)


def test_a_night_is_told_stage_by_stage(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        sleeper = Sleeper(pocket.home, str(tiny), SMALL, shortly)
        sleeper.start()
        with pytest.raises(Busy):
            sleeper.start()
        until(lambda: not sleeper.state()["running"])
        now, night = sleeper.state(), pocket.journal.night("n1")
        assert list(now["stages"]) == ["gather", "extract", "dream", "seed", "examine"]
        assert night.verdict is not None
        assert (now["night"], now["outcome"], now["error"]) == ("n1", night.verdict.outcome, "")
        assert night.verdict.scores


def test_a_night_is_cancelled_and_another_may_begin(tmp_path: Path) -> None:
    sleeper = Sleeper(Home(tmp_path), work=dozing)
    sleeper.start()
    until(lambda: sleeper.state()["stage"])
    sleeper.cancel()
    until(lambda: not sleeper.state()["running"])
    assert sleeper.state()["outcome"] == "cancelled"
    sleeper.start()
    assert sleeper.state()["running"]
    sleeper.close()
    until(lambda: not sleeper.state()["running"])


def test_a_night_that_dies_or_cannot_begin_is_told(tmp_path: Path) -> None:
    sleeper = Sleeper(Home(tmp_path / "home"), work=dying)
    sleeper.start()
    until(lambda: not sleeper.state()["running"])
    assert sleeper.state()["outcome"] == "failed"
    assert "goes on where it stopped" in sleeper.state()["hint"]
    with Pocket(Home(tmp_path / "home")) as pocket, pocket.alone():
        busy = Sleeper(pocket.home)
        busy.start()
        until(lambda: not busy.state()["running"])
        assert (busy.state()["outcome"], busy.state()["error"]) == ("failed", "a night is already under way in this home")


def test_open_gives_a_link_of_the_server_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    with Pocket(Home(tmp_path / "home")) as pocket, site(pocket, free_port(), Wishes(), Day(pocket.journal, Scripted(), pocket.registry.path)) as here:
        done = CliRunner().invoke(app, ["open", "--port", str(here.port), "--json"])
        told = json.loads(done.stdout)
        assert (done.exit_code, told["port"], told["started"]) == (0, here.port, False)
        assert shown == [told["url"]]
        assert httpx.get(told["url"]).status_code == 200
        assert httpx.get(told["url"]).status_code == 403


def test_open_says_when_somebody_else_is_there(tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        done = CliRunner().invoke(app, ["open", "--port", str(other.server_port)])
    assert isinstance(done.exception, BadInput)
    assert "it answers 404" in str(done.exception)


def test_a_window_needs_pywebview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webview", None)
    done = CliRunner().invoke(app, ["open", "--window"])
    assert isinstance(done.exception, MissingPart)
    assert "pip install 'pocketsleep[window]'" in done.exception.hint
