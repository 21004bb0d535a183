"How listening is compared with notes made by hand."

from __future__ import annotations

import pytest

from pocketsleep.bench import extract
from pocketsleep.nouns import Memory


@pytest.mark.parametrize(("text", "answer", "same"), [
    ("The user says 'frosty'.", "frosty", True), ("The suite is 1,300 specs.", "1300", True), ("The suite is 1,300 specs.", "1", False),
    ("The suite is 1,300 specs.", "300", False), ("The user keeps bees.", "", False),
])
def test_a_note_is_heard_where_its_answer_is_said(text: str, answer: str, same: bool) -> None:
    assert extract.matches(text, {"text": text, "answer": answer}) is same
    assert extract.agrees(Memory("The user moved.", answer=answer), {"text": text, "answer": "Tuvik"}) is same
