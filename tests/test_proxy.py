"""The recording proxy in front of a stand-in upstream: bytes as they were, turns recorded, hostile requests refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.journal import Journal
from pocketsleep.nouns import Memory
from pocketsleep.serve.api_recorder import Recorder
from pocketsleep.serve.proxy import Upstream
from tests.upstream import Running, Stand, proxied

TOKEN = "a-token-of-the-test"
AUTH = {"authorization": f"Bearer {TOKEN}"}
SAY = {"model": "m", "messages": [{"role": "user", "content": "My dog is called Biscuit."}], "made_up": {"keep": ["me", 1]}}


def plain(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> list[bytes]:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return [b"\r\n".join(lines) + b"\r\n\r\n" + body]


def chunked(*parts: bytes, kind: bytes = b"text/event-stream") -> list[Any]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\nX-Odd: \xe9\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


def answered(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "new": [1],
                       "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


def events(*words: str, end: bool = True) -> list[bytes]:
    made = [{"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
             "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
    made += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}] if end else []
    return [f"data: {json.dumps(one)}\n\n".encode() for one in made] + ([b"data: [DONE]\n\n"] if end else [])


class World:
    "A stand-in, the proxy before it, and the journal."

    def __init__(self, stack: ExitStack, journal: Journal, answer: Callable[[bytes, bytes], Any], **how: Any) -> None:
        self.told: list[str] = []
        self.journal, self.stand, self.recorder = journal, Stand(answer), Recorder(journal, self.told.append)
        self.proxy = proxied(self.stand, TOKEN, self.recorder, **how)
        stack.callback(self.recorder.close)
        self.running = stack.enter_context(Running(self.stand, self.proxy))
        self.url = f"http://127.0.0.1:{self.proxy.port}"
        self.client = stack.enter_context(httpx.Client(base_url=self.url, headers=AUTH))

    def turns(self) -> list[tuple[str, str, str]]:
        "(role, text, taint) of all that is recorded, once it is."
        # The answer is here before the proxy's loop is done with it, and only then has it been handed to be written.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.running.loop).result()
        self.recorder._pool.submit(lambda: None).result()
        return [(t.role, t.text, t.taint) for e in self.journal.episodes() for t in e.turns]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(tmp_path / "journal.db"))
        yield lambda answer, **how: World(stack, journal, answer, **how)


def raw(url: str, body: bytes, *headers: str) -> bytes:
    "Everything a server says to one request, head and all."
    import socket
    host, port = url.removeprefix("http://").split(":")
    head = ["POST /v1/chat/completions HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json",
            f"Content-Length: {len(body)}", "Connection: close", *headers]
    with socket.create_connection((host, int(port))) as line:
        line.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        got = b""
        while more := line.recv(65536):
            got += more
    return got


ANSWERS: dict[str, list[Any]] = {
    "whole": plain(answered("What a fine name.")), "stream": chunked(*events("What ", "a fine ", "name.")),
    "gzip": plain(gzip.compress(answered("What a fine name.")), b"Content-Encoding: gzip"),
    "odd pieces": [bytes([b]) for b in b"".join(chunked(*events("What ", "a fine ", "name.")))],
    "until it closes": [b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + answered("What a fine name."), None],
    "ollama": chunked(*(json.dumps({"message": {"role": "assistant", "content": w}, "done": d}).encode() + b"\n"
                        for w, d in (("What a ", False), ("fine name.", False), ("", True))), kind=b"application/x-ndjson"),
    "early hint": [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", *plain(answered("What a fine name."))],
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_bytes_pass_as_they_are_and_turns_are_recorded(world: Callable[..., World], kind: str) -> None:
    here = world(lambda head, body: ANSWERS[kind])
    body = json.dumps(SAY, indent=3).encode()
    assert raw(here.url, body) == b"".join(part for part in ANSWERS[kind] if part)
    head, sent = here.stand.seen[-1]
    assert sent == body
    assert TOKEN.encode() not in head
    assert here.turns() == [("user", "My dog is called Biscuit.", ""), ("assistant", "What a fine name.", "")]
    assert not here.told


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_is_none_for_json_is_recorded_too(world: Callable[..., World], separator: str, end: str) -> None:
    said = f"What a{separator}fine name."
    deltas = [{"choices": [{"index": 0, "delta": {"content": said}}]}, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    sent = "".join(f"data: {json.dumps(one, ensure_ascii=False)}{end}{end}" for one in deltas)
    here = world(lambda head, body: chunked(sent.encode(), f"data: [DONE]{end}{end}".encode()))
    raw(here.url, json.dumps(SAY).encode())
    assert here.turns()[1:] == [("assistant", said, "")]


def test_ollamas_lines_end_where_they_end(world: Callable[..., World]) -> None:
    said = "What a\u2028fine\x85name."
    lines = "".join(json.dumps({"message": {"content": w}, "done": not w}, ensure_ascii=False) + "\n" for w in (said, ""))
    here = world(lambda head, body: chunked(lines.encode(), kind=b"application/x-ndjson"))
    raw(here.url, json.dumps(SAY).encode())
    assert here.turns()[1:] == [("assistant", said, "")]


def test_what_is_no_json_passes_with_the_token_alone(world: Callable[..., World]) -> None:
    "Recordings, files and blobs are sent as what they are. A page that has but the cookie sends nothing of the kind."
    here = world(lambda head, body: plain(b'{"text": "Hello."}'))
    files = {"file": ("a.wav", b"RIFF\x00", "audio/wav")}
    assert here.client.post("/v1/audio/transcriptions", files=files, data={"model": "w"}).json() == {"text": "Hello."}
    assert b"RIFF\x00" in here.stand.seen[-1][1]
    assert here.client.post("/api/blobs/sha256:00", content=b"\x00\x01").status_code == 200
    apart = {"x-pocketsleep-token": TOKEN, "authorization": "Bearer upstream"}
    assert httpx.post(here.url + "/v1/files", files=files, headers=apart).status_code == 200
    badge = here.proxy.door.badge
    ours = {"cookie": f"{badge.name}={badge.key}", "origin": here.url}
    assert httpx.post(here.url + "/v1/files", files=files, headers=ours).status_code == 415
    assert httpx.post(here.url + "/v1/files", files=files).status_code == 401
    assert here.turns() == []


@pytest.mark.parametrize("answer", [
    plain(b'{"error": {"message": "no such model"}}', status=b"404 Not Found"), plain(b"oops", status=b"500 Broken"), plain(b"{", b"X: y"),
    plain(b"\x00\x01", b"Content-Encoding: br"), plain(b"not gzip", b"Content-Encoding: gzip"), plain(b""),
    chunked(*events("cut ", "off", end=False)), plain(b'{"choices": []}'), chunked(b"data: {}\n\n"), plain(b"[1]"), plain(b'"x"')])
def test_errors_and_oddities_pass_and_leave_no_turn(world: Callable[..., World], answer: list[bytes]) -> None:
    here = world(lambda head, body: answer)
    assert raw(here.url, json.dumps(SAY).encode()) == b"".join(answer)
    assert here.turns() == []


def test_the_official_client_through_the_proxy(world: Callable[..., World]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    parts = [{"choices": [{"index": 0, "delta": {"tool_calls": [{**call, "index": 0}]}}]},
             {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]
    said = [chunked(*(f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', **p})}\n\n".encode() for p in parts),
                    b"data: [DONE]\n\n"), plain(answered("Sunny."))]
    here = world(lambda head, body: said[len(here.stand.seen) - 1])
    messages: list[Any] = [{"role": "user", "content": "And the weather?"}]
    with openai.OpenAI(base_url=f"{here.url}/v1", api_key=TOKEN, max_retries=0) as client:
        stream: Any = client.chat.completions.create(model="m", messages=messages, stream=True)
        (heard,) = [c.choices[0].delta.tool_calls[0] for c in stream if c.choices[0].delta.tool_calls]
        assert heard.function.name == "weather"
        messages += [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]
        made: Any = client.chat.completions.create(model="m", messages=messages)
        assert made.choices[0].message.content == "Sunny."
    assert [(role, mark) for role, _, mark in here.turns()] == [("user", ""), ("assistant", ""), ("tool", "tool"), ("assistant", "after_tool")]


def test_an_answer_arrives_though_it_cannot_be_recorded(world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    here = world(lambda head, body: ANSWERS["whole"])
    monkeypatch.setattr(here.journal, "record", lambda episode: 1 / 0)
    for _ in range(3):
        assert here.client.post("/v1/chat/completions", json=SAY).json()["choices"][0]["message"]["content"] == "What a fine name."
    here.turns()
    assert here.told == ["not recorded: division by zero"] * 3


def test_notes_are_put_in_front_and_not_recorded(world: Callable[..., World]) -> None:
    here = world(lambda head, body: ANSWERS["whole"], inject=True)
    here.journal.learn(Memory("The user's dog is called Biscuit.", answer="Biscuit", told=True))
    body = {**SAY, "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "What is my dog called?"}]}
    here.client.post("/v1/chat/completions", json=body)
    sent = json.loads(here.stand.seen[-1][1])
    assert sent["messages"][0]["content"].startswith("Be kind.\n\n")
    assert "The user's dog is called Biscuit." in sent["messages"][0]["content"]
    assert {**sent, "messages": sent["messages"][1:]} == {**body, "messages": body["messages"][1:]}
    here.client.post("/v1/chat/completions", content=b'{"messages": 5}', headers={"content-type": "application/json"})
    assert here.stand.seen[-1][1] == b'{"messages": 5}'
    here.client.post("/v1/chat/completions", json=SAY | {"messages": [{"role": "user", "content": "How deep is the sea?"}]})
    assert len(json.loads(here.stand.seen[-1][1])["messages"]) == 1
    assert [text for role, text, _ in here.turns() if role == "user"] == ["What is my dog called?", "How deep is the sea?"]


def test_what_is_private_stays_so(world: Callable[..., World]) -> None:
    here = world(lambda head, body: ANSWERS["whole"])
    here.client.post("/v1/chat/completions", json=SAY, headers={"x-pocketsleep-private": "1"})
    assert b"x-pocketsleep" not in here.stand.seen[-1][0].lower()
    here.turns()
    assert all(turn.private for episode in here.journal.episodes() for turn in episode.turns)


def test_keys(world: Callable[..., World]) -> None:
    "Ours ends here; the upstream's is put in its place, or comes from the program itself."
    here = world(lambda head, body: plain(b"{}"), key="sk-upstream")
    here.client.get("/v1/models")
    assert b"Authorization: Bearer sk-upstream\r\n" in here.stand.seen[-1][0]
    httpx.get(f"{here.url}/v1/models", headers={"authorization": "Bearer sk-own", "x-pocketsleep-token": TOKEN})
    head = here.stand.seen[-1][0]
    assert b"Bearer sk-own" in head
    assert TOKEN.encode() not in head
    assert httpx.get(f"{here.url}/v1/models", headers={"authorization": AUTH["authorization"], "x-pocketsleep-token": "wrong"}).status_code == 401


def test_who_hangs_up_hangs_up_on_the_upstream(world: Callable[..., World]) -> None:
    here = world(lambda head, body: [chunked()[0], *(part for n in range(2000) for part in (b"1\r\nx\r\n", 0.01))])
    with here.client.stream("POST", "/v1/chat/completions", json=SAY) as got:
        next(got.iter_raw())
    assert here.stand.hung_up.wait(20)
    assert here.turns() == []


def test_connections_stay_open(world: Callable[..., World]) -> None:
    here = world(lambda head, body: ANSWERS["stream"])
    before = len(here.proxy.upstream.idle)
    for _ in range(5):
        here.client.post("/v1/chat/completions", json=SAY)
    assert len(here.stand.lines) == 2  # the one that looked whether it listens, and ours
    for _ in range(200):  # it is put by once the client has its answer
        if here.proxy.upstream.idle:
            break
        time.sleep(0.05)
    assert (before, len(here.proxy.upstream.idle)) == (0, 1)


def test_an_upstream_that_is_not_there_or_goes(world: Callable[..., World]) -> None:
    here = world(lambda head, body: [None])
    got = here.client.post("/v1/chat/completions", json=SAY)
    assert (got.status_code, set(got.json()["error"])) == (502, {"message", "type", "param", "code"})
    here.proxy.upstream.port = 1
    assert here.client.get("/v1/models").status_code == 502
    with pytest.raises(BadInput, match="no address"):
        Upstream("ftp://x")


def test_a_connection_the_upstream_closed_while_idle_is_made_anew(world: Callable[..., World]) -> None:
    gone = threading.Event()
    here = world(lambda head, body: [*plain(b"{}"), *([None] if gone.is_set() else [])])
    for close in (False, True, False, True, True):
        gone.set() if close else gone.clear()
        assert here.client.post("/v1/other", json={}).status_code == 200
    assert len(here.stand.seen) == 5


def test_many_at_once_get_each_their_own(world: Callable[..., World]) -> None:
    from concurrent.futures import ThreadPoolExecutor
    here = world(lambda head, body: chunked(*events(json.loads(body)["messages"][0]["content"], " it is")))

    def ask(n: int) -> str:
        with openai.OpenAI(base_url=f"{here.url}/v1", api_key=TOKEN, max_retries=0) as client:
            stream: Any = client.chat.completions.create(model="m", messages=[{"role": "user", "content": f"number {n}"}], stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(50))) == [f"number {n} it is" for n in range(50)]
    assert sorted(text for role, text, _ in here.turns() if role == "user") == sorted(f"number {n}" for n in range(50))
