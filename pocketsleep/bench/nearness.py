"""How the maps are made that say which note or sentence lies near a question (night/nearness.py), and how well they do.

    python -m pocketsleep.bench.nearness STUDY OUT [--leave WRITER,...]

STUDY holds hand-written messages, notes and questions on them (models/study). Of one writer's notes and sentences those are near a
question that answer it; the others, and some of other writers', are far: the loss is the cross-entropy of those that answer under a
softmax over cosines (InfoNCE, van den Oord and others, 1807.03748). Writers that are left out are measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.bench.byhand import KINDS, rows
from pocketsleep.bench.persona import Row, share
from pocketsleep.bench.skills import default_base
from pocketsleep.night.extract import meant
from pocketsleep.night.grade import says
from pocketsleep.night.nearness import Nearness
from pocketsleep.night.skill import NEAR
from pocketsleep.nouns import Episode, Turn

Array = np.ndarray
WIDTH, EPOCHS, RATE, DECAY, DROPPED, SHARP = 256, 12, 2e-3, 0.01, 0.2, 25.0
ASKED, OTHERS = 512, 600  # questions of a step; notes and sentences of other writers beside the writer's own
SEED = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    "One writer: texts that are asked, texts that answer, notes first, and which of these answers which of those."

    writer: str
    asked: list[str]
    told: list[str]
    notes: int
    answers: Array  # [asked, told] bool


def ledgers(folder: Path) -> list[Ledger]:
    "Of all writers who wrote questions."
    return [made for path in sorted(folder.glob("*.jsonl")) if (made := _ledger(path)).asked]


def _ledger(path: Path) -> Ledger:
    every = rows(path, "message")
    replaced = {note.get("supersedes") for row in every for note in row["memories"]}
    notes = [(n, note) for n, row in enumerate(every) for note in row["memories"] if note["text"] not in replaced]
    said = [(n, s.text) for n, row in enumerate(every) for _, s in meant(Episode(f"e{n}", (Turn("user", row["message"]),)))]
    told = [note["text"] for _, note in notes] + [text for _, text in said]
    asked, answers = [], []
    for n, note in notes:
        here = [len(notes) + i for i, (m, _) in enumerate(said) if m == n]
        for question, answer in (pair for kind in KINDS for pair in (note.get("study") or {}).get(kind, ())):
            holding = [i for i in here if says(told[i], answer)] or (here if len(here) == 1 else [])
            asked.append(question)
            answers.append([i for i, text in enumerate(told) if text == note["text"] or i in holding])
    table = np.zeros((len(asked), len(told)), bool)
    for row, some in zip(table, answers, strict=True):
        row[some] = True
    return Ledger(path.stem, asked, told, len(notes), table)


def fit(every: Sequence[Ledger], states: Mapping[str, Array], of: str) -> Nearness:
    "states: text -> [D]. Both maps start as the whitening of all texts, and are trained by AdamW in turns over the writers."
    chance = np.random.default_rng(SEED)
    whole = np.stack([states[text] for one in every for text in (*one.asked, *one.told)])
    mean, spread = whole.mean(axis=0), whole.std(axis=0) + 1e-6
    rows_of = {text: (row - mean) / spread for text, row in states.items()}
    maps = [_whitening((whole - mean) / spread)] * 2
    moments = [np.zeros((2, *maps[0].shape)) for _ in maps]
    strangers = [text for one in every for text in one.told]
    steps = [one for _ in range(EPOCHS) for n in chance.permutation(len(every)) for one in (every[n], every[n])]
    for step, ledger in enumerate(steps):
        found = _gradients(maps, *_batch(ledger, strangers, rows_of, chance))
        rate = RATE * (1 + np.cos(np.pi * step / len(steps))) / 2
        maps = [_adam(m, g, kept, rate, step + 1) for m, g, kept in zip(maps, found, moments, strict=True)]
    asked, told = (np.concatenate([m / spread[:, None], -(mean / spread)[None] @ m]) for m in maps)
    return Nearness(asked.astype(np.float32), told.astype(np.float32), of)


def _whitening(rows: Array) -> Array:
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    return np.asarray(vectors[:, ::-1][:, :WIDTH] / np.sqrt(values[::-1][:WIDTH]))


def _batch(one: Ledger, strangers: Sequence[str], states: Mapping[str, Array],
           chance: np.random.Generator) -> tuple[Array, Array, Array]:
    "[B, D] questions, [N, D] what could answer them, [B, N] what does; some of the states' numbers are dropped."
    picked = [n for n in chance.permutation(len(one.asked)) if one.answers[n].any()][:ASKED]
    own = set(one.told)
    beside = [text for text in chance.choice(strangers, OTHERS) if text not in own]
    x, y = (np.stack([states[t] for t in texts]) for texts in ([one.asked[n] for n in picked], [*one.told, *beside]))
    right = np.concatenate([one.answers[picked], np.zeros((len(picked), len(beside)), bool)], axis=1)
    x, y = (z * (chance.random(z.shape) >= DROPPED) / (1 - DROPPED) for z in (x, y))
    return x, y, right


def _gradients(maps: Sequence[Array], x: Array, y: Array, right: Array) -> tuple[Array, Array]:
    "Of the mean cross-entropy, with respect to both maps [D, R]."
    (u, lu), (v, lv) = (_unit(z @ m) for z, m in zip((x, y), maps, strict=True))
    scores = SHARP * u @ v.T
    wrong = (_softmax(scores) - _softmax(np.where(right, scores, -np.inf))) * SHARP / len(x)
    du, dv = wrong @ v, wrong.T @ u
    return x.T @ ((du - (du * u).sum(-1, keepdims=True) * u) / lu), y.T @ ((dv - (dv * v).sum(-1, keepdims=True) * v) / lv)


def _unit(rows: Array) -> tuple[Array, Array]:
    long = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / long, long


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _adam(m: Array, g: Array, kept: Array, rate: float, step: int) -> Array:
    "Loshchilov and Hutter, 1711.05101. kept: [2, D, R], its moments."
    kept[0] = 0.9 * kept[0] + 0.1 * g
    kept[1] = 0.999 * kept[1] + 0.001 * g**2
    return np.asarray(m - rate * (kept[0] / (1 - 0.9**step) / (np.sqrt(kept[1] / (1 - 0.999**step)) + 1e-8) + DECAY * m))


def measured(maps: Nearness, one: Ledger, states: Mapping[str, Array]) -> Iterator[Row]:
    "How often what answers is the nearest, among the nearest 12 and 24: of the notes, and of the sentences."
    near = maps.questions(np.stack([states[t] for t in one.asked])) @ maps.answers(np.stack([states[t] for t in one.told])).T
    for name, part in (("notes", slice(0, one.notes)), ("sentences", slice(one.notes, None))):
        right, mine = one.answers[:, part], near[:, part]
        able = right.any(axis=1)
        before = (mine > np.where(right, mine, -np.inf).max(axis=1)[:, None]).sum(axis=1)[able]
        yield {"writer": one.writer, "of": f"{mine.shape[1]} {name}", "questions": int(able.sum()),
               **{str(k): share(before < k) for k in (1, 12, 24)}}


def states(texts: Sequence[str]) -> tuple[dict[str, Array], str]:
    "text -> [D], as an engine's `embed` says it, and the base's SHA-256."
    from pocketsleep.runtime.mlx import Mlx

    card, base = default_base()
    every = sorted(set(texts), key=len)
    return dict(zip(every, Mlx(card, base).means(every), strict=True)), base.sha256


def main(arguments: Sequence[str]) -> None:
    study, out, *rest = arguments
    left = rest[rest.index("--leave") + 1].split(",") if "--leave" in rest else []
    every = ledgers(Path(study))
    rows_of, of = states([text for one in every for text in (*one.asked, *one.told)])
    made = fit([one for one in every if one.writer not in left], rows_of, of)
    made.write(Path(out) / NEAR)
    found: list[dict[str, Any]] = [row for one in every if one.writer in left for row in measured(made, one, rows_of)]
    print("\n".join(map(json.dumps, found)))


if __name__ == "__main__":
    main(sys.argv[1:])
