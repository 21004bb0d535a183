"What was never said: slots of the person and of their people and things, and how to decline."

from __future__ import annotations

from collections.abc import Iterator

from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.items import Item, number
from pocketsleep.night.grammar.lead import of_slot, unknown
from pocketsleep.night.grammar.lists import Slot, slots, unstated
from pocketsleep.night.grammar.live import Live
from pocketsleep.night.grammar.words import KIN, PETS, ROLES, VEHICLES, wordset

_PLACES = wordset(
    """house flat home shop office farm stall clinic studio workshop shed barn garden allotment bakery
    school business practice mill pub cafe restaurant gallery museum company cottage greenhouse"""
)


def kind_of_entity(head: str) -> str:
    for kind, words in (("person", KIN | ROLES), ("pet", PETS), ("vehicle", VEHICLES), ("place", _PLACES)):
        if head in words:
            return kind
    return "thing"


def never_said(clause: Clause, live: Live, count: int = 4) -> Iterator[Item]:
    "Slots of the clause's own people, animals and things that no live note fills."
    if (
        not clause.subject.startswith("the user's")
        or clause.plural
        or "'s " in clause.subject.removeprefix("the user's ")
    ):
        return
    phrase, kind = clause.about("I"), kind_of_entity(clause.head)
    if kind == "thing" and (clause.head.endswith("s") or len(clause.subject.split()) > 4):
        return
    about = [w.lower() for w in clause.subject.split()[2:]]
    fitting = [s for s in slots() if s.kind == kind and not live.says(about, s.words)]
    for slot in sorted(fitting, key=lambda s: number(s.ask, clause.subject))[:count]:
        yield unsaid(slot, phrase, clause.about("you"))


def unsaid_of_user(live: Live, key: str, count: int) -> Iterator[Item]:
    "General slots of the person that no live note fills, and that are not kept for the exam."
    free = [s for s in unstated() if not s.words & live.words and not examined(s)]
    for slot in sorted(free, key=lambda s: number(s.ask, key))[:count]:
        yield unsaid(slot)


def examined(slot: Slot) -> bool:
    "One general slot in five is never trained on."
    return number("examined", slot.ask) % 5 == 0


def unsaid(slot: Slot, phrase: str = "", yours: str = "") -> Item:
    ask = slot.ask.replace("{x}", phrase)
    return Item(ask, unknown(of_slot(slot.tell.replace("{x}", yours))), "unstated", f"unstated/{slot.ask}")
