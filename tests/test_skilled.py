"The shipped skills themselves, on the default base: they hear what no rule hears, and dream what no grammar dreams."

from __future__ import annotations

from pathlib import Path

import pytest

from pocketsleep import cards
from pocketsleep.home import Home
from pocketsleep.night import build
from pocketsleep.night.recipe import SMALL, derive
from pocketsleep.night.skill import DREAMER, identity
from pocketsleep.nouns import Episode, Memory, Night, Turn
from pocketsleep.pocket import Pocket

pytestmark = pytest.mark.skilled

SAID = (
    "Do the swifts nest early this year? Whoever looks after the beehives at the school does, Marjolein I mean.",
    "Could you word a note for the window? The bakery has been shut on Mondays since we took it over, and we took it over in 2019.",
    "What rhymes with orange?",
    "pretend you are a pirate and I am the queen of Spain with nine galleons",
)


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory, smol, cache: Path):
    home = Home(tmp_path_factory.mktemp("skilled") / "home").make()
    home.cache.rmdir()
    home.cache.symlink_to(cache, target_is_directory=True)
    with Pocket(home) as pocket:
        yield pocket


def test_the_ear_hears_beyond_the_rules_and_stays_out_of_pretence(pocket):
    assert pocket.skills is not None
    for n, said in enumerate(SAID):
        pocket.journal.record(Episode(f"e{n}", (Turn("user", said), Turn("assistant", "All right."))))
    found = pocket.would_learn()["memories"]
    assert any("2019" in m.text or "Mondays" in m.text for m in found), found
    assert not any(word in m.text for m in found for word in ("orange", "galleon", "queen", "pirate"))
    assert all(m.cites for m in found)


def test_the_dreamer_asks_in_other_words_and_the_same_seed_asks_the_same(pocket):
    boat = Memory("The user's boat is called Kestrel.", answer="Kestrel")
    dreamer = pocket.dreamer()
    first, again = dreamer([boat], 3)[boat.id], dreamer([boat], 3)[boat.id]
    assert first == again
    said = "Your boat is called Kestrel."
    assert [d for d in first if d.answer == said and not d.held_out]
    assert not any("Kestrel" in d.question for d in first if d.answer == said)
    assert pocket.serving().worn == ""


def test_a_night_writes_down_which_dreamer_it_was(pocket):
    window = pocket.remember("The big window of my mill came out of a signal box.")
    assert window is not None
    night = pocket.journal.begin(Night("", "2026-01-01T00:00:00+00:00", 0, pocket.card.name, {}))
    told = build.study(pocket._bed(night, 0), night, [window])
    assert told["dreamer"].split() == [identity(cards.skills() / DREAMER), str(derive(1, SMALL - 1, 30).skilled)]
    assert told["skilled"][window.id]
