"""What the trained dreamer makes of each memory: once, for its dreams depend on nothing but the memory, the seed and the dreamer.

The journal keeps them with the nights that studied them, and later nights take them up. A night that looks only into some of a
level's dreams leaves no word of them; another dreamer, or another number of them a memory, dreams anew. A level that is left as it
was has been taught by whatever dreamt then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pocketsleep.night.bed import Bed
from pocketsleep.night.dream import evenly
from pocketsleep.nouns import Dream, Memory, Night


class Skilled:
    "One night's dreams by skill. `maker`: whose they are, and how many of a memory."

    def __init__(self, bed: Bed, night: Night) -> None:
        self.bed, self.night = bed, night
        self.maker = f"{bed.dreamer_id} {bed.recipe(1).skilled}"
        self._made: dict[int, dict[str, list[Dream]]] = defaultdict(dict)  # by seed
        self._were: dict[int, dict[str, list[Dream]]] = defaultdict(dict)  # by seed, by whoever dreamt them last
        self._studied: set[str] = set()
        self.taught: dict[tuple[str, ...], list[Dream]] = {}  # all study items of a level that stays, by its memories

    def dreams(self, memories: Sequence[Memory], most: int, as_it_was: bool = False, seed: int | None = None) -> list[Dream]:
        """At most so many of each memory that are studied, and those held out. `as_it_was`: by whoever dreamt them last, with the
        `seed` (tonight's) that it was."""
        if self.bed.dreamer is None or not most:
            return []
        seed = self.night.seed if seed is None else seed
        wanted, made, were = {m.id for m in memories}, self._made[seed], self._were[seed]
        made |= self._earlier(wanted - made.keys(), seed)
        if as_it_was:
            were |= self._earlier(wanted - made.keys() - were.keys(), seed, anybody=True)
        else:
            self._studied |= wanted
        known = {**were, **made} if as_it_was else made
        if missing := [m for m in memories if m.id not in known]:
            for memory, dreams in self.bed.dreamer(missing, seed).items():
                held = [d for d in dreams if d.held_out]
                known[memory] = made[memory] = evenly([d for d in dreams if not d.held_out], most) + held
        return [d for m in memories for d in known.get(m.id, [])]

    def _earlier(self, wanted: set[str], seed: int, anybody: bool = False) -> dict[str, list[Dream]]:
        "Those that earlier nights with this seed left in the journal, the newest first."
        found: dict[str, list[Dream]] = {}
        for night in reversed(self.bed.journal.nights()):
            if not wanted or night.id == self.night.id or night.seed != seed:
                continue
            stage = self.bed.journal.stage(night.id, "dream") or {}
            told = stage.get("skilled", {}) if anybody or stage.get("dreamer") == self.maker else {}
            if not (here := wanted & told.keys()):
                continue
            rows = {d.id: d for d in self.bed.journal.dreams(night.id)}
            for memory in here:
                if told[memory] and all(one in rows for one in told[memory]):
                    found[memory] = [rows[one] for one in told[memory]]
            wanted = wanted - found.keys()
        return found

    def ids(self, kept: Mapping[str, Dream]) -> dict[str, list[str]]:
        "Which of tonight's dreams they are, by memory that was studied."
        mine = {m: dreams for m, dreams in self._made[self.night.seed].items() if m in self._studied and dreams}
        return {m: [d.id for d in dreams if d.id in kept] for m, dreams in mine.items()}
