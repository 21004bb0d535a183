"""What memory layers remember, beside a sliding window, full attention, and a memory that nobody trained; and what they harm.

On the scale of a figure 0 is the sliding window, that no longer sees what was told, and 1 full attention, that sees all of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from pocketsleep import cards, disk
from pocketsleep.bench import told
from pocketsleep.bench.memory_layers import leaving
from pocketsleep.bench.memory_sets import Choice, Sets, Talked, between, facts, prose, talked
from pocketsleep.errors import BadInput, NotFound
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.night.grammar import lists
from pocketsleep.nouns import Message, content_id
from pocketsleep.runtime import packed_memory
from pocketsleep.runtime.mlx_memory import Memory, head
from pocketsleep.runtime.mlx_recall import Continuation, Prefilled, attended, both, naps
from pocketsleep.weights import Base
from pocketsleep.weights import model as weights_model

TALKS = 20  # invented talks that states are whitened on
FREE = 0.1  # strength of the memory that nobody trained
TOLD, OTHER = 3, 4  # talks whose facts are followed while other text leaves; paragraphs on something else that are
STEPS = (0, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)  # tokens after which one looks
Means = list[float]  # nats a token of each answer to a question
Row = dict[str, Any]


def known(base: Base, trained: Path) -> Path:
    "The layers of a base: trained here, else shipped. Raises NotFound where there are none."
    found = cards.memory_layers(base.card.name, trained)
    if found is None:
        raise NotFound(f"no memory layers are known for `{base.card.name}`", hint="pocketsleep memory-layers train")
    return found


def check(base: Base, file: Path, sets: Sets, items: int, passes: Sequence[int], say: Callable[[str], None],
          tokens: int = 2000, results: Path | None = None) -> dict[str, Any]:
    "Figures of each set and arm, and of a nap over so many `tokens`. What stands in `results` is not measured again."
    memory, own = MemoryLayers.load(file, base.sha256), _prose(base)
    long = base.tokenizer.encode(prose(sets.text)[: 8 * tokens]) if sets.text else own
    talks, kept = [talk for talk in talked(base, sets, items) if talk.asked], _kept(results)  # what cannot be read is told at once
    model = weights_model.load(base.folder)
    seen = both(memory, model, own, FREE)
    answers: dict[str, list[Row]] = defaultdict(list)
    for n, talk in enumerate(talks):
        asked = [asdict(one) for one in talk.asked]
        name = content_id("memory check", memory.sha256, json.dumps([talk.chunks, asked, list(passes)]))
        if name not in kept:
            arms = _arms(base, model, seen, talk, passes)
            kept[name] = [{"set": one.name, "arms": of, "stale": one.stale} for one, of in zip(talk.asked, arms, strict=True)]
            _keep(results, kept)
            say(f"{n + 1} talks, {talk.asked[0].name}")
        for row in kept[name]:
            answers[row["set"]].append(row)
    say(f"a nap over {tokens} tokens")
    return {"layers": memory.sha256, "parameters": memory.parameters, "base": base.card.name,
            "sets": {name: summed(rows) for name, rows in answers.items()},
            "constant": constant(base, memory.attach(model), long, tokens, Memory(memory).chunk)}


def _kept(results: Path | None) -> dict[str, list[Row]]:
    "By talk."
    if results is None or not results.exists():
        return {}
    try:
        return dict(json.loads(results.read_text("utf-8")))
    except (ValueError, TypeError):
        raise BadInput(f"`{results}` holds no results of a check", hint="name another file") from None


def _keep(results: Path | None, kept: Mapping[str, Sequence[Row]]) -> None:
    if results is not None:
        with disk.new_file(results) as draft:
            draft.write_text(json.dumps(kept), "utf-8")


def _prose(base: Base) -> list[int]:
    "Ordinary text and invented talk, some thousands of tokens."
    made, opening = told.bank(Random(5)), len(head(base))
    texts = [base.tokenizer.encode(text) for _, text in lists.texts()]
    return [token for ids in (*texts, *(leaving(base, next(made).turns, opening) for _ in range(TALKS))) for token in ids]


def _arms(base: Base, model: Any, seen: Remembering, talk: Talked, passes: Sequence[int]) -> list[dict[str, Means]]:
    "For each question: nats of its answers by each arm."
    flat = [answer for one in talk.asked for answer in one.answers]
    prefilled, own, none = Prefilled(seen, flat), len(seen.memory.layers) - 1, seen.memory.fresh().tensors
    full = [Continuation(tuple(between(base, talk.chunks, one.prompt)), one.answer, one.given) for one in flat]
    arms = {"full": attended(model, between(base, talk.chunks, []), full), "sliding": prefilled.nats(none)}
    states = naps(seen, talk.chunks, {1, *passes})
    arms["untrained"] = prefilled.nats([*none[:own], states[1][own]])
    arms |= {f"N={n}": prefilled.nats([*states[n][:own], none[own]]) for n in passes}
    return _by_question(talk.asked, arms)


def _by_question(asked: Sequence[Choice], arms: Mapping[str, Sequence[np.ndarray]]) -> list[dict[str, Means]]:
    ends = np.cumsum([0, *(len(one.answers) for one in asked)])
    means = {name: [float(one.mean()) for one in nats] for name, nats in arms.items()}
    return [{name: of[a:b] for name, of in means.items()} for a, b in pairwise(ends.tolist())]


def summed(rows: Sequence[Row]) -> dict[str, Any]:
    "Right answers and nats a token of each arm, and both on the scale."
    found: dict[str, Any] = {"items": len(rows), "arms": {}}
    for name in rows[0]["arms"]:
        of = [row["arms"][name] for row in rows]
        line = {"right": float(np.mean([one[0] == min(one) for one in of])), "nats": float(np.mean([one[0] for one in of]))}
        stale = [one[row["stale"]] == min(one) for one, row in zip(of, rows, strict=True) if row["stale"] > 0]
        found["arms"][name] = line | ({"stale": float(np.mean(stale))} if stale else {})
    low, high = found["arms"]["sliding"], found["arms"]["full"]
    for line in found["arms"].values():
        for what in ("right", "nats"):
            gap = high[what] - low[what]
            line[f"scale_{what}"] = (line[what] - low[what]) / gap if abs(gap) > 1e-6 else None
    return found


def constant(base: Base, seen: Remembering, other: Sequence[int], tokens: int, chunk: int) -> list[dict[str, float]]:
    """Facts are told, then other text leaves, at most `chunk` tokens at a time. By how many of these have left: bytes of the state,
    the most that the process has taken so far, nats a token of the facts' answers and of paragraphs on something else; the last
    line is that of no state at all."""
    talks = [talk for talk in islice(facts(base, 4 * TOLD), TOLD) if talk.asked]
    looks = {"nats": Prefilled(seen, [one.answers[0] for talk in talks for one in talk.asked]),
             "other_nats": Prefilled(seen, [_spoken(base, *text) for text in lists.texts()[:OTHER]])}
    state, found, left = None, [], 0
    for told_here in (part for talk in talks for part in talk.chunks):
        state = seen.nap(told_here, state)
    for step in sorted({*(step for step in STEPS if step < tokens), tokens}):
        while left < step:
            part = [other[(left + i) % len(other)] for i in range(min(chunk, step - left))]
            state, left = seen.nap(part, state), left + len(part)
        found.append(_look(left, state.tensors if state else (), looks))
    return [*found, _look(0, seen.memory.fresh().tensors, looks) | {"tokens": None}]


def _look(left: int, tensors: Sequence[Any], looks: Mapping[str, Prefilled]) -> dict[str, Any]:
    nats = {name: float(np.mean([one.mean() for one in asked.nats(tensors)])) for name, asked in looks.items()}
    return {"tokens": left, "state_bytes": sum(t.nbytes for t in tensors), "peak_bytes": packed_memory.peak(), **nats}


def _spoken(base: Base, question: str, text: str) -> Continuation:
    "A paragraph that has nothing to do with what was said, as an answer."
    return Continuation(tuple(base.prompter.ids([Message("user", question)])), tuple(base.tokenizer.encode(text)))


def rows(line: dict[str, Any]) -> list[tuple[str, ...]]:
    "One set as lines of a table."
    return [(name, f"{arm['right']:.2f}", f"{arm['nats']:.3f}", _share(arm["scale_right"]), _share(arm["scale_nats"]))
            for name, arm in line["arms"].items()]


def endless(lines: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    "What `constant` found as lines of a table."
    return [("no state" if one["tokens"] is None else str(one["tokens"]), f"{one['state_bytes'] / 1e3:.0f}",
             f"{one['peak_bytes'] / 1e6:.0f}", f"{one['nats']:.3f}", f"{one['other_nats']:.3f}") for one in lines]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
