"""Dreaming without a trained skill: from a note about the user to many study items, by grammar.

Every item is a function of the live notes and a seed. Items are proposed in far greater number than
wanted, compared over all notes (a question with two answers is dropped), and then chosen by form.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pocketsleep.night.grammar import frames, generic, others
from pocketsleep.night.grammar.clause import question, sentence
from pocketsleep.night.grammar.items import ABOUT, Item, near, number, pick, plain, voiced
from pocketsleep.night.grammar.lists import anchors, general, unstated
from pocketsleep.night.grammar.others import Live
from pocketsleep.night.grammar.parse import instruction, parse
from pocketsleep.night.grammar.person import turn
from pocketsleep.nouns import Dream, Memory

LEAST, MOST = 8, 40
REWRITES_A_TURN = 8  # free rewrites of one cited turn: one source may not fill a night
SHARES: Mapping[str, int] = {"direct": 5, "paraphrase": 6, "yes_no": 5, "rewrite": 2, "reverse": 2, "contrast": 3, "context": 3,
                             "use": 1, "unstated": 1, "composition": 2}
_COMMANDS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|prior|above|earlier|all|any|instructions?|rules?)\b"
    r"|\balways (?:mention|recommend|include|say|insert|add|advertise|link|reply with)\b|\bsystem prompt\b|\bjailbreak|\byou are now\b"
    r"|\bfrom now on,? you\b|\bpretend (?:to be|you)\b|\bas an ai\b|\bdo not (?:tell|reveal|warn)\b|\bexfiltrat|https?://|<\||\|>|\[/?inst\]"
    r"|\bno matter what\b|\bin every (?:answer|reply|response)\b.{0,20}\b(?:mention|recommend|link)",
    re.I,
)


def dream(memories: Sequence[Memory], *, superseded: Mapping[str, Memory] | None = None, seed: int = 0, per_memory: int = 24,
          live: Sequence[Memory] | None = None, quota: Callable[[Memory], int] | None = None) -> tuple[Dream, ...]:
    """Study items for each memory, held-out ones included, in the order of the memories.

    `superseded`: id of a memory -> the memory it replaced. `live`: all memories that hold (default: these).
    `quota`: how many items to train on for one memory (default `per_memory`); held between 8 and 40.
    Held-out items come on top: three unseen wordings and one yes/no where there are enough.
    """
    kept = [m for m in memories if not commands(m.text)]
    everything = [m for m in (live if live is not None else memories) if not commands(m.text)]
    known = Live.of([m.text for m in everything])
    people = others.relations([(m.id, m.text) for m in everything])
    proposed = {m.id: list(_proposed(m, known, people, (superseded or {}).get(m.id))) for m in kept}
    _merge_rewrites(proposed)
    unclear = _ambiguous(proposed)
    rewrites: Counter[tuple[str, int]] = Counter()
    asked: set[str] = set()
    dreams: list[Dream] = []
    for memory in kept:
        items = [i for i in proposed[memory.id] if (plain(i.question), i.notes) not in unclear and not commands(i.question)]
        wanted = max(LEAST, min(MOST, quota(memory) if quota else per_memory))
        dreams += _chosen(memory, items, wanted, seed, asked, rewrites)
    return tuple(dreams)


def declining(live: Sequence[Memory], *, count: int, seed: int = 0) -> list[Dream]:
    "General questions about the person that no live note answers, with the answer that declines; one in five is held out."
    known = Live.of([m.text for m in live])
    free = [s for s in unstated() if not s.words & known.words]
    chosen = sorted(free, key=lambda s: number(s.ask, str(seed)))[:count]
    pairs = [(others.unsaid(s), others.examined(s)) for s in chosen]
    return [Dream(voiced(i.question, str(seed)), i.answer, "unstated", held_out=held) for i, held in pairs]


def commands(text: str) -> bool:
    "Whether a text reads as an order to the model rather than as something about the user."
    return bool(_COMMANDS.search(text))


def _proposed(memory: Memory, known: Live, people: Mapping[str, tuple[str, str]], old: Memory | None) -> Iterator[Item]:
    "All items that a memory gives; those whose answer holds its core come with it."
    clauses = parse(memory.text)
    before = [c for c in parse(old.text)] if old is not None else []
    for clause in clauses:
        yield from frames.framed(clause)
        yield from generic.asked_for(clause)
        yield from generic.subject_asked(clause)
        yield from generic.true_or_not(clause)
        yield from generic.whether(clause)
        yield from others.untrue(clause, known, memory.id)
        yield from generic.reversed_(clause)
        yield from generic.rewritten(clause)
        yield from others.contrasted(clause, [b for b in before if b.subject == clause.subject] or before[:1])
        yield from others.of_others(clause, known)
        yield from others.never_said(clause, known)
        yield from others.unsaid_of_user(known, memory.id, 1)
        yield from others.composed(clause, dict(people), memory.id)
        if clause is clauses[0]:
            yield from others.in_context(clause, memory.text, known, memory.id)
    yield from _instructed(memory)
    yield from _whole(memory, known)


def _instructed(memory: Memory) -> Iterator[Item]:
    "What the assistant should do, and when."
    told = instruction(memory.text)
    if told is None:
        return
    when, deed = turn(told.lead, "I"), turn(told.deed, "you", they=False)
    low = when[:1].lower() + when[1:]
    mine = turn(told.lead, "you")
    whole = sentence(f"{mine}, I should {deed}" if mine else f"I should {deed}")
    asks = ("What should you do {w}?", "What do you do {w}?", "What is the rule {w}?", "How should you react {w}?", "What have I asked you to do {w}?",
            "What do I expect {w}?", "What happens {w}?", "Remind me what you do {w}.", "Do you remember what to do {w}?")
    for n, ask in enumerate(asks):
        if low:
            yield Item(ask.format(w=low), whole, "direct" if n < 4 else "paraphrase", f"told/{n}")
    asked = turn(told.deed, "I", they=False)
    yield Item(question(f"Should you {asked} {low}"), f"Yes, {whole[0].lower() if not whole.startswith('I ') else 'I'}{whole[1:]}", "yes_no", "told/yes")


def _whole(memory: Memory, known: Live) -> Iterator[Item]:
    "The note itself in the second person: what any note gives, read or not."
    said = sentence(turn(memory.text, "you")) if not parse(memory.text) else " ".join(c.statement() for c in parse(memory.text))
    if instruction(memory.text) is not None:
        told = instruction(memory.text)
        assert told is not None
        said = sentence(f"{turn(told.lead, 'you')}, I should {turn(told.deed, 'you', they=False)}".lstrip(", "))
    core = memory.answer if memory.answer and len(memory.answer.split()) <= 6 and memory.answer in memory.text else ""
    for topic in [core] if core and "the user" not in core.lower() and not parse(memory.text) else []:
        for wrapper in pick(ABOUT, 5, topic):
            yield Item(wrapper.format(x=f"me and {topic}"), said, "rewrite", f"core/{wrapper}")
        yield Item(f"What does {topic} have to do with me?", said, "reverse", "core/todo")
        yield Item(f"Have I ever mentioned {topic}?", f"Yes. {said}", "yes_no", "core/mentioned")
        yield Item(f"Why might I mention {topic}?", said, "paraphrase", "core/why")
    if core and not parse(memory.text):
        others_ = [n for n in known.notes if n != memory.text][:2]
        yield Item(f"What did I say about {core}?", said, "context", "core/context", (memory.text, *others_))


def _merge_rewrites(proposed: dict[str, list[Item]]) -> None:
    "'What do you know about my stall?' is answered with all that is known, when that is two or three notes."
    told: dict[str, dict[str, Item]] = defaultdict(dict)
    for key, items in proposed.items():
        for item in items:
            if item.form == "rewrite":
                told[plain(item.question)].setdefault(key, item)
    for question_, by in told.items():
        answers = list(dict.fromkeys(i.answer for i in by.values()))
        if not 1 < len(by) <= 3 or len(answers) < 2:
            continue
        first, *further = by
        joint = replace(by[first], answer=" ".join(answers), others=tuple(further))
        for key in by:
            proposed[key] = [i for i in proposed[key] if i.form != "rewrite" or plain(i.question) != question_]
        proposed[first].append(joint)


def _ambiguous(proposed: Mapping[str, Iterable[Item]]) -> set[tuple[str, tuple[str, ...]]]:
    "Questions to which two memories give different answers: nobody could know which is meant."
    answers: dict[tuple[str, tuple[str, ...]], dict[str, str]] = defaultdict(dict)
    for key, items in proposed.items():
        for item in items:
            answers[plain(item.question), item.notes].setdefault(key, item.answer)
    return {q for q, by in answers.items() if len(set(by.values())) > 1}


def _chosen(memory: Memory, items: Sequence[Item], wanted: int, seed: int, asked: set[str],
            rewrites: Counter[tuple[str, int]]) -> Iterator[Dream]:
    "Held-out items first, then the rest by form until the quota is full."
    fresh: dict[tuple[str, tuple[str, ...]], Item] = {}
    for item in items:
        key = (plain(item.question), item.notes)
        if key not in fresh and (item.notes or key[0] not in asked) and item.answer:
            fresh[key] = item
    pool = sorted(fresh.values(), key=lambda i: (not _holds(i, memory), number(i.question, memory.id, str(seed))))
    held = _held_out(pool, memory)
    barred = [plain(i.question) for i in held]
    held_frames = {i.frame for i in held}
    rest = [i for i in pool if i not in held and i.frame not in held_frames and not any(near(plain(i.question), b) for b in barred)]
    for item in held:
        asked.add(plain(item.question))
        yield _as_dream(item, memory, seed, held_out=True)
    for item in _balanced(rest, wanted):
        if item.form == "rewrite":
            if any(rewrites[c.episode, c.turn] >= REWRITES_A_TURN for c in memory.cites):
                continue
            rewrites.update((c.episode, c.turn) for c in memory.cites)
        if not item.notes:
            asked.add(plain(item.question))
        yield _as_dream(item, memory, seed)


def _holds(item: Item, memory: Memory) -> bool:
    "Whether the answer holds the memory's core, or the item is of a kind that need not."
    return item.form not in ("direct", "paraphrase") or not memory.answer or plain(memory.answer) in plain(item.answer)


def _held_out(pool: Sequence[Item], memory: Memory) -> list[Item]:
    "Three questions in wordings of their own that ask for the core, and one yes/no where three are left."
    able = [i for i in pool if i.form in ("direct", "paraphrase") and _holds(i, memory)]
    if len(able) < 7:
        able = [i for i in pool if i.form in ("direct", "paraphrase")]
    count = 3 if len(able) >= 7 else max(0, min(2, len(able) - 3))
    held: list[Item] = []
    for item in sorted(able, key=lambda i: number("held", i.frame, memory.id)):
        if len(held) < count and not any(near(plain(item.question), plain(h.question)) for h in held):
            held.append(item)
    doubtful = [i for i in pool if i.form == "yes_no"]
    if len(doubtful) >= 3:
        held.append(min(doubtful, key=lambda i: number("held", i.frame, memory.id)))
    return held


def _balanced(items: Sequence[Item], wanted: int) -> Iterator[Item]:
    "Round by round: each form gives in proportion to its share; yes and no alternate."
    by_form: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_form[item.form].append(item)
    by_form["yes_no"] = _alternating(by_form["yes_no"])
    total, taken = sum(SHARES.values()), 0
    left = {form: max(1, round(share * wanted / total)) for form, share in SHARES.items()}
    for bound in (True, False):
        for form in SHARES:
            while by_form[form] and taken < wanted and (left[form] > 0 if bound else form in ("direct", "paraphrase")):
                yield by_form[form].pop(0)
                left[form] -= 1
                taken += 1
    for form in ("rewrite", "reverse", "contrast", "context", "use"):
        for item in by_form[form][: max(0, wanted - taken)]:
            yield item
            taken += 1


def _alternating(items: Sequence[Item]) -> list[Item]:
    "No, yes, no, yes: as many of one as of the other."
    yes = [i for i in items if i.answer.startswith("Yes")]
    no = [i for i in items if not i.answer.startswith("Yes")]
    pairs = [item for pair in zip(no, yes, strict=False) for item in pair]
    return pairs or [*no[:1], *yes[:1]]


def _as_dream(item: Item, memory: Memory, seed: int, held_out: bool = False) -> Dream:
    return Dream(voiced(item.question, str(seed)), item.answer, item.form, (memory.id, *item.others), item.notes, held_out)


__all__ = ["anchors", "commands", "declining", "dream", "general", "unstated"]
