"""How the skill adapters are made, and how well they do on writers they never saw.

    python -m pocketsleep.bench.skills ear|writer|dreamer STUDY OUT [--leave WRITER,...]

STUDY holds the hand-written messages (models/study): one file a writer, one message a line, as `bench extract` reads
them; notes with a `study` key teach the dreamer. OUT is a folder such as models/skills. Which writers were left out is written
into the skill; the probe is measured by folds over writers, and then taught by all of them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import Any

import numpy as np

from pocketsleep import cards, weights
from pocketsleep.bench.swapped import passes, reworded
from pocketsleep.night import skill
from pocketsleep.night.dreamt import UNSAID, prompt, reading
from pocketsleep.night.listen import probe
from pocketsleep.night.listen.provenance import own_words
from pocketsleep.night.listen.said import LAYERS, Said, flags, laid_out, writing
from pocketsleep.night.listen.sentences import Sentence, sentences
from pocketsleep.nouns import Lesson, Plan

L2, FLAG_WEIGHT, COMPONENTS = 0.2, 0.3, 900
KEYS = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
FIRST = 10  # of SmolLM2's 30 blocks: those below stay as they are, and are computed once
SEED = 0
WRITTEN, SWAPPED = 3, 0.6  # passes of the writer, and how many of its lessons have other names and numbers in them

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    "One hand-written message, its notes by sentence."

    writer: str
    said: Said
    notes: tuple[tuple[Note, ...], ...]  # one tuple a sentence of `said`


def read(folder: Path) -> list[Line]:
    "Every message of every writer."
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            known = tuple(k if isinstance(k, str) else k["text"] for k in row.get("known") or [])
            own, _ = own_words(row["message"])
            parts = tuple(s for p in own for s in sentences(row["message"], p.start, p.end))
            said = Said(row["message"], parts, row["before"] or "", known)
            found.append(Line(path.stem, said, tuple(tuple(_of(row, one)) for one in parts)))
    return found


def _of(row: Mapping[str, Any], one: Sentence) -> Iterator[Note]:
    "The notes that a sentence gives: where their span begins."
    for note in row["memories"]:
        at = row["message"].find(note["span"])
        if one.start <= at < one.end:
            yield note


def ear(lines: Sequence[Line], out: Path) -> dict[str, Any]:
    "Train the probe on all writers; five times without a fifth of them, to measure."
    from pocketsleep.runtime.mlx import Mlx

    card, base = default_base()
    heard = [one for one in lines if one.said.sentences]
    laid = [laid_out(one.said, base.tokenizer.encode) for one in heard]
    states = Mlx(card, base).states([ids for ids, _ in laid], LAYERS)
    rows = probe.features([one.said for one in heard], states, [spans for _, spans in laid])
    x = np.stack(list(rows)).astype(np.float64)
    y = np.array([bool(notes) for one in heard for notes in one.notes], np.float64)
    writer = np.array([one.writer for one in heard for _ in one.notes])
    size = len(flags(heard[0].said, heard[0].said.sentences[0]))
    scores = np.zeros(len(y))
    names = sorted(set(writer))
    for fold in range(5):
        out_of = np.isin(writer, names[fold::5])
        scores[out_of] = probe.fit(x[~out_of], y[~out_of], L2, FLAG_WEIGHT, size, "", COMPONENTS).chances(x[out_of])
    probe.fit(x, y, L2, FLAG_WEIGHT, size, base.sha256, COMPONENTS).write(out / skill.EAR)
    return {"sentences": len(y), "noted": float(y.mean()), "average_precision": probe.average_precision(y, scores),
            **{f"recall_at_{p}": probe.recall_at(y, scores, p) for p in (0.6, 0.7, 0.8, 0.9)}}


def writer_lessons(lines: Sequence[Line], seed: int = SEED) -> list[Lesson]:
    """Every sentence with notes, three times, with other names from the second time on (swapped.py). None of the others: taught to
    write nothing, it wrote nothing nearly always."""
    found = []
    for one in lines:
        for sentence, notes in zip(one.said.sentences, one.notes, strict=True):
            if notes:
                told = "\n".join(f"{reworded(n['text'])} | {n['answer']}" for n in notes)
                found.append(Lesson(writing(one.said, sentence), told))
    Random(seed).shuffle(found)  # names are drawn in turn: another order, other names than the shipped writer was taught with
    return list(passes(found, WRITTEN, SWAPPED, seed))


def dreamer_lessons(notes: Sequence[Note], seed: int = SEED) -> list[Lesson]:
    "Proposals of each kind, and reading: questions answered from one to four notes, or not said."
    chance, found = Random(seed), []
    for note in notes:
        study, text = note["study"], note["text"]
        asked, turned = list(study["questions"]), [*study["reverse"], *study["use"]]
        chance.shuffle(asked)
        unsaid = [*study["unstated"], *(q for q, _ in study["contrast"])]
        found += [Lesson(prompt("ask", text), _listed(asked)), Lesson(prompt("turn", text), _listed(turned)),
                  Lesson(prompt("never", text), "\n".join(unsaid))]
        found += [Lesson(reading(_among(chance, note, notes), q), a) for q, a in chance.sample([*asked, *turned], 3)]
        found.append(Lesson(reading(_among(chance, note, notes), chance.choice(unsaid)), UNSAID))
        other = chance.choice(notes)
        if other is not note:
            found.append(Lesson(reading([text], chance.choice(other["study"]["questions"])[0]), UNSAID))
    chance.shuffle(found)
    return found


def _listed(pairs: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"{question} | {answer}" for question, answer in pairs)


def _among(chance: Random, note: Note, notes: Sequence[Note]) -> list[str]:
    some = chance.sample(list(notes), chance.choice([0, 0, 1, 2, 3]))
    listed = [note["text"], *(other["text"] for other in some if other is not note)]
    chance.shuffle(listed)
    return listed


def train(name: str, lessons: Sequence[Lesson], out: Path, epochs: int, made: Mapping[str, Any],
          rate: float = 8e-4, rank: int = 16, first: int = FIRST) -> dict[str, Any]:
    "Train one skill adapter on the default base and write it down: as it is after the last pass."
    from pocketsleep.runtime.mlx import Mlx

    card, base = default_base()
    plan = Plan(rank=rank, scale=2.0, keys=KEYS, layers=tuple(range(first, base.layers)), learning_rate=rate, epochs=epochs,
                batch=8, seed=SEED, enough=2.0)
    started, told = time.monotonic(), [0.0]

    def tick(done: int, total: int, loss: float) -> None:
        if time.monotonic() - told[0] > 20:
            told[0] = time.monotonic()
            sys.stderr.write(f"{done} of {total}  loss {loss:.3f}  {time.monotonic() - started:.0f} s\n")

    work = out / f"{name}.work"  # cut short, the same command goes on there
    learnt = Mlx(card, base).train(lessons, [], plan, work, tick)
    figures = {"lessons": len(lessons), "seconds": round(time.monotonic() - started),
               "losses": [round(e.loss, 3) for e in learnt.epochs], **made}
    skill.write(out / name, learnt.tensors, plan, card.name, base.sha256, figures)
    rmtree(work)
    return figures


def default_base() -> tuple[Any, weights.Base]:
    card = cards.find(cards.DEFAULT)
    return card, weights.open_base(card, Path(tempfile.gettempdir()) / "pocketsleep-skills")


def main(arguments: list[str]) -> None:
    "One JSON object on stdout."
    left = set(arguments[arguments.index("--leave") + 1].split(",")) if "--leave" in arguments else set()
    which, study, out = arguments[0], Path(arguments[1]), Path(arguments[2])
    out.mkdir(parents=True, exist_ok=True)
    lines = read(study)
    kept = [x for x in lines if x.writer not in left]
    made = {"left_out": sorted(left)}
    if which == "ear":
        figures = {**ear(kept, out), **made}
    elif which == "writer":
        figures = train(skill.WRITER, writer_lessons(kept), out, 1, made, rate=6e-4, rank=32)
    else:
        notes = [n for x in kept for of in x.notes for n in of if "study" in n]
        figures = train(skill.DREAMER, dreamer_lessons(notes), out, 1, {**made, "notes": len(notes)})
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
