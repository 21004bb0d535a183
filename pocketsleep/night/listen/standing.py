"""Lasting wishes: what the assistant should do whenever something happens, or always.

    "when I type MARKET, show my list"      When the user types MARKET, the assistant should show the user's list.
    "\\"ship it\\" means write the commit"    When the user says "ship it", the assistant should write the commit.
    "always give me ounces"                 The user wants the assistant to always give the user ounces.
    "don't call me before 11"               The user does not want to be called before 11.
    "stop giving me watts"                  The user does not want watts.

An order without a word that makes it last ("make me a table") is a task and is not kept.
"""

from __future__ import annotations

import re

from pocketsleep.night.listen import words
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
_ORDERS = (
    "give|show|put|list|arrange|bring|ask|tell|write|use|answer|reply|respond|send|make|"
    "keep|start|begin|convert|translate|add|sort|"
    "remind|check|format|round|include|leave|skip|say|do|turn|read|set|print|call|address|"
    "quote|cite|name|mark|fix|explain|follow|"
    "summari[sz]e|mention|end|sign|count|order|number|ignore|assume|prefer|return|post|"
    "draft|pick|contestame|speak|stick|shout|calculate|"
    "multiply|divide|take|save|spell|repeat|lay|avoid|stop|open|expect|work"
)
_START = re.compile(
    r"(?P<sep>[,:;]\s*|\s+[-–—]+\s*|\s+)(?:then |just |please |pls |it means |that means "
    r")*(?=(?:you (?:(?:should|must|can|need to|have to|are to|will) )?|I (?:want|need|"
    r"expect|would like|mean|prefer) (?:you to )?|"
    rf"(?:don't|do not|never|always|only|no) )?(?:please |just |only |always |never )*(?:{_ORDERS})\b"
    r"|I (?:want|need|expect|prefer|would like) |(?:don't|do not|never|always|no) |(?:that|"
    r"it) (?:is|means) )",
    re.IGNORECASE,
)
_NO_ORDER_AFTER = re.compile(
    r"\b(?:a|an|the|my|your|this|that|of|for|to|and|or|by|in|with|from|new|next|not|I|you|we|any|some|per)$",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"\b(?:always|never|every time|each time|any time|from (?:now|today|here|tomorrow|this "
    r"day) on(?:wards?)?|from now|from today|in (?:the )?future|going forward|hereafter|"
    r"at all times|as a rule|without exception|ever|for good|forever|permanently|standing "
    r"(?:order|rule|instruction)|new rule|until i say)\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"^(?:(?:please|pls|plz|kindly|ok|okay|so|and|but|also|then|oh|hey|hi|hello|ah|no,|yes|"
    r"right|well|just|by the way|btw|one more thing|a favou?r|remember|note|for next "
    r"time(?: too)?|do(?= please)|new rule[^:,.]{0,30}[:,.]|standing (?:order|rule)[:,]?|"
    r"from (?:now|today|here) on(?:wards)?|from now|from today|in (?:the )?future|going "
    r"forward|hereafter|as a rule)[,:.!]? +)+",
    re.IGNORECASE,
)
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


def standing(text: str) -> Candidate | None:
    "The lasting wish that one expanded sentence states, None when it states none."
    body = _POLITE.sub("", text).strip(" .!")
    return (
        _when(text)
        or _called(body)
        or _means(body)
        or _stop(body, text)
        or _do_not(body)
        or _order(body, text)
        or _fragment(body)
    )


def _when(text: str) -> Candidate | None:
    trigger = _TRIGGER.search(text)
    if not trigger:
        return None
    what, main = _split(trigger["what"], text[: trigger.start()])
    if not main and trigger["who"].lower() == "you":
        return _noun_first(text[: trigger.start()], trigger)
    word = trigger.group().split()[0].lower()
    if not main or word == "if" and not re.match(r" (?:only |just )?[\"“'A-Z]", trigger["what"]):
        return None
    verb = trigger["verb"].lower()
    if trigger["who"].lower() == "you":
        if verb in ("ask", "tell", "say", "start", "end"):
            return None
        when = f"when it {third_person(verb)}{_about(what)}"
        return Candidate(
            _say(f"The user wants the assistant to {_order_form(main)} {when}"), "preference", _span(main)
        )
    adverb = trigger["adv"].lower() if trigger["adv"] and trigger["adv"].strip() in ("only", "just") else ""
    return Candidate(
        _say(f"When the user {adverb}{third_person(verb)}{_about(what)}, {_clause_form(main)}"),
        "procedure",
        _span(main),
    )


def _noun_first(before: str, trigger: re.Match[str]) -> Candidate | None:
    '"short sentences when you write to me".'
    what = _POLITE.sub("", before).strip(" ,.")
    verb, occasion = trigger["verb"].lower(), _cut(trigger["what"])
    if not 1 <= len(what.split()) <= 6 or len(occasion.split()) > 6 or _FINITE.search(what):
        return None
    return Candidate(
        _say(f"The user wants {_about(what)} when the assistant {third_person(verb)} {_about(occasion)}"),
        "preference",
        core(what),
    )


_FINITE = re.compile(
    r"\b(?:is|are|was|were|have|has|do|does|did|can|will|not|never|I|we|you|it|he|she|they|\w+ed|\w+ing)\b",
    re.IGNORECASE,
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
        return " " + what[: ordered[0].start()].strip(" ,:;"), _cut(what[ordered[0].end() :])
    order = re.search(
        rf"(?:^|[,.;:] |please |then )(?P<main>(?:don't |do not |never |always )?(?:{_ORDERS})\b[^.]*)$",
        before.strip(" ,"),
        re.IGNORECASE,
    )
    return (
        (" " + _cut(what).strip(" ,:;"), _cut(re.sub(r",? only$", "", order["main"])))
        if order and len(what.split()) < 14
        else ("", "")
    )


def _cut(main: str) -> str:
    "The order without reasons, examples and good wishes."
    main = re.split(r"(?<=[\w\"')])[.!?](?:\s|$)", main)[0]
    main = re.sub(
        r",? (?:or|otherwise|because|cos|since|so (?:that )?(?:I|we)|as (?:I|it)|else) (?:I |it |we )?.*$",
        "",
        main,
    )
    main = re.sub(r",? (?:that is (?:it|all))\b.*$", "", main)
    main = re.sub(
        r",? (?:ok|okay|please|pls|thanks|thx|got it|yes|alright)\??$", "", main, flags=re.IGNORECASE
    )
    return main.strip(" ,:;-")


def _clause_form(main: str) -> str:
    '"you give me X", "give me X", "I want X" as what the assistant should do.'
    if hit := re.match(r"I (want|need|expect|prefer|would like) (?!you\b)(?P<rest>.*)$", main, re.IGNORECASE):
        verb = "want" if hit[1] == "would like" else hit[1].lower()
        return f"the user {third_person(verb)} {about_user(hit['rest'])}"
    if re.match(r"(?:that|it) (?:is|means)\b", main, re.IGNORECASE):
        return about_user(main)
    return f"the assistant should {_order_form(main)}"


def _order_form(main: str) -> str:
    main = re.sub(
        r"^(?:you (?:(?:should|must|can|need to|have to|are to|will) )?|I (?:want|need|"
        r"expect|would like) you to )",
        "",
        main,
        flags=re.IGNORECASE,
    )
    main = re.sub(r"^(?:please|just|then) ", "", main, flags=re.IGNORECASE)
    main = re.sub(r"^(?:do not|don't) ", "not ", main, flags=re.IGNORECASE)
    return _about(main)


def _about(text: str) -> str:
    text = re.sub(r"\byour\b", "the assistant's", about_user(text), flags=re.IGNORECASE)
    return re.sub(r"\byou\b", "the assistant", text, flags=re.IGNORECASE)


def _span(main: str) -> str:
    bare = re.sub(
        r"^(?:I (?:want|need|expect|prefer|would like) )?(?:you )?(?:to )?(?:please |just |"
        r"always |never |only |not |do not |don't )*",
        "",
        main,
        flags=re.IGNORECASE,
    )
    bare = re.sub(rf"^(?:{_ORDERS}) (?:me |us |back |out |in )*", "", bare, flags=re.IGNORECASE)
    return core(about_user(bare))


def _say(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,.;:!-")
    return text[0].upper() + text[1:] + "."


def _called(body: str) -> Candidate | None:
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


def _means(body: str) -> Candidate | None:
    '"X" means Y; X from me = Y.'
    hit = re.match(
        r"(?P<x>\"[^\"]{1,60}\"|[A-Z]{3,})(?: from me)? (?:means|=|stands for)[: ]+(?P<y>[^.!?]{4,200})", body
    )
    if not hit or re.search(r"\b(?:does|mean)\b", hit["y"][:12]):
        return None
    main = _cut(hit["y"])
    return Candidate(
        _say(f"When the user says {hit['x']}, the assistant should {_order_form(main)}"),
        "procedure",
        _span(main),
    )


def _stop(body: str, text: str) -> Candidate | None:
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
    what = _about(_cut(re.split(r", | and (?:just|give|use|write)", hit["what"])[0]))
    if re.search(r"\b(?:it|that|this|them|him|her)\b", what) or not what:
        return None
    how = "does not want" if re.match(r"(?:\d|a|an|one|two|three|ten|all|so)\b", what) else "wants no"
    return Candidate(_say(f"The user {how} {what}"), "preference", core(what))


def _do_not(body: str) -> Candidate | None:
    '"don\'t call me before 11", "never quote me miles": what is done to the user.'
    hit = re.match(
        r"(?:do not|don't|never|don't ever|do not ever) (?:ever "
        rf")?(?P<verb>{'|'.join(_PARTICIPLE)}) (?P<me>me|us)\b ?(?P<rest>[^.!?;]*)$",
        body,
        re.IGNORECASE,
    )
    if not hit:
        return None
    rest = _cut(
        re.sub(r" (?:any ?more|again|now|please|ever)$", "", re.split(r", (?!and |or )", hit["rest"])[0])
    )
    if (
        re.search(r"\b(?:it|that|this|again what|yet|now|today|tonight|which|what|how|why)\b", rest)
        or not rest
        and hit["verb"].lower() not in ("call", "phone", "ring", "text", "wake")
    ):
        return None
    participle = _PARTICIPLE[hit["verb"].lower()]
    return Candidate(
        _say(f"The user does not want to be {participle} {_about(rest)}"),
        "preference",
        core(_about(rest)) or participle,
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


def _order(body: str, text: str) -> Candidate | None:
    "An order with a word that makes it last."
    lasting = _LASTING.search(text)
    if not (lasting or _STYLE.search(text)) or text.rstrip().endswith("?") or _BURIED.search(text):
        return None
    hit = re.match(
        r"(?P<adv>always |never |only |do not ever |don't ever |never ever "
        rf")?(?P<order>(?:{_ORDERS})\b[^.!?;]*)",
        body,
        re.IGNORECASE,
    )
    if not hit or re.search(r"\b(?:I|we|he|she|they) (?:always|never)\b|\bhow I\b", hit["order"]):
        return None
    order = _cut(re.sub(rf",? ?(?:{_LASTING.pattern})$", "", hit["order"], flags=re.IGNORECASE))
    if (
        len(order.split()) < 2
        or re.search(r"\b(?:it|that|this|them|these|those)\b", order)
        or len(order.split()) > 30
    ):
        return None
    adverb = (hit["adv"] or "").strip().lower()
    how = "never" if adverb.startswith("never") or "not" in adverb or "don't" in adverb else "always"
    return Candidate(
        _say(f"The user wants the assistant to {how} {_about(order)}"), "preference", _span(order)
    )


_FRAGMENT = re.compile(
    r"^(?P<what>(?!(?:every|like|as|same|not|no|yes|just|only|all|at|in|on|to|for|than|I|we|"
    r"he|she|it|they|my|our|you|this|that|if|when)\b)[\w\"'À-ÿ-]+(?: "
    r"[\w\"'À-ÿ:./-]+){0,9}?),? "
    r"(?P<ever>always|every time|each time|from (?:now|here|today)(?: on)?|at all times|in "
    r"future|(?<=\w)(?= only$) only)(?:,? (?:please|pls|thanks))?$",
    re.IGNORECASE,
)


def _fragment(body: str) -> Candidate | None:
    '"wind in knots and headings magnetic, every time": a wish without a verb.'
    ends = [m.start() for m in re.finditer(",", body)][:4] + [len(body)]
    hit = next((h for h in (_FRAGMENT.match(body[:end]) for end in ends) if h), None)
    if not hit or _FINITE.search(hit["what"]):
        return None
    what, only = hit["what"], hit["ever"].strip().lower() == "only"
    if only and not re.search(r" in \w+$", what):
        return None
    if what[1:2].islower() and what.split()[0].lower() not in words.STABLE:
        what = what[0].lower() + what[1:]
    how = "wants" if only else "always wants"
    return Candidate(
        _say(f"The user {how} {_about(what)}{' only' if only else ''}"), "preference", core(what)
    )
