"Which notes a question calls for."

from __future__ import annotations

import json

import pytest

from pocketsleep.bench.recall import recall
from pocketsleep.errors import BadInput
from pocketsleep.nouns import Dream, Memory
from pocketsleep.serve.recall import Index, words
from tests.test_seek import Knows

CAT, JOB = Memory("The user's cat is called Gus."), Memory("The user is a dentist.")


def texts(found: list[Memory]) -> list[str]:
    return [m.text for m in found]


def test_words_that_carry_meaning_are_stemmed():
    assert words("What are my cats' NAMES, please?") == words("cat name")


@pytest.mark.parametrize(("asked", "said"), [
    ("grow", "grew"), ("taught", "teach"), ("wives", "wife"), ("people", "person"), ("saws", "saw"), ("roses", "rose"), ("lay", "lie")])
def test_forms_of_a_word_that_look_unlike_are_one_word(asked, said):
    assert words(asked) == words(said) != frozenset()


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


def test_of_notes_that_are_as_like_the_one_comes_first_that_was_asked_about_in_more_of_these_words():
    cat, kitten = Memory("The user's cat is Gus."), Memory("The user's kitten is Mo.")
    asked = [Dream("What does the old mouser eat?", "", "paraphrase", (cat.id,)), Dream("Which mouser purrs?", "", "paraphrase", (cat.id,)),
             Dream("What does the young mouser eat?", "", "paraphrase", (kitten.id,))]
    found = Index([kitten, cat], asked).ranked("What does the purring old mouser eat?")
    assert texts(found) == [cat.text, kitten.text]


def test_a_word_of_few_notes_says_more_than_a_word_of_many():
    notes = [Memory(f"The user's {thing}.") for thing in ("cat is grey", "cat is old", "boat is blue")]
    assert texts(Index(notes, []).ranked("And the cat on the boat?"))[0] == notes[2].text


def test_what_the_night_declined_adds_no_words_to_a_note():
    never = Dream("What is my vet called?", "Your vet is called... you haven't told me that.", "unstated", (CAT.id,))
    assert not Index([CAT, JOB], [never]).ranked("What about the vet?")


def test_an_answer_is_doubted_where_the_words_call_for_another_note():
    quay = Memory("The user's dentist has rooms on Truro quay.")
    index = Index([CAT, quay], [])
    assert texts(index.rivals("Is the cat's dentist on Truro quay?", CAT)) == [quay.text, CAT.text]
    assert not index.rivals("Is the cat's dentist on Truro quay?", quay)
    assert not index.rivals("Is the dentist on Truro quay?", CAT)  # no word calls for the cat: it may go by other words
    assert not index.rivals("Who is it?", CAT)


def test_recall_is_measured_on_questions_that_were_written_by_hand(tmp_path):
    study = {"questions": [["What name has my cat?", "Gus"]], "reverse": [["Who is Gus?", "my cat"]]}
    cat = {"text": "The user's cat is called Gus.", "answer": "Gus", "study": study}
    asked = [["Which harbour do I love?", "x"], ["Is Gus the cat's dentist?", "x"]]  # nothing leads to it; more leads to the other note
    job = {"text": "The user is a dentist.", "answer": "dentist", "study": {"questions": asked}}
    (tmp_path / "one.jsonl").write_text(json.dumps({"memories": [cat, job]}) + "\n", encoding="utf-8")
    row = next(recall(tmp_path, 24))
    assert (row["notes"], row["questions"], row["first"]["share"], row["near"]["share"]) == (2, 4, 50.0, 75.0)
    assert "sought" not in row
    (tmp_path / "one.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="no notes"):
        next(recall(tmp_path, 24))


def test_what_a_reader_finds_is_measured_beside(tmp_path):
    study = {"questions": [["What name has my mouser?", "Gus"], ["Who is fed?", "Gus"]], "unstated": ["How old is my mouser?", "Who bred it?"]}
    lines = [{"text": "The user's cat is called Gus.", "answer": "Gus", "study": study},
             {"text": "The user is a dentist.", "answer": "dentist", "study": {"questions": [["Who pays me?", "x"], ["Who feeds me?", "x"]]}}]
    (tmp_path / "one.jsonl").write_text(json.dumps({"memories": lines}) + "\n", encoding="utf-8")
    cat, job = (Memory(n["text"], answer=n["answer"]) for n in lines)
    reader = Knows({"What name has my mouser?": cat, "Who pays me?": cat, "Who bred it?": job})
    placed: list[Memory] = []
    row = next(recall(tmp_path / "one.jsonl", 24, reader, 4, placed.extend))
    assert placed == [cat, job]
    assert [row[name]["share"] for name in ("sought", "other", "unanswered")] == [25.0, 25.0, 50.0]
    assert next(recall(tmp_path, 24, reader, 1))["sought"]["n"] == 1
