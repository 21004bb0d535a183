"""The guard, the one-time link and the desk, over a real socket with the server as it ships."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pocketsleep.journal import Journal
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve import api, guard
from pocketsleep.serve.day import Day
from pocketsleep.serve.desk import Desk, Full, Stopping
from pocketsleep.serve.once import Badge, Once
from pocketsleep.serve.server import Punctual, Server

TOKEN = "a-token-of-the-test"


async def _page(request: Request) -> Response:
    return HTMLResponse("<h1>hello</h1>")


async def _change(request: Request) -> Response:
    found = await request.app.state.desk.run(lambda: threading.current_thread().name)
    return JSONResponse({"ran on": found, "got": await request.json()})


@pytest.fixture
def once() -> Once:
    return Once()


@pytest.fixture
def port(tmp_path: Path, once: Once) -> Iterator[int]:
    "A server with routes of another part beside its own."
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    routes = [Route("/", _page), Route("/change", _change, methods=["POST"])]
    with Journal(tmp_path / "journal.db") as journal:
        day = Day(journal, Scripted(*["Yes, of course."] * 9), lambda name: tmp_path / name)
        server = Server(api.build(day, TOKEN, port, routes, once=once), port=port)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield port
        server.should_exit = True
        thread.join()


@pytest.fixture
def browser(port: int) -> Iterator[httpx.Client]:
    "Keeps cookies, knows no token."
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as made:
        yield made


def test_a_one_time_link_lets_a_page_in(browser: httpx.Client, once: Once, port: int) -> None:
    assert browser.get("/").status_code == 401
    opened = browser.get("/open", params={"once": once.make()})
    assert opened.status_code == 200
    assert 'content="0;url=/"' in opened.text
    assert re.fullmatch(rf"pocketsleep-{port}=[0-9a-f]{{64}}; Path=/; HttpOnly; SameSite=Strict", opened.headers["set-cookie"])
    assert TOKEN not in str(opened.headers) + opened.text
    page = browser.get("/")
    assert page.text == "<h1>hello</h1>"
    for name, value in guard.HEADERS:
        assert page.headers[name.decode()] == value.decode()
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_a_link_opens_once_and_not_late(browser: httpx.Client, once: Once) -> None:
    code = once.make()
    assert [browser.get("/open", params={"once": code}).status_code for _ in range(2)] == [200, 403]
    once.lives = 0.0
    assert browser.get("/open", params={"once": once.make()}).status_code == 403
    for wrong in ("", "x", "\xff"):
        assert browser.get("/open", params={"once": wrong}).status_code == 403
    assert not Once().redeem(once.make())


def test_a_program_that_knows_the_token_gets_a_link(browser: httpx.Client) -> None:
    assert browser.post("/open", json={}).status_code == 401
    made = browser.post("/open", json={}, headers={"authorization": f"Bearer {TOKEN}"})
    assert browser.get(made.json()["path"]).status_code == 200


def test_codes_do_not_pile_up() -> None:
    once = Once()
    codes = [once.make() for _ in range(100)]
    assert len(set(codes)) == 100
    assert [once.redeem(code) for code in codes].count(True) == 32


def test_a_page_changes_things_only_as_our_own(browser: httpx.Client, once: Once, port: int) -> None:
    "The cookie goes along with what other ports of this host send, so it is not enough."
    browser.get("/open", params={"once": once.make()})
    own = f"http://127.0.0.1:{port}"
    assert browser.post("/change", json={"a": 1}, headers={"origin": own}).json() == {"ran on": "model_0", "got": {"a": 1}}
    for headers, status in (({}, 403), ({"origin": "http://127.0.0.1:1"}, 403), ({"origin": "null"}, 403),
                            ({"origin": f"http://localhost:{port}"}, 403), ({"origin": own, "sec-fetch-site": "same-site"}, 403),
                            ({"origin": own, "content-type": "text/plain"}, 415), ({"origin": own, "authorization": "Bearer x"}, 401)):
        assert browser.post("/change", json={"a": 1}, headers=headers).status_code == status, headers
    assert browser.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_a_cookie_that_is_not_ours_opens_nothing(browser: httpx.Client, port: int) -> None:
    badge = Badge(TOKEN, port)
    good = f"{badge.name}={badge.key}"
    for cookie in (f"{badge.name}={TOKEN}", f"{badge.name}=", f"pocketsleep={badge.key}", f"{good}; {good}", f"{badge.name}=x; {good}",
                   Badge("other", port).header.partition(";")[0], Badge(TOKEN, port + 1).header.partition(";")[0]):
        assert browser.get("/", headers={"cookie": cookie}).status_code == 401, cookie
    assert browser.get("/", headers=[("cookie", good), ("cookie", good)]).status_code == 400
    assert browser.get("/", headers={"cookie": f"theme=dark; {good}"}).status_code == 200


@pytest.mark.parametrize("other", ['prefs={"theme": "dark", "n": [1]}', "last visit=today", "naked", "name=Grüße", "a=b=c", "=x", "@id=1", 'open="half'])
def test_another_programs_cookie_does_not_sign_the_page_out(browser: httpx.Client, port: int, other: str) -> None:
    "Cookies go to every port of a host: another program's need not be one by the book."
    badge = Badge(TOKEN, port)
    for cookie in (f"{other}; {badge.name}={badge.key}", f"{badge.name}={badge.key};{other}"):
        assert browser.get("/", headers=[(b"cookie", cookie.encode())]).status_code == 200, cookie


def _closed_after(port: int, sent: bytes, drip: bytes = b"") -> tuple[float, bytes]:
    "(seconds until the server hung up, what it said) for bytes that stop half-way, or go on a byte at a time."
    started, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as line:
        line.sendall(sent)
        while time.monotonic() - started < 20:
            try:
                if not (more := line.recv(4096)):
                    break
                got += more
            except TimeoutError:
                if drip:
                    line.sendall(drip)
            except OSError:
                break
    return time.monotonic() - started, got


def test_a_slow_body_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.Guard, "patience", 0.3)
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n").encode()
    for drip in (b"", b" "):
        seconds, got = _closed_after(port, head + b"{", drip)
        assert got.startswith(b"HTTP/1.1 408")
        assert seconds < 15


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_slow_head_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch, drip: bytes) -> None:
    monkeypatch.setattr(Punctual, "patience", 0.3)
    for sent in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: "):
        assert _closed_after(port, sent, drip)[0] < 15


def test_jobs_run_in_the_order_of_asking_and_too_many_are_refused() -> None:
    async def go() -> None:
        desk, gate, ran = Desk(most=3), threading.Event(), list[int]()
        waiting = [asyncio.create_task(desk.run(lambda n=n: (gate.wait(), ran.append(n)))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await desk.run(lambda: None)
        gate.set()
        await asyncio.gather(*waiting)
        assert ran == [0, 1, 2]
        assert await desk.run(lambda: 7) == 7
        desk.close()
        with pytest.raises(Stopping):
            await desk.run(lambda: None)

    asyncio.run(go())


def test_a_desk_that_closes_refuses_who_waits_and_finishes_what_runs() -> None:
    async def go() -> None:
        desk, gate = Desk(), threading.Event()

        def slow() -> Iterator[str]:
            yield "one"
            gate.wait()
            yield "two"

        running = desk.stream(slow)
        assert await anext(running) == "one"
        waits, job = desk.stream(slow), asyncio.create_task(desk.run(lambda: None))
        await asyncio.sleep(0)
        desk.close()
        with pytest.raises(Stopping):
            await anext(waits)
        with pytest.raises(Stopping):
            await job
        gate.set()
        assert [piece async for piece in running] == ["two"]
        assert [piece async for piece in running] == []

    asyncio.run(go())
