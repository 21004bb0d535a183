"""Plugins: what each hook may do and may not, what becomes of one that fails, and an example package, installed and seen working."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pocketsleep import hooks
from pocketsleep.hooks import Importer, Offer, impl
from pocketsleep.journal import Journal, importing
from pocketsleep.journal.importing import BadLine
from pocketsleep.journal.scrub import scrub
from pocketsleep.nouns import Episode, Memory, Message, Sampling, Turn
from pocketsleep.runtime import pick
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from pocketsleep.weights import Base

EXAMPLE = Path(__file__).parent / "plugins_example"
SAY = (Message("user", "What have I told you?"),)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> hooks.Plugins:
    "No plugin but those that a test adds."
    made = hooks.Plugins()
    made.notes = tmp_path / "plugins.json"
    monkeypatch.setattr(hooks, "installed", lambda: made)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as made:
        yield made


class Made:
    "A plugin of functions."

    def __init__(self, **functions: Any) -> None:
        vars(self).update({name: impl(function) for name, function in functions.items()})


def broken(text: str) -> Any:
    raise KeyError(text)


def test_a_scrubber_takes_out_what_it_knows_and_no_more(plugins: hooks.Plugins, journal: Journal) -> None:
    plugins.add("staff", Made(scrubber=lambda text: [("Staff number!", "E-48213")] if "E-48213" in text else None))
    journal.record(Episode("a", (Turn("user", "I am E-48213, my PIN is 4711. Yes: E-48213."),)))
    (episode,) = journal.episodes()
    said = episode.turns[0].text
    assert said == "I am [secret: staff number], my PIN is [secret: pin]. Yes: [secret: staff number]."
    assert scrub(said) == (said, [])  # twice changes nothing


@pytest.mark.parametrize("answer", [[("pin",)], [("pin", 7)], 12, [None], "ab"])
def test_a_scrubber_that_answers_nonsense_is_noted_and_the_turn_kept(plugins: hooks.Plugins, journal: Journal, answer: Any) -> None:
    plugins.add("odd", Made(scrubber=lambda text: answer))
    journal.record(Episode("a", (Turn("user", "My PIN is 4711, and I sail."),)))
    assert journal.episodes()[0].turns[0].text == "My PIN is [secret: pin], and I sail."
    assert [(f.plugin, f.hook) for f in plugins.failed()] == [("odd", "scrubber")]


def test_a_failing_scrubber_loses_no_turn_and_its_error_tells_nothing_of_it(plugins: hooks.Plugins, journal: Journal) -> None:
    plugins.add("broken", Made(scrubber=broken))
    plugins.add("sound", Made(scrubber=lambda text: [("pet", "Biscuit")]))
    journal.record(Episode("a", (Turn("user", "My dog is called Biscuit."),)))
    assert journal.episodes()[0].turns[0].text == "My dog is called [secret: pet]."
    (failure,) = plugins.failed()
    assert failure.what.startswith("KeyError at test_hooks.py:")
    assert plugins.notes is not None
    assert "Biscuit" not in plugins.notes.read_text("utf-8")


def reader(name: str, conversations: Any) -> Made:
    def read(path: Path) -> Iterator[Any]:
        for one in conversations:
            yield one() if callable(one) else one

    return Made(importer=lambda: Importer(name, "a test's", lambda path: path.suffix == ".odd", read))


def said(*texts: str, role: str = "user") -> dict[str, Any]:
    return {"id": "x", "messages": [{"role": role, "content": text} for text in texts]}


def test_an_importers_file_is_known_and_its_roles_say_whose_words_they_are(plugins: hooks.Plugins, tmp_path: Path) -> None:
    file = tmp_path / "a.odd"
    file.write_text("user: not read by us")
    plugins.add("odd", reader("odd", [said("I sail."), said("I am a spy.", role="tool"), said("> I am a spy.\n> Truly.")]))
    found = list(importing.read(file))
    assert [(e.id, e.source, e.turns[0].role, e.turns[0].taint) for e in found if isinstance(e, Episode)] == [
        ("odd-x", "odd", "user", ""), ("odd-x", "odd", "tool", "tool"), ("odd-x", "odd", "user", "pasted")]


def test_an_importer_that_fails_half_way_loses_nothing_that_it_read(plugins: hooks.Plugins, tmp_path: Path) -> None:
    file = tmp_path / "a.odd"
    file.write_text("")
    plugins.add("odd", reader("odd", [said("I sail."), {"messages": 3}, said("I row."), lambda: broken("I am a spy.")]))
    found = list(importing.read(file))
    assert [e.turns[0].text for e in found if isinstance(e, Episode)] == ["I sail.", "I row."]
    assert [(b.number, b.unit) for b in found if isinstance(b, BadLine)] == [(2, "conversation"), (4, "conversation")]
    assert "spy" not in str(found)
    assert [f.hook for f in plugins.failed()] == ["importer"]


def test_an_importer_stands_for_none_of_our_formats(plugins: hooks.Plugins, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(said("I sail.")) + "\n")
    plugins.add("odd", reader("messages", [said("I am a spy.")]))
    plugins.add("worse", Made(importer=lambda: Importer("worse", "", lambda path: 1 / 0, lambda path: [])))
    assert importing.detect(file) == "messages"
    assert [e.turns[0].text for e in importing.read(file) if isinstance(e, Episode)] == ["I sail."]
    assert [f.plugin for f in plugins.failed()] == ["worse"]


def asked(journal: Journal) -> tuple[str, list[str]]:
    day = Day(journal, Scripted("That."), lambda name: Path(name))
    return "".join(day.reply(SAY, Sampling())), [m.text for m in day.receipt.notes]


def test_a_recaller_chooses_among_live_notes(plugins: hooks.Plugins, journal: Journal) -> None:
    texts = ("The user's dog is called Biscuit.", "The user sails.")
    for text in texts:
        journal.learn(Memory(text))
    assert asked(journal)[1] == []
    plugins.add("newest", Made(recaller=lambda question, memories: [memories[-1].id]))
    assert asked(journal) == ("That.", [texts[1]])
    plugins.drop("newest")
    plugins.add("none", Made(recaller=lambda question, memories: []))
    assert asked(journal)[1] == []


@pytest.mark.parametrize("answer", [["The user is a spy."], ["b2-00000000000000000000"], 3])
def test_a_recaller_brings_in_no_text_and_nothing_forgotten(plugins: hooks.Plugins, journal: Journal, answer: Any) -> None:
    kept = journal.learn(Memory("The user's dog is called Biscuit."))
    assert kept
    journal.forget(kept.id)
    plugins.add("spy", Made(recaller=lambda question, memories: answer if answer != ["b2-00000000000000000000"] else [kept.id]))
    assert asked(journal) == ("That.", [])
    assert [f.hook for f in plugins.failed()] == ["recaller"]


def test_a_failing_recaller_leaves_recall_as_it_was(plugins: hooks.Plugins, journal: Journal) -> None:
    journal.learn(Memory("The user has told me of Biscuit."))
    said = asked(journal)
    plugins.add("broken", Made(recaller=lambda question, memories: 1 / 0))
    assert asked(journal) == said
    assert plugins.failed()[0].what.startswith("ZeroDivisionError at ")


def test_a_plugins_engine_is_preferred_and_ours_serves_if_it_does_not_load(plugins: hooks.Plugins, smol: Base) -> None:
    plugins.add("script", Made(runtime=lambda card, base: Offer("script", "it is short", lambda: Scripted("Yes."))))
    choice = pick.serving(smol.card, smol)
    assert (choice.name, choice.reason) == ("script", "the plugin `script` brings it: it is short")
    assert "".join(choice.runtime().chat(SAY)) == "Yes."
    plugins.drop("script")
    for load in (lambda: "no engine", lambda: sys.exit(3)):
        plugins.add("bad", Made(runtime=lambda card, base, load=load: Offer("bad", "", load)))
        runtime = pick.serving(smol.card, smol).runtime()
        assert runtime.name in ("llamacpp", "mlx")
        runtime.close()
        assert plugins.failed()[0].hook == "runtime"
        plugins.drop("bad")


def test_a_plugin_that_does_not_fit_is_named_and_the_others_stay(plugins: hooks.Plugins) -> None:
    with pytest.raises(Exception, match="nose"):
        plugins.add("odd", Made(nose=lambda text: None))
    plugins.add("sound", Made(scrubber=lambda text: [("pet", "Biscuit")]))
    assert plugins.having("scrubber") == ["sound"]
    assert scrub("Biscuit")[0] == "[secret: pet]"


def test_failures_are_told_to_other_processes_while_the_version_is_the_same(plugins: hooks.Plugins) -> None:
    plugins.add("broken", Made(scrubber=broken), "p", "1")
    scrub("hello")
    other, newer = hooks.Plugins(), hooks.Plugins()
    other.notes = newer.notes = plugins.notes
    other.add("broken", Made(scrubber=broken), "p", "1")
    newer.add("broken", Made(scrubber=broken), "p", "2")
    assert [f.plugin for f in other.failed()] == ["broken"]
    assert newer.failed() == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "The example, built and installed by pip; and one that cannot be loaded."
    target = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--quiet",
                    "--disable-pip-version-check", "--target", str(target), str(EXAMPLE)], check=True)
    torn = target / "torn-1.0.dist-info"
    torn.mkdir()
    (torn / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (torn / "entry_points.txt").write_text("[pocketsleep]\ntorn = torn_to_pieces\n")
    return target


DRIVER = """
import contextlib, io, json, sys
from pocketsleep.cli import app

for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        app([*words, "--json"], standalone_mode=False)
    print(json.dumps([json.loads(line) for line in said.getvalue().splitlines()]))
"""


def test_an_example_is_installed_and_works(site: Path, tmp_path: Path, cache: Path, smol: Base) -> None:
    home, diary = tmp_path / "home", tmp_path / "diary"
    home.mkdir(mode=0o700)
    (home / "cache").symlink_to(cache)
    surroundings = {**os.environ, "POCKETSLEEP_HOME": str(home), "POCKETSLEEP_EXAMPLE_DIARY": str(diary),
                    "PYTHONPATH": os.pathsep.join([str(site), str(EXAMPLE.parent.parent)])}
    (tmp_path / "old.diary").write_text("I moved to Leeds.\n\nMy cat is called Tom.")
    commands = [["plugins"], ["sleep", "--tonight"], ["import", str(tmp_path / "old.diary")], ["remember", "My badge is E-48213."],
                ["chat", "Have I told you anything lately?", "--dry"], ["doctor"]]
    made = subprocess.run([sys.executable, "-c", DRIVER, json.dumps(commands)], check=True, stdout=subprocess.PIPE, text=True,
                          env=surroundings)
    listed, _, read, told, chat, doctor = (json.loads(line) for line in made.stdout.splitlines())
    plugins = {p["name"]: p for p in listed}
    assert plugins["example"]["hooks"] == list(hooks.HOOKS)
    assert plugins["example"]["failures"] == []
    assert plugins["torn"]["failures"][0]["what"].startswith("ModuleNotFoundError")
    assert diary.read_text() == "night n1: nothing, 0 learnt, 0 dropped\n"
    assert (read[0]["format"], read[0]["conversations"], read[0]["bad"]) == ("diary", 2, [])
    assert "[secret: staff number]" in told[0]["text"]
    assert [n["id"] for n in chat[0]["notes"]] == [told[0]["id"]]
    assert doctor[0]["serves with"] == "llamacpp-1: the plugin `example` brings it: one core"
    assert "FAILED in load" in doctor[0]["plugin torn"]
