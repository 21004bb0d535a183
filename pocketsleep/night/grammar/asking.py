"Which question word a chunk asks for, and what answers it."

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pocketsleep.night.grammar.chunks import is_clock
from pocketsleep.night.grammar.clause import Chunk, Clause
from pocketsleep.night.grammar.inflect import is_participle
from pocketsleep.night.grammar.words import (
    DETERMINERS,
    KIN,
    LANGUAGES,
    MONTHS,
    MOTION,
    NUMBERS,
    PERIODS,
    PETS,
    PREPOSITIONS,
    ROLES,
    TITLES,
    VAGUE,
    WEEKDAYS,
    is_number,
    wordset,
)


@dataclass(frozen=True, slots=True)
class Gap:
    "One way to ask for a chunk: question word, answer (third person), whether its preposition stays behind."

    index: int
    word: str
    answer: str
    stranded: bool = False


_MONEY = wordset("weigh charge cost earn pay owe")
_TEXTS = wordset(
    """answers replies recipes letters messages emails e-mails texts text comments code chats signs reports
    documents lists files conversation writing"""
)  # where something is wanted, not how
_AFTER = wordset("look ask run name take")  # verbs that 'after' belongs to
_ALTOGETHER = re.compile(r",? (?:all told|in all|in total|altogether)$")
_PRICE = re.compile(r"[A-Z]{0,3}[£$€¥₹]?\d")
_LEFT = wordset("of like per than because up down off out away without within against")
JOBS = re.compile(
    r"(?:er|or|ist|ian|ant|man|woman|wright|herd|smith|keeper|nurse|vet|judge|chef|cook|guide|clerk|driver|student|pilot|"
    r"apprentice|widow|priest|midwife|coach|agent|freelancer|parent)$"
)
_ATTRIBUTES = wordset(
    """colour color size type group name target goal dream food drink dish book film song sport subject
    season number code language instrument hobby flavour breed speciality specialty trade style format
    unit currency"""
)


def gaps(clause: Clause) -> Iterator[Gap]:
    "Every question that the clause answers about one of its chunks."
    noun = _nominal(clause)
    if any(re.search(r", \w+ing\b", c.noun) for c in clause.chunks):
        return  # deeds in a row: no part can be taken out
    for i, chunk in enumerate(clause.chunks):
        if noun and i:
            return
        if chunk.kind in ("particle", "aside", "condition") or not chunk.noun or (i and clause.chunks[0].text.startswith("no ")):
            continue
        for word, answer, stranded in _words(clause, i, chunk):
            if _contentful(clause, i, word) and not _awkward(clause, i, stranded):
                yield Gap(i, word, answer.rstrip(",;"), stranded)


def _awkward(clause: Clause, i: int, stranded: bool) -> bool:
    "Whether what follows the chunk belongs to it, or a preposition left behind would be lost among the rest."
    chunk, after = clause.chunks[i], clause.chunks[i + 1] if i + 1 < len(clause.chunks) else None
    if after is None:
        return stranded and any("," in c.text.rstrip(",") for c in clause.chunks[:i])
    if after.text.split()[0] in ("who", "which", "that") and after.kind == "other":
        return True
    if after.kind == "particle" and after.text.startswith("to ") and not chunk.prep:
        return True
    return stranded and after.prep == chunk.prep


def _nominal(clause: Clause) -> bool:
    "Whether the clause says what something is ('is a cart at the market'): the rest belongs to that noun."
    first = clause.chunks[0] if clause.chunks else None
    if first is None or first.kind != "complement" or first.prep:
        return False
    word = first.text.split()[0]
    return word.lower() in DETERMINERS or word[:1].isupper()


def _words(clause: Clause, i: int, chunk: Chunk) -> Iterator[tuple[str, str, bool]]:
    if chunk.kind == "time":
        yield from ((w, chunk.text, False) for w in _when(chunk))
    elif chunk.kind == "often":
        yield "How often", chunk.text, False
        if any(day in chunk.noun for day in WEEKDAYS):
            yield from ((word, chunk.text, False) for word in ("When", "On which day"))
    elif chunk.kind == "length":
        yield "How long", chunk.text, False
        yield "For how long", chunk.text, False
    elif chunk.kind == "place":
        yield "Where", chunk.text, False
        yield "Where exactly", chunk.text, False
    elif chunk.kind == "reason":
        yield "Why", re.sub(r"^(out of|due to)", r"\1", chunk.text), False
    elif chunk.kind == "complement":
        yield from _complement(clause, i, chunk)
    elif chunk.prep:
        yield from _prepositional(clause, i, chunk)
    elif chunk.kind == "object":
        yield from _object(clause, chunk)


def _when(chunk: Chunk) -> Iterator[str]:
    noun = chunk.noun
    if chunk.prep in ("since", "until", "till"):
        yield f"{chunk.prep.capitalize()} when"
        return
    yield "When"
    several = " and " in noun
    if chunk.prep == "at" and (is_clock(noun) or _hour(noun.split()[0])):
        yield "What time"
        yield "At what time"
    elif chunk.prep in ("on", "") and any(d in noun for d in WEEKDAYS):
        yield "Which days" if several else "Which day"
        yield "On which days" if several else "On what day"
    elif chunk.prep == "in" and noun in MONTHS:
        yield "In which month"
    elif chunk.prep == "in" and noun.isdigit():
        yield "In which year"
        yield "What year"
    elif chunk.prep == "on" and any(m in noun for m in MONTHS):
        yield "On what date"
        yield "What date"


def _hour(word: str) -> bool:
    "Whether a bare number can be a time of day: 'at 5', 'at ten', but not 'at thirty-one'."
    return word.lower() in NUMBERS[1:13] or (word.isdigit() and int(word) <= 24)


def is_person(noun: str, clause: Clause | None = None) -> bool:
    "Whether a noun phrase is somebody: a title, kin or a role, or a name as the complement of one."
    if not (words := noun.replace(",", "").split()):
        return False
    common = [w.lower().removesuffix("'s") for w in words if not w[0].isupper()]
    if words[0] in TITLES or (common and common[-1] in KIN | ROLES):
        return True
    named = words[0][0].isupper()
    return named and clause is not None and clause.head in KIN | ROLES


def _complement(clause: Clause, i: int, chunk: Chunk) -> Iterator[tuple[str, str, bool]]:
    text, first = chunk.text, chunk.text.split()[0]
    if chunk.prep:
        yield from _prepositional(clause, i, chunk)
    elif clause.user:
        if first.lower() in ("a", "an", "the") and len(clause.chunks) > 1 and clause.chunks[1].prep not in ("with", "in"):
            yield "What", text, False
    elif is_person(text, clause):
        yield "Who", text, False
    elif (
        first[0].isupper() or first[0] in '"“' or (is_number(first) and not text.endswith("pregnant")) or clause.head in _ATTRIBUTES
    ):
        if clause.head not in KIN | ROLES | PETS:
            yield "What", text, False
    elif first.lower() in DETERMINERS and clause.head not in KIN | ROLES | PETS and not _named(clause):
        yield "What", text, False


def _named(clause: Clause) -> bool:
    return clause.subject.split()[-1][:1].isupper()


def _prepositional(clause: Clause, i: int, chunk: Chunk) -> Iterator[tuple[str, str, bool]]:
    noun, prep = _ALTOGETHER.sub("", chunk.noun), chunk.prep
    if prep == "to" and (many := _counted(noun.split())) and clause.lemma in ("came", "come", "comes", "ran", "runs", "adds", "amounts"):
        yield many, noun.split()[0], True
        return
    if any(is_participle(w.lower()) and w.islower() for w in noun.split()[1:]) and chunk.kind != "manner":
        return
    if noun == "the user" or (prep == "on" and clause.middle.endswith("been")):
        return
    if prep in _LEFT or noun.split()[0].lower() in PREPOSITIONS or noun.split()[0].endswith("ing"):
        return
    verb = clause.middle.split()[-1] if clause.auxiliary and clause.middle else clause.lemma
    if prep == "in" and noun.split()[0] in LANGUAGES:
        yield "In which language", noun, False
        yield "What language", noun, True
    elif prep in ("to", "from", "into") and (
        verb.removesuffix("ing") in MOTION
        or verb in MOTION
        or verb in ("came", "moved", "went")
        or (not i and verb in ("is", "are"))
    ):
        if not is_person(noun):
            yield "Where", chunk.text, True
    elif chunk.kind == "manner" and clause.lemma in ("want", "prefer", "like", "read", "need"):
        if (
            prep != "on"
            and noun.split()[0] not in ("all", "every", "any", "the", "each")
            and noun.split()[-1].rstrip(",") not in _TEXTS
        ):
            yield "How", chunk.text, False
    elif prep == "by" and not is_person(noun):
        yield "How", chunk.text, False
    elif prep in ("with", "for", "to", "from", "by") and (is_person(noun) or (noun[0].isupper() and prep == "with")):
        yield "Who", noun, True
    elif prep == "for" and clause.lemma in ("want", "prefer", "need") and i + 1 < len(clause.chunks):
        return
    elif prep not in ("before", "after", "until", "till", "during") or verb in _AFTER:
        if (many := _counted(noun.split())) and prep not in ("in", "on", "at"):
            yield many, noun.split()[0], True
        yield "What", noun, True


def _counted(words: list[str]) -> str:
    "'How many upright pianos' for 'nine upright pianos', '' where nothing is counted."
    low = [w.lower().rstrip(",") for w in words]
    counted = 1 < len(words) < 6 and is_number(words[0]) and low[1][:1].isalpha()
    if not counted or "and" in low or re.search(r",(?!\d)", " ".join(words)):
        return ""
    plural = any(w.endswith("s") or w in ("children", "people", "sheep") for w in low[1:])
    return f"How many {' '.join(words[1:])}".rstrip(",") if plural and low[1] not in PERIODS else ""


def _object(clause: Clause, chunk: Chunk) -> Iterator[tuple[str, str, bool]]:
    text, words = chunk.text, chunk.text.split()
    low = [w.lower() for w in words]
    if ", then " in text or low[0] in ("to", "and", "them", "it", "him", "her") or low[0].endswith("self"):
        return
    if clause.lemma in _MONEY and _PRICE.match(words[0]):
        price, *each = re.split(r" (?=(?:an?|per|the) )", text)
        yield "How much", text if not each else price, False
        return
    if is_number(words[0]) and not words[0][0].isupper():
        if clause.lemma in _MONEY:
            yield "How much", text, False
        elif many := _counted(words):
            yield many, words[0], False
        return
    person = is_person(text, clause) or (clause.lemma in ("tutor", "marry") and words[0][0].isupper())
    if clause.middle in ("called", "named"):
        yield "What", text, False
        return
    if "called" not in low and "named" not in low:
        yield ("Who" if person else "What"), text, False
    if kind := kind_of(text):
        yield f"What kind of {kind}", text, False


def kind_of(text: str) -> str:
    "The head of 'a sedum roof' or 'a grey cat called Räim': roof, cat. '' when nothing stands before it."
    words = re.split(r" (?:called|named|of|that|who|with|kept|made) ", text)[0].split()
    if len(words) < 3 or len(words) > 5 or words[0].lower() not in ("a", "an") or not words[-1].islower() or "," in text:
        return ""
    return words[-1]


def _contentful(clause: Clause, gap: int, word: str) -> bool:
    "Whether enough is left to know what is asked: 'What do I have?' asks nothing."
    if word == "Where" or word.startswith("How many") or word.startswith("What kind"):
        return True
    rest = " ".join(c.text for i, c in enumerate(clause.chunks) if i != gap and c.kind not in ("aside", "reason"))
    left = [
        w
        for w in re.findall(r"[\w'-]+", f"{rest} {clause.lead}")
        if w.lower() not in PREPOSITIONS | DETERMINERS | PERIODS and len(w) > 2
    ]
    verb = clause.middle.split()[-1] if clause.middle else "be" if clause.auxiliary else clause.lemma
    own = not clause.user and clause.subject
    return bool(left) or verb not in VAGUE or (bool(own) and (verb != "have" or clause.head in KIN | ROLES))
