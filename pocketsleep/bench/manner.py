"""How the manner of answering is made: a skill adapter that says first what was asked for, and that nobody said it.

    python -m pocketsleep.bench.manner OUT models/study [PROMPTS ...] [--leave WRITER,...]

It is taught by the question bank (night/prompts): thousands of questions about a person of whom nothing is known, each answered
with the beginning of the note that would answer it and "... you haven't told me that.", and by invented notes in front of
a question, read or found wanting; and by questions that people wrote on notes by hand (byhand.py). A night starts from it, and
teaches what its own person said.
What people say that asks for nothing of the kind is answered as the bare base does: anchors, the messages of the study, and PROMPTS
(a line each, or one JSON object with `prompt` a line). Where that has a `response`, the words of that text stay as likely as
they were: a
model that is held at its own answers alone still loses the language of others.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep import cards
from pocketsleep.bench import byhand, skills
from pocketsleep.night import skill
from pocketsleep.night.grammar import bank, lists, others
from pocketsleep.night.grammar.items import voiced
from pocketsleep.night.grammar.lead import lead, of_slot, of_thing, told, unknown
from pocketsleep.night.grammar.typed import SYNONYMS
from pocketsleep.night.known import Known
from pocketsleep.night.seed import ANCHOR_TOKENS
from pocketsleep.nouns import Lesson
from pocketsleep.runtime import pick
from pocketsleep.runtime.prompting import ask

RANK, EPOCHS, RATE = 32, 2, 6e-4
ASKS = 12  # questions of one kind of note
NOTED = 4000  # questions with invented notes in front
THEIRS = 700  # questions for what is somebody else's, with the person's own in front
WRITTEN = 280  # characters of a text
SHORT = 160  # characters of a study message that is an anchor
ANCHOR_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Invented:
    "A note that nobody wrote, with questions on it and the beginning of its answer."

    text: str
    value: str
    asks: tuple[str, ...]
    polar: tuple[str, ...]
    before: str


def lessons(seed: int = 0, noted: Sequence[byhand.Note] = ()) -> list[Lesson]:
    "Everything but the anchors. `noted`: notes with questions by hand."
    chance = Random(seed)
    found = [Lesson(ask(voiced(q, str(seed))), a) for q, a in [*_of_things(chance), *_of_habits(chance), *_of_slots(chance)]]
    found += [*_noted(chance), *byhand.lessons(noted, chance)]
    chance.shuffle(found)
    return found


def _of_things(chance: Random) -> Iterator[tuple[str, str]]:
    for thing in bank.things().values():
        before = of_thing(thing.noun, thing.kind)
        asks = [*thing.asks, *SYNONYMS.get(thing.noun, ()), f"What is my {thing.noun}?", f"What is my {thing.noun} called?"]
        some = chance.sample(asks, min(ASKS, len(asks)))
        yield from ((q, unknown(before)) for q in some)
        for question, owner in bank.of_others(some, [chance.choice(others.OWNERS) for _ in range(3)], 2, thing.noun):
            yield question, unknown(f"{owner.replace('my ', 'your ', 1)}'s {before.removeprefix('Your ')}")
        for rival in bank.rivals("", thing.noun + str(chance.random()), 1):
            if before.endswith("called"):
                yield f"Is my {thing.noun} called {rival}?", unknown(before)


def _of_habits(chance: Random) -> Iterator[tuple[str, str]]:
    for one in bank.predicates():
        asks = chance.sample(one.asks, min(ASKS, len(one.asks)))
        for question in [*asks, *one.polar[:2]]:
            parts = _parts(chance, one)
            value = chance.choice(one.wrong) if one.wrong else ""
            if "{v}" in question and not value:
                continue
            if filled := bank.filled(question, {**parts, "v": value}):
                yield filled, unknown(one.lead(parts) if "{x}" in question else one.lead_of_kin(parts) or one.lead(parts))


def _of_slots(chance: Random) -> Iterator[tuple[str, str]]:
    for slot in lists.unstated():
        yield slot.ask, unknown(of_slot(slot.tell))
    nouns = [t.noun for t in bank.things().values()]
    for slot in lists.slots():
        for noun in chance.sample(nouns, 3):
            yield slot.ask.replace("{x}", f"my {noun}"), unknown(of_slot(slot.tell.replace("{x}", f"your {noun}")))


def _parts(chance: Random, one: bank.Predicate) -> dict[str, str]:
    "Words for what a kind of note repeats: a person's name where it speaks of one, else a thing."
    person = any(w.startswith("{x}, the user's {r}") or w.startswith("The user's {r} {x}") for w in one.wordings)
    names, kin = lists.kinds()["person"], lists.kinds()["relation"]
    nouns = [t.noun for t in bank.things().values() if t.kind in ("tool", "place", "vehicle", "project", "animal", "product")]
    x = chance.choice(names) if person else chance.choice(nouns)
    return {"x": x, "r": chance.choice(kin), "y": chance.choice(nouns), "n": str(chance.randrange(2, 90))}


def _invented(chance: Random) -> Iterator[Invented]:
    "Notes of every kind whose values are at hand."
    for thing in bank.things().values():
        if of_thing(thing.noun, thing.kind).endswith("called"):
            name = bank.rivals("", str(chance.random()), 1)[0]
            yield Invented(f"The user's {thing.noun} is called {name}.", name, thing.asks,
                           (f"Is my {thing.noun} called {{v}}?", f"Is {{v}} my {thing.noun}?"), of_thing(thing.noun, thing.kind))
    for one in bank.predicates():
        for value in chance.sample(one.wrong, min(3, len(one.wrong))):
            parts = {**_parts(chance, one), "v": value}
            text = bank.filled(chance.choice(one.wordings), parts)
            asks = tuple(f for q in one.asks if (f := bank.filled(q, parts)))
            polar = tuple(f for q in one.polar if "{v}" in q and (f := bank.filled(q, {**parts, "v": "{v}"})))
            if text and asks and told(text, value):
                yield Invented(text, value, asks, polar, lead(told(text, value), value))


def _noted(chance: Random) -> Iterator[Lesson]:
    "One to six notes in front: one of them answers, or none does."
    made = [one for _ in range(4) for one in _invented(chance)]
    yield from _not_theirs(chance, made)
    for _ in range(NOTED):
        one, *rest = chance.sample(made, 1 + chance.choice((0, 1, 2, 3, 5)))
        beside = [o for o in rest if o.before != one.before and o.value != one.value]
        kind, question = chance.random(), chance.choice(one.asks)
        if kind < 0.25 and beside:
            notes, answer = [o.text for o in beside], unknown(one.before)
        elif kind < 0.5 and one.polar:
            true = chance.random() < 0.5
            other = chance.choice(made).value
            question = chance.choice(one.polar).replace("{v}", one.value if true else other)
            notes = [one.text, *(o.text for o in beside)]
            answer = "Yes." if true or other == one.value else f"No, {one.value}."
        else:
            notes, answer = [one.text, *(o.text for o in beside)], told(one.text, one.value)
        chance.shuffle(notes)
        if answer:
            yield Lesson(ask(voiced(question, one.text), notes), answer)


def _not_theirs(chance: Random, made: Sequence[Invented]) -> Iterator[Lesson]:
    "Somebody else's thing, with the note on the person's own in front."
    able = [one for one in made if one.before.startswith("Your ")]
    for one in chance.sample(able, min(THEIRS, len(able))):
        for question, owner in bank.of_others(one.asks, [chance.choice(others.OWNERS)], 1, one.text):
            notes = [one.text, *(o.text for o in chance.sample(made, chance.choice((0, 1, 3))) if o.before != one.before)]
            chance.shuffle(notes)
            yield Lesson(ask(question, notes), unknown(f"{owner.replace('my ', 'your ', 1)}'s {one.before.removeprefix('Your ')}"))


def anchors(prompts: Sequence[str]) -> list[Lesson]:
    "General prompts, answered as the bare base does."
    card, base = skills.default_base()
    runtime = pick.serving(card, base).runtime()
    try:
        known = Known(lambda: runtime, base.sha256, Path(tempfile.gettempdir()) / "pocketsleep-known", cards.answers(card.name))
        every = list(dict.fromkeys([*lists.anchors(), *prompts]))
        said = known.answers(every, ANCHOR_TOKENS)
    finally:
        runtime.close()
    return [_held(p, a) for p, a in zip(every, said, strict=True) if a.strip()]


def _held(prompt: str, answer: str) -> Lesson:
    return Lesson(ask(prompt), answer, hard=0.0, soft=ANCHOR_WEIGHT, teacher=ask(prompt))


def _parsed(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    "(paths, writers left out)."
    if "--leave" not in arguments:
        return [Path(one) for one in arguments], []
    at = list(arguments).index("--leave")
    return [Path(one) for one in (*arguments[:at], *arguments[at + 2 :])], arguments[at + 1].split(",")


def main(arguments: list[str]) -> None:
    "One JSON object on stdout."
    (out, folder, *further), left = _parsed(arguments)
    files = [path for path in sorted(folder.glob("*.jsonl")) if path.stem not in left]
    rows = (json.loads(line) for path in files for line in path.read_text("utf-8").splitlines())
    said = [row["message"] for row in rows if len(row["message"]) <= SHORT][::2]
    lines = [line for path in further for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    told = [json.loads(line) if line.startswith("{") else {"prompt": line} for line in lines]
    study, held = lessons(0, byhand.notes(folder, left)), anchors([*said, *(row["prompt"] for row in told)])
    texts = [row for row in told if len(row.get("response", "")) > WRITTEN]
    held += [_held(row["prompt"], row["response"][:WRITTEN].rpartition(" ")[0]) for row in texts]
    made: dict[str, Any] = {"asked": len(study), "anchors": len(held), "left_out": left}
    out.mkdir(parents=True, exist_ok=True)
    figures = skills.train(skill.MANNER, [*study, *held], out, EPOCHS, made, RATE, rank=RANK, first=15)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
