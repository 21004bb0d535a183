"""Questions that name the type of what they ask for: "Which instrument do I play?", "Which town is my home in?"

The frames of `generic` turn a note's own words round; people ask with words the note does not hold. Each
row below is a common predicate of a note about a person: a pattern, the answer, and questions for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

INSTRUMENTS = re.compile(r"^(the|a|an) ", re.IGNORECASE)
CUT = r"(?P<v>[^.,;]+?)(?: (?:in|at|with|on|for|every|since|when|because|to) .*)?\."
END = r"(?P<v>[^.;]+)\."


@dataclass(frozen=True, slots=True)
class Typed:
    "A predicate's pattern (group v is the value) and what can be asked for."

    pattern: str
    answer: str
    questions: tuple[str, ...]


TYPED = (
    Typed(r"The user plays (?P<v>(?:the|a|an) [^.,;]+?)(?: (?:in|at|with|on|for|every) .*)?\.", "You play {v}.", (
        "Which instrument do I play?", "What instrument is mine?", "What do I play?", "What am I a player of?",
        "What do I make music on?", "What do I take along to a rehearsal?")),
    Typed(r"The user plays (?P<v>(?!the |a |an )[^.,;]+?)(?: (?:in|at|with|on|for|every) .*)?\.", "You play {v}.", (
        "Which game do I play?", "What do I play?", "Which sport is mine?", "What do I play in my free time?")),
    Typed(rf"The user drives (?:a |an |the )?{CUT}", "You drive a {v}.", (
        "What kind of car do I have?", "Which make is my car?", "What model do I drive?", "What car is mine?",
        "What do I drive around in?", "Which car have I got?")),
    Typed(r"The user lives in (?P<v>[^.,;]+)(?:,[^.]*)?\.", "You live in {v}.", (
        "Which town do I live in?", "What place do I call home?", "Where is my house?", "In which place is my home?",
        "What is my home town?", "What town is on my address?")),
    Typed(r"The user (?:grew up|was born) in (?P<v>[A-Z][^.,;]+)\.", "You come from {v}.", (
        "Where do I come from?", "Which place am I from?", "Where did I spend my childhood?", "What is my birthplace?")),
    Typed(r"The user (?:is|works as) (?:a|an) (?P<v>[a-z][a-z -]*(?:er|or|ist|ian|ant|ent|man|woman|smith|wright|herd|nurse|chef|"
          r"pilot|judge|clerk|cook|vet|binder|keeper))\.", "You are a {v}.", (
        "What is my trade?", "What is my profession?", "What work do I do?", "What do I do for a living?",
        "What is my occupation?", "How do I earn my money?", "What should I put down as my job?")),
    Typed(rf"The user works (?:at|for) {END}", "You work at {v}.", (
        "Where do I work?", "Who is my employer?", "Which company do I work for?", "Where do I go to work?")),
    Typed(rf"The user is allergic to {END}", "You are allergic to {v}.", (
        "Which food makes me ill?", "What gives me an allergic reaction?", "What should nobody ever serve me?",
        "What must stay off my plate?", "What is my allergy?", "What can't I eat?", "What makes me swell up?")),
    Typed(rf"The user collects {CUT}", "You collect {v}.", (
        "What do I have a collection of?", "What is in my collection?", "What kind of collector am I?",
        "Which things do I gather?")),
    Typed(r"The user's birthday is (?:on )?(?:the )?(?P<v>[^.,;]+)\.", "Your birthday is {v}.", (
        "When was I born?", "On which day was I born?", "What is my date of birth?", "Which day is my birthday?",
        "When do I turn a year older?", "When should people congratulate me?")),
    Typed(rf"The user speaks {CUT}", "You speak {v}.", ("Which language do I speak?", "What languages do I know?")),
    Typed(rf"The user (?:studies|is studying) {CUT}", "You study {v}.", (
        "What is my subject?", "Which subject do I study?", "What am I learning?")),
    Typed(rf"The user (?:loves|likes|enjoys|prefers) {END}", "You like {v}.", (
        "What do I like?", "What am I fond of?", "What would please me?", "What do I enjoy?")),
    Typed(rf"The user (?:hates|dislikes|cannot stand|can't stand|does not like) {END}", "You don't like {v}.", (
        "What do I dislike?", "What can't I stand?", "What should you spare me?")),
    Typed(rf"The user drinks {CUT}", "You drink {v}.", ("What is my drink?", "What do I like to drink?", "What shall I be poured?")),
    Typed(r"The user (?:wants|prefers|likes)[^.]*? (?:(?:given |shown |to be )?in) (?P<v>[a-z][a-z -]+)\.", "In {v}.", (
        "Which unit do I want?", "Which units should you use for me?", "In which unit do you answer me?",
        "How do I like my measurements?")),
    Typed(rf"The user(?:'s (?:home|house))? has (?:a collection of |two |three |four )?(?:a |an )?{CUT}", "You have {v}.", ("What have I got?",)),
    Typed(r"When the user (?:types|says|writes|sends) ['\"]?(?P<k>[^,'\"]+)['\"]?, (?:the assistant should |you should |please )?(?P<v>[^.]+)\.",
          "I {v}.", ("What does {k} mean?", "What do you do when I type {k}?", "What should happen if I send you {k}?",
                     "{k}: what does that stand for?", "What do you do if I say {k}?")),
)
CALLED = re.compile(r"The user's (?P<who>[a-z][a-z -]*?)(?:, [^,]+,)? is (?:called|named) (?P<name>(?:the )?[A-Z][^.,;]*)\.")
CODE = re.compile(r"When the user (?:types|says|writes|sends) ['\"]?(?P<k>[^,'\"]+)['\"]?, (?:the assistant should |you should |please )?(?P<v>[^.]+)\.")


def typed(text: str) -> Iterator[tuple[str, str, str]]:
    "(question, answer, form) for a note."
    for row in TYPED:
        if found := re.fullmatch(row.pattern, text):
            said = found.groupdict()
            for n, question in enumerate(row.questions):
                short = row.answer.startswith("I ") or n % 2
                answer = row.answer.format(**said) if short else said["v"][:1].upper() + said["v"][1:] + "."
                yield question.format(**said), _article(answer), "paraphrase"
    if found := CALLED.fullmatch(text):
        yield from _named(found["who"], found["name"])
    if found := CODE.fullmatch(text):
        yield f"Which word makes you {found['v']}?", f"{found['k']}.", "reverse"
        yield "What is my code word?", f"{found['k']}.", "reverse"


def _named(who: str, name: str) -> Iterator[tuple[str, str, str]]:
    for question in ("Who is {name} to me?", "Who or what is {name}?", "Who do I mean by {name}?", "What is {name}?"):
        yield question.format(name=name), f"{name[:1].upper()}{name[1:]} is your {who}.", "reverse"
    for question in ("What have I named my {who}?", "Which name does my {who} go by?", "My {who} answers to what name?"):
        yield question.format(who=who), f"{name[:1].upper()}{name[1:]}.", "paraphrase"


def _article(text: str) -> str:
    return re.sub(r"\ba (?=[aeiouAEIOU])", "an ", text)
