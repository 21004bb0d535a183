"""The local server, spoken to by the official client over a real socket, and by those it must refuse."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from pocketsleep.errors import BadInput, Busy, ModelError
from pocketsleep.journal import Journal
from pocketsleep.nouns import Message, Sampling
from pocketsleep.runtime import Runtime, llama_batch
from pocketsleep.runtime.llamacpp import LlamaCpp
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve import api
from pocketsleep.serve.api_asked import Asked
from pocketsleep.serve.day import Day
from pocketsleep.serve.loops import loops
from pocketsleep.serve.server import Server
from pocketsleep.weights import Base
from tests.running import served

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


@contextmanager
def up(day: api.Talks, port: int) -> Iterator[int]:
    "The server of a day."
    with served(Server(api.build(day, TOKEN, port), port=port)):
        yield port


@pytest.fixture
def running(journal: Journal, tmp_path: Path, port: int) -> Iterator[int]:
    with up(Day(journal, Scripted(*["What a fine name ☀ it is"] * 40), lambda name: tmp_path / name), port) as there:
        yield there


@pytest.fixture(scope="module")
def llama(smol: Base) -> Iterator[LlamaCpp]:
    made = LlamaCpp(smol.card, smol, threads=1, context=1024)
    yield made
    made.close()


@pytest.fixture
def talking(journal: Journal, llama: Runtime, tmp_path: Path, port: int) -> Iterator[int]:
    "The same with a real model, which is taken while it answers."
    with up(Day(journal, llama, lambda name: tmp_path / name), port) as there:
        yield there


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


def test_a_private_hi_hides_nothing_that_was_said_after_another(client: openai.OpenAI, journal: Journal) -> None:
    "Without an id a conversation is known by its opening; one off the record is another."
    def ask(said: list[Any], **how: Any) -> list[Any]:
        made: Any = client.chat.completions.create(model="pocketsleep", messages=said, **how)
        return [*said, {"role": "assistant", "content": made.choices[0].message.content}]

    hi = [{"role": "user", "content": "hi"}]
    talk = ask([*ask(hi), *SAY])
    ask(hi, store=False)
    assert [(e.private, e.turns[-2].text) for e in journal.episodes()] == [(False, SAY[0]["content"]), (True, "")]
    ask([*talk, {"role": "user", "content": "She is seven."}])
    assert [len(e.turns) for e in journal.episodes()] == [6, 2]
    assert {t.text for _, t in journal.search_turns("dog seven")} == {SAY[0]["content"], "She is seven."}


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


def test_a_token_there_has_to_be(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="token is empty"):
        api.build(Day(journal, Scripted("x"), lambda name: tmp_path), "", 1)


BODIES = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"messages": "hi"}', b'{"messages": []}', b'{"messages": [1]}', b"[" * 100_000,
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b'{"messages": [{"role": "user", "content": 5}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}',
    *(b'{"messages": [{"role": "user", "content": "hi"}], %s}' % extra for extra in (
        b'"temperature": NaN', b'"temperature": "warm"', b'"max_tokens": 0', b'"max_tokens": -2', b'"seed": "x"', b'"stop": [1]', b'"model": 5')),
)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_is_no_request_is_told_so(running: int, journal: Journal, body: bytes) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    got = httpx.post(f"http://127.0.0.1:{running}/v1/chat/completions", headers=headers, content=body)
    assert got.status_code == 400
    assert set(got.json()["error"]) == {"message", "type", "param", "code"}
    assert got.json()["error"]["message"]
    assert not journal.episodes()


def test_what_is_unknown_is_left_alone_and_parts_are_joined(client: openai.OpenAI, journal: Journal) -> None:
    parts = [{"type": "text", "text": "My dog "}, {"type": "text", "text": "is called Biscuit."}]
    client.chat.completions.create(  # type: ignore[call-overload]
        model="pocketsleep", messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}],
        logit_bias={}, user="somebody", metadata={"conversation": "c-1"}, extra_body={"never_heard_of": {"it": 1}})
    (episode,) = journal.episodes()
    assert episode.id == "c-1"
    assert episode.turns[0].text == "My dog is called Biscuit."


def test_max_tokens_and_stop(client: openai.OpenAI) -> None:
    def ask(**how: Any) -> Any:
        return client.chat.completions.create(model="pocketsleep", messages=SAY, **how).choices[0]  # type: ignore[call-overload]

    cut = ask(max_completion_tokens=2)
    assert (cut.message.content, cut.finish_reason) == ("What a", "length")
    assert ask(stop=" name").message.content == "What a fine"
    assert ask(stop=["never", "it"]).message.content == "What a fine name ☀ "


def test_an_answer_that_the_window_cuts_is_not_told_as_whole(talking: int, monkeypatch: pytest.MonkeyPatch, llama: LlamaCpp) -> None:
    monkeypatch.setattr(llama, "context", 128)
    with openai.OpenAI(base_url=f"http://127.0.0.1:{talking}/v1", api_key=TOKEN, max_retries=0) as made:
        asked = [{"role": "user", "content": "Write a very long story about a lighthouse keeper and the sea."}]
        for stream in (False, True):
            said = made.chat.completions.create(model="pocketsleep", messages=asked, max_tokens=2000, stream=stream)  # type: ignore[call-overload]
            last = list(said)[-1] if stream else said
            assert last.choices[0].finish_reason == "length"


@pytest.mark.parametrize(("given", "tokens", "seed"), [
    ({"max_tokens": -1}, 32768, 0), ({"max_completion_tokens": -1}, 32768, 0), ({"max_tokens": 65536}, 32768, 0), ({"max_tokens": 32768}, 32768, 0),
    ({"max_tokens": None, "max_completion_tokens": 10}, 10, 0), ({"seed": -1}, 512, 0), ({"seed": 7}, 512, 7), ({}, 512, 0)])
def test_no_limit_and_no_seed_as_programs_write_them(given: dict[str, Any], tokens: int, seed: int) -> None:
    sampling = Asked({"messages": SAY, **given}).sampling
    assert (sampling.max_tokens, sampling.seed) == (tokens, seed)
    warm = [Asked({"messages": SAY, "temperature": 1, "seed": -1}).sampling.seed for _ in range(2)]
    assert warm[0] != warm[1], "none: another answer each time"


def test_many_at_once_wait_their_turn(talking: int, journal: Journal) -> None:
    "An answer holds the model to its end: two that took turns by pieces would wait for each other for ever."
    with openai.OpenAI(base_url=f"http://127.0.0.1:{talking}/v1", api_key=TOKEN, max_retries=0) as client:
        def ask(number: int) -> str:
            says = [{"role": "user", "content": f"What is {number} plus one?"}]
            made: Any = client.chat.completions.create(  # type: ignore[call-overload]
                model="pocketsleep", messages=says, max_tokens=12, stream=number % 2 == 0)
            if number % 2:
                return str(made.choices[0].message.content)
            return "".join(chunk.choices[0].delta.content or "" for chunk in made)

        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(ask, range(5)))
    recorded = {episode.turns[0].text: episode.turns[1].text for episode in journal.episodes()}
    assert recorded == {f"What is {n} plus one?": answer for n, answer in enumerate(answers)}


@pytest.mark.parametrize("stream", [True, False])
def test_who_hangs_up_stops_the_model(talking: int, journal: Journal, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    steps, step, begun = [0], llama_batch.Lanes.step, threading.Event()

    def counted(self: llama_batch.Lanes, rows: Any) -> Any:
        steps[0] += 1
        begun.set()
        return step(self, rows)

    monkeypatch.setattr(llama_batch.Lanes, "step", counted)
    body = {"messages": [{"role": "user", "content": "Tell me a very long story of the sea."}], "max_tokens": 900,
            "temperature": 1.5, "stream": stream}
    _hang_up(talking, body, begun)
    before = steps[0]
    with openai.OpenAI(base_url=f"http://127.0.0.1:{talking}/v1", api_key=TOKEN, max_retries=0) as client:
        client.chat.completions.create(model="pocketsleep", messages=SAY, max_tokens=4)  # type: ignore[call-overload]
    assert before < 300
    assert steps[0] - before < 300
    assert [episode.turns[0].text for episode in journal.episodes()] == [SAY[0]["content"]]


def _hang_up(port: int, body: dict[str, Any], begun: threading.Event) -> None:
    "Ask over a bare socket, and close it once the model has begun to speak."
    sent = json.dumps(body).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(head.encode() + sent)
        begun.wait()


class Halting:
    "A day that breaks after so many pieces."

    def __init__(self, pieces: Sequence[str], wrong: Exception) -> None:
        self.given, self.wrong = pieces, wrong

    def models(self) -> list[str]:
        return []

    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str, conversation: str, private: bool) -> Iterator[str]:
        yield from self.given
        raise self.wrong

    def embed(self, texts: Sequence[str]) -> Any:
        raise self.wrong

    def count(self, text: str) -> int:
        return len(text)


@pytest.mark.parametrize(("wrong", "status"), [(Busy("taken", hint="wait"), 503), (ModelError("torn", hint="doctor"), 422)])
def test_errors_keep_their_hint(port: int, wrong: Exception, status: int) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with up(Halting([], wrong), port), httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as plain:
        for stream in (True, False):
            got = plain.post("/v1/chat/completions", json={"messages": SAY, "stream": stream})
            assert got.status_code == status
            assert got.json()["error"]["message"] == f"{wrong} ({wrong.hint})"  # type: ignore[attr-defined]


def test_an_error_half_way_is_the_last_event(port: int) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with up(Halting(["One"], ModelError("torn")), port):
        got = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", headers=headers,
                         json={"messages": SAY, "stream": True})
    events = [line.removeprefix("data: ") for line in got.text.splitlines() if line]
    assert json.loads(events[1])["choices"][0]["delta"]["content"] == "One"
    assert json.loads(events[-1])["error"]["message"] == "torn"


def test_an_answer_that_goes_round_is_noticed() -> None:
    once = "Apples are high in sugar and in fibre. "
    assert not loops(once * 2)
    assert not loops(once * 2 + "Apples are high in sugar")
    assert loops("Well. " + once + "So:\n\n" + once * 2)
    assert not loops("Yes. " * 9)
