"""The command line: stdout is data, stderr is talk, and whatever goes wrong says what to type next."""

from __future__ import annotations

import json
import os
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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_the_locale_has_no_letters_for_is_printed_all_the_same(encoding: str) -> None:
    def typed(*words: str) -> str:
        made = subprocess.run([sys.executable, "-c", "from pocketsleep.cli import main; main()", *words], capture_output=True,
                              env={**os.environ, "PYTHONIOENCODING": encoding})
        assert made.returncode == 0, made.stderr
        return made.stdout.decode(encoding)

    told = "The user's dog is called Łukasz-René."
    shown = told.encode(encoding, "backslashreplace").decode(encoding)
    assert shown in typed("remember", "My dog is called Łukasz-René.")
    assert shown in typed("memories").replace("\n", "")
    assert json.loads(typed("memories", "--json"))["text"] == told


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
                                   ("chat", "hello", "--base", "nowhere.gguf"), ("memory-layers", "check", "--passes", "a"),
                                   ("memory-layers", "check", "--passes", "1,0")])
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


def test_what_an_exclusion_keeps_out_is_not_said_to_be_forgotten() -> None:
    run("exclude", "add", "--pattern", "falcon*")
    told = run("remember", "I work on project Falcon.")
    assert (told.returncode, told.stdout) == (0, "")
    assert "falls under `pattern:falcon*`" in told.stderr
    assert "hint: `pocketsleep exclude list`" in told.stderr


def test_what_replaces_a_number_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    (tmp_path / "told.jsonl").write_text('{"text": "My cat is called Gus."}\n{"text": "My dog is called Rex.", "supersedes": 5}\n')
    told = run("remember", "--file", str(tmp_path / "told.jsonl"))
    assert (told.returncode, told.stdout) == (1, "")
    assert "told.jsonl:2: `supersedes` is 5" in told.stderr
    assert "\nhint: " in told.stderr
    assert run("memories", "--json").stdout == ""


BREAKS = """
import itertools
from pocketsleep.cli import main, out
count = itertools.count()
def flow(piece):
    if next(count) == {at}:
        raise {wrong}
    print(piece, end="")
out.flow = flow
{before}
main()
"""
SAYS_NOTHING = """
from pocketsleep.runtime.scripted import Scripted
def chat(self, messages, sampling=None):
    raise KeyboardInterrupt
Scripted.chat = chat
"""


@pytest.mark.parametrize(("at", "wrong", "before", "kept"), [
    (2, "KeyboardInterrupt", "", ["I hear you."]), (1, "BrokenPipeError", "", ["I hear"]), (0, "KeyboardInterrupt", SAYS_NOTHING, [])])
def test_an_answer_that_is_interrupted_leaves_what_was_said(tmp_path: Path, at: int, wrong: str, before: str, kept: list[str]) -> None:
    said = "My daughter Ida was born on 4 March."
    made = subprocess.run([sys.executable, "-c", BREAKS.format(at=at, wrong=wrong, before=before), "chat", "--dry", said],
                          capture_output=True, text=True)
    with Pocket(Home(tmp_path / "home")) as pocket:
        (episode,) = pocket.journal.episodes()
    assert [t.text for t in episode.turns] == [said, *kept]
    assert "Traceback" not in made.stderr
    if wrong == "KeyboardInterrupt":
        assert made.returncode == 130
        assert f"`pocketsleep chat --conversation {episode.id}` goes on" in made.stderr


def test_told_asked_for_and_forgotten() -> None:
    told = run("remember", "My dog is called Biscuit.", "--json")
    memory = lines(told.stdout)[0]
    assert [m["text"] for m in lines(run("memories", "--json").stdout)] == ["The user's dog is called Biscuit."]
    gone = json.loads(run("forget", str(memory["id"]), "--json").stdout)
    assert gone["memories"] == [memory["id"]]
    assert run("memories", "--json").stdout == ""
    assert json.loads(run("verify", "--json").stdout)["ok"] is True


def test_shares_are_told_in_per_cent_and_nats_are_not() -> None:
    from pocketsleep.cli.sleeping import _score

    assert [_score("kept", 0.875), _score("nats", 2.1764), _score("kept", None)] == ["88%", "2.176", "-"]
