"An item before it is chosen, and the wordings that questions are put into."

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from pocketsleep.night.grammar.clause import bare
from pocketsleep.night.grammar.words import wordset
from pocketsleep.nouns import Form


@dataclass(frozen=True, slots=True)
class Item:
    "A question and its answer; `frame` names the wording, so that exams can keep to unseen ones."

    question: str
    answer: str
    form: Form
    frame: str
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = field(default=())  # ids of further memories it rests on


INDIRECT = (
    "Can you tell me {e}?",
    "Do you remember {e}?",
    "Remind me {e}.",
    "I forgot {e}.",
    "Tell me {e}.",
    "Could you remind me {e}, please?",
    "I'd like to know {e}.",
    "Do you happen to know {e}?",
    "I can't recall {e}.",
    "Please tell me {e}.",
    "Would you know {e}?",
    "I need to know {e}.",
    "I wonder if you remember {e}.",
    "Let me know {e}.",
)
DIRECT = (
    "Quick question: {q}",
    "Just to check: {q}",
    "By the way, {q}",
    "Sorry, {q}",
    "Hey, {q}",
    "Help me out: {q}",
)
TRUE = (
    "Is it true that {s}?",
    "Am I right that {s}?",
    "Did I tell you that {s}?",
    "Have I got it right that {s}?",
    "Is it right that {s}?",
)
ABOUT = (
    "Tell me what you know about {x}.",
    "What do you know about {x}?",
    "What have I told you about {x}?",
    "What did I say about {x}?",
    "Remind me about {x}.",
    "Can you sum up what I said about {x}?",
    "Anything you remember about {x}?",
    "Write down what I told you about {x}.",
)

_CONTRACT = (
    ("What is ", "What's "),
    ("Who is ", "Who's "),
    ("Where is ", "Where's "),
    ("When is ", "When's "),
)


def number(*text: str) -> int:
    "A number that depends on the text alone: choices stay the same from night to night."
    return int.from_bytes(blake2b("\x1f".join(text).encode(errors="surrogatepass"), digest_size=6).digest(), "big")


def pick(options: tuple[str, ...], count: int, *key: str) -> list[str]:
    "`count` of the options, chosen and ordered by the key."
    return sorted(options, key=lambda o: number(o, *key))[:count]


def voiced(question: str, key: str) -> str:
    "The question as people type it: one in three loses capital or question mark, one in two contracts."
    n = number("voice", question, key)
    if n % 2:
        for long, short in _CONTRACT:
            if question.startswith(long):
                question = short + question[len(long) :]
    if n % 7 == 1 and question.endswith("?"):
        question = question[:-1]
    if n % 5 == 2 and not question.startswith(("I ", "I'")):
        question = question[0].lower() + question[1:]
    return question


@lru_cache(maxsize=65536)
def plain(question: str) -> str:
    "What two questions are compared by: lower case, contractions undone, no punctuation or articles."
    low = question.lower().replace("’", "'")
    low = re.sub(r"\b(what|who|where|when|how)'s\b", r"\1 is", low)
    low = re.sub(r"\bi'd\b", "i would", re.sub(r"n't\b", " not", low))
    return " ".join(w for w in re.findall(r"[\w']+", low) if w not in ("a", "an", "the", "please"))


_FILLERS = re.compile(
    r"^(?:quick question|just to check|by way|sorry|hey|help me out) | (?:again|now|exactly|now please)(?= |$)"
)  # fmt: skip


def near(one: str, other: str) -> bool:
    "Whether two plain questions are nearly the same: but for fillers, seven in eight of their words are shared."
    a, b = (set(_FILLERS.sub("", q).split()) for q in (one, other))
    return len(a & b) * 8 >= len(a | b) * 7


def indirect(embedded: str, answer: str, frame: str, count: int, key: str) -> Iterator[Item]:
    "The same question in several indirect wordings."
    low = embedded[0].lower() + embedded[1:]
    for wrapper in pick(INDIRECT, count, key, embedded):
        yield Item(wrapper.format(e=low), answer, "paraphrase", f"{frame}/{wrapper}")


def repeated(question: str, answer: str, frame: str, count: int, key: str) -> Iterator[Item]:
    "A direct question with a few words in front."
    low = question if question.startswith("I ") else question[0].lower() + question[1:]
    for wrapper in pick(DIRECT, count, key, question):
        yield Item(wrapper.format(q=low), answer, "paraphrase", f"{frame}/{wrapper}")


def inside(sentence: str) -> str:
    "A sentence as a part of another: without full stop, with a small first letter unless it is a name or I."
    text = bare(sentence)
    first = text.split(" ", 1)[0].rstrip(",")
    small = first.lower() in _SMALL
    return text[0].lower() + text[1:] if small else text


_SMALL = wordset(
    """you your my the a an on in at from before after when whenever if every for by since between during
    as it this that there no once while until unless one two three four five six seven eight nine ten
    both all because out with without to"""
)
