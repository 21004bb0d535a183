"Which of the proposed items a memory keeps: clear ones, some held out, the forms in balance."

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pocketsleep.night.grade import says
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.items import Item, near, number, plain, voiced
from pocketsleep.night.grammar.lead import told
from pocketsleep.nouns import Dream, Memory

FOR_THE_EXAM = "context/examined"  # never studied
REWRITES_A_TURN = 8  # free rewrites of one cited turn: one source may not fill a night
"How many items of each form stand in a study set, relative to each other."
SHARES: Mapping[str, int] = {
    "direct": 5, "paraphrase": 6, "yes_no": 5, "rewrite": 2, "reverse": 2, "contrast": 3, "context": 3,
    "use": 1, "unstated": 1, "composition": 2,
}  # fmt: skip


def merge_rewrites(proposed: dict[str, list[Item]]) -> None:
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


def ambiguous(proposed: Mapping[str, Iterable[Item]],
              elsewhere: Mapping[str, Collection[str]] | None = None) -> set[tuple[str, tuple[str, ...]]]:
    """Questions to which two memories give different answers: nobody could know which is meant. `elsewhere`: by plain question,
    what memories answer that nothing is proposed of here."""
    answers: dict[tuple[str, tuple[str, ...]], dict[str, str]] = defaultdict(dict)
    for key, items in proposed.items():
        for item in items:
            answers[plain(item.question), item.notes].setdefault(key, item.answer)
    further = {q: () if q[1] else (elsewhere or {}).get(q[0], ()) for q in answers}
    return {q for q, by in answers.items() if len({*by.values(), *further[q]}) > 1}


def chosen(
    memory: Memory,
    items: Sequence[Item],
    wanted: int,
    seed: int,
    asked: set[str],
    rewrites: Counter[tuple[str, int]],
) -> Iterator[Dream]:
    "Held-out items first, then the rest by form until the quota is full."
    fresh: dict[tuple[str, tuple[str, ...]], Item] = {}
    for item in items:
        key = (plain(item.question), item.notes)
        if key not in fresh and (item.notes or key[0] not in asked) and item.answer:
            fresh[key] = item
    pool = sorted(fresh.values(), key=lambda i: (not _holds(i, memory), number(i.question, memory.id, str(seed))))
    held = _held_out(pool, memory)
    barred = [plain(i.question) for i in held if not i.notes]
    held_frames = {i.frame for i in held if not i.notes}
    rest = [
        i
        for i in pool
        if i not in held and i.frame not in {*held_frames, FOR_THE_EXAM} and not any(near(plain(i.question), b) for b in barred)
    ]
    for item in held:
        if not item.notes:
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
    order = sorted(able, key=lambda i: number("held", i.frame, memory.id))
    for fresh in (True, False):  # wordings of different kinds first
        for item in order:
            seen = {_family(h) for h in held}
            alike = any(near(plain(item.question), plain(h.question)) for h in held)
            if len(held) < count and not alike and not (fresh and _family(item) in seen):
                held.append(item)
    altered = [i for i in pool if i.frame == "context/altered"]
    if altered and follows(memory):
        held += [altered[0], *{i.notes: i for i in pool if i.frame == FOR_THE_EXAM}.values()]
    doubtful = [i for i in pool if i.form == "yes_no"]
    if len(doubtful) >= 3:
        held.append(min(doubtful, key=lambda i: number("held", i.frame, memory.id)))
    return held


def follows(memory: Memory) -> bool:
    "Whether an exam asks of this memory, one in three, if what stands in front wins over what was learnt."
    return number("altered", memory.id) % 3 == 0


def _family(item: Item) -> str:
    "The kind of wording: a hand-made frame, a direct question, an indirect one, a gap to fill."
    return item.frame.partition("/")[0]


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
    asked = voiced(item.question, str(seed))
    return canonical(Dream(asked, item.answer, item.form, (memory.id, *item.others), item.notes, held_out), memory)


def canonical(dream: Dream, memory: Memory) -> Dream:
    """The same item with one answer for all wordings: the note as said to its user (lead.py), its span where it cannot be said.
    Yes and no are one token among those of an answer: the fewer they are, the more it weighs."""
    core = memory.answer
    if dream.form == "yes_no" and core and plain(core) in plain(dream.answer):
        named = says(dream.question, core)  # then what is denied of it is something else, or that it is so at all
        return replace(dream, answer="Yes." if dream.answer.startswith("Yes") else "No." if named else f"No, {core}.")
    if dream.form not in ("direct", "paraphrase", "use") or not core:
        return dream
    said = told(memory.text, core)
    if said and plain(dream.answer) in plain(said):
        return replace(dream, answer=said)
    return replace(dream, answer=said or sentence(core)) if plain(core) in plain(dream.answer) else dream
