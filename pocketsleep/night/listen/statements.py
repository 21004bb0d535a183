"""Statements: a clause in which the user says something lasting of themselves, their people or their things.

A clause is read as subject, adverbs, verb, rest. Each verb class knows which rests last ("I am
allergic to ...", "I live in ...", "we open on Saturdays") and answers with the predicate in the third
person, or with the reason why not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pocketsleep.night.listen import acts, frames, states, words
from pocketsleep.night.listen.people import Candidate, People, proper
from pocketsleep.night.listen.reading import Saying, Unfit, stripped, take_apart
from pocketsleep.night.listen.states import Predicate
from pocketsleep.night.listen.voice import gist, sentence
from pocketsleep.nouns import Kind

UPDATE = re.compile(
    r"\b(?:now|no longer|any ?more|instead|after all|these days|nowadays|since|switched|"
    r"moved|changed|from now|"
    r"used to|not [\w: ]+$|already|new|by now)\b",
    re.IGNORECASE,
)


def statement(clause: str, people: People) -> Candidate | None:
    """The memory a clause states, None if it states nothing of the user. Raises Unfit, with the
    reason, when it states something that should not be kept."""
    update = bool(UPDATE.search(clause))
    if turned := _turned(clause, update):
        people.thing = re.split(r" (?:is|are) ", turned.text)[0]
        return turned
    read = take_apart(clause, people)
    if read is None:
        return None
    saying, when = read
    if _REMEMBER.match(clause):  # asked to be kept: any verb is taken for a habit
        saying = replace(saying, whole=f"always: {saying.whole}")
    _refuse(saying)
    predicate, kind = _predicate(saying)
    if len(predicate.split()) > LONGEST:
        raise Unfit("unsure: too long to be one thing")
    return Candidate(sentence(saying.subject, predicate + _tail(when)), kind, gist(predicate), update)


_REMEMBER = re.compile(
    r"(?:please |pls |and |so |also )*(?:remember|note|keep in mind|bear in mind|don't "
    r"forget|do not forget|for the record|fyi)\b",
    re.IGNORECASE,
)
LONGEST = 24  # words of a predicate


def _tail(when: str) -> str:
    "An adverbial of time, behind the predicate."
    if not when:
        return ""
    return f" on {when}" if when.split()[0].lower() in words.DAYS else f" {when[0].lower()}{when[1:]}"


_TURNED = re.compile(
    r"^(?P<what>(?!(?:this|that|it|he|she|they|there|what|who|which|here|these|those|I|we|you|my|our)\b)"
    r"[\w\"'À-ÿ-]+(?: (?!(?:is|are|was)\b)[\w\"'À-ÿ:-]+){0,4}) (?:is|are) (?:now )?(?:my|our) "
    r"(?P<noun>[\w'À-ÿ-]+(?: [\w'À-ÿ-]+){0,3}?)"
    r"(?: (?:now|after|in|at|for|and|because|so|since|from|these days)\b.*)?$"
)


def _turned(clause: str, update: bool) -> Candidate | None:
    '"Mondays are my day off", "English is my third language": the value first.'
    text = stripped(clause)
    hit = _TURNED.match(text)
    if not hit or hit["noun"].lower().split()[-1] in words.TRANSIENT_NOUNS | {"one", "friend"}:
        return None
    if frames.hypothetical(text) or frames.passing(text) or frames.reported(text):
        return None
    noun = re.sub(r" (?:now|too|though)$", "", hit["noun"])
    head = noun.split()[-1].lower()
    what = re.sub(r"^(?:The|A|An)\b", lambda m: m[0].lower(), hit["what"])
    dated = what.split()[0].lower() in words.DAYS | words.MONTHS
    if not (proper(what) or what[0].islower() or dated or head in ("language", "tongue")):
        return None
    verb = "are" if head.endswith("s") and not head.endswith("ss") else "is"
    kind: Kind = "relation" if head in words.KIN | words.PETS | words.ROLES else "fact"
    return Candidate(sentence(f"The user's {noun}", f"{verb} {what}"), kind, what, update)


_CHANGING = words.bag("moved switched changed retired married quit bought got adopted")


def _refuse(saying: Saying) -> None:
    "Reasons that hold whatever the verb."
    clause = saying.whole
    if frames.belief(clause):
        raise Unfit("belief: thought or hoped, not stated")
    if frames.hypothetical(clause):
        raise Unfit("hypothetical: says what would be")
    if frames.reported(clause):
        raise Unfit("reported: somebody's words about it")
    if frames.passing(clause) and not frames.dated(clause) and saying.verb not in _CHANGING:
        raise Unfit("for now: holds for a day; quoted when asked for, not learnt")
    if re.search(r"\byou(?:r|rs)?\b", clause, re.IGNORECASE):
        raise Unfit("unsure: speaks of the assistant")


_POINTING = re.compile(
    r"(?<![\w-])(?:you|your|yours|this|that|these|those|it|its|they|them|their|he|him|his|"
    r"she|her|hers|here|there|"
    r"one|same|such|thing|things|way|stuff|something|anything|someone|else|following|above|"
    r"below|attached)(?![\w-])",
    re.IGNORECASE,
)


def _predicate(saying: Saying) -> Predicate:
    "The predicate in the third person, and its kind."
    text, kind = (_VERBS.get(saying.verb) or _class_of(saying))(saying)
    own = r"\"[^\"]*\"" if saying.self else r"\"[^\"]*\"|\b(?:his|her|their|its)\b"
    if _POINTING.search(re.sub(own, "", text)):
        raise Unfit("unresolved: points to something outside the sentence")
    return text, "relation" if kind == "fact" and saying.person else kind


NO_BASE = re.compile(
    r"\w*(?:ed|ought|aught|ing|ly)|was|did|had|got|made|said|went|came|saw|the|and|but|not|"
    r"would|should|might|told|"
    r"gave|took|found|put|lost|left|must|may|shall|\w{1,2}"
)


def _class_of(saying: Saying) -> Callable[[Saying], Predicate]:
    verb = saying.verb
    if verb in words.TASTE:
        return acts.taste
    if verb in words.LASTING or verb in words.HABITUAL:
        return acts.habit
    if verb in words.LIFE:
        return acts.past
    if saying.self and frames.habitual(saying.whole) and not NO_BASE.fullmatch(verb):
        return acts.habit
    if saying.person and verb not in words.SAYING_VERBS and saying.typed.endswith("s"):
        return acts.habit
    raise Unfit("unsure: no rule keeps this verb")


_VERBS: dict[str, Callable[[Saying], Predicate]] = {
    "am": states.be, "is": states.be, "are": states.be, "was": states.was, "were": states.was,
    "born": states.born, "have": states.have, "do": acts.do, "can": acts.can, "never": acts.never,
    "may": acts.may, "must": acts.may, "come": acts.come, "will": acts.future, "want": acts.need,
    "need": acts.need,
}  # fmt: skip
