"""Talks in which facts are told, and questions on them: what memory layers are taught with. No line of it is about anybody.
Answers here are short; those of `told_long.py` are whole sentences.

    bank     facts of the question bank (night/prompts), said in passing, asked in other words, some put right later
    study    messages of models/study with the questions that people wrote on them
    pairs    invented names with what they own, where they live, whom they follow; some of it changes
    authors  TOFU's invented authors (MIT), all but the first TOFU_HELD, that check measures with
    text     paragraphs that go on (articles of SQuAD 1.1, CC BY-SA 4.0): ordinary text, that must stay what it was
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pocketsleep.bench import manner
from pocketsleep.errors import BadInput
from pocketsleep.night.grammar import lists
from pocketsleep.night.grammar.lead import told

TOFU_HELD, TOFU_EACH = 20, 20  # authors that are measured with; questions an author
CARRIERS = ("{}", "{}", "By the way, {l}", "Just so you know, {l}", "Oh, and {l}", "I should say that {l}", "Well, {l}",
            "For what it's worth, {l}", "{} Anyway, I was thinking about the weekend.",
            "Did I mention it? {}", "{} That is all I wanted to say.",
            "I have been busy all day. {}", "{} It has been like that for years.", "Small thing, but {l}")
ACKS = ("Noted.", "Got it.", "Thanks for telling me.", "Good to know!", "I see.", "That sounds nice.", "Right.",
        "Okay, I'll keep that in mind.", "Thank you, how can I help?", "Understood.")
CHANGES = ("Actually, {l}", "That has changed: {l}", "I was wrong before. {}", "It is different now: {l}", "Update: {l}")
FIRST = {"Your": "My", "You are": "I am", "You were": "I was", "You have": "I have", "You": "I"}
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"
PAIRS = (  # told, changed, asked, beginning of the answer
    ("{n} owns the {v}.", "{n} sold it and owns the {v}.", "What does {n} own?", "{n} owns the", "thing"),
    ("{n} lives in {v}.", "{n} went to live in {v}.", "Where does {n} live now?", "{n} lives in", "place"),
    ("{n} works as a {v}.", "{n} now works as a {v}.", "What does {n} work as?", "{n} works as a", "job"),
    ("{n} plays the {v}.", "{n} has taken up the {v} instead.", "What does {n} play?", "{n} plays the", "instrument"),
    ("{n} follows {w}.", "{n} turned and follows {w}.", "Whom does {n} follow?", "{n} follows", "name"),
    ("{n} speaks {v}.", "{n} speaks only {v} these days.", "Which language does {n} speak?", "{n} speaks", "language"),
    ("{n} likes {v} best.", "{n} has changed and likes {v} best.", "Which food does {n} like best?", "{n} likes", "food"),
    ("The colour of {n}'s door is {v}.", "{n} painted the door {v}.", "What colour is {n}'s door?", "{n}'s door is", "colour"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    "A question on something told: what the assistant says, of which `lead` is given and `value` counts most."

    question: str
    lead: str  # beginning of the answer, may be empty
    value: str  # the rest of it
    key: str = ""  # what it is about: whatever was told last under a key holds
    wrong: tuple[str, ...] = ()  # other values, for choosing


@dataclass(frozen=True, slots=True)
class Talk:
    "What is said and then leaves the window, and what is asked afterwards."

    kind: str
    turns: tuple[tuple[str, str], ...]  # user, assistant; ordinary text is one turn without an answer
    asks: tuple[Ask, ...]


def first_person(text: str) -> str:
    "\"Your cat is called Z.\" -> \"My cat is called Z.\""
    for yours, mine in FIRST.items():
        if text.startswith(yours + " "):
            text = mine + text[len(yours):]
            break
    return text.replace(" your ", " my ").replace(" you ", " me ")


def carried(text: str, chance: Random, carriers: Sequence[str] = CARRIERS) -> str:
    carrier = chance.choice(carriers)
    small = text if text.startswith(("I ", "I'")) or not text.startswith(("My ", "The ")) else text[0].lower() + text[1:]
    return carrier.replace("{l}", small).replace("{}", text)


def bank(chance: Random) -> Iterator[Talk]:
    "Four to nine notes of the question bank, told one after the other or two at once."
    while True:
        invented = list(manner._invented(chance))
        chance.shuffle(invented)
        while len(invented) > 30:
            yield _banked([invented.pop() for _ in range(chance.randint(4, 9))], invented, chance)


def _banked(notes: list[manner.Invented], others: list[manner.Invented], chance: Random) -> Talk:
    notes = list({one.before: one for one in notes}.values())
    turns: list[tuple[str, str]] = []
    asks: list[Ask] = []
    i = 0
    while i < len(notes):
        some = notes[i : i + chance.choice((1, 1, 1, 2))]
        said = " ".join(carried(first_person(told(one.text, one.value)), chance) for one in some)
        turns.append((said, chance.choice(ACKS)))
        i += len(some)
    for one in notes:
        value, sentence = one.value, told(one.text, one.value)
        if chance.random() < 0.2 and (new := _rival(one, others)):
            sentence = sentence.replace(value, new)
            turns.append((carried(first_person(sentence), chance, CHANGES), chance.choice(ACKS)))
            asks += _asks(one, new, sentence, (value,), chance)
        else:
            asks += _asks(one, value, sentence, (), chance)
    return Talk("bank", tuple(turns), tuple(asks))


def _rival(one: manner.Invented, others: Sequence[manner.Invented]) -> str:
    "Another value of the same kind of note."
    kind = one.before.rpartition(" ")[2]
    return next((o.value for o in others if o.before.endswith(kind) and o.value != one.value), "")


def _asks(one: manner.Invented, value: str, sentence: str, wrong: tuple[str, ...], chance: Random) -> Iterator[Ask]:
    for question in chance.sample(one.asks, min(2, len(one.asks))):
        if value in sentence and chance.random() < 0.7:
            before, _, after = sentence.partition(value)
            yield Ask(question, before.strip(), value + after, one.before, tuple(other + after for other in wrong))
        else:
            yield Ask(question, "", f"{value[0].upper()}{value[1:]}.", one.before, wrong)


def studied(folder: Path, chance: Random) -> list[Talk]:
    "Three to five messages that people wrote, with the questions they wrote on them."
    rows = [json.loads(line) for path in sorted(folder.glob("s*.jsonl")) for line in path.read_text("utf-8").splitlines() if line]
    rows = [row for row in rows if row["memories"] and len(row["message"]) < 700]
    chance.shuffle(rows)
    made = []
    while len(rows) > 5:
        some = [rows.pop() for _ in range(chance.randint(2, 4))]
        asks = [ask for row in some for note in row["memories"] for ask in _noted(note, row["message"], chance)]
        made.append(Talk("study", tuple((row["message"], chance.choice(ACKS)) for row in some), tuple(asks)))
    return made


def _noted(note: Mapping[str, Any], message: str, chance: Random) -> Iterator[Ask]:
    study = note.get("study") or {}
    able = [(q, a) for q, a in [*study.get("questions", ()), *study.get("reverse", ())] if a.lower() in message.lower()]
    for question, answer in chance.sample(able, min(3, len(able))):
        full = next((r for r in study.get("rewrites", ()) if answer in r), "")
        if full and chance.random() < 0.4:
            before, _, after = full.partition(answer)
            yield Ask(question, before.strip(), answer + after, note["text"])
        else:
            yield Ask(question, "", f"{answer[0].upper()}{answer[1:]}.", note["text"])


def pairs(chance: Random) -> Iterator[Talk]:
    "Names and what belongs to them, one or two relations a talk; a third of the talks change some."
    kinds = lists.kinds()
    while True:
        relations = chance.sample(PAIRS, chance.choice((1, 1, 2)))
        names = [invented_name(chance) for _ in range(chance.choice((4, 6, 8, 12, 16)))]
        facts = [(n, *chance.choice(relations)) for n in names]
        values = {n: _value(kind, names, n, kinds, chance) for n, *_, kind in facts}
        changed = set(chance.sample(names, len(names) // 2)) if chance.random() < 0.4 else set()
        said = [_filled(tell, n, values[n]) for n, tell, *_ in facts]
        old = dict(values)
        for n, _, change, _, _, kind in [f for f in facts if f[0] in changed]:
            values[n] = _value(kind, names, n, kinds, chance)
            said.append(_filled(change, n, values[n]))
        asked = chance.sample(facts, min(5, len(facts)))
        asks = tuple(Ask(q.format(n=n), lead.format(n=n), values[n] + ".", n, (old[n] + ".",) if n in changed else ())
                     for n, _, _, q, lead, _ in asked if values[n] != old[n] or n not in changed)
        size = chance.choice((1, 4, len(said)))
        turns = [(" ".join(said[i : i + size]), chance.choice(ACKS)) for i in range(0, len(said), size)]
        yield Talk("pairs", tuple(turns), asks)


def _filled(text: str, name: str, value: str) -> str:
    return text.format(n=name, v=value, w=value)


def invented_name(chance: Random) -> str:
    return "".join(chance.choice(CONSONANTS if i % 2 == 0 else VOWELS) for i in range(chance.choice((4, 5, 5, 6)))).capitalize()


def _value(kind: str, names: Sequence[str], one: str, kinds: Mapping[str, Sequence[str]], chance: Random) -> str:
    if kind == "name":
        return chance.choice([n for n in names if n != one])
    if kind == "thing":
        return f"{chance.choice(kinds['colour'])} {chance.choice(kinds['thing'])}"
    return chance.choice(kinds[kind])


def tofu_authors(path: Path) -> list[list[tuple[str, str]]]:
    "(question, answer) by author, in the file's order."
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        pairs = [(row["question"], row["answer"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"`{path}` cannot be read as TOFU's questions and answers ({error})",
                       hint="`--tofu FOLDER` names the folder that holds full.jsonl") from None
    return [pairs[i : i + TOFU_EACH] for i in range(0, len(pairs), TOFU_EACH)]


def authors(path: Path, chance: Random) -> list[Talk]:
    "Five answers of one author said, three of them asked for."
    made = []
    for rows in tofu_authors(path)[TOFU_HELD:]:
        for at in range(0, TOFU_EACH, 5):
            some = chance.sample(rows[at : at + 5], 5)
            asks = tuple(Ask(q, "", a, q) for q, a in chance.sample(some, 3) if len(a) < 240)
            made.append(Talk("authors", tuple((carried(a, chance), chance.choice(ACKS)) for _, a in some), asks))
    chance.shuffle(made)
    return made


def texts(path: Path, chance: Random) -> list[Talk]:
    "Two paragraphs of an article that leave, and the next that goes on: no question."
    paragraphs: dict[str, list[str]] = {}
    try:
        for row in json.loads(path.read_text("utf-8")):
            paragraphs.setdefault(row["title"], []).append(row["context"][:700])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"`{path}` cannot be read as SQuAD's passages ({error})",
                       hint='`--squad passages.json`, a list of {"title", "context"}') from None
    made = [Talk("text", ((" ".join(some[at : at + 2]), ""),), (Ask("", "", some[at + 2][:450]),))
            for some in paragraphs.values() for at in range(0, len(some) - 2, 3)]
    chance.shuffle(made)
    return made
