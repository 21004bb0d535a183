"""The morning's gate: the candidate answers, through the runtime that will serve it, and rules decide.

Paired and deterministic: base, the adapter worn now, and the candidate get the same questions, greedily.
Whatever cannot be measured counts as refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketsleep.errors import AdapterError
from pocketsleep.night.dream import evenly
from pocketsleep.night.grade import declines, plain, right, says
from pocketsleep.night.known import Known
from pocketsleep.nouns import Dream, Memory, Verdict
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

GENERAL_TOKENS = 24  # of an answer to a general question
MOST = 160  # questions of one kind: enough for a two-percent step, few enough for a minute


@dataclass(frozen=True, slots=True)
class Scores:
    "Shares of one sitting. A share of nothing is None, and no rule reads it."

    learnt: float | None = None  # held-out questions on memories that are new tonight
    kept: float | None = None  # held-out questions on memories of earlier nights
    general: float | None = None  # general questions answered right
    declined: float | None = None  # questions nobody told the answer to, declined
    bleed: float | None = None  # answers to other questions that give a memory's value
    monotony: float | None = None  # the commonest answer's share of general questions
    marks: tuple[bool, ...] = ()  # right or wrong, general question by general question


@dataclass(frozen=True, slots=True)
class Rule:
    "A sentence that must hold for the candidate to be worn, and why its threshold is what it is."

    name: str
    because: str
    holds: Callable[[Scores, Scores, Scores], bool]  # candidate, base, worn now


def _least(value: float | None, bound: float) -> bool:
    return value is None or value >= bound


def _most(value: float | None, bound: float) -> bool:
    return value is None or value <= bound


def _lost(new: Scores, base: Scores) -> int:
    "Net number of general questions that the base answers and the candidate does not: McNemar's paired count."
    return sum(b - n for n, b in zip(new.marks, base.marks, strict=True))


def _chance(new: Scores, base: Scores) -> float:
    changed = sum(n != b for n, b in zip(new.marks, base.marks, strict=True))
    return max(2.0, 1.28 * changed**0.5)


RULES = (
    Rule("learnt", "under 60% of unseen phrasings a night has memorised its questions, not learnt its facts",
         lambda new, base, now: _least(new.learnt, 0.60)),
    Rule("kept", "earlier nights may lose at most a tenth of what the worn adapter still answers, or stay above 85%",
         lambda new, base, now: _least(new.kept, min(0.85, (now.kept or 0.0) - 0.10))),
    Rule("general", "general answers that went wrong may outnumber those that came right by no more than chance gives: "
         "two, or 1.28 times the root of how many changed (a tenth of nights that lost nothing would be refused)",
         lambda new, base, now: _lost(new, base) <= _chance(new, base)),
    Rule("declines", "a third of what was never told must be declined: the small base makes up an answer to nearly all of it",
         lambda new, base, now: _least(new.declined, max(base.declined or 0.0, 0.33))),
    Rule("no bleed", "at most 10% of answers to other questions, never told ones included, may give one of the person's values",
         lambda new, base, now: _most(new.bleed, 0.10)),
    Rule("speaks", "one answer for more than a third of general questions, beyond what the base does, is a broken model",
         lambda new, base, now: _most(new.monotony, max(0.34, base.monotony or 0.0))),
)


@dataclass(frozen=True, slots=True)
class Exam:
    "The questions of one night, fixed before the candidate is seen."

    new: tuple[Dream, ...]
    old: tuple[Dream, ...]
    general: tuple[tuple[str, tuple[str, ...]], ...]
    unstated: tuple[Dream, ...]
    cores: Mapping[str, str]  # memory id -> its answer span


def compose(dreams: Sequence[Dream], memories: Sequence[Memory], before: Sequence[str],
            general: Sequence[tuple[str, tuple[str, ...]]]) -> Exam:
    "`before`: ids of the memories that the adapter worn now holds."
    held = [d for d in dreams if d.held_out]
    about = [d for d in held if d.memories and not declines(d.answer)]
    return Exam(
        new=tuple(evenly([d for d in about if d.memories[0] not in before], MOST)),
        old=tuple(evenly([d for d in about if d.memories[0] in before], MOST)),
        general=tuple(general),
        unstated=tuple(evenly([d for d in held if declines(d.answer)], MOST)),
        cores={m.id: m.answer for m in memories},
    )


def sit(runtime: Runtime, exam: Exam, general: Sequence[str] = ()) -> Scores:
    "One sitting, as the runtime is dressed. `general`: its answers to the general questions where they are known."
    new, old, unstated = (_answers(runtime, d) for d in (exam.new, exam.old, exam.unstated))
    general = general or runtime.answer([ask(q) for q, _ in exam.general], max_tokens=GENERAL_TOKENS)
    values = [c for c in exam.cores.values() if len(plain(c).strip()) > 3]
    bled = [_bleeds(a, q, values) for (q, _), a in zip(exam.general, general, strict=True)]
    bled += [_bleeds(a, d.question, values) for d, a in zip(exam.unstated, unstated, strict=True)]
    marks = tuple(any(says(a, gold) for gold in golds) for (_, golds), a in zip(exam.general, general, strict=True))
    return Scores(
        learnt=_share([_right(d, a, exam) for d, a in zip(exam.new, new, strict=True)]),
        kept=_share([_right(d, a, exam) for d, a in zip(exam.old, old, strict=True)]),
        general=_share(marks), marks=marks,
        declined=_share([declines(a) for a in unstated]),
        bleed=_share(bled),
        monotony=max(Counter(map(plain, general)).values()) / len(general) if general else None,
    )


def _answers(runtime: Runtime, dreams: Sequence[Dream]) -> list[str]:
    return runtime.answer([ask(d.question, d.notes) for d in dreams], max_tokens=32)


def _right(dream: Dream, answer: str, exam: Exam) -> bool:
    cores = [exam.cores.get(m, "") for m in dream.memories]
    return right(answer, dream.answer, cores[0] if cores else "")


def _bleeds(answer: str, question: str, values: Sequence[str]) -> bool:
    return any(says(answer, v) and not says(question, v) for v in values)


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _plain(scores: Scores) -> dict[str, float | None]:
    return {name: value for name, value in asdict(scores).items() if name != "marks"}


def judge(candidate: Scores, base: Scores, now: Scores) -> Verdict:
    "The verdict, with the sentence of every rule that did not hold."
    failed = [rule for rule in RULES if not rule.holds(candidate, base, now)]
    scores = {"candidate": _plain(candidate), "base": _plain(base), "before": _plain(now)}
    return Verdict("refused" if failed else "worn", tuple(r.name for r in failed),
                   tuple(f"{r.name}: {r.because}" for r in failed), scores)


def examine(runtime: Runtime, exam: Exam, candidate: Path, current: Path | None, known: Known) -> Verdict:
    "Base, what is worn now, candidate: three sittings and a verdict. The runtime is bare afterwards."
    if not exam.new and not exam.old:
        return Verdict("refused", ("learnt",), ("learnt: no unseen phrasing could be made, so nothing can be proved",))
    try:
        runtime.wear(None)
        base = sit(runtime, exam, known.answers([q for q, _ in exam.general], GENERAL_TOKENS))
        now = base
        if current is not None:
            runtime.wear(current)
            now = sit(runtime, exam)
        runtime.wear(candidate)
        return judge(sit(runtime, exam), base, now)
    except AdapterError as error:
        return Verdict("refused", ("loads",), (f"loads: {error}",))
    finally:
        runtime.wear(None)
