"Questions on what a note says besides: what has lasted is so now, and a name that is owned is asked for alone."

from __future__ import annotations

import pytest

from pocketsleep.night import dream as dreaming
from pocketsleep.night.answered import types
from pocketsleep.night.dream import dream
from pocketsleep.night.grammar.parse import parse
from pocketsleep.night.grammar.plainer import notes, plainer
from pocketsleep.night.listen.tell import told


def direct(text: str) -> dict[str, str]:
    "Direct questions on one note, and what is said to them, as a night would study them."
    memory = told(text, None, [])
    return {d.question.lower().rstrip("?"): d.answer for d in dream([memory], per_memory=80) if d.form in ("direct", "paraphrase")}


@pytest.mark.parametrize(("note", "plain"), [
    ("The user has played the hurdy-gurdy for eleven years.", ("The user plays the hurdy-gurdy.",)),
    ("The user has lived in Leeds since 2010.", ("The user lives in Leeds.",)),
    ("The user has run a practice in Leith since 2016.", ("The user runs a practice in Leith.",)),
    ("The user has been learning Welsh for two years.", ("The user is learning Welsh.",)),
    ("The user has been a vegan since 2019.", ("The user is a vegan.",)),
    ("Baltazar is the user's colleague.", ("The user's colleague is called Baltazar.",)),
    ("The user has lived in Leeds.", ()),  # and may have left
    ("The user has not eaten meat for two years.", ()),
    ("The user has kids.", ()),
    ("The user lives in Leeds.", ()),
    ("Crown is the user's bakery.", ()),  # a bakery is nobody
])
def test_what_has_lasted_is_so_now(note, plain):
    assert notes(note) == plain


def test_it_is_asked_for_in_the_words_of_the_question_bank():
    asked = {q for q, _, _ in types("The user has lived in Leeds since 2010.", frozenset())}
    assert {"Where's home for me?", "Where do I live?"} <= asked
    assert not any("got" in q.split() or "got?" in q for q in asked)  # "has lived" is nothing one has


def test_answers_are_the_note_as_it_was_said():
    said = direct("The user has played the hurdy-gurdy for eleven years.")
    assert "which instrument do i play" in said
    assert "what do i play" in said
    assert set(said.values()) == {"You have played the hurdy-gurdy for eleven years."}


@pytest.mark.parametrize("note", ["The user's Macsen is learning masonry.", "The user's Wheelhouse has a round window."])
def test_an_owned_name_is_asked_for_alone_too(note):
    (clause,) = parse(note)
    name = note.split()[2]
    assert [one.subject for one in plainer(clause)] == [name]
    questions = " ".join(direct(note))
    assert f"my {name.lower()}" in questions
    assert f" {name.lower()} " in questions.replace(f"my {name.lower()}", "")


def test_things_of_one_s_own_stay_one_s_own():
    for note in ("The user's dog is called Tam.", "The user's sister Ana lives in Cork.", "The user lives in Leeds."):
        assert not [one for clause in parse(note) for one in plainer(clause)]


@pytest.mark.parametrize(("note", "question", "answer"), [
    ("The user rings at the church every Wednesday evening.", "on which day do i ring at the church", "every Wednesday evening"),
    ("The user rings at the church every Wednesday evening.", "when do i ring at the church", "every Wednesday evening"),
    ("The user's vintage came to 5,300 litres all told.", "how many litres did my vintage come to", "5,300"),
    ("The user charges R120 a hem.", "how much do i charge", "R120"),
    ("Coriander tastes of soap to the user.", "what tastes of soap to me", "Coriander"),
    ("Siobhan is the guitarist of the user's band.", "who is the guitarist of my band", "Siobhan"),
    ("The user's dog Captain is a Newfoundland.", "what breed is my dog captain", "Newfoundland"),
    ("The user's aunt has vertigo.", "what does my aunt have", "vertigo"),
])
def test_the_heart_of_a_note_is_asked_for(note, question, answer):
    memory = told(note, None, [])
    items = {q.lower().rstrip("?"): a for q, a in _proposed(memory)}
    assert answer.lower() in items[question].lower()


def _proposed(memory):
    items = dreaming._all_of(memory, dreaming._known([memory]), {}, None)
    return [(i.question, i.answer) for i in items if not i.notes]


def test_who_rings_at_a_church_phones_nobody():
    asked = {q for q, _, _ in types("The user rings at the church every Wednesday evening.", frozenset())}
    assert "Where do I pull a rope?" in asked
    assert not any("phone" in q or "dial" in q for q in asked)
    assert any("phone" in q for q, _, _ in types("The user rings Aunt May every Sunday evening.", frozenset()))


def test_somebody_who_does_something_is_no_thing():
    assert not [q for q, _ in _proposed(told("Idwal helps the user to build the shed.", None, [])) if q.startswith("What helps")]
