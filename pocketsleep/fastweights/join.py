"""Several heads read as one: where a layer's training goes on from when its heads have found their keys.

Heads of n keys by m values hold n m numbers each, and every head writes each word for itself. As one, the same keys and values
make a matrix of h n by h m: h times the room for the same slow weights. What crowded two heads of 256 by 288 has space in 512 by
576 (pocketsleep/bench/LOG.md, "what bounds the memory layer on TOFU"). Whether such a head does as well from the start was not
measured.
"""

from __future__ import annotations

from dataclasses import replace

from pocketsleep.fastweights.learn import Recipe, Small

# isort: split
import mlx.core as mx

BOLDER = 1.0  # is added to the bias of writing: what several heads held a part of, one has to hold
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
