"""Orders to the assistant: their verbs, the words that make them last, and how they are said of it."""

from __future__ import annotations

import re

from pocketsleep.night.listen.voice import about_user, core

ORDERS = (
    "give|show|put|list|arrange|bring|ask|tell|write|use|answer|reply|respond|send|make|"
    "keep|start|begin|convert|translate|add|sort|"
    "remind|check|format|round|include|leave|skip|say|do|turn|read|set|print|call|address|"
    "quote|cite|name|mark|fix|explain|follow|"
    "summari[sz]e|mention|end|sign|count|order|number|ignore|assume|prefer|return|post|"
    "draft|pick|contestame|speak|stick|shout|calculate|"
    "multiply|divide|take|save|spell|repeat|lay|avoid|stop|open|expect|work"
)


LASTING = re.compile(
    r"\b(?:always|never|every time|each time|any time|from (?:now|today|here|tomorrow|this "
    r"day) on(?:wards?)?|from now|from today|in (?:the )?future|going forward|hereafter|"
    r"at all times|as a rule|without exception|ever|for good|forever|permanently|standing "
    r"(?:order|rule|instruction)|new rule|until i say)\b",
    re.IGNORECASE,
)


POLITE = re.compile(
    r"^(?:(?:please|pls|plz|kindly|ok|okay|so|and|but|also|then|oh|hey|hi|hello|ah|no,|yes|"
    r"right|well|just|by the way|btw|one more thing|a favou?r|remember|note|for next "
    r"time(?: too)?|do(?= please)|new rule[^:,.]{0,30}[:,.]|standing (?:order|rule)[:,]?|"
    r"from (?:now|today|here) on(?:wards)?|from now|from today|in (?:the )?future|going "
    r"forward|hereafter|as a rule)[,:.!]? +)+",
    re.IGNORECASE,
)


FINITE = re.compile(
    r"\b(?:is|are|was|were|have|has|do|does|did|can|will|not|never|I|we|you|it|he|she|they|\w+ed|\w+ing)\b",
    re.IGNORECASE,
)


def cut(main: str) -> str:
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


def order_form(main: str) -> str:
    main = re.sub(
        r"^(?:you (?:(?:should|must|can|need to|have to|are to|will) )?|I (?:want|need|"
        r"expect|would like) you to )",
        "",
        main,
        flags=re.IGNORECASE,
    )
    main = re.sub(r"^(?:please|just|then) ", "", main, flags=re.IGNORECASE)
    main = re.sub(r"^(?:do not|don't) ", "not ", main, flags=re.IGNORECASE)
    return addressed(main)


def addressed(text: str) -> str:
    text = re.sub(r"\byour\b", "the assistant's", about_user(text), flags=re.IGNORECASE)
    return re.sub(r"\byou\b", "the assistant", text, flags=re.IGNORECASE)


def span_of(main: str) -> str:
    bare = re.sub(
        r"^(?:I (?:want|need|expect|prefer|would like) )?(?:you )?(?:to )?(?:please |just |"
        r"always |never |only |not |do not |don't )*",
        "",
        main,
        flags=re.IGNORECASE,
    )
    bare = re.sub(rf"^(?:{ORDERS}) (?:me |us |back |out |in )*", "", bare, flags=re.IGNORECASE)
    return core(about_user(bare))


def say(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,.;:!-")
    return text[0].upper() + text[1:] + "."
