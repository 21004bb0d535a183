"""What somebody or something is or has, and whether it lasts."""

from __future__ import annotations

import re

from pocketsleep.night.listen import frames, words
from pocketsleep.night.listen.people import proper
from pocketsleep.night.listen.reading import Saying, Unfit
from pocketsleep.night.listen.voice import about_user, trim
from pocketsleep.nouns import Kind

Predicate = tuple[str, Kind]

_TRANSIENT = re.compile(
    r"^(?:very |so |too |really |quite |a bit |not |still |all |just )*(?:tired|sick|ill|"
    r"sad|happy|angry|late|early|"
    r"busy|hungry|ready|done|lost|stuck|sorry|sure|afraid|aware|able|fine|ok|okay|good|bad|"
    r"great|off|on|back|home|"
    r"out|in bits|cold|hot|wet|broken|dead|down|gone|open|new|old|confused|worried|nervous|"
    r"excited|bored|drunk|"
    r"alone|here|there|away|right|wrong|curious|glad|proud|up|over|going|about|due|near|"
    r"next|last|better|worse|"
    r"full|empty|short|long|slow|fast|free|[a-z]+ing)\b"
)
_DEGREE = re.compile(
    r"^(?:(?:properly|very|severely|badly|quite|also|a bit|totally|completely|red-green|"
    r"stone|partially|legally|"
    r"chronically|half|type [12]|profoundly) )+"
)
_DISLIKE = re.compile(r"not (?:a (?:big |huge |great )?fan of|fond of|keen on) \w+")


def be(saying: Saying) -> Predicate:
    '"I am allergic to ...", "my wife is a nurse", "our stall is open on Saturdays".'
    rest = saying.rest
    if rest.lower().startswith("not ") and not _DISLIKE.match(rest):
        raise Unfit("denial: says what is not so")
    first = _DEGREE.sub("", rest.lower()).split()
    if (first and first[0].strip(".,!()") in words.STABLE) or identity(rest) or _lasts(saying):
        verb = "are" if saying.several else "is"
        if set(saying.subject.lower().split()) & _ROUTINES:  # a routine keeps all its steps
            return f"{verb} {about_user(rest.strip(' ,.;'))}", "procedure"
        return saying.predicate(verb), "fact"
    passing = "may be a passing state" if _TRANSIENT.match(rest) else "no rule keeps this state"
    raise Unfit(f"unsure: {passing}")


_PHRASE_END = re.compile(r"\b(?:in|at|on|for|of|from|with|and|who|near|by|to|since|not)\b|[,(]")
_TRADE = re.compile(
    r"\w{3,}(?:ologist|ician|ographer|keeper|maker|smith|wright|monger|herd|woman|iatrist|"
    r"onist|rist|tist|nist|"
    r"worker|officer)"
)
_AGENT = re.compile(r"\w{4,}(?:er|or|ist|ian|ant|eer|ess|man|woman)")
_NO_AGENT = words.EVALUATIONS | words.bag("further another later either better human")


def identity(rest: str) -> bool:
    '"a midwife", "nurse in Rosario", "chief arbiter of the Omuramba Open".'
    phrase = _PHRASE_END.split(rest.lower())[0].split()
    if not 0 < len(phrase) <= 5 or phrase[0] in ("my", "our", "not"):
        return False
    noun = phrase[-1]
    if noun in words.IDENTITIES or noun.rstrip("s") in words.IDENTITIES or _TRADE.fullmatch(noun):
        return True
    return phrase[0] in ("a", "an") and bool(_AGENT.fullmatch(noun)) and noun not in _NO_AGENT


_NUMBER = (
    r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?)"
)
_STATE = re.compile(
    r"^(?:from|based (?:in|at|near)|born|originally from|married to|engaged to|divorced|"
    r"the (?:eldest|youngest|oldest|middle|head|chair|secretary|treasurer|captain)\b|"
    r"(?:left|right)[ -]handed\b|"
    r"fond of|scared of|afraid of|terrified of|\d{1,3}$|(?:twen|thir|for|fif|six|seven|eigh|"
    r"nine)ty(?:-\w+)?$|"
    rf"(?:nearly |almost )?{_NUMBER} years old|(?:on|playing) (?:the "
    rf")?(?:{'|'.join(sorted(words.INSTRUMENTS))})\b|"
    r"on (?:earlies|lates|nights|call|benefits|parental leave|maternity leave|insulin|blood "
    r"thinners|warfarin|"
    r"statins|lithium|methotrexate)\b|on (?-i:[A-Z]\w+) ?[\d.]*$|a member of|called |known as |"
    r"doing (?:a|an|my) (?:phd|masters?|degree|course|apprenticeship|diploma|a-levels)\b|"
    r"in (?:grade|year|the \w+ year|class) |in (?:my|the) (?:first|second|third|fourth|final) year)",
    re.IGNORECASE,
)
_EVERY = re.compile(
    (
        r"\bon (?:mon|tues|wednes|thurs|fri|satur|sun)days\b|\bevery (?:year|month|week|day|winter|"
        r"summer|spring|autumn|morning|evening|\w+day)\b"
    ),
    re.IGNORECASE,
)
_AGE = re.compile(rf"(?:nearly |almost )?{_NUMBER}(?: years? old)?")
_TRAVEL = re.compile(r"(?:off|going|flying|travelling|traveling|leaving|moving|heading|getting) \w+")
_ONGOING = words.bag("learning studying designing writing building restoring training planning renovating")
_ONE_NAME = re.compile(r"[A-ZÀ-Þ][\w'À-ÿ-]+(?: [A-ZÀ-Þ][\w'À-ÿ-]+)?")
_SINCE = re.compile(r"\b(?:since|now|these days|for good)\b", re.IGNORECASE)
_PERSON_STATE = re.compile(r"(?:at|in|on) (?:the )?[A-Z]|an? (?:[\w-]+ ){0,3}[\w-]+$|dead$|vegan|vegetarian")


def _lasts(saying: Saying) -> bool:
    rest, core = saying.rest, trim(saying.rest)
    if _STATE.match(rest) or _EVERY.search(rest) or _DISLIKE.match(rest):
        return True
    if re.match(r"(?:in|at) [A-ZÀ-Þ]", rest) and _SINCE.search(saying.whole):
        return True
    if _TRAVEL.match(rest) and frames.dated(rest):
        return True
    first = rest.lower().split()[0] if rest else ""
    if first in words.ING_LASTING:
        return frames.dated(rest) or (first in _ONGOING and len(core.split()) > 1)
    if saying.self:
        return bool(_ONE_NAME.fullmatch(core)) and proper(core)
    if saying.person:
        named = bool(_ONE_NAME.fullmatch(rest)) and " called " not in saying.whole
        state = bool(_PERSON_STATE.match(rest)) and not _TRANSIENT.match(rest)
        return bool(_AGE.fullmatch(core)) or state or (named and proper(rest))
    return _thing_lasts(saying.subject, rest)


_ROUTINES = words.bag("routine ritual rule method workflow procedure")
_CHOSEN = re.compile(r"\b(?:favourite|favorite|maiden|middle|first|mother|native|usual|standard)\b")
_MADE = re.compile(r"(?:an?|called|made of) [\w'’.-]+(?: [\w'’.-]+){0,5}$")
_PLACED = re.compile(
    r"(?:called|named|at|in|on|above|behind|near|next to|opposite|under|off|by|from|open|"
    r"closed|made of|an?)\b"
)
_LOCATED = re.compile(
    r"(?:in|at|on) (?:the |a )?(?!fire|bits|sale|hold|strike|trouble|order|time|use|way|"
    r"line|table|moment|mess|"
    r"danger|pieces|tears|shape|my|your)\w+"
)
_OPENING = re.compile(r"(?:open|closed|on|near|next)\b.*(?:\d|[A-Z]|days?\b)")


def _thing_lasts(subject: str, rest: str) -> bool:
    '"my birthday is 4 May", "our stall is open on Saturdays", "my favourite colour is green".'
    noun = subject.split()[-1].lower()
    if set(subject.lower().split()) & _ROUTINES:
        return len(rest.split()) >= 2
    if noun in words.VALUES:
        return True
    if _CHOSEN.search(subject):
        return not _TRANSIENT.match(rest)
    praised = set(rest.lower().split()) & words.EVALUATIONS
    if noun not in words.TRANSIENT_NOUNS and _MADE.match(trim(rest)) and not praised:
        return True
    if noun not in words.THINGS or not _PLACED.match(rest):
        return False
    return not _TRANSIENT.match(rest) or bool(_LOCATED.match(rest) or _OPENING.match(rest))


_BEGINNING = re.compile(
    r"(?:born|raised|brought up|christened|adopted|diagnosed|widowed|divorced|named after)\b"
)


def was(saying: Saying) -> Predicate:
    '"I was born in ...", "I was 31 years driving ...".'
    spent = identity(saying.rest) or re.match(r"\w+ years\b", saying.rest)
    if _BEGINNING.match(saying.rest) or (frames.life_time(saying.rest) and spent):
        return saying.predicate("was"), "fact"
    raise Unfit("unsure: a past state without its time")


def born(saying: Saying) -> Predicate:
    return saying.predicate("was born"), "fact"


_PERFECT = re.compile(
    r"(?:been|lived|worked|had|played|kept|taught|driven|known|owned|collected|run|done|"
    r"sung|grown|used|studied|"
    r"never) "
)
_TRYING = re.compile(r"\b(?:trying|waiting|looking|asking|meaning|wondering|at it)\b")
_CHANGED = re.compile(
    r"(?:(?:just|now|recently|since) )?(?P<what>(?:moved|switched|changed|given up|retired|"
    r"quit|converted|gone over) "
    r"(?:.*\b)?(?:to|into|from|up)\b.*|(?:given up|taken up|joined|become|started "
    r"(?:learning|teaching|working|training|playing|studying|growing|keeping|selling)) .+)"
)


def have(saying: Saying) -> Predicate:
    '"I have coeliac disease", "we have three hives", "I have been a widower since 2011".'
    rest = re.sub(r"^(?:also|both|got|only|just|still) ", "", saying.rest)
    low = rest.lower()
    if _PERFECT.match(low):
        if frames.life_time(low) and not _TRYING.search(low):
            return saying.predicate(saying.agree("have"), rest), "fact"
        raise Unfit("unsure: a past state without its time")
    if changed := _CHANGED.match(rest):
        return saying.predicate(saying.agree("have"), changed["what"]), "fact"
    if low.startswith("to "):
        raise Unfit("task: something to do")
    return saying.predicate(saying.agree("have"), rest), _possession(saying, rest)


_NOUN_END = re.compile(
    r"\b(?:that|which|who|to|because|so|from|since|of|in|with|for|at|on|between|now|booked|"
    r"called|named)\b|[,(]"
)
_COUNT = re.compile(r"(?:an?|no|only|one|two|three|four|five|six|seven|eight|nine|ten|\d+)\b")
_AT_PLACE = re.compile(r"\b(?:in|at|near|on) (?:the )?[A-ZÀ-Þ]\w+")
_BEINGS = words.KIN | words.PETS


def _possession(saying: Saying, rest: str) -> Kind:
    "The kind of what is had, if having it lasts: people, animals, conditions, dated or placed things."
    low = rest.lower()
    phrase = _NOUN_END.split(low)[0].split()
    if not phrase:
        raise Unfit("unsure: no rule keeps having this")
    noun = phrase[-1]
    if noun in _BEINGS or noun.rstrip("s") in _BEINGS:
        if re.fullmatch(r"\d{2,}|hundreds?|dozens?", phrase[0]):
            raise Unfit("unsure: too many to be the user's own")
        return "relation"
    if noun in words.CONDITIONS:
        return "fact"
    fleeting = set(phrase) & words.TRANSIENT_NOUNS
    dated = frames.dated(rest) and phrase[0] in ("a", "an", "my", "our", "the")
    placed = _AT_PLACE.search(rest) and phrase[0] in ("a", "an", "two", "three") and not fleeting
    if dated or placed:
        return "fact"
    of_thing = not saying.self and saying.subject.split()[-1].lower() in words.THINGS
    owned = noun in words.THINGS or noun.rstrip("s") in words.THINGS
    if not fleeting and ((of_thing and _COUNT.match(low)) or (owned and phrase[0] not in _VAGUE)):
        return "fact"
    raise Unfit("unsure: no rule keeps having this")


_VAGUE = words.bag("the my our your some any this that")
