"""The command line: stdout is data, stderr is talk, and whatever goes wrong says what to type next."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketsleep.cli import app, importing, out
from pocketsleep.home import Home
from pocketsleep.pocket import Pocket

COMMANDS = sorted(c.name or c.callback.__name__.rstrip("_") for c in app.registered_commands)  # type: ignore[union-attr]


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", "from pocketsleep.cli import main; main()", *words],
                          capture_output=True, text=True, input=given)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def day(tmp_path: Path) -> Path:
    path = tmp_path / "day.jsonl"
    said = [{"role": "user", "content": "My dog is called Biscuit."}, {"role": "assistant", "content": "Nice."}]
    path.write_text(json.dumps({"id": "a", "messages": said}) + "\n{broken\n" + json.dumps({"id": "b", "messages": said}) + "\n")
    return path


def test_every_command_is_there() -> None:
    wanted = {"import", "chat", "serve", "sleep", "nights", "remember", "memories", "why", "forget", "undo", "use", "exam", "export",
              "verify", "doctor", "models", "demo"}
    assert wanted <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    callback = next(c.callback for c in app.registered_commands if (c.name or c.callback.__name__.rstrip("_")) == name)  # type: ignore[union-attr]
    assert f"Example: pocketsleep {name}" in (callback.__doc__ or "")


@pytest.mark.parametrize("words", [("sleep", "--tonite"), ("dream",), ("forget",), ("exam", "x.jsonl", "--arm", "nose")])
def test_wrong_usage_is_told_not_traced(words: tuple[str, ...]) -> None:
    made = run(*words)
    assert made.returncode in (1, 2)
    assert made.stdout == ""
    assert made.stderr.strip()
    assert "Traceback" not in made.stderr


@pytest.mark.parametrize("words", [("sleep",), ("forget", "b2-none", "--yes"), ("import", "nowhere.jsonl"), ("use", "night-99"),
                                   ("why", "nothing of the kind"), ("exam", "nowhere.jsonl", "--arm", "base"),
                                   ("chat", "hello", "--base", "nowhere.gguf")])
def test_an_error_is_one_line_and_a_hint(words: tuple[str, ...]) -> None:
    made = run(*words)
    assert made.returncode == 1
    assert made.stdout == ""
    assert made.stderr.startswith("error: ")
    assert "\nhint: " in made.stderr


def test_broken_lines_are_named_the_rest_imported_and_twice_adds_nothing(day: Path) -> None:
    first, second = run("import", str(day), "--json"), run("import", str(day), "--json")
    report, again = lines(first.stdout)[-1], lines(second.stdout)[-1]
    assert report["conversations"] == 2
    assert report["added_turns"] == 4
    assert again["added_turns"] == 0
    assert "line 2" in first.stderr + first.stdout or '"line": 2' in first.stdout


def test_what_was_read_before_an_interruption_is_kept(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = importing.importing.read

    def interrupted(*given: object) -> Iterator[object]:
        yield next(read(*given))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(importing.importing, "read", interrupted)
    with Pocket(Home(tmp_path / "home")) as pocket:
        with pytest.raises(KeyboardInterrupt):
            importing._Reading(day, "messages", out.Tell(quiet=True)).into(pocket)
        assert [e.id for e in pocket.journal.episodes()] == ["a"]


def test_an_empty_day_learns_nothing_and_says_why() -> None:
    made = run("sleep", "--tonight", "--json")
    report = json.loads(made.stdout)
    assert made.returncode == 0
    assert report["verdict"] == "nothing"
    assert report["reasons"][0].startswith("nothing learnt tonight, because")


def test_told_asked_for_and_forgotten() -> None:
    told = run("remember", "My dog is called Biscuit.", "--json")
    memory = lines(told.stdout)[0]
    assert [m["text"] for m in lines(run("memories", "--json").stdout)] == ["The user's dog is called Biscuit."]
    gone = json.loads(run("forget", str(memory["id"]), "--json").stdout)
    assert gone["memories"] == [memory["id"]]
    assert run("memories", "--json").stdout == ""
    assert json.loads(run("verify", "--json").stdout)["ok"] is True
