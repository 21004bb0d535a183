"The same question in other everyday words. Answers keep the words of the note."

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pocketsleep.night.grammar.items import Item
from pocketsleep.night.grammar.words import wordlist

"Pairs that keep grammar and sense in any question that is made here."
PAIRS = tuple(
    pair.split(":")
    for pair in wordlist(
        """shop:store flat:apartment kids:children children:kids mum:mother dad:father mother:mum
        father:dad colleague:co-worker flatmate:housemate roommate:housemate workshop:workroom
        office:workplace bike:bicycle start:begin starts:begins begin:start begins:starts buy:purchase
        enjoy:like hate:detest repair:fix need:require close:shut closes:shuts trip:journey
        journey:trip replies:answers answers:replies photos:pictures operation:surgery
        supervisor:advisor grandmother:gran grandfather:grandad rent:lease spouse:partner
        holiday:vacation vacation:holiday film:movie garden:yard"""
    )
)


def reworded(items: Sequence[Item]) -> Iterator[Item]:
    "Direct questions with one word exchanged for another that means the same."
    for item in items:
        pair = next((p for p in PAIRS if re.search(rf"\b{p[0]}\b", item.question)), None)
        if item.form == "direct" and not item.notes and pair is not None:
            said = re.sub(rf"\b{pair[0]}\b", pair[1], item.question, count=1)
            yield replace(item, question=said, form="paraphrase", frame=f"{item.frame}/{pair[1]}")
