"A value of the same kind that is not the right one: for 'no', for altered notes, for other people's facts."

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pocketsleep.night.grammar.clause import Clause
from pocketsleep.night.grammar.items import number
from pocketsleep.night.grammar.lists import kinds
from pocketsleep.night.grammar.words import KIN, NUMBERS, PETS, ROLES, TITLES, wordset

"Kinds of which a person has one at a time in the same sentence: another value contradicts the first."
EXCLUSIVE = wordset(
    """person surname pet thing place weekday month season side unit currency size number clock year
    daypart meal"""
)
"Verbs and predicates that hold of several values at once, whatever their kind."
_SEVERAL = re.compile(
    r"^(?:allergic|eat|drink|like|love|enjoy|hate|dislike|play|speak|read|have|own|keep|collect|know|sing|tolerate|"
    r"visit|sell|grow|see|use|teach|learn|learning|take|bear|want|prefer|need|support|make)$"
)


_NAMES = wordset("person surname pet thing place size")


def false_values(clause: Clause, known: Callable[[str], bool], key: str) -> Iterator[tuple[int, str, str, bool]]:
    """(chunk, true part, false part of the same kind, whether the false one is excluded by the true one).
    `known` says whether a word stands in any live note: such a value could be true after all."""
    for i, chunk in enumerate(clause.chunks):
        if chunk.kind in ("aside", "reason", "condition", "particle"):
            continue
        for old, kind in _values(clause, i):
            for new in sorted(_others(old, kind), key=lambda v: number(v, old, key)):
                if not known(new) and new.lower() != old.lower():
                    yield i, old, new, _excludes(clause, kind)
                    break


def _excludes(clause: Clause, kind: str) -> bool:
    verb = clause.middle.split()[-1] if clause.middle else clause.lemma
    adjective = clause.chunks[0].text.split()[0] if clause.chunks else ""
    several = _SEVERAL.match(verb) or _SEVERAL.match(adjective)
    return kind in EXCLUSIVE and not (several and kind in ("person", "pet", "place", "thing")) and " and " not in clause.subject


def _values(clause: Clause, i: int) -> Iterator[tuple[str, str]]:
    "(part of the chunk that can be exchanged, its kind), the likeliest first."
    chunk = clause.chunks[i]
    noun = chunk.noun.rstrip(",")
    if '"' in noun or ", then " in noun:
        return
    if (kind := _name_kind(clause, i, noun)) and " and " not in noun:
        yield noun, kind
        return
    named = re.search(r"\b(?:called|named) ((?:[A-ZÀ-Þ][\w'’-]+ ?)+)$", noun)
    if named:
        yield named.group(1).strip(), "pet" if set(noun.lower().split()) & PETS else "thing"
    for word in re.findall(r"[\w:'’-]+", noun):
        for kind, words in kinds().items():
            bare = word if word in words else word[:-1] if word[:-1] in words and word.endswith("s") else ""
            if bare and kind not in _NAMES and not (kind in ("animal", "breed", "material", "relation") and len(noun.split()) > 2):
                yield bare, kind
                break
        else:
            if (
                (kind := _figure(word)) and not re.search(rf"\b(?:of|in) {re.escape(word)}$|^[A-Z].* {re.escape(word)}\b", noun)
            ) or kind == "clock":
                yield word, kind


def _name_kind(clause: Clause, i: int, noun: str) -> str:
    "Which kind of name a whole noun phrase is, '' when it is none."
    words = noun.split()
    chunk = clause.chunks[i]
    capitals = [w for w in words if w[:1].isupper() or w in ("of", "de", "la", "le", "van", "von")]
    if len(capitals) != len(words) or any(
        w in ws for w in words for k, ws in kinds().items() if k not in _NAMES
    ):
        return ""
    if words and words[0] in TITLES:
        return "titled"
    naming = clause.middle in ("called", "named") or chunk.kind == "complement"
    if naming and clause.head in PETS:
        return "pet"
    if naming and (clause.head in KIN | ROLES or clause.user):
        return "full" if len(words) > 1 else "person"
    if naming and clause.middle:
        return "thing"
    if chunk.prep in ("in", "to", "from", "at", "near") and len(words) <= 2 and len(noun) > 3:
        return "place"
    return ""


def _figure(word: str) -> str:
    if re.fullmatch(r"\d{1,2}:\d\d", word):
        return "clock"
    if re.fullmatch(r"(1[6-9]|20)\d\d", word):
        return "year"
    if re.fullmatch(r"\d{1,4}", word) or word.lower() in NUMBERS[2:]:
        return "number"
    return ""


def _others(old: str, kind: str) -> list[str]:
    if kind == "titled":
        title, _, _ = old.partition(" ")
        return [f"{title} {name}" for name in kinds()["surname"]]
    if kind == "full":
        return [f"{a} {b}" for a, b in zip(kinds()["person"], kinds()["surname"], strict=False)]
    if kind == "clock":
        hour, minute = old.split(":")
        return [f"{(int(hour) + d) % 24:0{len(hour)}d}:{minute}" for d in (2, 3, 22)]
    if kind == "year":
        return [str(int(old) + d) for d in (-3, 2, -7)]
    if kind == "number":
        if old.isdigit():
            step = max(1, int(old) // 4)
            return [str(int(old) + step), str(int(old) + 2 * step)]
        n = NUMBERS.index(old.lower())
        return [NUMBERS[m] for m in (n + 2, n + 3, n - 1) if 1 < m < len(NUMBERS)]
    options = list(kinds()[kind])
    return options if not options[0][0].isupper() or old[:1].isupper() else []
