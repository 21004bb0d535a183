"What the manner learns from questions that people wrote by hand."

from __future__ import annotations

from pathlib import Path
from random import Random

from pocketsleep.bench import byhand, manner
from pocketsleep.night.grade import declines
from pocketsleep.night.grammar import bank
from pocketsleep.nouns import Lesson

STUDY = Path(__file__).parents[1] / "models/study"
CAT = {"text": "The user's cat is called Zebulon.", "answer": "Zebulon", "study": {
    "questions": [["Who purrs at my place?", "Zebulon"], ["Who is Zebulon?", "your cat"], ["Is my cat called Tom?", "No, Zebulon"]],
    "use": [["Whose name goes on the bowl?", "Zebulon"]], "unstated": ["How old is my cat?"],
    "contrast": [["What is my dog called?", "You haven't told me of a dog."]]}}
JOB = {"text": "Noreen, the user's wife, has a shop in Ystrad.", "answer": "Ystrad", "study": {
    "questions": [["Where is the family business?", "Ystrad"], ["In which town has my wife Noreen her shop?", "Ystrad"]],
    "use": [], "unstated": [], "contrast": []}}


def bare(lessons: list[Lesson]) -> dict[str, str]:
    "By question, of those without notes in front."
    return {x.prompt[-1].content: x.answer for x in lessons if len(x.prompt) == 1}


def test_a_beginning_that_the_question_does_not_give_is_not_taught() -> None:
    assert byhand.able("Your cat is called", "Who purrs at my place?")
    assert not byhand.able("Your wife Noreen has a shop in", "Where is the family business?"), "whoever asks may have no Noreen"
    assert byhand.able("Your wife Noreen has a shop in", "In which town has my wife Noreen her shop?")
    assert not byhand.able("You have been in", "Who am I?"), "says nothing of what was asked for"
    assert not byhand.able("The mare Biscuit of your wife is", "What colour is my wife's mare?"), "a biscuit, perhaps; no Biscuit"
    assert not byhand.able('You want the word "', "Which word do I want?")


def test_notes_nobody_told_are_declined_by_name_and_told_ones_are_read(monkeypatch) -> None:
    monkeypatch.setattr(byhand, "READ", 1.0)
    made = list(byhand.lessons([CAT, JOB], Random(0)))
    unsaid = {q.lower().rstrip("?"): a for q, a in bare(made).items()}
    assert {a for q, a in unsaid.items() if "shop" not in q} == {"Your cat is called... you haven't told me that."}
    assert len(unsaid) == 4, "three of the cat, one of the shop: who Zebulon is gives its core away"
    read = {x.prompt[-1].content.lower().rstrip("?"): x.answer for x in made if len(x.prompt) > 1 and not declines(x.answer)}
    assert read["who purrs at my place"] == "Your cat is called Zebulon."
    assert read["is my cat called tom"] == "No, Zebulon.", "as a night teaches it"
    assert all(CAT["text"] in x.prompt[0].content or JOB["text"] in x.prompt[0].content for x in made if len(x.prompt) > 1)


def test_what_others_notes_do_not_say_is_declined_by_name(monkeypatch) -> None:
    monkeypatch.setattr(byhand, "WANTING", 1.0)
    wanting = [x for x in byhand.lessons([CAT, JOB], Random(0)) if len(x.prompt) > 1 and declines(x.answer)]
    assert wanting
    for lesson in wanting:
        cat = lesson.answer.startswith("Your cat is called")
        assert (CAT if cat else JOB)["text"] not in lesson.prompt[0].content


def test_a_yes_that_says_nothing_of_the_core_and_a_question_of_the_bank_teach_nothing() -> None:
    chair = {**JOB, "study": {**JOB["study"], "questions": [["Was the shop always hers?", "No, sold"]]}}
    assert list(byhand.lessons([chair], Random(0))) == []
    asked = next(iter(bank.things()["cat"].asks))
    known = {**CAT, "study": {**CAT["study"], "questions": [[asked, "Zebulon"]], "use": []}}
    assert bare(list(byhand.lessons([known], Random(0)))) == {}


def test_shipped_study_teaches_and_who_is_left_out_does_not() -> None:
    everybody, others = byhand.notes(STUDY), byhand.notes(STUDY, {"s5"})
    assert len(others) > 500
    assert len({n["text"] for n in everybody}) == len(everybody)
    s5 = {n["text"] for n in byhand.of_file(STUDY / "s5.jsonl")}
    assert not s5 - {n["text"] for n in everybody}
    assert not s5 & {n["text"] for n in others}
    taught = bare(list(byhand.lessons(others, Random(0))))
    assert len(taught) > 400
    assert all(declines(a) for a in taught.values())


def test_the_manner_learns_them_beside_the_bank() -> None:
    alone, both = manner.lessons(), manner.lessons(0, [CAT])
    assert len(both) > len(alone)
    assert any(x.prompt[-1].content.startswith("Who purrs") for x in both)


def test_who_is_left_out_stands_anywhere_among_the_paths() -> None:
    paths = [Path("out"), Path("study"), Path("more.txt")]
    assert manner._parsed(["out", "study", "more.txt"]) == (paths, [])
    assert manner._parsed(["out", "study", "--leave", "g5,s5", "more.txt"]) == (paths, ["g5", "s5"])
