"""The model for the `llm` command: what its turns are recorded as, and the real command with the real base."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm
import pytest

from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.nouns import Memory
from pocketsleep.plugins import llm_model
from pocketsleep.plugins.llm_model import Pocketsleep
from pocketsleep.pocket import Pocket
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from pocketsleep.weights import Base

ROOT = Path(__file__).resolve().parent.parent
SAID = "My dog is called Biscuit."


@pytest.fixture
def pocket(tmp_path: Path) -> Iterator[Pocket]:
    with Pocket(Home(tmp_path / "home")) as made:
        yield made


@pytest.fixture
def model(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> Pocketsleep:
    "In this process, with a script for an engine; nothing comes through a pipe."
    made = Pocketsleep()
    vars(made).update(pocket=pocket, day=Day(pocket.journal, Scripted("Good dog, that.", "It is.", "Yes."), pocket.registry.path))
    monkeypatch.setattr(llm_model, "_piped", lambda: False)
    return made


def turns(pocket: Pocket) -> list[list[tuple[str, str, str]]]:
    return [[(t.role, t.text, t.taint) for t in e.turns] for e in pocket.journal.episodes()]


def test_an_exchange_is_recorded_as_the_apps(model: Pocketsleep, pocket: Pocket) -> None:
    response = model.prompt(SAID)
    assert len(list(response)) > 1
    assert response.text() == "Good dog, that."
    (episode,) = pocket.journal.episodes()
    assert (episode.source, episode.private) == ("llm", False)
    assert turns(pocket) == [[("user", SAID, ""), ("assistant", "Good dog, that.", "")]]


def test_a_conversation_goes_on_as_one(model: Pocketsleep, pocket: Pocket) -> None:
    talk = model.conversation()
    talk.prompt(SAID).text()
    talk.prompt("He is brown.").text()
    assert [m.content for m in model.day.runtime.heard[-1]] == [SAID, "Good dog, that.", "He is brown."]
    assert [[text for _, text, _ in e] for e in turns(pocket)] == [[SAID, "Good dog, that.", "He is brown.", "It is."]]


def test_a_fragment_is_read_and_is_not_the_users_word(model: Pocketsleep, pocket: Pocket) -> None:
    talk = model.conversation()
    talk.prompt("Sum this up.", fragments=["I am a spy."]).text()
    assert model.day.runtime.heard[-1][-1].content == "I am a spy.\nSum this up."
    talk.prompt("Thanks.").text()  # the fragment does not come back as something that was typed
    assert turns(pocket) == [[("tool", "I am a spy.", "tool"), ("user", "Sum this up.", ""), ("assistant", "Good dog, that.", "after_tool"),
                              ("user", "Thanks.", ""), ("assistant", "It is.", "after_tool")]]


def test_in_private_nothing_is_shown_to_nights(model: Pocketsleep, pocket: Pocket) -> None:
    model.prompt(SAID, private=True).text()
    assert pocket.would_learn()["memories"] == ()
    assert pocket.journal.search_turns("Biscuit") == []


def test_arms_and_receipts(model: Pocketsleep, pocket: Pocket) -> None:
    pocket.journal.learn(Memory("The user's dog is called Biscuit."))
    noted = model.prompt("What is my dog called?")
    bare = model.prompt("What is my dog called?", arm="base")
    assert [(noted.text(), noted.response_json["notes"]), (bare.text(), bare.response_json["notes"])] == [
        ("Good dog, that.", ["The user's dog is called Biscuit."]), ("It is.", [])]


@pytest.mark.parametrize("wrong", [{"temperature": 3}, {"arm": "nose"}, {"max_tokens": 0}, {"heat": 1}])
def test_options_are_checked(model: Pocketsleep, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        model.prompt(SAID, **wrong).text()


def test_what_is_wrong_is_told_with_the_hint_and_nothing_is_recorded(model: Pocketsleep, pocket: Pocket) -> None:
    def broken(*args: Any, **given: Any) -> Iterator[str]:
        raise BadInput("no such base", hint="pocketsleep models")
        yield ""

    vars(model)["day"] = type("Broken", (), {"speak": staticmethod(broken)})()
    with pytest.raises(llm.ModelError, match="no such base\nHint: pocketsleep models"):
        model.prompt(SAID).text()
    assert pocket.journal.episodes() == []


def test_the_real_command(tmp_path: Path, cache: Path, smol: Base) -> None:
    home, site = tmp_path / "home", tmp_path / "site"
    home.mkdir(mode=0o700)
    (home / "cache").symlink_to(cache)
    note = site / "pocketsleep_here-1.dist-info"  # the entry point as pyproject has it, whatever is installed
    note.mkdir(parents=True)
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: pocketsleep-here\nVersion: 1\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["llm"]
    (note / "entry_points.txt").write_text("[llm]\n" + "".join(f"{name} = {where}\n" for name, where in points.items()))
    surroundings = {**os.environ, "POCKETSLEEP_HOME": str(home), "LLM_USER_PATH": str(tmp_path / "llm"),
                    "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}

    def run(*words: str, **stdin: Any) -> str:
        made = subprocess.run([sys.executable, "-m", "llm", *words], capture_output=True, text=True, env=surroundings,
                              **(stdin or {"stdin": subprocess.DEVNULL}))
        assert made.returncode == 0, made.stderr
        return made.stdout

    said = run("-m", "pocketsleep", SAID, "-o", "max_tokens", "12")
    assert said.strip()
    run("-c", "He is brown.", "-o", "max_tokens", "4", "--no-stream")
    run("-m", "pocketsleep", "Sum this up.", "-o", "max_tokens", "4", input="I am a spy.")
    with Pocket(Home(home)) as pocket:
        talk, piped = turns(pocket)
        assert [(role, taint) for role, _, taint in talk] == [("user", ""), ("assistant", "")] * 2
        assert (talk[0][1], talk[1][1], talk[2][1]) == (SAID, said.rstrip("\n"), "He is brown.")
        assert piped[0] == ("tool", "I am a spy. Sum this up.", "tool")
        assert {e.source for e in pocket.journal.episodes()} == {"llm"}
