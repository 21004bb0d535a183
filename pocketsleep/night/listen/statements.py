"""Statements: a clause in which the user says something lasting of themselves, their people or their things.

A clause is read as subject, adverbs, verb, rest. Each verb class knows which rests last ("I am
allergic to ...", "I live in ...", "we open on Saturdays") and answers with the predicate in the third
person, or with the reason why not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pocketsleep.night.listen import frames, words
from pocketsleep.night.listen.people import HEADS, Candidate, People, proper
from pocketsleep.night.listen.voice import about_user, base_form, gist, sentence, third_person, trim
from pocketsleep.nouns import Kind


class Unfit(Exception):
    "Why a clause is no memory."


@dataclass(frozen=True, slots=True)
class Saying:
    "A clause taken apart; `verb` in the base form, `rest` as typed."

    subject: str  # "The user", "The user's wife Ana"
    adverbs: str
    verb: str
    rest: str
    whole: str
    plural: bool = False
    self: bool = False  # the subject is the user


_LEAD = re.compile(
    r"^(?:(?:and|but|so|also|well|no|yes|yeah|nah|nope|ok|okay|actually|by the way|btw|ps|"
    r"p\.s\.|anyway|plus|sorry|hi|hello|hey|oh|ah|"
    r"look|listen|ja|right|because|cos|honestly|I know(?: that)?|so I know|since(?= (?:I|we|"
    r"my|our)\b)|as(?= (?:I|we|my|our)\b)|fyi|for the record|remember|note that|please note|"
    r"first|now|then|besides|"
    r"unfortunately|luckily|sadly|personally|mind you|not really|not at all|god no|he he|of "
    r"course|ah finally|in fact|see|"
    r"remember that|you know|just so you know|for next time|oh and|also|from now(?: on)?|me)[,.!:]* +)+",
    re.IGNORECASE,
)
_WHEN = re.compile(
    rf"^(?P<when>(?:(?:on |every |each |from )?(?:{'|'.join(words.DAYS)})(?: (?:and|or) "
    rf"(?:{'|'.join(words.DAYS)}))?(?: (?:mornings?|evenings?|nights?|afternoons?))?(?: "
    rf"(?:at )?\d{1, 2}(?::\d\d)?(?: ?[ap]m)?)?"
    r"|in (?:winter|summer|spring|autumn|the (?:mornings?|evenings?))|since (?:the |last "
    r")?[\w ]{2,18}?|from \w+|every \w+|these days|"
    r"after [\w' ]{2,24}?|before [\w' ]{2,24}?|at home|at night|at work)),? (?=(?:I|we|my|our)\b)",
    re.IGNORECASE,
)
_ADVERB = rf"(?:(?:{'|'.join(sorted(words.ADVERBS - {'never'}))}) )*"
_I = re.compile(rf"^(?:I|[Ww]e) (?P<adv>{_ADVERB})(?P<verb>never|[a-zà-ÿ'-]+)(?: (?P<rest>.+))?$")
_THEIRS = re.compile(
    rf"^(?:[mM]y|[oO]ur)(?: own)? (?P<noun>(?:[\w'’-]+ ){{0,3}}?(?:{HEADS}))(?P<name> "
    r"[A-ZÀ-Þ][\w'’À-ÿ-]+(?:(?: and)? [A-ZÀ-Þ][\w'’À-ÿ-]+)?)?,? (?:he |she |they |who )?"
    rf"(?P<adv>{_ADVERB})(?P<verb>never|[a-zà-ÿ'-]+)(?: (?P<rest>.+))?$"
)
_THING = re.compile(
    r"^(?:[mM]y|[oO]ur)(?: own)? (?P<noun>(?:(?!(?:is|are|was|has)\b)[\w'’-]+ "
    rf"){{0,3}}?[\w'’-]+) (?P<adv>{_ADVERB})(?P<verb>is|are|am|has|have|takes?|opens?|"
    r"closes?|starts?|runs?|stands?|sits?|goes|go|can)(?: (?P<rest>.+))?$"
)
_PLACE = re.compile(
    r"^(?:[Tt]he )?(?P<noun>[Oo]ffice|[Ss]tudio|[Ss]hop|[Ss]tall|[Ww]orkshop|[Cc]linic|"
    r"[Ss]urgery|[Bb]akery|[Cc]afé|[Ff]lat|[Hh]ouse|[Ff]arm|[Oo]rchard) "
    rf"(?P<adv>{_ADVERB})(?P<verb>is|has|opens|closes) (?P<rest>(?:closed|open|shut|only|no|"
    r"\d|(?:at|in|on|above|behind|near) (?:the |a )?(?:[A-ZÀ-Þ]|[\w-]+ (?:floor|street|road|"
    r"square|lane|village|town|hill)\b|\d)).+)$"
)
_BARE_ROLE = re.compile(
    rf"^(?P<noun>(?:{'|'.join(sorted(words.ROLES | {'wife', 'husband'}, key=len, reverse=True)).replace('|', '|')})) (?P<adv>)(?P<verb>is) (?P<rest>[A-ZÀ-Þ][\w'’À-ÿ-]+(?: [A-ZÀ-Þ][\w'’À-ÿ-]+){{0,2}})$",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"^(?P<name>[A-ZÀ-Þ][\w'’À-ÿ-]+) (?P<adv>{_ADVERB})(?P<verb>never|[a-zà-ÿ'-]+)(?: (?P<rest>.+))?$"
)
_PRONOUN = re.compile(
    rf"^(?P<who>he|she|it) (?P<adv>{_ADVERB})(?P<verb>never|[a-zà-ÿ'-]+)(?: (?P<rest>.+))?$", re.IGNORECASE
)

_POINTING = re.compile(
    r"(?<![\w-])(?:you|your|yours|this|that|these|those|it|its|they|them|their|he|him|his|"
    r"she|her|hers|here|there|one|same|such|thing|things|way|stuff|something|anything|"
    r"someone|else|following|above|below|attached)(?![\w-])",
    re.IGNORECASE,
)
_TRANSIENT_ADJ = re.compile(
    r"^(?:very |so |too |really |quite |a bit |not |still |all |just )*(?:tired|sick|ill|"
    r"sad|happy|angry|late|early|busy|hungry|ready|done|lost|stuck|sorry|sure|afraid|aware|"
    r"able|fine|ok|okay|good|bad|great|off|on|back|home|out|"
    r"in bits|cold|hot|wet|broken|dead|down|gone|open|new|old|confused|worried|nervous|"
    r"excited|bored|drunk|alone|here|there|away|right|wrong|curious|glad|proud|up|over|"
    r"going|about|due|near|next|last|better|worse|full|empty|short|long|slow|fast|free|"
    r"[a-z]+ing)\b"
)


def statement(clause: str, people: People) -> Candidate | None:
    """The memory a clause states, None if it states nothing of the user. Raises Unfit, with the
    reason, when it states something that should not be kept."""
    update = bool(_UPDATE.search(clause))
    if turned := _turned(clause):
        people.thing = turned.text.split(f" {'are' if ' are ' in turned.text else 'is'} ")[0]
        return turned
    text, when = _stripped(clause)
    saying = _read(text, people)
    if saying and when:
        saying = replace(saying, whole=f"{when}, {saying.whole}")
    if saying is None:
        return None
    _refuse(saying)
    predicate, kind, answer = _predicate(saying)
    keeps = when and (
        frames.habitual(when)
        or re.match(
            r"since (?:the|my|our|\d{4}|[A-Z])|in (?:winter|summer|spring|autumn)|after|before",
            when,
            re.IGNORECASE,
        )
    )
    when = about_user(when) if keeps else ""
    if (
        re.search(r"\b(?:the user|their)\b.*\b(?:the user|their)\b", predicate)
        and len(predicate.split()) > 18
    ):
        raise Unfit("unsure: too long to be one thing")
    tail = (
        f" {when[0].lower() + when[1:] if not when.split()[0].lower() in words.DAYS else 'on ' + when}"
        if when
        else ""
    )
    return Candidate(sentence(saying.subject, predicate + tail), kind, answer or gist(predicate), update)


_UPDATE = re.compile(
    r"\b(?:now|no longer|any ?more|instead|after all|these days|nowadays|since|switched|"
    r"moved|changed|from now|used to|not [\w: ]+$|already|new|by now)\b",
    re.IGNORECASE,
)


_TURNED = re.compile(
    r"^(?P<what>(?!(?:this|that|it|he|she|they|there|what|who|which|here|these|those|I|we|"
    r"you|my|our|the (?:problem|question))\b)[\w\"'À-ÿ-]+(?: (?!(?:is|are|"
    rf"was)\b)[\w\"'À-ÿ:-]+){{0,4}}) "
    r"(?P<verb>is|are) (?:now )?(?:my|our) (?P<noun>[\w'À-ÿ-]+(?: "
    rf"[\w'À-ÿ-]+){{0,3}}?)(?P<tail> (?:now|after|in|at|for|and|because|so|since|from|these "
    r"days)\b.*)?$"
)
_PASSING_NOUNS = words.TRANSIENT_NOUNS | {"one", "friend"}


def _turned(clause: str) -> Candidate | None:
    '"Mondays are my day off", "English is my third language": the value first.'
    text = _LEAD.sub("", clause).strip(" ,.!-")
    hit = _TURNED.match(text)
    if (
        not hit
        or set(hit["noun"].lower().split()) & _PASSING_NOUNS
        or frames.hypothetical(text)
        or frames.passing(text)
        or frames.reported(text)
    ):
        return None
    noun = re.sub(r" (?:now|too|though)$", "", hit["noun"])
    head = noun.split()[-1].lower()
    kind: Kind = "relation" if head in words.KIN | words.PETS | words.ROLES else "fact"
    what = re.sub(r"^(?:The|A|An)\b", lambda m: m[0].lower(), re.sub(r"^(?:And|But|So) ", "", hit["what"]))
    if not (
        proper(what)
        or what[0].islower()
        or what.split()[0].lower() in words.DAYS | words.MONTHS
        or head in ("language", "tongue")
    ):
        return None
    verb = "are" if head.endswith("s") and not head.endswith("ss") else "is"
    return Candidate(
        sentence(f"The user's {noun}", f"{verb} {what}"), kind, what, bool(_UPDATE.search(clause))
    )


_SUBJECTLESS = re.compile(
    r"^(?:(?:just|recently|finally) )?(?=(?:moved|switched|changed|retired|emigrated) (?:to|"
    r"from|in)\b|(?:born|grew up) in\b)|^(?=(?:left|right)[ -]handed\b)",
    re.IGNORECASE,
)


def _stripped(clause: str) -> tuple[str, str]:
    "Without discourse markers; a leading adverbial of time goes to the end."
    text = _LEAD.sub("", clause).strip(" ,.!-")
    if _SUBJECTLESS.match(text):
        text = ("I am " if "handed" in text[:14] else "I ") + text[0].lower() + text[1:]
    when = _WHEN.match(text)
    return (text[when.end() :], when["when"]) if when else (text, "")


def _read(text: str, people: People) -> Saying | None:
    "The clause taken apart, None when its subject is nobody of the user's."
    if hit := _I.match(text):
        return _saying(hit, "The user", text, self=True, plural=True)
    if hit := _THEIRS.match(text):
        noun, name = hit["noun"], (hit["name"] or "").strip()
        if name and not proper(name):
            return None
        people.meet(noun, name)
        plural = (
            " and " in name
            or bool(re.search(r"(?:children|kids|parents|in-laws|[a-z]{3,}(?<!s)s)$", noun))
            and hit["verb"] not in ("is", "has", "was")
        )
        return _saying(
            hit, f"The user's {noun.replace(chr(8217), chr(39))} {name}".strip(), text, plural=plural
        )
    if hit := _THING.match(text):
        people.thing = f"The user's {about_user(hit['noun'])}"
        return _saying(
            hit,
            f"The user's {about_user(hit['noun'])}",
            text,
            plural=hit["verb"] in ("are", "have", "open", "close", "start", "run"),
        )
    if hit := _PLACE.match(text):
        return _saying(hit, f"The user's {hit['noun'].lower()}", text)
    if hit := _BARE_ROLE.match(text):
        return _saying(hit, f"The user's {hit['noun'].lower()}", text)
    if (hit := _NAMED.match(text)) and hit["name"] in people.by_name:
        return _saying(hit, people.by_name[hit["name"]], text)
    if hit := _PRONOUN.match(text):
        return _saying(hit, _antecedent(hit["who"].lower(), people), text)
    return None


def _saying(
    hit: re.Match[str], subject: str, text: str, *, plural: bool = False, self: bool = False
) -> Saying:
    verb = hit["verb"].lower()
    verb = verb if verb in ("was", "were", "is", "are", "am") else base_form(verb)
    return Saying(subject, (hit["adv"] or "").strip(), verb, (hit["rest"] or "").strip(), text, plural, self)


def _antecedent(who: str, people: People) -> str:
    "The one person (he, she) or animal spoken of before; ambiguous is unfit."
    if who == "it" and people.thing:
        return people.thing
    wanted = {"he": "m", "she": "f", "it": "it"}[who]
    fitting = [p for p, s in people.last if s == wanted]
    if not fitting and wanted != "it":
        fitting = [p for p, s in people.last if s == "?"]
    if len(fitting) != 1 or len([p for p, s in people.last if s in (wanted, "?")]) != 1:
        raise Unfit("unresolved: nobody or more than one person it could mean")
    return fitting[0]


def _refuse(saying: Saying) -> None:
    "Reasons that hold whatever the verb."
    clause = saying.whole
    if frames.belief(clause):
        raise Unfit("belief: thought or hoped, not stated")
    if frames.hypothetical(clause):
        raise Unfit("hypothetical: says what would be")
    if frames.reported(clause):
        raise Unfit("reported: somebody's words about it")
    changed = re.match(rf"(?:moved|switched|changed|retired|married|quit)\b", saying.verb)
    if frames.passing(clause) and not frames.dated(clause) and not changed:
        raise Unfit("transient: holds for a day")
    if re.search(r"\byou(?:r|rs)?\b", clause, re.IGNORECASE):
        raise Unfit("unsure: speaks of the assistant")


def _predicate(saying: Saying) -> tuple[str, Kind, str]:
    "The predicate in the third person, its kind and its core ('' to derive it)."
    rule = _VERBS.get(saying.verb) or _class_of(saying)
    text, kind = rule(saying)
    own = r"\b(?:his|her|their|its)\b" if not saying.self else r"$^"
    if _POINTING.search(re.sub(own, "", re.sub(r"\"[^\"]*\"", "", text))):
        raise Unfit("unresolved: points to something outside the sentence")
    if not saying.self and kind == "fact" and re.search(rf"\b(?:{HEADS})\b", saying.subject):
        kind = "relation"
    return text, kind, ""


def _class_of(saying: Saying) -> Callable[[Saying], tuple[str, Kind]]:
    verb = saying.verb
    if verb in words.TASTE:
        return _taste
    if verb in words.LASTING or verb in words.HABITUAL:
        return _habit
    if verb in words.LIFE:
        return _past
    if (
        saying.self
        and frames.habitual(saying.whole)
        and re.fullmatch(r"[a-z]{3,}", verb)
        and not re.search(
            r"(?:ed|ought|aught|ing|ly)$|^(?:was|did|had|got|made|said|went|came|saw|the|"
            r"and|but|not|would|should|might|told|gave|took|found|put|lost|left|must|may|"
            r"shall)$",
            verb,
        )
    ):
        return _habit
    if (
        not saying.self
        and _person(saying)
        and verb not in words.SAYING_VERBS
        and re.fullmatch(r"[a-z]+s", _typed(saying))
        and saying.rest
    ):
        return _habit
    raise Unfit("unsure: no rule keeps this verb")


def _person(saying: Saying) -> bool:
    "Is the subject somebody, or an animal?"
    return bool(re.search(rf"\b(?:{HEADS})\b", saying.subject))


def _typed(saying: Saying) -> str:
    "The verb as it was typed."
    before = saying.whole[: saying.whole.rfind(saying.rest)].split() if saying.rest else saying.whole.split()
    return before[-1].lower() if before else ""


def _finish(saying: Saying, verb: str, rest: str) -> str:
    "Adverbs that carry meaning, verb, trimmed rest; a routine keeps all its steps."
    if set(saying.subject.lower().split()) & _ROUTINES:
        return f"{verb} {about_user(rest.strip(' ,.;'))}"
    adverbs = " ".join(
        a
        for a in saying.adverbs.lower().split()
        if a
        in (
            "always",
            "only",
            "usually",
            "never",
            "normally",
            "mostly",
            "mainly",
            "also",
            "rarely",
            "seldom",
            "often",
            "generally",
        )
        and a != "also"
    )
    return re.sub(r"\s+", " ", f"{adverbs} {verb} {about_user(trim(rest))}").strip()


def _be(saying: Saying) -> tuple[str, Kind]:
    rest = saying.rest
    verb = "are" if saying.plural and not saying.self else "is"
    if rest.lower().startswith("not ") and not re.match(
        r"not (?:a (?:big |huge |great )?fan of|fond of|keen on)\b", rest
    ):
        raise Unfit("denial: says what is not so")
    first = re.sub(
        r"^(?:(?:properly|very|severely|badly|quite|also|a bit|totally|completely|red-green|"
        r"stone|partially|legally|chronically|half|type [12]|profoundly) )+",
        "",
        rest.lower(),
    )
    head = first.split()[0].strip(".,!()") if first.split() else ""
    kind: Kind = "fact"
    if head in words.STABLE or _identity(rest) or _lasting_state(rest, saying):
        if not saying.self:
            kind = "fact"
        return _finish(saying, verb, rest), kind
    raise Unfit(
        "unsure: may be a passing state" if _TRANSIENT_ADJ.match(rest) else "unsure: no rule keeps this state"
    )


_TRADE = re.compile(
    r"\w{3,}(?:ologist|ician|ographer|keeper|maker|smith|wright|monger|herd|woman|iatrist|"
    r"onist|rist|tist|nist|worker|officer)"
)


def _identity(rest: str) -> bool:
    '"a midwife", "nurse in Rosario", "chief arbiter of the Omuramba Open".'
    phrase = re.split(r"\b(?:in|at|on|for|of|from|with|and|who|near|by|to|since|not)\b|[,(]", rest.lower())[
        0
    ].split()
    return (
        0 < len(phrase) <= 5
        and phrase[0] not in ("my", "our", "not")
        and (
            bool(re.match(r"an? ", rest))
            and bool(re.fullmatch(r"\w{4,}(?:er|or|ist|ian|ant|eer|ess|man|woman)", phrase[-1]))
            and phrase[-1]
            not in words.EVALUATIONS | {"further", "another", "later", "either", "better", "human"}
            or phrase[-1] in words.IDENTITIES
            or phrase[-1].rstrip("s") in words.IDENTITIES
            or bool(_TRADE.fullmatch(phrase[-1]))
        )
    )


_STATE = re.compile(
    r"^(?:from|based (?:in|at|near)|born|originally from|married to|engaged to|divorced|the "
    r"(?:eldest|youngest|oldest|middle|head|chair|secretary|treasurer|captain)\b|(?:left|"
    r"right)[ -]handed\b|fond of|scared of|afraid of|terrified of|"
    r"\d{1,3}(?: years old)?$|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?$|"
    r"(?:nearly |almost )?\d{1,3} years old|(?:on|playing) (?:the )?(?:INSTR)\b|on "
    r"(?:earlies|lates|nights|call|benefits|parental leave|maternity leave|insulin)\b|doing "
    r"(?:a|an|my) (?:phd|masters?|degree|course|apprenticeship|diploma|a-levels)\b|on "
    r"[A-Z]\w+ ?[\d.]*$|in (?:grade|year|the \w+ year|class) |in (?:my|the) (?:first|second|"
    r"third|fourth|final) year|a member of|on (?:blood thinners|warfarin|insulin|statins|"
    r"lithium|methotrexate)|called |known as )".replace("INSTR", "|".join(sorted(words.INSTRUMENTS))),
    re.IGNORECASE,
)


def _lasting_state(rest: str, saying: Saying) -> bool:
    if (
        saying.self
        and re.fullmatch(r"[A-ZÀ-Þ][\w'À-ÿ-]+(?: [A-ZÀ-Þ][\w'À-ÿ-]+)?", trim(rest))
        and proper(trim(rest))
    ):
        return True
    if re.match(r"not (?:a (?:big |huge |great )?fan of|fond of|keen on) \w+", rest):
        return True
    if (
        not saying.self
        and re.fullmatch(
            r"(?:nearly |almost )?(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|"
            r"ten|eleven|twelve|[a-z]+teen|(?:twen|thir|for|fif|six|seven|eigh|"
            r"nine)ty(?:-\w+)?)(?: years? old)?",
            trim(rest),
        )
        and _person(saying)
    ):
        return True
    if re.search(
        r"\bevery (?:year|month|week|day|winter|summer|spring|autumn|morning|evening|\w+day)\b", rest
    ):
        return True
    if re.match(r"(?:in|at) [A-ZÀ-Þ]", rest) and re.search(
        r"\b(?:since|now|these days|for good)\b", saying.whole, re.IGNORECASE
    ):
        return True
    if re.match(
        r"(?:off|going|flying|travelling|traveling|leaving|moving|heading|getting) \w+", rest
    ) and frames.dated(rest):
        return True
    if _STATE.match(rest):
        return True
    first = rest.lower().split()[:1]
    if first and first[0] in words.ING_LASTING:
        return (
            frames.dated(rest)
            or first[0]
            in (
                "learning",
                "studying",
                "designing",
                "writing",
                "building",
                "restoring",
                "training",
                "planning",
                "renovating",
            )
            and len(trim(rest).split()) > 1
        )
    if saying.self:
        return False
    if re.search(rf"\b(?:{HEADS})\b", saying.subject):
        if _BARE_ROLE.match(saying.whole):
            return proper(rest)
        return bool(
            re.match(
                r"(?:at|in|on) (?:the )?[A-Z]|(?:a|an) (?:[\w-]+ ){0,3}[\w-]+$|dead$|vegan|vegetarian", rest
            )
        ) and not _TRANSIENT_ADJ.match(rest)
    return _thing_state(saying.subject, rest)


_ROUTINES = frozenset("routine ritual rule method workflow procedure".split())


def _thing_state(subject: str, rest: str) -> bool:
    '"my birthday is 4 May", "our stall is open on Saturdays", "my favourite colour is green".'
    noun = subject.split()[-1].lower()
    if set(subject.lower().split()) & _ROUTINES:
        return len(rest.split()) >= 2
    if noun in words.VALUES or re.search(
        r"\b(?:favourite|favorite|maiden|middle|first|mother|native|usual|standard)\b", subject
    ):
        return not _TRANSIENT_ADJ.match(rest) or noun in words.VALUES
    if (
        noun not in words.TRANSIENT_NOUNS
        and re.match(r"(?:an?|called|made of) [\w'’.-]+(?: [\w'’.-]+){0,5}$", trim(rest))
        and not set(rest.lower().split()) & words.EVALUATIONS
    ):
        return True
    if noun not in words.THINGS:
        return False
    return bool(
        re.match(
            r"(?:called|named|at|in|on|above|behind|near|next to|opposite|under|off|by|from|"
            r"open|closed|made of|an? )\b",
            rest,
        )
    ) and (
        not _TRANSIENT_ADJ.match(rest)
        or bool(
            re.match(
                r"(?:in|at|on) (?:the |a )?(?!fire|bits|sale|hold|strike|trouble|order|time|"
                r"use|way|line|table|moment|mess|danger|pieces|tears|shape|my|your)\w+",
                rest,
            )
        )
        or bool(re.match(r"(?:open|closed|on|near|next)\b.*(?:\d|[A-Z]|days?\b)", rest))
    )


def _was(saying: Saying) -> tuple[str, Kind]:
    if re.match(
        r"(?:born|raised|brought up|christened|adopted|diagnosed|widowed|divorced|named after)\b", saying.rest
    ):
        return _finish(saying, "was", saying.rest), "fact"
    if frames.life_time(saying.rest) and (
        _identity(saying.rest) or re.match(r"(?:\d+|\w+) years\b", saying.rest)
    ):
        return _finish(saying, "was", saying.rest), "fact"
    raise Unfit("unsure: a past state without its time")


def _have(saying: Saying) -> tuple[str, Kind]:
    rest = re.sub(r"^(?:also|both|got|only|just|still) ", "", saying.rest)
    low = rest.lower()
    if re.match(
        r"(?:been|lived|worked|had|played|kept|taught|driven|known|owned|collected|run|done|"
        r"sung|grown|used|studied|not|never) ",
        low,
    ):
        if (
            frames.life_time(low)
            and not low.startswith("not ")
            and not re.search(r"\b(?:trying|waiting|looking|asking|meaning|wondering|at it)\b", low)
        ):
            return _finish(saying, _agree("have", saying), rest), "fact"
        raise Unfit("unsure: a past state without its time")
    if re.match(
        r"(?:(?:just|now|recently|since) )?(?:moved|switched|changed|given up|retired|quit|"
        r"converted|gone over) ",
        low,
    ) and re.search(r"\b(?:to|into|from|up)\b", low):
        return _finish(
            saying, _agree("have", saying), re.sub(r"^(?:just|now|recently|since) ", "", rest)
        ), "fact"
    if re.match(r"to\b", low):
        raise Unfit("task: something to do")
    phrase = re.split(
        r"\b(?:that|which|who|to|because|so|from|since|of|in|with|for|at|on|between|now|"
        r"booked|called|named)\b|[,(]",
        low,
    )[0].split()
    if (
        frames.dated(rest)
        and re.match(r"(?:a|an|my|our|the)\b", low)
        or (
            re.search(r"\b(?:in|at|near|on) (?:the )?[A-ZÀ-Þ]\w+", rest)
            and phrase[:1] in (["a"], ["an"], ["two"], ["three"])
            and not set(phrase) & words.ENGAGEMENTS
        )
    ):
        return _finish(saying, _agree("have", saying), rest), "fact"
    if not phrase or saying.self and re.fullmatch(r"\d{2,}|hundreds?|dozens?", phrase[0]):
        raise Unfit("unsure: no rule keeps having this")
    if (
        not saying.self
        and saying.subject.split()[-1].lower() in words.THINGS
        and re.match(r"(?:an?|no|only|one|two|three|four|five|six|seven|eight|nine|ten|\d+)\b", low)
        and not set(phrase) & words.TRANSIENT_NOUNS
    ):
        return _finish(saying, _agree("have", saying), rest), "fact"
    known = words.KIN | words.PETS | words.CONDITIONS | words.THINGS
    owned = [w for w in phrase[-1:] if w in known or w.rstrip("s") in known]
    if (
        not owned
        or phrase[0] in ("the", "my", "our", "your", "some", "any", "this", "that", "question", "a")
        and len(phrase) > 1
        and phrase[1] in ("question", "problem", "meeting", "new", "big", "small")
        and not set(owned) & (words.KIN | words.PETS | words.CONDITIONS)
    ):
        raise Unfit("unsure: no rule keeps having this")
    people_or_body = set(owned) & (words.KIN | words.PETS | words.CONDITIONS) or {
        w.rstrip("s") for w in owned
    } & (words.KIN | words.PETS)
    if not people_or_body and phrase[0] == "the":
        raise Unfit("unsure: no rule keeps having this")
    kind: Kind = (
        "relation"
        if {w.rstrip("s") for w in owned} & {w.rstrip("s") for w in words.KIN | words.PETS}
        else "fact"
    )
    return _finish(saying, _agree("have", saying), rest), kind


def _agree(verb: str, saying: Saying) -> str:
    return verb if saying.plural and not saying.self else third_person(verb)


def _do(saying: Saying) -> tuple[str, Kind]:
    '"I do not eat meat"; a bare "do" is a habit.'
    hit = re.match(r"not (?:really |even |actually |ever )?(?P<verb>[\w'-]+)(?: (?P<rest>.*))?$", saying.rest)
    if not hit:
        return _habit(saying)
    verb, rest = hit["verb"].lower(), hit["rest"] or ""
    if (
        verb in ("like", "eat", "drink", "want", "celebrate", "enjoy", "smoke")
        and rest
        or verb in ("drink", "drive", "smoke", "fly", "swim", "vote", "gamble", "cook", "dance", "cycle")
    ):
        if verb == "want":
            raise Unfit("task: a wish for this once")
        return _finish(saying, f"{_agree('do', saying)} not {verb}", rest), "preference" if verb in (
            "like",
            "enjoy",
        ) else "fact"
    if (
        rest
        and frames.habitual(saying.whole)
        and verb not in ("know", "think", "understand", "have", "mind", "care", "want", "need", "see")
    ):
        return _finish(saying, f"{_agree('do', saying)} not {verb}", rest), "fact"
    if verb in words.NEGATED and (
        frames.habitual(saying.whole) or verb in ("speak", "own", "eat", "tolerate", "do") and rest
    ):
        return _finish(saying, f"{_agree('do', saying)} not {verb}", rest), "fact"
    raise Unfit("denial: says what is not so")


def _can(saying: Saying) -> tuple[str, Kind]:
    hit = re.match(r"(?P<not>not )?(?:really |even |ever )?(?P<verb>[\w'-]+)(?: (?P<rest>.*))?$", saying.rest)
    if not hit:
        raise Unfit("unsure: no rule keeps this verb")
    verb, rest = hit["verb"].lower(), hit["rest"] or ""
    if not hit["not"]:
        if verb in ("speak", "read", "play", "drive") and rest:
            return _finish(saying, f"can {verb}", rest), "fact"
        raise Unfit("unsure: what one can do")
    if re.match(r"(?:why|how|what|if|whether|that|the (?:point|difference|problem))\b", rest):
        raise Unfit("unsure: may be a passing trouble")
    if verb in words.UNABLE and (rest or verb in ("swim", "drive", "fly", "read", "see", "hear")):
        kind: Kind = "preference" if verb in ("stand", "bear") else "fact"
        return _finish(saying, f"cannot {verb}", rest), kind
    raise Unfit("unsure: may be a passing trouble")


def _never(saying: Saying) -> tuple[str, Kind]:
    verb, _, rest = saying.rest.partition(" ")
    base = base_form(verb)
    if base in ("want", "need") and rest and not rest.startswith("to "):
        return _finish(saying, f"never {third_person(base)}", rest), "preference"
    if base in words.HABITUAL | words.LASTING | words.NEGATED | frozenset(("touch", "cut", "add")):
        return _finish(
            saying, f"never {base if saying.plural and not saying.self else third_person(base)}", rest
        ), "fact"
    raise Unfit("unsure: no rule keeps this verb")


def _taste(saying: Saying) -> tuple[str, Kind]:
    rest = saying.rest
    if not rest or re.match(
        r"(?:to (?:know|see|have|get|ask|be|hear)|how|what|when|if|that|the (?:idea|one|"
        r"second|first|third|last|way|look|sound)|a \w+ (?:one|version))\b",
        rest,
        re.IGNORECASE,
    ):
        raise Unfit("task: a liking for this once")
    return _finish(saying, _agree(saying.verb, saying), rest), "preference"


def _habit(saying: Saying) -> tuple[str, Kind]:
    lasting = saying.verb in words.LASTING
    marked = frames.habitual(saying.whole) or frames.routine(saying.whole)
    if (
        saying.rest
        and frames.dated(saying.rest)
        and saying.verb
        in (
            "leave",
            "move",
            "start",
            "go",
            "open",
            "close",
            "begin",
            "fly",
            "get",
            "finish",
            "run",
            "turn",
            "set",
        )
    ):
        return _finish(saying, _agree(saying.verb, saying), saying.rest), "fact"
    if not saying.rest or saying.rest.startswith("not "):
        raise Unfit("unsure: nothing said of it")
    if saying.self and _past_form(saying):
        raise Unfit("unsure: a single event")
    person = not saying.self and _person(saying)
    eats = (
        person
        and saying.verb not in words.SAYING_VERBS
        and _typed(saying).endswith("s")
        or saying.verb == "take"
        and saying.rest.startswith("my ")
        or not saying.self
        and saying.verb in ("eat", "drink", "play", "wear", "take", "use")
        or saying.verb in ("use", "wear")
        and bool(re.match(r"(?:a|an|size|[A-Z]\w+)\b", saying.rest))
        or saying.verb in ("get", "start", "finish", "wake", "open", "close")
        and bool(re.match(r"(?:up )?(?:work )?at \d", saying.rest))
    )
    if not marked and not eats and (not lasting or not _lasting_object(saying)):
        raise Unfit("unsure: may be a single event")
    kind: Kind = (
        "procedure"
        if re.search(r"\b(?:always|never|before|then|first|after)\b", saying.whole) and not lasting
        else "fact"
    )
    return _finish(saying, _agree(saying.verb, saying), saying.rest), kind


def _past_form(saying: Saying) -> bool:
    '"I read", "I set", "I put" with a past time is an event.'
    return saying.verb in ("read", "set", "put", "cut") and bool(
        re.search(r"\b(?:in (?:19|20)\d\d|ago|once)\b", saying.rest)
    )


_OBJECT = re.compile(
    r"^(?:in|at|on|for|as|with|near|outside|above|by|off|up|alone|under|to|from|between|a|"
    r"an|the|one|two|three|four|five|my|our|both|only|\d|[A-Z]|[a-z]{4,})"
)


def _lasting_object(saying: Saying) -> bool:
    "Verbs such as work and run need a place, a thing or a role to be lasting."
    verb, rest = saying.verb, saying.rest
    if verb in ("work", "live", "stay", "teach", "study", "train", "volunteer", "belong", "commute"):
        return bool(
            re.match(
                r"(?:in|at|for|as|with|near|outside|above|to|from|on|off|by|up|alone|under|"
                r"nights|days|earlies|lates|part|full|opposite|behind|the|a|an|my|[A-Z]|"
                r"[a-z]{4,})",
                rest,
            )
        ) and not re.match(r"on (?:a|an|the|my)\b|out\b|fine|well", rest)
    if verb in (
        "sell",
        "read",
        "build",
        "make",
        "write",
        "fix",
        "paint",
        "repair",
        "restore",
        "sew",
        "knit",
        "rent",
        "cut",
    ) and re.match(r"(?:the|my|our|your|this|that|it)\b", rest):
        return False
    if verb in (
        "run",
        "keep",
        "read",
        "write",
        "build",
        "make",
        "fix",
        "share",
        "lead",
        "manage",
        "edit",
        "carry",
        "support",
        "host",
        "judge",
        "own",
        "sell",
        "deal",
        "collect",
        "row",
        "fly",
        "ride",
        "drive",
    ):
        return (
            not re.match(
                r"(?:into|out|out of|money|getting|it|on|the (?:file|code|script|risk|list|"
                r"same|list)|forgetting|thinking|having|losing|hitting|a (?:risk|table|list|"
                r"copy)|to|across)\b",
                rest,
            )
            and bool(_OBJECT.match(rest))
            and not re.match(r"\w+ing\b", rest)
        )
    return bool(_OBJECT.match(rest))


_LIFE_ALONE = re.compile(
    r"^(?:grew up|moved (?:to|from|in|into|over|here)|married|retired|gave up|graduated|"
    r"qualified|emigrated|trained as|(?:switched|changed|converted) (?:to|from)|studied)\b"
)


def _past(saying: Saying) -> tuple[str, Kind]:
    saying = replace(
        saying,
        rest=re.sub(
            r",? (?:last (?:week|month|night)|yesterday|today|this (?:week|month|morning))\b", "", saying.rest
        ),
    )
    whole = f"{saying.verb} {saying.rest}"
    if saying.verb == "did" and saying.rest.startswith("not"):
        raise Unfit("denial: says what is not so")
    if not saying.rest or not (_LIFE_ALONE.match(whole) or frames.life_time(saying.rest)):
        raise Unfit("unsure: a single event")
    return _finish(saying, saying.verb, saying.rest), "fact"


def _future(saying: Saying) -> tuple[str, Kind]:
    if not frames.dated(saying.rest) or saying.rest.startswith("not"):
        raise Unfit("unsure: a plan without a date")
    return _finish(saying, "will", saying.rest), "fact"


def _may(saying: Saying) -> tuple[str, Kind]:
    '"I may not touch caffeine", "I must not have salt".'
    hit = re.match(
        r"not (?P<verb>eat|drink|touch|have|take|lift|drive|smoke|fly|use)\b(?P<rest> .+)?$", saying.rest
    )
    if not hit:
        raise Unfit("unsure: what may be")
    return _finish(saying, f"{saying.verb} not {hit['verb']}", hit["rest"] or ""), "fact"


def _born(saying: Saying) -> tuple[str, Kind]:
    return _finish(saying, "was born", saying.rest), "fact"


def _come(saying: Saying) -> tuple[str, Kind]:
    if frames.habitual(saying.whole):
        return _habit(saying)
    if re.match(r"(?:originally )?from [A-ZÀ-Þ]", saying.rest):
        return _finish(saying, _agree("come", saying), saying.rest), "fact"
    raise Unfit("unsure: may be a single event")


def _need(saying: Saying) -> tuple[str, Kind]:
    if (
        not frames.habitual(saying.whole)
        or re.match(r"to\b", saying.rest)
        or re.match(r"(?:to|a|an|the) \w+ (?:for|by)\b", saying.rest)
    ):
        raise Unfit("task: something wanted once")
    return _finish(saying, third_person(saying.verb), saying.rest), "preference"


_VERBS: dict[str, Callable[[Saying], tuple[str, Kind]]] = {
    "am": _be,
    "is": _be,
    "are": _be,
    "was": _was,
    "were": _was,
    "have": _have,
    "do": _do,
    "can": _can,
    "never": _never,
    "may": _may,
    "must": _may,
    "born": _born,
    "come": _come,
    "will": _future,
    "want": _need,
    "need": _need,
}
