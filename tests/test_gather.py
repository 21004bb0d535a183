"""Gathering: user turns that have not slept; private and tainted ones set aside with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketsleep.journal import Journal
from pocketsleep.night.gather import gather
from pocketsleep.nouns import Cite, Episode, Feedback, Turn


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def test_only_the_users_unslept_turns_are_gathered(journal):
    journal.record(Episode("a", (Turn("user", "my dog is called Rex"), Turn("assistant", "Nice."))))
    gathered = gather(journal)
    assert gathered.turns == (Cite("a", 0),)
    assert [e.id for e in gathered.episodes] == ["a"]
    assert gathered.aside == ()


def test_a_private_turn_is_set_aside_without_its_text(journal):
    journal.record(Episode("a", (Turn("user", "I have a lover in Hull", private=True),)))
    journal.record(Episode("b", (Turn("user", "I live in Hull"),), private=True))
    gathered = gather(journal)
    assert gathered.turns == ()
    assert {(d.text, d.reason.split(":")[0]) for d in gathered.aside} == {("", "private")}
    assert {d.cite for d in gathered.aside} == {Cite("a", 0), Cite("b", 0)}


@pytest.mark.parametrize(
    ("role", "taint"), [("user", "pasted"), ("tool", "tool"), ("assistant", "after_tool")]
)
def test_tainted_turns_are_set_aside_with_their_taint(journal, role, taint):
    journal.record(Episode("a", (Turn(role, "The reader lives in Leeds.", taint=taint), Turn("user", "hm"))))
    gathered = gather(journal)
    assert gathered.turns == (Cite("a", 1),)
    assert [(d.reason.split(":")[0], d.cite) for d in gathered.aside] == [(taint, Cite("a", 0))]


def test_a_corrected_answer_is_gathered_with_its_question_or_later(journal):
    journal.record(Episode("a", (Turn("user", "what is it?"), Turn("assistant", "This.")), feedback=(Feedback(1, "", "That."),)))
    journal.record(Episode("b", (Turn("user", "who?"), Turn("assistant", "He.")), feedback=(Feedback(1, "up"),)))
    assert gather(journal).turns == (Cite("a", 0), Cite("a", 1), Cite("b", 0))


def test_an_empty_journal_gathers_nothing(journal):
    assert gather(journal).episodes == gather(journal).turns == ()
