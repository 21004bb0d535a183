"""Fifty at once while the adapter is swapped underneath: no answer is lost, wrong, or unrecorded; and a server that is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from pocketsleep.errors import NotFound
from pocketsleep.journal import Journal
from pocketsleep.nouns import Adapter, Message, Night, Sampling, Verdict
from pocketsleep.runtime import Prompt
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from tests.test_serve import TOKEN, up
from tests.upstream import free_port

ADAPTERS = ("one", "two", "three")


class Dressed(Scripted):
    "Says which adapter it wears at each word, slowly enough to be interrupted; and whether it was ever used by two at once."

    def __init__(self) -> None:
        super().__init__("unused")
        self.busy, self.overlaps, self.swaps = threading.Lock(), 0, 0

    def chat(self, messages: Prompt, sampling: Sampling = Sampling()) -> Iterator[str]:
        alone = self.busy.acquire(blocking=False)
        self.overlaps += not alone
        try:
            for word in ("I", " wear", f" {self.worn or 'nothing'},", f" {self.worn or 'nothing'}", f" still, {messages[-1].content}"):
                time.sleep(0.001)
                yield word
        finally:
            if alone:
                self.busy.release()

    def wear(self, adapter: Path | None) -> None:
        self.overlaps += self.busy.locked()
        self.swaps += 1
        self.worn = adapter.name if adapter else ""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    "Three nights that were worn."
    with Journal(tmp_path / "journal.db") as made:
        for name in ADAPTERS:
            night = made.begin(Night("", "2026-01-01T00:00:00", 0, "base", previous=made.current()))
            made.settle(night.id, Verdict("worn"), Adapter(name, "base", "0" * 64, 8, 1.0, (), ()), [])
        yield made


def test_fifty_at_once_while_the_adapter_is_swapped(journal: Journal, tmp_path: Path) -> None:
    runtime, port, stop = Dressed(), free_port(), threading.Event()
    nights = {f"pocketsleep:{n.id}": n.adapter for n in journal.nights()}
    names = ["pocketsleep", "pocketsleep:base", *nights]

    def swap() -> None:
        n = 0
        while not stop.is_set():
            journal.use(ADAPTERS[n % 3])
            n += 1
            time.sleep(0.005)

    def ask(client: openai.OpenAI, n: int) -> str:
        how: Any = {"model": names[n % 5], "messages": [{"role": "user", "content": f"number {n}"}]}
        if n % 2:
            return str(client.chat.completions.create(**how).choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**how, stream=True))

    day = Day(journal, runtime, lambda name: tmp_path / name)
    with up(day, port), openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0) as client:
        swapper = threading.Thread(target=swap)
        swapper.start()
        with ThreadPoolExecutor(50) as pool:
            said = list(pool.map(lambda n: ask(client, n), range(50)))
        stop.set()
        swapper.join()
    for n, answer in enumerate(said):
        worn = {"pocketsleep:base": "nothing", **nights}.get(names[n % 5])
        allowed = [worn] if worn else ADAPTERS
        assert answer in [f"I wear {one}, {one} still, number {n}" for one in allowed]
    recorded = {e.turns[0].text: e.turns[1].text for e in journal.episodes()}
    assert recorded == {f"number {n}": answer for n, answer in enumerate(said)}
    assert runtime.overlaps == 0
    assert runtime.swaps > 10


def test_who_comes_while_too_many_wait_is_told_to_come_again(journal: Journal, tmp_path: Path) -> None:
    gate, port = threading.Event(), free_port()

    class Held(Dressed):
        def chat(self, messages: Prompt, sampling: Sampling = Sampling()) -> Iterator[str]:
            gate.wait()
            yield "Done."

    with up(Day(journal, Held(), lambda name: tmp_path / name), port):
        async def go() -> list[httpx.Response]:
            body = {"messages": [{"role": "user", "content": "hi"}]}
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {TOKEN}"},
                                         timeout=60, limits=httpx.Limits(max_connections=100)) as client:
                asked = [asyncio.create_task(client.post("/v1/chat/completions", json=body)) for _ in range(80)]
                while sum(task.done() for task in asked) < 16:
                    await asyncio.sleep(0.01)
                gate.set()
                return await asyncio.gather(*asked)

        got = asyncio.run(go())
    assert sorted({one.status_code for one in got}) == [200, 429]
    refused = [one for one in got if one.status_code == 429]
    assert len(refused) == 16
    assert all(one.headers["retry-after"] == "2" and one.json()["error"]["code"] == "rate_limit_exceeded" for one in refused)


def test_an_adapter_taken_away_in_the_wrong_moment(journal: Journal, tmp_path: Path) -> None:
    "What was current is discarded between looking and putting on: what is current then is worn."
    journal.use("one")

    def dress(name: str) -> Path:
        if name == "one":
            journal.use("two")
            raise NotFound("there is no adapter `one`")
        return tmp_path / name

    day = Day(journal, Dressed(), dress)
    assert "".join(day.reply([Message("user", "hi")], Sampling())) == "I wear two, two still, hi"


SERVE = """
import sys, time
from pathlib import Path
from starlette.responses import JSONResponse
from starlette.routing import Route
from pocketsleep.journal import Journal
from pocketsleep.serve import api
from pocketsleep.serve.day import Day
from tests.test_swap import Dressed

home = Path(sys.argv[1])

class Slow(Dressed):
    def chat(self, messages, sampling=None):
        yield "one "
        (home / "begun").touch()
        while not (home / "go").exists():
            time.sleep(0.01)
        yield "two three "

async def waiting(request):
    return JSONResponse(request.app.state.desk.waiting)

with Journal(home / "journal.db") as journal:
    day = Day(journal, Slow(), lambda name: home / name)
    api.serve(day, "a-token-of-the-test", port=int(sys.argv[2]), routes=[Route("/waiting", waiting)])
print("ended well")
"""


def _ask(port: int) -> tuple[int, str]:
    with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/chat/completions", headers={"authorization": f"Bearer {TOKEN}"}, timeout=60,
                      json={"messages": [{"role": "user", "content": "count"}], "stream": True}) as got:
        return got.status_code, got.read().decode()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_finishes_the_answer_under_way_and_refuses_the_others(tmp_path: Path) -> None:
    port = free_port()
    root = Path(__file__).resolve().parent.parent
    child = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path), str(port)], cwd=root, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": str(root)})
    _until(lambda: _waiting(port) == 0)
    with ThreadPoolExecutor(3) as pool:
        try:
            first = pool.submit(_ask, port)
            _until((tmp_path / "begun").exists)
            others = [pool.submit(_ask, port) for _ in range(2)]
            _until(lambda: _waiting(port) == 3)
            child.send_signal(signal.SIGTERM)
            assert [one.result()[0] for one in others] == [503, 503]
            assert not first.done()
        finally:
            (tmp_path / "go").touch()
        status, said = first.result()
        assert (status, "[DONE]" in said) == (200, True)
    assert child.wait(30) == 0
    assert child.stdout is not None
    assert child.stdout.read() == "ended well\n"
    with Journal(tmp_path / "journal.db") as journal:
        assert [e.turns[1].text for e in journal.episodes()] == ["one two three "]


def _waiting(port: int) -> int:
    "Requests that the server has, the one that is being answered too; -1 where it does not listen yet."
    try:
        return int(httpx.get(f"http://127.0.0.1:{port}/waiting", headers={"authorization": f"Bearer {TOKEN}"}).json())
    except httpx.HTTPError:
        return -1


def _until(holds: Callable[[], bool]) -> None:
    "Waits, a minute at most."
    late = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < late, "it never came to that"
        time.sleep(0.02)
