"""Dreams by a trained skill: from one note, questions in words that no grammar has, and what was never said.

    note -> proposals (sampled) -> grounded in the note? -> answered so by a reader that sees the note? -> dreams

What is dreamt of a note is a function of the note, the skill and the seed alone: a note that stays keeps its
dreams, and one that goes leaves nothing in those of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pocketsleep.night.grade import plain, says
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.guard import commands
from pocketsleep.night.grammar.items import near, number
from pocketsleep.night.grammar.items import plain as asked_plainly
from pocketsleep.night.grammar.lead import DECLINE, told
from pocketsleep.night.grammar.live import content
from pocketsleep.night.skill import DREAMER, Skills
from pocketsleep.nouns import Dream, Form, Memory, Message

WARMTH, TOKENS = 0.8, 140
LONGEST_QUESTION, LONGEST_ANSWER = 24, 8  # words
HELD_OUT = 2  # of the verified questions on a note
UNSAID = "not said"
"What is asked of the skill, and how often a note."
TASKS = {"ask": ("Questions:", 5), "turn": ("Uses:", 3), "never": ("Not said:", 1)}


def prompt(task: str, note: str) -> tuple[Message, ...]:
    "What the skill is asked for one note."
    return (Message("user", f"Note: {note}\n{TASKS[task][0]}"),)


def reading(notes: Sequence[str], question: str) -> tuple[Message, ...]:
    "What the skill is asked to answer from notes, or to say that they do not."
    listed = "\n".join(f"- {note}" for note in notes)
    return (Message("user", f"Notes:\n{listed}\nQuestion: {question}\nAnswer:"),)


@dataclass(frozen=True, slots=True)
class Proposal:
    "A question on a note, with the answer that was proposed for it ('' for what was never said)."

    question: str
    answer: str
    task: str


def dreamt(skills: Skills, memories: Sequence[Memory], seed: int) -> dict[str, list[Dream]]:
    "Verified dreams of each memory, by its id."
    kept = [m for m in memories if not commands(m.text)]
    asks = [(m, task, k) for m in kept for task, (_, times) in TASKS.items() for k in range(times)]
    with skills.wearing(DREAMER) as runtime:
        said = [""] * len(asks)
        for k in range(max(times for _, times in TASKS.values())):
            some = [i for i, ask in enumerate(asks) if ask[2] == k]
            by = [number(asks[i][0].id, asks[i][1], str(seed), str(k)) for i in some]  # not by its place among the notes
            answers = runtime.answer([prompt(asks[i][1], asks[i][0].text) for i in some], TOKENS, WARMTH, by)
            for i, answer in zip(some, answers, strict=True):
                said[i] = answer
        proposals = {m.id: list(_fresh(m, [(t, s) for (of, t, _), s in zip(asks, said, strict=True) if of is m])) for m in kept}
        flat = [(m, p) for m in kept for p in proposals[m.id]]
        read = runtime.answer([reading([m.text], p.question) for m, p in flat], 12)
    found: dict[str, list[Dream]] = {m.id: [] for m in kept}
    for (memory, proposal), answer in zip(flat, read, strict=True):
        if dream := _verified(memory, proposal, answer):
            found[memory.id].append(dream)
    return {m: list(_with_held_out(m, dreams)) for m, dreams in found.items()}


def _fresh(memory: Memory, said: Sequence[tuple[str, str]]) -> Iterator[Proposal]:
    "What was proposed for one memory, each question once."
    seen: list[str] = []
    for task, text in said:
        for proposal in proposed(task, text):
            question = asked_plainly(proposal.question)
            if fits(proposal, memory) and not any(near(question, other) for other in seen):
                seen.append(question)
                yield proposal


def proposed(task: str, text: str) -> Iterator[Proposal]:
    "The whole lines of what the skill wrote; the last one may be cut off."
    for line in text.splitlines():
        question, bar, answer = (part.strip() for part in line.partition("|"))
        if task == "never":
            if question.endswith("?") and not bar:
                yield Proposal(question, "", task)
        elif bar and answer and re.search(r"[.?!]$", question):
            yield Proposal(question, answer, task)


def fits(proposal: Proposal, memory: Memory) -> bool:
    "Whether a proposal is short, grounded in the note, and not answered by its own question."
    question, answer = proposal.question, proposal.answer
    if commands(question) or not 3 <= len(question.split()) <= LONGEST_QUESTION:
        return False
    if proposal.task == "never":
        return bool(_MINE.search(question))
    words = content(re.sub(r"^(?:yes|no)\b[,.]? ?", "", answer, flags=re.IGNORECASE))
    polar = bool(re.match(r"(?:yes|no)\b", answer, re.IGNORECASE))
    grounded = words <= content(memory.text) | {"you", "your"} and (bool(words) or polar)
    return len(answer.split()) <= LONGEST_ANSWER and grounded and (polar or not words <= content(question))


_MINE = re.compile(r"\b(?:I|I'm|I've|I'd|my|me|mine|our|we|us)\b")


def _verified(memory: Memory, proposal: Proposal, answer: str) -> Dream | None:
    "The round trip: a reader that sees the note gives the answer that was proposed."
    unsaid = plain(answer) == plain(UNSAID)
    if proposal.task == "never":
        return Dream(proposal.question, DECLINE, "unstated", (memory.id,)) if unsaid else None
    if unsaid or not (says(answer, proposal.answer) or says(proposal.answer, answer)):
        return None
    form, said = _form(proposal, memory)
    return Dream(proposal.question, said, form, (memory.id,))


def _form(proposal: Proposal, memory: Memory) -> tuple[Form, str]:
    answer = proposal.answer[0].upper() + proposal.answer[1:]
    if re.match(r"(?:Yes|No)\b", answer):
        return "yes_no", sentence(answer)
    if memory.answer and (says(answer, memory.answer) or says(memory.answer, answer)):
        return ("use" if proposal.task == "turn" else "paraphrase"), (told(memory.text, memory.answer) or sentence(memory.answer))
    return "reverse", sentence(answer)


def _with_held_out(memory: str, dreams: Sequence[Dream]) -> Iterator[Dream]:
    "Some questions after the heart of the note are kept for the exam, chosen by their words."
    able = [d for d in dreams if d.form == "paraphrase"]
    held = sorted(able, key=lambda d: number("held", d.question, memory))[:HELD_OUT] if len(able) > 3 * HELD_OUT else []
    for dream in dreams:
        yield Dream(dream.question, dream.answer, dream.form, dream.memories, held_out=True) if dream in held else dream
