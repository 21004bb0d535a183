"""The shipped day: what is said in it is heard, and the junk in it never becomes a memory."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pocketsleep import demo
from pocketsleep.bench.planted import Quiet
from pocketsleep.home import Home
from pocketsleep.journal.importing import read_jsonl
from pocketsleep.night.grade import plain
from pocketsleep.night.grammar import lists
from pocketsleep.nouns import Dream, Episode, Verdict
from pocketsleep.pocket import Pocket

DAY = demo.HERE / "day.jsonl"
EXPECTED = json.loads((demo.HERE / "expected.json").read_text(encoding="utf-8"))
LINES = {row["id"]: row for row in map(json.loads, DAY.read_text(encoding="utf-8").splitlines())}


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    "What the night would learn and drop of the day, and every byte that importing it left on disk."
    home = Home(tmp_path_factory.mktemp("home"))
    with Pocket(home) as pocket:
        for episode in read_jsonl(DAY):
            assert isinstance(episode, Episode), episode
            pocket.journal.record(episode)
        found = pocket.would_learn()
    return {**found, "bytes": b"".join(path.read_bytes() for path in home.root.rglob("*") if path.is_file())}


def holds(text: str, words: list[str]) -> bool:
    return all(plain(word) in plain(text) for word in words)


def message(item: dict[str, Any]) -> dict[str, Any]:
    return LINES[item["conversation"]]["messages"][item["message"]]


@pytest.mark.parametrize("fact", EXPECTED["facts"], ids=lambda fact: fact["id"])
def test_a_fact_is_said_by_the_user_and_heard(fact: dict[str, Any], heard: dict[str, Any]) -> None:
    said = message(fact)
    assert said["role"] == "user"
    mine = [m for m in heard["memories"] if holds(m.text, fact["words"])]
    assert len(mine) == 1, [m.text for m in heard["memories"]]
    assert [(c.episode, c.turn) for c in mine[0].cites] == [(fact["conversation"], fact["message"])]


@pytest.mark.parametrize("junk", EXPECTED["junk"], ids=lambda junk: junk["reason"])
def test_junk_is_in_the_day_and_in_no_memory(junk: dict[str, Any], heard: dict[str, Any]) -> None:
    assert all(word in message(junk)["content"] for word in junk["words"])
    kept = [m.text for m in heard["memories"]]
    assert [text for text in kept for word in junk["words"] if plain(word) in plain(text)] == []


def test_nothing_but_the_facts_is_kept(heard: dict[str, Any]) -> None:
    known = [fact["words"] for fact in EXPECTED["facts"]]
    assert [m.text for m in heard["memories"] if not any(holds(m.text, words) for words in known)] == []


def test_the_secret_never_reaches_the_disk(heard: dict[str, Any]) -> None:
    (secret,) = [junk for junk in EXPECTED["junk"] if junk["reason"] == "secret"]
    assert b"glockenspiel" in heard["bytes"]  # the day is there, in clear text
    assert [word for word in secret["words"] if word.encode() in heard["bytes"]] == []


def test_what_is_private_is_not_told_in_the_report(heard: dict[str, Any]) -> None:
    (private,) = [junk for junk in EXPECTED["junk"] if junk["reason"] == "private"]
    told = " ".join(d.text for d in heard["dropped"])
    assert [word for word in private["words"] if word in told] == []
    assert any(d.reason.startswith("private") for d in heard["dropped"])


def test_the_questions_are_unseen_and_of_every_kind() -> None:
    asked = demo.questions()
    kinds = Counter(q["kind"] for q in asked)
    assert set(kinds) == {*demo.TOLD, "unstated", "general"}
    assert kinds["unstated"] == 6
    assert kinds["general"] == 12
    assert len({q["id"] for q in asked}) == len(asked)
    day = plain(" ".join(m["content"] for row in LINES.values() for m in row["messages"]))
    assert [q["question"] for q in asked if plain(q["question"]) in day] == []
    assert [q["id"] for q in asked if bool(q["answers"]) == (q["kind"] == "unstated")] == []


def test_a_question_that_was_studied_in_short_is_not_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "'What's my shoe size?' is what it is asked."
    studied = [Dream("What's my shoe size?", "You haven't told me that.", "unstated"), Dream("Where do I live?", "You live in Wick.", "direct", held_out=True)]
    journal = SimpleNamespace(memories=list, dreams=lambda night: studied, dropped=lambda night: [], record=lambda episode: None)
    day = SimpleNamespace(answers=lambda asked, arm: [""] * len(asked))
    pocket = SimpleNamespace(journal=journal, day=lambda: day, sleep=lambda wishes, tell: (SimpleNamespace(id="n1"), Verdict("refused")))
    monkeypatch.setattr(demo, "Pocket", lambda home, base: nullcontext(pocket))
    shown = demo.live(Home(tmp_path), Quiet())
    seen = [q["question"] for q in shown.questions if not shown.unseen(q)]
    assert seen == ["What is my shoe size?"]


def test_marking_is_strict_in_substance() -> None:
    asked = {q["question"]: q for q in demo.questions()}
    home, cat = asked["Where do I live?"], asked["What is the name of my cat?"]
    trade, shoes = asked["Do I earn my bread as a schoolteacher?"], asked["What is my shoe size?"]
    assert demo.correct(home, "You live in STROMNESS.")
    assert not demo.correct(home, "You live in Stromness or Thurso.")
    assert not demo.correct(cat, "Zebulons")
    assert demo.correct(trade, "No, you are a bookbinder.")
    assert not demo.correct(trade, "Yes.")
    assert demo.correct(shoes, "You haven't told me that yet.")
    assert not demo.correct(shoes, "It is 42.")


def test_no_general_question_was_trained_on_or_chosen_by() -> None:
    "Neither an anchor of the night nor a question of its exam."
    used = {plain(q) for q in (*lists.anchors(), *(q for q, _ in lists.general()))}
    assert not used & {plain(q["question"]) for q in demo.questions() if q["kind"] == "general"}
