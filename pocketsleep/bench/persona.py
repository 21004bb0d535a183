"""Sets about one simulated person, and what answers to them are worth.

A set is a folder:

    day-N.jsonl       conversations, as `pocketsleep import` reads them
    facts.jsonl       {"fact", "day", "text", "answer", "superseded_by", "conversation", "message"}: what should be kept
    questions.jsonl   {"id", "after_day", "kind", "question", "answers", "must_not", "fact"?, "until_day"?}
    junk.jsonl        {"day", "must_not"}: what must not be kept

Kinds of question: direct, paraphrase, reverse, indirect, composition, superseded, yes_no; unstated (must be declined),
other_entity and junk (must not give the person's value), general.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from pocketsleep.errors import BadInput
from pocketsleep.night.grade import declines, plain, says
from pocketsleep.nouns import Memory

Row = dict[str, Any]
TOLD = ("direct", "paraphrase")
NEEDED = {"facts": ("fact", "day", "text", "answer", "conversation", "message"),
          "questions": ("id", "after_day", "kind", "question", "answers"), "junk": ("day", "must_not")}
LEAKS = ("other_entity", "general", "unstated", "junk")


@dataclass(frozen=True, slots=True)
class Persona:
    "A set as it was read."

    folder: Path
    facts: Mapping[str, Row]
    questions: tuple[Row, ...]
    junk: tuple[Row, ...]

    def told(self, day: int) -> Iterator[tuple[str, str | None]]:
        "(note, what it replaces) of one day."
        replaced = {f["superseded_by"]: f["text"] for f in self.facts.values() if f.get("superseded_by")}
        yield from ((f["text"], replaced.get(name)) for name, f in self.facts.items() if f["day"] == day)

    def asked(self, day: int) -> list[Row]:
        "Questions that can be asked after so many days: not those whose time is over, nor those on what was replaced."
        dead = {name for name, f in self.facts.items()
                if f.get("superseded_by") and self.facts[f["superseded_by"]]["day"] <= day}
        return [q for q in self.questions if q["after_day"] <= day <= q.get("until_day", day)
                and (q["kind"] == "superseded" or q.get("fact") not in dead)]

    @property
    def days(self) -> int:
        return max(f["day"] for f in self.facts.values())


def read(folder: Path, needed: Mapping[str, Sequence[str]] = NEEDED) -> Persona:
    "Raises BadInput when a file is missing or damaged, or lacks what is `needed` of each of its rows."
    rows = {name: _lines(folder / f"{name}.jsonl", *of_each) for name, of_each in needed.items()}
    if not rows["facts"] or not rows["questions"]:
        raise BadInput(f"`{folder}` has no facts, or no questions on them", hint="pocketsleep bench learn FOLDER")
    return Persona(folder, {f["fact"]: f for f in rows["facts"]}, tuple(rows["questions"]), tuple(rows["junk"]))


def _lines(path: Path, *needed: str) -> list[Row]:
    try:
        found: list[Row] = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        for one in found:
            _ = [one[name] for name in needed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"`{path}` is not part of a set about a person ({type(error).__name__}: {error})",
                       hint="pocketsleep bench learn FOLDER") from None
    return found


def right(question: Row, answer: str) -> bool:
    "Lenient in form, strict in substance: a banned value loses, whatever else is said."
    wanted, banned = question["answers"], question.get("must_not", [])
    if question["kind"] == "yes_no":
        return plain(answer).split()[:1] in [plain(w).split()[:1] for w in wanted]
    if any(says(answer, b) for b in banned):
        return False
    if question["kind"] == "unstated":
        return declines(answer)
    return not wanted or any(says(answer, w) for w in wanted)


def score(persona: Persona, answers: Mapping[str, str], day: int) -> dict[str, Any]:
    "Shares by kind with their 95% intervals; bleed; wrongly declined; what was told, by its age in nights."
    kinds: dict[str, list[bool]] = defaultdict(list)
    ages: dict[str, list[bool]] = defaultdict(list)
    for q in persona.asked(day):
        said = answers[q["id"]]
        kinds[q["kind"]].append(right(q, said))
        if q["kind"] in LEAKS:
            kinds["bleed"].append(any(says(said, b) for b in q.get("must_not", [])))
        if q["kind"] in TOLD:
            kinds["wrongly declined"].append(declines(said) and not right(q, said))
            ages[str(day - q["after_day"])].append(right(q, said))
    return {"kinds": {k: share(v) for k, v in sorted(kinds.items())}, "by_age": {k: share(v) for k, v in sorted(ages.items())}}


def share(hits: Sequence[bool]) -> dict[str, float]:
    "A share of hits in per cent with Wilson's 95% interval."
    n, p, z = len(hits), sum(hits) / len(hits), 1.96
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"share": round(100 * p, 1), "low": round(100 * low, 1), "high": round(100 * high, 1), "n": n}


def heard(persona: Persona, memories: Sequence[Memory], day: int) -> dict[str, float | None]:
    "Of the ledger: facts found, memories that cite where a fact was said, junk stored; in per cent."
    told = [f for f in persona.facts.values() if f["day"] <= day]
    where = {(f["conversation"], f["message"]) for f in told}
    found = [any(says(m.text, f["answer"]) for m in memories) for f in told if not f.get("superseded_by")]
    cited = [any((c.episode, c.turn) in where for c in m.cites) for m in memories]
    stored = [any(says(m.text, b) for m in memories for b in j["must_not"]) for j in persona.junk if j["day"] <= day]
    named = {"facts found": found, "true source": cited, "junk stored": stored}
    return {name: share(hits)["share"] if hits else None for name, hits in named.items()}
