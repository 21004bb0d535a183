"""Which sentences say something that lasts: a logistic probe on a base's hidden states and on what rules say.

Choosing is easier than writing: on messages of writers left out, a small base's own states choose far better
than the base could be prompted to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketsleep.disk import new_file
from pocketsleep.night.listen.said import Said, flags

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Probe:
    "sigmoid((features - mean) . weights + bias); `of` is the SHA-256 of the base whose states it reads."

    mean: Array  # [F]
    weights: Array  # [F]
    bias: float
    of: str

    def chances(self, features: Array) -> Array:
        "[n, F] -> [n] probability that a careful listener would note something."
        return np.asarray(1 / (1 + np.exp(-((features - self.mean) @ self.weights + self.bias))))

    @staticmethod
    def read(path: Path) -> Probe:
        with np.load(path, allow_pickle=False) as kept:
            return Probe(kept["mean"].astype(np.float64), kept["weights"].astype(np.float64), float(kept["bias"]), str(kept["of"]))

    def write(self, path: Path) -> None:
        with new_file(path) as draft, draft.open("wb") as file:
            np.savez(file, mean=self.mean.astype(np.float32), weights=self.weights.astype(np.float32), bias=self.bias, of=self.of)


def features(said: Sequence[Said], states: Iterator[Array], spans: Sequence[Sequence[tuple[int, int]]]) -> Iterator[Array]:
    """One row [F] a sentence, in order: mean and last token of its states in each block that is read, then the flags.
    A sentence without tokens has zeros."""
    for one, state, where in zip(said, states, spans, strict=True):
        width = state.shape[1] * state.shape[2]
        for sentence, (a, b) in zip(one.sentences, where, strict=True):
            read = [state[a:b].mean(axis=0).ravel(), state[b - 1].ravel()] if b > a else [np.zeros(2 * width, np.float32)]
            yield np.concatenate([*read, np.array(flags(one, sentence), np.float32)])


def fit(x: Array, y: Array, l2: float, flag_weight: float, flags: int, of: str, keep: int = 0) -> Probe:
    """Logistic regression with an L2 penalty on standardised features, by Newton's method on the leading `keep` principal
    components (all of them where 0) beside the flags, which are weighed `flag_weight` times their own spread."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    wide = x.shape[1] - flags
    z = ((x - mean) / scale)[:, :wide]
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    basis = vectors[:, np.argsort(-values)[: keep or wide]] / np.sqrt(wide)
    a = np.concatenate([z @ basis, (x - mean)[:, wide:] * flag_weight, np.ones((len(x), 1))], axis=1)
    w = _newton(a, y, l2)
    weights = np.concatenate([basis @ w[: basis.shape[1]] / scale[:wide], w[basis.shape[1] : -1] * flag_weight])
    return Probe(mean, weights, float(w[-1]), of)


def _newton(a: Array, y: Array, l2: float, steps: int = 12) -> Array:
    w = np.zeros(a.shape[1])
    ridge = np.full(len(w), 2 * l2)
    ridge[-1] = 1e-6
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(a @ w, -30, 30)))
        gradient = a.T @ (p - y) + ridge * w
        curvature = (a * (p * (1 - p))[:, None]).T @ a + np.diag(ridge)
        w = w - np.linalg.solve(curvature, gradient)
    return w


def average_precision(y: Array, scores: Array) -> float:
    "Mean over the true ones of the precision at their rank."
    ranked = y[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked > 0].mean())


def recall_at(y: Array, scores: Array, precision: float) -> tuple[float, float]:
    "(largest recall at no less than this precision, the score it takes)."
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(y[order])
    good = np.nonzero(hits / np.arange(1, len(y) + 1) >= precision)[0]
    return (float(hits[good[-1]] / y.sum()), float(scores[order[good[-1]]])) if len(good) else (0.0, 1.0)


__all__ = ["Probe", "average_precision", "features", "fit", "recall_at"]
