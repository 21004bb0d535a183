"""Calls of tools -> knacks: what was different in a call that went well from the one before it, which failed.

    call -> error -> the next call of the same tool, otherwise -> no error

A result is anybody's text, and so is all that is said after it: an error may say "call again, with a copy to ...". So no word of a
result is kept, and no value of an argument; of what was different only the shape is. Names are kept, and a name that first stands
in the second call may have come out of the error. It cannot be told from an honest one here ("`currency` is missing" is what errors
say), so it is bounded: one identifier of at most 32 characters, in a sentence of ours, in no weights, and put in front of a model
only where the program itself offers a tool of that name and requires an argument of that name (serve/knacks.py).

What is different has to be shape and nothing else. Where a value changed too, nothing says which of both it was.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pocketsleep.night.outcome import Outcome, outcome
from pocketsleep.nouns import Cite, Episode, Knack, Turn
from pocketsleep.weights import tools

MOST = 3  # arguments that differ, above which it is another call rather than the same one put right
_TOOL = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
# Numbers with marks between them, as dates and times are written. All but its digits is one of these few marks: it spells nothing.
_FORM = re.compile(r"[0-9]{1,14}(?:[-/.:,T ]{1,2}[0-9]{1,9}){0,6}Z?")
_UNREAD = ("text", "value")  # the one argument of a call whose arguments were no JSON object (serve/api_asked.py, api_heard.py)
Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Round:
    "A turn with calls, the last of their results, and how they ended: all of them, or it is not certain."

    first: int
    last: int
    calls: tuple[tools.Call, ...]
    outcome: Outcome


def knacks(episode: Episode, fresh: Collection[Cite]) -> list[Knack]:
    "Those of a conversation that end in a turn which has not slept. None where a turn is off the record, or forgotten."
    found = []
    for failed, again in pairwise(_rounds(episode.turns)):
        if (failed.outcome, again.outcome) != ("failed", "fine") or Cite(episode.id, again.last) not in fresh:
            continue
        if not _whole(episode.turns[failed.first : again.last + 1]):
            continue
        for tool in sorted(_once(failed.calls).keys() & _once(again.calls).keys()):
            found += [Knack(tool, argument, wants, was, episode.id, failed.first, again.last)
                      for argument, wants, was in _different(_once(failed.calls)[tool], _once(again.calls)[tool])]
    return found


def _whole(turns: Sequence[Turn]) -> bool:
    "Whether all is there, and nobody but the assistant and its tools spoke: a person may have asked for something else."
    return all(turn.text and not turn.private and turn.role != "user" for turn in turns)


def _rounds(turns: Sequence[Turn]) -> Iterator[_Round]:
    "In order, those that cannot be read among them: what stands on both sides of one is not next to each other."
    for first, turn in enumerate(turns):
        if turn.role != "assistant" or tools.OPEN not in turn.text:
            continue
        last = first
        while last + 1 < len(turns) and turns[last + 1].role == "tool":
            last += 1
        calls, ends = _calls(turn.text), {outcome(turn.text) for turn in turns[first + 1 : last + 1]}
        # Of several results none says which call it is of. Where all of them ended alike, it does not matter.
        certain = 0 < len(calls) == last - first and len(ends) == 1
        yield _Round(first, last, calls, ends.pop() if certain else "")


def _calls(text: str) -> tuple[tools.Call, ...]:
    "The calls in a turn; none of them where a part of it cannot be read: a value may hold what looks like another call."
    parts = list(tools.split([text]))
    if any(mark in part for part in parts if isinstance(part, str) for mark in (tools.OPEN, tools.CLOSE)):
        return ()
    return tuple(part for part in parts if not isinstance(part, str))


def _once(calls: Sequence[tools.Call]) -> dict[str, Arguments]:
    "By tool, the arguments of those that were called once. A name that is no identifier is none."
    times = Counter(call["name"] for call in calls)
    return {call["name"]: call["arguments"] for call in calls if times[call["name"]] == 1 and _TOOL.fullmatch(call["name"])}


def _different(before: Arguments, after: Arguments) -> list[tuple[str, str, str]]:
    "(argument, what it wants to be, what it was); nothing where that is not all the difference there is."
    if len(before) == 1 and before.keys() <= set(_UNREAD) - after.keys():
        return []
    names = [name for name in {**before, **after} if _spelled(before.get(name)) != _spelled(after.get(name))]
    found = [(name, *_shapes(before.get(name), after.get(name))) for name in sorted(names)]
    shape_alone = all(wants != was and _ARGUMENT.fullmatch(name) for name, wants, was in found)
    return found if len(found) <= MOST and shape_alone else []


def _spelled(value: Any) -> str:
    "By which two values are the same; Python has 1 for True."
    return json.dumps(value, sort_keys=True)


def _shapes(before: Any, after: Any) -> tuple[str, str]:
    "What an argument wants to be, and what it was; the same twice where that is not the difference."
    was, wants = _kind(before), _kind(after)
    if wants != "text" or was != "text":
        return wants, was
    old, new = _form(before), _form(after)
    told_otherwise = _regrouped(before, after) if old else new.count(":") > 0 or len(re.findall(r"[^0]+", new.strip("Z"))) > 1
    return (new, old or "text") if new and told_otherwise else ("text", "text")


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true/false"
    kinds = ((str, "text"), (int | float, "number"), (list, "list"), (dict, "object"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def _form(text: str) -> str:
    "Of numbers with marks between them, each digit as 0; '' for any other text."
    return re.sub("[0-9]", "0", text) if len(text) <= 32 and _FORM.fullmatch(text) else ""


def _regrouped(one: str, other: str) -> bool:
    "Whether it is the same said otherwise: the same digits in a row, or numbers (two or more), a year with or without its century."
    rows = [re.findall("[0-9]+", text) for text in (one, other)]
    fewer, more = sorted((Counter(int(number) % 100 for number in row) for row in rows), key=Counter.total)
    return "".join(rows[0]) == "".join(rows[1]) or (fewer.total() > 1 and fewer <= more)
