"""From live memories to a candidate: which levels are trained tonight, on what, and how they become one adapter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from textwrap import shorten
from typing import Any

from pocketsleep.errors import AdapterError
from pocketsleep.night import asked as asking
from pocketsleep.night import dream as dreaming
from pocketsleep.night import levels as level_of
from pocketsleep.night import rated
from pocketsleep.night import seed as seeding
from pocketsleep.night.bed import Bed, Teller, stage
from pocketsleep.night.grammar import lists
from pocketsleep.night.grammar.items import plain
from pocketsleep.night.levels import Level
from pocketsleep.night.overtaken import retold
from pocketsleep.night.recipe import Recipe
from pocketsleep.night.skilled import Skilled
from pocketsleep.nouns import Adapter, Dream, Lesson, Memory, Night
from pocketsleep.registry import Registry, read_adapter
from pocketsleep.weights.lora_sum import scaled, summed

EXAMINED, ASKED = 4, 10  # levels that a night left alone and its exam looks into, in turn, and memories of each
GENTLER = 0.85  # of what each level adds: it keeps 97% of what it learnt and half of what it lost comes back (bench/LOG.md)
ASKED_BY = ("per_memory", "skilled", "self_asked")  # of a recipe: what a memory is asked
REPLAYED, AGAIN = 4, 200  # levels below whose questions a new one is asked again, evenly spread, and how many

Slices = Sequence[Sequence[Memory]]


def study(bed: Bed, night: Night, live: Sequence[Memory]) -> dict[str, Any]:
    """Dream for the levels that are trained tonight, and what the exam asks of the others. The journal keeps
    the items; the plan of the levels is what comes back."""
    by_id, places, most = {m.id: m for m in live}, bed.journal.places(), bed.recipe(len(live))
    held = [[by_id[m] for m in one] for one in level_of.slices({m: places[m] for m in by_id}, most.level)]
    made = _made(bed)
    every = {m.id: m for m in bed.journal.memories(status=None)}
    gone = level_of.replaced(held, every, bed.journal.places(status=None), most.level)
    wanted = level_of.levels(held, bed.recipe, bed.base_sha256, bed.manner, gone, made, _stay(bed, made))
    now, worn = level_of.tonight(wanted, made, most.slices, bed.journal.holds(current) if (current := worn_now(bed)) else ())
    dreams: list[Dream] = []
    plans: dict[str, dict[str, list[str]]] = {}
    skilled = Skilled(bed, night)
    for level in now:
        part, plans[level.key] = _dreamt(bed, night, held[: worn.index(level) + 1], skilled)
        dreams += part
    known = list(chain.from_iterable(held[: len(worn)]))
    dreams += [d for d in dreaming.declining(known, count=most.declines, seed=night.seed) if d.held_out]
    dreams += _examined(bed, night, [one for one, level in zip(held, worn, strict=False) if level not in now], skilled)
    once: dict[str, Dream] = {}
    for dream in dreams:  # the order of a level's items is its own, whatever is dreamt beside it
        once.setdefault(dream.id, dream)
    bed.journal.keep_dreams(night.id, list(once.values()))
    return {"dreams": len(once), "held_out": sum(d.held_out for d in once.values()), "waiting": len(live) - len(known),
            "skilled": skilled.ids(once), "dreamer": skilled.maker, "now": plans,
            "made": {x.key: made[x.key] for x in worn if x not in now}, "rated": rated.told(bed.journal, once.values()),
            "levels": [[x.key, list(x.memories) if x in now else []] for x in worn]}


def _made(bed: Bed) -> dict[str, str]:
    "Levels that a worn night left and nothing took away: key -> adapter id."
    made: dict[str, str] = {}
    for night in bed.journal.nights():
        if night.verdict is not None and night.verdict.passed:
            made |= (bed.journal.stage(night.id, "seed") or {}).get("parts", {})
    return {key: one for key, one in made.items() if bed.registry.usable(one, bed.base_sha256)}


def _stay(bed: Bed, made: Mapping[str, str]) -> list[str]:
    """Of these levels those that stay however they were taught: what is worn, last, and what was on when something was forgotten.
    What a person took off by hand comes back only where it is asked for as it was made."""
    here, current = {adapter.id for adapter in bed.registry.list()}, bed.journal.current()
    passed = [night for night in bed.journal.nights() if night.verdict is not None and night.verdict.passed]
    some = [n for n in passed if n.adapter not in here] + [n for n in passed if current and n.adapter == current]
    return [key for night in some for key in (bed.journal.stage(night.id, "seed") or {}).get("parts", {}) if key in made]


def worn_now(bed: Bed) -> str:
    "The adapter that is worn, '' where it is damaged or another base's: nothing can be kept of that, so all is made anew."
    current = bed.journal.current()
    return current if current and bed.registry.usable(current, bed.base_sha256) else ""


def _dreamt(bed: Bed, night: Night, held: Slices, skilled: Skilled) -> tuple[list[Dream], dict[str, list[str]]]:
    "Items of the last of these slices, and the ids of those that decline and of those asked again of slices below."
    mine, count = held[-1], bed.recipe(len(held[-1])).declines
    known = list(chain.from_iterable(held))
    declined = [d for d in dreaming.declining(known, count=count, seed=night.seed) if not d.held_out]
    about = _about(bed, night, mine, skilled, below=held[:-1])
    again = _undisputed(_again(bed, night, held[:-1], skilled), about)
    ids = {"declined": [d.id for d in declined], "again": [d.id for d in again]}
    return [*about, *declined, *again], ids


def _undisputed(again: Sequence[Dream], about: Sequence[Dream]) -> list[Dream]:
    "What is asked again of levels below, but for what the memories above answer otherwise: they were told of it later."
    answered = {plain(d.question): d.answer for d in about if not d.notes}
    return [d for d in again if d.notes or answered.get(plain(d.question), d.answer) == d.answer]


def _about(bed: Bed, night: Night, mine: Sequence[Memory], skilled: Skilled, as_it_was: bool = False,
           below: Slices = ()) -> list[Dream]:
    """The study items of a slice's memories, held-out ones included; of one that is left `as_it_was`, what it was taught. What the
    slices `below` say is known: it is not denied, and nothing is asked that both answer."""
    live = [*chain.from_iterable(below), *mine]
    seed, recipe = _taught(bed, night, mine) if as_it_was else (night.seed, bed.recipe(len(mine)))
    beside = skilled.dreams([m for m in mine if not dreaming.well_asked(m)], recipe.skilled, as_it_was, seed)
    if recipe.self_asked:
        beside += asking.asked(bed.serving(), mine, seed=seed)
    dreams = dreaming.dream(mine, superseded=replaced(bed, mine), seed=seed, per_memory=recipe.per_memory, live=live, beside=beside)
    wrong = bed.journal.rated("down")
    return rated.undisputed(dreams, wrong) if as_it_was else rated.practised(dreams, mine, bed.journal.rated("up"), wrong)


def _taught_about(bed: Bed, night: Night, held: Slices, skilled: Skilled) -> list[Dream]:
    "The same of one that is left as it was: several levels of a night ask for it."
    key = tuple(m.id for m in held[-1])
    if key not in skilled.taught:
        skilled.taught[key] = _about(bed, night, held[-1], skilled, as_it_was=True, below=held[:-1])
    return skilled.taught[key]


def _taught(bed: Bed, night: Night, mine: Sequence[Memory]) -> tuple[int, Recipe]:
    "The seed and recipe that a level of these was taught by, in the last worn night that trained one; tonight's where none did."
    wanted, recipe = {m.id for m in mine}, bed.recipe(len(mine))
    for one in reversed(bed.journal.nights()):
        plan = bed.journal.stage(one.id, "dream") or {}
        if one.verdict is not None and one.verdict.passed and any(wanted.issubset(held) for _, held in plan.get("levels", ())):
            told = (bed.journal.stage(one.id, "seed") or {}).get("recipe", {})
            return one.seed, replace(recipe, **{name: told[name] for name in ASKED_BY if name in told})
    return night.seed, recipe


def replaced(bed: Bed, live: Sequence[Memory]) -> dict[str, Memory]:
    """What each of these replaced, by its id: of a chain the oldest version that the adapter worn now holds, for that may be in
    a level that stays, else the last. A plan whose day is over was no other value."""
    every, current = {m.id: m for m in bed.journal.memories(status=None)}, bed.journal.current()
    worn = set(bed.journal.holds(current)) if current else set()
    found = {}
    for memory in live:
        chain = [old for old in level_of.chain(memory, every) if not retold(old, memory)]
        if chain:
            found[memory.id] = next((old for old in reversed(chain) if old.id in worn), chain[0])
    return found


def _again(bed: Bed, night: Night, below: Slices, skilled: Skilled) -> list[Dream]:
    "Items that slices below were trained on: as many however many there are."
    some = dreaming.evenly(range(1, 1 + len(below)), REPLAYED)
    return dreaming.evenly([d for n in some for d in _taught_about(bed, night, below[:n], skilled) if not d.held_out], AGAIN)


def _examined(bed: Bed, night: Night, alone: Slices, skilled: Skilled) -> list[Dream]:
    "Held-out questions on some memories of some of these slices, the lowest, that are worn as they are: others every night."
    number = int(night.id.removeprefix("n"))
    found: list[Dream] = []
    for i in range(min(EXAMINED, len(alone))):
        at = (number * EXAMINED + i) % len(alone)
        mine = alone[at]
        some = {mine[(number + j * len(mine) // ASKED) % len(mine)].id for j in range(ASKED)}
        taught = _taught_about(bed, night, alone[: at + 1], skilled)
        found += [d for d in taught if d.held_out and some.intersection(d.memories)]
    return found


def trained(bed: Bed, night: Night, live: Sequence[Memory], dreams: Mapping[str, Any], tell: Teller) -> dict[str, Any]:
    "Train what is missing, level by level; the candidate is the sum of all. One of several is a stage of its own."
    levels, parts, now = [Level(key, tuple(m)) for key, m in dreams["levels"]], dict(dreams["made"]), dreams["now"]
    made: list[dict[str, Any]] = []
    lowest = [bed.manner] if bed.manner else []
    for number, level in enumerate(levels):
        if level.key in now:
            work = partial(_one, bed, night, level, live, now[level.key], [*lowest, *(parts[x.key] for x in levels[:number])], tell)
            made.append(work() if len(now) == 1 else stage(bed, night, tell, f"seed {len(made) + 1} of {len(now)}", work,
                                                           f"{len(level.memories)} memories"))
            if not made[-1]["adapter"]:
                return {**made[-1], "parts": {}}
            parts[level.key] = made[-1]["adapter"]
    candidate = whole(bed.registry, [*lowest, *(parts[level.key] for level in levels)])
    last = made[-1] if made else {"epochs": [], "stopped": "every level was made before", "recipe": {}}
    return {**last, "adapter": candidate.id, "lessons": sum(one["lessons"] for one in made), "parts": parts}


def _one(bed: Bed, night: Night, level: Level, live: Sequence[Memory], ids: Mapping[str, list[str]], below: Sequence[str],
         tell: Teller) -> dict[str, Any]:
    "Train one level from the frozen base, on top of those below, and publish it. What is no adapter has no name, and says why."
    recipe = bed.recipe(len(level.memories))
    rows, held = _lessons(bed, night, level, live, ids)
    plan, on = recipe.plan(), whole(bed.registry, below) if below else None
    trainer = bed.trainer()
    try:
        learnt = trainer.train(rows, held, plan, bed.work / night.id / level.key,
                               lambda done, total, loss: tell.progress(done, total, f"loss {loss:.3f}"), bed.late,
                               bed.registry.path(on.id) if on else None)
    finally:
        trainer.close()
    epochs = [[e.number, e.loss, e.held_out, e.held_out_nll] for e in learnt.epochs]
    told = {"lessons": len(rows), "epochs": epochs, "stopped": learnt.reason, "recipe": recipe.plain(),
            "foreseen_mb": learnt.foreseen >> 20}
    try:
        adapter = bed.registry.publish(
            learnt.tensors, base=bed.base, base_sha256=bed.base_sha256, rank=plan.rank, scale=plan.scale, keys=plan.keys,
            layers=plan.layers, memories=(*level.memories, *(on.memories if on else ())))
    except AdapterError as error:
        return told | {"adapter": "", "why": shorten(str(error), 200, placeholder=" ...")}
    return told | {"adapter": adapter.id}


def _lessons(bed: Bed, night: Night, level: Level, live: Sequence[Memory],
             ids: Mapping[str, list[str]]) -> tuple[list[Lesson], list[Lesson]]:
    "A level's own dreams, and what it is asked again: what else was dreamt tonight has no part in it."
    recipe, mine, kept = bed.recipe(len(level.memories)), set(level.memories), bed.journal.dreams(night.id)
    by_id, again = {d.id: d for d in kept}, set(ids["again"])
    about = [d for d in kept if d.memories and d.memories[0] in mine and d.id not in again]  # some rest on a note below, too
    declined = [by_id[one] for one in ids["declined"] if one in by_id]
    anchors = [*seeding.anchors(bed.known, lists.anchors()[: recipe.anchors]), *lists.passages()[: recipe.passages]]
    study, held = seeding.lessons([*about, *declined], {m.id: m for m in live}, anchors, recipe)
    return study + seeding.again([by_id[one] for one in ids["again"] if one in by_id], recipe), held


def gentler(bed: Bed, levels: Sequence[str], parts: Mapping[str, str]) -> Adapter:
    """A candidate of these levels, lowest first, each at GENTLER of what it adds: between the weights that learnt and those they
    started from lie some that know nearly as much and have lost less (WiSE-FT, Wortsman et al., 2022, arXiv 2109.01903)."""
    mine = [parts[key] for key in levels if key in parts]
    return whole(bed.registry, [*([bed.manner] if bed.manner else []), *mine], frozenset(mine))


def whole(registry: Registry, parts: Sequence[str], gently: Collection[str] = ()) -> Adapter:
    "One adapter of many of the same base, holding what each of them holds; some of them `gently`. Of one part: that part."
    if len(parts) == 1 and not gently:
        return registry.get(parts[0])
    read = [read_adapter(registry.path(one)) for one in parts]
    tensors, rank = summed([scaled(part, GENTLER) if one in gently else part for one, (_, part) in zip(parts, read, strict=True)])
    first = read[0][0]
    return registry.publish(
        tensors, base=first.base, base_sha256=first.base_sha256, rank=rank, scale=first.scale, keys=first.keys,
        layers=first.layers, memories=tuple(chain.from_iterable(a.memories for a, _ in read)))
