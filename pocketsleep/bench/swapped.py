"""Lessons of the writer with other names and numbers: a small model that has to copy what it never saw learns to copy.

A word that stands in a note and in what was said, and names something (a capital letter, or digits), is another one each
time the lesson is taken: half of the time a name of some other note, else one that nobody bears. Wordings of what somebody
is called and does are one: "Ana, the user's sister, sings." is "The user's sister Ana sings."
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random

from pocketsleep.night.listen.people import HEADS
from pocketsleep.nouns import Lesson, Message

_NAME = r"[A-ZÀ-Þ][\w'À-ÿ-]+"
_BEHIND = re.compile(rf"^(?P<name>{_NAME}(?: {_NAME})?), (?P<whose>the user's [\w' -]+?),? (?P<rest>[a-z].+)$")
_IS = re.compile(rf"^(?P<whose>The user's (?:[\w'-]+ )?(?:{HEADS})) (?:is|was|are|is named) (?P<name>{_NAME}(?: {_NAME})?)\.$")
_NAMED = re.compile(rf"(?<=[a-z,;:'\"] ){_NAME}|(?<=\"){_NAME}|\b\d[\d.,:/]*\d\b|\b\d\b")
_FIXED = frozenset(
    "I I'm I'd I've The January February March April May June July August September October November December Monday Tuesday "
    "Wednesday Thursday Friday Saturday Sunday Mondays Tuesdays Wednesdays Thursdays Fridays Saturdays Sundays English "
    "Christmas Easter Mr Mrs Dr".split())
_STARTS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a e i o u a e o ai ea oo ei ia".split()
_ENDS = ["", "", "n", "l", "r", "s", "th", "ck", "m", "rd", "nd", "x", "lle", "ny", "ra", "ska", "by"]


def reworded(text: str) -> str:
    "A note in the one wording for whose name something is."
    if hit := _BEHIND.match(text):
        return f"The user's{hit['whose'][10:]} {hit['name']} {hit['rest']}"
    if hit := _IS.match(text):
        return f"{hit['whose']} is called {hit['name']}."
    return text


def names(lessons: Sequence[Lesson]) -> list[str]:
    "Every name that some note gives."
    found = {re.sub(r"'s?$", "", w) for one in lessons for w in _NAMED.findall(one.answer) if not w[0].isdigit()}
    return sorted(found - _FIXED)


def swapped(lesson: Lesson, pool: Sequence[str], chance: Random) -> Lesson:
    "The same lesson with other names and numbers, in what was said and in the notes."
    said = lesson.prompt[-1].content
    found = {w for w in _NAMED.findall(lesson.answer) if w not in _FIXED and re.search(rf"(?<!\w){re.escape(w)}(?!\w)", said, re.I)}
    new = {w.casefold(): _other(w, pool, chance) for w in sorted(found)}
    if not new:
        return lesson
    any_of = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(found, key=len, reverse=True))) + r")(?!\w)", re.IGNORECASE)
    turn = lambda text: any_of.sub(lambda hit: _cased(new[hit[0].casefold()], hit[0]), text)  # noqa: E731
    return Lesson((*lesson.prompt[:-1], Message("user", turn(said))), turn(lesson.answer))


def passes(lessons: Sequence[Lesson], count: int, share: float, seed: int) -> Iterator[Lesson]:
    "`count` passes over the lessons, each in an order of its own; from the second on a `share` of them swapped."
    chance, pool = Random(seed), names(lessons)
    for n in range(count):
        order = list(lessons)
        chance.shuffle(order)
        yield from (swapped(one, pool, chance) if n and chance.random() < share else one for one in order)


def _other(word: str, pool: Sequence[str], chance: Random) -> str:
    if word[0].isdigit():
        return re.sub(r"\d+", lambda run: "".join(str(chance.randint(not at, 9)) for at in range(len(run[0]))), word)
    if chance.random() < 0.5:
        return chance.choice(pool)
    parts = [chance.choice(_STARTS) + chance.choice(_VOWELS) for _ in range(chance.choice([1, 2, 2]))]
    return ("".join(parts) + chance.choice(_ENDS)).capitalize()


def _cased(word: str, as_in: str) -> str:
    "Sloppy typing stays sloppy."
    return word.lower() if as_in.islower() else word.upper() if as_in.isupper() and len(as_in) > 1 else word
