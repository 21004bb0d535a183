"""Lasting wishes: what the assistant should do whenever something happens, or always.

    "when I type GO, show my list"      When the user types GO, the assistant should show the user's list.
    the word LOT means list the covers  When the user says "lot", the assistant should list the covers.
    "always give me ounces"             The user wants the assistant to always give the user ounces.
    "don't call me before 11"           The user does not want to be called before 11.
    "stop giving me watts"              The user does not want watts.

An order without a word that makes it last ("make me a table") is a task and is not kept.
"""

from __future__ import annotations

import re

from pocketsleep.night.listen import wishes
from pocketsleep.night.listen.orders import FINITE, ORDERS, POLITE, addressed, cut, order_form, say, span_of
from pocketsleep.night.listen.people import Candidate
from pocketsleep.night.listen.voice import about_user, core, third_person

_SAYS = (
    "type|write|say|paste|send|put|open|message|text|post|start|enter|dictate|ask|tell|"
    "mention|give|quote|drop|share|upload|call|"
    "use|forward|list|report|log|speak|show|describe|request|order|note|answer|begin|end"
)


_TRIGGER = re.compile(
    rf"\b(?:when(?:ever)?|any ?time(?: that)?|every time|each time|where(?:ver)?|if) (?P<who>I|you|we) "
    rf"(?P<adv>(?:just|only|simply|do|ever) )?(?P<verb>{_SAYS}|do|make|sort|convert|plan|"
    r"suggest|recommend|explain|pick|book|translate|cite|draft|summari[sz]e|fix|format|plot|"
    r"draw|calculate|round)\b(?P<what>.*)$",
    re.IGNORECASE,
)


_START = re.compile(
    r"(?P<sep>[,:;]\s*|\s+[-–—]+\s*|\s+)(?:then |just |please |pls |it means |that means "
    r")*(?=(?:you (?:(?:should|must|can|need to|have to|are to|will) )?|I (?:want|need|"
    r"expect|would like|mean|prefer) (?:you to )?|"
    rf"(?:don't|do not|never|always|only|no) )?(?:please |just |only |always |never )*(?:{ORDERS})\b"
    r"|I (?:want|need|expect|prefer|would like) |(?:don't|do not|never|always|no) |(?:that|"
    r"it) (?:is|means) )",
    re.IGNORECASE,
)


_NO_ORDER_AFTER = re.compile(
    r"\b(?:a|an|the|my|your|this|that|of|for|to|and|or|by|in|with|from|new|next|not|I|you|we|any|some|per)$",
    re.IGNORECASE,
)


def standing(text: str) -> Candidate | None:
    "The lasting wish that one expanded sentence states, None when it states none."
    body = POLITE.sub("", text).strip(" .!")
    return (
        _when(text)
        or wishes.called(body)
        or wishes.prefers(body)
        or _means(body)
        or wishes.stop(body, text)
        or wishes.do_not(body)
        or wishes.order(body, text)
        or wishes.fragment(body)
    )


def _when(text: str) -> Candidate | None:
    trigger = _TRIGGER.search(text)
    if not trigger:
        return None
    what, main = _split(trigger["what"], text[: trigger.start()])
    if not main and trigger["who"].lower() == "you":
        return _noun_first(text[: trigger.start()], trigger)
    word = trigger.group().split()[0].lower()
    if not main or (word == "if" and not re.match(r" (?:only |just )?[\"“'A-Z]", trigger["what"])):
        return None
    verb = trigger["verb"].lower()
    if trigger["who"].lower() == "you":
        if verb in ("ask", "tell", "say", "start", "end"):
            return None
        when = f"when it {third_person(verb)}{addressed(what)}"
        return Candidate(
            say(f"The user wants the assistant to {order_form(main)} {when}"), "preference", span_of(main)
        )
    adverb = trigger["adv"].lower() if trigger["adv"] and trigger["adv"].strip() in ("only", "just") else ""
    return Candidate(
        say(f"When the user {adverb}{third_person(verb)}{addressed(what)}, {_clause_form(main)}"),
        "procedure",
        span_of(main),
    )


def _noun_first(before: str, trigger: re.Match[str]) -> Candidate | None:
    '"short sentences when you write to me".'
    what = POLITE.sub("", before).strip(" ,.")
    verb, occasion = trigger["verb"].lower(), cut(trigger["what"])
    if not 1 <= len(what.split()) <= 6 or len(occasion.split()) > 6 or FINITE.search(what):
        return None
    return Candidate(
        say(
            f"The user wants {addressed(what)} when the assistant {third_person(verb)} {addressed(occasion)}"
        ),
        "preference",
        core(what),
    )


def _split(what: str, before: str) -> tuple[str, str]:
    'The occasion and the order. The order may stand first: "use grams when you give me ...".'
    masked = re.sub(r"\"[^\"]*\"", lambda m: '"' + "x" * (len(m.group()) - 2) + '"', what)
    starts = [
        hit
        for hit in _START.finditer(masked, 2)
        if hit["sep"].strip() or hit.group().strip() or not _NO_ORDER_AFTER.search(masked[: hit.start()])
    ]
    ordered = [
        hit for hit in starts if not re.match(r"(?:that|it) (?:is|means)", masked[hit.end() :])
    ] or starts
    if ordered:
        return " " + what[: ordered[0].start()].strip(" ,:;"), cut(what[ordered[0].end() :])
    order = re.search(
        rf"(?:^|[,.;:] |please |then )(?P<main>(?:don't |do not |never |always )?(?:{ORDERS})\b[^.]*)$",
        before.strip(" ,"),
        re.IGNORECASE,
    )
    return (
        (" " + cut(what).strip(" ,:;"), cut(re.sub(r",? only$", "", order["main"])))
        if order and len(what.split()) < 14
        else ("", "")
    )


def _clause_form(main: str) -> str:
    '"you give me X", "give me X", "I want X" as what the assistant should do.'
    if hit := re.match(r"I (want|need|expect|prefer|would like) (?!you\b)(?P<rest>.*)$", main, re.IGNORECASE):
        verb = "want" if hit[1] == "would like" else hit[1].lower()
        return f"the user {third_person(verb)} {about_user(hit['rest'])}"
    if re.match(r"(?:that|it) (?:is|means)\b", main, re.IGNORECASE):
        return about_user(main)
    return f"the assistant should {order_form(main)}"


def _means(body: str) -> Candidate | None:
    '"X" means Y; X from me = Y.'
    hit = re.match(
        r"(?P<x>\"[^\"]{1,60}\"|[A-Z]{3,})(?: from me)? (?:means|=|stands for)[: ]+(?P<y>[^.!?]{4,200})", body
    )
    if not hit or re.search(r"\b(?:does|mean)\b", hit["y"][:12]):
        return None
    main = cut(hit["y"])
    return Candidate(
        say(f"When the user says {hit['x']}, the assistant should {order_form(main)}"),
        "procedure",
        span_of(main),
    )
