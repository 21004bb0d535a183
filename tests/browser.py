"""A real Chromium for tests of the page, and the page itself on a real socket.

Where no browser is on the machine, the npm package @sparticuz/chromium brings one (npm alone, no root): into a folder beside
other temporary files, once. Where that fails too the test fails. Only POCKETSLEEP_TEST_CHROMIUM=none skips; it may also hold a path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from pocketsleep.home import Home
from pocketsleep.pocket import Pocket, Wishes
from tests.running import served

PACKAGE = "@sparticuz/chromium@147.0.0"
VARIABLE = "POCKETSLEEP_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
UNPACK = "import c from '@sparticuz/chromium'; console.log(await c.executablePath());"
FLAGS = ("--no-sandbox", "--no-zygote", "--disable-gpu", "--force-prefers-reduced-motion")
PATIENCE = 90_000  # milliseconds for whatever a page is waited for: a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
HINT = f"install chromium (or node and npm), name it by {VARIABLE}=/path/to/chromium, or skip by {VARIABLE}=none"


def chromium() -> Path:
    named = os.environ.get(VARIABLE, "")
    if named == "none":
        pytest.skip(f"{VARIABLE}=none")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), "") or os.fspath(_from_npm())
    if not Path(found).exists():
        pytest.fail(f"there is no browser `{found}`: {HINT}")
    return Path(found)


def _from_npm() -> Path:
    folder = Path(tempfile.gettempdir()) / f"pocketsleep-test-{PACKAGE.rpartition('/')[2]}-{os.getuid() if hasattr(os, 'getuid') else 0}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "done").exists():
            _install(folder)
    return folder / "unpacked" / "chromium"


def _install(folder: Path) -> None:
    if not shutil.which("npm"):
        pytest.fail(f"no browser and no npm on this machine: {HINT}")
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    # the package unpacks its libraries where it believes to be in a container
    surroundings = {**os.environ, "TMPDIR": str(unpacked), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x", "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
    (folder / "unpack.mjs").write_text(UNPACK, "utf-8")
    for command in (["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE], ["node", "unpack.mjs"]):
        done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stderr[-600:]}\n{HINT}")
    (folder / "done").touch()


@contextmanager
def browser() -> Iterator[Browser]:
    path = chromium()
    libraries = path.parent / "al2023" / "lib"
    surroundings = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else {})}
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS), env=surroundings)
        yield made
        made.close()


def context(browser: Browser, **wishes: Any) -> BrowserContext:
    made = browser.new_context(**wishes)
    made.set_default_timeout(PATIENCE)
    return made


def unskilled(home: Home, base: str, wishes: Wishes, pipe: Connection) -> None:
    "asleep.live as nights of tests are: by rules and grammar, in a minute."
    from pocketsleep.asleep import live

    Pocket.skills = None  # type: ignore[assignment]
    live(home, base, wishes, pipe)


class Site:
    "A home, its server, and links into it."

    def __init__(self, pocket: Pocket, sleeper: Any, server: Any, port: int) -> None:
        self.pocket, self.sleeper, self.server, self.port = pocket, sleeper, server, port

    def url(self, view: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{view}"

    def link(self) -> str:
        return self.url(f"open?once={self.server.config.app.state.once.make()}")

    def enter(self, browser: Browser, **wishes: Any) -> Page:
        "A page that was let in, in a context of its own; what goes wrong in it goes to `page.wrong`."
        made = context(browser, **wishes)
        made.grant_permissions(["clipboard-read", "clipboard-write"])
        page = made.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.wrong = wrong  # type: ignore[attr-defined]
        page.goto(self.link())
        page.get_by_role("link", name="Memory").wait_for()
        return page


@contextmanager
def site(pocket: Pocket, port: int, wishes: Wishes, day: Any = None) -> Iterator[Site]:
    from pocketsleep.asleep import Sleeper
    from pocketsleep.serve import api, page
    from pocketsleep.serve.server import Server

    sleeper = Sleeper(pocket.home, pocket.named, wishes, unskilled)
    server = Server(api.build(day or pocket.day(), pocket.token(), port, page.routes(pocket, sleeper)), port=port)
    with served(server):
        try:
            yield Site(pocket, sleeper, server, port)
        finally:
            sleeper.close()
