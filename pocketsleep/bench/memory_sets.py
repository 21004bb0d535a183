"""What memory layers are measured on: talks that leave the window, and answers to choose between afterwards.

    told      self-made talks of another seed (`told.py`): facts of the question bank, and names with what is theirs
    tofu      facts of invented authors that no training talk holds, said in passing; wrong answers are TOFU's perturbed ones
    persona   facts of one person said in passing; wrong answers are other facts' values
    recall    nl_mqar, update, niah: names and things, what has changed, a sentence in prose
    text      prose that goes on: the answer is its next tokens
    text_elsewhere  the same, after facts that have nothing to do with it
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench import told
from pocketsleep.bench.memory_layers import leaving
from pocketsleep.bench.persona import TOLD, read
from pocketsleep.errors import BadInput
from pocketsleep.nouns import Message
from pocketsleep.runtime.mlx_memory import head
from pocketsleep.runtime.mlx_recall import Continuation
from pocketsleep.weights import Base

CHUNK = 400  # tokens that leave at once
AUTHOR_ASKS, PERSON_FACTS, WRONG = 6, 20, 3
PARTS = (("nl_mqar", "n_pairs", (4, 8, 16)), ("update", "n", (4, 8)), ("niah", "words", (200, 400)))
TOLD_AND_ASKED = {"facts": ("fact", "text", "answer"), "questions": ("kind", "question"), "junk": ()}  # of a person's files
MARKUP = re.compile(r"\n = [^=\n]+ = \n")


@dataclass(frozen=True, slots=True)
class Sets:
    "Where measured data lies; what is not given is left out."

    tofu: Path | None = None
    persona: Path | None = None
    recall: Path | None = None
    text: Path | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    "Answers to one question, the right one first; `stale`: which of them was true before."

    name: str
    answers: tuple[Continuation, ...]
    stale: int = -1


@dataclass(frozen=True, slots=True)
class Talked:
    "Chunks of tokens that left, one after the other, and what is asked afterwards."

    chunks: tuple[tuple[int, ...], ...]
    asked: tuple[Choice, ...]


def talked(base: Base, sets: Sets, items: int) -> Iterator[Talked]:
    "Every set that there is, about `items` questions of each kind."
    yield from facts(base, items)
    if sets.tofu:
        yield from _tofu(base, sets.tofu, items)
    if sets.persona:
        yield from _persona(base, sets.persona)
    if sets.recall:
        yield from _recall(base, sets.recall, items)
    if sets.text:
        yield from _text(base, sets.text, items)


def chunks(base: Base, turns: Sequence[tuple[str, str]]) -> tuple[tuple[int, ...], ...]:
    "Turns in pieces of at most CHUNK tokens (or of one turn). The first begins behind the head, others open their own turn."
    opening = head(base)
    own = opening[_turn(opening, base) :]
    made: list[list[int]] = []
    for turn in turns:
        ids = leaving(base, [turn], len(opening))
        if made and len(made[-1]) + len(own) + len(ids) <= CHUNK:
            made[-1] += [*own, *ids]
        else:
            made.append([*(own if made else ()), *ids])
    return tuple(tuple(part[:CHUNK]) for part in made)


def _turn(opening: Sequence[int], base: Base) -> int:
    "Where the last turn of a head begins."
    starts = [i for i, token in enumerate(opening) if token == base.prompter.turn_start]
    return starts[-1] if starts else 0


def between(base: Base, chunk_list: Sequence[Sequence[int]], window: Sequence[int]) -> list[int]:
    "A window's prompt with all that left put in front again."
    opening = head(base)
    front = [token for part in chunk_list for token in part]
    rest = list(window[len(opening) :]) if list(window[: len(opening)]) == opening else list(window)
    own = opening[_turn(opening, base) :] if rest else []
    return [*opening, *front, *own, *rest]


def choice(base: Base, name: str, question: str, answers: Sequence[str], lead: str = "", stale: int = -1) -> Choice:
    prompt = tuple(base.prompter.ids([Message("user", question)]))
    given = base.tokenizer.encode(lead) if lead else []
    space = " " if lead else ""
    made = tuple(Continuation(prompt, tuple([*given, *base.tokenizer.encode(space + answer)]), len(given)) for answer in answers)
    return Choice(name, made, stale)


def facts(base: Base, items: int) -> Iterator[Talked]:
    "Self-made talks: first of the question bank, then of names."
    chance = Random(99)
    for kind, made in (("told", told.bank(chance)), ("told_names", told.pairs(chance))):
        for talk in (next(made) for _ in range(max(1, items // 4))):
            some = [ask for ask in talk.asks if ask.lead][:4]
            asked = []
            for ask in some:
                old = unlike([w if w.endswith(".") else f"{w}." for w in ask.wrong], [ask.value])[:1]
                wrong = unlike([one.value for one in talk.asks if one.key != ask.key], [ask.value, *old])[:WRONG]
                asked.append(choice(base, kind, ask.question, [ask.value, *old, *wrong], ask.lead, 1 if old else -1))
            yield Talked(chunks(base, talk.turns), tuple(one for one in asked if len(one.answers) > 1))


def unlike(values: Sequence[str], others: Sequence[str]) -> list[str]:
    "Those that are none of the others, nor how one begins, nor said before, but for case and the point at the end."
    known, found = {_alike(one) for one in others}, []
    for value in values:
        if _alike(value) not in known and not any(_alike(one).startswith(f"{_alike(value)} ") for one in others):
            known.add(_alike(value))
            found.append(value)
    return found


def _alike(value: str) -> str:
    return value.casefold().rstrip(" .!?")


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise BadInput(f"`{path}` cannot be read ({error})", hint="pocketsleep memory-layers check --help") from None


def _tofu(base: Base, folder: Path, items: int) -> Iterator[Talked]:
    wrong = {row["question"]: row["perturbed_answer"][:WRONG] for row in _rows(folder / "retain_perturbed.json")}
    for i, facts in enumerate(told.tofu_authors(folder / "full.jsonl")[: max(1, min(told.TOFU_HELD, items // AUTHOR_ASKS))]):
        chance = Random(i)
        turns = [(told.carried(answer, chance), chance.choice(told.ACKS)) for _, answer in facts]
        some = [(q, a) for q, a in chance.sample(facts, AUTHOR_ASKS) if q in wrong]
        yield Talked(chunks(base, turns), tuple(choice(base, "tofu", q, [a, *wrong[q]]) for q, a in some))


def _persona(base: Base, folder: Path) -> Iterator[Talked]:
    person, chance = read(folder, TOLD_AND_ASKED), Random(3)
    dead = {name for name, fact in person.facts.items() if fact.get("superseded_by")}
    facts = list(person.facts.values())
    for at in range(0, len(facts), PERSON_FACTS):
        some = {fact["fact"]: fact for fact in facts[at : at + PERSON_FACTS]}
        turns = [(told.carried(of_oneself(fact["text"]), chance), chance.choice(told.ACKS)) for fact in some.values()]
        asked = []
        for row in person.questions:
            if row["kind"] in TOLD and row.get("fact") in some and row["fact"] not in dead:
                right = some[row["fact"]]["answer"]
                others = [f["answer"] for f in some.values() if f["answer"] != right]
                wrong = chance.sample(others, min(WRONG, len(others)))
                answers = [f"{a[0].upper()}{a[1:]}." for a in (right, *wrong)]
                asked.append(choice(base, f"persona_{row['kind']}", row["question"], answers))
        yield Talked(chunks(base, turns), tuple(one for one in asked if len(one.answers) > 1))


THEIRS = (("the user says", "I say"), ("the user's", "my"), ("The user's", "My"), ("does not", "do not"), ("The user is", "I am"),
          ("The user has", "I have"), ("user now has", "user now have"), ("The user", "I"), ("the user", "me"))


def of_oneself(note: str) -> str:
    "\"The user keeps bees.\" -> \"I keep bees.\""
    for theirs, mine in THEIRS:
        note = note.replace(theirs, mine)
    return re.sub(r"\bI (\w+?)s\b(?!')", r"I \1", note)


def _recall(base: Base, folder: Path, items: int) -> Iterator[Talked]:
    for name, size, values in PARTS:
        rows = _rows(folder / f"{name}.jsonl")
        for value in values:
            for row in [r for r in rows if r[size] == value and r.get("needles", 1) == 1][:items]:
                *question, lead = re.split(r"(?<=[?.])\s+", row["question"])
                answers = [row["answer"], *(o for o in row["options"] if o != row["answer"])]
                stale = answers.index(row["stale"]) if row.get("stale") in answers else -1
                one = choice(base, f"{name}{value}", " ".join(question) or lead, [f"{a}." for a in answers], lead, stale)
                yield Talked(chunks(base, _turns(row["context"])), (one,))


def _turns(context: str, size: int = 900) -> list[tuple[str, str]]:
    "A long text told in several turns."
    parts: list[str] = [""]
    for sentence in re.split(r"(?<=\.)\s+", context):
        if len(parts[-1]) > size:
            parts.append("")
        parts[-1] = f"{parts[-1]} {sentence}".strip()
    return [(part, "Noted.") for part in parts]


def prose(path: Path) -> str:
    "Raises BadInput."
    hint = "`--text` names a file of plain prose in UTF-8"
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(f"`{path}` cannot be read ({error})", hint=hint) from None
    if not text.strip():
        raise BadInput(f"`{path}` is empty", hint=hint)
    return text


def _text(base: Base, path: Path, items: int) -> Iterator[Talked]:
    others = told.bank(Random(7))
    articles = [part for part in MARKUP.split(prose(path)) if len(part) > 6000][:items]
    for article in articles:
        ids = base.tokenizer.encode(article[:6000])
        left = tuple(tuple(ids[at : at + CHUNK]) for at in (0, CHUNK))
        after = (Continuation(tuple(head(base)), tuple(ids[2 * CHUNK : 2 * CHUNK + 200]), 1),)
        yield Talked(left, (Choice("text", after),))
        yield Talked(chunks(base, [turn for _ in range(3) for turn in next(others).turns]), (Choice("text_elsewhere", after),))
