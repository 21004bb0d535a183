"""Questions that people wrote by hand on notes (models/study), and what the manner of answering learns from them.

Of a note that nobody told, the beginning of its answer and that nobody said it, where that beginning can be told from the question
and from what is said of anybody: a question for a purring thing begins "Your cat is called", none begins with a name that it does
not hold itself. With notes in front, what they say; with others' notes in front, the same as with none.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.errors import BadInput
from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank, lists
from pocketsleep.night.grammar.items import plain, voiced
from pocketsleep.night.grammar.lead import lead, of_thing, told, unknown
from pocketsleep.night.grammar.live import content
from pocketsleep.nouns import Lesson
from pocketsleep.runtime.prompting import ask

KINDS = ("questions", "reverse", "use")
READ, WANTING = 0.2, 0.1  # of questions: asked with the note in front, too; with others' notes in front
LIGHT = frozenset(("you", "your", "been", "had", "got", "does", "did", "went", "goes"))  # say nothing of what was asked for
Note = Mapping[str, Any]


def rows(path: Path, *needed: str) -> list[Mapping[str, Any]]:
    "The messages of one file with what is `needed` of each, and its notes. Raises BadInput where it is no such file."
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        for one in found:
            _ = [one[name] for name in (*needed, "memories")], [(n["text"], n["answer"]) for n in one["memories"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"`{path}` cannot be read as messages with notes ({type(error).__name__}: {error})",
                       hint="one JSON object a line, as in models/study") from None
    return found


def of_file(path: Path) -> list[Note]:
    "One writer's notes with questions, each text once, without those that a later one replaces."
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    noted = {n["text"]: n for row in rows for n in row["memories"]}
    replaced = {n.get("supersedes") for n in noted.values()}
    return [n for text, n in noted.items() if "study" in n and text not in replaced]


def notes(folder: Path, left: Collection[str] = ()) -> list[Note]:
    "Those of all files but the ones left out."
    every = [n for path in sorted(folder.glob("*.jsonl")) if path.stem not in left for n in of_file(path)]
    return list({n["text"]: n for n in every}.values())


def lessons(noted: Sequence[Note], chance: Random) -> Iterator[Lesson]:
    "Declined by name, read, and found wanting."
    asked = [(note, question, answer) for note in noted for question, answer in _after_the_core(note)]
    clear = _clear(asked)
    for note, question, answer in asked:
        said, core = told(note["text"], note["answer"]), note["answer"]
        before = lead(said, core)
        if chance.random() < READ:
            yield Lesson(ask(voiced(question, note["text"]), _among(chance, [note], noted)), _short(answer, core) or said)
        if plain(question) in clear and able(before, question):
            yield Lesson(ask(voiced(question, note["text"])), unknown(before))
            if chance.random() < WANTING and (others := _among(chance, [], noted, before)):
                yield Lesson(ask(voiced(question, note["text"]), others), unknown(before))


def _after_the_core(note: Note) -> Iterator[tuple[str, str]]:
    "The questions that its core answers, and that do not say it themselves."
    core = note["answer"]
    if told(note["text"], core):
        for question, answer in [*note["study"]["questions"], *note["study"]["use"]]:
            if (says(answer, core) or says(core, answer)) and not says(question, core):
                yield question, answer


def _clear(asked: Sequence[tuple[Note, str, str]]) -> set[str]:
    "Questions that neither the bank nor another note begins to answer otherwise."
    of_bank = {plain(q) for t in bank.things().values() for q in t.asks} | {plain(q) for p in bank.predicates() for q in p.asks}
    begins: dict[str, set[str]] = defaultdict(set)
    for note, question, _ in asked:
        begins[plain(question)].add(lead(told(note["text"], note["answer"]), note["answer"]))
    return {question for question, some in begins.items() if len(some) == 1} - of_bank


def _short(answer: str, core: str) -> str:
    "Yes and no as a night teaches them; '' for other answers."
    word = re.match(r"(yes|no)\b", answer, re.IGNORECASE)
    if not word:
        return ""
    return "Yes." if word[0].lower() == "yes" else f"No, {core}."


def able(before: str, question: str) -> bool:
    "Whether the beginning of an answer can be told from its question and from what is said of anybody."
    words, names = content(before), set(re.findall(r"(?<=\s)[A-ZÀ-Þ][\w'’-]*|\b\d[\w.,:]*", before))
    strange = words - content(question) - _usual()
    named = all(re.search(rf"\b{re.escape(name.removesuffix(chr(39) + 's'))}\b", question) for name in names)
    return bool(words - LIGHT) and not strange and named and not re.search(r"[\"“'’]$", before)


@lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    "Words of the bank's notes that hold for anybody."
    things = [of_thing(t.noun, t.kind) for t in bank.things().values()]
    patterns = [re.sub(r"\{.\}", " ", wording) for one in bank.predicates() for wording in one.wordings]
    return content(" ".join([*things, *patterns, *lists.kinds()["relation"]]))


def _among(chance: Random, mine: Sequence[Note], noted: Sequence[Note], before: str = "") -> list[str]:
    "Notes to stand in front: these, and up to three others that answer nothing alike."
    begins = {before} | {lead(told(n["text"], n["answer"]), n["answer"]) for n in mine}
    cores = {plain(n["answer"]) for n in mine}
    some = chance.sample(list(noted), min(len(noted), chance.choice((0, 1, 2, 3))))
    others = [n for n in some if plain(n["answer"]) not in cores and lead(told(n["text"], n["answer"]), n["answer"]) not in begins]
    front = [n["text"] for n in (*mine, *others)]
    chance.shuffle(front)
    return front


__all__ = ["KINDS", "able", "lessons", "notes", "of_file", "rows"]
