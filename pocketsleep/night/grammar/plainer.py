"""A note said more plainly, as people ask for it: who has played the hurdy-gurdy for eleven years plays it, and "the user's Macsen" is Macsen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from pocketsleep.night.grammar.clause import Clause, join, pieces
from pocketsleep.night.grammar.inflect import base_of_past, known_gerund, known_participle, third
from pocketsleep.night.grammar.parse import parse
from pocketsleep.night.grammar.words import KIN, PETS, ROLES

_LASTS = re.compile(r"(?:for|since) ")
_OWNED = re.compile(r"the user's (?=[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’-]+)*$)")
_IS = re.compile(r"(?P<name>[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’-]+)*) is the user's (?P<what>[a-z][\w' -]*)\.")


def plainer(clause: Clause) -> Iterator[Clause]:
    "The clause in the present where it has lasted until now, and without the user where a bare name is owned: nobody asks for \"my Macsen\"."
    if (now := _present(clause)) is not None:
        yield now
    name = _OWNED.sub("", clause.subject)
    if name != clause.subject and not clause.plural:
        yield replace(clause, subject=name)


@lru_cache(maxsize=16384)
def notes(text: str) -> tuple[str, ...]:
    "What a note says besides itself, in wordings that the lists of questions read (typed.py, bank.py)."
    found = _IS.fullmatch(text)
    if found and found["what"].split()[-1] in KIN | ROLES | PETS:
        return (f"The user's {found['what']} is called {found['name']}.",)
    return tuple(_note(now) for clause in parse(text) if clause.user and (now := _present(clause)) is not None)


def _present(clause: Clause) -> Clause | None:
    '"Has lived in Leeds since 2010" as "lives in Leeds"; None where nothing lasts.'
    lasts = [c for c in clause.chunks if c.kind in ("length", "time") and _LASTS.match(c.text)]
    words, kept = clause.middle.split(), tuple(c for c in clause.chunks if c not in lasts)
    if not lasts or not kept or clause.negation or clause.finite not in ("has", "have") or not clause.auxiliary:
        return None
    now = replace(clause, chunks=kept, finite="are" if clause.plural else "is", middle="")
    if words[0] == "been":
        return replace(now, middle=words[1]) if len(words) == 2 and known_gerund(words[1]) else now if len(words) == 1 else None
    base = known_participle(words[0]) or (base_of_past(words[0]) if words[0].endswith("ed") else "")
    return replace(now, finite=base if clause.plural else third(base), auxiliary=False) if len(words) == 1 and base else None


def _note(clause: Clause) -> str:
    said = join(clause.subject, clause.adverb, clause.finite, clause.middle, pieces(clause.chunks)).rstrip(",;")
    return f"{said[:1].upper()}{said[1:]}."
