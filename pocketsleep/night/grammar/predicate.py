"The predicate of a clause: adverbs, verb group, chunks, and a further predicate joined by 'and'."

from __future__ import annotations

import re

from pocketsleep.night.grammar.chunks import chunked, depth, steps
from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.inflect import is_participle, is_past, known_gerund, known_past, known_third
from pocketsleep.night.grammar.person import is_verb
from pocketsleep.night.grammar.words import (
    ADVERBS,
    AUXILIARIES,
    BE,
    DETERMINERS,
    DO,
    HAVE,
    MODALS,
    NEGATIVE,
    PLURALS,
    PREPOSITIONS,
    VERBS,
)

_AFTER_PAST = DETERMINERS | PREPOSITIONS


def predicate(words: list[str], subject: str, appositive: str, lead: str) -> tuple[Clause, str] | None:
    "The clause of a predicate that starts at its first adverb or verb, and a further coordinated predicate."
    adverbs, i = _adverbs(words, 0)
    if i >= len(words):
        return None
    finite = words[i].lower().rstrip(",")
    negation = "never" if "never" in adverbs.split() else ""
    if finite in NEGATIVE:
        negation, finite = ("not" if finite == "cannot" else "n't"), NEGATIVE[finite]
    elif finite not in AUXILIARIES and not _verb_like(finite, subject):
        return None
    auxiliary, middle, i, negation, late = _group(words, i + 1, finite, negation)
    tail, further = _split_coordination(" ".join(words[i:]), finite in HAVE)
    past = _is_past(finite, auxiliary, subject)
    adverb = " ".join(a for a in f"{adverbs} {late}".split() if a != "never")
    plural = _is_plural(subject, finite, auxiliary or past)
    chunks = chunked(tail, finite, middle)
    return Clause(subject, finite, middle, chunks, auxiliary, past, negation, adverb, appositive, lead, plural), further


def _is_past(finite: str, auxiliary: bool, subject: str) -> bool:
    if auxiliary or finite in HAVE:
        return not auxiliary and finite == "had"
    return not known_third(finite) and is_past(finite) and (subject.lower() == "the user" or finite not in VERBS)


def _is_plural(subject: str, finite: str, helped: bool) -> bool:
    "By the verb where it shows, by the noun where it does not. `helped`: the finite verb says nothing of number."
    if subject.lower() == "the user":
        return False
    if finite in ("are", "were", "have", "do") or (not helped and finite in VERBS):
        return True
    common = [w for w in subject.split() if not w[0].isupper()]
    joined = " and " in subject and not subject.lower().startswith("the user's")
    return joined or (bool(common) and common[-1] in PLURALS)


def _verb_like(word: str, subject: str) -> bool:
    if subject.lower() != "the user":
        return True
    return (
        bool(known_third(word))
        or is_past(word)
        or (word.endswith("s") and word.isalpha() and word not in ("as", "plus"))
    )


def _adverbs(words: list[str], i: int) -> tuple[str, int]:
    start = i
    while i < len(words) and words[i].lower() in ADVERBS:
        i += 1
    return " ".join(w.lower() for w in words[start:i]), i


def _group(words: list[str], i: int, finite: str, negation: str) -> tuple[bool, str, int, str, str]:
    "(inverts, rest of the verb group, index after it, negation, adverbs inside it)"
    late: list[str] = []
    while i < len(words) and (words[i].lower() in ADVERBS or words[i].lower() == "not") and finite in AUXILIARIES:
        if words[i].lower() in ("not", "never"):
            negation = words[i].lower()
        else:
            late.append(words[i].lower())
        i += 1
    after = words[i].lower().rstrip(",") if i < len(words) else ""
    if finite in MODALS or (finite in DO and after in VERBS and negation):
        middle, i = _verbs(words, i)
        return True, middle, i, negation, " ".join(late)
    if finite in HAVE and is_participle(after) and not _object_follows_have(words, i):
        middle, i = _verbs(words, i)
        return True, middle, i, negation, " ".join(late)
    if finite in BE:
        if is_participle(after) or known_gerund(after):
            middle, i = _verbs(words, i)
            return True, middle, i, negation, " ".join(late)
        return True, "", i, negation, " ".join(late)
    return False, "", i, negation, " ".join(late)


def _object_follows_have(words: list[str], i: int) -> bool:
    "'has lost hearing' is a perfect, 'has left-handed scissors' is not: a participle before a plural noun is rare."
    return "-" in words[i]


def _verbs(words: list[str], i: int) -> tuple[str, int]:
    "The non-finite verbs from i on: 'have been registered', 'be', 'learning'."
    start = i
    while i < len(words):
        word = words[i].lower().rstrip(",")
        i += 1
        if word not in ("be", "been", "being", "have", "to", "not", "had") or words[i - 1].endswith(","):
            break
        following = words[i].lower().rstrip(",") if i < len(words) else ""
        if word in ("be", "been", "being") and not (is_participle(following) or known_gerund(following)):
            break
        if word in ("have", "had") and not is_participle(following):
            break
    return " ".join(words[start:i]).rstrip(","), i


def _split_coordination(tail: str, perfect: bool) -> tuple[str, str]:
    "(this predicate, a further one that starts with a finite verb). Step lists stay whole."
    if steps(tail) and not re.search(r"^[^,]* and (?:has|is|wants|does|can|will) ", tail):
        return tail, ""
    tail = f" {tail}"
    for match in re.finditer(r",? (?:and|but) (?=(\S+)(?: (\S+))?)", tail):
        word, following = match.group(1).lower(), match.group(2) or ""
        finite = (
            word in AUXILIARIES
            or word in NEGATIVE
            or is_verb(word, following)
            or (word in ADVERBS and is_verb(following, "the"))
        )
        finite = finite or (
            not perfect and bool(known_past(word)) and word not in VERBS and following.lower() in _AFTER_PAST
        )
        commas = len(re.findall(r",\s", tail[: match.start()]))
        if finite and depth(tail[: match.start()]) == 0 and not commas and "the user" not in tail[: match.start()]:
            return tail[: match.start()].rstrip(",").strip(), tail[match.end() :]
    return tail.strip(), ""


def coordinated(further: str, clause: Clause) -> tuple[Clause, ...]:
    if not further:
        return ()
    found = predicate(further.split(), clause.subject, clause.appositive, clause.lead)
    if found is None:
        return ()
    second, rest = found
    if not second.chunks and not second.middle:
        return ()
    return (second, *coordinated(rest, second))
