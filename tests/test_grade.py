"What counts as the right answer: forms that mean the same, and values that only look alike."

from __future__ import annotations

import pytest

from pocketsleep.night.grade import plain, right, says


@pytest.mark.parametrize("answer", ["It is called 'Fen'.", "It is called \u2018Fen\u2019.", "'Fen', I think.", '"Fen"', "Fen's the name? 'Fen.'"])
def test_what_is_quoted_is_said(answer: str) -> None:
    assert says(answer, "Fen")
    assert says(answer, "'Fen'")


@pytest.mark.parametrize(("answer", "wanted", "said"), [
    ("Your boss is O\u2019Brien.", "O'Brien", True), ("It is Fen's.", "Fen", False), ("The rock 'n' roll one.", "rock 'n' roll", True),
    ("At the volunteers' clinic.", "volunteers' clinic", True), ("You don't.", "you don't", True),
])
def test_an_apostrophe_within_a_word_is_part_of_it(answer: str, wanted: str, said: bool) -> None:
    assert says(answer, wanted) is said


def test_quotes_alone_are_no_words() -> None:
    assert plain("' \u2018\u2019 '").strip() == ""


@pytest.mark.parametrize(("answer", "expected", "is_right"), [
    ("No milk.", "No sugar.", False), ("You take no sugar.", "No sugar.", True), ("No, never.", "No Doubt is your band.", False),
    ("Yes, it is.", "Yes Please.", False), ("Yes Please.", "Yes Please.", True), ("No, Fen.", "No, Moss.", True), ("No", "no", True),
    ("Yes.", "No.", False), ("Yes!", "Yes \u2013 since May.", True), ("It is not.", "No.", False), ("Yes, Moss.", "Yes, your cat is called Moss.", True),
])
def test_yes_and_no_are_told_from_values_that_begin_so(answer: str, expected: str, is_right: bool) -> None:
    assert right(answer, expected) is is_right


@pytest.mark.parametrize(("answer", "wanted", "said"), [
    ("It took 4.3 hours.", "3", False), ("It took 4.3 hours.", "4.3", True), ("At 7:30.", "30", False), ("At 7:30.", "7.30", True),
    ("At 11:00 am.", "11", True), ("It is 11.", "11:00", True), ("-1949", "1949", False), ("It is \u22121,949.", "-1949", True), ("1949", "-1949", False),
    ("5,300 litres", "5300", True), ("6.7%", "6.7", True), ("16.7%", "6.7", False), ("From 3-5 pm", "5", True), ("On 4.5.2026.", "2026", True),
    ("He turned 9.", "9", True), ("x=-5", "-5", True), ("\u00a33.50", "3", False), ("3.", "3", True), ("1.0", "1", True),
])
def test_a_number_is_not_its_parts(answer: str, wanted: str, said: bool) -> None:
    assert says(answer, wanted) is said
