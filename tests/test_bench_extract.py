"How listening is compared with notes made by hand."

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketsleep.bench import extract, recall
from pocketsleep.cli import app
from pocketsleep.errors import BadInput, MissingPart
from pocketsleep.nouns import Memory


@pytest.mark.parametrize(("text", "answer", "same"), [
    ("The user says 'frosty'.", "frosty", True), ("The suite is 1,300 specs.", "1300", True), ("The suite is 1,300 specs.", "1", False),
    ("The suite is 1,300 specs.", "300", False), ("The user keeps bees.", "", False),
])
def test_a_note_is_heard_where_its_answer_is_said(text: str, answer: str, same: bool) -> None:
    assert extract.matches(text, {"text": text, "answer": answer}) is same
    assert extract.agrees(Memory("The user moved.", answer=answer), {"text": text, "answer": "Tuvik"}) is same


def test_what_there_is_none_of_has_no_share() -> None:
    "A file without changes, or without empty messages, is not one in which none was found."
    row = extract.score([{"id": "1", "message": "I keep bees.", "memories": [{"text": "The user keeps bees.", "answer": "bees"}]}]).row()
    assert (row["clean"], row["superseded"], row["recall"]) == (None, None, 100.0)


@pytest.mark.parametrize("said", ["{bad", '{"x": 1}', "[]", '{"id": "1", "message": "Hm", "memories": [{"text": "x"}]}', '{"memories": 3}'])
@pytest.mark.parametrize("command", ["extract", "recall", "replaced"])
def test_files_that_are_no_notes_say_so(command: str, said: str, tmp_path: Path) -> None:
    for name in ("nowhere", "notes"):
        done = CliRunner().invoke(app, ["bench", command, str(tmp_path / name)])
        assert isinstance(done.exception, BadInput), done.output
        assert done.exception.hint
        (tmp_path / "notes").mkdir(exist_ok=True)
        (tmp_path / "notes" / "w.jsonl").write_text(said + "\n")


def test_nearness_that_cannot_be_had_is_a_missing_part(tmp_path: Path) -> None:
    (tmp_path / "w.jsonl").write_text(json.dumps({"message": "Hm", "memories": []}) + "\n")
    (tmp_path / "v.jsonl").write_text(json.dumps({"message": "My hat.", "memories": [{"text": "The user has a hat.", "answer": "hat"}]}) + "\n")
    done = CliRunner().invoke(app, ["bench", "replaced", str(tmp_path), "--near"])
    assert isinstance(done.exception, MissingPart)
    assert done.exception.hint


def test_notes_on_which_nothing_is_asked_are_no_file_of_questions(tmp_path: Path) -> None:
    (tmp_path / "w.jsonl").write_text('{"memories": [{"text": "x", "answer": "y", "study": {"unstated": ["When?"]}}]}\n')
    with pytest.raises(BadInput, match="no notes with questions"):
        list(recall.recall(tmp_path, 4))
