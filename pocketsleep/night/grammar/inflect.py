"Inflection of English verbs, both ways, and agreement with a subject."

from __future__ import annotations

from functools import cache

from pocketsleep.journal.irregular import IRREGULAR
from pocketsleep.night.grammar.words import VERBS, wordset

_DOUBLING = wordset(
    """stop chop drop plan pin trim tip top swap skip ship shop slip strip grip wrap rub mop pat pot jog
    hug chat knit nap log mod rip tap tan thin trap trek tug whip wed zip step stir scan scrub spar plug
    plot occur prefer refer commit permit admit regret begin run sit put cut set get let hit win swim
    dig spin quit shut split forget travel cancel label model marvel fuel level distil sob snap beg bat
    bet rob rot rig fit bar unplug can"""
)


def third(base: str) -> str:
    "Third person singular of the present: go -> goes."
    if base in ("be", "have"):
        return "is" if base == "be" else "has"
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ies"
    return base + "s"


def past(base: str) -> str:
    "Simple past: go -> went, stop -> stopped."
    if base in IRREGULAR:
        return IRREGULAR[base][0]
    return _ed(base)


def participle(base: str) -> str:
    "Past participle: go -> gone."
    if base in IRREGULAR:
        return IRREGULAR[base][1]
    return _ed(base)


def gerund(base: str) -> str:
    "Go -> going, make -> making, stop -> stopping."
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "ye", "oe")) and base != "be":
        return base[:-1] + "ing"
    return base + (base[-1] if base in _DOUBLING else "") + "ing"


def _ed(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ied"
    return base + (base[-1] if base in _DOUBLING else "") + "ed"


@cache
def _forms() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    "(third person, past, participle) -> base, for every known verb."
    ordered = sorted(VERBS)
    learnt = {"learned": "learn", "burned": "burn", "dreamed": "dream", "spelled": "spell", "leaned": "lean"}
    return (
        {third(v): v for v in ordered},
        {past(v): v for v in ordered} | learnt,
        {participle(v): v for v in ordered} | learnt | {"been": "be", "got": "get"},
    )


def known_third(form: str) -> str:
    "Base of a known third person singular, '' otherwise."
    return _forms()[0].get(form, "")


def known_past(form: str) -> str:
    "Base of a known simple past, '' otherwise."
    return _forms()[1].get(form, "")


def known_participle(form: str) -> str:
    "Base of a known past participle, '' otherwise."
    return _forms()[2].get(form, "")


def known_gerund(form: str) -> bool:
    return form.endswith("ing") and any(gerund(v) == form for v in _stems(form[:-3]))


def _stems(stem: str) -> list[str]:
    return [v for v in (stem, stem + "e", stem[:-1], stem[:-1] + "ie") if v in VERBS]


def base_of_third(form: str) -> str:
    "Base of any third person singular, known or not: enjoys -> enjoy, watches -> watch."
    if found := known_third(form):
        return found
    if form.endswith("ies") and len(form) > 4:
        return form[:-3] + "y"
    if form.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")):
        return form[:-2]
    return form[:-1] if form.endswith("s") and not form.endswith("ss") else form


def base_of_past(form: str) -> str:
    "Base of any simple past, known or not."
    if found := known_past(form):
        return found
    if form.endswith("ied"):
        return form[:-3] + "y"
    stem = form[:-2]
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    return (
        form[:-1]
        if stem.endswith(("at", "iz", "is", "v", "c", "u", "g", "ur", "ir", "bl", "dl", "tl", "pl", "kl"))
        else stem
    )


def is_past(form: str) -> bool:
    "Whether a word looks like a simple past: a known one, or any in -ed."
    return bool(known_past(form)) or (form.endswith("ed") and len(form) > 4 and not form.endswith("eed"))


def is_participle(form: str) -> bool:
    return bool(known_participle(form)) or (form.endswith("ed") and len(form) > 4 and not form.endswith("eed"))


PERSONS = {"I": 0, "you": 1, "third": 2, "plural": 3}
_AGREE = {
    "be": ("am", "are", "is", "are"),
    "was": ("was", "were", "was", "were"),
    "have": ("have", "have", "has", "have"),
    "do": ("do", "do", "does", "do"),
}
_BASE = {
    "is": "be",
    "are": "be",
    "am": "be",
    "was": "was",
    "were": "was",
    "has": "have",
    "have": "have",
    "does": "do",
    "do": "do",
}


def agree(form: str, person: str) -> str:
    "A finite auxiliary in another person ('I', 'you', 'third', 'plural'): is -> am. Others stay as they are."
    row = _AGREE.get(_BASE.get(form, ""))
    return row[PERSONS[person]] if row else form


def conjugate(base: str, person: str) -> str:
    "The present of a verb in a person: (enjoy, third) -> enjoys."
    if base in ("be", "have", "do"):
        return agree({"be": "is"}.get(base, base), person)
    return third(base) if person == "third" else base
