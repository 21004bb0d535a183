"""Where a memory layer begins to be trained: solved for, not searched.

From talks whose answers are known: the state x_r in front of an answer's token, and the state x_w in front of the same
token where it was told, are the two sides of one association.

    W   = (second moment of all states)^(-1/2)
    M   = E[W x_r (W x_w)']  = U S V'        (canonical correlation: the directions in which asking and telling agree)
    Wq  = sqrt(S) U' W,  Wk = sqrt(S) V' W   without the first direction, which is the states' mean
    write, gate: ridge regressions of "this token is told to be asked for" and "here an answer is due" on the states

The first keys and gates of a layer are these; gradient descent goes on from there with what a laptop has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
SHRINK, RIDGE = 0.1, 0.02  # shares of the mean square that are added to each direction
MOST = (24_000, 14_000, 16_000)  # states that the moment, the writing and the reading are estimated from


@dataclass(frozen=True, slots=True)
class Told:
    "One talk's tokens with their states, and the answers given afterwards."

    tokens: Array  # [T]
    states: Array  # [T, F]
    asked: Sequence[tuple[Array, Array, int]]  # states in front of an answer's tokens [A, F], the tokens [A], how many are given


@dataclass(frozen=True, slots=True)
class Start:
    "Keys [n, F], queries [n, F]; write strength by this token, by the one before [F] and a bias; gate [F] and a bias."

    key: Array
    query: Array
    now: Array
    before: Array
    write_bias: float
    gate: Array
    gate_bias: float


def sources(tokens: Array, answer: Array, given: int) -> list[tuple[int, int]]:
    """(index in the answer, index in the talk) of answer tokens that were told. A token that was said more than once is taken
    where the words around it agree, at the last such place."""
    found = []
    for j in range(given, len(answer)):
        at = np.flatnonzero(tokens[1:] == answer[j]) + 1
        if len(at) > 1:
            after = [p for p in at if j + 1 < len(answer) and p + 1 < len(tokens) and tokens[p + 1] == answer[j + 1]]
            before = [p for p in at if j and tokens[p - 1] == answer[j - 1]]
            both = [p for p in after if p in before]
            found += [(j, int(p)) for p in (both or after or before)[-1:]]
        elif len(at):
            found.append((j, int(at[0])))
    return found


def start(talks: Iterable[Told], size: int, seed: int = 0) -> Start:
    "Solve for the first keys and gates of `size` numbers a token."
    chance = np.random.default_rng(seed)
    asking, telling, every, written, unwritten, due, undue = _gathered(talks, chance)
    mixed = _some(np.concatenate([every, asking]), MOST[0], chance)
    whiten = _whitening(mixed)
    u, s, v = np.linalg.svd((asking @ whiten).T @ (telling @ whiten) / len(asking))
    strength = np.sqrt(s[1 : size + 1] / s[1])
    half, near = MOST[1] // 3, MOST[2] // 2
    write, write_bias = _ridge(_some(written, half, chance), _some(unwritten, MOST[1] - half, chance))
    gate, gate_bias = _ridge(_some(due, near, chance), _some(undue, near, chance))
    wide = every.shape[1]
    return Start((v[1 : size + 1].T * strength).T @ whiten, (u[:, 1 : size + 1] * strength).T @ whiten, write[:wide], write[wide:],
                 write_bias, gate, gate_bias)


def _gathered(talks: Iterable[Told], chance: np.random.Generator) -> list[Array]:
    asking, telling, every, written, unwritten, due, undue = ([] for _ in range(7))
    for talk in talks:
        told = np.zeros(len(talk.tokens), bool)
        for states, answer, given in talk.asked:
            hit = np.zeros(len(answer), bool)
            for j, at in sources(talk.tokens, answer, given) if len(talk.tokens) else ():
                asking.append(states[j])
                telling.append(talk.states[at - 1])
                told[at] = hit[j] = True
            due.append(states[hit])
            undue.append(states[~hit])
        if len(talk.tokens) > 1:
            every.append(talk.states[chance.integers(0, len(talk.states), 40)])
            pair = np.concatenate([talk.states[1:], talk.states[:-1]], axis=1)
            written.append(pair[told[1:]])
            rest = pair[~told[1:]]
            unwritten.append(rest[chance.random(len(rest)) < 0.25])
    return [np.stack(asking), np.stack(telling), *(np.concatenate(part) for part in (every, written, unwritten, due, undue))]


def _some(rows: Array, most: int, chance: np.random.Generator) -> Array:
    return rows[chance.permutation(len(rows))[:most]]


def _whitening(states: Array) -> Array:
    moment = states.T @ states / len(states)
    wide = len(moment)
    values, axes = np.linalg.eigh((1 - SHRINK) * moment + SHRINK * np.trace(moment) / wide * np.eye(wide))
    return ((axes * values**-0.5) @ axes.T).astype(np.float32)


def _ridge(yes: Array, no: Array) -> tuple[Array, float]:
    "Weights and bias of +1 and -1, the two sides of equal weight."
    rows = np.concatenate([yes, no])
    weight = np.concatenate([np.full(len(yes), 0.5 / len(yes)), np.full(len(no), 0.5 / len(no))])
    wanted = np.concatenate([np.ones(len(yes)), -np.ones(len(no))]) * weight
    rows = np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1)
    moment = (rows * weight[:, None].astype(rows.dtype)).T @ rows
    moment += RIDGE * np.trace(moment) / len(moment) * np.eye(len(moment), dtype=moment.dtype)
    found = np.linalg.solve(moment, rows.T @ wanted.astype(rows.dtype))
    return found[:-1], float(found[-1])
