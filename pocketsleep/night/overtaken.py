"""What the calendar has overtaken: a plan of a note is said in the past once its day is over, and with its year.

"The user is flying to Lisbon on 14 December." is true until then; afterwards "The user flew to Lisbon on 14 December 2026." is.
Only what speaks of one time, once: what happens every year, what is wished or supposed, and what is denied stays as it was said.
That a plan was carried out is taken for granted, as people do; who says otherwise ("I'm not flying to Lisbon after all") is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from pocketsleep.night.grammar.inflect import base_of_third, gerund, is_participle, is_past, known_past, known_third, past
from pocketsleep.night.grammar.words import VERBS
from pocketsleep.night.listen.calendar import DAYS, Time, time_in
from pocketsleep.night.listen.people import HEADS
from pocketsleep.night.listen.slots import stems
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
    r"\b(?:every|each|always|usually|often|never|not|no longer|if|would|might|could|wants?|wishes|hop(?:es|ing)|birthday|"
    r"anniversary|unless|whether|maybe|perhaps|probably|possibly|likely|supposed|daily|fortnightly|regularly|normally|sometimes|"
    r"favou?rite|(?:once|twice|times) a|(?:board|staff|standing|team) meeting|(?:company|office|staff|work) party|"
    r"name day|day is|annual(?:ly)?|yearly|monthly|weekly|season|term|semester|quarter|fiscal|tax year|feast|festival|fair|"
    r"celebrates|observes|Christmas is|New Year is|Easter|Halloween|Ramadan|Eid|Diwali|Hanukkah|Passover|Nowruz|carnival|fete|"
    r"(?:school|year|fever|pool|resort) (?:starts|begins|ends|opens|closes)|rent|tax(?:es)?|tax return|insurance|subscription|MOT|"
    rf"holiday|market|saint|shop|{'|'.join(f'{day}s' for day in DAYS)})\b|n['’]t\b|(?<!be )\bborn\b", re.IGNORECASE)
_LAST = "9000-01-01T00:00:00+00:00"  # any plan of people is over by then
_AGE = re.compile(
    r" (?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?) ")
_ELSEWHERE = re.compile(rf"\band (?:[a-z]+(?:ing|s)|an?|the|his|her|their|two|three)\b|"
                        rf"\b(?:who|whose|which|that|where|when|while|because)\b|\bwith (?:an? |the )?(?:[\w-]+ )?{_ONCE} $")
_AND_MORE = re.compile(r" and (?:an?|the|two|three|\d+|[a-z]+s)\b(?! (?:is|are|has|will)\b)")
_SEVERAL = re.compile(r"\band [^,]*$|\b(?:children|people|men|women|folks|[a-z-]+[^\W_suiA-Z]s)\s*$")
_SO = re.compile(  # said of a thing, as an adjective is
    r" (?:amazing|boiling|boring|charming|exciting|exhausting|fascinating|freezing|interesting|outstanding|"
    r"relaxing|stunning|tiring)\b")
_KEPT = re.compile(rf" (?:an?|the|two|three|four|his|her|their) (?:[\w-]+ ){{0,2}}?(?:{HEADS})\b|,|\b(?!during\b)[a-z]+ing\b|"
                   r"\b(?:and|but|or) [a-z]")
_STATES = frozenset("believe belong know like love hate mean own prefer remember seem think understand".split())
_SEASONAL = frozenset("arrives closes departs flies lands leaves opens returns sails takes".split())
_FEASTS = frozenset(f"on {day}" for day in (
    "24 December", "25 December", "26 December", "31 December", "1 January", "6 January", "7 January", "14 February", "1 May",
    "4 July", "31 October", "1 November", "5 November", "6 December", "13 December"))


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


def as_of(memories: Sequence[Memory], now: str) -> list[Memory]:
    "Each as it is to be said now, but for those that another of them replaces."
    gone = {memory.supersedes for memory in memories}
    return [memory if memory.id in gone else overtaken(memory, now) or memory for memory in memories]


def _day(at: str) -> date | None:
    "A day alone is that day everywhere."
    try:
        if len(at) <= len("2026-11-20"):
            return date.fromisoformat(at)
        return found.astimezone().date() if (found := moment(at)) else None
    except (ValueError, OverflowError, OSError):  # one that no calendar of this system has
        return None


def retold(plan: Memory, memory: Memory) -> bool:
    "Whether a memory is what became of this plan."
    past = overtaken(plan, _LAST)
    return past is not None and past.text == memory.text


_OFF = re.compile(r"^(?P<who>.*?)\b(?:am|is|are|was|were|do|does|did|will) not (?P<verb>[a-z]+)\b(?P<what>.*?)"
                  r",? (?:after all|in the end|any ?more)$", re.IGNORECASE)
_DOING = frozenset("come do get go happen have make take".split())


def called_off(denial: str, live: Iterable[Memory]) -> Memory | None:
    "Of these the plan, or what became of it, that a denial says has come to nothing, None where it names no one of them."
    if (hit := _OFF.search(denial)) is None:
        return None
    named, verb = stems(f"{hit['who']} {hit['what']}") - {"i", "we", "my", "our"}, _bases(hit["verb"])
    plans = [m for m in live if named and named <= stems(m.text) and (overtaken(m, _LAST) or _became(m))
             and not verb.isdisjoint(_DOING.union(*map(_bases, m.text.split())))]
    return plans[0] if len(plans) == 1 else None


def _bases(word: str) -> set[str]:
    return {word, known_third(word), known_past(word), *(_stems(word) if word.endswith("ing") else ())} - {""}


def _became(memory: Memory) -> bool:
    "Whether it replaced one that is said of a time that has passed."
    said = _day(memory.since)
    return bool(memory.supersedes and said and time_in(memory.text, said))


def _past(text: str, time: Time) -> str | None:
    "In the past, with the time as it stays true. None where the verb before it is of no plan, or another thing has that time."
    before, after = text[: time.start], text[time.end :]
    for pattern, say in _PLANS:
        if hit := pattern.search(before):
            if _ELSEWHERE.search(before, hit.end("verb")) or _AND_MORE.match(after):
                return None
            if (verb := say(hit, time)) is None:
                return None
            return f"{before[: hit.start('verb')]}{verb}{before[hit.end('verb') :]}{time.said}{after}"
    return None


def _was(be: str) -> str:
    return "were" if be == "are" else "was"


def _going(hit: re.Match[str], time: Time) -> str | None:
    "is going to start -> started; is going to university -> went to university"
    if hit["base"] not in VERBS and hit["base"] != "be":
        return f"went to {hit['base']}"
    return _of_be(hit["be"], hit["base"], hit, time)


def _progressive(hit: re.Match[str], time: Time) -> str | None:
    "is flying -> flew; where no verb is known, was flying. What is stunning in May is so again."
    if _SO.match(f" {hit['ing']}"):
        return None
    base = next(_stems(hit["ing"]), "")
    return _of_be(hit["be"], base) if base else f"{_was(hit['be'])} {hit['ing']}"


def _will(hit: re.Match[str], time: Time) -> str | None:
    "will be in hospital -> was; will be three -> turned three. What will have been is too much to say."
    base, after = hit["base"], re.match(r" (\w+)", hit.string[hit.end() :])
    if base not in {*VERBS, "be"} or (base == "have" and after and is_participle(after[1])):
        return None
    return _of_be("are" if _SEVERAL.search(hit.string[: hit.start("verb")]) else "is", base, hit, time)


def _state(hit: re.Match[str], time: Time) -> str | None:
    "What is due on Friday may be so every week."
    return None if time.weekly and re.search(r"\b(?:due|off)\b(?! to\b)", hit[0]) else _was(hit["be"])


def _had(hit: re.Match[str], time: Time) -> str | None:
    "has an exam -> had; who has passed it in March has done so"
    return None if is_participle(hit[0].split()[1]) else "had"


def _third(hit: re.Match[str], time: Time) -> str | None:
    "starts -> started; what starts on Mondays may be said to start on Monday"
    verb, *rest = hit["verb"].split(" ")
    if (time.weekly or (verb in _SEASONAL and _in_season(time))) and not re.search(_ONCE, hit.string):
        return None
    if not _once(verb, hit.string[hit.end("verb") :]) or (verb == "opens" and _feast(time)):
        return None
    return " ".join([past(base_of_third(verb)), *rest])


def _once(verb: str, what: str) -> bool:
    "Whether one does it once: turns 40 and moves to Leeds, but turns red, moves the plants indoors and starts sowing every year."
    if verb == "turns":
        return _AGE.match(what) is not None
    if verb == "moves":
        return re.match(r" (?:to|into|in|out|house|home|away|$)", what) is not None
    return verb not in ("starts", "begins", "finishes") or re.match(r" (?:to |[a-z]+ing\b)", what) is None


def _lasted(hit: re.Match[str], time: Time) -> str | None:
    """is on leave until May -> was; sits her exam on 3 May -> sat. What has no end and no day goes on, and so does what the time
    is not of: "has a son on leave until May"."""
    base, what = known_third(hit["verb"]), hit.string[hit.end("verb") :]
    if not base or base in _STATES or not (time.said.startswith("until") or _dated(time)) or _KEPT.search(what):
        return None
    if base == "be":
        return None if re.match(r" (?:an?|friends|married|engaged) ", what) or any(map(_is_past, what.split()[1:])) else "was"
    return None if _feast(time) or any(map(_is_past, what.split())) or what.startswith(" been") else past(base)


def _is_past(word: str) -> bool:
    return word in ("was", "were") or is_past(word)


def _held(hit: re.Match[str], time: Time) -> str | None:
    "is on 22 January -> was; what is on Friday, or in June, is so again unless it is of those that are once"
    return _was(hit["be"]) if _dated(time) and ("user" in hit.string or not time.yearly) else None


def _dated(time: Time) -> bool:
    return not time.weekly and re.match(r"on (?:the [a-z]+ of )?\d", time.said) is not None


def _in_season(time: Time) -> bool:
    "In May, or at Christmas, without a year."
    return time.yearly and not re.search(r"\d (?:[A-Z][a-z]+) ", time.said)


def _feast(time: Time) -> bool:
    return time.yearly and time.said.rpartition(" ")[0] in _FEASTS


def _of_be(be: str, base: str, hit: re.Match[str] | None = None, time: Time | None = None) -> str:
    "will be three on 3 May -> turned; will be a father -> became"
    if base != "be":
        return past(base)
    what = hit.string[hit.end() :] if hit else ""
    if time and time.said.startswith("on") and _AGE.fullmatch(what):
        return "turned"
    return "became" if re.match(r" an? (?:great-)?(?:aunt|dad|father|grand\w+|mother|mum|mom|parent|uncle)\b", what) else _was(be)


def _stems(ing: str) -> Iterator[str]:
    "Verbs of which a word is the -ing form."
    stem = ing[:-3]
    return (v for v in (stem, stem + "e", stem[:-1], stem[:-1] + "ie", *(["be"] if ing == "being" else []))
            if v and (v in VERBS or v == "be") and gerund(v) == ing)


_PLANS = (
    (re.compile(r"\b(?P<verb>(?P<be>is|are) (?:now )?going to (?P<base>[a-z]+))\b"), _going),
    (re.compile(r"\b(?P<verb>will (?:also |only |then )?(?P<base>[a-z]+))\b"), _will),
    (re.compile(r"\b(?P<verb>(?P<be>is|are)) (?:away|back|booked|due|off|planned|scheduled|set (?:for|off|out|to))\b(?: to\b)?"),
     _state),
    (re.compile(r"\b(?P<verb>(?P<be>is|are) (?:also |currently |now |only |still )?(?P<ing>[a-z]+ing))\b(?! to\b.*\bto\b)"),
     _progressive),
    (re.compile(rf"\b{_ONCE}s?(?: (?:at|for|in|of|to|with|[A-Z])[^,]*)? (?P<verb>(?P<be>is|are)) $"), _state),
    (re.compile(rf"\b(?P<verb>has|have) (?:an? |the |two |three )?(?:[\w-]+ ){{0,2}}{_ONCE}s?\b"), _had),
    (re.compile(rf"\b(?P<verb>{_STARTS})\b"), _third),
    (re.compile(r" (?P<verb>(?P<be>is|are)) $"), _held),
    (re.compile(r"^The user (?P<verb>[a-z]+)\b"), _lasted),
)
