"""Every request that another page, another name or another program could send is refused, by the server and by the proxy; and each of
them passes once what is hostile in it is put right."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pocketsleep.journal import Journal
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.api_recorder import Recorder
from pocketsleep.serve.day import Day
from pocketsleep.serve.once import Badge
from tests.test_serve import up
from tests.upstream import Running, Stand, free_port, proxied

TOKEN = "a-token-of-the-test"
BODY = json.dumps({"model": "pocketsleep", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}).encode()
Request = tuple[str, str, list[tuple[str, str]], bytes]  # method, path, headers, body

HOSTS = ("evil.example", "evil.example:{p}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.nip.io:{p}", "localtest.me:{p}", "lvh.me:{p}", "0.0.0.0:{p}",
         "localhost.evil.example:{p}", "localhost.:{p}", "127.1:{p}", "2130706433:{p}", "0x7f.1:{p}", "[::ffff:127.0.0.1]:{p}", "127.0.0.1:{p}@evil",
         "evil@127.0.0.1:{p}", "127.0.0.1:{p}, evil.example", "127.0.0.2:{p}", "[::]:{p}", "", "ⓛocalhost:{p}", "localhost:{p}/", "localhost:0{p}")
ORIGINS = ("https://evil.example", "null", "http://127.0.0.1:1", "https://localhost:{p}", "http://localhost", "http://evil.example:{p}",
           "http://127.0.0.1:{p}.evil.example", "http://localhost:{p}/", "HTTP://LOCALHOST:{p}", "file://", "chrome-extension://abc",
           "http://127.0.0.1.nip.io:{p}", "http://[::]:{p}", "", "http://127.0.0.1:{p} http://evil.example")
TOKENS = (None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic {t}", "{t}", "Bearer {t}x", "Bearer  {t}", "Bearer {t} {t}", "Bearer\t{t}", "Digest {t}")
KINDS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "", "application/jsonp", "text/html",
         "application/x-json", "application/json2")
METHODS = ("OPTIONS", "TRACE", "PROPFIND", "SEARCH", "PURGE", "MKCOL")
TWICE = ("Host", "Origin", "Authorization", "Content-Type", "Content-Length")
PATHS = (("GET", "/v1/models", b""), ("POST", "/v1/chat/completions", BODY), ("POST", "/v1/embeddings", BODY), ("DELETE", "/v1/x", b""), ("GET", "/", b""),
         ("PUT", "/v1/x", b"{}"))


def good(port: int, body: bytes) -> list[tuple[str, str]]:
    base = [("Host", f"127.0.0.1:{port}"), ("Authorization", f"Bearer {TOKEN}"), ("Connection", "close")]
    return base + ([("Content-Type", "application/json"), ("Content-Length", str(len(body)))] if body else [])


def changed(headers: list[tuple[str, str]], name: str, value: str | None) -> list[tuple[str, str]]:
    kept = [one for one in headers if one[0] != name]
    return kept if value is None else [*kept, (name, value)]


def hostile(port: int, json_alone: bool) -> Iterator[Request]:
    "Each with one thing wrong. `json_alone`: bodies of other kinds are wrong with the token as well; the proxy passes them on."
    cookie = Badge(TOKEN, port)
    for method, path, body in PATHS:
        base = good(port, body)
        for host in HOSTS:
            yield method, path, changed(base, "Host", host.format(p=port)), body
        yield method, path, changed(base, "Host", None), body
        for origin in ORIGINS:
            yield method, path, [*base, ("Origin", origin.format(p=port))], body
        for token in TOKENS:
            yield method, path, changed(base, "Authorization", token and token.format(t=TOKEN)), body
        for kind in KINDS if body and json_alone else ():
            yield method, path, changed(base, "Content-Type", kind), body
        for name in TWICE if body else TWICE[:3]:
            double = base if name != "Origin" else [*base, ("Origin", f"http://127.0.0.1:{port}")]
            twin = next(one for one in double if one[0] == name)
            yield method, path, [*double, twin if name != "Content-Length" else (name, f"{twin[1]}0")], body
        for wrong in ("x", f"{cookie.name}={TOKEN}", f"{cookie.name}={cookie.key}x", f"pocketsleep={TOKEN}"):
            yield method, path, [*changed(base, "Authorization", None), ("Cookie", wrong)], body
        badge = [*changed(base, "Authorization", None), ("Cookie", f"{cookie.name}={cookie.key}")]
        for kind in KINDS if body else ():
            yield method, path, [*changed(badge, "Content-Type", kind), ("Origin", f"http://127.0.0.1:{port}")], body
        for site in ("cross-site", "same-site", "none, cross-site"):
            yield method, path, [*badge, ("Sec-Fetch-Site", site), ("Origin", f"http://127.0.0.1:{port}")], body
        if method != "GET":
            yield method, path, badge, body  # no Origin says that the page is ours
            yield method, path, [*badge, ("Origin", f"http://localhost:{port}")], body
        if body:
            yield method, path, changed(base, "Content-Length", str(1 << 40)), body
            yield method, path, changed(base, "Content-Length", "-1"), body
            yield method, path, changed(base, "Content-Length", "1e3"), body
            yield method, path, [*base, ("Transfer-Encoding", "chunked")], body
    for method, path in itertools.product(METHODS, ("/v1/models", "/v1/chat/completions", "/", "*")):
        yield method, path, good(port, b""), b""
    yield "CONNECT", "evil.example:443", good(port, b""), b""
    for path in ("http://evil.example/v1/models", "//evil.example/v1/models"):
        yield "GET", path, changed(good(port, b""), "Host", "evil.example"), b""
    yield "GET", "/v1/models", [*good(port, b""), ("X-Long", "x" * 200_000)], b""
    yield "GET", "/v1/models", [*changed(good(port, b""), "Authorization", None), ("Upgrade", "websocket")], b""


def harmless(port: int) -> Iterator[Request]:
    "The same, with nothing wrong."
    cookie = Badge(TOKEN, port)
    for method, path, body in PATHS:
        base = good(port, body)
        yield method, path, base, body
        for host in (f"localhost:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
            yield method, path, changed(base, "Host", host), body
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            yield method, path, [*base, ("Origin", origin)], body
        yield method, path, changed(base, "Authorization", f"bearer {TOKEN}"), body
        badge = [*changed(base, "Authorization", None), ("Cookie", f"a=b; {cookie.name}={cookie.key}")]
        yield method, path, [*badge, ("Origin", f"http://127.0.0.1:{port}"), ("Sec-Fetch-Site", "same-origin")], body
        if body:
            yield method, path, changed(base, "Content-Type", "application/json; charset=utf-8"), body


def status(port: int, request: Request) -> tuple[int, str]:
    "What a server answers, 0 where it hangs up without a word."
    method, path, headers, body = request
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(head.encode("utf-8") + body)
            while b"\r\n\r\n" not in got and (more := line.recv(65536)):
                got += more
    except ConnectionError:
        pass
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else 0, got.decode("latin-1").lower()


@pytest.fixture(params=["server", "proxy"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    "One of the two, with the journal that has to stay empty."
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(tmp_path / "journal.db"))
        if request.param == "server":
            day = Day(journal, Scripted(*["Hello."] * 100), lambda name: tmp_path / name)
            yield stack.enter_context(up(day, free_port()))
            return
        recorder = Recorder(journal, lambda told: None)
        stand = Stand(lambda head, body: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"])
        proxy = proxied(stand, TOKEN, recorder)
        stack.callback(recorder.close)
        stack.enter_context(Running(stand, proxy))
        yield proxy.port


def test_every_hostile_request_is_refused_and_every_harmless_one_passes(
        port: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    requests = list(hostile(port, request.node.callspec.params["port"] == "server"))
    for one in requests:
        code, said = status(port, one)
        assert code in (0, 400, 401, 403, 405, 408, 411, 413, 415, 421, 431, 501), (one, said)
        assert "access-control" not in said
        assert TOKEN not in said
    assert len(requests) > 400
    with Journal(tmp_path / "journal.db") as journal:
        assert not journal.episodes()
    passed = list(harmless(port))
    for one in passed:
        code, said = status(port, one)
        assert code in (200, 404), (one, said)
    assert len(passed) > 50
