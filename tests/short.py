"A short exam: the same rules over fewer questions, for nights of which the exam is not what is tried."

from __future__ import annotations

import pytest

from pocketsleep.night import examine
from pocketsleep.night.grammar import lists


def exam(patch: pytest.MonkeyPatch, general: int = 4, harmful: int = 2, texts: int = 2, most: int = 6, fewer: int = 2) -> None:
    "The first so many of each list; of what was dreamt at most so many of a kind, and so many with notes in front."
    for name, count in (("general", general), ("harmful", harmful), ("texts", texts)):
        some = getattr(lists, name)()[:count]
        patch.setattr(lists, name, lambda some=some: some)
    patch.setattr(examine, "MOST", most)
    patch.setattr(examine, "FEWER", fewer)
