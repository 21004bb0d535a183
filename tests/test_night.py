"""A whole night over a tiny base: killed at every boundary, and inside training, it ends in the same adapter."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketsleep import night as nights
from pocketsleep.cli import care
from pocketsleep.errors import BadInput, Busy, NightInterrupted, NotFound, PocketError
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.journal.reports import night_report
from pocketsleep.night import rules
from pocketsleep.night.tidy import tidy
from pocketsleep.nouns import Adapter, Dream, Episode, Night, Turn, Verdict
from pocketsleep.pocket import Pocket, Wishes
from tests import short

STAGES = ("gather", "extract", "dream", "seed", "examine")
SMALL = Wishes(seed=3, changes={"epochs": 2, "anchors": 6, "passages": 2, "declines": 6, "per_memory": 8, "rank": 4, "enough": 1.1})
SAID = ("My dog Biscuit ate a sock.", "I live in Stromness.", "I'm allergic to kiwi fruit.")


class Silent:
    def stage(self, name: str, detail: str = "") -> None: ...
    def progress(self, done: int, total: int, detail: str = "") -> None: ...


class Killed(BaseException):
    "Stands for SIGKILL: nothing in the package catches it."


def home(folder: Path, base: Path) -> Pocket:
    pocket = Pocket(Home(folder), str(base))
    for i, text in enumerate(SAID):
        pocket.journal.record(Episode(f"e{i}", (Turn("user", text), Turn("assistant", "I see.")), source="chat"))
    return pocket


@pytest.fixture(scope="module", autouse=True)
def _short_exam() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        short.exam(patch)
        yield


@pytest.fixture(scope="module")
def undisturbed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with home(tmp_path_factory.mktemp("calm") / "home", tiny) as pocket:
        night, verdict = pocket.sleep(SMALL, Silent())
        return {"adapter": night.adapter, "outcome": verdict.outcome, "scores": dict(verdict.scores), **_told(pocket, night),
                "memories": [m.text for m in pocket.journal.memories()]}


def _told(pocket: Pocket, night: Night) -> dict[str, Any]:
    report = night_report(pocket.journal, night)
    return {part: report[part] for part in ("learnt", "dropped")}


def test_the_night_hears_what_was_said(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["adapter"]
    assert any("Biscuit" in text for text in undisturbed["memories"])
    assert any("Stromness" in text for text in undisturbed["memories"])


def _same(pocket: Pocket, undisturbed: dict[str, Any]) -> None:
    night, verdict = pocket.sleep(SMALL, Silent())
    assert night.id == "n1", "a second night was begun instead of the first being ended"
    assert (night.adapter, verdict.outcome) == (undisturbed["adapter"], undisturbed["outcome"])
    assert dict(verdict.scores) == undisturbed["scores"]
    assert [m.text for m in pocket.journal.memories()] == undisturbed["memories"]
    assert _told(pocket, night) == {part: undisturbed[part] for part in ("learnt", "dropped")}
    assert not pocket.journal.unslept()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_a_boundary(stage: str, when: str, tiny: Path, tmp_path: Path, undisturbed: dict[str, Any],
                              monkeypatch: pytest.MonkeyPatch) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        finish = Journal.finish

        def dying(self: Journal, night: str, name: str, payload: Any) -> Any:
            if name == stage and when == "before":
                raise Killed
            made = finish(self, night, name, payload)
            if name == stage:
                raise Killed
            return made

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "finish", dying)
            with pytest.raises(Killed):
                pocket.sleep(SMALL, Silent())
        assert pocket.journal.current() == ""
    with Pocket(Home(tmp_path / "home"), str(tiny)) as again:
        _same(again, undisturbed)


@pytest.mark.parametrize("step", [1, 5])
def test_killed_inside_training(step: int, tiny: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    class Dying(Silent):
        def progress(self, done: int, total: int, detail: str = "") -> None:
            if done == step:
                raise Killed

    with home(tmp_path / "home", tiny) as pocket, pytest.raises(Killed):
        pocket.sleep(SMALL, Dying())
    with Pocket(Home(tmp_path / "home"), str(tiny)) as again:
        _same(again, undisturbed)


@pytest.mark.parametrize("left", ["zeros", "half", "nothing"])
def test_a_checkpoint_that_is_not_whole_is_not_gone_on_with(left: str, tiny: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    "As a power cut may leave it: the night must not fail over it again and again."
    class Dying(Silent):
        def progress(self, done: int, total: int, detail: str = "") -> None:
            if done == total // 2 + 1:
                raise Killed

    with home(tmp_path / "home", tiny) as pocket:
        with pytest.raises(Killed):
            pocket.sleep(SMALL, Dying())
        (kept,) = pocket.home.work.rglob("train.safetensors")
        whole = kept.read_bytes()
        kept.write_bytes({"zeros": bytes(len(whole)), "half": whole[: len(whole) // 2], "nothing": b""}[left])
        _same(pocket, undisturbed)


def test_killed_while_settling(tiny: Path, tmp_path: Path, undisturbed: dict[str, Any],
                               monkeypatch: pytest.MonkeyPatch) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        def dying(*args: Any) -> Any:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "settle", dying)
            with pytest.raises(Killed):
                pocket.sleep(SMALL, Silent())
    with Pocket(Home(tmp_path / "home"), str(tiny)) as again:
        _same(again, undisturbed)


def test_a_refused_night_changes_nothing_and_says_why(undisturbed: dict[str, Any], tiny: Path, tmp_path: Path) -> None:
    "A random base cannot learn to answer in two passes."
    with home(tmp_path / "home", tiny) as pocket:
        night, verdict = pocket.sleep(SMALL, Silent())
        assert verdict.outcome == "refused"
        assert "learnt" in verdict.failed
        assert all(reason for reason in verdict.reasons)
        assert pocket.journal.current() == ""
        with pytest.raises(NotFound):
            pocket.use(night.id)


def test_an_empty_day(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        _, verdict = pocket.sleep(SMALL, Silent())
        assert verdict.outcome == "nothing"
        assert verdict.reasons[0].startswith("nothing learnt tonight, because")


def test_two_nights_at_once(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket, pocket.alone():
        other = Pocket(Home(tmp_path / "home"), str(tiny))
        with other, pytest.raises(Busy):
            other.sleep(SMALL, Silent())


def test_private_talk_never_reaches_the_night(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        pocket.journal.record(Episode("p", (Turn("user", "My dog Biscuit ate a sock.", private=True),), private=True))
        _, verdict = pocket.sleep(SMALL, Silent())
        assert verdict.outcome == "nothing"
        assert not pocket.journal.memories()


def test_forgetting_between_a_kill_and_the_resume(tiny: Path, tmp_path: Path) -> None:
    class Dying(Silent):
        def progress(self, done: int, total: int, detail: str = "") -> None:
            raise Killed

    with home(tmp_path / "home", tiny) as pocket, pytest.raises(Killed):
        pocket.sleep(SMALL, Dying())
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        dog = next(m for m in pocket.journal.memories() if "Biscuit" in m.text)
        pocket.forget(dog.id)
        night, _ = pocket.sleep(SMALL, Silent())
        assert dog.id not in pocket.journal.holds(night.adapter)
        for file in (tmp_path / "home").rglob("*"):
            if file.is_file():
                assert b"Biscuit" not in file.read_bytes(), f"{file} still holds what was forgotten"


class DyingInTraining(Silent):
    def progress(self, done: int, total: int, detail: str = "") -> None:
        raise Killed


def test_a_memory_replaced_between_a_kill_and_the_resume(tiny: Path, tmp_path: Path) -> None:
    "The night begins again by itself: what it had read no longer holds."
    with home(tmp_path / "home", tiny) as pocket, pytest.raises(Killed):
        pocket.sleep(SMALL, DyingInTraining())
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        old = next(m for m in pocket.journal.memories() if "Stromness" in m.text)
        new = pocket.remember("I live in Lerwick.", supersedes=old.text)
        night, _ = pocket.sleep(SMALL, Silent())
        assert night.id == "n1"
        held = pocket.journal.holds(night.adapter)
        assert new is not None
        assert new.id in held
        assert old.id not in held


def test_a_night_cut_short_goes_on_as_it_was_begun(tiny: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    "Seed and recipe are the night's; another base is refused unless the night is begun again."
    with home(tmp_path / "home", tiny) as pocket, pytest.raises(Killed):
        pocket.sleep(SMALL, DyingInTraining())
    with Pocket(Home(tmp_path / "home")) as other, pytest.raises(BadInput) as refused:
        other.sleep(SMALL, Silent())
    assert "--fresh" in refused.value.hint
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        night, _ = pocket.sleep(Wishes(seed=99), Silent())
        assert (night.id, night.adapter) == ("n1", undisturbed["adapter"])


def test_a_night_cut_short_may_begin_again(tiny: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        with pytest.raises(Killed):
            pocket.sleep(replace(SMALL, seed=8), DyingInTraining())
        night, _ = pocket.sleep(replace(SMALL, fresh=True), Silent())
        assert (night.id, night.seed, night.adapter) == ("n1", SMALL.seed, undisturbed["adapter"])


def test_stage_order_is_the_six_lines() -> None:
    import inspect

    text = inspect.getsource(nights.sleep)
    places = [text.index(f'"{name}"') for name in STAGES]
    assert places == sorted(places)




def test_what_is_said_while_the_night_gathers_waits_for_the_next(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = nights.gathering.gather

    def and_then(journal: Journal) -> object:
        found = gather(journal)
        journal.record(Episode("late", (Turn("user", "My cat is called Gus."), Turn("assistant", "Oh.")), source="chat"))
        return found

    monkeypatch.setattr(nights.gathering, "gather", and_then)
    with home(tmp_path / "home", tiny) as pocket:
        pocket.sleep(SMALL, Silent())
        assert {c.episode for c in pocket.journal.unslept()} == {"late"}


def worn(pocket: Pocket, base: str = "", sha256: str = "") -> Adapter:
    "An adapter that holds every memory, as if a night had passed with it."
    b, key = pocket.base, "model.layers.0.mlp.up_proj"
    out, width = b.shapes[f"{key}.weight"]
    made = pocket.registry.publish(
        {f"{key}.lora_a": np.ones((width, 1), np.float32), f"{key}.lora_b": np.zeros((1, out), np.float32)},
        base=base or pocket.card.name, base_sha256=sha256 or b.sha256, rank=1, scale=1.0, keys=("mlp.up_proj",), layers=(0,),
        memories=[m.id for m in pocket.journal.memories()])
    night = pocket.journal.begin(Night("", "2026-01-01", 0, made.base, {}))
    pocket.journal.settle(night.id, Verdict("worn"), made, pocket.journal.unslept())
    return made


@pytest.mark.parametrize("wrong", ["nothing", "damaged", "another base's"])
def test_an_adapter_that_cannot_be_worn_here_is_made_anew(tiny: Path, tmp_path: Path, wrong: str) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        pocket.remember("My cat is called Gus.")
        made = worn(pocket, sha256="0" * 64 if wrong == "another base's" else "")
        if wrong == "damaged":
            file = pocket.registry.path(made.id) / "adapters.safetensors"
            file.write_bytes(file.read_bytes()[:-1])
        night, verdict = pocket.sleep(SMALL, Silent())
        assert (verdict.outcome == "nothing") == (wrong == "nothing")
        assert bool(night.adapter) == (wrong != "nothing")


def test_the_base_is_that_of_what_is_worn(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        made = worn(pocket, "gemma3-270m", "0" * 64)
    for name, base in ((made.id, "gemma3-270m"), ("", "smollm2-135m")):
        with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
            pocket.journal.use(name)
        with Pocket(Home(tmp_path / "home")) as pocket:
            assert pocket.card.name == base


@pytest.mark.parametrize("left", [(), ("config.json",)])
def test_a_home_whose_base_is_gone_opens_and_forgets(left: tuple[str, ...], tiny: Path, tmp_path: Path) -> None:
    "Moved away, or the home was copied to another machine: the journal needs no base."
    base = tmp_path / "base"
    shutil.copytree(tiny, base)
    with home(tmp_path / "home", base) as pocket:
        cat = pocket.remember("My cat is called Gus.")
        assert cat is not None
        worn(pocket)
        pocket.journal.set_setting("base", str(base))
    shutil.rmtree(base)
    if left:
        base.mkdir()
    for name in left:
        shutil.copy(tiny / name, base)
    with Pocket(Home(tmp_path / "home")) as pocket:
        assert pocket.card.name == str(base)
        for asks in (pocket.serving, lambda: pocket.sleep(SMALL, Silent())):
            with pytest.raises(PocketError, match=str(base)):
                asks()
        assert pocket.journal.open_night() is None
        pocket.forget(cat.id)
        assert (pocket.journal.current(), pocket.journal.memories()) == ("", [])
    with pytest.raises(PocketError, match=str(base)):
        Pocket(Home(tmp_path / "home"), str(base))


def test_what_a_forget_that_was_cut_short_left_is_told_and_goes_with_the_next_night(
        tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed() -> None:
        raise Killed

    with home(tmp_path / "home", tiny) as pocket:
        cat = pocket.remember("My cat is called Gus.")
        assert cat is not None
        made = worn(pocket)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(pocket.registry, "list", killed)
            pocket.forget(cat.id)
        assert pocket.journal.memories() == []
        assert [made.id in line for line in care.unforgotten(pocket)] == [True]
        pocket.sleep(SMALL, Silent())
        assert care.unforgotten(pocket) == []
        assert made.id not in {a.id for a in pocket.registry.list()}


def test_a_deletion_that_was_cut_short_is_told_and_ended_by_the_next_night(
        tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise Killed

    with home(tmp_path / "home", tiny) as pocket:
        cat = pocket.remember("My cat is called Gus.")
        assert cat is not None
        made, adapters = worn(pocket), pocket.home.adapters
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr("pocketsleep.registry.shutil.rmtree", killed)
            pocket.forget(cat.id)
        assert [made.id in line for line in care.unforgotten(pocket)] == [True]
        (adapters / f".{made.id}.old.draft").mkdir()
        os.utime(adapters / f".{made.id}.old.draft", (1, 1))
        (adapters / f".{made.id}.now.draft").mkdir()
        pocket.sleep(SMALL, Silent())
        assert care.unforgotten(pocket) == []
        assert [path.name for path in adapters.glob(".*")] == [f".{made.id}.now.draft"], "what another process may be writing stays"


def test_forgetting_takes_an_adapter_that_does_not_say_any_more_what_it_holds(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        pocket.remember("I live in Stromness.")
        sound = worn(pocket)
        cat = pocket.remember("My cat is called Gus.")
        assert cat is not None
        made = worn(pocket)
        record = pocket.registry.path(made.id) / "pocketsleep.json"
        record.write_bytes(record.read_bytes()[:-1])
        pocket.forget(cat.id)
        assert [path.name for path in pocket.home.adapters.iterdir()] == [sound.id] == [pocket.journal.current()]
        (pocket.registry.path(sound.id) / "pocketsleep.json").unlink()
        tidy(pocket.journal, pocket.registry, pocket.home.work / "n2")
        assert list(pocket.home.adapters.iterdir()) == []


def test_what_is_worn_and_was_deleted_by_hand_is_told(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        pocket.remember("My cat is called Gus.")
        made = worn(pocket)
        assert care.unworn(pocket) == []
        shutil.rmtree(pocket.registry.path(made.id))
        assert [made.id in line for line in care.unworn(pocket)] == [True]
        with pytest.raises(NotFound) as gone:
            pocket.dress(made.id)
        assert "pocketsleep undo" in gone.value.hint
        assert pocket.undo() == ""
        assert care.unworn(pocket) == []


def test_forgetting_an_old_value_takes_what_was_taught_in_contrast_to_it(
        tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "The adapter of the second night holds the new value alone, and was asked of the old one."
    monkeypatch.setattr(rules, "RULES", ())
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        old = pocket.remember("I live in Stromness.")
        assert old is not None
        pocket.sleep(SMALL, Silent())
        new = pocket.remember("I live in Kirkwall.", old.id)
        assert new is not None
        night, _ = pocket.sleep(SMALL, Silent())
        assert pocket.journal.holds(night.adapter) == [new.id]
        assert any("Stromness" in d.question for d in pocket.journal.dreams(night.id) if not d.held_out)
        newest = pocket.remember("I live in Lerwick.", new.id)
        assert newest is not None
        assert pocket.journal.heirs(old.id) == sorted([new.id, newest.id])
        pocket.forget(newest.id)
        assert pocket.journal.current() == night.adapter, "nothing that was worn has to do with it"
        pocket.forget(old.id)
        assert (pocket.journal.current(), pocket.registry.list()) == ("", [])
        pocket.remember("I live in Kirkwall.")
        night, _ = pocket.sleep(SMALL, Silent())
        assert pocket.journal.holds(pocket.journal.current()) == [new.id]
        assert not [d for d in pocket.journal.dreams(night.id) if "Stromness" in d.question + d.answer]


def test_a_night_lets_go_of_study_items_that_no_night_needs_any_more(tiny: Path, tmp_path: Path) -> None:
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        cat = pocket.remember("My cat is called Gus.")
        assert cat is not None
        for n in range(9):
            worn(pocket)
            pocket.journal.keep_dreams(f"n{n + 1}", [Dream("Who is Gus?", "My cat.", "reverse", (cat.id,))])
        assert pocket.sleep(SMALL, Silent())[1].outcome == "nothing"
        assert 2 <= len(pocket.journal.dreams()) < 9


def test_forgetting_goes_back_to_nothing_that_is_hidden(tiny: Path, tmp_path: Path) -> None:
    "The first night holds what was hidden since, the second does not: with that gone nothing may be worn."
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        cat, town = pocket.remember("My cat is called Gus."), pocket.remember("I live in Stromness.")
        assert cat is not None
        assert town is not None
        before = worn(pocket)
        pocket.exclude("pattern", "stromness")
        after = worn(pocket)
        pocket.forget(cat.id)
        assert pocket.journal.current() == ""
        assert not {before.id, after.id} & {a.id for a in pocket.registry.list()}
        goat = pocket.remember("My goat is called Ada.")
        assert goat is not None
        held = worn(pocket)
        pocket.include("pattern", "stromness")
        worn(pocket)
        pocket.exclude("pattern", "stromness")
        assert pocket.journal.current() == held.id
        dog = pocket.remember("My dog is called Biscuit.")
        assert dog is not None
        last = worn(pocket)
        pocket.forget(dog.id)
        assert last.id not in {a.id for a in pocket.registry.list()}
        assert pocket.journal.current() == held.id, "the newest that holds nothing hidden"


class Meanwhile(Silent):
    "Does something once, as a stage begins."

    def __init__(self, stage: str, then: Callable[[], object]) -> None:
        self.at, self.then = stage, then

    def stage(self, name: str, detail: str = "") -> None:
        if name == self.at:
            self.then()
            self.at = ""


def test_a_memory_forgotten_while_the_night_works_ends_it_and_the_next_is_without(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        def forget() -> None:
            pocket.forget(next(m for m in pocket.journal.memories() if "Biscuit" in m.text).id)

        with pytest.raises(NightInterrupted, match="forgotten"):
            pocket.sleep(SMALL, Meanwhile("seed", forget))
        assert pocket.journal.stages("n1") == {}
        night, verdict = pocket.sleep(SMALL, Silent())
        assert (night.id, len(pocket.journal.holds(night.adapter))) == ("n1", len(pocket.journal.memories()))
        assert verdict.outcome in ("worn", "refused")


def test_small_talk_forgotten_while_the_night_works_disturbs_it_in_nothing(
        tiny: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        pocket.journal.record(Episode("chat", (Turn("user", "Quux frobs?"), Turn("assistant", "No.")), source="chat"))
        night, verdict = pocket.sleep(SMALL, Meanwhile("seed", lambda: pocket.forget("chat")))
        assert (night.adapter, dict(verdict.scores)) == (undisturbed["adapter"], undisturbed["scores"])


def test_a_wrong_name_takes_nothing_of_an_open_night_with_it(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        with pytest.raises(Killed):
            pocket.sleep(SMALL, DyingInTraining())
        before = sorted(pocket.home.work.rglob("*"))
        with pytest.raises(NotFound):
            pocket.forget("b2-no-such-memory")
        assert sorted(pocket.home.work.rglob("*")) == before != []


def test_a_home_whose_worn_adapter_has_no_record_opens(tiny: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", tiny) as pocket:
        pocket.journal.put("settings", {"name": "current", "value": "b2-nobody-knows"})
    with Pocket(Home(tmp_path / "home")) as pocket:
        assert pocket.card.name == "smollm2-135m"
        assert pocket.use("none") == ""
