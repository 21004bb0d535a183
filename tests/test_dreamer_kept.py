"A memory's dreams are made once, by the dreamer that is there now."

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pocketsleep.journal import Journal
from pocketsleep.night import build
from pocketsleep.night.dream import well_asked
from pocketsleep.night.recipe import derive
from pocketsleep.night.skilled import Skilled
from pocketsleep.nouns import Dream, Memory, Night, Verdict

BOAT = Memory("The big window of the user's boat came out of a signal box.", answer="signal box")
ASKS = ("What did my pane start as?", "Where did we find the glass for the wheelhouse?")
DREAMS = tuple(Dream(q, "Signal box.", "paraphrase", (BOAT.id,)) for q in ASKS)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as journal:
        journal.learn(BOAT)
        yield journal


class Nights:
    "Nights in a row that study, or look into, what a counting dreamer makes."

    def __init__(self, journal: Journal) -> None:
        self.journal, self.asked = journal, 0

    def __call__(self, dreamer: str = "one", most: int = 9, seed: int = 0, as_it_was: bool = False, keeps: bool = True) -> list[Dream]:
        def by_skill(memories: Sequence[Memory], seed: int) -> dict[str, list[Dream]]:
            self.asked += len(memories)
            return {m.id: list(DREAMS) for m in memories}

        night = self.journal.begin(Night("", "2026-01-01T00:00:00+00:00", seed, "smollm2-135m", {}))
        bed = SimpleNamespace(journal=self.journal, dreamer=by_skill, dreamer_id=dreamer, recipe=lambda n: SimpleNamespace(skilled=most))
        skilled = Skilled(bed, night)  # type: ignore[arg-type]
        found = skilled.dreams([BOAT], most, as_it_was)
        kept = found if keeps else []
        self.journal.keep_dreams(night.id, kept)
        self.journal.finish(night.id, "dream", {"skilled": skilled.ids({d.id: d for d in kept}), "dreamer": skilled.maker})
        self.journal.settle(night.id, Verdict("refused", ("learnt",)), None, [])
        return found


@pytest.fixture
def night(journal: Journal) -> Nights:
    return Nights(journal)


def test_a_memory_is_dreamt_of_once(night: Nights) -> None:
    assert night() == night() == list(DREAMS)
    assert night.asked == 1


def test_another_dreamer_seed_or_number_dreams_anew(night: Nights) -> None:
    night()
    night(dreamer="another")
    assert night.asked == 2
    night(dreamer="another", seed=7)
    assert night.asked == 3
    assert len(night(dreamer="another", most=1)) == 1
    assert len(night(dreamer="another", most=2)) == 2, "a deep night got what a nap had left"
    assert night.asked == 5


def test_a_level_that_is_left_was_taught_by_whoever_dreamt_then(night: Nights) -> None:
    night(dreamer="gone")
    assert night(dreamer="new", as_it_was=True) == list(DREAMS)
    assert night.asked == 1
    night(dreamer="new")
    assert night.asked == 2, "the dreams of one that is gone are studied again as the new one's"


@pytest.mark.parametrize("looked", [lambda *one: build._again(*one), lambda *one: build._examined(*one)])
def test_what_a_night_asks_of_levels_that_stay_was_dreamt_then(night: Nights, journal: Journal, looked: Callable[..., list[Dream]]) -> None:
    assert not well_asked(BOAT), "nobody would ask the dreamer"
    night(dreamer="gone", most=26)

    def dreams_anew(memories: Sequence[Memory], seed: int) -> dict[str, list[Dream]]:
        pytest.fail("a level that stays was dreamt of anew")

    bed = SimpleNamespace(journal=journal, dreamer=dreams_anew, dreamer_id="new", recipe=lambda n: derive(n, 135_000_000, 30))
    tonight = Night("n9", "2026-01-02T00:00:00+00:00", 0, "smollm2-135m", {})
    assert looked(bed, tonight, [[BOAT]], Skilled(bed, tonight))  # type: ignore[arg-type]


def test_a_night_that_only_looks_leaves_no_word_of_what_it_did_not_keep(night: Nights) -> None:
    night()
    night(as_it_was=True, keeps=False)
    assert night() == list(DREAMS)
    assert night.asked == 1
