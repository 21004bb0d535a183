"""Relations: the user's people and animals, by kind and by name.

"my husband Kwabena", "Mr Baidoo, our landlord", "I've got a dog called Rex", "my daughter's horse is
called Bolt", "She's my vet now". A relation that is presupposed holds in a question too ("can my
husband Kwabena eat this?"), so these rules read every sentence that is not pretended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pocketsleep.night.listen import frames, words
from pocketsleep.nouns import Kind


@dataclass(frozen=True, slots=True)
class Candidate:
    "A memory before its cites: `update` says the user marked it as a change."

    text: str
    kind: Kind
    answer: str
    update: bool = False


@dataclass(slots=True)
class People:
    'Who has been spoken of: name -> the phrase that introduces them ("The user\'s sister Araba").'

    by_name: dict[str, str] = field(default_factory=dict)
    last: list[tuple[str, str]] = field(default_factory=list)  # (phrase, sex: m, f or ?)
    thing: str = ""  # what "it" means: the user's thing that was the subject last

    _before: int = 0

    def next_turn(self) -> None:
        "A pronoun reaches back to the last person of the turn before, no further."
        self.last = self.last[-1:] if len(self.last) > self._before else []
        self._before, self.thing = len(self.last), ""

    def meet(self, noun: str, name: str, owner: str = "The user's") -> None:
        phrase = f"{owner} {noun} {name}".strip()
        if name:
            self.by_name[name] = phrase
        elif any(p.startswith(phrase) for p, _ in self.last):
            return
        self.last = [p for p in self.last if p[0] != phrase] + [(phrase, sex(noun))]


_MALE = words.bag(
    "husband father dad daddy son sons brother grandfather grandpa granddad grandad grandson uncle "
    "nephew stepson stepfather boyfriend fiancé father-in-law son-in-law brother-in-law landlord bull "
    "ram stallion cockerel rooster tom tomcat"
)
_FEMALE = words.bag(
    "wife mother mum mam mom daughter sister grandmother grandma granny gran nan nana granddaughter "
    "aunt auntie aunty niece girlfriend fiancée stepdaughter stepmother mother-in-law daughter-in-law "
    "sister-in-law landlady mare cow ewe bitch hen sow midwife"
)


def sex(noun: str) -> str:
    head = noun.split()[-1].lower()
    return "m" if head in _MALE else "f" if head in _FEMALE else "?"


NAMED = (
    r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Father|Sister|Brother|Me|Maître|Doña|Don|"
    r"Auntie|Aunt|Uncle|Sir|Rev|Oom|Lic|Canon)\.? )?"
    r"[A-ZÀ-ÞŌŠŽČ][\wÀ-ÿ'’-]*(?: (?:(?:de|da|do|van|von|der|den|al|el|bin|ap|la|le|du|"
    r"O')\s?)*[A-ZÀ-ÞŌŠŽČ][\wÀ-ÿ'’-]+){0,3}"
)
_LIST = rf"{NAMED}(?:(?:, {NAMED})*,? (?:and|&) {NAMED})?"
_MODIFIER = (
    r"(?!(?:is|are|was|were|has|have|had|and|or|but|with|to|for|of|in|on|at|from|by|that|"
    r"who|which|the|a|an|my|our|not|called|"
    r"named|i|it|he|she|they|we|you|so|when|if|as|because|about|than|into|after|before|"
    r"late)\b)[a-zà-ÿ][\w'’-]*"
)
HEADS = "|".join(sorted((re.escape(w) for w in words.KIN | words.ROLES | words.PETS), key=len, reverse=True))
_RELATIVE = rf"(?:(?:{_MODIFIER} ){{0,3}}?(?:{HEADS})(?: (?:in law|hen|dog|cat|pony|mare|bird|boy|girl))?)"
_OWNED = rf"(?:[mM]y|[oO]ur)(?: own)? (?P<chain>(?:(?:{HEADS})['’]s ){{0,2}})(?P<noun>{_RELATIVE})"

_RULES: list[tuple[re.Pattern[str], str]] = [
    (
        re.compile(
            rf"\b{_OWNED}(?:['’]s name)?,? (?:is |are |was )?(?:called|named|name|by the "
            rf"name of) (?P<name>{_LIST})"
        ),
        "is called",
    ),
    (re.compile(rf"\b{_OWNED}['’]s name is (?P<name>{_LIST})"), "is called"),
    (re.compile(rf"\b{_OWNED}:? \(?(?P<name>{_LIST})"), "is called"),
    (re.compile(rf"\b{_OWNED}, (?P<name>{_LIST})(?=[,.!?)]|$| \()"), "is called"),
    (
        re.compile(
            rf"\b{_OWNED}(?: now)? (?:is|are)(?: now)? (?P<name>{_LIST})(?! (?:and|based|food|cup|team)\b)"
        ),
        "is",
    ),
    (
        re.compile(
            rf"(?<!from )(?<!in )(?<!at )(?<!near )(?P<name>{_LIST}),? \(?(?:(?:she|he|"
            r"it)(?:['’]s| is) |who (?:is|was) |that's |(?:is|are)(?: now)? "
            rf")?{_OWNED}(?=[,.;:!?)]|$| (?:now|who|and|is|in|at|for|since|says|has|from|"
            r"will|so)\b)"
        ),
        "is",
    ),
    (re.compile(rf"\bnew (?P<noun>{_RELATIVE}) (?P<name>{_LIST})(?P<chain>)"), "new"),
    (
        re.compile(rf"\b(?P<noun>landlord|landlady|boss|husband|wife|hubby) (?P<name>{_LIST})(?P<chain>)"),
        "is called",
    ),
]
_HAVING = re.compile(
    r"\b(?:[Ii]|[Ww]e)(?:['’]ve)? (?:have |got |keep |own |adopted |had )+(?P<det>a|an|two|"
    r"three|one|my own) "
    rf"(?P<noun>(?:{_MODIFIER} ){{0,4}}?{_MODIFIER}),? (?:called|named|by the name of) (?P<name>{_LIST})"
)
_PRONOUN_IS = re.compile(rf"^(?:she|he|it|that)(?:['’]s| is) {_OWNED}\b", re.IGNORECASE)
_NAME_ONLY = re.compile(rf"\b(?P<name>{NAMED})")


def proper(name: str) -> bool:
    "Is it a name, and not a weekday, a language or a shout?"
    first = name.split()[0].rstrip(".")
    low = first.lower()
    shouted = first.isupper() and len(first) > 3
    return not (low in words.DAYS or low in words.MONTHS or first in words.NOT_NAMES or shouted)


def clean(name: str) -> str:
    "Without a possessive, without capitalised words that are no part of a name."
    name = re.sub(r"['’]s$", "", name.strip())
    kept: list[str] = []
    for word in name.split():
        if kept and (word in words.NOT_NAMES or word.lower() in words.DAYS):
            break
        kept.append(word)
    return " ".join(kept).rstrip("'’")


PLURAL = re.compile(
    r"(?:sons|daughters|children|kids|brothers|sisters|boys|girls|twins|parents|cousins|"
    r"nephews|nieces|friends|dogs|cats|hens|geese|goats|horses|neighbours|grandchildren|"
    r"siblings|colleagues|bees|ducks)$"
)


def relations(text: str, people: People) -> list[Candidate]:
    "Relations that one sentence states or presupposes; whoever is named is met."
    found: list[Candidate] = []
    for pattern, verb in _RULES:
        for hit in pattern.finditer(text):
            candidate = _relation(hit, verb, people)
            if candidate and all(candidate.text != f.text for f in found) and not _known(candidate, found):
                found.append(candidate)
    return found if frames.hypothetical(text) else found + _having(text, people)


def _known(candidate: Candidate, found: list[Candidate]) -> bool:
    "The same name twice in a sentence is one person."
    return any(candidate.answer == f.answer for f in found)


def _relation(hit: re.Match[str], verb: str, people: People) -> Candidate | None:
    name = clean(hit["name"])
    noun = re.sub(r"^(?:new|own|dear|lovely|beloved|poor) ", "", hit["noun"].strip())
    if not name or not proper(name) or re.match(r"(?:friends|old|ex|late)\b", noun):
        return None
    plural = bool(PLURAL.search(noun))
    if " and " in name and not plural:
        name = name.split(" and ")[0]
    owner = "The user's " + hit["chain"].replace("’", "'")
    titled = name.split()[0].rstrip(".") in words.TITLES
    named = "are" if plural else "is"
    named += " called" if verb == "is called" and not titled else ""
    for one in re.split(r",? and |, ", name) if plural else [name]:
        people.meet(_singular(noun) if plural else noun, one, owner.strip())
    text = f"{owner.strip()} {noun} {named} {name}."
    return Candidate(text, "relation", name, verb == "new" or " now" in hit.group())


def _singular(noun: str) -> str:
    return re.sub(r"children$", "child", re.sub(r"(?<=[a-z])s$", "", noun))


def _having(text: str, people: People) -> list[Candidate]:
    found = []
    for hit in _HAVING.finditer(text):
        name, noun = clean(hit["name"]), hit["noun"]
        if proper(name):
            people.meet(noun, name)
            det = "an" if noun[0] in "aeiou" else "a"
            det = hit["det"] if hit["det"] in ("two", "three") else det
            found.append(Candidate(f"The user has {det} {noun} called {name}.", "relation", name))
    return found


def _acts(name: str, before: str) -> bool:
    "A capital at the start of a sentence is a name where somebody does something: \"Nelson has eaten the slippers.\""
    return bool(re.search(rf"\b{re.escape(name)}(?:['’]s| (?:has|is|was|had|keeps|got|loves|likes|went|did|does|will)) ", before))


def pronoun_relation(clause: str, before: str, people: People) -> Candidate | None:
    '"She\'s my female lanner", when exactly one name was spoken of before.'
    hit = _PRONOUN_IS.match(clause)
    if not hit:
        return None
    starts = {m.start() for m in re.finditer(r"(?:^|[.!?]\s+)(?=\S)", before)}
    before = re.sub(r"(^|[.!?]\s+)[A-Z]\w+(?:ed|ing) (?=[A-Z])", lambda m: m[1] + "... ", before)
    names = {clean(m["name"]) for m in _NAME_ONLY.finditer(before)}
    placed = {clean(m[1]) for m in re.finditer(rf"\b(?:in|at|from|near) ({NAMED})", before)}
    living = hit.group().lower().startswith(("he", "she"))
    sure = {n for n in names if before.find(n) not in starts or " " in n or (living and _acts(n, before))}
    names = {n for n in sure - placed if n and proper(n)}
    if len(names) != 1:
        return None
    name = names.pop()
    people.meet(hit["noun"], name)
    return Candidate(f"The user's {hit['noun']} is called {name}.", "relation", name, " now" in clause)
