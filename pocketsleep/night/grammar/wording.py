"Items of one frame: questions that are worded by hand for one kind of fact."

from __future__ import annotations

import re
from collections.abc import Iterator

from pocketsleep.night.grammar.clause import Clause, sentence
from pocketsleep.night.grammar.generic import LONGEST
from pocketsleep.night.grammar.items import Item, indirect, inside

_DIRECT = re.compile(r"^(?:What|Who|Where|When|Which|How|Why|In which|At what|On what)\b")


def said(clause: Clause, answer: str, name: str, *questions: str, embedded: str = "") -> Iterator[Item]:
    "Items of one frame: direct questions get the span, requests the sentence."
    whole = clause.statement(full=False)
    span = sentence(clause.speak(answer.rstrip(","), "you"))
    span = span if len(span.split()) <= LONGEST + 3 else whole
    for n, q in enumerate(questions):
        direct = bool(_DIRECT.match(q))
        yield Item(q, span if direct else whole, "direct" if direct and n < 2 else "paraphrase", f"{name}/{n}")
    if embedded:
        yield from indirect(embedded, span, name, 6, clause.subject)


def polar(clause: Clause, name: str, *questions: str, word: str = "Yes") -> Iterator[Item]:
    for n, q in enumerate(questions):
        yield Item(q, f"{word}, {inside(clause.statement(full=False))}.", "yes_no", f"{name}/yes{n}")


def use(clause: Clause, name: str, question: str, answer: str) -> Item:
    return Item(question, answer, "use", f"use/{name}")
