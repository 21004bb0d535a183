"""Public sets, and writers' notes, as lives: what is told before each night, and what is asked of it. Read from a path of yours;
nothing of them is kept here.

    tofu       full.jsonl, {"question", "answer"}, twenty rows an author
    squad      passages.json, [{"title", "context", "questions"}]; SEAL's protocol, a passage a night
    prefeval   mcq_options/*.json, the right option always first: shuffled here
    locomo     locomo.json, [{"conversation", "observation", "qa"}]; the first speaker is the user, asked in the first person
    study      hand-written messages (models/study), a file a writer: a writer's notes, and the questions written on them by hand

TOFU is MIT, SQuAD CC BY-SA 4.0; LoCoMo and PrefEval are CC BY-NC: for measuring only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench import byhand
from pocketsleep.errors import BadInput

Row = dict[str, Any]
GO_ON = "Go on with this text."


@dataclass(frozen=True, slots=True)
class Told:
    "What comes before one night: notes to remember, and the same as it stood, (prompt, text), for a LoRA on raw text."

    notes: tuple[str, ...]
    raw: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    "A question that the nights from `night` on (1 the first) should answer. With `options` one of them is chosen: `golds[0]`."

    id: str
    unit: str  # person, author or passage: what intervals are taken over
    night: int
    question: str
    golds: tuple[str, ...]
    context: tuple[str, ...]  # what answers it
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    "One home's nights and questions."

    days: tuple[Told, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Size:
    "How much of a set is taken: authors, passages, preferences or conversations; rows, questions or sessions of each; nights."

    limit: int = 2
    each: int = 6
    nights: int = 2


def lives(name: str, path: Path, size: Size) -> list[Life]:
    "Raises BadInput where the set is unknown or its file is not what it should be."
    if name not in READERS:
        raise BadInput(f"no set is called `{name}`", hint=f"--set {'|'.join(READERS)}")
    try:
        found = [life for life in READERS[name](path, size) if life.asked]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadInput(f"`{path}` cannot be read as {name} ({type(error).__name__}: {error})",
                       hint="bench/sets.py says what is in it") from None
    if not found:
        raise BadInput(f"`{path}` has nothing to ask", hint="a larger --limit or --each")
    return found


def _life(parts: Sequence[tuple[Told, Callable[[int], Iterator[Asked]]]], nights: int) -> Life:
    "Parts in order, shared out among nights as evenly as may be. Each is given the number of the night that follows it."
    count = min(nights, len(parts))
    of = [n * count // len(parts) + 1 for n in range(len(parts))]
    days = []
    for night in range(1, count + 1):
        mine = [told for (told, _), n in zip(parts, of, strict=True) if n == night]
        days.append(Told(tuple(x for told in mine for x in told.notes), tuple(x for told in mine for x in told.raw)))
    return Life(tuple(days), tuple(one for (_, asked), n in zip(parts, of, strict=True) for one in asked(n)))


AUTHOR = 20  # rows of one author


def tofu(path: Path, size: Size) -> Iterator[Life]:
    text = (path / "full.jsonl" if path.is_dir() else path).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    parts = []
    for n in range(min(size.limit, -(-len(rows) // AUTHOR))):
        mine = rows[AUTHOR * n : AUTHOR * (n + 1)][: size.each]
        parts.append((Told(tuple(r["answer"] for r in mine), tuple((r["question"], r["answer"]) for r in mine)), _author(n, mine)))
    yield _life(parts, size.nights)


def _author(n: int, rows: Sequence[Row]) -> Callable[[int], Iterator[Asked]]:
    return lambda night: (Asked(f"a{n + 1}-{i}", f"author {n + 1}", night, r["question"], (r["answer"],), (r["answer"],))
                          for i, r in enumerate(rows))


MEASURED = 200  # of SEAL's passages


def squad(path: Path, size: Size) -> Iterator[Life]:
    rows = _json(path / "passages.json" if path.is_dir() else path)[:MEASURED]
    some = rows[:: max(1, len(rows) // size.limit)][: size.limit]
    told = [Told(tuple(sentences(r["context"])), ((GO_ON, r["context"]),)) for r in some]
    yield _life([(one, _passage(n, r, size.each)) for n, (one, r) in enumerate(zip(told, some, strict=True))], size.nights)


def _passage(n: int, row: Row, each: int) -> Callable[[int], Iterator[Asked]]:
    return lambda night: (Asked(f"p{n + 1}-{i}", f"{n + 1} {row['title']}", night, q["question"], _golds(q), (row["context"],))
                          for i, q in enumerate(row["questions"][:each]))


def _golds(row: Row) -> tuple[str, ...]:
    return tuple(map(str, row["answer"] if isinstance(row["answer"], list) else [row["answer"]]))


def sentences(text: str) -> list[str]:
    return [s.strip() for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\"“])", text) if s.strip()]


def prefeval(path: Path, size: Size) -> Iterator[Life]:
    files = sorted((path / "mcq_options" if (path / "mcq_options").is_dir() else path).glob("*.json"))
    topics = [(file.stem, _json(file)) for file in files]
    longest = max((len(rows) for _, rows in topics), default=0)
    some = [(f"{topic}-{n}", rows[n]) for n in range(longest) for topic, rows in topics if n < len(rows)][: size.limit]
    yield _life([(Told((r["preference"],), ((GO_ON, r["preference"]),)), _preference(name, r)) for name, r in some], size.nights)


def _preference(name: str, row: Row) -> Callable[[int], Iterator[Asked]]:
    right, options = row["classification_task_options"][0], list(row["classification_task_options"])
    Random(name).shuffle(options)
    return lambda night: iter([Asked(name, name, night, row["question"], (right,), (row["preference"],), tuple(options))])


TOLD = re.compile(r"D(\d+):(\d+)")
ADVERSARIAL = 5  # a category without an answer


def locomo(path: Path, size: Size) -> Iterator[Life]:
    for row in _json(path / "locomo.json" if path.is_dir() else path)[: size.limit]:
        talk, me = row["conversation"], row["conversation"]["speaker_a"]
        sessions = [n for n in range(1, size.each + 1) if talk.get(f"session_{n}")]
        said = {turn["dia_id"]: (turn, talk[f"session_{n}_date_time"]) for n in sessions for turn in talk[f"session_{n}"]}
        asked = [q for q in row["qa"] if q.get("category") != ADVERSARIAL and "answer" in q and _mine(q, said, me)]
        parts = [(_session(row, n, me), _questions(row, n, asked, said, me)) for n in sessions]
        yield _life(parts, size.nights)


def _mine(question: Row, said: Mapping[str, Any], me: str) -> bool:
    "Whether the user said, in these sessions, all that a question on the user rests on."
    cited = [m.group() for one in question.get("evidence", []) for m in TOLD.finditer(one)]
    return bool(cited) and me in question["question"] and all(c in said and said[c][0]["speaker"] == me for c in cited)


def _session(row: Row, n: int, me: str) -> Told:
    turns = row["conversation"][f"session_{n}"]
    raw = tuple((a["text"], b["text"]) for a, b in pairwise(turns) if a["speaker"] == me != b["speaker"])
    notes = row["observation"].get(f"session_{n}_observation", {}).get(me, [])
    told = [re.sub(rf"\b{re.escape(me)}\b", "the user", note[0]) for note in notes]
    return Told(tuple(note[:1].upper() + note[1:] for note in told), raw)


def _questions(row: Row, n: int, asked: Sequence[Row], said: Mapping[str, Any], me: str) -> Callable[[int], Iterator[Asked]]:
    "Those whose last evidence is in session n."
    def questions(night: int) -> Iterator[Asked]:
        for i, q in enumerate(asked):
            cited = [m.group() for one in q["evidence"] for m in TOLD.finditer(one)]
            if max(int(c[1:].split(":")[0]) for c in cited) == n:
                context = tuple(f"On {said[c][1]} the user said: {said[c][0]['text']}" for c in cited)
                name, golds = row["sample_id"], (str(q["answer"]),)
                yield Asked(f"{name}-{i}", name, night, mine(q["question"], me), golds, context)

    return questions


VERBS = (("is", "am"), ("does", "do"), ("has", "have"))


def mine(question: str, me: str) -> str:
    "A question about somebody as that person would ask it."
    said = re.sub(rf"\b{re.escape(me)}\b", "I", re.sub(rf"\b{re.escape(me)}['’]s\b", "my", question))
    for third, first in VERBS:
        said = re.sub(rf"\b{third} I\b", f"{first} I", said)
        said = re.sub(rf"^{third.capitalize()} I\b", f"{first.capitalize()} I", said)
        said = re.sub(rf"\bI {third}\b", f"I {first}", said)
    return said


def study(path: Path, size: Size) -> Iterator[Life]:
    "A life a writer, of those of whose notes people asked questions."
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    noted = [(file.stem, byhand.of_file(file)[: size.each]) for file in files]
    for writer, notes in [one for one in noted if one[1]][: size.limit]:
        told = [Told((n["text"],), ((GO_ON, n["text"]),)) for n in notes]
        parts = [(one, _on(writer, i, n)) for i, (one, n) in enumerate(zip(told, notes, strict=True))]
        yield _life(parts, size.nights)


def _on(writer: str, n: int, note: byhand.Note) -> Callable[[int], Iterator[Asked]]:
    asked = [(kind, i, *pair) for kind in byhand.KINDS for i, pair in enumerate(note["study"].get(kind, ()))]
    return lambda night: (Asked(f"{writer}-{n}-{kind}-{i}", writer, night, question, (answer,), (note["text"],))
                          for kind, i, question, answer in asked)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


READERS: Mapping[str, Callable[[Path, Size], Iterator[Life]]] = {
    "tofu": tofu, "squad": squad, "prefeval": prefeval, "locomo": locomo, "study": study}


__all__ = ["READERS", "Asked", "Life", "Size", "Told", "lives", "mine", "sentences"]
