"""Items that need more than one clause: what changed, what belongs to others, what was never said,
what two notes say together, and what stands in the context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pocketsleep.night.grammar.asking import Gap, gaps
from pocketsleep.night.grammar.clause import Clause, question, sentence
from pocketsleep.night.grammar.distract import false_values
from pocketsleep.night.grammar.generic import answer_of, topics
from pocketsleep.night.grammar.items import Item, inside, number, pick
from pocketsleep.night.grammar.lead import lead, unknown
from pocketsleep.night.grammar.live import Live, content
from pocketsleep.night.grammar.parse import parse
from pocketsleep.night.grammar.unsaid import never_said, unsaid_of_user
from pocketsleep.night.grammar.words import KIN, PREPOSITIONS, ROLES

OWNERS = (
    "my neighbour",
    "my colleague Tom",
    "my friend Anna",
    "my cousin",
    "my old teacher",
    "the postman",
    "my tennis partner",
    "Barbara",
    "Stefan",
    "my brother-in-law",
    "the mayor",
    "my godmother",
)


def contrasted(clause: Clause, old: Sequence[Clause]) -> Iterator[Item]:
    "What the clause replaced: asked for as if it still held."
    now = clause.statement(full=False)
    answer = f"No, now {inside(now)}."
    for before in old:
        if before.statement() == clause.statement():
            continue
        still = replace(before, adverb="still") if not before.negation else before
        yield Item(still.polar(), answer, "contrast", "contrast/still")
        yield Item(before.polar(), answer, "contrast", "contrast/old")
        yield Item(
            f"Is it still true that {inside(before.statement('I', full=False))}?",
            answer,
            "contrast",
            "contrast/true",
        )
        yield Item(
            f"I think {inside(before.statement('I', full=False))}. Is that up to date?",
            answer,
            "contrast",
            "contrast/date",
        )
        if choice := _choice(clause, before):
            yield Item(*choice, "contrast", "contrast/choice")
    if old and (topic := next(iter(topics(clause)), "")):
        yield Item(f"Has anything changed about {topic}?", f"Yes, now {inside(now)}.", "contrast", "contrast/changed")


def _choice(clause: Clause, before: Clause) -> tuple[str, str] | None:
    "'Is my dog called Cuca or Feijão?' when both clauses differ in one chunk."
    if len(clause.chunks) != len(before.chunks) or clause.subject != before.subject or clause.finite != before.finite:
        return None
    differ = [i for i, (a, b) in enumerate(zip(clause.chunks, before.chunks, strict=True)) if a.text != b.text]
    if len(differ) != 1 or clause.lead:
        return None
    i = differ[0]
    new, old = clause.chunks[i], before.chunks[i]
    pair = sorted([new.text, old.text], key=lambda t: number("choice", t))
    asked = replace(
        clause,
        chunks=(*clause.chunks[:i], replace(new, text=" or ".join(pair), prep=""), *clause.chunks[i + 1 :]),
    )
    answer = sentence(clause.speak(new.text, "you"))
    return asked.polar(), answer if len(answer.split()) <= 7 else clause.statement(full=False)


def of_others(clause: Clause, live: Live, people: Sequence[str] = ()) -> Iterator[Item]:
    "The same asked of somebody else, known by name or not: the person's own fact must not answer it."
    owners = strangers(live, clause.subject, clause.finite)[:2]
    known = [p for p in pick(tuple(sorted(people)), 4, clause.subject, clause.finite) if live.apart(p, clause.statement(full=False))]
    mine = re.match(r"the user's (.+)", clause.subject)
    common = [w for w in mine.group(1).split() if not w[0].isupper()] if mine else []
    size = sum(len(c.text.split()) for c in clause.chunks)
    if (not clause.user and not common) or clause.plural or size > 8 or clause.lead or PREPOSITIONS & set(common):
        return
    for owner in [*owners, *known[:2]]:
        subject = owner if clause.user else f"{owner}'s {' '.join(common)}"
        theirs = clause.of(subject.replace("my ", "the user's ", 1))
        if (
            any("the user" in c.text or re.search(r"\btheir\b", c.text) for c in theirs.chunks)
            or "the user" in clause.lead
        ):
            continue
        for gap in list(gaps(theirs))[:2]:
            asked = theirs.wh(gap.word, gap.index, stranded=gap.stranded)
            yield Item(asked, unknown(_before(theirs, gap.index)), "contrast", "other/wh")
        if clause.negation or clause.adverb:
            continue
        yield Item(theirs.polar(), unknown(_before(theirs, len(theirs.chunks) - 1)), "contrast", "other/polar")


def strangers(live: Live, *key: str) -> list[str]:
    "People of whom no note speaks."
    return [o for o in pick(OWNERS, len(OWNERS), *key) if not live.knows(o.replace("my ", ""))]


def persons(people: Mapping[str, tuple[str, str]]) -> list[str]:
    "Of the names that notes give, those of people."
    return [name for name, (phrase, _) in people.items() if phrase.split()[-1] in KIN | ROLES]


def _before(clause: Clause, index: int) -> str:
    "What the clause says before one of its chunks."
    return lead(clause.statement(full=False), clause.speak(clause.chunks[index].noun.rstrip(","), "you")) if clause.chunks else ""


def composed(clause: Clause, people: dict[str, tuple[str, str]], known: str) -> Iterator[Item]:
    """Two notes in one question: the clause is about a name, another note says whose name it is.
    `people`: name -> (phrase such as "the user's daughter", id of the note that says so)."""
    found = people.get(clause.subject) or people.get(clause.subject.rpartition(" ")[2])
    if found is None or found[1] == known or clause.subject.startswith("the user"):
        return
    kin = replace(clause, subject=found[0], appositive="")
    for gap in list(gaps(kin))[:3]:
        asked = kin.wh(gap.word, gap.index, stranded=gap.stranded)
        yield Item(asked, kin.statement(full=False), "composition", f"composed/{gap.word}", others=(found[1],))
    yield Item(
        kin.polar(),
        f"{'No' if clause.negation else 'Yes'}, {inside(kin.statement(full=False))}.",
        "composition",
        "composed/polar",
        others=(found[1],),
    )


def relations(notes: Sequence[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    "Name -> (whose it is, id of the note): from 'The user's daughter is called Tanwen.' and the like."
    found: dict[str, tuple[str, str]] = {}
    for key, text in notes:
        for clause in parse(text):
            naming = clause.middle in ("called", "named") or (
                clause.auxiliary and not clause.middle and clause.head in KIN | ROLES
            )
            if (
                naming
                and clause.subject.startswith("the user's")
                and clause.chunks
                and clause.chunks[0].text[:1].isupper()
                and not clause.plural
            ):
                name = clause.chunks[0].text.rstrip(",")
                if len(name.split()) <= 3 and " and " not in name:
                    found.setdefault(name, (clause.subject, key))
    return found


OTHER_VALUES = 3  # further false values of a note, with which an exam asks whether what stands in front wins


def in_context(clause: Clause, note: str, live: Live, key: str) -> Iterator[Item]:
    """Questions with notes in front: the note among others; the note altered (the answer follows it);
    other notes only, asked for what none of them says."""
    others = [n for n in sorted(live.notes, key=lambda n: number(n, key)) if n != note and not _alike(n, note)]
    given = list(gaps(clause))[:2]
    for n, gap in enumerate(given):
        yield _noted(clause, gap, "given", _among(note, others[: 1 + number(key, str(n)) % 4], key))
    if not given and not clause.negation and "no " not in note:
        said = f"Yes, {inside(clause.statement(full=False))}."
        yield Item(clause.polar(), said, "context", "context/polar", _among(note, others[:2], key))
    yield from _altered(clause, note, live, others, key)
    for item in list(never_said(clause, live, 1)) or list(unsaid_of_user(live, key, 1)):
        if others:
            yield replace(item, form="context", frame="context/absent", notes=_among(others[0], others[1:3], key))


def _noted(clause: Clause, gap: Gap, name: str, notes: tuple[str, ...]) -> Item:
    asked = clause.wh(gap.word, gap.index, stranded=gap.stranded)
    return Item(asked, answer_of(clause, gap), "context", f"context/{name}", notes)


def _altered(clause: Clause, note: str, live: Live, others: Sequence[str], key: str) -> Iterator[Item]:
    "The first value that can be exchanged is, in the note and in the answer; by other values for the exam."
    seen = set()
    for n in range(1 + OTHER_VALUES):
        i, old, new, _ = next(false_values(clause, live.knows, f"{key} {n}" if n else key), (0, "", "", False))
        altered = note.replace(old, new, 1)
        if not old or altered == note or new in seen:
            continue
        seen.add(new)
        turned = swapped(clause, i, old, new)
        for gap in (g for g in gaps(turned) if g.index == i and new in g.answer):
            notes = _among(altered, others[: number(key, new) % 4], key)
            yield _noted(turned, gap, "examined" if n else "altered", notes)


def swapped(clause: Clause, i: int, old: str, new: str) -> Clause:
    "The clause with a part of one chunk exchanged."
    chunk = replace(clause.chunks[i], text=clause.chunks[i].text.replace(old, new, 1))
    return replace(clause, chunks=(*clause.chunks[:i], chunk, *clause.chunks[i + 1 :]))


def _alike(one: str, other: str) -> bool:
    "Whether two notes are about the same: half of the smaller one's content words are shared."
    a, b = content(one), content(other)
    return 2 * len(a & b) >= max(1, min(len(a), len(b)))


def _among(note: str, others: Sequence[str], key: str) -> tuple[str, ...]:
    return tuple(sorted([note, *others], key=lambda n: number("order", n, key)))


def untrue(clause: Clause, live: Live, key: str) -> Iterator[Item]:
    "Yes/no questions with a wrong value of the right kind."
    whole = inside(clause.statement(full=False))
    if clause.negation or any(c.text.startswith(("no ", "not ")) for c in clause.chunks):
        return
    for i, old, new, excluded in false_values(clause, live.knows, key):
        false = swapped(clause, i, old, new)
        answer = f"No, {whole}." if excluded else f"No, you told me {whole}."
        yield Item(_articled(false.polar()), answer, "yes_no", f"false/{i}/{old}")
        yield Item(
            _articled(question(f"Did I tell you that {inside(false.statement('I', full=False))}")),
            answer,
            "yes_no",
            f"false/told/{old}",
        )


def _articled(text: str) -> str:
    "a or an, by the word that now follows."
    text = re.sub(r"\b([Aa])n (?=[bcdfgjklmnpqrstvwxyz])", r"\1 ", text)
    return re.sub(r"\b([Aa]) (?=[aeio]|un(?!i)|umb)", r"\1n ", text)
