"Notes that are taken whole: what the assistant should do, and notes that cannot be read."

from __future__ import annotations

from collections.abc import Iterator

from pocketsleep.night.grammar.clause import question, sentence
from pocketsleep.night.grammar.items import ABOUT, Item, pick
from pocketsleep.night.grammar.lead import in_second_person
from pocketsleep.night.grammar.live import Live
from pocketsleep.night.grammar.parse import instruction, parse
from pocketsleep.night.grammar.person import turn
from pocketsleep.nouns import Memory


def instructed(memory: Memory) -> Iterator[Item]:
    "What the assistant should do, and when."
    told = instruction(memory.text)
    if told is None:
        return
    when, deed = turn(told.lead, "I"), turn(told.deed, "you", they=False)
    low = when[:1].lower() + when[1:]
    mine = turn(told.lead, "you")
    whole = sentence(f"{mine}, I should {deed}" if mine else f"I should {deed}")
    asks = (
        "What should you do {w}?",
        "What do you do {w}?",
        "What is the rule {w}?",
        "How should you react {w}?",
        "What have I asked you to do {w}?",
        "What do I expect {w}?",
        "What happens {w}?",
        "Remind me what you do {w}.",
        "Do you remember what to do {w}?",
    )
    for n, ask in enumerate(asks):
        if low:
            yield Item(ask.format(w=low), whole, "direct" if n < 4 else "paraphrase", f"told/{n}")
    asked = turn(told.deed, "I", they=False)
    yield Item(
        question(f"Should you {asked} {low}"),
        f"Yes, {whole[0].lower() if not whole.startswith('I ') else 'I'}{whole[1:]}",
        "yes_no",
        "told/yes",
    )


def whole(memory: Memory, known: Live) -> Iterator[Item]:
    "A note that cannot be read, in the second person, under its core: what any note gives."
    if parse(memory.text) or not 0 < len(memory.answer.split()) <= 6 or "the user" in memory.answer.lower():
        return
    core, said = memory.answer, sentence(in_second_person(memory.text))
    for wrapper in pick(ABOUT, 5, core):
        yield Item(wrapper.format(x=f"me and {core}"), said, "rewrite", f"core/{wrapper}")
    yield Item(f"What does {core} have to do with me?", said, "reverse", "core/todo")
    yield Item(f"Have I ever mentioned {core}?", f"Yes. {said}", "yes_no", "core/mentioned")
    for n, ask in enumerate(
        ("Why might I mention {c}?", "Do you remember what I said about {c}?", "What is it about {c} again?")
    ):
        yield Item(ask.format(c=core), said, "paraphrase", f"core/{n}")
    around = [n for n in known.notes if n != memory.text][:2]
    yield Item(f"What did I say about {core}?", said, "context", "core/context", (memory.text, *around))
