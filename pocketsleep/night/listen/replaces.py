"""Whether one note replaces another: does it say another value of the same thing?

A logistic regression on what the two share and on what was said when the later one was told. Its weights are fitted on pairs
that were marked by hand (`pocketsleep bench replaced models/study --fit`). Rules by subject and kind of value found as many,
and one note in thirty took another with it that still held; this one in two hundred (bench/LOG.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from pocketsleep.night.listen import words
from pocketsleep.night.listen.slots import SINGLE, VALUE, parts, slot, stems
from pocketsleep.night.listen.voice import base_form
from pocketsleep.nouns import Memory

LIKELY = 0.4  # chance from which on a note replaces another
WEIGHTS: dict[str, float] = {
    "shared": 0.87, "shared of all": 0.87, "shared of the shorter": 0.56, "two shared": 1.01,
    "same frame, same kind of value": 0.73, "both of the user": 1.3, "same subject": 0.95, "same verb": 0.77,
    "same kind of value": 1.19, "same slot": 1.47, "same slot of a kind": 1.02, "one of them names": -1.07,
    "old value in the new note": 1.26, "over": 1.42, "new value in the old note": 0.22, "more than the frame": -1.19,
    "a change was said": 2.36, "a change, shared of the shorter": 0.46, "there may be many": -0.83,
    "the old was said to be over": 1.3, "": -7.43,
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


def superseded(new: Memory, live: Sequence[Memory], said: str) -> str:
    """Id of the live memory that `new` replaces, '' for none: of what a person has one at a time the last, else the likeliest.
    `said`: the sentence that told the new one."""
    others = [m for m in live if m.status == "active" and m.text != new.text]
    if (key := slot(new)) in SINGLE and (same := [m for m in others if slot(m) == key]):
        return same[-1].id
    found = max(((chance(new, m, said), n) for n, m in enumerate(others)), default=(0.0, 0))
    return others[found[1]].id if found[0] >= LIKELY else ""


def chance(new: Memory, old: Memory, said: str) -> float:
    """That `new` replaces `old`, 0 to 1. `said`: the sentence that told the new one.

    Two notes that call one thing by two names exclude each other, whatever was said, and of one thing what was denied ("not
    Fen") holds no longer. Without a word in common, with the same values, or told as something besides ("also"), neither says
    anything against the other."""
    if not common(new, old) or _agree(new, old) or (_BESIDE.search(said) and not _LOST.search(said)):
        return 0.0
    if _renames(new, old) or _denied(new, old, said):
        return 1.0
    found = traits(new, old, said)
    return 1 / (1 + math.exp(-WEIGHTS[""] - sum(WEIGHTS[name] * value for name, value in found.items())))


def common(new: Memory, old: Memory) -> frozenset[str]:
    return stems(_plain(new.text)) & stems(_plain(old.text))


def _renames(new: Memory, old: Memory) -> bool:
    one, other = slot(new), slot(old)
    return one == other and one.endswith("|name") and all(_NAMES.search(m.text) for m in (new, old))


def _agree(new: Memory, old: Memory) -> bool:
    one, other = (stems(_value(m)) for m in (new, old))
    figures, others = ({hit[0].lower() for hit in VALUE.finditer(m.text)} for m in (new, old))
    return bool(one) and one == other and figures == others and bool(_NOT.search(new.text)) == bool(_NOT.search(old.text))


def _denied(new: Memory, old: Memory, said: str) -> bool:
    denied = stems(" ".join(_DENIED.findall(said))) - stems(new.text)
    return frozenset() != stems(_value(old)) <= denied and _subject(_plain(new.text)) == _subject(_plain(old.text))


def _value(memory: Memory) -> str:
    hit = None if memory.answer else _NAMES.search(memory.text) or VALUE.search(memory.text)
    return hit[0] if hit else memory.answer


def traits(new: Memory, old: Memory, said: str) -> dict[str, float]:
    "What two notes share, each from 0 to 1."
    ours, theirs, heard = stems(_plain(new.text)), stems(_plain(old.text)), stems(said)
    mine, yours = stems(_value(new)) & ours, stems(_value(old)) & theirs
    frame, other = ours - mine, theirs - yours
    shared = frame & other
    whole = len(shared) / max(1, min(len(frame), len(other)))
    (subject, verb), (before, was) = _subject(_plain(new.text)), _subject(_plain(old.text))
    user, same = subject == before == "the user", _kind(_value(new)) == _kind(_value(old)) != ""
    key, changed, held = slot(new) == slot(old), bool(_CHANGE.search(said)), _share(yours & ours, yours)
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
        "same slot of a kind": key and not slot(new).endswith("|value"),
        "one of them names": bool(_CALLED.search(new.text)) != bool(_CALLED.search(old.text)),
        "old value in the new note": held,
        "over": bool(_OVER.search(new.text)) and held > 0.5,
        "new value in the old note": _share(mine & theirs, mine),
        "more than the frame": min(4, len(ours - theirs - mine)) / 4,
        "a change was said": changed,
        "a change, shared of the shorter": changed * whole,
        "there may be many": bool(_MANY.search(new.text)),
        "the old was said to be over": bool((theirs - ours) & heard) and bool(_LOST.search(said)),
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
