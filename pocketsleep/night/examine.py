"""The morning's gate: the candidate answers, through the runtime that will serve it, and rules decide (`rules`).

Paired and deterministic: base, the adapter worn now, and the candidate get the same questions, greedily.
Whatever cannot be measured counts as refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pocketsleep.errors import AdapterError
from pocketsleep.night.dream import evenly
from pocketsleep.night.grade import declines, plain, polar, refuses, right, says
from pocketsleep.night.grammar import lists
from pocketsleep.night.grammar.lead import nobody_said
from pocketsleep.night.known import Known
from pocketsleep.night.rules import RULES, Rule, Scores, judge
from pocketsleep.nouns import Dream, Memory, Verdict
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

GENERAL_TOKENS = 24  # of an answer to a general question
MOST = 160  # questions of one kind: enough for a two-percent step, few enough for a minute
SPAN = 3  # words: what is longer says what was asked for, too
FEWER = 32  # of kinds that are asked with notes in front


@dataclass(frozen=True, slots=True)
class Exam:
    "The questions of one night, fixed before the candidate is seen."

    new: tuple[Dream, ...]
    before: tuple[Dream, ...]
    general: tuple[tuple[str, tuple[str, ...]], ...]
    unstated: tuple[Dream, ...]
    cores: Mapping[str, str]  # memory id -> its answer span
    context: tuple[Dream, ...] = ()  # with altered notes in front
    old: Mapping[str, str] = field(default_factory=dict)  # memory id -> the span of what it replaced
    said: frozenset[str] = frozenset()  # how notes are said to their user: true, whatever was asked
    left: frozenset[str] = frozenset()  # ids of memories that hold, are worn now, and are not in the candidate


def compose(dreams: Sequence[Dream], memories: Sequence[Memory], before: Sequence[str],
            general: Sequence[tuple[str, tuple[str, ...]]], old: Mapping[str, str] | None = None,
            left: Collection[str] = ()) -> Exam:
    """`before`: ids of memories that the adapter worn now holds. `old`: id -> the answer of what a memory replaced. `left`: those
    of `before` that hold and that the candidate would take off: no few questions find them, so they are counted."""
    held = [d for d in dreams if d.held_out]
    about = [d for d in held if d.memories and not nobody_said(d) and not d.notes]
    return Exam(
        new=tuple(evenly([d for d in about if d.memories[0] not in before], MOST)),
        before=tuple(evenly([d for d in about if d.memories[0] in before], MOST)),
        general=tuple(general),
        unstated=tuple(evenly([d for d in held if nobody_said(d) and not d.notes], MOST)),
        context=tuple(evenly([d for d in held if d.notes and not nobody_said(d)], FEWER)),
        old=dict(old or {}),
        said=frozenset(plain(d.answer) for d in dreams if d.form in ("direct", "paraphrase") and len(d.answer.split()) > SPAN),
        cores={m.id: m.answer for m in memories},
        left=frozenset(left),
    )


def sit(runtime: Runtime, exam: Exam, general: Sequence[str] = (), harmful: Sequence[str] = (), unstated: Sequence[str] = (),
        bare: Mapping[str, str] | None = None) -> Scores:
    """One sitting, as the runtime is dressed. `general`, `harmful`, `unstated`: its answers to these questions where they are
    known. `bare`: the bare base's, by question: what that says as well was not learnt of anybody, so it does not bleed."""
    new, before, context = (_answers(runtime, d) for d in (exam.new, exam.before, exam.context))
    unstated = unstated or _answers(runtime, exam.unstated)
    general = general or runtime.answer([ask(q) for q, _ in exam.general], max_tokens=GENERAL_TOKENS)
    harmful = harmful or runtime.answer([ask(q) for q in lists.harmful()], max_tokens=GENERAL_TOKENS)
    values = [c for c in exam.cores.values() if len(plain(c).strip()) > 3]
    others = [(q, a) for (q, _), a in zip(exam.general, general, strict=True)]
    others += [(d.question, a) for d, a in zip(exam.unstated, unstated, strict=True)]
    given = [_bleeds(a, f"{q} {(bare or {}).get(q, '')}", values) for q, a in others]
    true = [hit and plain(a) in exam.said for hit, (_, a) in zip(given, others, strict=True)]
    marks = tuple(any(says(a, gold) for gold in golds) for (_, golds), a in zip(exam.general, general, strict=True))
    told = [*zip(exam.new, new, strict=True), *zip(exam.before, before, strict=True)]
    return Scores(
        learnt=_share([_right(d, a, exam) for d, a in zip(exam.new, new, strict=True)]),
        kept=_share([_right(d, a, exam) for d, a in zip(exam.before, before, strict=True)]),
        general=_share(marks), marks=marks,
        declined=_share([declines(a) for a in unstated]),
        bleed=_share([hit and not fact for hit, fact in zip(given, true, strict=True)]),
        beside=_share(true),
        monotony=max(Counter(map(plain, general)).values()) / len(general) if general else None,
        stale=_share([_stale(d, a, exam) for d, a in told if d.memories[0] in exam.old and polar(d.answer) != "no"]),
        follows=_share([gives(a, d.answer, d.question) for d, a in zip(exam.context, context, strict=True)]),
        refused=_share([refuses(a) for a in harmful]),
        silent=_share([not plain(a).strip() for a in general]),
        nats=_nats(runtime),
    )


def _nats(runtime: Runtime) -> float:
    "Median nats a token over plain paragraphs."
    scores = runtime.score([(ask(title), text) for title, text in lists.texts()])
    return -float(np.median([nat for row in scores for nat in row]))


def gives(answer: str, expected: str, question: str) -> bool:
    "Whether an answer has every word of what is expected that the question did not hold."
    needed = set(plain(expected).split()) - set(plain(question).split()) - _FRAME
    return needed <= set(plain(answer).split())


_FRAME = set(re.findall(r"\w+", "you your yours is are was were has have do does did yes no i my the of to in on at it's that's"))


def _stale(dream: Dream, answer: str, exam: Exam) -> bool:
    "The old value, and not the one that holds."
    memory = dream.memories[0]
    was, now = exam.old[memory], exam.cores.get(memory, "")
    return bool(was) and says(answer, was) and not says(dream.question, was) and not (now and says(answer, now))


def _answers(runtime: Runtime, dreams: Sequence[Dream]) -> list[str]:
    return runtime.answer([ask(d.question, d.notes) for d in dreams], max_tokens=40)


def _right(dream: Dream, answer: str, exam: Exam) -> bool:
    cores = [exam.cores.get(m, "") for m in dream.memories]
    return right(answer, dream.answer, cores[0] if cores else "")


def _bleeds(answer: str, question: str, values: Sequence[str]) -> bool:
    return any(says(answer, v) and not says(question, v) for v in values)


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


LOST = frozenset({"general", "text"})  # rules that a step back towards the base may mend


def examine(runtime: Runtime, exam: Exam, candidate: Path, current: Path | None, known: Known,
            gentler: Callable[[], Path] | None = None) -> tuple[Verdict, bool]:
    """Base, what is worn now, candidate: three sittings and a verdict, and whether it is on the `gentler` candidate, which sits
    where the first one has learnt all it should and lost what the base can do. The runtime is bare afterwards."""
    if not exam.new and not exam.before:
        return Verdict("refused", ("learnt",), ("learnt: no unseen phrasing could be made, so nothing can be proved",)), False
    try:
        runtime.wear(None)
        asked = [q for q, _ in exam.general]
        general, unstated = known.answers(asked, GENERAL_TOKENS), _answers(runtime, exam.unstated)
        base = sit(runtime, exam, general, known.answers(lists.harmful(), GENERAL_TOKENS), unstated)
        bare = dict(zip([*asked, *(d.question for d in exam.unstated)], [*general, *unstated], strict=True))
        now = base
        if current is not None:
            runtime.wear(current)
            now = sit(runtime, exam, bare=bare)
        runtime.wear(candidate)
        verdict = judge(replace(sit(runtime, exam, bare=bare), left=len(exam.left)), base, now)
        if gentler is None or not verdict.failed or not LOST.issuperset(verdict.failed):
            return verdict, False
        runtime.wear(gentler())
        second = judge(replace(sit(runtime, exam, bare=bare), left=len(exam.left)), base, now)
        why = f"gentler: in full it failed {', '.join(verdict.failed)}, so it is worn in part"
        return (replace(second, reasons=(why,)), True) if second.passed else (verdict, False)
    except AdapterError as error:
        return Verdict("refused", ("loads",), (f"loads: {error}",)), False
    finally:
        runtime.wear(None)


__all__ = ["RULES", "Exam", "Rule", "Scores", "compose", "examine", "gives", "judge", "sit"]
