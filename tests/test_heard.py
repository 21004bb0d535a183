"From what was said to what is remembered, night after night, and out again: the journal and the listening together."

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pocketsleep import night as nights
from pocketsleep.journal import Journal
from pocketsleep.night.listen.tell import told
from pocketsleep.night.listen.when import before
from pocketsleep.nouns import Cite, Episode, Feedback, Night, Turn, Verdict


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened
        assert opened.verify().findings == ()


def talk(name: str, *messages: str, at: str = "", reply: str = "Noted.") -> Episode:
    said = [turn for text in messages for turn in (Turn("user", text, said_at=at), Turn("assistant", reply, said_at=at))]
    return Episode(name, tuple(said), at, "chat")


def sleep(journal: Journal, alike: Callable[[], Any] = nullcontext) -> list[str]:
    "The first two stages of a night, and its end. What was new."
    bed: Any = SimpleNamespace(journal=journal, ear=None, alike=alike, place=lambda: None)
    night = journal.begin(Night("", "2026-06-01", 1, "smollm2"))
    turns = nights.unslept_turns(bed, night)
    new = nights.new_memories(bed, night, turns)["new"]
    journal.settle(night.id, Verdict("nothing"), None, [Cite(*c) for c in turns["heard"]])
    return [journal.memory(name).text for name in new]


def live(journal: Journal) -> list[str]:
    return [memory.text for memory in journal.memories()]


def test_what_is_said_in_two_nights_is_forgotten_in_both(journal: Journal) -> None:
    for name, new in (("a", ["The user's dog is called Biscuit."]), ("b", [])):
        journal.record(talk(name, "My dog is called Biscuit."))
        assert sleep(journal) == new
    (dog,) = journal.memories()
    assert dog.cites == (Cite("a", 0), Cite("b", 0))
    gone = journal.forget(dog.id)
    assert (gone.turns, gone.still_said_in) == (dog.cites, ())
    assert journal.search_turns("dog") == []


def test_a_night_asks_how_near_notes_are_before_one_replaces_another(journal: Journal) -> None:
    @contextmanager
    def alike() -> Iterator[Any]:
        yield lambda new, olds: [0.95] * len(olds)

    journal.learn(told("The user's topsides are white.", None, []))
    journal.record(talk("a", "My topsides are green."))
    sleep(journal, alike)
    assert live(journal) == ["The user's topsides are green."]


BERLIN = talk("c-1", "I live in Berlin.", at="2026-03-01")
EGG = (Turn("user", "How do I boil an egg?", said_at="2026-03-05"), Turn("assistant", "In water.", said_at="2026-03-05"))


def as_of(episode: Episode, day: str) -> tuple[Turn, ...]:
    "The turns as a client sends them again: dated anew."
    return tuple(replace(turn, said_at=day) for turn in episode.turns)


@pytest.fixture
def moved(journal: Journal) -> Journal:
    "One who lived in Berlin, and lives in Paris since."
    journal.record(BERLIN)
    sleep(journal)
    journal.record(talk("c-2", "I moved, I live in Paris now.", at="2026-03-02"))
    sleep(journal)
    assert live(journal) == ["The user lives in Paris."]
    return journal


@pytest.mark.parametrize("name", ["c-1", "c-of-another-day"])
def test_an_old_thread_that_is_gone_on_with_brings_nothing_back(moved: Journal, name: str) -> None:
    kept = moved.record(Episode(name, (*as_of(BERLIN, "2026-03-05"), *EGG), "2026-03-05", "serve")).episode_id
    assert moved.unslept() == [Cite(kept, 2), Cite(kept, 3)]
    assert [turn.said_at for turn in moved.episode(kept).turns] == ["2026-03-01"] * 2 + ["2026-03-05"] * 2
    assert sleep(moved) == []
    assert live(moved) == ["The user lives in Paris."]


def test_another_answer_brings_nothing_back(moved: Journal) -> None:
    anew = Episode("c-1", (as_of(BERLIN, "2026-03-05")[0], Turn("assistant", "Berlin it is.", said_at="2026-03-05")), "2026-03-05")
    kept = moved.record(anew).episode_id
    assert kept.startswith("c-1~")
    assert moved.unslept() == [Cite(kept, 1)]
    assert sleep(moved) == []
    assert live(moved) == ["The user lives in Paris."]


def test_who_says_it_again_on_another_day_is_heard(moved: Journal) -> None:
    "The same words and the same answer, and nothing after it: no thread is gone on with."
    moved.record(replace(talk("c-3", "I live in Berlin.", at="2026-03-09"), started_at="2026-03-09"))
    assert sleep(moved) == ["The user lives in Berlin."]
    assert live(moved) == ["The user lives in Berlin."]


def test_what_no_night_could_hear_is_heard_from_another_telling(journal: Journal) -> None:
    journal.exclude("app", "jan")
    journal.record(replace(BERLIN, source="jan"))
    assert sleep(journal) == []
    journal.record(Episode("c-5", (*as_of(BERLIN, "2026-03-05"), *EGG), "2026-03-05", "serve"))
    assert sleep(journal) == ["The user lives in Berlin."]


def test_a_preview_hears_no_more_than_the_night_will(moved: Journal) -> None:
    ((_, first),) = moved.rehearse([Episode("c-5", (*as_of(BERLIN, "2026-03-05"), *EGG), "2026-03-05", "serve")])
    assert first == 2


def test_openings_that_were_rolled_back_are_no_openings(journal: Journal) -> None:
    thread = Episode("c-5", (*as_of(BERLIN, "2026-03-05"), *EGG), "2026-03-05", "serve")
    journal.rehearse([BERLIN, thread])
    journal.record(talk("c-0", "My dog is called Biscuit.", "Sit.", at="2026-02-01"))
    journal.record(replace(BERLIN, id="c-7"))
    journal.record(thread)
    assert [turn.said_at for turn in journal.episode("c-5").turns[:2]] == ["2026-03-01"] * 2


def test_a_correction_of_an_answer_that_has_slept_is_heard_by_the_next_night(journal: Journal) -> None:
    asked = (Turn("user", "I live in Berlin. What is my cat called?"),
             Turn("assistant", "Your cat is called... you haven't told me that.", "after_tool"))
    journal.record(Episode("a", asked))
    assert sleep(journal) == ["The user lives in Berlin."]
    journal.record(talk("b", "I moved, I live in Paris now."))
    sleep(journal)
    journal.add_feedback("a", Feedback(1, "down", "Gus"))
    assert journal.unslept() == [Cite("a", 1)]
    assert sleep(journal) == ["The user's cat is called Gus."]
    assert live(journal) == ["The user lives in Paris.", "The user's cat is called Gus."]
    journal.add_feedback("a", Feedback(1, "up"))
    journal.add_feedback("a", Feedback(1, "down", "Gus"))
    assert journal.unslept() == []


def test_a_correction_is_heard_once(journal: Journal) -> None:
    journal.record(Episode("a", (Turn("user", "What is my cat called?"),
                                 Turn("assistant", "Your cat is called... you haven't told me that."))))
    journal.add_feedback("a", Feedback(1, "down", "Gus"))
    sleep(journal)
    journal.record(talk("b", "My cat is called Moss now."))
    sleep(journal)
    journal.extend("a", [Turn("user", "Is it going to rain?"), Turn("assistant", "It may.")])
    assert sleep(journal) == []
    assert live(journal) == ["The user's cat is called Moss."]


LEEDS = talk("old", "I live in Leeds.", at="2020-01-01T00:00:00+00:00")
YORK = talk("new", "I live in York.", at="2026-05-01T00:00:00+00:00")


def test_an_export_that_begins_with_the_newest_is_heard_in_the_order_of_time(journal: Journal) -> None:
    journal.import_all([replace(talk("undated", "My vet is called Ann."), started_at=""), YORK, LEEDS])
    assert sleep(journal) == ["The user lives in Leeds.", "The user lives in York.", "The user's vet is called Ann."]
    assert live(journal) == ["The user lives in York.", "The user's vet is called Ann."]


@pytest.mark.parametrize("told_outright", [False, True])
def test_what_was_said_before_replaces_nothing_that_was_said_since(journal: Journal, told_outright: bool) -> None:
    if told_outright:
        journal.learn(told("I live in York.", None, [], YORK.started_at))
    else:
        journal.record(YORK)
        sleep(journal)
    journal.import_all([LEEDS])
    assert sleep(journal) == []
    assert live(journal) == ["The user lives in York."]
    (dropped,) = journal.dropped(journal.nights()[-1].id)
    assert dropped.reason == "outdated: replaced by what was said on 2026-05-01"


def test_a_correction_is_later_than_what_it_corrects(journal: Journal) -> None:
    journal.record(Episode("a", (Turn("user", "Where do I live?"), Turn("assistant", "You live in... you haven't told me that.")),
                           "2026-01-01"))
    journal.record(YORK)
    sleep(journal)
    journal.add_feedback("a", Feedback(1, "down", "I live in Hay."))
    assert sleep(journal) == ["The user lives in Hay."]
    assert live(journal) == ["The user lives in Hay."]


@pytest.mark.parametrize(("one", "other", "sure"), [
    ("2026-05-01", "2026-05-02", True), ("2026-05-01", "2026-05-01T10:00:00", False), ("2026-05-01T08:00:00", "2026-05-01T10:00:00Z", True),
    ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00+00:00", False), ("", "2026-05-01", False), ("2026-05-01", "yesterday", False),
])
def test_which_was_said_before(one: str, other: str, sure: bool) -> None:
    assert before(one, other) is sure
    assert not before(other, one)


@pytest.mark.parametrize("before", [(), ("I live in Berlin.",)])
def test_who_moves_away_and_back_lives_there_again(journal: Journal, before: tuple[str, ...]) -> None:
    for text in before:
        journal.record(talk("c-0", text, at="2025-12-01"))
        sleep(journal)
    for name, text, at in (("c-1", "I live in Berlin.", "2026-01-05"), ("c-2", "I live in Munich now.", "2026-03-05"),
                           ("c-3", "I live in Berlin.", "2026-09-05")):
        journal.record(talk(name, text, at=at))
    sleep(journal)
    assert live(journal) == ["The user lives in Berlin."]
    assert {m.text for m in journal.memories(status="superseded")} == {"The user lives in Munich."}


def test_what_an_export_dates_turn_by_turn_is_no_thread_that_is_gone_on_with(moved: Journal) -> None:
    said = [Turn("user", "I live in Berlin.", said_at="2026-09-05T10:00:00+00:00"), Turn("assistant", "Noted.", said_at="2026-09-05T10:00:09+00:00"),
            Turn("user", "Thanks!", said_at="2026-09-05T10:01:00+00:00")]
    moved.record(Episode("c-9", tuple(said), "2026-09-05T10:00:00+00:00", "import"))
    sleep(moved)
    assert live(moved) == ["The user lives in Berlin."]


def test_a_correction_made_while_the_night_works_waits_for_the_next(journal: Journal) -> None:
    journal.record(talk("c-1", "What is my cat called?", reply="Your cat is called... you haven't told me that."))
    bed: Any = SimpleNamespace(journal=journal, ear=None, alike=nullcontext, place=lambda: None)
    night = journal.begin(Night("", "2026-06-01", 1, "smollm2"))
    turns = journal.finish(night.id, "gather", nights.unslept_turns(bed, night))
    journal.finish(night.id, "extract", nights.new_memories(bed, night, turns))
    journal.add_feedback("c-1", Feedback(1, "down", "Zebulon"))
    nights.settle(bed, night, turns, {"adapter": ""}, {"outcome": "nothing", "failed": [], "reasons": [], "scores": {}})
    assert journal.unslept() == [Cite("c-1", 1)]
    assert sleep(journal) == ["The user's cat is called Zebulon."]
