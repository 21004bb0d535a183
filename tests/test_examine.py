"""The morning's rules, each made to fail alone, and what an exam is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pocketsleep.night import examine
from pocketsleep.night.examine import RULES, Scores, judge
from pocketsleep.nouns import Dream, Memory

KNOWN = tuple([True] * 35 + [False] * 29)
BASE = Scores(learnt=0.0, kept=None, general=35 / 64, declined=0.0, bleed=0.0, monotony=0.02, marks=KNOWN)
GOOD = Scores(learnt=0.9, kept=0.9, general=35 / 64, declined=0.6, bleed=0.03, monotony=0.02, marks=KNOWN)
WORN = replace(GOOD, kept=0.92)


def lost(wrong: int, right: int = 0) -> tuple[bool, ...]:
    "The base's marks with so many gone wrong and so many come right."
    return tuple([False] * wrong + [True] * (35 - wrong + right) + [False] * (29 - right))


def test_a_good_candidate_is_worn() -> None:
    verdict = judge(GOOD, BASE, WORN)
    assert verdict.passed
    assert verdict.scores["candidate"]["learnt"] == 0.9
    assert "marks" not in verdict.scores["base"]


@pytest.mark.parametrize(("name", "change"), [
    ("learnt", {"learnt": 0.59}),
    ("kept", {"kept": 0.70}),
    ("general", {"marks": lost(3)}),
    ("general", {"marks": lost(12, 4)}),
    ("declines", {"declined": 0.2}),
    ("no bleed", {"bleed": 0.11}),
    ("speaks", {"monotony": 0.5}),
])
def test_each_rule_refuses_alone_and_says_why(name: str, change: dict[str, object]) -> None:
    verdict = judge(replace(GOOD, **change), BASE, WORN)  # type: ignore[arg-type]
    assert verdict.outcome == "refused"
    assert verdict.failed == (name,)
    assert verdict.reasons[0].startswith(f"{name}: ")


def test_every_rule_can_refuse() -> None:
    tried = {"learnt", "kept", "general", "declines", "no bleed", "speaks"}
    assert {r.name for r in RULES} == tried


@pytest.mark.parametrize(("wrong", "right"), [(2, 0), (8, 5), (0, 10)])
def test_answers_that_changed_both_ways_are_not_a_loss(wrong: int, right: int) -> None:
    assert judge(replace(GOOD, marks=lost(wrong, right)), BASE, WORN).passed


def test_an_exam_keeps_new_old_and_unstated_apart() -> None:
    cat, dog = Memory("The user's cat is called Moss.", answer="Moss"), Memory("The user's dog is called Fen.", answer="Fen")
    dreams = [
        Dream("What is my cat called?", "Moss.", "direct", (cat.id,), held_out=True),
        Dream("What is my dog called?", "Fen.", "direct", (dog.id,), held_out=True),
        Dream("My dog is?", "Fen.", "paraphrase", (dog.id,)),
        Dream("What is my horse called?", "You haven't told me that yet.", "unstated", held_out=True),
    ]
    exam = examine.compose(dreams, [cat, dog], [cat.id], [("What is two and two?", ("four", "4"))])
    assert [d.answer for d in exam.old] == ["Moss."]
    assert [d.answer for d in exam.new] == ["Fen."]
    assert [d.form for d in exam.unstated] == ["unstated"]


def test_without_an_unseen_phrasing_nothing_is_proved() -> None:
    exam = examine.compose([], [], [], [])
    verdict = examine.examine(None, exam, None, None, None)  # type: ignore[arg-type]
    assert verdict.outcome == "refused"
    assert "nothing can be proved" in verdict.reasons[0]
