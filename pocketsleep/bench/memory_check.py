"""What memory layers remember, beside a sliding window, full attention, and a memory that nobody trained; and what they harm.

On the scale of a figure 0 is the sliding window, that no longer sees what was told, and 1 full attention, that sees all of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from pocketsleep import cards
from pocketsleep.bench import told
from pocketsleep.bench.memory_layers import head, leaving
from pocketsleep.bench.memory_sets import Choice, Sets, Talked, between, talked
from pocketsleep.errors import NotFound
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.night.grammar import lists
from pocketsleep.runtime.mlx_recall import Window, Windows, attended, both
from pocketsleep.weights import Base
from pocketsleep.weights import model as weights_model

TALKS = 20  # invented talks that states are whitened on
FREE = 0.1  # strength of the memory that nobody trained
ENDLESS = 2000  # tokens, a window's worth at a time, over which the state must not grow
Nats = list[np.ndarray]


def known(base: Base, trained: Path) -> Path:
    "The layers of a base: trained here, else shipped. Raises NotFound where there are none."
    found = cards.memory_layers(base.card.name, trained)
    if found is None:
        raise NotFound(f"no memory layers are known for `{base.card.name}`", hint="pocketsleep memory-layers train")
    return found


def check(base: Base, file: Path, sets: Sets, items: int, passes: Sequence[int],
          say: Callable[[str], None]) -> dict[str, Any]:
    "Figures of each set and arm."
    memory = MemoryLayers.load(file, base.sha256)
    model = weights_model.load(base.folder)
    prose = _prose(base)
    seen = both(memory, model, prose, FREE)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for n, talk in enumerate(talked(base, sets, items)):
        if talk.asked:
            for one, arms in zip(talk.asked, _arms(base, model, seen, talk, passes), strict=True):
                answers[one.name].append({"arms": arms, "stale": one.stale})
            say(f"{n + 1} talks, {talk.asked[0].name}")
    return {"layers": memory.sha256, "parameters": memory.parameters, "base": base.card.name,
            "sets": {name: summed(rows) for name, rows in answers.items()}, "constant": constant(memory.attach(model), prose)}


def _prose(base: Base) -> list[int]:
    "Ordinary text and invented talk, some thousands of tokens."
    made, opening = told.bank(Random(5)), len(head(base))
    texts = [base.tokenizer.encode(text) for _, text in lists.texts()]
    return [token for ids in (*texts, *(leaving(base, next(made).turns, opening) for _ in range(TALKS))) for token in ids]


def _arms(base: Base, model: Any, seen: Remembering, talk: Talked, passes: Sequence[int]) -> list[dict[str, Nats]]:
    "For each question: nats of its answers by each arm."
    flat = [window for one in talk.asked for window in one.windows]
    states = {"sliding": seen.memory.fresh(), "untrained": _napped(seen, talk, 1)}
    states |= {f"N={n}": _napped(seen, talk, n) for n in passes}
    windows, own, none = Windows(seen, flat), len(seen.memory.layers) - 1, seen.memory.fresh().tensors
    full = [Window(tuple(between(base, talk.chunks, w.prompt)), w.answer, w.given) for w in flat]
    context = between(base, talk.chunks, [])
    arms = {"full": attended(model, context, full)}
    for name, state in states.items():
        kept = [none[i] if (i == own) != (name == "untrained") else tensor for i, tensor in enumerate(state.tensors)]
        arms[name] = windows.nats(kept)
    return _by_question(talk.asked, arms)


def _napped(seen: Remembering, talk: Talked, passes: int) -> Any:
    state = None
    for chunk in talk.chunks:
        state = seen.nap(chunk, state, passes)
    return state


def _by_question(asked: Sequence[Choice], arms: dict[str, Nats]) -> list[dict[str, Nats]]:
    ends = np.cumsum([0, *(len(one.windows) for one in asked)])
    return [{name: nats[a:b] for name, nats in arms.items()} for a, b in pairwise(ends.tolist())]


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    "Right answers and nats a token of each arm, and both on the scale."
    found: dict[str, Any] = {"items": len(rows), "arms": {}}
    for name in rows[0]["arms"]:
        means = [[float(nats.mean()) for nats in row["arms"][name]] for row in rows]
        line = {"right": float(np.mean([one[0] == min(one) for one in means])), "nats": float(np.mean([one[0] for one in means]))}
        stale = [one[row["stale"]] == min(one) for one, row in zip(means, rows, strict=True) if row["stale"] > 0]
        found["arms"][name] = line | ({"stale": float(np.mean(stale))} if stale else {})
    low, high = found["arms"]["sliding"], found["arms"]["full"]
    for line in found["arms"].values():
        for what in ("right", "nats"):
            gap = high[what] - low[what]
            line[f"scale_{what}"] = (line[what] - low[what]) / gap if abs(gap) > 1e-6 else None
    return found


def constant(seen: Remembering, prose: Sequence[int]) -> dict[str, int]:
    "Bytes of the state after the first tokens and after many."
    sizes, state = [], None
    for at in range(0, ENDLESS, 250):
        part = [prose[(at + i) % len(prose)] for i in range(250)]
        state = seen.nap(part, state)
        sizes.append(sum(tensor.nbytes for tensor in state.tensors))
    return {"tokens": ENDLESS, "bytes_first": sizes[0], "bytes_last": sizes[-1]}


def rows(line: dict[str, Any]) -> list[tuple[str, ...]]:
    "One set as lines of a table."
    return [(name, f"{arm['right']:.2f}", f"{arm['nats']:.3f}", _share(arm["scale_right"]), _share(arm["scale_nats"]))
            for name, arm in line["arms"].items()]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
