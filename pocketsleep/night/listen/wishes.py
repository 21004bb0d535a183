"""Lasting wishes without an occasion: always, never, no more, call me."""

from __future__ import annotations

import re

from pocketsleep.night.listen import words
from pocketsleep.night.listen.orders import (
    FINITE,
    LASTING,
    ORDERS,
    addressed,
    cut,
    say,
    span_of,
)
from pocketsleep.night.listen.people import Candidate
from pocketsleep.night.listen.voice import core

_PREFERS_YOU = re.compile(
    r"I (?P<how>would rather|would prefer it if|prefer that|prefer it when|like it when) you "
    r"(?P<order>(?:did not |do not |don't |never )?[a-z]+ .+)$"
)


def prefers(body: str) -> Candidate | None:
    "\"I'd rather you used grams\": a preference about the assistant's ways."
    hit = _PREFERS_YOU.match(body)
    if not hit or re.search(r"\b(?:it|this|that|them|now|today)\b", hit["order"]):
        return None
    how = re.sub(r"^(?:prefer|like)", r"\g<0>s", hit["how"])
    order = addressed(cut(hit["order"]))
    return Candidate(say(f"The user {how} the assistant {order}"), "preference", span_of(hit["order"]))


def called(body: str) -> Candidate | None:
    '"call me Meg", "I want to be called Meg".'
    hit = re.match(
        r"(?:(?:I )?(?:(?:want|prefer|would like|like) to be (?:called|addressed as)|go by)|"
        r"(?:call|address) me(?: as)?) (?P<name>\"[^\"]+\"|[A-ZÀ-Þ][\w'À-ÿ-]+\.?(?: "
        r"[A-ZÀ-Þ][\w'À-ÿ-]+){0,2})",
        body,
    )
    if not hit:
        return None
    name = hit["name"].strip('"')
    return Candidate(f"The user wants to be called {name}.", "preference", name)


def stop(body: str, text: str) -> Candidate | None:
    '"stop giving me watts", "no emoji for me again", "no more bullet points".'
    hit = re.search(
        r"\b(?:please )?(?:do )?stop (?:with|using|giving me|sending me|showing me|adding|"
        r"telling me|writing|putting|quoting|saying|asking me)(?: the| these| those)? "
        r"(?P<what>[^.;!?:]{3,80})",
        text,
        re.IGNORECASE,
    )
    hit = hit or re.match(
        r"no more (?P<what>[^.;!?:,]{3,50}?)(?:,? (?:please|pls|for me))*$", body, re.IGNORECASE
    )
    if not hit and body.lower().startswith("no "):
        hit = re.match(
            r"no (?:more )?(?P<what>[^.;!?:,]{3,50}?)(?:,? (?:for me|please|pls|to me))*,? "
            r"(?:ever|again|from now(?: on)?|any ?more|in (?:your|any) \w+|in future|"
            r"always)(?:,? (?:for me|please|pls|to me|again))*$",
            body,
            re.IGNORECASE,
        )
    if not hit:
        return None
    what = addressed(cut(re.split(r", | and (?:just|give|use|write)", hit["what"])[0]))
    if re.search(r"\b(?:it|that|this|them|him|her)\b", what) or not what:
        return None
    how = "does not want" if re.match(r"(?:\d|a|an|one|two|three|ten|all|so)\b", what) else "wants no"
    return Candidate(say(f"The user {how} {what}"), "preference", core(what))


_PARTICIPLE = {
    "give": "given",
    "show": "shown",
    "tell": "told",
    "send": "sent",
    "write": "written",
    "say": "said",
    "call": "called",
    "wake": "woken",
    "put": "put",
    "take": "taken",
    "speak to": "spoken to",
    "ring": "rung",
    "quote": "quoted",
    "book": "booked",
    "ask": "asked",
    "phone": "phoned",
    "remind": "reminded",
    "address": "addressed",
    "text": "texted",
    "message": "messaged",
    "schedule": "scheduled",
    "disturb": "disturbed",
}


def do_not(body: str) -> Candidate | None:
    '"don\'t call me before 11", "never quote me miles": what is done to the user.'
    hit = re.match(
        r"(?:do not|don't|never|don't ever|do not ever) (?:ever "
        rf")?(?P<verb>{'|'.join(_PARTICIPLE)}) (?P<me>me|us)\b ?(?P<rest>[^.!?;]*)$",
        body,
        re.IGNORECASE,
    )
    if not hit:
        return None
    rest = cut(
        re.sub(r" (?:any ?more|again|now|please|ever)$", "", re.split(r", (?!and |or )", hit["rest"])[0])
    )
    if re.search(r"\b(?:it|that|this|again what|yet|now|today|tonight|which|what|how|why)\b", rest) or (
        not rest and hit["verb"].lower() not in ("call", "phone", "ring", "text", "wake")
    ):
        return None
    participle = _PARTICIPLE[hit["verb"].lower()]
    return Candidate(
        say(f"The user does not want to be {participle} {addressed(rest)}"),
        "preference",
        core(addressed(rest)) or participle,
    )


_BURIED = re.compile(
    r"\b(?:who|that|which|they|he|she|it|I|we|have|has|had|was|were|is|are) (?:have |has |"
    r"had )?(?:always|never|ever)\b",
    re.IGNORECASE,
)


_STYLE = re.compile(
    r"\b(?:keep|make|write) (?:all )?your (?:answers|replies|letters|messages|responses|"
    r"sentences|explanations|summaries|e?-?mails)\b",
    re.IGNORECASE,
)


def order(body: str, text: str) -> Candidate | None:
    "An order with a word that makes it last."
    lasting = LASTING.search(text)
    if not (lasting or _STYLE.search(text)) or text.rstrip().endswith("?") or _BURIED.search(text):
        return None
    hit = re.match(
        r"(?P<adv>always |never |only |do not ever |don't ever |never ever "
        rf")?(?P<order>(?:{ORDERS})\b[^.!?;]*)",
        body,
        re.IGNORECASE,
    )
    if not hit or re.search(r"\b(?:I|we|he|she|they) (?:always|never)\b|\bhow I\b", hit["order"]):
        return None
    order = cut(re.sub(rf",? ?(?:{LASTING.pattern})$", "", hit["order"], flags=re.IGNORECASE))
    if (
        len(order.split()) < 2
        or re.search(r"\b(?:it|that|this|them|these|those)\b", order)
        or len(order.split()) > 30
    ):
        return None
    given = _GIVEN.fullmatch(order.split(",")[0])
    if given and not (hit["adv"] or "").strip().lower().startswith(("never", "do")):
        return Candidate(say(f"The user wants {given['what']}"), "preference", core(given["unit"]))
    adverb = (hit["adv"] or "").strip().lower()
    how = "never" if adverb.startswith("never") or "not" in adverb or "don't" in adverb else "always"
    return Candidate(
        say(f"The user wants the assistant to {how} {addressed(order)}"), "preference", span_of(order)
    )


_GIVEN = re.compile(
    r"(?:please )?(?:give|tell|show|send|state|quote) me (?P<what>[a-z][a-z ]*? (?:in|as|by) (?P<unit>[a-z][a-z -]*))"
)
_FRAGMENT = re.compile(
    r"^(?P<what>(?!(?:every|like|as|same|not|no|yes|just|only|all|at|in|on|to|for|than|I|we|"
    r"he|she|it|they|my|our|you|this|that|if|when)\b)[\w\"'À-ÿ-]+(?: "
    r"[\w\"'À-ÿ:./-]+){0,9}?),? "
    r"(?P<ever>always|every time|each time|from (?:now|here|today)(?: on)?|at all times|in "
    r"future|(?<=\w)(?= only$) only)(?:,? (?:please|pls|thanks))?$",
    re.IGNORECASE,
)


def fragment(body: str) -> Candidate | None:
    '"wind in knots and headings magnetic, every time": a wish without a verb.'
    ends = [*[m.start() for m in re.finditer(",", body)][:4], len(body)]
    hit = next((h for h in (_FRAGMENT.match(body[:end]) for end in ends) if h), None)
    if not hit or FINITE.search(hit["what"]):
        return None
    what, only = hit["what"], hit["ever"].strip().lower() == "only"
    if only and not re.search(r" in \w+$", what):
        return None
    if what[1:2].islower() and what.split()[0].lower() not in words.STABLE:
        what = what[0].lower() + what[1:]
    how = "wants" if only else "always wants"
    return Candidate(
        say(f"The user {how} {addressed(what)}{' only' if only else ''}"), "preference", core(what)
    )
