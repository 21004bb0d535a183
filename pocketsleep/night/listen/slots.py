"""What a memory is about, as a key: of two memories with the same key the later may have replaced the earlier (replaces.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pocketsleep.night.listen import words
from pocketsleep.night.listen.people import PLURAL, Candidate
from pocketsleep.night.listen.voice import base_form
from pocketsleep.nouns import Memory

_MONTH = rf"(?:{'|'.join(sorted(words.MONTHS - {'may', 'mar'}, key=len, reverse=True))}|May)"
_DAY = rf"(?:{'|'.join(sorted(words.DAYS, key=len, reverse=True))})"
VALUE = re.compile(
    rf"(?P<date>\b(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}|{_MONTH} \d{{1,2}}|(?:19|"
    rf"20)\d\d|{_MONTH})\b(?: \d{{4}})?)"
    r"|(?P<time>\b\d{1,2}[:.]\d\d ?(?:am|pm)?\b|\b\d{1,2} ?(?:am|pm|o'clock)\b|\bnoon\b|"
    r"\bmidnight\b|\bhalf (?:past )?\w+\b|(?<=before )\d{1,2}\b|(?<=after )\d{1,2}\b|(?<=at "
    r")\d{1,2}\b)"
    rf"|(?P<day>\b{_DAY}\b(?:(?:, | and | to | or |-){_DAY}\b)*(?: (?:mornings?|afternoons?|"
    r"evenings?|nights?))?)"
    r"|(?P<number>[£$€]?\b\d[\d.,]*\b)",
    re.IGNORECASE,
)
_BE = words.bag("is are was will")
_GO = words.bag(
    "goes go falls fall takes take starts start opens open closes close runs run stands stand sits sit "
    "moves move lies stays"
)
_RULES: list[tuple[re.Pattern[str], str]] = [
    (
        re.compile(
            r"^The user(?:'s (?:family|wife|husband) and the user)? (?:lives?|moved|stays?|"
            r"is (?:based|living)|has moved) (?:up |down |out |now )?(?:in|to|at|on|near|"
            r"into|above|outside)\b"
        ),
        "user|home",
    ),
    (re.compile(r"^The user's (?:home|house|flat|address) is (?:in|at|on)\b"), "user|home"),
    (
        re.compile(r"^The user(?:'s (?:job|employer|work) is| works| is employed) (?:at|for|in)\b"),
        "user|employer",
    ),
    (re.compile(r"^The user works as\b"), "user|occupation"),
    (re.compile(r"^The user was born (?:in|at)\b(?! (?:19|20)\d\d)"), "user|birthplace"),
    (re.compile(r"^The user(?:'s birthday is| was born (?:on|in (?:19|20)))"), "user|birthday"),
    (re.compile(r"^The user(?:'s name)? is called\b|^The user's (?:first )?name is\b"), "user|name"),
    (re.compile(r"^The user is \d{1,3}(?: years old)?\.$"), "user|age"),
    (re.compile(r"^The user weighs\b"), "user|weight"),
    (re.compile(r"^The user wants to be called\b"), "user|form of address"),
]

SINGLE = frozenset(key for _, key in _RULES)  # of these a person has one at a time


def slot(memory: Memory) -> str:
    """The key of what a memory is about: "user|home", "user's vet|name", "user|trains at #|time".
    A memory of which there may be many (a friend, an allergy) has its own text as key."""
    text = memory.text
    for pattern, key in _RULES:
        if pattern.match(text):
            return key
    return _name_slot(text) or _value_slot(text) or "only|" + " ".join(text.lower().rstrip(".").split())


def _name_slot(text: str) -> str:
    '"The user\'s vet is called X", "The user\'s coach is X": one at a time, unless there may be many.'
    hit = re.match(
        r"The (?P<who>user's (?:[\w'-]+ ){0,5}?[\w'-]+) (?:is|are)(?: now)? (?:called |"
        r"named )?(?P<name>(?:[A-ZÀ-Þ][\w'À-ÿ.-]*)(?: [\w'À-ÿ.-]+){0,4})\.$",
        text,
    )
    if not hit:
        return ""
    noun = hit["who"].split()[-1].lower()
    many = noun in (words.KIN | words.ROLES | words.PETS) - words.SINGLE or PLURAL.search(noun)
    return f"only|{text.lower()}" if many else f"{hit['who'].lower()}|name"


def _value_slot(text: str) -> str:
    'The sentence with its value left out: "the user\'s roof|is", "the user trains at|time".'
    subject, verb, rest = parts(text)
    if not subject:
        return ""
    value = VALUE.search(rest)
    if verb == "has" and re.match(r"(?:been )?moved to\b", rest) and subject.lower() != "the user":
        return f"{subject.lower()[4:]}|{value.lastgroup if value else 'place'}"
    if (
        subject.lower() != "the user"
        and verb in _BE | _GO
        and not re.search(rf"\b(?:{'|'.join(words.KIN)})\b", subject.lower())
    ):
        preposition = re.match(r"(?:in|at|on|to|near|behind|above|from)\b", rest)
        kind = value.lastgroup if value else "place" if preposition else "value"
        return f"{subject.lower()[4:]}|{kind}"
    if not value:
        return ""
    rest = re.sub(r"\b(?:rung|phoned|telephoned)\b", "called", rest)
    frame = " ".join(f"{verb} {VALUE.sub('#', rest)}".lower().strip(" .").split())
    return f"{subject.lower()[4:]}|{frame}|{value.lastgroup}"


_PARTS = re.compile(
    r"^(?P<subject>The user(?:'s (?:(?!(?:is|are|was|will|has|goes|opens|closes|starts|"
    r"takes|runs)\b)[\w'À-ÿ-]+ ?){1,6}?)?) ?"
    r"\b(?P<verb>is|are|was|will|has|does|can|cannot|goes|go|opens?|closes?|starts?|takes?|"
    r"runs?|stands?|sits?|[a-z]+s)\b (?P<rest>.*)\.$"
)


def parts(text: str) -> tuple[str, str, str]:
    hit = _PARTS.match(text)
    return (hit["subject"].strip(), hit["verb"], hit["rest"]) if hit else ("", "", "")


_FRAME = words.bag(
    "the user user's users is are was has have will does do not a an of to in at on for and with now "
    "since called wants from by it as"
)


def stems(text: str) -> frozenset[str]:
    "Base forms of the words that carry meaning."
    return frozenset(base_form(w) for w in re.findall(r"[\w'À-ÿ-]+", text.lower()) if w not in _FRAME) - {""}


_NEWS = re.compile(
    r"^(?:and |but |so |ok |oh |well |also )*(?:the |our |my )?(?P<head>[\w'À-ÿ-]+(?: "
    r"[\w'À-ÿ-]+){0,3}?) (?:now )?"
    r"(?P<verb>is|are|will be|goes|go|has been moved|moved|moves|opens|closes|starts|takes "
    r"place|runs|has moved|changed|sits|stands) (?P<rest>.+)$",
    re.IGNORECASE,
)
_MOVED = re.compile(
    r"^(?:and |but |so |ok |oh |well |also |since \w+ )*we (?:have )?(?P<verb>moved|shifted|"
    r"switched|changed) (?P<head>(?:the|our|my) [\w' -]{2,30}?) (?P<rest>to [^,.;]+)",
    re.IGNORECASE,
)


def news(clause: str, message: str, live: Sequence[Memory]) -> Candidate | None:
    '"the roof will be zinc after all": a new value for a thing that a live memory names.'
    hit = _MOVED.match(clause) or _NEWS.match(clause)
    if not hit:
        return _other_value(clause, live)
    head = re.sub(r"^(?:the|our|my) ", "", hit["head"].lower()).strip()
    for memory, subject in _about_it(message, live) if head in ("it", "that") else _about(head, live):
        verb = hit["verb"].lower()
        rest = re.sub(
            r",? (?:after all|now.*|instead.*|not .*|any ?more|though|then|rather than.*|"
            r"because.*|since.*|so .*|please.*)$",
            "",
            hit["rest"],
            flags=re.IGNORECASE,
        )
        rest = re.split(r"[,;.!?]", rest)[0].strip()
        moved = "has moved" if verb in ("moved", "shifted", "has been moved", "changed", "switched") else verb
        if head in ("it", "that") and not (
            VALUE.search(rest) or verb in ("sits", "stands", "has moved", "moved")
        ):
            return None
        if len(rest.split()) > 10 or re.search(r"\b(?:you|it|this|that|me|not)\b", rest):
            return None
        return Candidate(
            f"{subject} {moved} {rest}.", memory.kind, re.sub(r"^(?:to|in|at|on|the|a|an) ", "", rest), True
        )
    return None


_ONLY_VALUE = re.compile(
    r"^(?:(?:no|ok|so|but|and|actually|sorry|make (?:it|that))[, ]+)*(?P<not>not "
    r")?(?P<prep>before|after|until|till|at|by|from|on) (?P<value>[^,.;]{1,24}?)"
    r"(?: (?:now|instead|after all|please|from now on|any ?more|then|not .*))*$",
    re.IGNORECASE,
)


def _other_value(clause: str, live: Sequence[Memory]) -> Candidate | None:
    '"not before 1pm now": another value for the one live memory that has such a value.'
    hit = _ONLY_VALUE.match(clause)
    value = (
        VALUE.fullmatch(hit["value"])
        or VALUE.fullmatch(f"{hit['prep']} {hit['value']}", len(hit["prep"]) + 1)
        if hit
        else None
    )
    if not hit or not value:
        return None
    fitting = []
    for memory in live:
        for old in VALUE.finditer(memory.text):
            if (
                memory.status == "active"
                and memory.text[: old.start()].lower().endswith(hit["prep"].lower() + " ")
                and old.lastgroup == value.lastgroup
            ):
                fitting.append((memory, old))
    if len(fitting) != 1:
        return None
    memory, old = fitting[0]
    text = memory.text[: old.start()] + hit["value"] + memory.text[old.end() :]
    return Candidate(text, memory.kind, hit["value"], True)


def _about(head: str, live: Sequence[Memory]) -> list[tuple[Memory, str]]:
    "Live memories about a thing that is named, the newest first."
    named = [(m, parts(m.text)[0]) for m in live if m.status == "active"]
    return [
        (m, s) for m, s in reversed(named) if s and s.lower() != "the user" and _same_head(s.lower(), head)
    ]


def _about_it(message: str, live: Sequence[Memory]) -> list[tuple[Memory, str]]:
    "The one live memory whose thing is named somewhere in the message."
    said = stems(message)
    named = [(m, parts(m.text)[0]) for m in live if m.status == "active"]
    fitting = [(m, s) for m, s in named if s and s.lower() != "the user" and stems(s) & said]
    return fitting if len(fitting) == 1 else []


def _same_head(subject: str, head: str) -> bool:
    last = head.split()[-1]
    return len(last) > 2 and last not in _FRAME and last in subject.split()
