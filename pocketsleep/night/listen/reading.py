"""A clause taken apart: subject, adverbs, verb, rest.

Subjects that are read: I and we; "my sister Araba"; "my van", "our stall"; "the office"; a name that
was introduced; he, she and it, when only one person or thing can be meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pocketsleep.night.listen import frames, words
from pocketsleep.night.listen.people import HEADS, People, proper
from pocketsleep.night.listen.voice import about_user, base_form, third_person, trim


class Unfit(Exception):
    "Why a clause is no memory: a reason code, a colon, words."


@dataclass(frozen=True, slots=True)
class Saying:
    "A clause taken apart; `verb` in the base form, `rest` as typed, `whole` with its adverbial of time."

    subject: str  # "The user", "The user's wife Ana"
    adverbs: str
    verb: str
    typed: str  # the verb as it was typed
    rest: str
    whole: str
    several: bool = False  # a plural subject other than the user
    self: bool = False  # the subject is the user

    @property
    def person(self) -> bool:
        "Is the subject somebody else, or an animal?"
        return not self.self and bool(_HEAD.search(self.subject))

    def agree(self, verb: str) -> str:
        "The verb as the subject wants it."
        return verb if self.several else third_person(verb)

    def predicate(self, verb: str, rest: str | None = None) -> str:
        "Adverbs that carry meaning, the verb, the rest trimmed and in the third person."
        adverbs = [a for a in self.adverbs.lower().split() if a in _TELLING]
        rest = trim(self.rest if rest is None else rest)
        return " ".join(" ".join((*adverbs, verb, about_user(rest))).split())


_HEAD = re.compile(rf"\b(?:{HEADS})\b")
_TELLING = words.bag("always only usually never normally mostly mainly rarely seldom often generally")

_LEAD = re.compile(
    r"^(?:(?:and|but|so|also|well|no|yes|yeah|nah|nope|ok|okay|actually|by the way|btw|ps|p\.s\.|anyway|plus|"
    r"sorry|hi|hello|hey|oh|ah|look|listen|ja|right|because|cos|honestly|I know(?: that)?|fyi|first|now|then|"
    r"since(?= (?:I|we|my|our)\b)|as(?= (?:I|we|my|our)\b)|for the record|remember(?: that)?|note(?: that)?|"
    r"please note|please remember(?: that)?|(?:keep|bear) in mind(?: that)?|do not "
    r"forget(?: that)?|besides|unfortunately|luckily|sadly|personally|mind you|not really|"
    r"not at all|god no|"
    r"of course|finally|in fact|see|you know|just so you know|for next time|from now(?: on)?|me)[,.!:]* +)+",
    re.IGNORECASE,
)
_DAY = "|".join(sorted(words.DAYS, key=len, reverse=True))
_WHEN = re.compile(
    rf"^(?P<when>(?:(?:on |every |each |from )?(?:{_DAY})(?: (?:and|or) (?:{_DAY}))?"
    r"(?: (?:mornings?|evenings?|nights?|afternoons?))?(?: (?:at )?\d\d?(?::\d\d)?(?: ?[ap]m)?)?"
    r"|in (?:winter|summer|spring|autumn|the (?:mornings?|evenings?))|since (?:the |last )?[\w ]{2,18}?"
    r"|from \w+|every \w+|these days|after [\w' ]{2,24}?|before [\w' ]{2,24}?|at home|at night|at work)),? "
    r"(?=(?:I|we|my|our)\b)",
    re.IGNORECASE,
)
_LASTING_WHEN = re.compile(
    r"since (?:the|my|our|\d{4}|[A-Z])|in (?:winter|summer|spring|autumn)|after|before", re.IGNORECASE
)
_SUBJECTLESS = re.compile(
    r"^(?:(?:just|recently|finally) )?(?=(?:moved|switched|changed|retired|emigrated) (?:to|from|in)\b"
    r"|(?:born|grew up) in\b)|^(?=(?:left|right)[ -]handed\b)",
    re.IGNORECASE,
)

_REST = r"(?: (?P<rest>.+))?$"
_ADVERB = rf"(?P<adv>(?:(?:{'|'.join(sorted(words.ADVERBS - {'never'}))}) )*)"
_VERB = rf"{_ADVERB}(?P<verb>never|[a-zà-ÿ'-]+){_REST}"
_NAME = r"[A-ZÀ-Þ][\w'’À-ÿ-]+"
_MINE = r"^(?:[mM]y|[oO]ur)(?: own)? "
_I = re.compile(rf"^(?:I|[Ww]e) {_VERB}")
_THEIRS = re.compile(
    rf"{_MINE}(?P<noun>(?:[\w'’-]+ ){{0,3}}?(?:{HEADS}))(?P<name> {_NAME}(?:(?: and)? {_NAME})?)?,? "
    rf"(?:he |she |they |who )?{_VERB}"
)
_THING = re.compile(
    rf"{_MINE}(?P<noun>(?:(?!(?:is|are|was|has)\b)[\w'’-]+ ){{0,3}}?[\w'’-]+) {_ADVERB}"
    rf"(?P<verb>is|are|am|has|have|takes?|opens?|closes?|starts?|runs?|stands?|sits?|goes|go|can){_REST}"
)
_PLACE = re.compile(
    r"^(?:the )?(?P<noun>office|studio|shop|stall|workshop|clinic|surgery|bakery|café|flat|"
    r"house|farm|orchard) "
    rf"{_ADVERB}(?P<verb>is|has|opens|closes) (?P<rest>(?:closed|open|shut|only|no|\d|(?:at|"
    r"in|on|above|behind|"
    r"near) (?:the |a )?(?:(?-i:[A-ZÀ-Þ])|[\w-]+ (?:floor|street|road|square|lane|village|"
    r"town|hill)\b|\d)).+)$",
    re.IGNORECASE,
)
_ROLE = "|".join(sorted(words.ROLES | {"wife", "husband"}, key=len, reverse=True))
_BARE_ROLE = re.compile(
    rf"^(?P<noun>(?i:{_ROLE})) (?P<adv>)(?P<verb>is) (?P<rest>{_NAME}(?: {_NAME}){{0,2}})$"
)
_NAMED = re.compile(rf"^(?P<name>{_NAME}) {_VERB}")
_PRONOUN = re.compile(rf"^(?P<who>he|she|it) {_VERB}", re.IGNORECASE)
_PLURAL_NOUN = re.compile(r"(?:children|kids|parents|in-laws|[a-z]{3,}(?<!s)s)$")


_AS_A = re.compile(r"^as an? [a-z-]+(?: [a-z-]+){0,2}?,? (?=(?:I|my|we|our)\b)", re.IGNORECASE)


def stripped(clause: str) -> str:
    "Without discourse markers."
    text = _AS_A.sub("", _LEAD.sub("", clause).strip(" ,.!-"))
    if _SUBJECTLESS.match(text):
        text = ("I am " if "handed" in text[:14] else "I ") + text[0].lower() + text[1:]
    return text


def take_apart(clause: str, people: People) -> tuple[Saying, str] | None:
    """The clause taken apart, and the lasting adverbial of time that led it ("since the new hip"); None
    when the subject is nobody of the user's. Raises Unfit when a pronoun cannot be resolved."""
    text = stripped(clause)
    when = _WHEN.match(text)
    saying = _read(text[when.end() :] if when else text, f"{when['when']}, " if when else "", people)
    if saying is None:
        return None
    lasting = when and (frames.habitual(when["when"]) or _LASTING_WHEN.match(when["when"]))
    return saying, about_user(when["when"]) if when and lasting else ""


def _read(text: str, when: str, people: People) -> Saying | None:
    if hit := _I.match(text):
        return _saying(hit, "The user", when + text, self=True)
    if hit := _THEIRS.match(text):
        return _theirs(hit, when + text, people)
    if hit := _THING.match(text):
        people.thing = f"The user's {about_user(hit['noun'])}"
        several = hit["verb"] in ("are", "have", "open", "close", "start", "run")
        return _saying(hit, people.thing, when + text, several=several)
    if hit := _PLACE.match(text) or _BARE_ROLE.match(text):
        return _saying(hit, f"The user's {hit['noun'].lower()}", when + text)
    if (hit := _NAMED.match(text)) and hit["name"] in people.by_name:
        return _saying(hit, people.by_name[hit["name"]], when + text)
    if hit := _PRONOUN.match(text):
        return _saying(hit, _antecedent(hit["who"].lower(), people), when + text)
    return None


def _theirs(hit: re.Match[str], whole: str, people: People) -> Saying | None:
    noun, name = hit["noun"].replace("’", "'"), (hit["name"] or "").strip()
    if name and not proper(name):
        return None
    people.meet(noun, name)
    plural = bool(_PLURAL_NOUN.search(noun)) and hit["verb"] not in ("is", "has", "was")
    return _saying(hit, f"The user's {noun} {name}".strip(), whole, several=plural or " and " in name)


def _saying(
    hit: re.Match[str], subject: str, whole: str, *, several: bool = False, self: bool = False
) -> Saying:
    typed = hit["verb"].lower()
    verb = typed if typed in ("was", "were", "is", "are", "am") else base_form(typed)
    return Saying(subject, hit["adv"].strip(), verb, typed, (hit["rest"] or "").strip(), whole, several, self)


def _antecedent(who: str, people: People) -> str:
    "The one person or animal (he, she) or thing (it) spoken of before; ambiguous is unfit."
    if who == "it" and people.thing:
        return people.thing
    wanted = {"he": "m", "she": "f", "it": "it"}[who]
    possible = [phrase for phrase, sex in people.last if sex in (wanted, "?")]
    if len(possible) != 1 or who == "it":
        raise Unfit("unresolved: nobody or more than one person it could mean")
    return possible[0]
