"""Names in passing, in sentences that the trained ear chose: looser than what rules may read of any sentence.

"tamsin, my eldest, starts on Saturday"                 The user's eldest is called Tamsin.
"ask jolanta, my saturday girl"                         The user's saturday girl is called Jolanta.
"Bonaparte has bitten the postman. He's our gander."    The user's gander is called Bonaparte.
"not till 19 November, that's my birthday"              The user's birthday is on 19 November.
"""

from __future__ import annotations

import re

from pocketsleep.night.listen import words
from pocketsleep.night.listen.people import HEADS, NAMED, Candidate, People, clean, proper
from pocketsleep.night.listen.sentences import expand
from pocketsleep.nouns import Kind

_ANIMAL = "|".join(sorted(map(re.escape, words.PETS), key=len, reverse=True))
_NO_NOUN = words.TRANSIENT_NOUNS | words.bag(
    "friend mind own life god word pleasure job month year time way thing things ones lot kind sort idea plan first second last "
    "next best worst self other others love dear darling goodness advice back end start own"
)
_WORD = (
    r"(?!(?:is|are|was|were|has|have|had|and|or|but|who|which|that|to|for|of|in|on|at|from|with|so|if|as|when|the|a|an|not)\b)"
    r"[a-zà-ÿ][\w'’-]*"
)
_NOUN = rf"(?P<noun>(?:(?:{_WORD}|[A-Z][a-z]+) ){{0,2}}?{_WORD})"
_STOP = r"(?=\s*(?:[,.;:!?)–—]|$))"
_TO = r"(?:with|to|for|and|ask|asked|tell|told|see|saw|from|by|of|like|[rR]ing|[cC]all|[aA]sk|[tT]ell|[tT]ext|[eE]mail|[pP]hone)"
_KIN = rf"(?:{_WORD} )?(?:{HEADS}|middle one|other half)"
_NO_ARTICLE = "".join(rf"(?<!\b{word} )" for word in ("the", "a", "an", "my", "our", "his", "her", "their", "this", "that", "some"))
_RULES = tuple(re.compile(pattern) for pattern in (
    rf"(?<![\w'’.] )(?P<name>{NAMED})(?:,| \() ?(?:(?:that|he|she|it) is )?(?:my|our) {_NOUN}{_STOP}",
    rf"\b{_TO} (?P<name>{NAMED})(?:,| \() ?(?:my|our) {_NOUN}{_STOP}",
    rf"\b(?:[mM]y|[oO]ur) {_NOUN}(?:, | \()(?P<name>{NAMED}){_STOP}",
    rf"(?P<name>{NAMED}), (?:that is )?the (?P<noun>(?:[\w-]+ ){{0,2}}(?:{_ANIMAL})){_STOP}",
    rf"\b[tT]he (?P<noun>{_ANIMAL}),? \(?(?P<name>{NAMED})(?=\)|,|\.| (?:has|is|was|had|did|keeps|got)\b)",
    rf"(?<![\w'’-]){_NO_ARTICLE}(?P<name>[a-zà-ÿ][a-zà-ÿ'’-]{{2,}}), (?:that is |s?he is )?(?:my|our) (?P<noun>{_KIN})\b{_STOP}",
))
_MONTH = "|".join(sorted(words.MONTHS))
_DATE = rf"(?P<day>\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTH})|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?)"
_DAY = re.compile(rf"\b{_DATE}, (?:that|which) is (?:my|our) {_NOUN}{_STOP}", re.IGNORECASE)
_ADJECTIVES = r"(?:[a-z-]+ ){0,2}?"
_BEING = re.compile(
    rf"^(?:he|she|it) is (?:(?:my|our) (?P<own>{_ADJECTIVES}(?:{_ANIMAL}))|an? {_ADJECTIVES}(?P<noun>{_ANIMAL}))\b", re.IGNORECASE)
_ORDER = re.compile(r"^(?:Ring|Call|Ask|Tell|Text|Email|Phone|Invite|Thank|Remind|Dear|Hi|Hello|Give|Send|Get|Take|Meet) (?=[A-Z])")
_ACTS = r"(?:['’]s| (?:has|is|was|had|keeps|got|went|did|does|will|can|loves|hates|likes))"
_ACTOR = re.compile(rf"(?:^|[.!?] )(?P<name>{NAMED}){_ACTS}\b")


def naming(text: str, previous: str, people: People) -> list[Candidate]:
    "What a chosen sentence names in passing; whoever is named is met."
    plain = expand(text)
    found = [c for rule in _RULES for hit in rule.finditer(plain) if (c := _named(hit["noun"], hit["name"], people))]
    found += [Candidate(f"The user's {hit['noun']} is on {hit['day']}.", "fact", hit["day"]) for hit in _DAY.finditer(plain)]
    if (hit := _BEING.match(plain)) and (name := _only_actor(previous)):
        found += [c for c in [_named(hit["own"] or hit["noun"], name, people)] if c]
    return list({c.answer: c for c in reversed(found)}.values())[::-1]


def _named(noun: str, name: str, people: People) -> Candidate | None:
    name, noun = clean(_ORDER.sub("", name)), re.sub(r"^(?:own|new|good|dear|lovely|old|poor) ", "", noun.strip())
    if not name or noun.split()[-1].lower() in _NO_NOUN:
        return None
    name = name[0].upper() + name[1:]
    if not proper(name):
        return None
    people.meet(noun, name)
    kind: Kind = "relation" if re.search(rf"(?:^| )(?:{HEADS})$", noun) else "fact"
    plain = name.split()[0].rstrip(".") in words.TITLES or noun.startswith(("favourite", "favorite"))
    return Candidate(f"The user's {noun} is {'' if plain else 'called '}{name}.", kind, name)


def _only_actor(before: str) -> str:
    "The one name that did something in the sentence before, '' where there is none or more than one."
    names = {clean(hit["name"]) for hit in _ACTOR.finditer(before)}
    sure = {n for n in names if n and proper(n)}
    return sure.pop() if len(sure) == 1 else ""


__all__ = ["naming"]
