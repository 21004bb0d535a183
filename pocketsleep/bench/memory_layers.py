"""How memory layers are made for a base: talks, their states, a solved start, steps of descent, heads joined and more steps; two
layers made so, side by side (fastweights/fit.py, learn.py, join.py).

Everything is kept in a work folder and goes on where it stopped. `memory_check.py` measures what comes out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pocketsleep import disk
from pocketsleep.bench import told, told_long
from pocketsleep.errors import BadInput, ModelError
from pocketsleep.fastweights import fit, join, learn
from pocketsleep.fastweights.layer import Shape
from pocketsleep.fastweights.memory import MemoryLayers
from pocketsleep.nouns import Message
from pocketsleep.runtime.mlx_entering import Entering
from pocketsleep.runtime.mlx_memory import head
from pocketsleep.weights import Base
from pocketsleep.weights import model as weights_model

TALKS, ASKS, LONGEST = 800, 5, 420  # talks; questions a talk; tokens that leave together, and that naps go over at once
DEPTHS = (0.6, 0.73, 0.87)  # where in the base a layer looks
HEADS, KEY, VALUE = 2, 256, 0.5  # value: of the base's width
WHOLE = ("lives", "quoted")  # kinds whose answers are whole sentences: twice in the last steps, which make room for them
LEAD, END = 0.15, 0.3  # weight of an answer's beginning, and of the end of the turn
LAYERS = 2  # side by side
Say = Callable[[str], None]
Tick = Callable[[str, int, int, str], None]  # stage, done, in all, detail


@dataclass(frozen=True, slots=True)
class Sources:
    "Where training talks come from: models/study, and, where given, TOFU's full.jsonl and passages of SQuAD."

    study: Path
    tofu: Path | None = None
    squad: Path | None = None


@dataclass(frozen=True, slots=True)
class Laid:
    "A talk in token ids, without the head that every window begins with."

    kind: str
    left: tuple[int, ...]
    asked: tuple[tuple[tuple[int, ...], tuple[int, ...], int, str], ...]  # question, answer, tokens of it that are given, key


def talks(sources: Sources, count: int, seed: int = 0) -> list[told.Talk]:
    "About so many talks of all kinds, in an order of chance."
    chance = Random(seed)
    made = [*islice(told.bank(chance), count * 3 // 10), *islice(told.pairs(chance), count * 3 // 20),
            *islice(told.studied(sources.study, chance), count * 3 // 20), *islice(told_long.lives(chance), count // 10),
            *islice(told_long.quoted(sources.study, chance), count // 10)]
    if sources.tofu is not None:
        made += islice(told.authors(sources.tofu, chance), count // 10)
    if sources.squad is not None:
        made += islice(told.texts(sources.squad, chance), count // 10)
    chance.shuffle(made)
    return made


def laid(base: Base, some: Sequence[told.Talk], seed: int = 0) -> list[Laid]:
    "Talks that are not too long, with a few of their questions."
    chance, opening, found = Random(seed), len(head(base)), []
    for talk in some:
        left = leaving(base, talk.turns, opening)
        if len(left) <= LONGEST:
            asks = chance.sample(talk.asks, min(ASKS, len(talk.asks)))
            found.append(Laid(talk.kind, tuple(left), tuple(_asked(base, ask, opening) for ask in asks)))
    return found


def leaving(base: Base, turns: Sequence[tuple[str, str]], opening: int) -> list[int]:
    if len(turns) == 1 and not turns[0][1]:  # ordinary text
        return base.tokenizer.encode(turns[0][0])[:LONGEST]
    messages = [m for user, answer in turns for m in (Message("user", user), Message("assistant", answer))]
    return base.prompter.ids(messages, generate=False)[opening:]


def _asked(base: Base, ask: told.Ask, opening: int) -> tuple[tuple[int, ...], tuple[int, ...], int, str]:
    if not ask.question:
        return (), tuple(base.tokenizer.encode(ask.value)), 0, ""
    given = base.tokenizer.encode(ask.lead) if ask.lead else []
    answer = base.prompter.answer_ids(f"{ask.lead} {ask.value}" if ask.lead else ask.value)
    return tuple(base.prompter.ids([Message("user", ask.question)])[opening:]), tuple(answer), len(given), ask.key


def shape(base: Base) -> Shape:
    "One layer behind the last block, as wide as the base bears."
    deep, width = base.layers, int(base.config["hidden_size"])
    taps = tuple(sorted({min(deep - 1, max(1, round(deep * depth))) for depth in DEPTHS}))
    keys = min(KEY, len(taps) * width // HEADS - 1)
    return Shape(deep, taps, width, HEADS, keys, int(width * VALUE))


def train(base: Base, out: Path, sources: Sources, work: Path, say: Say, tick: Tick, count: int = TALKS,
          recipe: learn.Recipe = learn.Recipe(), after: learn.Recipe = join.AFTER, layers: int = LAYERS) -> dict[str, Any]:
    """`layers` of them at `out`, each of talks and a start of its own, side by side; figures of the making.
    Raises BadInput, ModelError."""
    began = time.monotonic()
    if not list(sources.study.glob("s*.jsonl")):
        raise BadInput(f"`{sources.study}` holds no study messages (s*.jsonl)", hint="models/study of pocketsleep's source")
    parts: list[MemoryLayers] = []
    for n in range(layers):
        first, last = (replace(one, seed=one.seed + n) for one in (recipe, after))
        parts.append(_one(base, sources, work / f"{n + 1}", say, partial(_numbered, tick, n, layers), count, first, last))
    whole = join.beside(parts)
    whole.save(out)
    return {"path": str(out), "sha256": whole.sha256, "parameters": whole.parameters, "parts": [part.recipe for part in parts],
            "seconds": round(time.monotonic() - began)}


def _numbered(tick: Tick, n: int, layers: int, stage: str, done: int, total: int, detail: str) -> None:
    "The stages of one layer among several, each under a name of its own."
    tick(stage if layers == 1 else f"layer {n + 1} of {layers}: {stage}", done, total, detail)


def _one(base: Base, sources: Sources, work: Path, say: Say, tick: Tick, count: int, recipe: learn.Recipe,
         after: learn.Recipe) -> MemoryLayers:
    "One layer, alone."
    rows = laid(base, talks(sources, count, recipe.seed), recipe.seed)
    where = shape(base)
    model = weights_model.load(base.folder)
    if getattr(model.args, "sliding_window", None) and model.args.sliding_window < LONGEST:
        raise ModelError(f"a sliding window of {model.args.sliding_window} tokens is shorter than the talks", hint="another base")
    opening = head(base)
    texts = [[*opening, *text] for row in rows for text in (row.left, *(q + a for q, a, *_ in row.asked))]
    say(f"{len(rows)} talks, {sum(len(r.asked) for r in rows)} questions, {sum(map(len, texts))} tokens")
    entering = Entering(model, texts, where.taps, len(opening), work, base.sha256)
    entering.fill(lambda done, all_: tick("states", done, all_, ""))
    start = _start(work / f"{entering.name}-start.npz", rows, entering, where, recipe.seed)
    seen = MemoryLayers.new([where], base.sha256).attach(model)
    left = evicted(rows, entering, start)
    first = learn.Learner(learn.Small(where, start, recipe.seed), left, model, seen.embed, recipe, work, base.sha256)
    first.run(lambda done, all_, loss: tick("steps", done, all_, f"{loss:.2f} nats"))
    again = [talk for talk, row in zip(left, rows, strict=True) if row.kind in WHOLE]
    learner = learn.Learner(join.joined(first.small), left + again, model, seen.embed, after, work, base.sha256, first)
    layer = learner.run(lambda done, all_, loss: tick("steps, heads as one", done, all_, f"{loss:.2f} nats"))
    made = {"talks": len(rows), "kinds": {k: sum(r.kind == k for r in rows) for k in sorted({r.kind for r in rows})},
            "recipe": asdict(recipe), "joined": asdict(after), "loss": round(float(np.mean(learner.losses[-50:])), 3)}
    return MemoryLayers([layer], base.sha256, {"base": base.card.name, "chunk": LONGEST, "passes": 1, **made})


def _start(path: Path, rows: Sequence[Laid], entering: Entering, where: Shape, seed: int) -> fit.Start:
    "Kept, so that a second run goes on with it; one that is torn is solved anew."
    with suppress(OSError, ValueError, TypeError, EOFError, BadZipFile), np.load(path) as kept:
        solved_before: dict[str, Any] = {k: v if v.ndim else float(v) for k, v in kept.items()}
        return fit.Start(**solved_before)
    solved = fit.start(_told(rows, entering), where.heads * where.key, seed)
    with disk.new_file(path) as draft, draft.open("wb") as file:
        np.savez(file, **asdict(solved))
    return solved


def features(states: np.ndarray) -> np.ndarray:
    "[T, taps + 1, D] -> [T, taps D], each state at length sqrt(D); what leaves the last block is left out."
    wide = states[:, :-1].astype(np.float32)
    wide /= np.sqrt((wide * wide).mean(-1, keepdims=True) + 1e-6)
    return wide.reshape(len(wide), -1)


def _windows(row: Laid, first: int, entering: Entering) -> list[tuple[np.ndarray, np.ndarray, int]]:
    "(states in front of each answer token, the tokens, how many are given): ordinary text has no word before its first."
    found = []
    for i, (question, answer, given, _) in enumerate(row.asked):
        states, cut = entering[first + i], 0 if question else 1
        found.append((states[len(states) - len(answer) - 1 + cut : -1], np.array(answer[cut:]), given))
    return found


def _each(rows: Sequence[Laid]) -> list[tuple[Laid, int]]:
    at, found = 0, []
    for row in rows:
        found.append((row, at))
        at += 1 + len(row.asked)
    return found


def _told(rows: Sequence[Laid], entering: Entering) -> Any:
    for row, at in _each(rows):
        told_here = row.kind != "text"
        asked = [(features(states), tokens, given) for states, tokens, given in _windows(row, at + 1, entering)]
        left = np.array(row.left if told_here else (), np.int64)
        yield fit.Told(left, features(entering[at])[: len(left)], asked)


def evicted(rows: Sequence[Laid], entering: Entering, start: fit.Start) -> list[learn.Evicted]:
    "What `learn` takes: everything brought down to a start's directions."
    made = []
    for row, at in _each(rows):
        asked = []
        for (states, tokens, given), (question, *_, key) in zip(_windows(row, at + 1, entering), row.asked, strict=True):
            weight = np.where(np.arange(len(tokens)) < given, LEAD, 1.0).astype(np.float32)
            if question:
                weight[-1] = END
            asked.append(learn.Asked(learn.brought_down(start, features(states), True), states[:, -1], tokens, weight, key))
        small = learn.brought_down(start, features(entering[at]), False)
        made.append(learn.Evicted(np.array(row.left), small, asked))
    return made
