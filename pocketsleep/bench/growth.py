"""What a night costs as the ledger grows: the same newest slice behind 0, 7 or 78 older ones.

The newest slice is dreamt of, trained and examined as it is in any night. The adapters of the older slices are
stand-ins of the right shape that move nothing, since only their number costs time: what is found here is
seconds and memory, never recall.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.bench.night import Clock
from pocketsleep.errors import ModelError
from pocketsleep.home import Home
from pocketsleep.night import levels
from pocketsleep.night.build import whole
from pocketsleep.nouns import Adapter, Cite, Episode, Memory, Night, Turn, Verdict
from pocketsleep.pocket import Pocket, Wishes

NEWEST = 100  # memories of the slice that changed
OLDER = {10: 0, 100: 0, 1000: 7, 10000: 78}  # whole slices behind it: 996 and 10,084 memories
_STARTS, _MIDDLES, _ENDS = "B Br C D F G H K L M N P R S T V".split(), "a e i o u".split(), "ldra nna rvik sko ltun mber".split()
_SAYINGS = ("The user's friend {} lives in {}.", "The user's colleague {} comes from {}.", "The user met {} in {}.",
            "The user's neighbour {} used to work in {}.", "The user's cousin {} has a house in {}.")


def memories(count: int) -> Iterator[Memory]:
    "Made-up notes that differ in every name."
    names = _names()
    for i in range(count):
        who, where = next(names), next(names)
        yield Memory(_SAYINGS[i % len(_SAYINGS)].format(who, where), (Cite("growth", i),), "relation", where, told=True)


def _names() -> Iterator[str]:
    "Inventions of six parts, none of them twice."
    number = 0
    while True:
        number, rest = number + 1, number * 7919
        parts = []
        for some in (_STARTS, _MIDDLES, _ENDS, _MIDDLES, _ENDS, _MIDDLES):
            rest, pick = divmod(rest, len(some))
            parts.append(some[pick])
        yield "".join(parts)


def growth(base: str, passes: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds and peak memory of a night at each size, each in a process of its own, and their ratio.

    passes: over the newest slice's lessons; 0 is as many as a night takes."""
    found: dict[str, Any] = {}
    for size in OLDER:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            one = pool.apply(at, (base, min(size, NEWEST), OLDER[size], {"epochs": passes} if passes else {}))
        say(f"{size} memories: " + ", ".join(f"{k} {v:.0f}" for k, v in one.items()))
        found |= {f"{name}_{size}": value for name, value in one.items()}
    return found | {"cost_ratio_10000_100": found["seconds_10000"] / found["seconds_100"]}


def at(base: str, new: int, older: int, changes: dict[str, Any]) -> dict[str, float]:
    "One night with so many new memories above so many whole slices."
    clock = Clock(lambda text: None)
    with tempfile.TemporaryDirectory() as folder, Pocket(Home(Path(folder)), base) as pocket:
        _fill(pocket, new, older, changes)
        started = time.perf_counter()
        night, _ = pocket.sleep(Wishes(changes=changes), clock)
        seconds = time.perf_counter() - started
        clock.stage("")
        dreams = pocket.journal.stage(night.id, "dream") or {"now": ()}
        if len(dreams["now"]) != 1:
            raise ModelError("the night was to train the newest slice alone, and did not",
                             "give `--base` a base that the first `pocketsleep sleep` works with, such as SmolLM2's")
        held = pocket.journal.holds(night.adapter)
    return {"seconds": seconds, "memories": float(len(held)),
            "levels": float(len(dreams["levels"])),
            **{f"{name}_seconds": value for name, value in clock.seconds.items()},
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _fill(pocket: Pocket, new: int, older: int, changes: dict[str, Any]) -> None:
    "A ledger, and a worn night that holds all of it but the newest slice."
    recipe = pocket.recipe(0, changes)
    count = older * recipe(0).level + new
    journal = pocket.journal
    journal.record(Episode("growth", tuple(Turn("user", m.text) for m in memories(count)), source="bench"))
    for memory in memories(count):
        journal.learn(memory)
    if not older:
        return
    live, places = {m.id: m for m in journal.memories()}, journal.places()
    held = [[live[m] for m in one] for one in levels.slices(places, recipe(0).level)]
    night = journal.begin(Night("", "2026-01-01T00:00:00+00:00", 0, pocket.card.name, changes))
    manner = pocket._manner(night)
    parts = {level.key: _stand_in(pocket, level.memories, recipe(len(level.memories))).id
             for level in levels.levels(held, recipe, pocket.base.sha256, manner)[:-1]}
    journal.finish(night.id, "seed", {"parts": parts})
    slept = [Cite("growth", i) for i in range(count)]
    worn = whole(pocket.registry, [*([manner] if manner else []), *parts.values()])
    journal.settle(night.id, Verdict("worn"), worn, slept)


def _stand_in(pocket: Pocket, held: tuple[str, ...], recipe: Any) -> Adapter:
    "An adapter of the shape that a trained one has. It moves next to nothing."
    plan, rng, tensors = recipe.plan(), np.random.default_rng(len(held)), {}
    config = pocket.base.config
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    for layer in plan.layers:
        for key in plan.keys:
            width, out = (wide, hidden) if key.endswith("down_proj") else (hidden, wide)
            tensors[f"model.layers.{layer}.{key}.lora_a"] = rng.normal(size=(width, plan.rank)).astype(np.float32)
            tensors[f"model.layers.{layer}.{key}.lora_b"] = np.full((plan.rank, out), 1e-9, np.float32)
    return pocket.registry.publish(tensors, base=pocket.card.name, base_sha256=pocket.base.sha256, rank=plan.rank,
                                   scale=plan.scale, keys=plan.keys, layers=plan.layers, memories=held)
