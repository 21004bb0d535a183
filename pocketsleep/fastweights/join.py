"""Several heads read as one, and several layers that stand side by side.

Heads of n keys by m values hold n m numbers each, and every head writes each word for itself. As one, the same keys and values
make a matrix of h n by h m: h times the room for the same slow weights. What crowded two heads of 256 by 288 has space in 512 by
576 (pocketsleep/bench/LOG.md, "what bounds the memory layer on TOFU"). Training goes on from there; whether such a head does as
well from the start was not measured.

Layers that were trained apart find keys that have nothing in common, so what they confuse differs and what they recall does not: of
two, each at a share of what it adds alone, more is recalled than of either (the log, "two memory layers side by side").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pocketsleep.fastweights.learn import Recipe, Small
from pocketsleep.fastweights.memory import MemoryLayers

# isort: split
import mlx.core as mx

NAPS = ("base", "chunk", "passes")  # of a recipe: whose layers they are, and what a nap goes over
BOLDER = 1.0  # is added to the bias of writing: what several heads held a part of, one has to hold
SHARE = 0.6  # of what a layer adds alone, where two stand side by side
AFTER = Recipe(cycles=((100, 1.5e-4),), single=100, before=True)  # steps on the joined layer; its mean with where they began


def joined(small: Small) -> Small:
    "The layer with one head: keys, values and readings side by side, of each gate the heads' mean. `small` is not changed."
    s = small._shape
    made = Small(replace(s, heads=1, key=s.heads * s.key, value=s.heads * s.value), small._start)
    for name in ("key", "query", "shift", "value", "out"):
        setattr(made, name, getattr(small, name) * 1.0)
    made.write = small.write.reshape(2, s.heads, -1).mean(1)
    for name in ("gate", "sure", "write_sure", "gate_sure", "write_bias", "gate_bias", "forget_bias"):
        setattr(made, name, getattr(small, name).mean(0, keepdims=True))
    made.write_bias = made.write_bias + BOLDER
    mx.eval(made.parameters())
    return made


def beside(parts: Sequence[MemoryLayers], share: float = SHARE) -> MemoryLayers:
    """One set of layers out of several that were trained apart for the same base, each adding `share` of what it adds alone. Of
    one: that one. Naps go over what the first was taught to go over."""
    first = parts[0]
    if len(parts) == 1:
        return first
    layers = [layer for part in parts for layer in part.layers]
    made = MemoryLayers.new([layer.shape for layer in layers], first.base)
    for mine, layer in zip(made.layers, layers, strict=True):
        mine.update(layer.parameters())
        mine.out = layer.out * share
    naps = {name: first.recipe[name] for name in NAPS if name in first.recipe}
    made.recipe = {**naps, "share": share, "parts": [part.recipe for part in parts]}
    mx.eval([layer.parameters() for layer in made.layers])
    return made
