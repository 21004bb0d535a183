"""A whole night over a tiny base: killed at every boundary, and inside training, it ends in the same adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pocketsleep import night as nights
from pocketsleep.errors import BadInput, Busy, NotFound
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.nouns import Episode, Turn
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
        return {"adapter": night.adapter, "outcome": verdict.outcome, "scores": dict(verdict.scores),
                "memories": [m.text for m in pocket.journal.memories()]}


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


