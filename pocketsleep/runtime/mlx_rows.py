"""Rows of a night's training: which go together, what they share, how they are laid out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np

MEGABATCH = 16  # batches that are sorted by length together: little padding, still well mixed
SHORTEST = 4  # tokens: a shorter common prefix costs more in a pass of its own than it saves


@dataclass(frozen=True, slots=True)
class Row:
    "A lesson in token ids. `teacher` is the base's context for soft targets, () for none."

    prompt: tuple[int, ...]
    answer: tuple[int, ...]  # the end-of-turn token included
    hard: float = 1.0
    soft: float = 0.0
    teacher: tuple[int, ...] = ()
    every: int = 1

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


Soft = tuple[np.ndarray, np.ndarray]  # ids [n, K], probabilities [n, K]


@dataclass(frozen=True, slots=True)
class Batch:
    "Rows without their common prefix of `prefix` tokens (0 when they have none)."

    prefix: int
    ids: mx.array  # [B, T] int32, padded on the right
    where: mx.array  # [N] int32, flat positions in [B, T] whose next token is an answer token
    target: mx.array  # [N] int32
    hard: mx.array  # [N] float32, a row's weight shared out over its answer tokens
    soft: mx.array  # [N] float32
    top_ids: mx.array  # [N, K] int32
    top_p: mx.array  # [N, K] float32, rows sum to 1 (0 where the row has no teacher)


def shared_prefix(prompts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    "The longest run of tokens that at least half of the prompts begin with, a token of each left over."
    prefix: list[int] = []
    group = list(prompts)
    while True:
        at = len(prefix)
        counts = Counter(p[at] for p in group if len(p) > at + 1)
        token, n = counts.most_common(1)[0] if counts else (0, 0)
        if not n or n < len(prompts) / 2:
            return tuple(prefix) if at >= SHORTEST else ()
        prefix.append(token)
        group = [p for p in group if len(p) > at + 1 and p[at] == token]


def starts(prompt: Sequence[int], prefix: tuple[int, ...]) -> bool:
    return bool(prefix) and len(prompt) > len(prefix) and tuple(prompt[: len(prefix)]) == prefix


def too_long(model: nn.Module, rows: Sequence[Row], most: int = 1 << 30) -> str:
    "Why these rows need the model's own pass: one leaves its sliding window (or `most` tokens); '' when none does."
    window = min(getattr(model.args, "sliding_window", None) or most, most)
    longest = max((max(len(r), len(r.teacher) + len(r.answer)) for r in rows), default=0)
    return f"a row of {longest} tokens leaves the window of {window}" if longest > window else ""


def batches(rows: Sequence[Row], size: int, seed: int, epoch: int, prefix: tuple[int, ...] = ()) -> list[list[int]]:
    """Row indices of one epoch: shuffled, sorted by length within a stretch, batches shuffled again.
    Rows that begin with `prefix` and rows that do not never meet in a batch."""
    rng = np.random.default_rng([seed, epoch])
    taken = np.array([i for i, row in enumerate(rows) if (i + epoch) % row.every == 0])
    order = taken[rng.permutation(len(taken))]
    stretch = size * MEGABATCH
    out: list[list[int]] = []
    for start in range(0, len(order), stretch):
        part = sorted(order[start : start + stretch].tolist(), key=lambda i: (len(rows[i]), i))
        for kind in (True, False):
            alike = [i for i in part if starts(rows[i].prompt, prefix) is kind]
            out += [alike[at : at + size] for at in range(0, len(alike), size)]
    return [out[i] for i in rng.permutation(len(out))]


def positions(lengths: Sequence[tuple[int, int]], width: int) -> np.ndarray:
    "Flat index of each position that predicts an answer token, for rows of (prompt, answer) lengths."
    return np.concatenate(
        [row * width + np.arange(p - 1, p - 1 + a) for row, (p, a) in enumerate(lengths)]
    ).astype(np.int32)


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    "[B, T] int32, zeros on the right."
    out = np.zeros((len(rows), max(map(len, rows))), dtype=np.int32)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out


def weights(rows: Sequence[Row], soft: Sequence[Soft | None]) -> tuple[np.ndarray, ...]:
    "target, hard, soft [m]; top ids, top p [m, K], by answer token: each row's answer counts once, however long."
    k = max((s[0].shape[1] for s in soft if s is not None), default=1)
    share = [1.0 / len(r.answer) / len(rows) for r in rows]
    hard = np.concatenate([np.full(len(r.answer), r.hard * w, np.float32) for r, w in zip(rows, share, strict=True)])
    soft_w = np.concatenate([np.full(len(r.answer), r.soft * w, np.float32) for r, w in zip(rows, share, strict=True)])
    blank = [s or (np.zeros((len(r.answer), k), np.int32), np.zeros((len(r.answer), k), np.float32))
             for r, s in zip(rows, soft, strict=True)]
    target = np.concatenate([r.answer for r in rows]).astype(np.int32)
    ids, p = (np.ascontiguousarray(np.concatenate([b[j] for b in blank])) for j in (0, 1))
    return target, hard, soft_w, ids.astype(np.int32), p.astype(np.float32)


def collate(rows: Sequence[Row], soft: Sequence[Soft | None], prefix: tuple[int, ...] = ()) -> Batch:
    "Rows side by side, padded."
    cut = len(prefix) if all(starts(r.prompt, prefix) for r in rows) else 0
    ids = padded([[*r.prompt[cut:], *r.answer] for r in rows])
    where = positions([(len(r.prompt) - cut, len(r.answer)) for r in rows], ids.shape[1])
    return Batch(cut, mx.array(ids), mx.array(where), *map(mx.array, weights(rows, soft)))
