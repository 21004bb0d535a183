"""What the calendar has overtaken: a plan of a note is said in the past once its day is over, and with its year.

"The user is flying to Lisbon on 14 December." is true until then; afterwards "The user flew to Lisbon on 14 December 2026." is.
Only what speaks of one time, once: what happens every year, what is wished or supposed, and what is denied stays as it was said.
That a plan was carried out is taken for granted, as people do; who says otherwise is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from pocketsleep.night.grammar.inflect import base_of_third, gerund, known_third, past
from pocketsleep.night.grammar.words import VERBS
from pocketsleep.night.listen.calendar import DAYS, Time, time_in
from pocketsleep.night.listen.tell import told
from pocketsleep.night.listen.when import moment
from pocketsleep.nouns import Memory

# Things that are once: they have a day, and it does not come again.
_ONCE = (r"(?:appointment|audition|ceremony|concert|deadline|debut|defen[cs]e|delivery|due date|exam|examination|flight|funeral|"
         r"graduation|hearing|housewarming|inspection|interview|marathon|match|meeting|move|op|open day|operation|party|"
         r"performance|race|recital|reunion|scan|surgery|test|tournament|train|trial|trip|viva|wedding)")
_STARTS = (r"(?:arrives|begins|closes|departs|ends|expires|finishes|flies|graduates|lands|leaves|moves|opens|retires|returns|"
           r"runs out|sails|starts|takes place|turns)")
_AGAIN = re.compile(
    r"\b(?:every|each|always|usually|often|never|not|no longer|if|would|might|could|wants?|wishes|hopes|birthday|anniversary|"
    r"name day|day is|annual(?:ly)?|yearly|monthly|weekly|season|term|semester|quarter|fiscal|tax year|feast|festival|fair|"
    rf"holiday|market|saint|shop|{'|'.join(f'{day}s' for day in DAYS)})\b|n['’]t\b", re.IGNORECASE)
_LAST = "9000-01-01T00:00:00+00:00"  # any plan of people is over by then
_AGE = re.compile(r" (?:\d{1,3}|[a-z]+(?:-[a-z]+)?) ")
_ELSEWHERE = re.compile(rf"\band [a-z]+(?:ing|s)\b|\bwith (?:an? |the )?(?:[\w-]+ )?{_ONCE} $")


def overtaken(memory: Memory, now: str) -> Memory | None:
    """The same, as it is to be said from now (ISO 8601) on; None where it stands as it is. It cites what the old one cites, and
    replaces it. Days are those of this machine's place."""
    said, today = _day(memory.since), _day(now)
    if said is None or today is None or memory.kind not in ("fact", "relation") or _AGAIN.search(memory.text):
        return None
    time = time_in(memory.text, said)
    if time is None or time.last >= today or (text := _past(memory.text, time)) is None:
        return None
    return replace(memory, text=text, answer=_answer(memory, text, time), supersedes=memory.id)


def _answer(memory: Memory, text: str, time: Time) -> str:
    "The core, where it stands there still; the time, where that was it."
    if memory.answer and memory.answer in text:
        return memory.answer
    when = memory.text[time.start : time.end]
    return time.said.partition(" ")[2] if memory.answer and memory.answer in when else told(text, None, ()).answer


def as_of(memory: Memory, now: str) -> Memory:
    "As it is to be said now."
    return overtaken(memory, now) or memory


def _day(at: str) -> date | None:
    try:
        return found.astimezone().date() if (found := moment(at)) else None
    except (ValueError, OverflowError, OSError):  # one that no calendar of this system has
        return None


def retold(plan: Memory, memory: Memory) -> bool:
    "Whether a memory is what became of this plan."
    past = overtaken(plan, _LAST)
    return past is not None and past.text == memory.text


def _past(text: str, time: Time) -> str | None:
    "In the past, with the time as it stays true. None where the verb before it is of no plan, or another thing has that time."
    before, after = text[: time.start], text[time.end :]
    for pattern, say in _PLANS:
        if hit := pattern.search(before):
            if _ELSEWHERE.search(before, hit.end("verb")):
                return None
            if (verb := say(hit, time)) is None:
                return None
            return f"{before[: hit.start('verb')]}{verb}{before[hit.end('verb') :]}{time.said}{after}"
    return None


def _was(be: str) -> str:
    return "were" if be == "are" else "was"


def _going(hit: re.Match[str], time: Time) -> str | None:
    "is going to start -> started"
    return _of_be(hit["be"], hit["base"])


def _progressive(hit: re.Match[str], time: Time) -> str | None:
    "is flying -> flew; where no verb is known, was flying"
    base = next(_stems(hit["ing"]), "")
    return _of_be(hit["be"], base) if base else f"{_was(hit['be'])} {hit['ing']}"


def _will(hit: re.Match[str], time: Time) -> str | None:
    "will be in hospital -> was; will be three -> turned three"
    if hit["base"] == "be" and time.said.startswith("on") and _AGE.fullmatch(hit.string[hit.end() :]):
        return "turned"
    plural = re.search(r"\b(?:and|\w+[^s]s)\s*$", hit.string[: hit.start("verb")]) is not None
    return _of_be("are" if plural else "is", hit["base"])


def _state(hit: re.Match[str], time: Time) -> str | None:
    return _was(hit["be"])


def _had(hit: re.Match[str], time: Time) -> str | None:
    return "had"


def _third(hit: re.Match[str], time: Time) -> str | None:
    "starts -> started; what starts on Mondays may be said to start on Monday"
    if time.weekly and not re.search(_ONCE, hit.string):
        return None
    verb, *rest = hit["verb"].split(" ")
    return " ".join([past(base_of_third(verb)), *rest])


def _lasted(hit: re.Match[str], time: Time) -> str | None:
    "is on leave until May -> was; sits her exam on 3 May -> sat. What has no end and no day goes on."
    base = known_third(hit["verb"])
    return _of_be("is", base) if base and (time.said.startswith("until") or _dated(time)) else None


def _held(hit: re.Match[str], time: Time) -> str | None:
    "is on 22 January -> was; what is on Friday, or in June, is so again unless it is of those that are once"
    return _was(hit["be"]) if _dated(time) else None


def _dated(time: Time) -> bool:
    return not time.weekly and time.said[:4].strip("on ").isdigit()


def _of_be(be: str, base: str) -> str:
    return _was(be) if base == "be" else past(base)


def _stems(ing: str) -> Iterator[str]:
    "Verbs of which a word is the -ing form."
    stem = ing[:-3]
    return (v for v in (stem, stem + "e", stem[:-1], stem[:-1] + "ie", *(["be"] if ing == "being" else []))
            if v and (v in VERBS or v == "be") and gerund(v) == ing)


_PLANS = (
    (re.compile(r"\b(?P<verb>(?P<be>is|are) (?:now )?going to (?P<base>[a-z]+))\b"), _going),
    (re.compile(r"\b(?P<verb>will (?P<base>[a-z]+))\b"), _will),
    (re.compile(r"\b(?P<verb>(?P<be>is|are)) (?:away|back|booked|due|off|planned|scheduled|set)\b"), _state),
    (re.compile(r"\b(?P<verb>(?P<be>is|are) (?P<ing>[a-z]+ing))\b(?! to\b.*\bto\b)"), _progressive),
    (re.compile(rf"\b{_ONCE}s?(?: (?:at|for|in|of|to|with|[A-Z])[^,]*)? (?P<verb>(?P<be>is|are)) $"), _state),
    (re.compile(rf"\b(?P<verb>has|have) (?:an? |the |two |three )?(?:[\w-]+ ){{0,2}}{_ONCE}s?\b"), _had),
    (re.compile(rf"\b(?P<verb>{_STARTS})\b"), _third),
    (re.compile(r" (?P<verb>(?P<be>is|are)) $"), _held),
    (re.compile(r"^The user (?P<verb>[a-z]+)\b"), _lasted),
)
