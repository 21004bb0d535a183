"""What the manner of answering learns from questions that people wrote on notes by hand (models/study): the many ways to ask.

Of a note that nobody told, the beginning of its answer and that nobody said it, where that beginning can be told from the question
and from what is said of anybody: a question for a purring thing begins "Your cat is called", none begins with a name it does not
hold. With notes in front, what they say; with others' notes in front, that they do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank, lists
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.items import voiced
from pocketsleep.night.grammar.lead import DECLINE, lead, of_thing, told, unknown
from pocketsleep.night.grammar.live import content
from pocketsleep.nouns import Lesson
from pocketsleep.runtime.prompting import ask

SHORTEST = 3  # words that a beginning must have to say what is asked for
READ = 0.4  # of questions, asked with the note in front, too
Note = Mapping[str, Any]


def notes(folder: Path, left: Collection[str] = ()) -> list[Note]:
    "Notes with questions by hand, of all files but those left out, each text once."
    files = [path for path in sorted(folder.glob("*.jsonl")) if path.stem not in left]
    rows = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return list({n["text"]: n for row in rows for n in row["memories"] if "study" in n}.values())


def lessons(noted: Sequence[Note], chance: Random) -> Iterator[Lesson]:
    "Declined by name, read, and found wanting."
    for note in noted:
        said, core, text = told(note["text"], note["answer"]), note["answer"], note["text"]
        before = lead(said, core)
        for question, answer in [*note["study"]["questions"], *note["study"]["use"]]:
            whole = re.match(r"(?:yes|no)\b", answer, re.IGNORECASE) or says(answer, core) or says(core, answer)
            if not said or not whole or says(question, core):
                continue
            if able(before, question):
                yield Lesson(ask(voiced(question, text)), unknown(before))
            if chance.random() < READ:
                polar = re.match(r"(?:yes|no)\b", answer, re.IGNORECASE)
                yield Lesson(ask(question, _among(chance, text, noted)), sentence(answer) if polar else said)
        for question in [*note["study"]["unstated"], *(q for q, _ in note["study"]["contrast"])]:
            if chance.random() < READ:
                yield Lesson(ask(question, _among(chance, text, noted)), DECLINE)


def able(before: str, question: str) -> bool:
    "Whether the beginning of an answer can be told from its question and from what is said of anybody."
    strange = content(before) - content(question) - _usual()
    return len(before.split()) >= SHORTEST and not strange and not re.search(r"[\"“'’]$", before)


@lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    "Words of the bank's notes that hold for anybody."
    things = [of_thing(t.noun, t.kind) for t in bank.things().values()]
    patterns = [re.sub(r"\{.\}", " ", wording) for one in bank.predicates() for wording in one.wordings]
    return content(" ".join([*things, *patterns, *lists.kinds()["relation"]]))


def _among(chance: Random, text: str, noted: Sequence[Note]) -> list[str]:
    others = chance.sample(list(noted), min(len(noted), chance.choice((0, 1, 2, 3))))
    some = [text, *(n["text"] for n in others if n["text"] != text)]
    chance.shuffle(some)
    return some


__all__ = ["able", "lessons", "notes"]
