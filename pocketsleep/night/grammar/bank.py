"""A bank of everyday questions: how people ask for what common notes say, in words that the notes do not hold.

    prompts/things.jsonl       "The user's NOUN is (called) VALUE.": other names of the noun, broader ones, and questions for the value
    prompts/predicates.jsonl   other predicates, with {v} for the value and {x}, {r}, {n}, {y} for what is repeated; `fits`: what these
                               must look like where the words around them say too little ("takes ramipril", "takes a train")
    prompts/senses.json        expressions that `fits` uses by name: @MEDICINE@, @DAYS@
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pocketsleep.night.grammar.items import inside, number
from pocketsleep.night.grammar.lead import of_pattern, of_thing
from pocketsleep.night.grammar.lists import kinds, shipped
from pocketsleep.night.grammar.live import content
from pocketsleep.night.grammar.things import Thing, clear, implied, named, thing, things

_NUMBER = r"(?:about |over |some )?(?:[£$€]?\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+ty(?:-[a-z]+)?|a hundred|a dozen)"
_GROUPS = {
    "v": r"(?P<v>[^;]+?)", "x": r"(?P<x>(?!(?:user|the|an?|his|her|its|their)\b)[\w'’À-ÿ -]+?)", "r": r"(?P<r>[\w' -]+?)", "y": r"(?P<y>[\w'’À-ÿ -]+?)",
    "n": rf"(?P<n>{_NUMBER})",
}
_NAMED_KINDS = {"person", "animal", "group", "project", "product", "place"}
Asked = tuple[str, str, str]  # question, answer, form


@dataclass(frozen=True, slots=True)
class Predicate:
    "A kind of note: its wordings, and how one asks for its value."

    wordings: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    asks: tuple[str, ...]
    polar: tuple[str, ...]
    wrong: tuple[str, ...]
    answer: str
    fits: dict[str, re.Pattern[str]]

    def read(self, note: str) -> re.Match[str] | None:
        "The parts of a note of this kind."
        hits = (hit for way in self.patterns if (hit := way.fullmatch(note)))
        return next((hit for hit in hits if all(self._fit(hit, part) for part in hit.groupdict())), None)

    def _fit(self, hit: re.Match[str], part: str) -> bool:
        wanted, found = self.fits.get(part), hit[part] or ""
        return (wanted is None or bool(wanted.fullmatch(found))) and not (part == "x" and _LONG.search(found))

    def lead(self, parts: dict[str, str]) -> str:
        "How a note of this kind begins, up to its value; '' where that cannot be told."
        return next((one for w in self.wordings if (one := of_pattern(w, parts))), "")

    def lead_of_kin(self, parts: dict[str, str]) -> str:
        "The same where kin are asked for without their name: 'Your sister works as'."
        named = [w for w in self.wordings if w.startswith("{x}, the user's {r},")]
        return next((one for w in named if (one := of_pattern(w.replace("{x}, the user's {r},", "The user's {r}"), parts))), "")


@lru_cache(maxsize=1)
def predicates() -> tuple[Predicate, ...]:
    found = []
    for line in shipped("predicates.jsonl").splitlines():
        row = json.loads(line)
        wordings = tuple(row.get("patterns") or [row["pattern"]])
        patterns = tuple(re.compile(_expression(p)) for p in wordings)
        found.append(Predicate(wordings, patterns, tuple(row["asks"]), tuple(row.get("polar", ())), tuple(row.get("wrong", ())),
                               row.get("answer", "{v}"), {k: re.compile(sense(v)) for k, v in row.get("fits", {}).items()}))
    return tuple(found)


def sense(expression: str) -> str:
    "A regular expression with others in it by name. Raises KeyError for a name that is none."
    return _SENSE.sub(lambda hit: sense(senses()[hit[1]]), expression)


@lru_cache(maxsize=1)
def senses() -> dict[str, str]:
    return dict(json.loads(shipped("senses.json")))


def _expression(pattern: str) -> str:
    "A note's wording as a regular expression: `now` and the like may stand behind the verb."
    seen: set[str] = set()
    out = []
    for part in re.split(r"(\{[vxrny]\})", pattern.strip().rstrip(".")):
        if not re.fullmatch(r"\{[vxrny]\}", part):
            escaped = re.escape(part).replace("\\ ", " ")
            verbs = re.sub(r"\b(is|has|does|will|goes|launches|starts|opens)\b", r"(?:now |still |usually )?\1(?: now| always)?", escaped)
            out.append(re.sub(r"\bis\b", "(?:is|are)", re.sub(r"\bwas\b", "(?:was|were)", verbs)))
            continue
        out.append(_GROUPS[part[1]] if part not in seen else f"(?P={part[1]})")
        seen.add(part)
    return "".join(out) + r"\."


_SENSE = re.compile(r"@([A-Z_]+)@")
_LONG = re.compile(r"(?:\S+ ){5}|\b(?:and|but|not|does|who|which|that|when)\b")  # no thing that one asks for by this name
_CLAUSE = re.compile(r"\b(?:must|should|shall)\b")  # a whole clause stands in no question
_PLACED = re.compile(r" (?:in|on|at|of|for|with|from) ")
_OFTEN = re.compile(r"(?<=\w) (?:every|each) (?:other |second )?(?:day|week|month|year|morning|evening|night|\w+day)\b[^,]*$")  # is no part of what is asked for
WORDINGS = 2  # of a question that is declined
_BRACES = re.compile(r"[{}]")
_IS = re.compile(r"The user's (?P<noun>[\w'’À-ÿ& -]+?)(?:, (?:a|an|the) [^,]+,)? (?:is|are)(?: now)?(?P<called> called| named)? (?P<v>[^;]+)\.")
_NO_VALUE = re.compile(r"(?:in|on|at|from|to|not|made|built|kept|by|of|for|with|a very|too|always|[a-z]+ing)\b")


def asked(note: str, broader: frozenset[str] = frozenset()) -> Iterator[Asked]:
    "Questions on a note, each with its answer and form. `broader`: the words beyond a thing's own names that may be used for it."
    if (found := _IS.fullmatch(note)) and (of_it := list(_of_thing(found["noun"], found["v"], bool(found["called"]), broader))):
        yield from of_it
        return
    hits = [(p, hit) for p in predicates() if (hit := p.read(note))]
    for predicate, hit in sorted(hits, key=lambda one: sum(map(len, one[1].groupdict(default="").values())))[:2]:
        yield from _of_predicate(predicate, {k: _OFTEN.sub("", v) for k, v in hit.groupdict().items() if v}, note, broader)


def unsaid(notes: Sequence[str], count: int, key: str) -> Iterator[tuple[str, str, str]]:
    """(question, what it asks for, how a note on it would begin) about things and habits that no note speaks of. Things of the kinds that the notes name come
    first: who has told of a sister and a plumber is asked for a brother and a vet."""
    told, said = " ".join(notes).lower(), {w for n in notes for w in content(n)}
    known = [t for n in notes if (found := _IS.fullmatch(n)) and (t := thing(found["noun"]))]
    near, taken = {t.kind for t in known}, frozenset(name for t in known for name in t.names) | implied(notes)
    answered = {q.lower() for n in notes for q, _, _ in asked(n)}
    spoken_of = named(notes)
    free = [t for t in things().values() if not taken & t.names and not t.wide & spoken_of and not _spoken_of(t, told)]
    ranked = sorted(free, key=lambda t: number(t.noun, key) >> (1 if t.kind in near else 0))
    met = [any(p.fullmatch(n) for n in notes for p in one.patterns) for one in predicates()]  # fitting or not: nothing near is declined
    habits = [(one.asks, f"habit {n}", one.lead({})) for n, one in enumerate(predicates()) if not met[n] and not _BRACES.search(one.asks[0])]
    rows = [((*t.asks, f"What is my {t.noun} called?", f"Who is my {t.noun}?" if t.kind == "person" else f"What is my {t.noun}?"), t.noun,
             of_thing(t.noun, t.kind))
            for t in ranked[: count * 3 // 4]] + sorted(habits, key=lambda h: number(h[1], key))[: count // 4]
    for asks, about, before in rows:
        fresh = [q for q in asks if q.lower() not in answered and not _BRACES.search(q) and not content(q) & said]
        yield from ((q, about, before) for q in sorted(fresh, key=lambda q: number(q, key))[:WORDINGS])


_MY = re.compile(r"\b(?:my|our) (?=[a-z])")


def of_others(questions: Sequence[str], owners: Sequence[str], count: int, key: str) -> Iterator[tuple[str, str]]:
    '(question, owner): the same asked of what is somebody else\'s: "What is my cat called?" -> "What is my cousin\'s cat called?"'
    able = [q for q in questions if len(_MY.findall(q)) == 1 and not re.search(r"\b(?:I|I'm|I've|me|mine)\b", q)]
    for n, question in enumerate(sorted(able, key=lambda q: number("others", q, key))[:count]):
        owner = owners[number(key, question, str(n)) % len(owners)]
        yield _MY.sub(lambda _, owner=owner: f"{owner}'s ", question), owner  # type: ignore[misc]


def _spoken_of(known: Thing, told: str) -> bool:
    return any(re.search(rf"\b{re.escape(word.lower())}s?\b", told) for word in (known.noun, *known.same) if " " not in word)


def _of_thing(noun: str, value: str, called: bool, broader: frozenset[str]) -> Iterator[Asked]:
    known = thing(noun)
    if known is None or (not called and _NO_VALUE.match(value)):
        return
    answer = f"{_capital(value)}."
    for question in known.asks:
        yield question, answer, "paraphrase"
    for same in (*known.same, *(word for word in known.broader if word.lower() in broader)):
        yield from ((q.format(s=_mine(same)), answer, "paraphrase") for q in _asking(known.kind, called))
    if known.kind == "person" or called:
        word = "Who" if known.kind == "person" else "What"
        yield f"{word} is {value}?", f"{_capital(value)} is your {noun}.", "reverse"
        yield f"{word} is {value} to me?", f"{_capital(value)} is your {noun}.", "reverse"
        yield f"What do you know about {value}?", f"{_capital(value)} is your {noun}.", "reverse"
    yield from _doubted(known, noun, value, called)


def _doubted(known: Thing, noun: str, value: str, called: bool) -> Iterator[Asked]:
    "Yes to what is so; no to as many other values, and to another thing of that name."
    is_ = "is called" if called else "is"
    ways = [f"Is {{v}} my {noun}?", f"{is_.split()[0].capitalize()} my {noun}{is_[2:]} {{v}}?", f"Am I right that my {noun} {is_} {{v}}?"]
    ways += [f"Is {{v}} the name of my {noun}?"] if called else [f"Is it {{v}} that is my {noun}?"]
    others = rivals(value, noun, 2 * len(ways)) if value[:1].isupper() else []
    for n, way in enumerate(ways):
        yield way.format(v=value), f"Yes, your {noun} {is_} {value}.", "yes_no"
        for other in others[n :: len(ways)][: 1 + n % 2]:
            yield way.format(v=other), f"No, your {noun} {is_} {value}.", "yes_no"


def rivals(value: str, key: str, count: int) -> list[str]:
    "Other names, of people, animals, places and things alike: what is not the value may look like anything."
    names = [w for kind in ("person", "surname", "pet", "place", "thing") for w in kinds().get(kind, ()) if w[:1].isupper()]
    mine = sorted((w for w in names if w.lower() not in value.lower()), key=lambda w: number(w, key, value))
    if len(value.split()) > 1 and len(mine) > 2 * count:  # as long as the value is
        return [f"{a} {b}" for a, b in zip(mine[:count], mine[count : 2 * count], strict=True)]
    return mine[:count]


def _asking(kind: str, called: bool) -> tuple[str, ...]:
    if kind == "person":
        return ("Who is {s}?", "What is {s} called?")
    if called or kind in _NAMED_KINDS:
        return ("What is {s} called?", "What is the name of {s}?")
    return ("What is {s}?", "Which is {s}?")


def _of_predicate(one: Predicate, parts: dict[str, str], note: str, broader: frozenset[str]) -> Iterator[Asked]:
    value = one.answer.format(**{"v": parts.get("n", ""), **parts})
    answer, own = f"{_capital(value)}.", "{v}" in one.answer
    ways = [parts, *_otherwise(parts, broader)]
    for n, question in enumerate(one.asks):
        for way in ways if n % 3 == 0 else ways[:1]:
            if full := filled(question, way):
                yield full, answer, "paraphrase"
    core = inside(_said(note))
    for n, question in enumerate(one.polar if " you says " not in core and not _CLAUSE.search(value) else ()):
        if full := filled(question, parts):
            yield full, f"Yes, {core}.", "yes_no"
        wrong = [w for w in one.wrong if w.lower() not in note.lower()] if own and "{v}" in question else []
        wrong = wrong or (rivals(value, question, 4) if own and "{v}" in question and value[:1].isupper() else [])
        for value in wrong[n % 2 :: 2][:2]:
            if full := filled(question, {**parts, "v": value}):
                yield full, f"No, {core}.", "yes_no"


def _otherwise(parts: dict[str, str], broader: frozenset[str]) -> Iterator[dict[str, str]]:
    "The same parts with another name for the thing they speak of."
    for key in ("x", "r"):
        if key in parts and not _PLACED.search(parts[key]) and (known := thing(parts[key])):
            for same in (*known.same[:3], *[word for word in known.broader if word.lower() in broader][:2]):
                if same.lower() != parts[key].lower():
                    yield {**parts, key: same}


def filled(question: str, parts: dict[str, str]) -> str:
    "The question with its parts put in; \"my the man I rent from\" loses its my. '' where a part is missing."
    try:
        text = question.format(**parts)
    except (KeyError, IndexError):
        return ""
    return re.sub(r"\b(?:my|our) (?=(?:the|my|our|a|an) )", "", text)


def _mine(same: str) -> str:
    return same if re.match(r"(?:the|my|our|a|an|what|where|who)\b", same) else f"my {same}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _said(note: str) -> str:
    from pocketsleep.night.grammar.typed import statement

    return statement(note)


__all__ = ["Asked", "asked", "clear", "implied", "predicates", "thing", "things"]
