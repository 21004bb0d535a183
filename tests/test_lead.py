"Answers that say first what was asked for."

from __future__ import annotations

import pytest

from pocketsleep.night.grade import declines
from pocketsleep.night.grammar import bank
from pocketsleep.night.grammar.lead import DECLINE, lead, of_pattern, of_slot, of_thing, told, unknown


@pytest.mark.parametrize(("note", "core", "said"), [
    ("The user's landlord is called Mr Osei.", "Mr Osei", "Your landlord is called Mr Osei."),
    ("The user was born in Leeds in 1980.", "Leeds", "You were born in Leeds in 1980."),
    ("The user's shed will have a zinc roof.", "zinc", "Your shed will have a zinc roof."),
    ("Rosa is the user's sister.", "Rosa", "Your sister is Rosa."),
    ("When the user types 'brief', the assistant should answer in one line.", "one line",
     "When you type 'brief', I should answer in one line."),
    ("The left knee hurts.", "left knee", ""),  # the value comes first: nothing was said about what was asked
])
def test_a_note_is_said_to_its_user(note: str, core: str, said: str) -> None:
    assert told(note, core) == said


def test_what_stands_before_the_value_stands_before_the_gap() -> None:
    before = lead(told("The user's landlord is called Mr Osei.", "Mr Osei"), "Mr Osei")
    assert before == of_thing("landlord", "person") == "Your landlord is called"
    assert unknown(before) == "Your landlord is called... you haven't told me that."
    assert lead("Your shed will have a zinc roof", "zinc") == "Your shed will have"


def test_what_has_no_beginning_is_declined_plainly() -> None:
    assert unknown("") == DECLINE
    assert declines(DECLINE)
    assert declines(unknown("You live in"))


@pytest.mark.parametrize(("pattern", "before"), [
    ("The user lives in {v}.", "You live in"),
    ("The user's {x} was made by {v}.", "Your kiln was made by"),
    ("{v} has borrowed the user's {x}.", ""),
    ("The user is vegan.", ""),
])
def test_kinds_of_notes_begin_as_their_notes_do(pattern: str, before: str) -> None:
    assert of_pattern(pattern, {"x": "kiln"}) == before


@pytest.mark.parametrize(("tell", "before"), [
    ("what your postcode is", "your postcode is"), ("what your cat is called", "your cat is called"),
    ("how tall you are", "how tall you are"), ("what colour your cat's eyes are", "what colour your cat's eyes are"),
])
def test_slots_are_statements_where_they_can_be(tell: str, before: str) -> None:
    assert of_slot(tell) == before


def test_nearly_every_kind_of_note_has_a_beginning() -> None:
    begun = [one.lead({"x": "kiln", "r": "cousin", "y": "barn"}) for one in bank.predicates()]
    assert sum(map(bool, begun)) > 0.95 * len(begun)
