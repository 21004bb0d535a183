"Chunks of a predicate: objects and adverbials, cut at prepositions and told apart by what they hold."

from __future__ import annotations

import re

from pocketsleep.night.grammar.clause import Chunk, ChunkKind
from pocketsleep.night.grammar.inflect import base_of_third, is_participle, known_third
from pocketsleep.night.grammar.words import (
    BE,
    DAY_PARTS,
    DETERMINERS,
    LANGUAGES,
    LONE,
    MONTHS,
    PERIODS,
    PREPOSITIONS,
    SEASONS,
    VERBS,
    WEEKDAYS,
    is_number,
    wordset,
)

_CLOCK = re.compile(
    r"^(?:\d{1,2}:\d\d|\d{1,2} ?(?:am|pm|a\.m\.|p\.m\.|o'clock)|noon|midnight|half past \w+|quarter (?:past|to) \w+)"
)
_YEAR = re.compile(r"\b(?:1[6-9]|20)\d\d\b")
_DAYS = re.compile(rf"\b(?:{'|'.join(WEEKDAYS)})s?\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b")
_SUBORDINATE = re.compile(
    r",? (?=(?:because|so that|so as|unless|if|when|whenever|while|until|as soon as|since (?:he|she|it|they|the)|where|"
    r"which|who|whose|although|though|after \w+ing|before \w+ing|whether|"
    r"(?:so|as) (?:the user|the assistant|he|she|it|they)|in case|except|out of|due to|such as)\b)"
    r"|, (?=(?:not|never|counted|including|plus|starting|especially|mostly|usually|only|also|about|as well as|for example)\b)"
    r"|, (?=(?:an?|the) (?!.* and ))"
)
_EVERY = re.compile(
    rf"(?:every|each|twice|once|three times) (?:(?:other|second|third|single|a|per|an|two|three|four|six|\w+th) )?"
    rf"(?:{'|'.join(sorted(PERIODS | DAY_PARTS | SEASONS))}|(?:{'|'.join(WEEKDAYS + MONTHS)})s?)\b",
    re.I,
)
_GIVING = wordset("send give tell teach show pay owe lend bring offer write read feed charge ask serve")
_GOING = wordset("goes comes travels walks drives cycles commutes returns moves went came moved")
_CLOCKED = wordset("at after before by until till from")
_FIXED = frozenset(("at a time", "at at most", "for good", "at the most", "at the end", "in a row", "by heart"))
_KEEPS = wordset("of than per")  # stay with the words before them
_TEMPORAL = wordset("""on at in from since until till during before after between by for every each within around about""")
_PLACES = wordset(
    """in at on near behind outside inside under above below beside opposite between along beyond within
    across around"""
)
_DAY_NAMES = frozenset(WEEKDAYS) | {f"{d}s" for d in WEEKDAYS}
_PARTICLES = wordset("up down out off away over back")


def depth(text: str) -> int:
    "1 inside a quotation or bracket that is still open at the end of the text, 0 outside."
    return (text.count('"') % 2) or max(0, text.count("(") - text.count(")"))


def chunked(tail: str, finite: str, middle: str) -> tuple[Chunk, ...]:
    "The chunks of what follows the verb group."
    tail = tail.strip()
    if not tail:
        return ()
    if steps(tail):
        return (Chunk(tail, "object"),)
    main, aside = _subordinate(tail)
    chunks = [_classified(words, i == 0, finite, middle) for i, words in enumerate(_cut(main.split()))]
    if aside:
        chunks.append(Chunk(aside, _aside_kind(aside, main)))
    return tuple(_merged(_to_user(chunks, finite)))


_WHOM = re.compile(r"(the user)(?!'| and) (?=\w)|([A-ZÀ-Þ](?!\d)[\w'-]+|the [\w'-]+(?: [a-z]+)?) (?=\d|(?:the|an?|his|her|their) )")


def _to_user(chunks: list[Chunk], finite: str) -> list[Chunk]:
    "'gave the user a tablet': whom and what apart."
    whom = _WHOM.match(chunks[0].text) if chunks else None
    if whom and chunks[0].kind == "object" and (whom[1] or base_of_third(finite) in _GIVING):
        return [Chunk(whom[0].strip(), "particle"), Chunk(chunks[0].text[whom.end() :], "object"), *chunks[1:]]
    return [Chunk(c.text, "particle") if c.text == "the user" else c for c in chunks]


def steps(tail: str) -> bool:
    "Whether a predicate is a list of deeds, or says two things side by side: it is then asked for as a whole."
    if ", then " in tail or re.search(r", and (?:only )?then ", tail):
        return True
    if any(known_third(m[1]) for m in re.finditer(r", (\w+s) (?:the|a|an|it|them|their|his|her|on|two|one)\b", tail)):
        return True
    twice = re.search(r"\b(in|with|on|at|by|for|from|to) [^,]*? and [^,]*? \1 ", tail)
    return bool(twice) or bool(re.search(r" and the \w+ ones? ", tail))


def _aside_kind(aside: str, main: str) -> ChunkKind:
    if aside.startswith(("because", "due to", "out of")):
        return "reason"
    if aside.startswith(
        (
            "if ",
            "unless ",
            "when ",
            "whenever ",
            "while ",
            "until ",
            "before ",
            "after ",
            "as soon",
            "in case",
        )
    ):
        return "condition"
    return "aside" if main.endswith(",") or aside.startswith("such as") else "other"


def _subordinate(tail: str) -> tuple[str, str]:
    "(main part, a clause or aside that ends the sentence and is asked about as a whole)"
    for match in _SUBORDINATE.finditer(tail):
        if (
            match.start()
            and not tail[: match.start()].endswith((" and", " or", " but", " in"))
            and depth(tail[: match.start()]) == 0
        ):
            comma = "," if match.group().startswith(",") else ""
            return tail[: match.start()] + comma, tail[match.end() :]
    return tail, ""


def _cut(words: list[str]) -> list[list[str]]:
    "Word lists that start at prepositions; 'of' and prepositions in quotations or after 'and' do not cut."
    parts: list[list[str]] = [[]]
    for i, word in enumerate(words):
        if parts[-1] and _opens(words, i) and not _held(words, i, parts[-1]) and not depth(" ".join(words[:i])):
            parts.append([])
        parts[-1].append(word)
    return [p for p in parts if p]


def _opens(words: list[str], i: int) -> bool:
    "Whether a chunk could start at this word."
    low = words[i].lower()
    if low in ("about", "around", "over", "under") and i + 1 < len(words) and is_number(words[i + 1]):
        return False  # 'about 40 kg'
    if low in PREPOSITIONS:
        return " ".join(words[i : i + 3]).lower().rstrip(",") not in _FIXED
    return (low in ("every", "each", "twice", "once") and _period(words, i)) or _bare_time(words, i)


def _held(words: list[str], i: int, part: list[str]) -> bool:
    "Whether this word stays with the words before it (`part`) although it could start a chunk."
    low, before, first = words[i].lower(), words[i - 1].lower(), part[0].lower()
    if i + 1 == len(words) or low in _KEEPS or low == "like" or before in ("and", "or", "not"):
        return True
    if before in PREPOSITIONS and before not in _PARTICLES:
        return True
    if (before in ("half", "quarter") and low in ("past", "to")) or (words[i][:1].isupper() and low in PREPOSITIONS):
        return True
    if first == "from" and (low in ("until", "till") or (low == "to" and _ends_range(words, i))):
        return True
    # 'a Filippi kept at the club', 'pointed out': what follows a participle belongs to it
    if is_participle(before) and ((len(part) > 1 and first not in PREPOSITIONS) or low in _PARTICLES):
        return True
    return (low in ("for", "under", "over") and _title(words, i)) or (low in ("before", "over") and before in ("day", "hour"))


def _ends_range(words: list[str], i: int) -> bool:
    "'from 3 to 9 August', 'from cheapest to dearest': any 'to' after 'from' ends its range."
    return i + 1 < len(words)


def _title(words: list[str], i: int) -> bool:
    "Whether a preposition stands inside a name: 'Nobody Rows for Gulls'."
    return 0 < i < len(words) - 1 and words[i - 1][:1].isupper() and words[i + 1][:1].isupper()


def _period(words: list[str], i: int) -> bool:
    "'every Friday', 'twice a week': a period follows; 'every release' is an object."
    return bool(_EVERY.match(" ".join(words[i : i + 4])))


def _bare_time(words: list[str], i: int) -> bool:
    "A time without preposition: 'every Friday', 'twice a week', 'all year round', 'three times a day'."
    text = " ".join(words[i : i + 3]).lower()
    if words[i].strip(",") in _DAY_NAMES and i and words[i - 1].lower() in ("open", "closed", "free", "here", "there"):
        return True
    return (
        text.startswith(("all year", "all day", "all the time", "a week", "a day", "next week"))
        and i > 0
        and not is_number(words[i - 1])
    )


def _classified(words: list[str], first: bool, finite: str, middle: str) -> Chunk:
    text = " ".join(words)
    low = words[0].lower()
    prep = low if low in PREPOSITIONS and len(words) > 1 else ""
    if low == "to" and len(words) > 1 and words[1].lower().strip(",") in VERBS and finite not in _GOING:
        return Chunk(text, "particle")
    kind = _kind(text, prep, " ".join(words[1:]) if prep else text)
    if (finite in ("wants", "prefers", "likes", "deals") and kind == "place") or (prep == "in" and words[1] in LANGUAGES):
        kind = "other" if finite == "deals" else "manner"
    if prep and low != words[0]:
        text = low + text[len(low) :]
    if kind == "object" and first and finite in BE and not middle:
        kind = "complement"
    return Chunk(text, kind, prep)


def _kind(text: str, prep: str, noun: str) -> ChunkKind:
    first = noun.split()[0].lower() if noun.split() else ""
    if prep == "because":
        return "reason"
    if _EVERY.match(text):
        return "often"
    if text.lower() in LONE:
        return "particle"
    if text.lower() in ("a day", "a week", "a month", "a year"):
        return "particle"
    if prep == "since":
        return "time"
    if prep in _TEMPORAL and is_time(noun, prep):
        length = prep == "for" and (is_number(first) or first == "a")
        return "length" if length else "time"
    if not prep:
        return "time" if text.lower().startswith(("all year", "all day")) or text.split()[0].strip(",") in _DAY_NAMES else "object"
    if prep in _PLACES and _place(noun, prep):
        return "place"
    if prep in ("from", "to", "into") and noun[:1].isupper():
        return "other"
    return "manner" if prep in ("with", "without", "by", "in") else "other"


def is_time(noun: str, prep: str = "") -> bool:
    "Whether a noun phrase is a time: a day, a clock time, a month, a year, a period."
    words = [w.strip(",").lower() for w in noun.split()]
    if (
        _DAYS.search(noun)
        or _MONTH.search(noun)
        or _CLOCK.match(noun)
        or (words[-1] in DAY_PARTS | SEASONS and (len(words) < 3 or words[0] in DETERMINERS))
    ):
        return True
    if prep in ("in", "since", "from", "until", "till", "by", "before", "after", "between") and _YEAR.search(noun):
        return True
    if prep in ("at", "before", "after", "until", "till", "by", "around") and is_number(words[0]) and len(words) <= 4:
        return len(words) == 1 or words[1] in ("in", "at", "every", "and") or words[1] in DAY_PARTS
    if prep == "from" and is_number(words[0]) and words[1:2] in (["to"], ["till"], ["until"]):
        return True
    if prep == "on":
        return any(
            w in ("day", "days", "weekend", "weekends", "eve") and k and not is_number(words[k - 1]) for k, w in enumerate(words)
        )
    return bool(set(words[:3]) & PERIODS) and (is_number(words[0]) or words[0] in ("the", "a", "every", "each", "several", "about"))


def is_clock(noun: str) -> bool:
    return bool(_CLOCK.match(noun))


def _place(noun: str, prep: str) -> bool:
    first = noun.split()[0]
    if first[:1].isupper() or first.lower() in DETERMINERS:
        return prep != "on" or first.lower() in DETERMINERS or first[:1].isupper()
    street = is_number(first) and bool(re.search(r" [A-ZÀ-Þ]|rue |strasse|street", noun.split(",")[0]))
    return prep not in ("in", "on", "at") or (street and prep == "at") or "'s" in first


def _merged(chunks: list[Chunk]) -> list[Chunk]:
    "'at 17:00 on Fridays' stays two chunks; a particle joins what stands before it."
    merged: list[Chunk] = []
    for chunk in chunks:
        alone = chunk.text.lower() in _PARTICLES
        clock = bool(merged) and merged[-1].kind == "time" == chunk.kind and merged[-1].prep in _CLOCKED
        clock = clock and (chunk.prep == "in" or chunk.text == "at night")
        if merged and ((alone and merged[-1].kind != "particle") or clock):
            merged[-1] = Chunk(f"{merged[-1].text} {chunk.text}", merged[-1].kind, merged[-1].prep)
        else:
            merged.append(chunk)
    return merged
