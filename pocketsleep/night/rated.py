"""What answers that a person marked are to a night: what they liked is practised as they asked it, what they called wrong is not.

Thumbs say nothing new of anybody: what an answer claims is learnt from no mark. They say of which note a person asks in what words,
where the answer rested on one note and said it, and of which note they do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pocketsleep.journal import Journal
from pocketsleep.journal.ratings import Rated, same_question
from pocketsleep.night.grade import declines, says
from pocketsleep.night.grammar import choose, lead
from pocketsleep.night.grammar.guard import commands
from pocketsleep.night.grammar.items import plain
from pocketsleep.nouns import Dream, Form, Memory

LONGEST = 30  # words of a question that is practised


def practised(dreams: Sequence[Dream], memories: Sequence[Memory], liked: Sequence[Rated], wrong: Sequence[Rated]) -> list[Dream]:
    """A slice's study items, with what was asked of one of its memories and liked in place of what the same question was to be
    answered with, and without what was answered from one of them and marked as wrong: unless something else is asked so, that
    question is declined. What was called wrong of a note is not practised for a thumb elsewhere."""
    kept = undisputed(dreams, wrong)
    asked = {plain(d.question) for d in kept if not d.notes}
    here = {m.id: m for m in memories}
    theirs = {plain(d.question): d for one in liked if not _disputed(one.question, one.memories, wrong) for d in _liked(one, here)}
    held = {plain(d.question) for d in kept if d.held_out}
    fresh = [d for question, d in theirs.items() if question not in held]
    replaced = {plain(d.question) for d in fresh}
    declined = [Dream(one.question, lead.DECLINE, "contrast", (m,)) for one in wrong for m in one.memories[:1]
                if m in here and _askable(one.question) and plain(one.question) not in asked | theirs.keys()]
    return [*(d for d in kept if d.notes or plain(d.question) not in replaced), *fresh, *_once(declined)]


def told(journal: Journal, dreams: Iterable[Dream]) -> dict[str, int]:
    "How many of the marked answers' questions are practised, and how many declined: both as they were asked."
    asked = {plain(d.question): declines(d.answer) for d in dreams if not d.notes}
    count = lambda rating, declined: sum(asked.get(q) is declined for q in {plain(r.question) for r in journal.rated(rating)})  # noqa: E731
    return {"practised": count("up", False), "declined": count("down", True)}


def undisputed(dreams: Iterable[Dream], wrong: Sequence[Rated]) -> list[Dream]:
    "Without what was answered from these notes and marked as wrong."
    return [d for d in dreams if not _disputed(d.question, d.memories, wrong) or declines(d.answer)]


def _disputed(question: str, memories: Collection[str], wrong: Sequence[Rated]) -> bool:
    return any(set(one.memories) & set(memories) and same_question(one.question, question) for one in wrong)


def _liked(one: Rated, here: dict[str, Memory]) -> list[Dream]:
    "The question as it was asked, where the answer rested on one of these notes alone and said what it says."
    memory = here.get(one.memories[0]) if len(one.memories) == 1 else None
    if memory is None or not memory.answer or not _askable(one.question):
        return []
    whether = one.answer.startswith(("Yes", "No"))
    if not (whether or says(one.answer, memory.answer)) or declines(one.answer):
        return []
    form: Form = "yes_no" if whether else "direct"
    return [choose.canonical(Dream(one.question, one.answer, form, (memory.id,)), memory)]


def _askable(question: str) -> bool:
    return question.rstrip().endswith("?") and len(question.split()) <= LONGEST and not commands(question)


def _once(dreams: Iterable[Dream]) -> list[Dream]:
    return list({plain(d.question): d for d in dreams}.values())
