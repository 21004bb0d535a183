"""How well recall finds a note for a question that somebody else wrote by hand.

A file of study messages (models/study) holds notes with questions on them. Each file's notes are one person's ledger, and what a
night would ask of them by grammar alone is made anew; the hand-written questions are part of neither.

    first       questions whose own note comes first, by words
    near        questions whose own note is among those of a second look, by words
    sought      of some questions: those whose own note the reader finds, and says that it answers (serve/seek.py)
    other       of the same: those for which it finds another note
    unanswered  of at most as many that their own note, the writer says, does not answer: those for which it finds a note
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pocketsleep.bench.byhand import KINDS, rows
from pocketsleep.bench.persona import Row, share
from pocketsleep.errors import BadInput
from pocketsleep.night.dream import dream
from pocketsleep.nouns import Memory
from pocketsleep.serve.recall import SECOND, Index
from pocketsleep.serve.seek import Reader, seek

Asked = tuple[Memory, str]  # a note, a question


def recall(folder: Path, per_memory: int, reader: Reader | None = None, some: int = 0,
           place: Callable[[Sequence[Memory]], None] = lambda notes: None) -> Iterator[Row]:
    """A row a file that has questions (`folder`: many, or one). `some` of a file's questions go to the reader, which knows what
    lies near them once `place` has placed the notes.

    Raises BadInput where none has."""
    files = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    made = [_row(path, notes, per_memory, reader, some, place) for path in files if _asked(notes := _studied(path), KINDS)]
    if not made:
        raise BadInput(f"`{folder}` has no notes with questions on them", hint="pocketsleep bench recall models/study")
    yield from made


def _studied(path: Path) -> list[dict[str, Any]]:
    return [note for line in rows(path) for note in line["memories"] if note.get("study")]


def _asked(notes: Sequence[dict[str, Any]], kinds: Sequence[str]) -> list[Asked]:
    return [(Memory(n["text"], answer=n["answer"]), q if isinstance(q, str) else q[0])
            for n in notes for kind in kinds for q in n["study"].get(kind, ())]


def _row(path: Path, notes: Sequence[dict[str, Any]], per_memory: int, reader: Reader | None, some: int,
         place: Callable[[Sequence[Memory]], None]) -> Row:
    asked, never = _asked(notes, KINDS), _asked(notes, ("unstated", "contrast"))
    memories = list({note.id: note for note, _ in asked}.values())
    index = Index(memories, dream(memories, per_memory=per_memory))
    ranked = [(note.id, [m.id for m in index.ranked(question)]) for note, question in asked]
    made: Row = {"file": path.name, "notes": len(memories), "questions": len(asked),
                 "first": share([found[:1] == [note] for note, found in ranked]),
                 "near": share([note in found[:SECOND] for note, found in ranked])}
    if reader is None or not some:
        return made
    place(memories)
    return made | _sought(reader, index, _spread(asked, some), _spread(never, some))


def _sought(reader: Reader, index: Index, asked: Sequence[Asked], never: Sequence[Asked]) -> Row:
    found = seek(reader, index, [q for _, q in asked])
    pairs = list(zip(found, [note for note, _ in asked], strict=True))
    invented = seek(reader, index, [q for _, q in never])
    hits, others = [one == note for one, note in pairs], [one not in (None, note) for one, note in pairs]
    made: Row = {"sought": share(hits), "other": share(others)}
    return made | ({"unanswered": share([one is not None for one in invented])} if invented else {})


def _spread(asked: Sequence[Asked], some: int) -> list[Asked]:
    "As evenly over the notes as may be."
    return [asked[n * len(asked) // some] for n in range(some)] if some < len(asked) else list(asked)
