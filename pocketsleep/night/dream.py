"""Dreaming without a trained skill: from a note about the user to many study items, by grammar.

Every item is a function of the live notes and a seed. Items are proposed in far greater number than
wanted, compared over all notes (a question with two answers is dropped), and then chosen by form.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from pocketsleep.night.answered import answered, besides, readable, types
from pocketsleep.night.asked import asked
from pocketsleep.night.grade import plain as bare
from pocketsleep.night.grade import says
from pocketsleep.night.grammar import bank, choose, frames, generic, habits, lead, noted, others, unsaid, whole
from pocketsleep.night.grammar.guard import commands
from pocketsleep.night.grammar.items import Item, near, number, plain, voiced
from pocketsleep.night.grammar.lists import anchors, general, unstated
from pocketsleep.night.grammar.live import Live
from pocketsleep.night.grammar.parse import parse
from pocketsleep.night.grammar.synonyms import reworded
from pocketsleep.night.grammar.typed import typed, unnamed
from pocketsleep.nouns import Dream, Form, Memory

LEAST, MOST = 8, 80
LATELY = ("now", "these days", "at the moment", "nowadays", "at present", "currently", "since the change", "as things stand")
CHANGED = 8  # questions of a note that replaced another which are asked with such words
WELL = 10  # hand-written questions on a note
OTHERS = 3  # questions of a memory that are asked of somebody else's, too


def dream(
    memories: Sequence[Memory],
    *,
    superseded: Mapping[str, Memory] | None = None,
    seed: int = 0,
    per_memory: int = 24,
    live: Sequence[Memory] | None = None,
    quota: Callable[[Memory], int] | None = None,
    beside: Sequence[Dream] = (),
) -> tuple[Dream, ...]:
    """Study items for each memory, held-out ones included, in the order of the memories.

    `superseded`: id of a memory -> the memory it replaced. `live`: all memories that hold (default: these): what one of them
    says is not denied, and what one of them answers otherwise is not asked.
    `quota`: how many items to train on for one memory (default `per_memory`); held between 8 and 80. Questions
    by type fill all but eight of them where a note has a known predicate.
    Held-out items come on top: three unseen wordings and one yes/no where there are enough.
    `beside`: dreams from elsewhere, which count towards the quota; the grammar asks none of their questions, and studies
    nothing that is nearly one of those they hold out.
    """
    kept = [m for m in memories if not commands(m.text)]
    everything = [m for m in (live if live is not None else memories) if not commands(m.text)]
    here = set(kept)
    others_too = [m for m in everything if m not in here]
    known, told = _known(kept, others_too), answered(others_too)
    people = others.relations([(m.id, m.text) for m in everything])
    proposed = {m.id: _all_of(m, known, people, (superseded or {}).get(m.id)) for m in kept}
    for items in proposed.values():
        items += list(reworded(items))
    choose.merge_rewrites(proposed)
    unclear = choose.ambiguous(proposed, told)
    rewrites: Counter[tuple[str, int]] = Counter()
    taken: set[str] = {plain(d.question) for d in beside}
    others_of = _by_memory([d for d in beside if plain(d.question) not in told])
    by_type = ByType(kept, others_too, told)
    dreams: list[Dream] = []
    for memory in kept:
        items = [
            i for i in proposed[memory.id] if (plain(i.question), i.notes) not in unclear and not commands(i.question)
        ]
        wanted = max(LEAST, min(MOST, quota(memory) if quota else per_memory) - len(others_of[memory.id]))
        questions = evenly(by_type.dreams(memory), (wanted - LEAST) * 4 // 5 if others_of[memory.id] else wanted - LEAST)
        held = [plain(d.question) for d in others_of[memory.id] if d.held_out]
        free = [i for i in items if asks(i, memory) and (i.notes or not _near_one(i.question, held))]
        mine = list(choose.chosen(memory, free, wanted - len(questions), seed, taken, rewrites))
        held += [plain(d.question) for d in mine if d.held_out]
        fresh = [d for d in questions if not _near_one(d.question, held) and plain(d.question) not in taken]
        taken |= {plain(d.question) for d in fresh}
        all_of_it = [*mine, *fresh, *_unlike(others_of[memory.id], held), *by_type.of_others(memory, known, others.persons(people))]
        changed = memory.id in (superseded or {})
        dreams += [*all_of_it, *_lately(memory, all_of_it, CHANGED if changed else 1), *noted.noted(memory, all_of_it, known)]
    return tuple(dreams)


def _known(live: Sequence[Memory], beside: Sequence[Memory] = ()) -> Live:
    "`beside`: notes that are known, too, and stand in front of no question."
    texts, further = [m.text for m in live], [m.text for m in beside]
    return Live.of(texts, bank.implied([*texts, *further]), further)


def _lately(memory: Memory, dreams: Sequence[Dream], count: int) -> Iterator[Dream]:
    "Some questions after the heart of a note as they are asked when something has changed: what holds now is the answer."
    able = [d for d in dreams if d.form in ("direct", "paraphrase") and not d.held_out and not d.notes
            and d.question.endswith("?") and says(d.answer, memory.answer) and not _NOW.search(d.question)]
    some = sorted(able, key=lambda d: number("lately", d.question, memory.id))[:count]
    for n, dream in enumerate(some):
        when = LATELY[(n + number(memory.id)) % len(LATELY)]
        yield Dream(f"{dream.question[:-1]} {when}?", dream.answer, dream.form, dream.memories)


_NOW = re.compile(r"\b(?:now|these days|nowadays|currently|any ?more|again)\b", re.IGNORECASE)


def _by_memory(dreams: Sequence[Dream]) -> dict[str, list[Dream]]:
    "A question that two memories answer differently is in none."
    answers: dict[str, set[str]] = {}
    for d in dreams:
        answers.setdefault(plain(d.question), set()).add(d.answer)
    found: dict[str, list[Dream]] = defaultdict(list)
    for d in dreams:
        if len(answers[plain(d.question)]) == 1:
            found[d.memories[0]].append(d)
    return found


def _unlike(dreams: Sequence[Dream], held: Sequence[str]) -> list[Dream]:
    "Without those to be studied that ask nearly what is held out."
    return [d for d in dreams if d.held_out or not _near_one(d.question, held)]


def _near_one(question: str, held: Sequence[str]) -> bool:
    return any(near(plain(question), h) for h in held)


def asks(item: Item, memory: Memory) -> bool:
    "Whether an item asks for something. A question that holds its own answer teaches to repeat it, not to know it."
    return item.form not in ("direct", "paraphrase") or not says(item.question, memory.answer)


def well_asked(memory: Memory) -> bool:
    "Whether hand-written questions fit a note: they are better than a small dreamer's, which is kept for the others."
    return sum(1 for _ in chain(typed(memory.text), bank.asked(memory.text))) >= WELL


class ByType:
    "Questions by type for all live notes at once: which note asks what, and which note says what."

    def __init__(self, live: Sequence[Memory], beside: Sequence[Memory] = (), told: Collection[str] = ()) -> None:
        "`beside`: notes that answer, too, and are asked elsewhere; `told`: what they answer by themselves."
        self._told = told
        broader = bank.clear([m.text for m in (*live, *beside)])
        self._of = {m.id: types(m.text, broader) for m in live}
        self._askers: dict[str, set[str]] = {}
        for memory, asked_for in chain(self._of.items(), ((m.id, types(m.text, broader)) for m in beside)):
            for question, _, _ in asked_for:
                self._askers.setdefault(plain(question), set()).add(memory)
        self._says: dict[str, set[str]] = {}
        for m in (*live, *beside):
            self._says.setdefault(bare(m.answer).strip(), set()).add(m.id)
        self._longest = max((len(span.split()) for span in self._says), default=0)

    def dreams(self, memory: Memory) -> list[Dream]:
        "A note's questions, but those that another note answers, too, and denials of what another note says."
        made: dict[str, Dream] = {}
        for question, answer, form in self._of[memory.id]:
            denied = answer.startswith("No,") and self._said_elsewhere(question, memory.id)
            if self._askers[plain(question)] == {memory.id} and plain(question) not in self._told and not denied:
                made[plain(question)] = choose.canonical(Dream(question, answer, cast(Form, form), (memory.id,)), memory)
        return list(made.values())

    def of_others(self, memory: Memory, known: Live, people: Sequence[str]) -> list[Dream]:
        "What the note answers, asked of somebody else's, and declined. Some are kept for the exam."
        owners = [*others.strangers(known, memory.id)[:6], *(p for p in people if known.apart(p, memory.text))]
        asked = list(dict.fromkeys(question for question, _, form in self._of[memory.id] if form == "paraphrase"))
        found = bank.of_others(asked, owners, OTHERS, memory.id) if owners else iter(())
        before = lead.lead(lead.told(memory.text, memory.answer), memory.answer).removeprefix("Your ")
        theirs = [(q, f"{owner.replace('my ', 'your ', 1)}'s {before}" if before[:1].islower() else "") for q, owner in found]
        return [Dream(q, lead.unknown(one), "contrast", (memory.id,), held_out=number("held", q) % 5 == 0) for q, one in theirs]

    def _said_elsewhere(self, question: str, own: str) -> bool:
        words = bare(question).split()
        spans = (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(len(words), i + self._longest) + 1))
        return any(self._says.get(span, set()) - {own} for span in spans)


def evenly(some: Sequence[Any], most: int) -> list[Any]:
    "At most so many, taken at equal distances: each kind of thing keeps its share."
    if len(some) <= most:
        return list(some)
    return [some[i * len(some) // most] for i in range(most)] if most > 0 else []


def declining(live: Sequence[Memory], *, count: int, seed: int = 0) -> list[Dream]:
    "General questions about the person that no live note answers, declined. One in five is always held out."
    known = _known(live)
    free = [s for s in unstated() if not s.words & known.words]
    chosen = sorted(free, key=lambda s: number(s.ask, str(seed)))[:count]
    pairs = [(unsaid.unsaid(s), unsaid.examined(s)) for s in chosen]
    slots = [Dream(voiced(i.question, str(seed)), i.answer, "unstated", held_out=held) for i, held in pairs]
    taken = {plain(d.question) for d in slots}
    names = [(q, a, x) for q, a, x in unnamed([m.text for m in live], known.words) if plain(q) not in taken]
    found = slots + [Dream(q, a, "unstated", held_out=number("examined", x) % 5 == 0) for q, a, x in names]
    taken |= {plain(d.question) for d in found}
    more = [(q, x, before) for q, x, before in bank.unsaid([m.text for m in live], count, str(seed)) if plain(q) not in taken]
    return found + [Dream(q, lead.unknown(before), "unstated", held_out=number("examined", x) % 5 == 0) for q, x, before in more]


def _all_of(memory: Memory, known: Live, people: Mapping[str, tuple[str, str]], old: Memory | None) -> list[Item]:
    return readable(lambda: _proposed(memory, known, people, old))


def _proposed(memory: Memory, known: Live, people: Mapping[str, tuple[str, str]], old: Memory | None) -> Iterator[Item]:
    "All items that a memory gives; those whose answer holds its core come with it."
    clauses = parse(memory.text)
    before = [c for c in parse(old.text)] if old is not None else []
    for clause in clauses:
        yield from frames.framed(clause)
        yield from habits.framed(clause)
        yield from generic.asked_for(clause)
        yield from besides(clause)
        yield from generic.subject_asked(clause)
        yield from generic.subject_named(clause, memory.answer)
        yield from generic.true_or_not(clause)
        yield from generic.whether(clause)
        yield from others.untrue(clause, known, memory.id)
        yield from generic.reversed_(clause)
        yield from generic.rewritten(clause)
        yield from others.contrasted(clause, [b for b in before if b.subject == clause.subject] or before[:1])
        yield from others.of_others(clause, known, others.persons(people))
        yield from unsaid.never_said(clause, known)
        yield from unsaid.unsaid_of_user(known, memory.id, 6)
        yield from others.composed(clause, dict(people), memory.id)
        if clause is clauses[0]:
            yield from others.in_context(clause, memory.text, known, memory.id)
    yield from whole.instructed(memory)
    yield from whole.whole(memory, known)


__all__ = ["anchors", "asked", "commands", "declining", "dream", "general", "unstated"]
