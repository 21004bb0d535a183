"""AdamW (Kingma and Ba, 2015; Loshchilov and Hutter, 2019) for a LoRA: MLX's own, and one pass over flat memory.

MLX's touches each of a hundred small arrays a dozen times, a sixth of a packed step's time on two cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pocketsleep.runtime import blas  # before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from pocketsleep.runtime.packed_math import Array, call
from pocketsleep.runtime.whiten import Filter

BETAS, EPS, MOST_NORM = (0.9, 0.999), 1e-8, 1.0


class Optimizer(Protocol):
    "Holds the state of one run. `arrays` is what a checkpoint keeps; `restore` says whether it could use it."

    def update(self, grads: Mapping[str, Any], rate: float) -> None: ...
    def whiten(self, filters: Mapping[str, Filter]) -> None:
        "Before the first update: parameter A of such a name becomes W A, and is trained as A' of A = W A'."

    def arrays(self) -> dict[str, mx.array]: ...
    def restore(self, arrays: Mapping[str, mx.array]) -> bool: ...
    def publish(self) -> None:
        "Bring the MLX model's LoRA up to date."


class MlxAdam:
    "On the model's trainable parameters, gradients clipped to a norm of 1."

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.filters: dict[str, Filter] = {}
        self.adam = optim.AdamW(learning_rate=0.0, betas=list(BETAS), eps=EPS, weight_decay=0.0, bias_correction=True)

    def update(self, grads: Mapping[str, Any], rate: float) -> None:
        inward = {name: self.filters[name](mx.array(g)) if name in self.filters else mx.array(g) for name, g in grads.items()}
        tree: Any = tree_unflatten(list(inward.items()))
        clipped, _ = optim.clip_grad_norm(tree, max_norm=MOST_NORM)
        before = dict(_flat(self.model.trainable_parameters())) if self.filters else {}
        self.adam.learning_rate = mx.array(rate)
        self.adam.update(self.model, clipped)
        after = dict(_flat(self.model.trainable_parameters())) if self.filters else {}
        self.model.update(tree_unflatten([(n, before[n] + one(after[n] - before[n])) for n, one in self.filters.items()]))
        mx.eval(self.model.trainable_parameters(), self.adam.state)

    def whiten(self, filters: Mapping[str, Filter]) -> None:
        self.filters = {name: one.on_device() for name, one in filters.items()}
        now = dict(_flat(self.model.trainable_parameters()))
        self.model.update(tree_unflatten([(name, one(now[name])) for name, one in self.filters.items()]))

    def arrays(self) -> dict[str, mx.array]:
        found = {f"optimizer.{k}": v for k, v in _flat(self.adam.state)}
        return found | {f"adapter.{k}": v for k, v in _flat(self.model.trainable_parameters())}

    def restore(self, arrays: Mapping[str, mx.array]) -> bool:
        adapter = [(k.removeprefix("adapter."), v) for k, v in arrays.items() if k.startswith("adapter.")]
        state = [(k.removeprefix("optimizer."), v) for k, v in arrays.items() if k.startswith("optimizer.")]
        if not adapter or not state:
            return False
        self.model.update(tree_unflatten(adapter))
        self.adam.init(self.model.trainable_parameters())
        self.adam.state = tree_unflatten(state)
        mx.eval(self.model.parameters(), self.adam.state)
        return True

    def publish(self) -> None:
        return None


class FlatAdam:
    """On views of one flat buffer that the packed step reads its LoRA from: `views` by parameter name, in the
    order in which they lie in `flat`."""

    def __init__(self, model: nn.Module, flat: Array, views: Mapping[str, Array]) -> None:
        self.model, self.flat, self.views = model, flat, views
        self.first, self.second, self.grad = (np.zeros_like(flat) for _ in range(3))
        self.count = 0
        self.filters: Mapping[str, Filter] = {}
        self.before = np.zeros(0, np.float32)  # what the update begins from, where there are filters
        self._inward = self._outward = lambda: None
        ends = np.cumsum([v.size for v in views.values()])
        self.grads = {n: self.grad[e - v.size : e].reshape(v.shape) for (n, v), e in zip(views.items(), ends, strict=True)}

    def update(self, grads: Mapping[str, Any], rate: float) -> None:
        with blas.alone():  # threads that wait awake after a product as small as a norm would slow the next step down
            self._update(grads, rate)

    def _update(self, grads: Mapping[str, Any], rate: float) -> None:
        for name, into in self.grads.items():
            into[:] = grads[name]
        if self.filters:
            self._inward()
            self.before[:] = self.flat
        norm = float(np.sqrt(np.dot(self.grad, self.grad)))
        self.count += 1
        unbias = [1.0 - beta**self.count for beta in BETAS]
        call("ps_adam", self.flat, self.first, self.second, self.grad, self.flat.size, min(1.0, MOST_NORM / (norm + 1e-6)),
             rate / unbias[0], *BETAS, float(np.sqrt(unbias[1])), EPS)
        if self.filters:
            self._outward()

    def whiten(self, filters: Mapping[str, Filter]) -> None:
        self.filters, self.before = filters, np.zeros_like(self.flat)
        before = dict(zip(self.views, np.split(self.before, np.cumsum([v.size for v in self.views.values()])[:-1]), strict=True))
        self._inward = _filtering(filters, self.grads, {})
        self._outward = _filtering(filters, self.views, before)
        if filters:
            self._outward()

    def arrays(self) -> dict[str, mx.array]:
        told = {"weights": self.flat, "first": self.first, "second": self.second, "count": np.array([self.count])}
        return {f"flat.{k}": mx.array(v) for k, v in told.items()}

    def restore(self, arrays: Mapping[str, mx.array]) -> bool:
        if "flat.count" not in arrays or arrays["flat.weights"].size != self.flat.size:
            return False
        for name, into in (("weights", self.flat), ("first", self.first), ("second", self.second)):
            into[:] = np.array(arrays[f"flat.{name}"])
        self.count = int(np.array(arrays["flat.count"])[0])
        return True

    def publish(self) -> None:
        self.model.update(tree_unflatten([(name, mx.array(v)) for name, v in self.views.items()]))


def _filtering(filters: Mapping[str, Filter], arrays: Mapping[str, Array], before: Mapping[str, Array]) -> Callable[[], None]:
    "In one call, array = before + W (array - before) for every array that has a filter; `before` is 0 where it is not given."
    kept = [(np.ascontiguousarray(one.span, np.float32), np.ascontiguousarray(one.cut, np.float32)) for one in filters.values()]
    address = [(arrays[name].ctypes.data, before[name].ctypes.data if before else 0, span.ctypes.data, cut.ctypes.data)
               for name, (span, cut) in zip(filters, kept, strict=True)]
    sizes = [(*span.shape, arrays[name].shape[1]) for name, (span, _) in zip(filters, kept, strict=True)]
    given = np.array(address, np.int64), np.array(sizes, np.int64), np.array([one.gain for one in filters.values()], np.float32)

    def run(held: object = (kept, arrays, before)) -> None:  # holds what is pointed at
        call("ps_filter", *given, len(filters))

    return run


def _flat(tree: Any) -> list[tuple[str, mx.array]]:
    pairs: Any = tree_flatten(tree)
    return [(name, value) for name, value in pairs if isinstance(value, mx.array)]
