"""What the page's own requests make of a talk, without a browser: what becomes private, what stays forgotten, what is found."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pocketsleep.home import Home
from pocketsleep.nouns import Cite, Episode, Memory, Sampling, Turn
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from tests import browser as browsers
from tests.upstream import free_port


class Repeats(Scripted):
    "Answers a question with all that the user said before it."

    def chat(self, messages, sampling=Sampling()):  # type: ignore[no-untyped-def]
        *before, last = [m.content for m in messages if m.role == "user"]
        yield f"You told me: {' '.join(before) or 'nothing'}" if last.endswith("?") else "Noted."


class Talk:
    "A page that stays open: it has every word that was said in it."

    def __init__(self, wire: httpx.Client) -> None:
        self.wire, self.name, self.said = wire, "", list[str]()

    def say(self, text: str, private: bool = False, keep: int | None = None) -> str:
        self.said = self.said[:keep]
        asked = {"conversation": self.name, "said": self.said, "text": text, "private": private, "ticket": "t"}
        events = [json.loads(line[6:]) for line in self.wire.post("/page/say", json=asked).text.splitlines() if line]
        answer = "".join(e.get("piece", "") for e in events)
        self.end: dict[str, Any] = events[-1]
        self.name = self.end["conversation"]
        self.said += [*([text] if text else []), answer]
        return answer


@pytest.fixture
def pocket(tmp_path: Path) -> Iterator[Pocket]:
    with Pocket(Home(tmp_path / "home")) as made:
        yield made


@pytest.fixture
def wire(pocket: Pocket) -> Iterator[httpx.Client]:
    with (browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, Repeats(), pocket.registry.path)) as site,
          httpx.Client(base_url=site.url(), headers={"authorization": f"Bearer {pocket.token()}"}) as made):
        yield made


def test_an_answer_for_which_private_words_were_read_is_private_too(wire: httpx.Client, pocket: Pocket) -> None:
    talk = Talk(wire)
    talk.say("I like tea.")
    talk.say("I am moving to Lisbon next spring.", private=True)
    assert "Lisbon" in talk.say("Where am I moving to?")
    assert talk.end["private"]
    turns = pocket.journal.episode(talk.name).turns
    assert [t.private for t in turns] == [False, False, True, True, False, True]
    assert turns[4].text == "Where am I moving to?"
    assert pocket.journal.search_turns("Lisbon") == []
    talk.say("I like jam.", keep=2)  # told over again from before it was said
    assert not talk.end["private"]


def test_what_was_forgotten_elsewhere_does_not_come_back_from_an_open_page(wire: httpx.Client, pocket: Pocket, tmp_path: Path) -> None:
    talk = Talk(wire)
    talk.say("My ex is called Marlene Dietz.")
    with Pocket(Home(tmp_path / "home")) as other:
        kept = other.journal.learn(Memory("The user's ex is called Marlene Dietz.", (Cite(talk.name, 0),), "relation", "Marlene Dietz"))
        assert kept is not None
        other.forget(kept.id)
    assert talk.say("What is my ex called?") == "You told me: nothing"
    turns = pocket.journal.episode(talk.name).turns
    assert [t.text for t in turns] == ["", "Noted.", "What is my ex called?", "You told me: nothing"]
    assert pocket.journal.search_turns("Marlene") == []


def test_what_was_private_and_forgotten_does_not_come_back_either(wire: httpx.Client, pocket: Pocket) -> None:
    talk = Talk(wire)
    talk.say("I like tea.")
    talk.say("My ex is called Marlene Dietz.", private=True)
    other = Talk(wire)
    other.say("My ex is called Marlene Dietz.")
    pocket.forget(other.name)
    assert talk.say("What is my ex called?") == "You told me: I like tea."


def test_a_short_private_turn_that_was_forgotten_does_not_come_back(wire: httpx.Client, pocket: Pocket) -> None:
    talk = Talk(wire)
    talk.say("I like tea.")
    talk.say("Ask Nadia.", private=True)
    turn = next(row for row in pocket.journal.rows("select * from turns where idx = 2"))
    pocket.journal._erase_turn(turn)  # as forgetting does where a note cites it
    assert talk.say("Whom do I ask?") == "You told me: I like tea."


def test_a_note_that_an_exclusion_keeps_out_is_not_said_to_be_forgotten(wire: httpx.Client, pocket: Pocket) -> None:
    pocket.exclude("pattern", "falcon*")
    got = wire.post("/page/memory/keep", json={"text": "I work on project Falcon."})
    assert got.status_code == 400
    assert "falls under `pattern:falcon*`" in got.text
    assert "pocketsleep exclude list" in got.text


def test_the_search_finds_what_was_said_long_ago(wire: httpx.Client, pocket: Pocket) -> None:
    def found(words: str) -> list[str]:
        return [one["id"] for one in wire.get("/page/conversations", params={"words": words}).json()]

    pocket.journal.record_all([
        Episode(f"imp-{n}", (Turn("user", f"Question {n} about {'zeppelins' if n == 3 else 'bread'}"), Turn("assistant", "It rises.")),
                "2026-01-01", "chatgpt") for n in range(300)])
    assert found("zeppelins") == ["imp-3"]
    assert found("question") == [f"imp-{n}" for n in reversed(range(300))]  # the newest first
    assert len(found("")) == 200
    assert found("gyroscope") == []
    pocket.journal.record(Episode("imp-3", (Turn("user", "Question 3 about airships"), Turn("assistant", "It rises."))))
    assert found("zeppelins") == ["imp-3"]  # in the telling that has the words
    (other,) = found("airships")
    assert other.startswith("imp-3~")


class Napping(Repeats):
    "A window of six messages; a nap over what leaves it goes on until it may end."

    memory, window, wore = object(), 100, ""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def wear(self, adapter: Path | None) -> None:
        self.worn = adapter.name if adapter else ""

    def free(self, messages: Any) -> int:
        return 100 - 15 * len(messages)

    def nap(self, messages: Any, state: Any, *_: Any) -> str:
        self.wore = self.worn
        self.begun.set()
        self.may_end.wait(20)
        return "a state"

    def chat(self, messages, sampling=Sampling(), state=None):  # type: ignore[no-untyped-def]
        yield from super().chat(messages, sampling)


def test_what_is_said_is_kept_where_the_page_is_closed_during_a_nap(pocket: Pocket) -> None:
    turns = tuple(Turn("assistant" if n % 2 else "user", f"Message {n}.") for n in range(8))
    pocket.journal.record(Episode("c-long", turns))
    asked = {"conversation": "c-long", "said": [t.text for t in turns], "text": "Do not lose this.", "ticket": "t"}
    runtime = Napping()
    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, runtime, pocket.registry.path)) as site:
        with (httpx.Client(base_url=site.url(), headers={"authorization": f"Bearer {pocket.token()}"}) as wire,
              wire.stream("POST", "/page/say", json=asked)):
            assert runtime.begun.wait(20)
        time.sleep(0.3)  # until the server has heard of it
        runtime.may_end.set()
        for _ in range(100):
            if len(pocket.journal.episode("c-long").turns) > 8:
                break
            time.sleep(0.05)
    assert [t.text for t in pocket.journal.episode("c-long").turns[8:9]] == ["Do not lose this."]


def test_a_nap_is_the_answering_models(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    "With the adapter on that answers, whatever was worn last."
    turns = tuple(Turn("assistant" if n % 2 else "user", f"Message {n}.") for n in range(8))
    pocket.journal.record(Episode("c-long", turns))
    asked = {"conversation": "c-long", "said": [t.text for t in turns], "text": "Go on.", "ticket": "t"}
    runtime = Napping()
    runtime.may_end.set()
    monkeypatch.setattr(pocket.journal, "current", lambda: "b2-worn")
    with (browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, runtime, Path)) as site,
          httpx.Client(base_url=site.url(), headers={"authorization": f"Bearer {pocket.token()}"}) as wire):
        wire.post("/page/say", json=asked)
    assert runtime.wore == "b2-worn"
