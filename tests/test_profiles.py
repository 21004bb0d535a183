"Profiles: apart in journal, adapters and token; the default one where it always was."

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketsleep import home
from pocketsleep.cli import app
from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.pocket import Pocket


def say(*words: str) -> str:
    "stdout of a command in this process; the profile it chooses is its own."
    os.environ[home.PROFILE] = ""
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def texts(*words: str) -> list[str]:
    return [json.loads(line)["text"] for line in say("memories", *words, "--json").splitlines()]


def test_what_one_is_told_the_others_do_not_know() -> None:
    say("remember", "My dog is called Biscuit.")
    say("remember", "My dog is called Rex.", "--profile", "work")
    say("--profile", "ada", "remember", "My dog is called Ink.")
    assert texts() == texts("--profile", "default") == ["The user's dog is called Biscuit."]
    assert texts("--profile", "work") == ["The user's dog is called Rex."]
    assert texts("--profile", "ada") == ["The user's dog is called Ink."]
    say("exclude", "add", "--pattern", "rex", "--profile", "ada")
    assert texts("--profile", "work")
    listed = [json.loads(line) for line in say("profiles", "--json", "--profile", "work").splitlines()]
    assert [(one["name"], one["begun"], one["chosen"]) for one in listed] == [
        ("default", True, False), ("ada", True, False), ("work", True, True)]


def test_nothing_but_the_cache_is_shared(tmp_path: Path) -> None:
    whole, work = Home(tmp_path / "home"), Home(tmp_path / "home").of("work")
    own = [name for name, kind in vars(Home).items() if isinstance(kind, property) and name not in ("cache", "profile")]
    assert len(own) >= 5
    for name in own:
        assert getattr(work, name).is_relative_to(tmp_path / "home" / "profiles" / "work")
        assert getattr(whole, name).parent == tmp_path / "home"
    assert work.cache == whole.cache
    with Pocket(whole) as one, Pocket(work) as other:
        assert one.token() != other.token()
    assert work.root.stat().st_mode & 0o077 == 0 or os.name != "posix"


def test_the_default_stays_where_it_was(tmp_path: Path) -> None:
    named = {"POCKETSLEEP_HOME": str(tmp_path)}
    assert home.find(named).root == home.find({**named, "POCKETSLEEP_PROFILE": "default"}).root == tmp_path
    assert home.find({**named, "POCKETSLEEP_PROFILE": "work"}).root == tmp_path / "profiles" / "work"
    if sys.platform.startswith("linux"):
        assert home.find({"XDG_DATA_HOME": "/d"}).root == Path("/d/pocketsleep")


@pytest.mark.parametrize(("platform", "variable", "rest"), [("linux", "XDG_DATA_HOME", ".local/share"), ("win32", "LOCALAPPDATA", "AppData/Local")])
def test_a_folder_for_data_that_is_no_folder_counts_as_unset(platform: str, variable: str, rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", "/home/ada")
    usual = Path("/home/ada") / rest / "pocketsleep"
    assert {home.find({variable: value}).root for value in ("", "data", "./data", "~/data")} == {home.find({}).root} == {usual}


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.getuid() != 0, reason="takes another user's id")
def test_without_a_folder_of_ones_own_only_the_usual_place_is_an_error() -> None:
    "As in a container: no HOME, and a user id that the system has no name for."
    bare = {name: value for name, value in os.environ.items() if name not in ("HOME", home.VARIABLE)}
    where = "import sys, os; from pocketsleep import home; os.setuid(54321); print(home.find().root)"
    tell = "import sys, os; from pocketsleep.cli import main; os.setuid(54321); sys.argv[1:] = ['memories']; main()"

    def run(code: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare | more)

    assert run(where, XDG_DATA_HOME="/data").stdout == "/data/pocketsleep\n"
    for named in ({}, {"POCKETSLEEP_HOME": "~/pocket"}):
        told = run(tell, **named)
        assert told.returncode == 1
        assert told.stderr.startswith("error: no folder of your own is known here"), told.stderr
        assert "\nhint: name one: `POCKETSLEEP_HOME=" in told.stderr


@pytest.mark.parametrize("name", ["", ".", "..", "../work", "a/b", "Work", "wörk", "-work", "work-", "a b", "x" * 33, "con", "lpt1", "a\\b", "a\0"])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    with pytest.raises(BadInput) as told:
        home.checked(name)
    assert "--profile" in told.value.hint


@pytest.mark.parametrize(("words", "variable"), [(["memories", "--profile", "../up"], ""), (["memories"], "../up")])
def test_a_bad_name_is_an_error_with_a_hint(words: list[str], variable: str, tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, "-c", "from pocketsleep.cli import main; main()", *words], capture_output=True, text=True,
                          env={**os.environ, "POCKETSLEEP_PROFILE": variable})
    assert made.returncode == 1
    assert made.stderr.startswith("error: a profile cannot be called `../up`\nhint: ")
    assert not (tmp_path / "home").exists()
