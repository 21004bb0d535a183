"Wordings for wishes, routines and deeds in order."

from __future__ import annotations

import re
from collections.abc import Iterator

from pocketsleep.night.grammar.clause import Clause, sentence
from pocketsleep.night.grammar.inflect import is_participle
from pocketsleep.night.grammar.items import Item, inside
from pocketsleep.night.grammar.wording import polar, said
from pocketsleep.night.grammar.words import VERBS, is_number


def wish(clause: Clause) -> Iterator[Item]:
    "The user wants THING in a WAY."
    if (
        not clause.user
        or clause.lemma not in ("want", "prefer", "like")
        or clause.negation
        or not clause.chunks
        or clause.chunks[0].kind != "object"
    ):
        return
    text = " ".join(c.text for c in clause.chunks if c.kind not in ("aside", "reason"))
    topic, way = _parted(text)
    if not topic:
        return
    t = clause.speak(topic, "I")
    if " and " in way and len(way.split()) > 4:  # two things side by side: only the whole says it well
        way = clause.statement(full=False).rstrip(".")
    lead = f" {clause.trailing('I')}" if clause.lead else ""
    yield from said(
        clause,
        way,
        "wish",
        f"How do I want {t}{lead}?",
        f"How should {t} be{lead}?",
        f"What is my preference for {t}{lead}?",
        f"How do I like {t}{lead}?",
        f"What have I asked for with {t}{lead}?",
        f"What do I prefer when it comes to {t}{lead}?",
        f"What should you keep in mind about {t}{lead}?",
        embedded=f"how I want {t}{lead}",
    )


def _parted(text: str) -> tuple[str, str]:
    "'recipe quantities in ounces' -> ('recipe quantities', 'in ounces'); ('', '') when there is no way."
    words = text.split()
    if words[0].lower() in ("to", "no", "every") or is_number(words[0]) or '"' in words[0]:
        return "", ""
    for i, word in enumerate(words):
        low = word.lower().rstrip(",")
        if low == "to" and i:
            return "", ""
        participle = i and is_participle(low) and low not in ("red", "left", "set", "cut", "put", "read", "spread")
        if i and (low in ("in", "with", "without", "as", "by", "at", "on", "to", "first", "only", "from") or participle):
            return (" ".join(words[:i]), " ".join(words[i:])) if i <= 5 and not words[i - 1].endswith(",") else ("", "")
    return "", ""


def wish_for(clause: Clause) -> Iterator[Item]:
    "The user wants THING, without saying how: asked for as a preference."
    text = clause.chunks[0].text if len(clause.chunks) == 1 and clause.chunks[0].kind == "object" else ""
    wants = clause.user and clause.lemma in ("want", "prefer") and not clause.negation
    if not wants or not text or _parted(text)[0] or '"' in text or text.startswith("to "):
        return
    head = re.split(r" (?:and|of) ", text)[0].split()[-1].strip(",")
    if text.startswith("no "):
        no = text[3:]
        yield from polar(clause, "wishno", f"Do I want {no}?", f"Should there be {no}?", f"Should you give me {no}?", word="No")
        yield from said(clause, text, "wishno", f"What is my rule about {no}?", f"What did I ask of you about {no}?")
    elif head.isalpha() and head.endswith("s"):
        asks = (
            f"What kind of {head} do I want?",
            f"What {head} do I prefer?",
            f"Do I have a preference about {head}?",
            f"What should you know about me and {head}?",
        )
        yield from said(clause, text, "wishfor", *asks, embedded=f"what kind of {head} I want")


def steps(clause: Clause) -> Iterator[Item]:
    "Deeds or things in order: what comes first, and what comes after what."
    parts = re.split(r",? and (?:only )?then |, then |, ", clause.rest("I")) if clause.user and ", " in clause.rest("I") else []
    if len(parts) < 3 or clause.negation or not re.search(r"\bthen\b", clause.rest("I")):
        return
    doing = all(p.split()[0] in VERBS for p in parts[1:])
    if doing:
        parts[0] = f"{clause.lemma} {parts[0]}"
        yours = [sentence(f"you {p}") for p in (f"{clause.lemma} {x}" if not i else x for i, x in enumerate(_yours(clause)))]
        yield Item(
            f"What do I do first{_when(clause)}: {' or '.join(sorted([parts[0], parts[-1]]))}?",
            yours[0],
            "use",
            "steps/first",
        )
    else:
        yours = [sentence(p) for p in _yours(clause)]
    if not doing and (
        not clause.lead or clause.lemma in ("want", "prefer") or parts[-1].split()[0] in ("and", "with", "for", "to")
    ):
        return
    for n in range(1 if doing else 2, len(parts)):
        ask = f"What do I do after I {parts[n - 1]}?" if doing else f"What comes after {parts[n - 1]}{_when(clause)}?"
        yield Item(ask, yours[n], "use" if n % 2 else "direct", f"steps/{n}")


def _yours(clause: Clause) -> list[str]:
    return re.split(r",? and (?:only )?then |, then |, ", clause.rest("you"))


def _when(clause: Clause) -> str:
    return f" {clause.trailing('I')}" if clause.lead else ""


def habit(clause: Clause) -> Iterator[Item]:
    "What somebody does when, before or after something, and what they do at a time."
    whole = clause.statement(full=False)
    if clause.lead and clause.user and not clause.negation:
        when = clause.trailing("I")
        span = inside(clause.statement(lead=False)).removeprefix("you ")
        short = sentence(span) if len(span.split()) <= 12 else whole
        for n, q in enumerate(
            (
                f"What do I do {when}?",
                f"What is my routine {when}?",
                f"What should I do {when}?",
                f"What is the next thing for me {when}?",
            )
        ):
            yield Item(q, short if n % 2 == 0 else whole, "direct" if n < 2 else "paraphrase", f"habit/{n}")
        yield Item(f"Remind me what I do {when}.", whole, "paraphrase", "habit/remind")
        yield Item(f"Can you tell me what I do {when}?", whole, "paraphrase", "habit/tell")
        return
    time = next((c for c in clause.chunks if c.kind in ("time", "often") and c.prep in ("on", "at", "in", "")), None)
    if clause.user and time and not clause.auxiliary and not clause.negation and not clause.past and len(clause.chunks) > 1:
        when = clause.speak(time.text, "I").rstrip(",")
        yield Item(f"What do I do {when}?", whole, "paraphrase", "habit/time")
        yield Item(f"Do I have anything {when}?", f"Yes, {inside(whole)}.", "paraphrase", "habit/anything")


def framed(clause: Clause) -> Iterator[Item]:
    for frame in (wish, wish_for, steps, habit):
        yield from frame(clause)
