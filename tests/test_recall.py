"Which notes a question calls for."

from __future__ import annotations

from pocketsleep.nouns import Dream, Memory
from pocketsleep.serve.recall import Index, words

CAT, JOB = Memory("The user's cat is called Gus."), Memory("The user is a dentist.")


def texts(found: list[Memory]) -> list[str]:
    return [m.text for m in found]


def test_words_that_carry_meaning_are_stemmed():
    assert words("What are my cats' NAMES, please?") == words("cat name")


def test_a_note_is_found_by_its_own_words():
    assert texts(Index([CAT, JOB], []).find("What is my cat called?")) == [CAT.text]


def test_a_note_is_found_by_what_the_night_asked_of_it():
    asked = Dream("Which mouser lives with me?", "Gus.", "paraphrase", (CAT.id,))
    assert not Index([CAT, JOB], []).find("Who is the mouser?")
    assert texts(Index([CAT, JOB], [asked]).find("Who is the mouser?")) == [CAT.text]


def test_what_the_night_declined_calls_for_no_note():
    never = Dream("What is my neighbour's cat called?", "You haven't told me that yet.", "unstated", (CAT.id,))
    index = Index([CAT, JOB], [never])
    assert not index.find("What is my neighbour's cat called?")
    assert texts(index.find("What is my cat called?")) == [CAT.text]


def test_dreams_of_what_is_gone_find_nothing():
    asked = Dream("Which mouser lives with me?", "Gus.", "paraphrase", (CAT.id,))
    assert not Index([JOB], [asked]).find("Which mouser lives with me?")


def test_a_question_about_nothing_here_calls_for_nothing():
    assert not Index([CAT, JOB], []).find("What is the capital of Peru?")
    assert not Index([], []).find("Who am I?")
