"The bank of everyday questions: every row of it can be asked, and none gives itself away."

from __future__ import annotations

import json
import re

import pytest

from pocketsleep.night.dream import ByType, declining
from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank
from pocketsleep.night.grammar.typed import unnamed
from pocketsleep.nouns import Memory

PARTS = {"v": "Quorndon", "x": "barge", "r": "sister", "n": "seven", "y": "yard"}


def asked(note: str) -> dict[str, str]:
    return {q: a for q, a, _ in bank.asked(note)}


@pytest.mark.parametrize("noun", sorted(bank.things()))
def test_every_thing_is_asked_for_by_its_value(noun):
    found = list(bank.asked(f"The user's {noun} is called Quorndon."))
    open_ones = [(q, a) for q, a, form in found if form == "paraphrase"]
    assert len(open_ones) >= 8
    assert all(a == "Quorndon." for _, a in open_ones)
    assert not any(says(q, "Quorndon") for q, _ in open_ones)
    assert not any("{" in q or re.search(r"\bmy (?:my|the)\b", q) for q, _, _ in found)


def test_every_predicate_is_met_by_its_own_wordings():
    unmet = []
    for row in bank.predicates():
        assert len(row.asks) >= 6
        assert row.patterns
        assert not [q for q in row.asks if "{v}" in q and row.answer == "{v}"], row.asks
    for line in bank.shipped("predicates.jsonl").splitlines():
        for pattern in re.findall(r'"patterns": \[(.*?)\], "asks"', line):
            for wording in re.findall(r'"((?:[^"\\]|\\.)*)"', pattern):
                note = wording.replace('\\"', '"').format(**PARTS)
                if not any(p.fullmatch(note) for row in bank.predicates() for p in row.patterns):
                    unmet.append(note)
    assert not unmet


@pytest.mark.parametrize(("note", "question", "answer"), [
    ("The user's cat is called Gus.", "What's the name of my mouser?", "Gus."),
    ("The user's accountant is now Mr Hale.", "Who does my tax return?", "Mr Hale."),
    ("The user's kiln was made by Rohde.", "What brand is my kiln?", "Rohde."),
    ("Petra, the user's sister, lives in Hull.", "Where does my sister live?", "Hull."),
    ("Otto helps the user to paint the boat.", "Who helps me to paint the boat?", "Otto."),
    ("The user's favourite cheese variety is Caerphilly.", "What is my favourite cheese?", "Caerphilly."),
])
def test_questions_of_common_notes(note, question, answer):
    assert asked(note)[question] == answer


def test_a_description_stands_without_my():
    assert "Who is the one who does my tax?" in asked("The user's accountant is Mr Hale.")


def test_no_to_another_value_yes_to_its_own():
    polar = {q: a for q, a, form in bank.asked("The user drinks rooibos.") if form == "yes_no"}
    assert polar["Do I drink rooibos?"].startswith("Yes")
    assert polar["Do I drink cocoa?"].startswith("No")


def test_a_question_that_two_notes_answer_is_asked_of_neither():
    one, two = Memory("The user's son is called Ned.", answer="Ned"), Memory("The user's son is called Tom.", answer="Tom")
    alone = {d.question for d in ByType([one]).dreams(one)}
    both = {d.question for d in ByType([one, two]).dreams(one)}
    assert "What is my son called?" in alone
    assert "What is my son called?" not in both


@pytest.mark.parametrize(("note", "question", "right"), [
    ("The user takes ramipril.", "What medicine am I on?", True),
    ("The user is on 40 mg of propranolol.", "What medicine am I on?", True),
    ("The user takes the 39 bus to town.", "What medicine am I on?", False),
    ("The user is on 38 dollars for a haircut.", "What medicine am I on?", False),
    ("The user plays bass.", "What's my instrument?", True),
    ("The user plays bass.", "What's my game?", False),
    ("The user plays chess.", "What's my game?", True),
    ("The user plays the Caro-Kann.", "What's my instrument?", False),
    ("The user runs a bakery.", "What's my business?", True),
    ("The user runs Debian 12.", "What's my business?", False),
    ("The user drives an old Volvo.", "What car do I have?", True),
    ("The user drives their mother to dialysis.", "What car do I have?", False),
    ("The user goes to church and does not ride on Sundays.", "When's my church and does not ride?", False),
    ("The user calls the bike Cheeto.", "What's my name for the bike?", True),
    ("The user calls the bike Cheeto.", "What's my name for the the?", False),
])
def test_a_note_is_asked_for_in_its_own_sense(note, question, right):
    assert (question in asked(note)) is right


def test_every_sense_is_there_and_every_expression_stands():
    named = {name for row in map(json.loads, bank.shipped("predicates.jsonl").splitlines()) for e in row.get("fits", {}).values()
             for name in re.findall(r"@([A-Z_]+)@", e)}
    assert named <= set(bank.senses())
    assert not [name for name in bank.senses() if "@" in bank.sense(f"@{name}@")]
    assert not [p for p in bank.predicates() for part in p.fits if not any(f"(?P<{part}>" in way.pattern for way in p.patterns)]


WHIPPET = Memory("The user's whippet is called Tarragon.", answer="Tarragon")


@pytest.mark.parametrize("noun", sorted(bank.things()))
def test_broader_words_are_new_words(noun):
    known = bank.things()[noun]
    assert not known.names & known.wide
    assert len(known.wide) == len(known.broader)


def test_a_thing_is_asked_for_by_what_it_is_one_of():
    said = {d.question: d.answer for d in ByType([WHIPPET]).dreams(WHIPPET)}
    assert says(said["What is my dog called?"], "Tarragon")
    other = Memory("The user's boat is called Heron.", answer="Heron")
    assert "What is my dog called?" in {d.question for d in ByType([WHIPPET, other]).dreams(WHIPPET)}


@pytest.mark.parametrize("other", ["The user's spaniel is called Rex.", "The user's dog is called Rex.", "The user's mother is afraid of dogs."])
def test_a_broader_word_that_may_be_another_thing_is_not_used(other):
    rex = Memory(other, answer="Rex")
    assert "What is my dog called?" not in {d.question for d in ByType([WHIPPET, rex]).dreams(WHIPPET)}


def test_what_was_told_in_a_narrower_or_broader_word_is_never_called_unsaid():
    def outright(noun: str, questions: list[str]) -> bool:
        return any(re.search(rf"\b(?:is|'s|name of|call|named?) my {noun}(?: called)?\?", q) for q in questions)

    for noun, near, far in (("whippet", "dog", "cat"), ("dog", "spaniel", "cat"), ("sister", "sibling", "brother")):
        asked = [d.question for d in declining([Memory(f"The user's {noun} is called Vesper.", answer="Vesper")], count=2000)]
        assert not outright(near, asked)
        assert outright(far, asked)


def test_nothing_narrower_or_broader_is_asked_for_as_unsaid():
    for noun, related, other in (("dog", {"spaniel", "whippet"}, "cat"), ("spaniel", {"dog"}, "cat")):
        about = {about for _, about, _ in bank.unsaid([f"The user's {noun} is called Vesper."], 2000, "0")}
        assert not about & related
        assert other in about


def test_what_is_implied_was_said():
    def questions(noun: str) -> set[str]:
        return {d.question for d in declining([Memory(f"The user's {noun} is called Vesper.", answer="Vesper")], count=2000)}

    assert any("have a pet" in q for q in questions("boat"))
    assert not any("have a pet" in q for q in questions("spaniel"))
    told = ["The user's cat is called Vesper."]
    first = next(x for _, _, x in unnamed(told))
    assert first not in {x for _, _, x in unnamed(told, frozenset({first}))}


def test_what_it_does_not_know_it_leaves_alone():
    assert not list(bank.asked("Whenever it rains, gloom descends upon the heath."))
