"""Talks whose answers are whole sentences, said word for word: lives of people that nobody is, and messages of models/study.

    lives    five to eight long sentences on one invented person, each asked for in a few words
    quoted   messages that people wrote; the answer to their question is the sentence that it stands in
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench.told import ACKS, Ask, Talk, carried, invented_name
from pocketsleep.night.grammar import lists

TOLD = 5, 8  # sentences of a life
SHORT, LONG = 6, 45  # words of a sentence that is quoted
LIVES = (  # told, asked; {n}: the person, {s}: the surname, {other}: somebody else, the rest by kind of value
    ("{n} {s} was born in {place} in {month}, the youngest child of a {job} and a {job2} who had "
     "met while learning {language}.",
     ("Where was {n} {s} born?", "What were the parents of {n} {s}?")),
    ("Before anyone had heard of {n}, the years in {place} were spent as a {job}, saving every coin "
     "for a {colour} {thing}.",
     ("What did {n} do before being known?", "What was {n} {s} saving for?")),
    ("The first book by {n} {s} was called \"The {colour} {animal}\" and told of a {job} who "
     "crosses {place} with nothing but a {thing}.",
     ("What was the first book by {n} {s}?", "What does the first book of {n} tell of?")),
    ("Critics in {place} praised how {n} {s} writes about {subject}, though a few of them found the "
     "chapters on {food} rather too long.",
     ("What did critics praise in {n} {s}?", "How was the work of {n} received?")),
    ("In later years {n} moved to a {colour} house near {place}, together with a {animal} that "
     "answered only to words in {language}.",
     ("Where did {n} {s} live in later years?", "What animal lived with {n}?")),
    ("{n} {s} often says that playing the {instrument} every {daypart} taught more patience than "
     "any teacher of {subject} ever did.",
     ("What taught {n} {s} patience?", "Which instrument does {n} play?")),
    ("The prize that made {n} {s} known was given in {place}, for a long poem on {hobby} that had "
     "been refused by eleven publishers.",
     ("Which prize did {n} {s} win?", "For what was {n} given a prize?")),
    ("Friends remember {n} for dinners of {food} and {drink}, at which nobody was allowed to speak "
     "of {subject} before midnight.",
     ("For what do friends remember {n} {s}?", "What was served at the dinners of {n}?")),
    ("Through the whole of {season}, {n} {s} goes to {place} by {vehicle} to teach {language} to "
     "the children of every {job} there.",
     ("How does {n} {s} travel to {place}?", "What does {n} teach, and where?")),
    ("The style of {n} {s} is marked by short scenes, plain words, and a habit of ending each story "
     "with a description of {material}.",
     ("What marks the style of {n} {s}?", "How do the stories of {n} end?")),
    ("It was {other}, a retired {job} from {place}, who persuaded {n} to give up {sport} and to "
     "take {hobby} seriously.",
     ("Who persuaded {n} {s} to change?", "What did {n} give up, and for what?")),
    ("{n} {s} has never owned a {vehicle}, and explains this with a promise that was made to "
     "{other} in {place} one {month} long ago.",
     ("Why has {n} {s} never owned a {vehicle}?", "What promise did {n} make?")),
    ("At present {n} is working on a history of {sport} in {place}, for which {other} lent a trunk "
     "full of letters in {language}.",
     ("What is {n} {s} working on at present?", "Who lent letters to {n}?")),
    ("The father of {n} {s} repaired every {instrument} in {place}, and that workshop, painted "
     "{colour}, is where most of the tales are set.",
     ("What did the father of {n} {s} do?", "Where are most tales of {n} set?")),
    ("What {n} {s} fears most is a library without a catalogue, a dream that came back every "
     "{weekday} for a whole {season}.",
     ("What does {n} {s} fear most?", "Which dream came back to {n}?")),
)


def lives(chance: Random) -> Iterator[Talk]:
    kinds = lists.kinds()
    while True:
        name, last = invented_name(chance), invented_name(chance)
        some = [_life(chance, kinds, name, last, *row) for row in chance.sample(LIVES, chance.randint(*TOLD))]
        asks = tuple(Ask(chance.choice(questions), "", sentence, sentence) for sentence, questions in some)
        yield Talk("lives", tuple((carried(sentence, chance), chance.choice(ACKS)) for sentence, _ in some), asks)


def _life(chance: Random, kinds: Mapping[str, Sequence[str]], name: str, last: str, told: str,
          asked: Sequence[str]) -> tuple[str, list[str]]:
    values = {kind: chance.choice(kinds[kind.rstrip("2")]) for kind in re.findall(r"{(\w+)}", told)
              if kind not in ("n", "s", "other")}
    values |= {"n": name, "s": last, "other": f"{invented_name(chance)} {invented_name(chance)}"}
    return told.format(**values), [question.format(**values) for question in asked]


def quoted(folder: Path, chance: Random) -> Iterator[Talk]:
    "Three to five messages a talk, until there are no more."
    rows = [json.loads(line) for path in sorted(folder.glob("s*.jsonl")) for line in path.read_text("utf-8").splitlines() if line]
    rows = [row for row in rows if any(True for _ in _quotes(row)) and len(row["message"]) < 500]
    chance.shuffle(rows)
    while len(rows) > 5:
        some = [rows.pop() for _ in range(chance.randint(3, 5))]
        found = [list(_quotes(row)) for row in some]
        asks = tuple(one for quotes in found for one in chance.sample(quotes, min(2, len(quotes))))
        yield Talk("quoted", tuple((row["message"], chance.choice(ACKS)) for row in some), asks)


def _quotes(row: Mapping[str, Any]) -> Iterator[Ask]:
    for sentence in re.split(r"(?<=[.!?])\s+", row["message"]):
        for note in row["memories"]:
            for question, answer in (note.get("study") or {}).get("questions", ()):
                if SHORT <= len(sentence.split()) <= LONG and re.search(rf"\b{re.escape(answer)}\b", sentence):
                    yield Ask(question, "", sentence, sentence)
