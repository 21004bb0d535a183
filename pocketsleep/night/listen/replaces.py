"""Whether one note replaces another: does it say another value of the same thing?

A logistic regression on what the two share and on what was said when the later one was told. Its weights are fitted on pairs
that were marked by hand (`pocketsleep bench replaced models/study --fit`). Rules by subject and kind of value found as many,
and one note in thirty took another with it that still held; this one in two hundred (bench/LOG.md). Where there are vectors
(nearness.py), what is not out of the question by words is judged once more with how near the two notes are to each other.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pocketsleep.night.listen import words
from pocketsleep.night.listen.slots import SINGLE, VALUE, parts, slot, stems
from pocketsleep.night.listen.voice import base_form
from pocketsleep.nouns import Memory

LIKELY = 0.4  # chance from which on a note replaces another
GLANCE, SURE = 0.01, 0.5  # with vectors: the chance by words that is worth a second look, and that by both from which on it does
ALIKE = 4.0  # times the cosine, so that a ridge weighs it as it does the others
Alike = Callable[[str, Sequence[str]], Sequence[float]]  # how near a note is to each of some others, -1 to 1
WEIGHTS: dict[str, float] = {
    "shared": 0.87, "shared of all": 0.87, "shared of the shorter": 0.56, "two shared": 1.01,
    "same frame, same kind of value": 0.73, "both of the user": 1.3, "same subject": 0.95, "same verb": 0.77,
    "same kind of value": 1.19, "same slot": 1.47, "same slot of a kind": 1.02, "one of them names": -1.07,
    "old value in the new note": 1.26, "over": 1.42, "new value in the old note": 0.22, "more than the frame": -1.19,
    "a change was said": 2.36, "a change, shared of the shorter": 0.46, "there may be many": -0.83,
    "the old was said to be over": 1.3, "": -7.43,
}
NEAR_WEIGHTS: dict[str, float] = {  # of pairs that are worth a second look
    "shared": 0.22, "shared of all": 0.39, "shared of the shorter": -0.45, "two shared": 0.26,
    "same frame, same kind of value": 0.54, "both of the user": 0.92, "same subject": 0.14, "same verb": 0.27,
    "same kind of value": 1.27, "same slot": 1.37, "same slot of a kind": 0.66, "one of them names": -0.69,
    "old value in the new note": -0.11, "over": 1.87, "new value in the old note": 0.07, "more than the frame": -0.27,
    "a change was said": 1.99, "a change, shared of the shorter": 0.63, "there may be many": -1.1,
    "the old was said to be over": 1.01, "alike": 1.6, "": -8.48,
}
_NUMBER = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|"
    r"(?:thir|for|fif|six|seven|eigh|nine)ty|hundred|first|second|third|fourth)\b", re.IGNORECASE)
_NAME = re.compile(r"(?:(?:a|an|the) )?(?:(?:19|20)\d\d )?(?:[a-z-]+ ){0,2}[A-ZÀ-Þ]")
_NAMES = re.compile(
    r"(?:(?:Dr|Mr|Mrs|Ms|Professor)\.? )?[A-ZÀ-Þ][\w'À-ÿ.-]*(?: (?:[a-z]{2,3} )?[A-ZÀ-Þ][\w'À-ÿ.-]*){0,3}(?=\.$)")
_DENIED = re.compile(
    r"\b(?:not(?! (?:only|just))|instead of|no longer|rather than|used to be|as opposed to|gave up|ditched|"
    r"(?:switched|changed|moved) from|no more)\b ([^,.;!?]{2,40})", re.IGNORECASE)
_NOW = re.compile(r"\b(?:now|currently|these days|at the moment|nowadays) ?")
_CALLED = re.compile(r"\b(?:called|named|nicknamed|name)\b")
_OVER = re.compile(
    r"\b(?:sold|traded|swapped|gave up|given up|stopped|quit|left|lost|died|broke|no longer|not together|closed|split|divorced|"
    r"dropped|cancell?ed|not [a-z]+ any ?more)\b")
_LOST = re.compile(
    r"\b(?:left|leave|leaving|lost|sold|traded|gave up|given up|goodbye|bye|dead|gone|died|finish\w*|retire\w*|not|no more|"
    r"no longer|any ?more|instead of|dropped|quit|ditched|wasn't|isn't|ended|closed)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|no|never)\b|n't\b")
_BESIDE = re.compile(r"\b(?:also|as well|another|besides)\b|\btoo\b(?=[,.!?]|$)", re.IGNORECASE)
_MANY = re.compile(
    r"\b(?:likes?|loves?|enjoys?|hates?|takes?|plays?|speaks?|reads?|eats?|drinks?|knows?|owns?|collects?|grows?|allergic|"
    r"visits?|met|been to|learning|learns?|friends?|brothers?|sisters?|sons?|daughters?|child|cousins?|neighbours?|neighbors?|"
    r"colleagues?|dogs?|cats?|hens?)\b", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(?:now|no longer|no more|any ?more|instead|after all|used to|these days|nowadays|switch\w*|swap\w*|mov(?:ed|ing)|"
    r"chang\w+|as of|gone over|given up|gave up|lost|sold|traded|becomes?|became|pushed|"
    r"put (?:off|back|on)|shift\w*|new|update\w*|amend|"
    r"finish\w*|retire\w*|in its place|took over|went (?:back )?to|booted|dropped|replaced|cancel\w*|picked up|"
    rf"not (?:the )?\d|from (?:now|next|{'|'.join(sorted(words.DAYS | (words.MONTHS - {'mar'})))}))\b", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    "A note, and what of it is compared, found once."

    memory: Memory

    @cached_property
    def id(self) -> str:
        return self.memory.id

    @cached_property
    def slot(self) -> str:
        return slot(self.memory)

    @cached_property
    def stems(self) -> frozenset[str]:
        return stems(_plain(self.memory.text))

    @cached_property
    def subject(self) -> tuple[str, str]:
        return _subject(_plain(self.memory.text))

    @cached_property
    def value(self) -> str:
        hit = None if self.memory.answer else _NAMES.search(self.memory.text) or VALUE.search(self.memory.text)
        return hit[0] if hit else self.memory.answer

    @cached_property
    def values(self) -> frozenset[str]:
        return stems(self.value)

    @cached_property
    def kind(self) -> str:
        return _kind(self.value)

    @cached_property
    def figures(self) -> frozenset[str]:
        return frozenset(hit[0].lower() for hit in VALUE.finditer(self.memory.text))

    @cached_property
    def denies(self) -> bool:
        return bool(_NOT.search(self.memory.text))

    @cached_property
    def calls(self) -> bool:
        return bool(_CALLED.search(self.memory.text))

    @cached_property
    def over(self) -> bool:
        return bool(_OVER.search(self.memory.text))

    @cached_property
    def many(self) -> bool:
        return bool(_MANY.search(self.memory.text))


class Standing:
    """Notes that hold, found by the words that carry meaning and by what a person has one at a time: notes with none in common
    cannot replace each other, and of many most have none."""

    def __init__(self, notes: Iterable[Memory] = (), alike: Alike | None = None) -> None:
        self.alike = alike
        self._notes: list[Seen] = []
        self._of_stem: dict[str, list[int]] = defaultdict(list)
        self._of_slot: dict[str, list[int]] = defaultdict(list)
        self._gone: set[str] = set()
        for note in notes:
            self.add(note)

    def add(self, note: Memory, instead_of: str = "") -> None:
        "The latest of them. The one of this id holds no longer: nothing is replaced twice."
        seen = Seen(note)
        for stem in seen.stems:
            self._of_stem[stem].append(len(self._notes))
        if seen.slot in SINGLE:
            self._of_slot[seen.slot].append(len(self._notes))
        self._notes.append(seen)
        self._gone.discard(note.id)
        self._gone.add(instead_of)

    def is_gone(self, note: Memory) -> bool:
        return note.id in self._gone

    def replaced(self, new: Memory, said: str) -> Memory | None:
        """The note that `new` replaces: of what a person has one at a time the last, else the likeliest. `said`: the sentence
        that told the new one."""
        seen = Seen(new)
        if seen.slot in SINGLE and (same := self._others(new, self._of_slot.get(seen.slot, ()))):
            return self._notes[same[-1]].memory
        near = {n for stem in seen.stems for n in self._of_stem.get(stem, ())}
        chances = [(_chance(seen, self._notes[n], said), n) for n in self._others(new, near)]
        if self.alike:
            chances = self._looked_again(seen, chances, said, self.alike)
        likeliest = max(chances, default=(0.0, 0))
        return self._notes[likeliest[1]].memory if likeliest[0] >= (SURE if self.alike else LIKELY) else None

    def _looked_again(self, new: Seen, chances: Sequence[tuple[float, int]], said: str, alike: Alike) -> list[tuple[float, int]]:
        "What is certain by words stays so, what is next to impossible is left out, the rest is judged by words and nearness."
        open_ = [n for chance, n in chances if GLANCE <= chance < 1]
        near = alike(new.memory.text, [self._notes[n].memory.text for n in open_]) if open_ else ()
        judged = [(_judged(_traits(new, self._notes[n], said) | {"alike": ALIKE * cosine}, NEAR_WEIGHTS), n)
                  for n, cosine in zip(open_, near, strict=True)]
        return [*judged, *((chance, n) for chance, n in chances if chance == 1)]

    def _others(self, new: Memory, places: Iterable[int]) -> list[int]:
        return [n for n in places if self._notes[n].memory.text != new.text and self._notes[n].id not in self._gone]


def superseded(new: Memory, live: Sequence[Memory], said: str, alike: Alike | None = None) -> str:
    "Id of the live memory that `new` replaces, '' for none."
    found = Standing((m for m in live if m.status == "active"), alike).replaced(new, said)
    return found.id if found else ""


def chance(new: Memory, old: Memory, said: str) -> float:
    """That `new` replaces `old`, 0 to 1. `said`: the sentence that told the new one.

    Two notes that call one thing by two names exclude each other, whatever was said, and of one thing what was denied ("not
    Fen") holds no longer. Without a word in common, with the same values, or told as something besides ("also"), neither says
    anything against the other."""
    return _chance(Seen(new), Seen(old), said)


def _chance(new: Seen, old: Seen, said: str) -> float:
    if new.stems.isdisjoint(old.stems) or _agree(new, old) or _besides(said):
        return 0.0
    if _renames(new, old) or _denied(new, old, said):
        return 1.0
    return _judged(_traits(new, old, said), WEIGHTS)


def _judged(found: dict[str, float], weights: dict[str, float]) -> float:
    return 1 / (1 + math.exp(-weights[""] - sum(weights[name] * value for name, value in found.items())))


def common(new: Memory, old: Memory) -> frozenset[str]:
    return Seen(new).stems & Seen(old).stems


@lru_cache(maxsize=1)  # one sentence is held against many notes
def _besides(said: str) -> bool:
    return bool(_BESIDE.search(said) and not _LOST.search(said))


@lru_cache(maxsize=1)
def _heard(said: str) -> tuple[frozenset[str], frozenset[str], bool, bool]:
    "Of a sentence: its words, those that it denies, whether it tells of a change and of a loss."
    return stems(said), stems(" ".join(_DENIED.findall(said))), bool(_CHANGE.search(said)), bool(_LOST.search(said))


def _renames(new: Seen, old: Seen) -> bool:
    return new.slot == old.slot and new.slot.endswith("|name") and all(_NAMES.search(one.memory.text) for one in (new, old))


def _agree(new: Seen, old: Seen) -> bool:
    return bool(new.values) and new.values == old.values and new.figures == old.figures and new.denies == old.denies


def _denied(new: Seen, old: Seen, said: str) -> bool:
    denied = _heard(said)[1]
    return bool(denied) and frozenset() != old.values <= denied - stems(new.memory.text) and new.subject == old.subject


def traits(new: Memory, old: Memory, said: str) -> dict[str, float]:
    "What two notes share, each from 0 to 1."
    return _traits(Seen(new), Seen(old), said)


def _traits(new: Seen, old: Seen, said: str) -> dict[str, float]:
    heard, _, changed, lost = _heard(said)
    ours, theirs = new.stems, old.stems
    mine, yours = new.values & ours, old.values & theirs
    frame, other = ours - mine, theirs - yours
    shared = frame & other
    whole = len(shared) / max(1, min(len(frame), len(other)))
    (subject, verb), (before, was) = new.subject, old.subject
    user, same = subject == before == "the user", new.kind == old.kind != ""
    key, held = new.slot == old.slot, _share(yours & ours, yours)
    return {name: float(value) for name, value in {
        "shared": min(len(shared), 4) / 4,
        "shared of all": len(shared) / max(1, len(frame | other)),
        "shared of the shorter": whole,
        "two shared": len(shared) >= 2,
        "same frame, same kind of value": frame == other and bool(frame) and same,
        "both of the user": user,
        "same subject": subject == before and not user,
        "same verb": verb == was and verb not in ("", "be", "is", "are", "has", "have"),
        "same kind of value": same,
        "same slot": key,
        "same slot of a kind": key and not new.slot.endswith("|value"),
        "one of them names": new.calls != old.calls,
        "old value in the new note": held,
        "over": new.over and held > 0.5,
        "new value in the old note": _share(mine & theirs, mine),
        "more than the frame": min(4, len(ours - theirs - mine)) / 4,
        "a change was said": changed,
        "a change, shared of the shorter": changed * whole,
        "there may be many": new.many,
        "the old was said to be over": bool((theirs - ours) & heard) and lost,
    }.items()}


def _share(some: frozenset[str], of: frozenset[str]) -> float:
    return len(some) / max(1, len(of))


def _plain(text: str) -> str:
    return re.sub(" +", " ", _NOW.sub("", text)).replace(" .", ".")


def _subject(text: str) -> tuple[str, str]:
    subject, verb, _ = parts(text)
    if subject:
        return subject.lower(), base_form(verb)
    named = re.match(r"[A-ZÀ-Þ][\w'À-ÿ-]+", text)
    return (named[0].lower() if named else "", "")


def _kind(value: str) -> str:
    if _NAME.match(value):
        return "name"
    if hit := VALUE.search(value):
        return str(hit.lastgroup)
    return "number" if _NUMBER.search(value) else "word" if value else ""
