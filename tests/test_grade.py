"What counts as the right answer: forms that mean the same, and values that only look alike."

from __future__ import annotations

import pytest

from pocketsleep.night.grade import plain, says


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
