"What a night that is over leaves behind that nothing needs any more."

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from pocketsleep.journal import Journal
from pocketsleep.registry import Registry

RECENT = 4  # nights whose study items stay, whatever came of them
LEFT = 3600.0  # seconds after which a draft of an adapter is nobody's: writing one takes less than a minute


def tidy(journal: Journal, registry: Registry, work: Path) -> None:
    "Checkpoints, study items of no use, and adapters that nothing can wear any more, or that hold what was forgotten, or may."
    rmtree(work, ignore_errors=True)
    journal.let_go(of_use(journal))
    kept = wearable(journal)
    for adapter in registry.list():
        if adapter.id not in kept or journal.forgotten_in(adapter.memories):
            registry.discard(adapter.id)
    for unknown in registry.unreadable():
        registry.discard(unknown)
    registry.sweep(LEFT)


def wearable(journal: Journal) -> set[str]:
    "Ids of adapters that can be worn again, and of the levels that nights go on with."
    worn = [n for n in journal.nights() if n.verdict and n.verdict.passed]
    found = {n.adapter for n in worn}
    for last in worn[-2:]:  # the levels of the last one are used again, those of the one before after `undo`
        found |= set((journal.stage(last.id, "seed") or {}).get("parts", {}).values())
    return found


def of_use(journal: Journal) -> set[str]:
    """Nights whose study items are of use still: the last ones, those whose adapter is worn or would be after `undo`, for the day
    looks notes up by them, and of each live memory the last worn one that studied it, for its dreams are taken up again."""
    every, left, current = journal.nights(), {m.id for m in journal.memories()}, journal.current()
    worn = [n for n in every if n.verdict and n.verdict.passed]
    found = {n.id for n in (*every[-RECENT:], *worn[-2:], *[n for n in worn if n.adapter == current][-1:])}
    for night in reversed(worn):
        if not left:
            break
        plan = journal.stage(night.id, "dream") or {}
        if mine := {m for _, held in plan.get("levels", ()) for m in held} & left:
            found.add(night.id)
            left -= mine
    return found
