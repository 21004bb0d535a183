"""What an answer is worth beside the right one, and how sure a mean of such marks is.

Intervals are percentile bootstraps over whole persons, authors or passages: what one of them got is not independent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pocketsleep.night.grade import plain, says

Row = dict[str, float | int]
TIMES = 2000  # resamplings


def f1(answer: str, gold: str) -> float:
    "Token F1 as SQuAD counts it: words in common, without case, accents, articles."
    said, wanted = plain(answer).split(), plain(gold).split()
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else float(said == wanted)


def rouge(answer: str, gold: str) -> float:
    "ROUGE-L recall: the share of the right answer's words that come in the same order in the answer. TOFU's measure."
    said, wanted = plain(answer).split(), plain(gold).split()
    best = [0] * (len(said) + 1)
    for word in wanted:
        row = [0]
        for n, one in enumerate(said):
            row.append(best[n] + 1 if one == word else max(best[n + 1], row[n]))
        best = row
    return best[-1] / len(wanted) if wanted else 0.0


def holds(answer: str, gold: str) -> float:
    "Whether the right answer stands in the answer, word for word."
    return float(says(answer, gold))


MEASURES: Mapping[str, Callable[[str, str], float]] = {"f1": f1, "rouge": rouge, "holds": holds}


def marked(answer: str, golds: Sequence[str]) -> dict[str, float]:
    "Every measure against the nearest of the right answers."
    return {name: max(measure(answer, gold) for gold in golds) for name, measure in MEASURES.items()}


def interval(marks: Mapping[str, Sequence[float]]) -> Row:
    """The mean in per cent with its 95% interval. marks: by unit. With one unit alone the questions are resampled instead, and
    `units` 1 says that the interval knows nothing of other units."""
    draws = _drawn(marks)
    low, high = np.percentile([_mean(marks, d) for d in draws], (2.5, 97.5))
    whole = _mean(marks, [(unit, range(len(some))) for unit, some in marks.items()])
    return _told(whole, low, high) | {"n": sum(map(len, marks.values())), "units": len(marks)}


def recovered(base: Mapping[str, Sequence[float]], arm: Mapping[str, Sequence[float]], best: Mapping[str, Sequence[float]]) -> Row:
    """How much of the way from the base to the context that answers it an arm goes, in per cent, paired: the same questions in
    the same order. Empty where the context does not help."""
    def share(drawn: Drawn) -> float:
        low, at, high = (_mean(some, drawn) for some in (base, arm, best))
        return (at - low) / (high - low) if high > low else float("nan")

    whole = share([(unit, range(len(some))) for unit, some in base.items()])
    shares = [share(d) for d in _drawn(base)]
    if np.isnan(whole) or np.isnan(shares).mean() > 0.05:
        return {}
    return _told(whole, *np.nanpercentile(shares, (2.5, 97.5)))


Drawn = list[tuple[str, Sequence[int]]]  # units, each with the questions taken of it


def _drawn(marks: Mapping[str, Sequence[float]]) -> list[Drawn]:
    chance, units = np.random.default_rng(0), sorted(marks)
    if len(units) == 1:
        count = len(marks[units[0]])
        return [[(units[0], chance.integers(0, count, count).tolist())] for _ in range(TIMES)]
    return [[(units[u], range(len(marks[units[u]]))) for u in chance.integers(0, len(units), len(units))] for _ in range(TIMES)]


def _mean(marks: Mapping[str, Sequence[float]], drawn: Drawn) -> float:
    return float(np.mean([marks[unit][n] for unit, some in drawn for n in some]))


def _told(mean: float, low: float, high: float) -> Row:
    return {"share": round(100 * mean, 1), "low": round(100 * float(low), 1), "high": round(100 * float(high), 1)}


__all__ = ["MEASURES", "f1", "holds", "interval", "marked", "recovered", "rouge"]
