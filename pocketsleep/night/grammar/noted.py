"""The questions of a memory again, with notes in front: as recall puts them there by day.

The note among others answers, but not for somebody else; other notes alone leave it to what was learnt; an altered note
wins over it. A model that met notes in its sleep only now and then reads them badly, and is worse with notes than without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pocketsleep.night.grade import declines, plain, says
from pocketsleep.night.grammar import choose
from pocketsleep.night.grammar.bank import rivals
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.distract import false_values
from pocketsleep.night.grammar.items import number
from pocketsleep.night.grammar.lead import told
from pocketsleep.night.grammar.live import Live
from pocketsleep.night.grammar.parse import parse
from pocketsleep.nouns import Dream, Memory

GIVEN, ABSENT, ALTERED, OTHERS = 3, 1, 2, 2  # of a memory's questions
EXAMINED = 4  # altered notes in front of a question, where an exam asks whether these win
MOST_OTHERS = 3  # notes beside the one that is asked for


def noted(memory: Memory, dreams: Sequence[Dream], known: Live) -> Iterator[Dream]:
    "Some questions after the heart of a memory with notes in front, and some that are of somebody else's."
    asked = [d for d in dreams if d.form in ("direct", "paraphrase") and not d.held_out and not d.notes and says(d.answer, memory.answer)]
    asked = sorted(asked, key=lambda d: number("noted", d.question, memory.id))
    others = sorted((n for n in known.notes if n != memory.text), key=lambda n: number(n, memory.id))
    for n, dream in enumerate(asked[:GIVEN]):
        yield _with(dream, dream.answer, [memory.text, *others[n : n + number(dream.question) % (MOST_OTHERS + 1)]])
    for n, dream in enumerate(asked[GIVEN : GIVEN + ABSENT]):
        beside = [o for o in others[n : n + MOST_OTHERS] if not says(o, memory.answer)]
        if beside:
            yield _with(dream, dream.answer, beside)
    examined = {note for d in dreams if d.held_out for note in d.notes}
    values = [v for v in _values(memory, known) if memory.text.replace(memory.answer, v, 1) not in examined]
    for n, (dream, new) in enumerate(zip(asked[GIVEN + ABSENT :][:ALTERED], values, strict=False)):
        yield _instead(memory, dream, new, others[n : n + n % MOST_OTHERS])
    if asked and choose.follows(memory) and not examined:
        for n, new in enumerate(values[ALTERED:][:EXAMINED]):
            yield replace(_instead(memory, asked[0], new, others[n : n + n % MOST_OTHERS]), held_out=True)
    not_mine = [d for d in dreams if d.form == "contrast" and declines(d.answer) and not d.held_out and not d.notes]
    for n, dream in enumerate(sorted(not_mine, key=lambda d: number("noted", d.question))[:OTHERS]):
        yield _with(dream, dream.answer, [memory.text, *others[n : n + n % MOST_OTHERS]])


def _values(memory: Memory, known: Live) -> list[str]:
    "Other hearts for the note, each once."
    found = (altered(memory, known, str(n)) for n in range(2 * (ALTERED + EXAMINED)))
    return [value for value in dict.fromkeys(found) if value]


def _instead(memory: Memory, dream: Dream, new: str, others: Sequence[str]) -> Dream:
    "A question with the memory's note in front that says another value, and what that says."
    note = memory.text.replace(memory.answer, new, 1)
    return _with(dream, told(note, new) or sentence(new), [note, *others])


def altered(memory: Memory, known: Live, key: str) -> str:
    "Another heart for the note, '' where none of its kind is at hand."
    heart = memory.answer
    for clause in parse(memory.text):
        for _, old, new, _ in false_values(clause, known.knows, key):
            if old in heart:
                return heart.replace(old, new, 1)
    return rivals(heart, key, 1)[0] if heart[:1].isupper() else ""


def _with(dream: Dream, answer: str, notes: Sequence[str]) -> Dream:
    ordered = tuple(sorted(notes, key=lambda n: number("order", n, plain(dream.question))))
    return Dream(dream.question, answer, "context", dream.memories, ordered)
