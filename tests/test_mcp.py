"""The memory as tools: each tool by the SDK's own client, over stdio, over HTTP, and against those who may not."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.night import gather
from pocketsleep.nouns import Cite, Episode, Memory, Night, Turn, Verdict
from pocketsleep.pocket import Pocket
from pocketsleep.serve import mcp as tools
from pocketsleep.serve.server import Server, run
from tests.running import served

TOKEN = "a-token-of-the-test"
DOG = "The user's dog is called Biscuit."
SAID = (Turn("user", "My dog is called Biscuit."), Turn("assistant", "Nice."))
HELLO: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}}
PROGRAM = [sys.executable, "-c", "from pocketsleep.cli import main; main()", "mcp"]


@pytest.fixture
def pocket(tmp_path: Path) -> Iterator[Pocket]:
    with Pocket(Home(tmp_path / "home")) as made:
        yield made


@pytest.fixture
def dog(pocket: Pocket) -> Memory:
    "A memory that cites its turn."
    pocket.journal.record(Episode("a", SAID))
    kept = pocket.journal.learn(Memory(DOG, (Cite("a", 0),), "relation", "Biscuit"))
    assert kept
    return kept


def about(name: str) -> types.Implementation:
    return types.Implementation(name=name, version="1")


def use(server: Any, calls: Callable[[Client], Awaitable[Any]], name: str = "Jan: the app", **more: Any) -> Any:
    async def run() -> Any:
        async with Client(server, client_info=about(name), **more) as client:
            try:
                return await calls(client)
            except LookupError as wrong:  # raised in here it would come out in a group
                return wrong

    made = asyncio.run(run())
    if isinstance(made, LookupError):
        raise made
    return made


async def call(client: Client, tool: str, **given: Any) -> Any:
    "A tool's answer; what it refuses with is raised."
    made = await client.call_tool(tool, given)
    if made.is_error:
        raise LookupError(made.content[0].text)  # type: ignore[union-attr]
    assert made.structured_content is not None
    return made.structured_content


def ask(pocket: Pocket, tool: str, **given: Any) -> Any:
    return use(tools.server(pocket), lambda client: call(client, tool, **given))


def test_the_tools_say_what_they_change(pocket: Pocket) -> None:
    listed = use(tools.server(pocket), lambda client: client.list_tools()).tools
    hints = {t.name: (t.annotations.read_only_hint, t.annotations.destructive_hint) for t in listed}
    assert hints == {"remember": (False, False), "recall": (True, None), "why": (True, None), "forget": (False, True),
                     "nights": (True, None)}
    assert "not as\nthe user's own word" in {t.name: t.description for t in listed}["remember"].replace("        ", "")


def test_what_an_assistant_says_is_kept_as_that_and_no_night_hears_it(pocket: Pocket) -> None:
    kept = ask(pocket, "remember", text=DOG)
    assert kept["as"] == "passed on by Jan the app, not the user's own word"
    (episode,) = pocket.journal.episodes()
    assert (episode.source, episode.turns[0].role, episode.turns[0].taint) == ("mcp:Jan the app", "tool", "tool")
    gathered = gather.gather(pocket.journal)
    assert gathered.turns == ()
    assert [d.reason for d in gathered.aside] == ["tool: the result of a tool"]
    assert pocket.would_learn()["memories"] == ()
    found = ask(pocket, "recall", question="What is the dog called?")
    assert found["memories"] == []
    assert [(p["text"], p["by"]) for p in found["passed_on"]] == [(DOG, "Jan the app")]
    assert ask(pocket, "why", id=kept["id"])["learnt"] is False


def test_said_twice_it_is_kept_once_and_without_secrets(pocket: Pocket) -> None:
    for _ in range(2):
        ask(pocket, "remember", text="The user's PIN is 4711.")
    (episode,) = pocket.journal.episodes()
    assert [t.text for t in episode.turns] == ["The user's PIN is [secret: pin]."]


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001])
def test_nothing_and_too_much_are_refused(pocket: Pocket, text: str) -> None:
    with pytest.raises(LookupError, match=r"characters.*Hint: one sentence"):
        ask(pocket, "remember", text=text)


def test_recall_and_why_tell_what_the_user_said(pocket: Pocket, dog: Memory) -> None:
    found = ask(pocket, "recall", question="What is my dog called?")
    assert [m["id"] for m in found["memories"]] == [dog.id]
    traced = ask(pocket, "why", id=dog.id)
    assert [c["text"] for c in traced["cites"]] == [SAID[0].text]
    assert traced["in_weights"] is False


def test_of_conversations_nothing_is_told(pocket: Pocket) -> None:
    pocket.journal.record(Episode("talk", SAID))
    pocket.journal.record(Episode("secret", (Turn("tool", DOG, "tool", True),), "", "mcp:jan", True))
    for id in ("talk", "secret"):
        for tool in ("why", "forget"):
            with pytest.raises(LookupError, match="there is no memory"):
                ask(pocket, tool, id=id)
    assert ask(pocket, "recall", question="dog Biscuit")["passed_on"] == []


def test_forgetting_takes_a_code_for_exactly_what_goes(pocket: Pocket, dog: Memory) -> None:
    async def calls(client: Client) -> tuple[Any, Any]:
        first = await call(client, "forget", id=dog.id)
        assert [m.id for m in pocket.journal.memories()] == [dog.id]
        with pytest.raises(LookupError, match="not the code"):
            await call(client, "forget", id=dog.id, confirm="0" * 12)
        # The same conversation says it again: more would go now than was shown.
        pocket.journal.record(Episode("a", (*SAID, Turn("user", "Biscuit is asleep."))))
        with pytest.raises(LookupError, match="not the code"):
            await call(client, "forget", id=dog.id, confirm=first["confirm"])
        again = await call(client, "forget", id=dog.id)
        other = pocket.journal.learn(Memory("The user sails."))
        assert other
        with pytest.raises(LookupError, match="not the code"):
            await call(client, "forget", id=other.id, confirm=again["confirm"])
        return first, (again, await call(client, "forget", id=dog.id, confirm=again["confirm"]))

    first, (again, gone) = use(tools.server(pocket), calls)
    assert [t["text"] for t in first["would_forget"]["turns"]] == [SAID[0].text]
    assert [t["text"] for t in again["would_forget"]["turns"]] == [SAID[0].text, "Biscuit is asleep."]
    assert (gone["forgotten"], gone["memories"], gone["turns"]) == (True, [dog.id], 2)
    assert [m.text for m in pocket.journal.memories()] == ["The user sails."]
    refused = ask(pocket, "remember", text=DOG)
    assert refused["kept"] is False


def test_a_code_is_of_one_run_of_the_server(pocket: Pocket, dog: Memory) -> None:
    code = ask(pocket, "forget", id=dog.id)["confirm"]
    with pytest.raises(LookupError, match="not the code"):
        ask(pocket, "forget", id=dog.id, confirm=code)


def test_what_was_passed_on_is_forgotten_the_same_way(pocket: Pocket) -> None:
    async def calls(client: Client) -> None:
        kept = await call(client, "remember", text=DOG)
        shown = await call(client, "forget", id=kept["id"])
        assert (await call(client, "forget", id=kept["id"], confirm=shown["confirm"]))["turns"] == 1
        assert (await call(client, "recall", question="dog Biscuit"))["passed_on"] == []

    use(tools.server(pocket), calls)


def test_nights_are_told_newest_first(pocket: Pocket) -> None:
    for number in (1, 2):
        night = pocket.journal.begin(Night("", f"2026-01-0{number}", 0, "smollm2-135m"))
        pocket.journal.settle(night.id, Verdict("nothing", (), (f"nothing on day {number}",)), None, [])
    told = ask(pocket, "nights", last=1)["result"]
    assert [(n["night"], n["verdict"], n["reasons"]) for n in told] == [("n2", "nothing", ["nothing on day 2"])]
    assert len(ask(pocket, "nights")["result"]) == 2


def test_over_stdio_by_the_sdks_client(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started = StdioServerParameters(command=PROGRAM[0], args=PROGRAM[1:], env={**os.environ, "POCKETSLEEP_HOME": str(home)})

    async def calls(client: Client) -> Any:
        await call(client, "remember", text=DOG)
        return await call(client, "recall", question="dog Biscuit")

    assert [p["by"] for p in use(started, calls, "Zed")["passed_on"]] == ["Zed"]
    with Pocket(Home(home)) as pocket:
        assert [e.source for e in pocket.journal.episodes()] == ["mcp:Zed"]


def test_stdout_is_the_protocol_alone(tmp_path: Path) -> None:
    "By a plain pipe, with calls that fail and a plugin that prints."
    (tmp_path / "chatty.py").write_text("from pocketsleep.hooks import impl\nprint('loaded')\n\n\n@impl\ndef scrubber(text):\n"
                                        "    print('scrubbing')\n    raise KeyError(text)\n")
    note = tmp_path / "chatty-1.dist-info"
    note.mkdir()
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: chatty\nVersion: 1\n")
    (note / "entry_points.txt").write_text("[pocketsleep]\nchatty = chatty\n")
    ask = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": name, "arguments": given}}
           for n, (name, given) in enumerate((("remember", {"text": DOG}), ("why", {"id": "b2-none"}), ("nose", {})), start=2)]
    given = [HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}, *ask]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=surroundings) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("".join(json.dumps(one) + "\n" for one in given))
        server.stdin.flush()
        answers = {one["id"]: one for one in (json.loads(server.stdout.readline()) for _ in range(4))}
        rest, talk = server.communicate()
    assert rest == ""
    assert sorted(answers) == [1, 2, 3, 4]
    assert answers[2]["result"]["structuredContent"]["kept"] is True
    assert answers[3]["result"]["isError"] is True
    assert "loaded" in talk


@pytest.fixture
def there(pocket: Pocket) -> Iterator[int]:
    "The same over HTTP."
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = Server(tools.application(pocket, TOKEN, port), "127.0.0.1", port)
    server.config.timeout_graceful_shutdown = 1
    with served(server):
        yield port


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http_by_the_sdks_client(there: int, dog: Memory, mode: str) -> None:
    async def run() -> Any:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as web:
            transport = streamable_http_client(f"http://127.0.0.1:{there}/mcp", http_client=web)
            async with Client(transport, mode=mode, client_info=about("Continue")) as client:
                kept = await call(client, "remember", text="The user sails on Sundays.")
                return kept, await call(client, "recall", question="What is my dog called?")

    kept, found = asyncio.run(run())
    assert kept["as"].startswith("passed on by Continue")
    assert [m["text"] for m in found["memories"]] == [DOG]


@pytest.mark.parametrize(("change", "status"), [
    ({"Authorization": ""}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Host": "evil.example"}, 421),
    ({"Host": "127.0.0.1"}, 421), ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403),
    ({"Content-Type": "text/plain"}, 415),
])
def test_over_http_strangers_are_refused(there: int, change: dict[str, str], status: int) -> None:
    url = f"http://127.0.0.1:{there}/mcp"
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    assert httpx.post(url, json=HELLO, headers=headers).status_code == 200
    assert httpx.post(url, content=json.dumps(HELLO), headers=headers | change).status_code == status


def test_a_port_that_is_none_is_told(pocket: Pocket) -> None:
    with pytest.raises(BadInput, match="70000 is no port"):
        run(tools.application(pocket, TOKEN, 70000), "127.0.0.1", 70000)
