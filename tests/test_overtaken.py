"What the calendar has overtaken: when a time that a note names is over, and how the note is said from then on."

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from time import tzset

import pytest

from pocketsleep import night as nights
from pocketsleep.cli import sleeping
from pocketsleep.journal.reports import night_report
from pocketsleep.night.build import replaced
from pocketsleep.night.extract import Extracted, extract
from pocketsleep.night.gather import Gathered
from pocketsleep.night.listen.calendar import time_in
from pocketsleep.night.overtaken import overtaken, retold
from pocketsleep.nouns import Cite, Episode, Memory, Turn
from pocketsleep.pocket import Pocket
from tests import short
from tests.test_night import SMALL, Silent, home

SAID = "2026-11-20T10:00:00+00:00"  # a Friday
LATER = "2029-01-05T12:00:00+00:00"

TIMES = [
    ("on 14 December", date(2026, 12, 14), "on 14 December 2026"),
    ("on the 14th of December", date(2026, 12, 14), "on 14 December 2026"),
    ("on December 14th", date(2026, 12, 14), "on 14 December 2026"),
    ("on Monday 14 December", date(2026, 12, 14), "on 14 December 2026"),
    ("on 3 February", date(2027, 2, 3), "on 3 February 2027"),
    ("on 20 November", date(2026, 11, 20), "on 20 November 2026"),
    ("on 6 June 2028", date(2028, 6, 6), "on 6 June 2028"),
    ("on 29 February", date(2028, 2, 29), "on 29 February 2028"),
    ("in March", date(2027, 3, 31), "in March 2027"),
    ("in February 2028", date(2028, 2, 29), "in February 2028"),
    ("in 2027", date(2027, 12, 31), "in 2027"),
    ("until the end of May", date(2027, 5, 31), "until the end of May 2027"),
    ("until 3 May", date(2027, 5, 3), "until 3 May 2027"),
    ("from 12 to 15 January", date(2027, 1, 15), "from 12 to 15 January 2027"),
    ("from 28 December to 3 January", date(2027, 1, 3), "from 28 December to 3 January 2027"),
    ("at Christmas", date(2026, 12, 26), "at Christmas 2026"),
    ("on Friday", date(2026, 11, 27), "on 27 November 2026"),
    ("until Sunday", date(2026, 11, 22), "until 22 November 2026"),
    ("tomorrow", date(2026, 11, 21), "on 21 November 2026"),
    ("on Friday evening", date(2026, 11, 27), "on the evening of 27 November 2026"),
    ("tomorrow morning", date(2026, 11, 21), "on the morning of 21 November 2026"),
    ("from the 3rd to the 5th of May", date(2027, 5, 5), "from 3 to 5 May 2027"),
    ("next Tuesday", date(2026, 11, 24), "on 24 November 2026"),
    ("next weekend", date(2026, 11, 29), "on the weekend of 28 November 2026"),
    ("until the end of November", date(2026, 11, 30), "until the end of November 2026"),
    ("next week", date(2026, 11, 29), "in the week of 23 November 2026"),
    ("next month", date(2026, 12, 31), "in December 2026"),
    ("next year", date(2027, 12, 31), "in 2027"),
]


@pytest.mark.parametrize(("said", "last", "stays"), TIMES)
def test_a_time_is_the_next_one_from_the_day_it_was_said_on(said: str, last: date, stays: str) -> None:
    found = time_in(f"The user is away {said} again.", date(2026, 11, 20))
    assert found is not None
    assert (found.last, found.said, "The user is away "[found.start :]) == (last, stays, "")


@pytest.mark.parametrize("said", ["", "soon", "on 31 June", "in March and in May", "on Fridays", "in the spring", "on a Maypole", "in 199",
                                  "in 1999", "in May 1968", "on 3 May 2019", "on Sunday mornings", "tomorrow or on Monday", "in May or June",
                                  "on 3 May and 7 June", "on Monday and Friday", "from Monday until Friday", "on 3 May and back on the 9th",
                                  "in November", "until November"])
def test_no_time_that_can_be_told_for_sure(said: str) -> None:
    assert time_in(f"The user is away {said}.", date(2026, 11, 20)) is None


def test_next_friday_said_in_that_week_is_known_by_its_month() -> None:
    found = time_in("The user is away next Friday.", date(2026, 11, 16))
    assert found is not None
    assert (found.last, found.said) == (date(2026, 11, 27), "in November 2026")
    assert time_in("The user is away next Friday.", date(2026, 10, 26)) is None, "October or November"


PLANS = [
    ("The user is flying to Lisbon on 14 December.", "The user flew to Lisbon on 14 December 2026."),
    ("The user is going to Lisbon on 14 December.", "The user went to Lisbon on 14 December 2026."),
    ("The user is going to start a new job at Arup in January.", "The user started a new job at Arup in January 2027."),
    ("The user's sister is getting married on 6 June 2027.", "The user's sister got married on 6 June 2027."),
    ("The user's parents will arrive on 3 May.", "The user's parents arrived on 3 May 2027."),
    ("The user will be in hospital from 12 to 15 January.", "The user was in hospital from 12 to 15 January 2027."),
    ("Keiran, the user's lad, will be 16 on the 5th of June.", "Keiran, the user's lad, turned 16 on 5 June 2027."),
    ("The user's exam is on 3 February.", "The user's exam was on 3 February 2027."),
    ("The user's wedding is in May 2027.", "The user's wedding was in May 2027."),
    ("The user has an operation on 3 March at the Jubilee.", "The user had an operation on 3 March 2027 at the Jubilee."),
    ("The user's baby is due on 2 April.", "The user's baby was due on 2 April 2027."),
    ("The user's contract ends on 31 December 2026.", "The user's contract ended on 31 December 2026."),
    ("The user's daughter starts school in September.", "The user's daughter started school in September 2027."),
    ("The user is on parental leave until the end of May.", "The user was on parental leave until the end of May 2027."),
    ("The user lives in Berlin until June.", "The user lived in Berlin until June 2027."),
    ("The user is off to Malmö with the team on 11 October.", "The user was off to Malmö with the team on 11 October 2027."),
    ("The user's dad Leo turns 80 on 14 October.", "The user's dad Leo turned 80 on 14 October 2027."),
    ("The user's flight to Oslo leaves on Friday at 7.", "The user's flight to Oslo left on 27 November 2026 at 7."),
    ("The user's ISTQB Advanced is on 22 January.", "The user's ISTQB Advanced was on 22 January 2027."),
    ("The user delivers the book to Tern on 1 September 2027.", "The user delivered the book to Tern on 1 September 2027."),
    ("The user has a panel at Crime Cymru on the 26th of April.", "The user had a panel at Crime Cymru on 26 April 2027."),
    ("The user is presenting at TMEA on 12 February.", "The user was presenting at TMEA on 12 February 2027."),
    ("The user's parents will be here on 24 December.", "The user's parents were here on 24 December 2026."),
    ("The user's children will be in Rome in April.", "The user's children were in Rome in April 2027."),
    ("The user and Tom will be in Rome in April.", "The user and Tom were in Rome in April 2027."),
    ("The user's brother James will be in Rome in April.", "The user's brother James was in Rome in April 2027."),
    ("The user's car will be repaired on 3 December.", "The user's car was repaired on 3 December 2026."),
    ("The user will also be in Rome in May.", "The user was in Rome in May 2027."),
    ("The user is still working at Bosch until June.", "The user worked at Bosch until June 2027."),
    ("The user's son is going to university in September.", "The user's son went to university in September 2027."),
    ("The user is going to be a father in June.", "The user became a father in June 2027."),
    ("The user moves to Leeds in March.", "The user moved to Leeds in March 2027."),
    ("The user's train leaves next month.", "The user's train left in December 2026."),
]


@pytest.mark.parametrize(("plan", "past"), PLANS)
def test_a_plan_is_said_in_the_past_once_its_day_is_over(plan: str, past: str) -> None:
    note = Memory(plan, since=SAID)
    said = overtaken(note, LATER)
    assert said is not None
    assert (said.text, said.supersedes, said.since) == (past, note.id, SAID)
    assert said.answer in past
    assert overtaken(said, LATER) is None, "said in the past twice"


def test_on_its_day_a_plan_is_one_still() -> None:
    note = Memory("The user is flying to Lisbon on 14 December.", answer="Lisbon", since=SAID)
    assert overtaken(note, "2026-12-14T12:00:00+00:00") is None
    ordinal = Memory("The user's niece turns six on the 21st of November.", answer="21st of November", since=SAID)
    assert getattr(overtaken(ordinal, LATER), "answer", "") == "21 November 2026"
    past = overtaken(note, "2026-12-16T12:00:00+00:00")
    assert past is not None
    assert past.answer == "Lisbon"


STANDS = [
    "The user's birthday is on 19 November.", "The user's fiscal year ends on 31 March.", "The user swims on Fridays.",
    "The user was born in March 1980.", "The user moved to Kirkwall in 2019.", "The user's season starts in April.",
    "The user wants to see Rome in May.", "The user will not be there on 3 May.", "The user always goes to Oban in August.",
    "The user's tea is lapsang in June and assam in July.", "The user is learning Welsh.",
    "The user is learning Irish Sign Language, with an exam on 11 April.", "The user's colleague is quitting and going to Nagoya in March.",
    "The user's café closes on Monday.", "The choir of the user opens on the last Sunday of the month.", "The user's day off is Friday.",
    "The user plays netball on Saturday.", "The user's name day is on 6 December.", "The feast of the user's village is on 15 August.",
    "The user's clinic day is Wednesday.", "The user is in Japan in April for 3 gigs.", "If it snows the user is leaving on 3 May.", "The user's cat is called June.", "The user likes Maya in May.",
    "The user will probably be in Rome in May.", "The user is hoping to see Rome in May.", "The user will have left by 3 May.",
    "The user has been married for ten years on 9 June.", "The user has passed her driving test in March.",
    "The user is living in a house built in 1937.", "The user is running a company founded in 2015.", "The user's novel is set in March.",
    "The user has two cats and an exam on 3 May.", "The user has a trip to Rome in May and a cat.", "The user has a son born on 3 May.",
    "The user has a son in hospital until June.", "The user is a teacher on leave until August.", "The user has a brother arriving on 3 May.",
    "The user lives with Ann, who is on leave until May.", "The user is working at Bosch, where a course starts in May.",
    "The user has a cabin that is closed until May.", "The user drives a car leased until 2027.", "The user knows Ann from the course on 3 May.",
    "The user's pool opens in May.", "The user's hay fever starts in May.", "The user's company's year ends on 31 March.",
    "The user flies to Spain in August.", "The user's maple turns red in October.", "The user starts sowing peas in March.",
    "The user moves the plants indoors in October.", "The user's garden is stunning in May.", "Diwali is on 8 November.",
    "The user eats carp on 24 December.", "The user opens presents on 24 December.", "The user celebrates Nowruz on 20 March.",
    "The user's rent is due on Friday.", "The user is off on Friday.", "The user is working on Sunday mornings.",
    "The user's team meeting is on Monday at 9.",
]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Etc/GMT+12"])
def test_what_became_of_a_plan_is_known_for_it(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    tzset()
    plan = Memory("The user is flying to Lisbon on 14 December.", since=SAID)
    past = overtaken(plan, LATER)
    assert past is not None
    assert retold(plan, past)
    assert not retold(plan, Memory("The user is flying to Porto on 14 December.", since=SAID))
    assert not retold(past, plan)
    day = overtaken(Memory("The user is flying to Lisbon tomorrow.", since="2026-11-20"), LATER)
    assert day is not None
    assert day.text == "The user flew to Lisbon on 21 November 2026."
    monkeypatch.undo()
    tzset()


@pytest.mark.parametrize("plan", ["The user works at Bosch and is flying to Rome on 3 May.", "The user is sure Ann will be in Rome on 3 May.",
                                  "The user thinks the meeting is on 4 December.", "The user has a son who turns 3 on 4 May."])
def test_what_stands_beside_a_plan_stands_the_next_night_too(plan: str) -> None:
    past = overtaken(Memory(plan, since=SAID), LATER)
    assert past is not None
    assert overtaken(past, LATER) is None


@pytest.mark.parametrize("note", STANDS)
def test_what_is_no_plan_of_one_day_stands_as_it_was_said(note: str) -> None:
    assert overtaken(Memory(note, since=SAID), LATER) is None


def test_what_has_no_date_and_what_is_wished_stands() -> None:
    plan = "The user is flying to Lisbon on 14 December."
    assert overtaken(Memory(plan), LATER) is None
    for never in ("last week", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        assert overtaken(Memory(plan, since=never), LATER) is None
    assert overtaken(Memory(plan, kind="preference", since=SAID), LATER) is None


def _heard(text: str, live: Memory) -> Extracted:
    day = "2029-01-03T10:00:00+00:00"
    return extract(Gathered((Episode("e", (Turn("user", text, said_at=day), Turn("assistant", "I see.")), day),), (Cite("e", 0),), ()), [live])


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(("plan", "denial", "note"), [
    ("The user is flying to Lisbon on 14 December.", "I'm not flying to Lisbon after all.", "The user is not flying to Lisbon after all."),
    ("The user is flying to Lisbon on 14 December.", "We did not go to Lisbon after all.", "The user did not go to Lisbon after all."),
    ("The user is moving to Leeds in March.", "I didn't move to Leeds in the end.", "The user did not move to Leeds in the end."),
])
def test_a_plan_that_came_to_nothing_is_heard(plan: str, denial: str, note: str, over: bool) -> None:
    live = Memory(plan, since=SAID)
    live = (overtaken(live, LATER) or live) if over else live
    heard = _heard(denial, live)
    assert [(m.text, m.supersedes) for m in heard.memories] == [(note, live.id)]
    assert heard.dropped == ()
    assert overtaken(heard.memories[0], "2099-01-01T00:00:00+00:00") is None


@pytest.mark.parametrize("denial", ["I'm not flying to Porto after all.", "I'm not going after all.", "I did not like Lisbon in the end.",
                                    "I'm not flying to Lisbon on 12 December after all.", "I'm not flying to Lisbon."])
def test_what_denies_another_thing_calls_no_plan_off(denial: str) -> None:
    assert _heard(denial, Memory("The user is flying to Lisbon on 14 December.", since=SAID)).memories == ()


@pytest.fixture(autouse=True)
def _short_exam(monkeypatch: pytest.MonkeyPatch) -> None:
    short.exam(monkeypatch)


def _said(pocket: Pocket, name: str, text: str, at: str) -> None:
    pocket.journal.record(Episode(name, (Turn("user", text, said_at=at), Turn("assistant", "I see.")), at, "chat"))


def test_a_night_says_in_the_past_what_has_passed(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        _said(pocket, "p1", "I'm flying to Lisbon on 14 December.", "2024-11-20T10:00:00+00:00")
        _said(pocket, "p2", "My sister is getting married on 6 June 2999.", "2024-11-20T10:00:00+00:00")
        night, _ = pocket.sleep(SMALL, Silent())
        texts = [m.text for m in pocket.journal.memories()]
        assert "The user flew to Lisbon on 14 December 2024." in texts
        assert "The user's sister is getting married on 6 June 2999." in texts
        assert not any("is flying" in text for text in texts)
        learnt = night_report(pocket.journal, night)["learnt"]
        assert "The user flew to Lisbon on 14 December 2024." in learnt
        assert not any("is flying" in text for text in learnt)
        past = next(m for m in pocket.journal.memories() if "Lisbon" in m.text)
        assert [c.episode for c in past.cites] == ["p1"]
        assert any(past.id in dream.memories for dream in pocket.journal.dreams(night.id)), "not studied"
        assert past.id not in replaced(pocket._bed(night, 0.0), pocket.journal.memories()), "taught as if another thing were so now"
        again, _ = pocket.sleep(SMALL, Silent())
        assert night_report(pocket.journal, again)["learnt"] == []


def test_a_night_that_is_killed_as_it_learns_tells_the_same_afterwards(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        _said(pocket, "p1", "I'm flying to Lisbon on 14 December.", "2024-11-20T10:00:00+00:00")
        night = pocket._tonight(SMALL)
        bed = pocket._bed(night, 0.0)
        turns = nights.unslept_turns(bed, night)
        first, again = (nights.new_memories(bed, night, turns) for _ in range(2))
        assert sorted(first["new"]) == sorted(again["new"]) == sorted(first["live"])
        assert first["live"] == again["live"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_plan_that_is_said_again_after_its_day_is_another(kept: bool, tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        _said(pocket, "p1", "I'm flying to Lisbon on 14 December.", "2023-11-20T10:00:00+00:00")
        if kept:
            cite = (Cite("p1", 0),)
            pocket.journal.learn(Memory("The user is flying to Lisbon on 14 December.", cite, answer="Lisbon", since="2023-11-20T10:00:00+00:00"))
        _said(pocket, "p2", "I'm flying to Lisbon on 14 December.", "2024-11-20T10:00:00+00:00")
        pocket.sleep(SMALL, Silent())
        assert {m.text for m in pocket.journal.memories("flew")} == {f"The user flew to Lisbon on 14 December {year}." for year in (2023, 2024)}
        assert all(m.status == "superseded" for m in pocket.journal.memories(status=None) if "is flying" in m.text)


@pytest.mark.parametrize("outright", [True, False])
@pytest.mark.parametrize("which", ["plan", "past"])
def test_forgetting_either_takes_both(which: str, outright: bool, tiny: Path, tmp_path: Path) -> None:
    with Pocket(home(tmp_path / "home", tiny).home, str(tiny)) as pocket:
        at = "2024-11-20T10:00:00+00:00"
        if outright:
            plan = pocket.journal.learn(Memory("The user is flying to Lisbon on 14 December.", answer="Lisbon", told=True, since=at))
        else:
            _said(pocket, "p1", "I'm flying to Lisbon on 14 December.", at)
            plan = pocket.journal.learn(Memory("The user is flying to Lisbon on 14 December.", (Cite("p1", 0),), answer="Lisbon", since=at))
        kept = pocket.remember("My dog is called Lisbon.")
        assert plan is not None
        assert kept is not None
        past = overtaken(plan, LATER)
        assert past is not None
        assert pocket.journal.learn(past) is not None
        gone = pocket.forget(plan.id if which == "plan" else past.id)
        assert set(gone.memories) == {plan.id, past.id}
        assert [m.id for m in pocket.journal.memories(status=None)] == [kept.id]
        assert b"flying" not in b"".join(f.read_bytes() for f in pocket.home.root.rglob("*") if f.is_file())


@pytest.mark.parametrize("said", ["My exam is on Monday.", "I'm flying to Lisbon tomorrow.", "My niece turns six on the 21st of November.",
                                  "I'm going to start a new job next week.", "My parents are coming on Saturday morning."])
def test_forgetting_takes_both_whatever_is_told_otherwise(said: str, tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        told = pocket.remember(said)
        assert told is not None
        past = overtaken(told, LATER)
        assert past is not None
        assert pocket.journal.learn(past) is not None
        assert set(pocket.forget(told.id).memories) == {told.id, past.id}


def test_forgetting_what_was_told_at_the_same_moment_leaves_the_one_it_replaced(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        old = pocket.journal.learn(Memory("The user works at Arup.", answer="Arup", told=True, since=SAID))
        assert old is not None
        new = pocket.journal.learn(Memory("The user works at Arup in Leeds.", answer="Arup in Leeds", told=True, since=SAID, supersedes=old.id))
        assert new is not None
        assert pocket.forget(new.id).memories == (new.id,)


def test_forgetting_a_value_leaves_the_one_it_replaced(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        old = pocket.remember("I live in Stromness.")
        new = pocket.remember("I live in Kirkwall.", old.id if old else None)
        assert old is not None
        assert new is not None
        assert pocket.forget(new.id).memories == (new.id,)


def test_a_dry_run_says_it_as_the_night_would(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("POCKETSLEEP_HOME", str(tmp_path / "home"))
    with home(tmp_path / "home", tiny) as pocket:
        _said(pocket, "p1", "I'm flying to Lisbon on 14 December.", "2024-11-20T10:00:00+00:00")
        pocket.journal.learn(Memory("The user's exam is on 3 February.", answer="3 February", told=True, since="2024-11-20T10:00:00+00:00"))
        _said(pocket, "p2", "I'm moving to Leeds on 3 May.", "2024-11-20T10:00:00+00:00")
        _said(pocket, "p3", "I'm not moving to Leeds after all.", "2024-12-20T10:00:00+00:00")
        sleeping._dry_run(pocket, False)
        said = capsys.readouterr().out
        assert "learn  The user flew to Lisbon on 14 December 2024.  (p1 turn 0)" in said
        assert "past   The user's exam was on 3 February 2025.  (its day is over; it was: The user's exam is on 3 February.)" in said
        assert "The user is not moving to Leeds after all." in said
        assert "moved to Leeds" not in said
        sleeping._dry_run(pocket, True)
        assert json.loads(capsys.readouterr().out)["would_say_as_past"] == [
            {"text": "The user's exam was on 3 February 2025.", "was": "The user's exam is on 3 February."}]
        assert [m.text for m in pocket.journal.memories()] == ["The user's exam is on 3 February."]
