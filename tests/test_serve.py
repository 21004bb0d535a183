"""The local server, spoken to by the official client over a real socket, and by those it must refuse."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from pocketsleep.errors import BadInput
from pocketsleep.journal import Journal
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve import api
from pocketsleep.serve.day import Day

TOKEN = "a-token-of-the-test"
SAY = [{"role": "user", "content": "My dog is called Biscuit."}]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as made:
        yield made


@pytest.fixture
def running(journal: Journal, tmp_path: Path, port: int) -> Iterator[int]:
    day = Day(journal, Scripted(*["What a fine name ☀ it is"] * 40), lambda name: tmp_path / name)
    server = uvicorn.Server(uvicorn.Config(api.build(day, TOKEN, port), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(running: int) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{running}/v1", api_key=TOKEN, max_retries=0) as made:
        yield made


def test_the_official_client(client: openai.OpenAI, journal: Journal) -> None:
    assert [m.id for m in client.models.list()] == ["pocketsleep", "pocketsleep:base"]
    made: Any = client.chat.completions.create(model="pocketsleep", messages=SAY, max_tokens=50)  # type: ignore[call-overload]
    assert made.choices[0].message.content == "What a fine name ☀ it is"
    assert made.choices[0].finish_reason == "stop"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    (episode,) = journal.episodes()
    assert [(t.role, t.text) for t in episode.turns] == [
        ("user", SAY[0]["content"]), ("assistant", "What a fine name ☀ it is")]


def test_streaming_is_the_same_in_pieces(client: openai.OpenAI) -> None:
    stream: Any = client.chat.completions.create(
        model="pocketsleep", messages=SAY, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload]
    pieces = list(stream)
    said = [c.choices[0].delta.content or "" for c in pieces if c.choices]
    assert "".join(said) == "What a fine name ☀ it is"
    assert len([s for s in said if s]) > 1
    assert pieces[-1].usage.completion_tokens > 0


def test_a_longer_conversation_is_recorded_once(client: openai.OpenAI, journal: Journal) -> None:
    client.chat.completions.create(model="pocketsleep", messages=SAY)  # type: ignore[call-overload]
    more = [*SAY, {"role": "assistant", "content": "What a fine name ☀ it is"}, {"role": "user", "content": "Thanks."}]
    client.chat.completions.create(model="pocketsleep", messages=more)  # type: ignore[call-overload]
    (episode,) = journal.episodes()
    assert len(episode.turns) == 4


def test_errors_have_openais_form(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model is called"):
        client.chat.completions.create(model="pocketsleep:n9", messages=SAY)  # type: ignore[call-overload]
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="pocketsleep", messages=SAY, temperature=9)  # type: ignore[call-overload]
    with pytest.raises(openai.BadRequestError, match="role"):
        client.chat.completions.create(model="pocketsleep", messages=[{"role": "ghost", "content": "boo"}])  # type: ignore[call-overload,list-item]


HOSTS = ("evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.nip.io:{port}", "localhost.evil.example:{port}", "")
ORIGINS = ("https://evil.example", "null", "http://127.0.0.1:1", "https://localhost:{port}")
TOKENS = (None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x")
ROUTES = (("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/"), ("OPTIONS", "/v1/chat/completions"))


def _hostile(port: int) -> Iterator[dict[str, str]]:
    good = {"host": f"127.0.0.1:{port}", "authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    for host in HOSTS:
        yield {**good, "host": host.format(port=port)}
    for origin in ORIGINS:
        yield {**good, "origin": origin.format(port=port)}
    for token in TOKENS:
        yield {k: v for k, v in {**good, "authorization": token}.items() if v is not None}


def test_every_hostile_request_is_refused(running: int, journal: Journal) -> None:
    count = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{running}") as plain:
        for headers, (method, route) in itertools.product(_hostile(running), ROUTES):
            got = plain.request(method, route, headers=headers, json={"messages": SAY} if method == "POST" else None)
            assert got.status_code in (400, 401, 403, 421), (method, route, headers, got.status_code)
            assert not [h for h in got.headers if h.startswith("access-control")]
            count += 1
    assert count == (len(HOSTS) + len(ORIGINS) + len(TOKENS)) * len(ROUTES)
    assert not journal.episodes()


@pytest.mark.parametrize(("kind", "status"), [("application/x-www-form-urlencoded", 415), ("text/plain", 415)])
def test_forms_are_refused(running: int, kind: str, status: int) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": kind}
    assert httpx.post(f"http://127.0.0.1:{running}/v1/chat/completions", headers=headers, content=b"{}").status_code == status


def test_a_body_that_is_too_large(running: int) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    got = httpx.post(f"http://127.0.0.1:{running}/v1/chat/completions", headers=headers, content=b" " * (5 << 20))
    assert got.status_code == 413

    def slowly() -> Iterator[bytes]:
        for _ in range(5):
            yield b" " * (1 << 20)

    got = httpx.post(f"http://127.0.0.1:{running}/v1/chat/completions", headers=headers, content=slowly())
    assert got.status_code == 413


def test_only_loopback_is_served(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a loopback"):
        api.serve(Day(journal, Scripted("x"), lambda name: tmp_path), TOKEN, host="0.0.0.0")
