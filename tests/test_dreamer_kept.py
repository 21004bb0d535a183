"A memory's dreams are made once, by the dreamer that is there now."

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pocketsleep.journal import Journal
from pocketsleep.night.build import Skilled
from pocketsleep.nouns import Dream, Memory, Night, Verdict

BOAT = Memory("The user's boat is called Kestrel.", answer="Kestrel")
DREAM = Dream("Which name is on my bow?", "Your boat is called Kestrel.", "paraphrase", (BOAT.id,))


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as journal:
        journal.learn(BOAT)
        yield journal


def dreamt(journal: Journal, dreamer: str, made: list[str], seed: int = 0) -> list[Dream]:
    "A night's dreams by this dreamer; whom it was asked about is added to `made`."

    def by_skill(memories: Sequence[Memory], seed: int) -> dict[str, list[Dream]]:
        made.extend(m.id for m in memories)
        return {m.id: [DREAM] for m in memories}

    night = journal.begin(Night("", "2026-01-01T00:00:00+00:00", seed, "smollm2-135m", {}))
    skilled = Skilled(SimpleNamespace(journal=journal, dreamer=by_skill, dreamer_id=dreamer), night)  # type: ignore[arg-type]
    found = skilled.dreams([BOAT], 9)
    journal.keep_dreams(night.id, found)
    journal.finish(night.id, "dream", {"skilled": skilled.ids({d.id: d for d in found}), "dreamer": dreamer})
    journal.settle(night.id, Verdict("refused", ("learnt",)), None, [])
    return found


def test_dreams_are_taken_up_from_an_earlier_night_by_the_same_dreamer_alone(journal: Journal) -> None:
    made: list[str] = []
    assert dreamt(journal, "one", made) == dreamt(journal, "one", made) == [DREAM]
    assert made == [BOAT.id], "dreamt again though it was there"
    dreamt(journal, "another", made)
    assert made == [BOAT.id] * 2, "the dreams of a dreamer that is gone were taken up"
    dreamt(journal, "another", made, seed=7)
    assert made == [BOAT.id] * 3
