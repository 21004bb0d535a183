"""From a note to clauses: where the subject ends, what the verb group is, which chunks follow.

There is no tagger: notes are plain declarative sentences, so a lexicon of verb forms and the closed
classes find the finite verb. What cannot be read that way gives no clause, and the note is then only
repeated whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pocketsleep.night.grammar.chunks import depth
from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.inflect import (
    base_of_third,
    conjugate,
    known_past,
    known_third,
)
from pocketsleep.night.grammar.lists import kinds
from pocketsleep.night.grammar.predicate import coordinated, predicate
from pocketsleep.night.grammar.words import (
    ADVERBS,
    AUXILIARIES,
    DETERMINERS,
    NEGATIVE,
    NOUNY,
    PLURALS,
    PREPOSITIONS,
    VERBS,
    is_number,
    wordset,
)

_LEADS = re.compile(
    r"^(In|On|At|For|From|Between|Every|During|By|Since|Before|After|When|Whenever|If|Once|While|Until|Unless|As)\b.*?"
    r"(?=,? (?:the user(?:'s)?|their|they|the assistant) )",
)
_WHEN = re.compile(r"(?:When|Whenever|If|Once|After|Before) the user ")
_OPENS = DETERMINERS | {"it", "there", "everything", "nothing"}
_COMMON = frozenset(w for kind in ("food", "drink", "drug") for w in kinds()[kind])
_RELATIVE = wordset("who which that where whose when")


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Clause, ...]:
    "The clauses of a note in order, () when it cannot be read. Coordinated predicates become clauses of their own."
    body = text.strip().rstrip(".").replace("’", "'")
    if re.search(r"[.!?] [A-Z]", re.sub(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|No|[A-Z])\.", "", body)):
        body = re.split(r"(?<![A-Z][a-z])(?<![A-Z])[.!?] (?=[A-Z])", body)[0].rstrip(".")
    lead, main = _lead(body)
    words = main.split()
    if len(words) < 3 or instruction(text) is not None or _WHEN.match(main):
        return ()
    if (cut := re.search(r",? and (?=the user(?:'s)? |[A-ZÀ-Þ]\w+ )", main)) and not lead and depth(main[: cut.start()]) == 0:
        one, two = parse(main[: cut.start()]), parse(main[cut.end() :])
        if one and two:
            return tuple(replace(c, crowd=_crowd(main)) for c in (*one, *two))
    found = _subject(words)
    if found is None:
        return ()
    subject, appositive, start = found
    first = predicate(words[start:], subject, appositive, lead)
    if first is None:
        return ()
    clause, further = first
    return tuple(replace(c, crowd=_crowd(main)) for c in (clause, *coordinated(further, clause)))


def _crowd(text: str) -> bool:
    "Whether 'they' could be something else than the user: a plural noun stands in the note."
    others = re.sub(r"\b[Tt]he user (?:\w+ly |always |never |only )?\w+", "", text)  # its own verb is no noun
    words = (w.lower().strip(",") for w in others.split())
    return any(_plural(w) and w not in ("has", "was") and (w in NOUNY or not known_third(w)) for w in words)


@dataclass(frozen=True, slots=True)
class Instruction:
    "What the assistant should do: when (third person, '' always), and the deed as a bare infinitive."

    lead: str
    deed: str


@lru_cache(maxsize=4096)
def instruction(text: str) -> Instruction | None:
    "'When the user types X, show Y.' and 'the assistant should show Y'; None for other notes."
    body = text.strip().rstrip(".").replace("’", "'")
    lead, main = _lead(body)
    if not lead and re.match(r"(?:When|Whenever|If|Before|After)\b", body):
        cut = next((c for c in re.finditer(", ", body) if depth(body[: c.start()]) == 0), None)
        if cut and body[cut.end() :].split()[0] in VERBS:
            return Instruction(body[: cut.start()], body[cut.end() :])
    if match := re.match(r"[Tt]he assistant (?:should|must|is to|has to) (.+)", main):
        return Instruction(lead, match.group(1))
    if match := re.match(r"[Tt]he assistant (\w+s) (.+)", main):
        return Instruction(lead, f"{base_of_third(match.group(1))} {_unmarked(match.group(2))}")
    return None


def _unmarked(text: str) -> str:
    return re.sub(r"(?<=\band )(\w+s)(?= (?:only|the|a|it|with|no)\b)", lambda m: base_of_third(m[1]), text)


def _lead(body: str) -> tuple[str, str]:
    "(adverbial in front, main clause)"
    if _LEADS.match(body):
        # the first comma that a subject follows ends the lead; "when the user types X, the user ..." has two subjects
        for cut in re.finditer(r",? (?=(?:the user(?:'s)?|the assistant|their|they) )", body):
            lead, main = body[: cut.start()], body[cut.end() :]
            if depth(lead) == 0 and (cut.group().startswith(",") or not _conjunction(lead)):
                return lead, re.sub(r"^they (\w+)", lambda m: f"the user {conjugate(m[1], 'third')}", main)
    if _WHEN.match(body):  # something else is what the main clause is about: "when the user types X, the text must be ..."
        for cut in re.finditer(", ", body):
            if depth(body[: cut.start()]) == 0 and body[cut.end() :].split(" ", 1)[0] in _OPENS:
                return body[: cut.start()], body[cut.end() :]
    match = re.match(r"^((?:In|On|At|From|Every|During|Since|Before|After|For) [^,]+), (?=[A-Z])", body)
    return (match.group(1), body[match.end() :]) if match else ("", body)


def _conjunction(lead: str) -> bool:
    first, *others = lead.lower().split()
    return first in ("when", "whenever", "if", "once", "while", "unless") or (first in ("before", "after", "until") and not others)


def _subject(words: list[str]) -> tuple[str, str, int] | None:
    "(subject without appositive, appositive, index of the first word of the predicate)"
    if [w.lower() for w in words[:2]] == ["the", "user"] and words[2] != "and":
        return "the user", "", 2
    if [w.lower() for w in words[:2]] == ["the", "user,"]:
        end = next((i for i in range(2, len(words)) if words[i].endswith(",")), None)
        return None if end is None else ("the user", " ".join(words[2 : end + 1]).rstrip(","), end + 1)
    start = _finite_index(words)
    if start is None or start == 0:
        return None
    said = " ".join(words[:start])
    head, comma, appositive = said.partition(", ")
    return (_lowered(head.rstrip(",")), appositive.rstrip(",") if comma else "", start)


def _lowered(subject: str) -> str:
    "A subject as it stands inside a sentence: only 'The' and other function words lose their capital."
    first, _, others = subject.partition(" ")
    low = first.lower()
    common = not others and (low in _COMMON or (low.endswith("s") and low not in VERBS and "'" not in low))
    keep = (
        not common
        and low not in DETERMINERS | PREPOSITIONS
        and not is_number(low)
        and not (others and first.endswith("s") and low in VERBS)
    )
    return subject if keep and first[:1].isupper() and not others.startswith("letters") else f"{low} {others}".strip()


def _finite_index(words: list[str]) -> int | None:
    "Index of the finite verb of a clause whose subject is not 'the user' itself."
    i, relative = 1, False
    while i < len(words):
        word, before = words[i].lower().strip(","), words[i - 1]
        if before.endswith(",") and (close := _closing(words, i)) is not None:
            i = close + 1
            continue
        if word in _RELATIVE or _of_the_users(words, i):
            relative = True
        elif _finite(words, i):
            if not relative:
                while i > 1 and words[i - 1].lower() in ADVERBS:
                    i -= 1
                return i
            relative = False
        i += 1
    return None


def _of_the_users(words: list[str], i: int) -> bool:
    "Whether a clause without its pronoun begins: 'the choir the user sings in'."
    return i > 2 and words[i].lower() == "user" and words[i - 1].lower() == "the" and words[i - 2].lower() not in PREPOSITIONS | {"and", "or"}


def _closing(words: list[str], start: int) -> int | None:
    "Index of the word that closes a parenthesis opened before `start` by a comma."
    for i in range(start, len(words) - 1):
        if words[i].endswith(","):
            return i
    return None


def _finite(words: list[str], i: int) -> bool:
    word, before = words[i].lower(), words[i - 1].lower()
    if word in AUXILIARIES or word in NEGATIVE:
        return True
    if before in DETERMINERS or before.endswith("'s") or before in PREPOSITIONS or words[i][:1].isupper():
        return False
    following = words[i + 1].lower() if i + 1 < len(words) else ""
    if known_third(word):
        return not (word in NOUNY and (_opens(following) or (i == 1 and following == "for")))
    if _plural(before) or _plural(_head(words[:i])) or " and " in " ".join(words[:i]):
        return word in VERBS or bool(known_past(word))
    return bool(known_past(word)) and not _opens(following)


def _head(words: list[str]) -> str:
    "The noun before the first preposition."
    stops = PREPOSITIONS | ADVERBS | {"no"}
    cut = next((i for i, w in enumerate(words) if w.lower() in stops and i), len(words))
    return words[cut - 1].lower()


def _opens(word: str) -> bool:
    "Whether a finite verb stands here without doubt."
    return word in AUXILIARIES or word in NEGATIVE or bool(known_third(word)) or (word in VERBS and word not in PREPOSITIONS)


def _plural(word: str) -> bool:
    word = word.strip(",")
    return word in PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")))
