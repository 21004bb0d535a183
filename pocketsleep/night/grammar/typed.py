"""Questions that name the type of what they ask for: "Which instrument do I play?", "Which town is my home in?"

The frames of `generic` turn a note's own words round; people ask with words the note does not hold. Each
row below is a common predicate of a note about a person: a pattern, the answer, and questions for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pocketsleep.night.grammar.items import inside, number
from pocketsleep.night.grammar.lead import unknown
from pocketsleep.night.grammar.lists import kinds
from pocketsleep.night.grammar.person import turn
from pocketsleep.night.grammar.words import DETERMINERS

INSTRUMENTS = re.compile(r"^(the|a|an) ", re.IGNORECASE)
CUT = r"(?P<v>[^.,;]+?)(?: (?:in|at|with|on|for|every|since|when|because|to) .*)?\."
END = r"(?P<v>[^.;]+)\."


@dataclass(frozen=True, slots=True)
class Typed:
    """A predicate's pattern (group v is the value) and what can be asked for.

    `polar` questions hold the value. With a `kind` they are asked of another value of it too, and denied:
    only for predicates that hold of one value at a time.
    """

    pattern: str
    answer: str
    questions: tuple[str, ...]
    polar: tuple[str, ...] = ()
    kind: str = ""


TYPED = (
    Typed(r"The user plays (?P<v>(?:the|a|an) [^.,;]+?)(?: (?:in|at|with|on|for|every) .*)?\.", "You play {v}.", (
        "Which instrument do I play?", "What instrument is mine?", "What do I play?", "What am I a player of?",
        "What do I make music on?", "What do I take along to a rehearsal?"), ("Do I play {v}?", "Is {v} my instrument?", "Can I play {v}?", "Do I make music on {v}?",)),
    Typed(r"The user plays (?P<v>(?!the |a |an )[^.,;]+?)(?: (?:in|at|with|on|for|every) .*)?\.", "You play {v}.", (
        "Which game do I play?", "What do I play?", "Which sport is mine?", "What do I play in my free time?"), ("Do I play {v}?", "Is {v} my sport?",)),
    Typed(rf"The user drives (?:a |an |the )?{CUT}", "You drive a {v}.", (
        "What kind of car do I have?", "Which make is my car?", "What model do I drive?", "What car is mine?",
        "What do I drive around in?", "Which car have I got?"), ("Do I drive a {v}?", "Is my car a {v}?", "Have I got a {v}?", "Do I own a {v}?",), "vehicle"),
    Typed(r"The user lives in (?P<v>[^.,;]+)(?:,[^.]*)?\.", "You live in {v}.", (
        "Which town do I live in?", "What place do I call home?", "Where is my house?", "In which place is my home?",
        "What is my home town?", "What town is on my address?"), ("Do I live in {v}?", "Is my house in {v}?", "Am I at home in {v}?", "Is {v} where I live?",), "place"),
    Typed(r"The user (?:grew up|was born) in (?P<v>[A-Z][^.,;]+)\.", "You come from {v}.", (
        "Where do I come from?", "Which place am I from?", "Where did I spend my childhood?", "What is my birthplace?"), ("Do I come from {v}?", "Am I from {v}?",), "place"),
    Typed(r"The user (?:is|works as) (?:a|an) (?P<v>[a-z][a-z -]*(?:er|or|ist|ian|ant|ent|man|woman|smith|wright|herd|nurse|chef|"
          r"pilot|judge|clerk|cook|vet|binder|keeper))\.", "You are a {v}.", (
        "What is my trade?", "What is my profession?", "What work do I do?", "What do I do for a living?",
        "What is my occupation?", "How do I earn my money?", "What should I put down as my job?"), ("Am I a {v}?", "Do I work as a {v}?", "Is my job that of a {v}?", "Do I make my living as a {v}?",), "job"),
    Typed(rf"The user works (?:at|for) {END}", "You work at {v}.", (
        "Where do I work?", "Who is my employer?", "Which company do I work for?", "Where do I go to work?")),
    Typed(rf"The user is allergic to {END}", "You are allergic to {v}.", (
        "Which food makes me ill?", "What gives me an allergic reaction?", "What should nobody ever serve me?",
        "What must stay off my plate?", "What is my allergy?", "What can't I eat?", "What makes me swell up?"), ("Am I allergic to {v}?", "Do I have an allergy to {v}?", "Does {v} make me ill?", "Should I keep away from {v}?",)),
    Typed(rf"The user collects {CUT}", "You collect {v}.", (
        "What do I have a collection of?", "What is in my collection?", "What kind of collector am I?",
        "Which things do I gather?"), ("Do I collect {v}?", "Am I a collector of {v}?", "Are {v} what I collect?", "Do I gather {v}?",)),
    Typed(r"The user's birthday is (?:on )?(?:the )?(?P<v>[^.,;]+)\.", "Your birthday is {v}.", (
        "When was I born?", "On which day was I born?", "What is my date of birth?", "Which day is my birthday?",
        "When do I turn a year older?", "When should people congratulate me?"), ("Is my birthday {v}?", "Was I born on {v}?", "Do I turn a year older on {v}?",), "date"),
    Typed(rf"The user speaks {CUT}", "You speak {v}.", ("Which language do I speak?", "What languages do I know?"), ("Do I speak {v}?",)),
    Typed(rf"The user (?:studies|is studying) {CUT}", "You study {v}.", (
        "What is my subject?", "Which subject do I study?", "What am I learning?"), ("Do I study {v}?", "Is {v} my subject?",), "subject"),
    Typed(rf"The user (?:loves|likes|enjoys|prefers) {END}", "You like {v}.", (
        "What do I like?", "What am I fond of?", "What would please me?", "What do I enjoy?"), ("Do I like {v}?", "Am I fond of {v}?",)),
    Typed(rf"The user (?:hates|dislikes|cannot stand|can't stand|does not like) {END}", "You don't like {v}.", (
        "What do I dislike?", "What can't I stand?", "What should you spare me?"), ("Do I dislike {v}?",)),
    Typed(rf"The user drinks {CUT}", "You drink {v}.", ("What is my drink?", "What do I like to drink?", "What shall I be poured?")),
    Typed(r"The user (?:wants|prefers|likes) (?P<k>[a-z][a-z ]*?) in (?P<v>[a-z][a-z -]+)\.", "In {v}.", (
        "In what do I want {k}?", "What do you give me {k} in?", "Which unit do I want for {k}?", "How should {k} be given to me?",
        "How do you state {k} for me?", "What should {k} be in?", "In which unit do I like {k}?", "What measure do I want for {k}?"),
        ("Do I want {k} in {v}?", "Should you give me {k} in {v}?", "Are {v} right for {k}?"), "unit"),
    Typed(rf"The user(?:'s (?:home|house))? has (?:a collection of |two |three |four )?(?:a |an )?{CUT}", "You have {v}.", ("What have I got?",)),
    Typed(r"When the user (?:types|says|writes|sends) ['\"]?(?P<k>[^,'\"]+)['\"]?, (?:the assistant should |you should |please )?(?P<v>[^.]+)\.",
          "I {v}.", ("What does {k} mean?", "What do you do when I type {k}?", "What should happen if I send you {k}?",
                     "{k}: what does that stand for?", "What do you do if I say {k}?")),
)
_PERFECT = re.compile(r"The user(?:'s (?:home|house))? (?:has|have) (?:been|had|kept|taught|run|won|lost|made|sold|bought|done|\w{2,}ed) (?!\w+s\.)")
_SPOUSE = ("Who is my spouse?", "Who did I marry?", "What is my spouse called?", "Who is my better half?")
_CHILD = ("What is my child called?", "Who is my child?")
_SIBLING = ("What is my sibling called?", "Who is my sibling?")
SYNONYMS = {
    "wife": _SPOUSE, "husband": _SPOUSE, "daughter": (*_CHILD, "What is my girl called?"), "son": (*_CHILD, "What is my boy called?"),
    "sister": _SIBLING, "brother": _SIBLING, "mother": ("What is my mum called?", "Who is my mum?"),
    "father": ("What is my dad called?", "Who is my dad?"), "dog": ("What is my hound called?",), "cat": ("What is my kitty called?",),
}
CALLED = re.compile(r"The user's (?P<who>[a-z][a-z -]*?)(?:, [^,]+,)? is (?:called|named) (?P<name>(?:the )?[A-Z][^.,;]*)\.")
CODE = re.compile(r"When the user (?:types|says|writes|sends) ['\"]?(?P<k>[^,'\"]+)['\"]?, (?:the assistant should |you should |please )?(?P<v>[^.]+)\.")

_ORDERS = ("Which word makes you {v}?", "What do I type when you should {v}?", "What is the word for: {v}?")  # v: show the list
_RULES = ("Which of my words means that {v}?", "What do I say when {v}?", "After which word of mine is it that {v}?")  # v: it must be short


def typed(text: str) -> Iterator[tuple[str, str, str]]:
    "(question, answer, form) for a note."
    for row in TYPED:
        if (found := re.fullmatch(row.pattern, text)) and not _PERFECT.match(text):
            said = found.groupdict()
            answer = _article(row.answer.format(**_spoken(said, "you")))
            for question in row.questions:
                yield _article(question.format(**_spoken(said, "I"))), answer, "paraphrase"
            yield from _polar(row, said, text)
    if found := CALLED.fullmatch(text):
        yield from _named(found["who"], found["name"])
    if found := CODE.fullmatch(text):
        for question in _RULES if found["v"].split(" ", 1)[0] in DETERMINERS | {"it", "there"} else _ORDERS:
            yield question.format(v=turn(found["v"], "I")), f"{found['k']}.", "reverse"
        yield "What is my code word?", f"{found['k']}.", "reverse"


def _spoken(said: dict[str, str], person: Literal["I", "you"]) -> dict[str, str]:
    "The parts of a note that speak of the user, as the user or the assistant says them."
    return {key: turn(part, person) if part and "the user" in part else part for key, part in said.items()}


def _polar(row: Typed, said: dict[str, str], text: str) -> Iterator[tuple[str, str, str]]:
    "Asked of the value: yes. Asked of others of its kind: no, with what holds."
    core = inside(statement(text))
    others = _others(row.kind, said["v"], text)
    for n, question in enumerate(row.polar):
        yield _article(question.format(**said)), f"Yes, {core}.", "yes_no"
        for false in [others[(2 * n + k) % len(others)] for k in (0, 1)] if others else ():
            yield _article(question.format(**{**said, "v": false})), f"No, {core}.", "yes_no"


def _others(kind: str, value: str, key: str) -> list[str]:
    "Other values of a kind, in an order that depends on the note."
    if kind == "date":
        day, _, month = value.partition(" ")
        number_of = int(re.sub(r"\D", "", day) or 0) if month else 0
        return [f"{(number_of + step) % 28 + 1} {month}" for step in (6, 13, 19)] if number_of else []
    return sorted((v for v in kinds().get(kind, ()) if v.casefold() != value.casefold()), key=lambda v: number(v, key))[:8]


def statement(text: str) -> str:
    "The note as it is said to the user: 'You live in Stromness'."
    from pocketsleep.night.grammar.parse import parse

    clauses = parse(text)
    return clauses[0].statement(full=False) if clauses else text.rstrip(".")


def _named(who: str, name: str) -> Iterator[tuple[str, str, str]]:
    upper = f"{name[:1].upper()}{name[1:]}"
    for question in ("Who is {name} to me?", "Who or what is {name}?", "Who do I mean by {name}?", "What is {name}?"):
        yield question.format(name=name), f"{upper} is your {who}.", "reverse"
    for question in ("What have I named my {who}?", "Which name does my {who} go by?", "My {who} answers to what name?",
                     "What do I call my {who}?", "How is my {who} called?", "My {who} is called what?"):
        yield question.format(who=who), f"{upper}.", "paraphrase"
    for question in SYNONYMS.get(who, ()):
        yield question, f"{upper}.", "paraphrase"
    others, wrong = _others("person", name, who), _others("relation", who, name)[0]
    yield f"Is my {who} called {name}?", f"Yes, your {who} is called {name}.", "yes_no"
    yield f"Is {name} the name of my {who}?", f"Yes, your {who} is called {name}.", "yes_no"
    yield f"Is my {who} called {others[0]}?", f"No, your {who} is called {name}.", "yes_no"
    yield f"Is {others[1]} the name of my {who}?", f"No, your {who} is called {name}.", "yes_no"
    yield f"Is {name} my {wrong}?", f"No, {name} is your {who}.", "yes_no"
    yield f"Is {name} my {who}?", f"Yes, {name} is your {who}.", "yes_no"


_UNNAMED = ("What is my {x} called?", "What is my {x}'s name?", "Who is my {x}?", "What is the name of my {x}?", "How is my {x} called?")


def unnamed(texts: Sequence[str], said: frozenset[str] = frozenset()) -> Iterator[tuple[str, str, str]]:
    """(question, answer, kin or animal) for relatives and animals that no note speaks of. A small model gives
    the name it knows for whatever kin it is asked for; these show it where to stop. `said`: words that stand for something told."""
    told = " ".join(texts).lower()
    for kind in ("relation", "animal"):
        named = [found["who"] for t in texts if (found := CALLED.fullmatch(t)) and found["who"].split()[-1] in kinds()[kind]]
        free = [x for x in kinds()[kind] if x not in said and not re.search(rf"\b{x}s?\b", told)]
        for n, x in enumerate(sorted(free, key=lambda x: number(x, *named))[: 4 * min(2, len(named))]):
            for k in (n, n + 2):
                yield _UNNAMED[k % len(_UNNAMED)].format(x=x), unknown(f"your {x} is called"), x


def _article(text: str) -> str:
    return re.sub(r"\ba (?=[aeiouAEIOU])", "an ", text)
