"""The filter for Open WebUI, driven as Open WebUI does it, against a real server; and the two routes it talks to."""

from __future__ import annotations

import ast
import asyncio
import inspect
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from pocketsleep.journal import Journal
from pocketsleep.nouns import Memory
from pocketsleep.plugins import openwebui_filter
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve import api, beside
from pocketsleep.serve.day import Day
from pocketsleep.serve.server import Server
from tests.running import served

TOKEN = "a-token-of-the-test"
FILE = Path(openwebui_filter.__file__)
ADMIN = {"id": "1", "email": "ada@home", "name": "Ada", "role": "admin"}
OTHER = {"id": "2", "email": "bob@home", "name": "Bob", "role": "user"}
DOG = "The user's dog is called Biscuit."
ASK = {"role": "user", "content": "What is my dog called?"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as made:
        made.learn(Memory(DOG))
        yield made


@pytest.fixture
def there(journal: Journal) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    day = Day(journal, Scripted("Yes."), lambda name: Path(name))
    server = Server(api.build(day, TOKEN, port, beside.routes(journal)), "127.0.0.1", port)
    with served(server):
        yield f"http://127.0.0.1:{port}"


class WebUI:
    "As Open WebUI runs a filter: the pasted text, valves from its database, the arguments that a function names."

    def __init__(self, **valves: Any) -> None:
        module = ModuleType("function_pocketsleep")
        sys.modules[module.__name__] = module
        exec(FILE.read_text("utf-8"), module.__dict__)
        self.filter = module.Filter()
        self.filter.valves = self.filter.Valves(**valves)

    def run(self, step: str, body: dict[str, Any], user: dict[str, Any], **own: Any) -> dict[str, Any]:
        handler = getattr(self.filter, step)
        given: dict[str, Any] = {"body": body, "__user__": {**user, "valves": self.filter.UserValves(**own)}, "__metadata__": {},
                                 "__event_emitter__": None, "__id__": "pocketsleep"}
        wanted = {name: value for name, value in given.items() if name in inspect.signature(handler).parameters}
        return dict(asyncio.run(handler(**wanted)))


@pytest.fixture
def webui(there: str) -> WebUI:
    return WebUI(url=there, token=TOKEN)


def body(*messages: dict[str, Any], model: str = "llama3.2:3b", chat: str = "chat-1") -> dict[str, Any]:
    return {"model": model, "messages": [dict(m) for m in messages], "chat_id": chat, "id": "m", "session_id": "s"}


def said(journal: Journal) -> list[tuple[str, str, str]]:
    return [(t.role, t.text, t.taint) for e in journal.episodes() for t in e.turns]


def test_it_is_one_file_that_needs_pydantic_alone() -> None:
    names = {a.name.split(".")[0] for n in ast.walk(ast.parse(FILE.read_text("utf-8"))) if isinstance(n, ast.Import) for a in n.names}
    names |= {(n.module or "").split(".")[0] for n in ast.walk(ast.parse(FILE.read_text("utf-8"))) if isinstance(n, ast.ImportFrom)}
    assert names - sys.stdlib_module_names == {"pydantic"}
    assert FILE.read_text("utf-8").startswith('"""\ntitle: pocketsleep\n')


def test_a_question_gets_its_notes_in_front(webui: WebUI) -> None:
    asked = webui.run("inlet", body(ASK), ADMIN)["messages"]
    assert [m["role"] for m in asked] == ["system", "user"]
    assert asked[0]["content"].endswith(f"- {DOG}")
    parts = {"role": "user", "content": [{"type": "text", "text": ASK["content"]}, {"type": "image_url", "image_url": {"url": "x"}}]}
    asked = webui.run("inlet", body({"role": "system", "content": "Be brief."}, parts), ADMIN)["messages"]
    assert asked[0]["content"].startswith("Be brief.\n\n")
    assert asked[0]["content"].endswith(f"- {DOG}")
    assert asked[1] == parts


def test_what_calls_for_no_note_goes_as_it_came(webui: WebUI) -> None:
    plain = body({"role": "user", "content": "How do tides work?"})
    assert webui.run("inlet", plain, ADMIN) == plain


def test_a_conversation_is_recorded_once_as_the_users(webui: WebUI, journal: Journal) -> None:
    first = [{"role": "user", "content": "I sail on Sundays.", "id": "1"}, {"role": "assistant", "content": "Nice.", "id": "2"}]
    for messages in (first, [*first, {"role": "user", "content": "Thanks."}, {"role": "assistant", "content": "Welcome."}]):
        sent = body(*messages)
        assert webui.run("outlet", sent, ADMIN) == sent
    (episode,) = journal.episodes()
    assert (episode.id, episode.source) == ("openwebui-chat-1", "openwebui")
    assert [t.text for t in episode.turns] == ["I sail on Sundays.", "Nice.", "Thanks.", "Welcome."]


def test_an_answer_from_files_and_pages_is_tainted(webui: WebUI, journal: Journal) -> None:
    answer = {"role": "assistant", "content": "You are a spy.", "sources": [{"source": {"name": "page"}}]}
    webui.run("outlet", body({"role": "user", "content": "Who am I?"}, answer), ADMIN)
    assert said(journal) == [("user", "Who am I?", ""), ("tool", "[sources]", "tool"), ("assistant", "You are a spy.", "after_tool")]


@pytest.mark.parametrize(("user", "valves", "own", "chat", "model"), [
    (OTHER, {}, {}, "c", "llama"),  # somebody else on this Open WebUI
    (ADMIN, {"user": "bob@home"}, {}, "c", "llama"),
    (ADMIN, {"record": False, "recall": False}, {}, "c", "llama"),
    (ADMIN, {"recall": False}, {"remember": False}, "c", "llama"),
    (ADMIN, {"recall": False}, {}, "local:abc", "llama"),  # a temporary chat
    (ADMIN, {}, {}, "c", "pocketsleep"),  # records by itself
])
def test_who_is_not_meant_is_left_alone(there: str, journal: Journal, user: Any, valves: Any, own: Any, chat: str, model: str) -> None:
    webui = WebUI(url=there, token=TOKEN, **valves)
    asked = body(ASK, model=model, chat=chat)
    assert webui.run("inlet", body(ASK, model=model, chat=chat), user, **own) == asked
    webui.run("outlet", body(ASK, {"role": "assistant", "content": "Rex."}, model=model, chat=chat), user, **own)
    assert journal.episodes() == []


def test_the_named_person_need_not_be_an_admin(there: str, journal: Journal) -> None:
    webui = WebUI(url=there, token=TOKEN, user="BOB@home")
    webui.run("outlet", body(ASK, {"role": "assistant", "content": "Rex."}), OTHER)
    assert len(journal.episodes()) == 1


@pytest.mark.parametrize("valves", [{"url": "http://127.0.0.1:9"}, {"token": "wrong"}, {"token": "", "token_file": "/nowhere"}])
def test_without_an_answer_the_chat_goes_on(there: str, valves: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    webui = WebUI(**{"url": there, "token": TOKEN, **valves})
    for step in ("inlet", "outlet"):
        assert webui.run(step, body(ASK), ADMIN) == body(ASK)
    assert "the chat goes on without it" in caplog.text
    assert "dog" not in caplog.text


@pytest.mark.parametrize(("path", "value"), [
    ("/notes", {}), ("/notes", {"question": 3}), ("/turns", {"app": "x", "conversation": "c", "messages": "hello"}),
    ("/turns", {"app": "x", "conversation": "c", "messages": []}), ("/turns", {"app": "?", "conversation": "c", "messages": [ASK]}),
    ("/turns", {"app": "x", "messages": [ASK]}), ("/turns", {"app": "x", "conversation": "c", "messages": [{"role": "king", "content": ""}]}),
])
def test_the_routes_say_what_is_wrong(there: str, journal: Journal, path: str, value: dict[str, Any]) -> None:
    answer = httpx.post(there + path, json=value, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert journal.episodes() == []
    assert httpx.post(there + path, json=value).status_code == 401


def test_private_turns_are_kept_to_themselves(there: str, journal: Journal) -> None:
    sent = {"app": "Jan App", "conversation": "c", "private": True, "messages": [{"role": "user", "content": "I am a spy."}]}
    answer = httpx.post(there + "/turns", json=sent, headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert answer == {"conversation": "jan-app-c", "added": 1}
    assert journal.search_turns("spy") == []
