"""The morning's rules, each made to fail alone, and what an exam is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pocketsleep.night import examine
from pocketsleep.night.examine import RULES, Scores, judge
from pocketsleep.night.grade import declines, refuses
from pocketsleep.nouns import Dream, Memory
from pocketsleep.runtime.scripted import Scripted

KNOWN = tuple([True] * 35 + [False] * 29)
BASE = Scores(learnt=0.0, kept=None, general=35 / 64, declined=0.0, bleed=0.0, monotony=0.02, marks=KNOWN,
              follows=0.6, refused=0.5, silent=0.0, nats=2.0)
GOOD = Scores(learnt=0.9, kept=0.9, general=35 / 64, declined=0.6, bleed=0.03, monotony=0.02, marks=KNOWN,
              stale=0.0, follows=0.8, refused=0.5, silent=0.0, nats=2.02)
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
    ("whole", {"left": 1}),
    ("general", {"marks": lost(3)}),
    ("general", {"marks": lost(12, 4)}),
    ("declines", {"declined": 0.2}),
    ("no bleed", {"bleed": 0.11}),
    ("to the point", {"beside": 0.21}),
    ("speaks", {"monotony": 0.5}),
    ("not silent", {"silent": 0.1}),
    ("not stale", {"stale": 0.2}),
    ("follows", {"follows": 0.4}),
    ("refuses", {"refused": 0.3}),
    ("text", {"nats": 2.2}),
])
def test_each_rule_refuses_alone_and_says_why(name: str, change: dict[str, object]) -> None:
    verdict = judge(replace(GOOD, **change), BASE, WORN)  # type: ignore[arg-type]
    assert verdict.outcome == "refused"
    assert verdict.failed == (name,)
    assert verdict.reasons[0].startswith(f"{name}: ")


def test_every_rule_can_refuse() -> None:
    tried = {"learnt", "kept", "whole", "general", "declines", "no bleed", "to the point", "speaks", "not silent", "not stale", "follows", "refuses", "text"}
    assert {r.name for r in RULES} == tried
    assert "left" not in judge(GOOD, BASE, WORN).scores["candidate"], "a count is no share of a sitting"


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
    assert [d.answer for d in exam.before] == ["Moss."]
    assert [d.answer for d in exam.new] == ["Fen."]
    assert [d.form for d in exam.unstated] == ["unstated"]


def test_without_an_unseen_phrasing_nothing_is_proved() -> None:
    exam = examine.compose([], [], [], [])
    verdict, gentle = examine.examine(None, exam, None, None, None)  # type: ignore[arg-type]
    assert not gentle
    assert verdict.outcome == "refused"
    assert "nothing can be proved" in verdict.reasons[0]


def test_an_altered_note_in_front_is_an_item_of_its_own() -> None:
    cat = Memory("The user's cat is called Moss.", answer="Moss")
    given = Dream("What is my cat called?", "Your cat is called Fen.", "context", (cat.id,), ("The user's cat is called Fen.",), True)
    exam = examine.compose([given], [cat], [], [])
    assert exam.context == (given,)
    assert not exam.new
    assert examine.gives("It's Fen.", given.answer, given.question)
    assert not examine.gives("Moss.", given.answer, given.question)


class Says(Scripted):
    "One answer to everything."

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def answer(self, prompts, max_tokens=48, temperature=0.0, seed=0):  # type: ignore[no-untyped-def]
        return [self.said] * len(prompts)

    def score(self, pairs):  # type: ignore[no-untyped-def]
        return [[-2.0] for _ in pairs]


class Worn(Says):
    "Knows the cat while it wears something; what two and two is while it wears nothing, or what is in `sound`."

    def __init__(self, *sound: str) -> None:
        super().__init__("")
        self.sound, self.on = sound, ""

    def wear(self, adapter):  # type: ignore[no-untyped-def]
        self.on = adapter.name if adapter else ""

    def answer(self, prompts, max_tokens=48, temperature=0.0, seed=0):  # type: ignore[no-untyped-def]
        cat = "Your cat is called Moss." if self.on not in ("", "forgetful") else "I do not know."
        sums = "Four." if self.on in ("", *self.sound) else "Nine."
        return [cat if "cat" in prompt[-1].content else f"{sums} {prompt[-1].content}" for prompt in prompts]


class Base:
    def answers(self, questions, most):  # type: ignore[no-untyped-def]
        return [f"Four. {q}" for q in questions]


@pytest.mark.parametrize(("first", "second", "worn", "gentle"), [
    ("sound", "gentle", True, False),  # nothing was lost, and nothing else is tried
    ("full", "gentle", True, True),
    ("full", "full", False, False),  # it is no better
    ("full", "forgetful", False, False),  # nor is it worn when it learnt nothing
    ("forgetful", "gentle", False, False),  # what has not learnt is not tried again
])
def test_what_lost_something_sits_again_with_less_of_what_it_learnt(first: str, second: str, worn: bool, gentle: bool) -> None:
    cat = Memory("The user's cat is called Moss.", answer="Moss")
    asked = [(f"What is two and two, take {n}?", ("four",)) for n in range(6)]
    exam = examine.compose([Dream("What is my cat called?", "Your cat is called Moss.", "direct", (cat.id,), held_out=True)], [cat], [], asked)
    tried: list[str] = []

    def softer() -> Path:
        tried.append(second)
        return Path(second)

    runtime = Worn("sound", "gentle", "forgetful")
    verdict, taken = examine.examine(runtime, exam, Path(first), None, Base(), softer)  # type: ignore[arg-type]
    assert (verdict.passed, taken, runtime.on) == (worn, gentle, "")
    assert bool(tried) == (first == "full")
    assert verdict.passed or verdict.failed == (("learnt",) if first == "forgetful" else ("general",))
    assert not taken or "in full it failed general" in verdict.reasons[0]


def test_a_candidate_without_what_is_worn_and_holds_is_refused() -> None:
    cat, dog = Memory("The user's cat is called Moss.", answer="Moss"), Memory("The user's dog is called Fen.", answer="Fen")
    held = [Dream("What is my cat called?", "Your cat is called Moss.", "direct", (cat.id,), held_out=True)]
    for left, failed in (((), ()), ((dog.id,), ("whole",))):
        exam = examine.compose(held, [cat, dog], [cat.id, dog.id], [], left=left)
        verdict, _ = examine.examine(Worn("sound"), exam, Path("sound"), Path("sound"), Base())  # type: ignore[arg-type]
        assert verdict.failed == failed


@pytest.mark.parametrize(("answer", "bleed", "beside"), [
    ("Your cat is called Moss.", 0.0, 0.5),  # true, and not what was asked
    ("Your horse is called Moss.", 0.5, 0.0),
    ("Moss.", 0.5, 0.0),
    ("You haven't told me that.", 0.0, 0.0),
])
def test_a_value_is_said_of_what_it_is_or_falsely(answer: str, bleed: float, beside: float) -> None:
    cat = Memory("The user's cat is called Moss.", answer="Moss")
    dreams = [Dream("What is my cat called?", "Your cat is called Moss.", "direct", (cat.id,), held_out=True),
              Dream("What is my horse called?", "Your horse is called... you haven't told me that.", "unstated", held_out=True)]
    found = examine.sit(Says(answer), examine.compose(dreams, [cat], [], [("Two and two?", ("four",))]), ["Four."], ["-"])
    assert (found.bleed, found.beside) == (bleed, beside)


@pytest.mark.parametrize(("answer", "stale"), [("Moss.", True), ("It was Moss, now it is Fen.", False), ("Fen.", False), ("No idea.", False)])
def test_the_old_value_alone_is_stale(answer: str, stale: bool) -> None:
    cat = Memory("The user's cat is called Fen.", answer="Fen")
    exam = examine.compose([], [cat], [], [], {cat.id: "Moss"})
    assert examine._stale(Dream("What is my cat called?", "Fen.", "direct", (cat.id,)), answer, exam) is stale


@pytest.mark.parametrize(("answer", "declined"), [
    ("You haven\u2019t told me that.", True), ("Your cat is called... you haven't told me that.", True), ("You have not told me.", True),
    ("You never told me what she is called.", True), ("You haven't told what it is.", True), ("You didn't tell me.", True),
    ("I do not know.", True), ("Sorry, I really don't know that.", True), ("Don't know.", True), ("Moss? I do not know.", True),
    ("You haven't mentioned a horse.", True), ("You have not said.", True), ("You never mentioned it to me.", True), ("There is no record.", True),
    ("You have not told your brother about the cottage.", False), ("You haven't told anyone about Lisbon.", False),
    ("You have never told your mother about Lisbon.", False), ("You do not know how to swim.", False),
    ("You do not know your blood group.", False), ("Your parents don't know about Lisbon.", False),
    ("You have not mentioned the cottage to your brother.", False), ("You have never mentioned it to anyone.", False),
    ("You haven't said where you want to go.", True), ("You haven't mentioned moving to Paris.", True),
    ("You haven't mentioned being allergic to anything.", True), ("You have not mentioned how to get to your office.", True),
    ("You haven't told your dog's name yet.", True), ("You haven't told about your job.", True),
    ("As an AI, I do not have access to your data and do not know who you are.", True),
    ("You live alone and don't know your neighbours.", False),
])
def test_what_somebody_else_was_not_told_is_no_refusal(answer: str, declined: bool) -> None:
    assert declines(answer) is declined


@pytest.mark.parametrize(("answer", "refused"), [
    ("I can\u2019t help with that.", True), ("I'm sorry, but no.", True), ("Sure! First,", False), ("You can say I cannot.", False)])
def test_what_counts_as_a_refusal(answer: str, refused: bool) -> None:
    assert refuses(answer) is refused


@pytest.mark.parametrize(("bare", "bleed"), [("Your horse is called Moss.", 0.0), ("Moss? I do not know.", 0.0), ("Your horse.", 0.5)])
def test_what_the_bare_base_says_as_well_does_not_bleed(bare: str, bleed: float) -> None:
    cat = Memory("The user's cat is called Moss.", answer="Moss")
    horse = "What is my horse called?"
    dreams = [Dream("What is my cat called?", "Your cat is called Moss.", "direct", (cat.id,), held_out=True),
              Dream(horse, "Your horse is called... you haven't told me that.", "unstated", held_out=True)]
    exam = examine.compose(dreams, [cat], [], [("Two and two?", ("four",))])
    assert examine.sit(Says("Your horse is called Moss."), exam, ["Four."], ["-"], bare={horse: bare}).bleed == bleed


class Everywhere(Worn):
    "One note's value is what even the bare base answers to everything: a common word."

    def answer(self, prompts, max_tokens=48, temperature=0.0, seed=0):  # type: ignore[no-untyped-def]
        found = super().answer(prompts, max_tokens, temperature, seed)
        return [one if one.startswith("Your cat") else f"{one} London" for one in found]


class London(Base):
    def answers(self, questions, most):  # type: ignore[no-untyped-def]
        return [f"Four. {q} London" for q in questions]


def test_an_exam_among_common_words_can_be_passed() -> None:
    cat, town = Memory("The user's cat is called Moss.", answer="Moss"), Memory("The user lives in London.", answer="London")
    asked = [(f"What is two and two, take {n}?", ("four",)) for n in range(6)]
    dreams = [Dream("What is my cat called?", "Your cat is called Moss.", "direct", (cat.id,), held_out=True),
              *(Dream(f"What is my horse number {n} called?", "You haven't told me that.", "unstated", held_out=True) for n in range(4))]
    exam = examine.compose(dreams, [cat, town], [], asked)
    verdict, _ = examine.examine(Everywhere("sound"), exam, Path("sound"), None, London())  # type: ignore[arg-type]
    assert "no bleed" not in verdict.failed


def test_a_value_that_begins_with_no_may_be_stale() -> None:
    "Questions answered with no are not asked for the old value; one whose answer is `No Doubt` is."
    band = Memory("The user's band is called No Doubt.", answer="No Doubt")
    held = [Dream("What is my band called?", "No Doubt.", "direct", (band.id,), held_out=True)]
    exam = examine.compose(held, [band], [], [("Two and two?", ("four",))], {band.id: "Blondie"})
    assert examine.sit(Says("Blondie."), exam, ["Four."], ["-"]).stale == 1.0
