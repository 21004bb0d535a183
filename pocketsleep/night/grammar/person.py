"""From the third person of a note to the first (the user asks) and the second (the assistant answers).

A note says "the user", "the user's", "the assistant", and often "they" or "their" for the user again.
Quoted text is never touched.
"""

from __future__ import annotations

import re
from typing import Literal

from pocketsleep.night.grammar.inflect import agree, base_of_third, known_past, known_third
from pocketsleep.night.grammar.words import ADVERBS, AUXILIARIES, DETERMINERS, NEGATIVE, NOUNY, is_number

Voice = Literal["I", "you"]  # who the user is in the sentence
_ADVERB = "|".join(sorted(ADVERBS | {"then"}))
_SUBJECT = re.compile(rf"\bthe user ((?:(?:{_ADVERB}) )*)([\w'’-]+)", re.I)
_ALSO = re.compile(rf"((?:,|\band|\bbut|\bor|,? then|, and then|, and|, but)(?: (?:{_ADVERB}))* )([a-z]+)(?= (\S+)|$)")
_QUOTED = re.compile(r"(\"[^\"]*\"|“[^”]*”)")


def turn(text: str, voice: Voice, theirs: bool = True, they: bool = True, them: bool | None = None) -> str:
    """The text with the user as `voice`. `theirs`: "their" is the user's; `they`: "they" is the user, and
    `them` "them" (as `they`, if None). Unless the sentence has other people or things in the plural, both hold."""
    parts = _QUOTED.split(text)
    return "".join(
        p if i % 2 else _turn(p, voice, theirs, they, they if them is None else them) for i, p in enumerate(parts)
    )


def _turn(text: str, voice: Voice, theirs: bool, they: bool, them: bool) -> str:
    mine, me, self = ("my", "me", "myself") if voice == "I" else ("your", "you", "yourself")
    text = re.sub(r"\bthe user[’']s\b", mine, text, flags=re.I)
    text = re.sub(r"\bthe user and ([A-Z]\w+)", rf"\1 and {voice}" if voice == "I" else r"you and \1", text, flags=re.I)
    text = _SUBJECT.sub(lambda m: _subject(m, voice, me), text)
    text = re.sub(r"\bthe user\b", me, text, flags=re.I)
    text = _assistant(text, voice)
    if theirs:
        text = re.sub(r"\btheirs\b", "mine" if voice == "I" else "yours", re.sub(r"\btheir\b", mine, text))
    if they:
        text = re.sub(r"\bthey\b ((?:is|are|was|were|have|has)\b)?", lambda m: _they(m, voice), text)
    if them:
        text = re.sub(r"\bthem\b", me, re.sub(r"\bthemsel(?:ves|f)\b", self, text))
    return text


def _subject(match: re.Match[str], voice: Voice, me: str) -> str:
    "Subject or object? It is a subject when a finite verb follows."
    adverbs, word = match.groups()
    low = word.lower()
    if low in NEGATIVE:
        return f"{voice} {adverbs}{contracted(low, voice)}"
    if low in AUXILIARIES:
        return f"{voice} {adverbs}{agree(low, voice)}"
    if known_third(low):
        return f"{voice} {adverbs}{base_of_third(low)}"
    return f"{voice if known_past(low) and not low.endswith('ing') else me} {adverbs}{word}"


def _they(match: re.Match[str], voice: Voice) -> str:
    verb = match.group(1)
    return f"{voice} {agree(verb, voice)}" if verb else f"{voice} "


def contracted(word: str, voice: Voice) -> str:
    "A negative contraction in another person: doesn't -> don't, isn't -> am not."
    form = agree(NEGATIVE[word], voice)
    if word in ("can't", "cannot", "won't") or form == NEGATIVE[word]:
        return word
    return "am not" if form == "am" else f"{form}n't"


def _assistant(text: str, voice: Voice) -> str:
    you, yours, obj = ("you", "your", "you") if voice == "I" else ("I", "my", "me")
    text = re.sub(r"\bthe assistant[’']s\b", yours, text, flags=re.I)
    text = re.sub(
        r"\bthe assistant (should|must|may|can|will|always|never|only|lists|gives|uses)\b",
        lambda m: f"{you} {base_of_third(m[1]) if known_third(m[1]) else m[1]}",
        text,
        flags=re.I,
    )
    text = re.sub(r"\b(if|when) the assistant (\w+)", lambda m: f"{m[1]} {you} {_be(m[2], voice)}", text, flags=re.I)
    return re.sub(r"\bthe assistant\b", obj, text, flags=re.I)


def _be(verb: str, voice: Voice) -> str:
    if verb in AUXILIARIES:
        return agree(verb, "you" if voice == "I" else "I")
    return base_of_third(verb)


def unmark(text: str) -> str:
    """Further verbs of a user's predicate, without their -s: "scrubs it and takes the keys" after
    "the user" becomes "scrub it and take the keys". Words that may be plural nouns stay unless an object follows."""
    parts = _QUOTED.split(text)
    return "".join(p if i % 2 else _ALSO.sub(_unmark, p) for i, p in enumerate(parts))


def _unmark(match: re.Match[str]) -> str:
    link, word, following = match.group(1), match.group(2), match.group(3) or ""
    if word in ("is", "has", "does", "was"):
        return f"{link}{ {'is': 'are', 'has': 'have', 'does': 'do', 'was': 'were'}[word] }"
    return link + (base_of_third(word) if is_verb(word, following) else word)


def is_verb(word: str, following: str) -> bool:
    "Whether an -s form after 'and' or a comma is a verb, by what follows it."
    if not known_third(word):
        return False
    opens = following.lower().strip(",.") in DETERMINERS | {
        "them",
        "it",
        "him",
        "only",
        "with",
        "to",
        "on",
        "as",
        "up",
        "down",
    }
    opens = opens or is_number(following) or following[:1].isupper() or following[:1] in '"“'
    return opens if word in NOUNY or not following else following.lower() not in ("of", "and", "or")
