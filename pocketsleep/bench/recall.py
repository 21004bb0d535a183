"""How well recall finds a note for a question that somebody else wrote by hand.

A file of study messages (models/study) holds notes with questions on them. Each file's notes are one person's ledger, and what a
night would ask of them by grammar alone is made anew; the hand-written questions are part of neither.

    first    questions whose own note comes first
    near     questions whose own note is among those of a second look
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pocketsleep.bench.byhand import KINDS
from pocketsleep.bench.persona import Row, share
from pocketsleep.errors import BadInput
from pocketsleep.night.dream import dream
from pocketsleep.nouns import Memory
from pocketsleep.serve.recall import SECOND, Index


def recall(folder: Path, per_memory: int) -> Iterator[Row]:
    "A row a file that has questions. Raises BadInput where none has."
    rows = [_row(path, asked, per_memory) for path in sorted(folder.glob("*.jsonl")) if (asked := _asked(path))]
    if not rows:
        raise BadInput(f"`{folder}` has no notes with questions on them", hint="pocketsleep bench recall models/study")
    yield from rows


def _asked(path: Path) -> list[tuple[Memory, str]]:
    "(note, question on it)."
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    notes = [note for line in lines for note in line["memories"] if note.get("study")]
    return [(Memory(n["text"], answer=n["answer"]), q) for n in notes for kind in KINDS for q, _ in n["study"].get(kind, ())]


def _row(path: Path, asked: list[tuple[Memory, str]], per_memory: int) -> Row:
    memories = list({note.id: note for note, _ in asked}.values())
    index = Index(memories, dream(memories, per_memory=per_memory))
    ranked = [(note.id, [m.id for m in index.ranked(question)]) for note, question in asked]
    return {"file": path.name, "notes": len(memories), "questions": len(asked),
            "first": share([found[:1] == [note] for note, found in ranked]),
            "near": share([note in found[:SECOND] for note, found in ranked])}
