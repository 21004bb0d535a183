"Notes are spelled from what was said, and lessons with other names stay lessons."

from __future__ import annotations

from random import Random

import pytest

from pocketsleep.bench.swapped import names, passes, reworded, swapped
from pocketsleep.night.listen.grounding import ungrounded
from pocketsleep.night.listen.said import Said, named, written_from
from pocketsleep.night.listen.sayable import Sayable
from pocketsleep.night.listen.sentences import sentences
from pocketsleep.nouns import Lesson, Message

SAID = "clement my brother keeps nine bee-hives at 6.50 a week, and I've played O'Brien's fiddle"


def grows(text: str, said: str = SAID) -> bool:
    "Asked letter by letter, as an answer grows."
    may = Sayable(said)
    return all(may(text[:n]) for n in range(1, len(text) + 1))


@pytest.mark.parametrize("note", [
    "The user's brother is called Clement. | Clement",
    "The user's brother Clement keeps nine hives. | nine hives",
    "The user keeps 6.50 a week.",
    "The user has played O'Brien's fiddle. | fiddle\nThe user plays the fiddle.",
    'When the user says "bee-hives", the assistant should keep nine.',
])  # fmt: skip
def test_what_was_said_can_be_noted(note: str) -> None:
    assert grows(note)


@pytest.mark.parametrize("note", ["The user's brother is called Rex.", "The user has ten hives.", "The user keeps beehivesmanship.",
                                  "The user pays 6.55.", "Clementine is the user's brother."])
def test_what_nobody_said_cannot_even_be_begun(note: str) -> None:
    assert not grows(note)


def test_the_words_of_a_note_are_the_ones_that_grounding_takes_for_said() -> None:
    said = "we moved the studies to Fridays, my wives' children were writing it on the walls"
    for word in "moves moving study Friday wife child writes wall children".split():
        if grows(f"The user {word}", said):
            assert not ungrounded(word, said), word
    assert grows("The user moves", said)
    assert grows("Friday", said)


def test_words_come_from_the_person_so_far_and_from_what_is_known_of_whom_they_name() -> None:
    text = "Izzy is seven. She reads to Gravy. Later I sail."
    said = Said(text, tuple(sentences(text, 0, len(text))), "Is Izzy a cat?", ("The user's rabbit is called Gravy.", "The user's cat is called Tom."))
    source = written_from(said, said.sentences[1])
    assert named(said, said.sentences[1]) == ["The user's rabbit is called Gravy."]
    assert "Izzy" in source
    assert "rabbit" in source
    assert "cat" not in source  # neither what the assistant said, nor what is known of others
    assert "sail" not in source


LESSON = Lesson((Message("user", "Sentence: zorro's my dog, we have 12 hens\nNotes:"),),
                "The user's dog is called Zorro. | Zorro\nThe user has 12 hens. | 12 hens")


def test_a_name_is_another_one_on_both_sides() -> None:
    other = swapped(LESSON, ["Ana"], Random(3))
    said, notes = other.prompt[0].content, other.answer
    assert "zorro" not in said.lower()
    assert "12" not in notes
    called = notes.splitlines()[0].rsplit("| ", 1)[1]
    assert f"{called.lower()}'s my dog" in said  # typed as sloppily as before
    assert f"is called {called}." in notes
    count = notes.splitlines()[1].split()[3]
    assert len(count) == 2
    assert f"we have {count} hens" in said


def test_what_names_nothing_stays() -> None:
    plain = Lesson((Message("user", "Sentence: I swim on Mondays\nNotes:"),), "The user swims on Mondays. | Mondays")
    assert swapped(plain, ["Ana"], Random(0)) == plain
    assert names([LESSON, plain]) == ["Zorro"]


def test_the_first_pass_is_as_it_was_written() -> None:
    three = list(passes([LESSON, LESSON], 3, 1.0, 0))
    assert len(three) == 6
    assert three[:2] == [LESSON, LESSON]
    assert all(one != LESSON for one in three[2:])


@pytest.mark.parametrize(("written", "one"), [
    ("Clement, the user's brother, is a plasterer in Coventry.", "The user's brother Clement is a plasterer in Coventry."),
    ("The user's eldest daughter is Tamsin.", "The user's eldest daughter is called Tamsin."),
    ("The user's car is Italian.", "The user's car is Italian."),
    ("The user's dog is a heeler.", "The user's dog is a heeler."),
])  # fmt: skip
def test_one_wording_for_whose_name_it_is(written: str, one: str) -> None:
    assert reworded(written) == one
