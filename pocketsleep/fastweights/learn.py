"""Training one memory layer behind a frozen base's last block, at the price of a few small matrix products a step.

The layer looks at states that nothing it reads can change, and adds behind the last block: so no block is ever run. States
are brought down once to the n directions of `fit.start`; what is trained lies in these and is multiplied out at the end
(`Small.whole`). The loss is taken over the words that occur, and some by chance.

    stage 1   talks leave (hard eviction), one pass over them, questions on some: cross-entropy of the answers; and, in each step,
              something that has nothing to do with them: divergence from the bare base
    stage 2   the same through 1, 2 or 4 passes, by chance
    stage 3   on the heads as one (join.py), one pass again

What a learner gives is the mean of its weights at the ends of its cycles: later ones recall more, earlier ones choose better
between an old value and a new one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from pocketsleep import disk
from pocketsleep.fastweights import graph
from pocketsleep.fastweights.fit import Start
from pocketsleep.fastweights.layer import EPS, FORGET, TAPS, MemoryLayer, Shape, Writing, added, normed, written

# isort: split
import mlx.core as mx
import mlx.nn as nn
from mlx import optimizers
from mlx.utils import tree_flatten, tree_unflatten

Array = np.ndarray
Tick = Callable[[int, int, float], None]
OPENED, STRENGTH = 4.0, 0.2  # what the solved gates are multiplied by; what a match adds at first, in lengths of the residual
COMMON, CHANCE = 3000, 800  # words that the loss is taken over, beside those of the step
MOST = 32  # answer tokens of one question in a step


@dataclass(frozen=True, slots=True)
class Recipe:
    "How a layer is trained; all of it goes into the file's header."

    cycles: tuple[tuple[int, float], ...] = ((300, 1e-4), (600, 1.5e-4))  # steps and highest rate, each falling to a twentieth
    single: int = 600  # steps that take one pass; those after them take some of `passes`
    passes: tuple[int, ...] = (1, 2, 4)
    talks: int = 5  # at most, that leave together
    answers: int = 112  # tokens a step
    held: float = 1.0  # weight of the divergence
    before: bool = False  # the weights that it begins with belong to the mean
    seed: int = 0

    @property
    def steps(self) -> int:
        return sum(steps for steps, _ in self.cycles)

    @property
    def marks(self) -> tuple[int, ...]:
        "Steps after which the weights are taken whose mean is the layer."
        return (0,) * self.before + tuple(accumulate(steps for steps, _ in self.cycles))


@dataclass(frozen=True, slots=True)
class Asked:
    "What stands in front of each answer token, brought down [A, n + 1]; behind the last block [A, D]; tokens and weights [A]."

    small: Array
    last: Array
    tokens: Array
    weight: Array
    key: str


@dataclass(frozen=True, slots=True)
class Evicted:
    "One talk: tokens [T], states brought down [T, n + 2]."

    tokens: Array
    small: Array
    asked: Sequence[Asked]


def brought_down(start: Start, states: Array, asking: bool) -> Array:
    "States [T, F] in the directions that keys (or, `asking`, queries) are made of, with what the gates make of them."
    more = (start.gate,) if asking else (start.now, start.before)
    return (states @ np.concatenate([start.query if asking else start.key, np.stack(more)]).T.astype(np.float32)).astype(np.float16)


class Small(nn.Module):
    "A layer in the n = heads x key directions of a start."

    def __init__(self, shape: Shape, start: Start, seed: int = 0) -> None:
        super().__init__()
        self._shape, self._start = shape, start
        n, heads, width = shape.heads * shape.key, shape.heads, shape.width
        chance = np.random.default_rng(seed)
        turned = [np.linalg.qr(chance.standard_normal((width, width)))[0][: shape.value] for _ in range(heads)]
        values = np.concatenate(turned).astype(np.float32)  # each head keeps another view of a word
        self.key, self.query = mx.eye(n), mx.eye(n)
        self.shift = mx.concatenate([mx.zeros((1, n)), mx.ones((1, n)), mx.zeros((TAPS - 2, n))])
        self.value, self.out = mx.array(values * width**-0.5), mx.array(values.T * width**0.5 * STRENGTH)
        self.write_sure, self.gate_sure = mx.full((heads,), OPENED), mx.full((heads,), OPENED)
        self.write_bias = mx.full((heads,), OPENED * start.write_bias - 1.0)
        self.gate_bias = mx.full((heads,), OPENED * start.gate_bias - 1.0)
        self.write, self.gate, self.sure = mx.zeros((2 * heads, n)), mx.zeros((heads, n)), mx.zeros((heads,))
        self.forget_bias = mx.full((heads,), FORGET)

    def whole(self) -> MemoryLayer:
        "The layer as it is worn."
        start, heads, made = self._start, self._shape.heads, MemoryLayer(self._shape)
        key, query = mx.array(start.key.astype(np.float32)), mx.array(start.query.astype(np.float32))
        now, before = self.write[:heads] @ key, self.write[heads:] @ key
        made.key, made.query, made.shift = self.key @ key, self.query @ query, self.shift
        made.write = mx.concatenate([now + self.write_sure[:, None] * mx.array(start.now.astype(np.float32)),
                                     before + self.write_sure[:, None] * mx.array(start.before.astype(np.float32))])
        made.gate = self.gate @ query + self.gate_sure[:, None] * mx.array(start.gate.astype(np.float32))
        made.write_bias, made.gate_bias, made.forget_bias = self.write_bias, self.gate_bias, self.forget_bias
        made.value, made.out, made.sure = self.value, self.out, self.sure
        mx.eval(made.parameters())
        return made

    def writing(self, z: mx.array, embedded: mx.array) -> Writing:
        "As `MemoryLayer.writing`, of small states z [T, n + 2] and words [T, D]."
        s, T, n = self._shape, z.shape[0], z.shape[1] - 2
        y = z[:, :n] @ self.key.T
        key = y * self.shift[0] + _later(y, 1) * self.shift[1] + _later(y, 2) * self.shift[2]
        more = z[:, :n] @ self.write.T
        strength = z[:, n : n + 1] * self.write_sure + more[:, : s.heads]
        strength = strength + _later(z[:, n + 1 :] * self.write_sure + more[:, s.heads :], 1) + self.write_bias
        value = (normed(embedded) @ self.value.T).reshape(1, T, s.heads, s.value)
        decay = mx.broadcast_to(mx.exp(-nn.softplus(self.forget_bias)), (1, T, s.heads))
        return Writing((graph.unit(key.reshape(1, T, s.heads, s.key)), value, decay, mx.sigmoid(strength)[None]))

    def reading(self, z: mx.array, state: mx.array) -> mx.array:
        "As `MemoryLayer.reading`, of small states z [A, n + 1]."
        s, A, n = self._shape, z.shape[0], z.shape[1] - 1
        q = graph.unit((z[:, :n] @ self.query.T).reshape(A, s.heads, s.key))
        o = (q.transpose(1, 0, 2) @ state[0].swapaxes(-1, -2)).transpose(1, 0, 2)
        length = mx.sqrt((o * o).sum(-1) + EPS)
        gate = mx.sigmoid(z[:, n:] * self.gate_sure + z[:, :n] @ self.gate.T + self.sure * length + self.gate_bias)
        return (gate[..., None] * o).reshape(A, -1) @ self.out.T


def _later(z: mx.array, tokens: int) -> mx.array:
    return mx.pad(z, [(tokens, 0), (0, 0)])[: z.shape[0]]


@dataclass(frozen=True, slots=True)
class Step:
    "What one step is taken on."

    talks: Sequence[Evicted]
    small: mx.array
    last: mx.array
    target: mx.array  # as places in `words`
    weight: mx.array
    other: mx.array  # 1 where nothing of it was told
    words: mx.array  # tokens


class Learner:
    "Goes on where its folder says it stopped; the same talks and recipe give the same layer."

    def __init__(self, small: Small, talks: Sequence[Evicted], model: nn.Module, embed: Callable[[mx.array], mx.array],
                 recipe: Recipe, folder: Path, base: str, after: Learner | None = None) -> None:
        self.small, self.talks, self.model, self.embed, self.recipe = small, list(talks), model, embed, recipe
        self.path = folder / ("memory-layer.safetensors" if after is None else "memory-layer-joined.safetensors")
        self.base, self.told = base, _digest(self.talks)
        self.earlier = after._task() if after is not None else ""
        table = model.model.embed_tokens.weight if "lm_head" not in model else model.lm_head.weight
        self.table = table.astype(mx.float32)
        counts: Counter[int] = Counter()
        for talk in self.talks:
            counts.update(talk.tokens.tolist())
            counts.update(token for one in talk.asked for token in one.tokens.tolist())
        self.common = np.array([token for token, _ in counts.most_common(COMMON)])
        self.optimizer, self.done = self._optimizer(), 0
        self.losses: list[float] = []
        self.sums: dict[str, mx.array] = {}

    def run(self, tick: Tick, every: int = 50) -> MemoryLayer:
        "All steps that are left; `tick(done, steps, loss)`. What is interrupted goes on from the last `every` steps."
        if not self._resume():
            self._mark()
        slopes = nn.value_and_grad(self.small, self.loss)
        while self.done < self.recipe.steps:
            chance = Random(self.recipe.seed * 1_000_003 + self.done)
            passes = chance.choice(self.recipe.passes) if self.done >= self.recipe.single else 1
            loss, grads = slopes(self.small, self.step(chance), passes)
            grads, _ = optimizers.clip_grad_norm(grads, 1.0)
            self.optimizer.update(self.small, grads)
            mx.eval(self.small.parameters(), self.optimizer.state, loss)
            self.losses.append(float(loss))
            self.done += 1
            self._mark()
            tick(self.done, self.recipe.steps, float(np.mean(self.losses[-50:])))
            if self.done % every == 0 or self.done == self.recipe.steps:
                self._keep()
        mean: Any = tree_unflatten([(name, value / len(self.recipe.marks)) for name, value in self.sums.items()])
        self.small.update(mean)
        return self.small.whole()

    def _mark(self) -> None:
        if self.done in self.recipe.marks:
            now: Any = tree_flatten(self.small.trainable_parameters())
            self.sums = {name: value + self.sums.get(name, 0.0) for name, value in now}
            mx.eval(self.sums)

    def loss(self, small: Small, step: Step, passes: int) -> mx.array:
        "Nats a token."
        parts = [small.writing(mx.array(t.small.astype(np.float32)), self.embed(mx.array(t.tokens))) for t in step.talks]
        together = Writing(tuple(mx.concatenate([part[i] for part in parts], axis=1) for i in range(4)))
        shape = small._shape
        state = written(together, mx.zeros((1, shape.heads, shape.value, shape.key)), passes)
        told = self._log(added(step.last, small.reading(step.small, state)), step.words)
        entropy = -mx.take_along_axis(told, step.target[:, None], axis=-1)[:, 0]
        weight = step.weight * (1 - step.other)
        bare = mx.stop_gradient(self._log(step.last, step.words))
        apart = (mx.exp(bare) * (bare - told)).sum(-1) * step.other
        held = self.recipe.held * apart.sum() / mx.maximum(step.other.sum(), 1)
        return (entropy * weight).sum() / mx.maximum(weight.sum(), 1) + held

    def _log(self, states: mx.array, words: mx.array) -> mx.array:
        logits = self.model.model.norm(states).astype(mx.float32) @ self.table[words].T
        return logits - mx.logsumexp(logits, axis=-1, keepdims=True)

    def step(self, chance: Random) -> Step:
        "Some talks that leave together, questions on them, and one on none of them."
        some = chance.sample(self.talks, chance.randint(1, min(self.recipe.talks, len(self.talks) - 1)))
        keys = [{one.key for one in talk.asked if one.key} for talk in some]
        taken = [(one, 1.0) for one in self._other(some, keys, chance)]
        order = [(i, one) for i, talk in enumerate(some) for one in talk.asked]
        chance.shuffle(order)
        for i, one in order:
            if sum(min(len(o.tokens), MOST) for o, _ in taken) >= self.recipe.answers:
                break
            if not any(one.key and one.key in later for later in keys[i + 1 :]):  # told anew: the later talk has it
                taken.append((one, 0.0))
        cut = [(one, slice(at := chance.randint(0, max(0, len(one.tokens) - MOST)), at + MOST), other) for one, other in taken]
        target = np.concatenate([one.tokens[part] for one, part, _ in cut])
        drawn = [chance.randrange(len(self.table)) for _ in range(CHANCE)]
        words = np.unique(np.concatenate([self.common, target, drawn, *(talk.tokens for talk in some)]))
        floats = [mx.array(np.concatenate([getattr(one, name)[part] for one, part, _ in cut]).astype(np.float32))
                  for name in ("small", "last", "weight")]
        others = np.concatenate([np.full(len(one.tokens[part]), other, np.float32) for one, part, other in cut])
        small, last, weight = floats
        return Step(some, small, last, mx.array(np.searchsorted(words, target)), weight, mx.array(others), mx.array(words))

    def _other(self, some: Sequence[Evicted], keys: Sequence[set[str]], chance: Random) -> list[Asked]:
        for _ in range(20):
            talk = chance.choice(self.talks)
            if talk.asked and not any(talk is one for one in some):
                asked = chance.choice(talk.asked)
                if not any(asked.key in known for known in keys):
                    return [asked]
        return []

    def _optimizer(self) -> Any:
        def adam(times: float) -> Any:
            parts, ends, at = [], [], 0
            for steps, rate in self.recipe.cycles:
                top, warm = rate * times, min(20, max(1, steps // 4))
                parts += [optimizers.linear_schedule(top / 20, top, warm),
                          optimizers.cosine_decay(top, max(1, steps - warm), top / 20)]
                ends += [at + warm, at + steps]
                at += steps
            return optimizers.Adam(learning_rate=optimizers.join_schedules(parts, ends[:-1]))

        slow = ("key", "query", "write", "gate", "value")
        return optimizers.MultiOptimizer([adam(1), adam(3), adam(20)],
                                         [lambda name, _: name in slow, lambda name, _: name == "out"])

    def _keep(self) -> None:
        flat: Any = tree_flatten({"small": self.small.trainable_parameters(), "optimizer": self.optimizer.state, "sums": self.sums})
        note = {"done": self.done, "losses": self.losses[-50:], "task": self._task()}
        with disk.new_file(self.path) as draft:
            file = draft.with_suffix(".safetensors")
            mx.save_safetensors(str(file), dict(flat), metadata={"note": json.dumps(note)})
            file.replace(draft)

    def _resume(self) -> bool:
        if not self.path.exists():
            return False
        loaded: Any = mx.load(str(self.path), format="safetensors", return_metadata=True)
        arrays, metadata = loaded
        note = json.loads(metadata["note"])
        if note["task"] != self._task():
            return False  # other talks or another recipe: begin again
        tree: Any = tree_unflatten(list(arrays.items()))
        self.small.update(tree["small"])
        self.optimizer.state = tree["optimizer"]
        self.done, self.losses = note["done"], note["losses"]
        self.sums = {name.removeprefix("sums."): value for name, value in arrays.items() if name.startswith("sums.")}
        return True

    def _task(self) -> str:
        return repr((self.recipe, self.small._shape, self.base, self.told, self.earlier))


def _digest(talks: Sequence[Evicted]) -> str:
    "Of what was said and asked; the base and the start make the states of it."
    digest = hashlib.sha256()
    for talk in talks:
        digest.update(repr([len(talk.tokens), talk.tokens.tolist()]).encode())
        for one in talk.asked:
            digest.update(repr([one.tokens.tolist(), one.weight.tolist(), one.key]).encode())
    return digest.hexdigest()
