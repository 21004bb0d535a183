"""What a sentence takes for granted about the user: it holds in a question and in an order too.

"what can I cook for my son who is coeliac?"    The user's son is coeliac.
"is this safe with my asthma?"                  The user has asthma.
"as a midwife I ..."                            The user is a midwife.
"can my two dogs eat this?"                     The user has two dogs.
"our orchard, Cae Glas, ..."                    The user's orchard is called Cae Glas.
"sign it Meg Price"                             The user signs as Meg Price.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pocketsleep.night.listen import words
from pocketsleep.night.listen.people import HEADS, NAMED, Candidate, People, clean, proper
from pocketsleep.night.listen.reading import Unfit
from pocketsleep.night.listen.statements import statement
from pocketsleep.night.listen.states import identity

Rule = Callable[[re.Match[str], People], Candidate | None]

_MY = r"\b(?:[mM]y|[oO]ur) "
_COUNT = r"(?P<count>two|three|four|five|six|seven|eight|nine|ten|[2-9])"
_AGE = r"(?P<age>\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen)"


def _any(nouns: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, nouns), key=len, reverse=True))


def _who(hit: re.Match[str], people: People) -> Candidate | None:
    try:
        return statement(f"my {hit['noun']}{hit['name'] or ''} {hit['rest']}", people)
    except Unfit:
        return None


def _condition(hit: re.Match[str], _: People) -> Candidate:
    return Candidate(f"The user has {hit['what']}.", "fact", hit["what"])


def _allergy(hit: re.Match[str], _: People) -> Candidate | None:
    what = hit["to"] or hit["what"]
    if not what or what in ("severe", "bad", "food", "old", "new", "stupid"):
        return None
    if hit["to"]:
        return Candidate(f"The user has an allergy to {what}.", "fact", what)
    return Candidate(f"The user has {'an' if what[0] in 'aeiou' else 'a'} {what} allergy.", "fact", what)


def _as(hit: re.Match[str], _: People) -> Candidate | None:
    if not identity(hit["what"]):
        return None
    return Candidate(f"The user is {hit['what']}.", "fact", re.sub(r"^an? ", "", hit["what"]))


def _count(hit: re.Match[str], _: People) -> Candidate:
    what = f"{hit['count']} {hit['what']}"
    return Candidate(f"The user has {what}.", "relation", what)


def _age(hit: re.Match[str], _: People) -> Candidate:
    return Candidate(f"The user's {hit['noun']} is {hit['age']} years old.", "relation", hit["age"])


def _nature(hit: re.Match[str], _: People) -> Candidate:
    return Candidate(f"The user's {hit['noun']} is {hit['what']}.", "relation", hit["what"])


def _apposed(hit: re.Match[str], people: People) -> Candidate | None:
    name = (hit["name"] or "").strip()
    if name and not proper(name):
        return None
    what = hit["what"].strip()
    if name:
        people.meet(hit["noun"], name)
    subject = f"The user's {hit['noun']} {name}".strip()
    return Candidate(f"{subject} is {what}.", "relation", re.sub(r"^an? ", "", what))


def _named_thing(hit: re.Match[str], _: People) -> Candidate | None:
    name = clean(hit["name"])
    return Candidate(f"The user's {hit['noun']} is called {name}.", "fact", name) if proper(name) else None


def _make(hit: re.Match[str], _: People) -> Candidate | None:
    what = f"{hit['name']} {hit['noun']}"
    if not proper(hit["name"]):
        return None
    return Candidate(f"The user has {'an' if what[0] in 'AEIOU' else 'a'} {what}.", "fact", what)


def _sign(hit: re.Match[str], _: People) -> Candidate | None:
    name = hit["name"].strip(" \"'")
    return Candidate(f"The user signs as {name}.", "fact", name) if proper(name) else None


_CONDITIONS = words.CONDITIONS - words.bag(
    "allergy allergies intolerance hip knee thyroid lactose cochlear implant hernia phobia bipolar depression"
)
_PLURAL = words.bag(
    "kids children sons daughters boys girls brothers sisters grandchildren grandsons "
    "granddaughters nephews nieces "
    "dogs cats horses hens goats sheep rabbits ponies cows pigs ducks geese donkeys parrots budgies hives"
)
_NAMEABLE = words.bag(
    "house cottage farm orchard garden shop café cafe restaurant pub bar bakery studio "
    "boat narrowboat yacht band choir "
    "quartet orchestra school company business museum gallery vineyard brewery village "
    "hometown podcast blog thesis"
)
_VEHICLES = words.bag(
    "car van truck lorry bike bicycle motorbike scooter bakkie tractor camper boat kayak "
    "piano guitar violin cello "
    "clarinet camera telescope lathe loom kiln"
)
_VERBS = "is|has|lives|works|plays|hates|loves|can't|cannot|doesn't|can not|does not|studies|teaches|never"
_KINDS = "vegetarian|vegan|coeliac|celiac|diabetic|deaf|blind|autistic|dyslexic|asthmatic|epileptic"
_GOES_ON = r"(?=[,.;:?!)]|$| (?:is|has|isn't|are|was|in|at|on|near|and|for|opens|closes)\b)"
_BRAND = r"[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ0-9][\w'-]*)?"
_BEING = rf"(?P<noun>{HEADS})(?P<name> {NAMED})?"
_PATTERNS: tuple[tuple[str, Rule], ...] = (
    (rf"{_MY}{_BEING},? who (?P<rest>(?:{_VERBS}) [^,.;:?!]{{2,60}})", _who),
    (
        r"\b(?:with|for|of|have|manage|managing|because of|given|about|despite) my "
        rf"(?P<what>(?:type [12] )?(?:{_any(_CONDITIONS)}))\b(?!['’]s)",
        _condition,
    ),
    (r"\bmy (?:severe |bad )?(?:allergy to (?P<to>[a-z]+)|(?P<what>[a-z]+) allergy)\b", _allergy),
    (r"(?:^|[,;.] |\b(?:and|but) )[aA]s (?P<what>an? [a-z-]+(?: [a-z-]+){0,2}?)(?:,| (?=I\b|my\b))", _as),
    (rf"{_MY}{_COUNT} (?:\w+ )?(?P<what>{_any(_PLURAL)})\b", _count),
    (rf"{_MY}{_AGE}[- ]years?[- ]old (?P<noun>{HEADS})\b", _age),
    (rf"{_MY}(?P<what>{_KINDS}) (?P<noun>{HEADS})\b", _nature),
    (rf"{_MY}{_BEING}, (?P<what>an? [a-z-]+(?: [a-z-]+){{0,3}})(?=[,.;?!]|$)", _apposed),
    (
        rf"{_MY}(?P<noun>{_any(_NAMEABLE)})(?:, | is called | called |'s called | named )(?P<name>{NAMED})"
        rf"{_GOES_ON}",
        _named_thing,
    ),
    (rf"{_MY}(?:old |new |little )?(?P<name>{_BRAND}) (?P<noun>{_any(_VEHICLES)})\b", _make),
    (
        r"\b[sS]ign (?:it |me |this |off |the \w+ )?(?:off )?(?:as |with |from |for me as )?"
        rf"(?P<name>\"[^\"]{{3,40}}\"|(?:[A-Z]\. ?)*{NAMED})(?=[,.;!?)]|$| and\b)",
        _sign,
    ),
)
_RULES = tuple((re.compile(pattern), rule) for pattern, rule in _PATTERNS)


def presumed(sentence: str, people: People) -> list[Candidate]:
    "Everything that one expanded sentence takes for granted."
    found: list[Candidate] = []
    for pattern, rule in _RULES:
        for hit in pattern.finditer(sentence):
            candidate = rule(hit, people)
            if candidate and all(candidate.text != f.text for f in found):
                found.append(candidate)
    return found
