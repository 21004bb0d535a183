"""The memory that nobody trained: what a trained one has to beat.

The delta rule from a block's whitened state to the embedding of the token that came next, as large a head as the states
are wide; what it reads goes to the residual behind the last block, so that the frozen head decodes it.
"""

from __future__ import annotations

from pocketsleep.fastweights.layer import MemoryLayer, Shape
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx
import numpy as np

SHRINK = 0.1  # of the states' mean square that is added to each direction before whitening
OPEN = 20.0  # a bias under which a gate is open


def training_free(states: np.ndarray, tap: int, blocks: int, strength: float = 1.0, write: float = 1.0) -> MemoryLayer:
    """A layer that looks at what enters block `tap` and adds behind the last of `blocks`.

    states [N, D], each at length sqrt(D): what enters that block on ordinary text, N several times D. strength: what a
    perfect match adds, in lengths of the residual. write: strength of a write, in (0, 1]."""
    width = states.shape[1]
    layer = MemoryLayer(Shape(blocks, (tap,), width, 1, width, width))
    moment = states.T.astype(np.float64) @ states / len(states)
    values, axes = np.linalg.eigh((1 - SHRINK) * moment + SHRINK * np.trace(moment) / width * np.eye(width))
    whiten = mx.array(((axes * values**-0.5) @ axes.T).astype(np.float32))
    layer.key, layer.query = whiten, whiten
    layer.value, layer.out = mx.eye(width), strength * mx.eye(width)
    layer.write_bias = mx.full((1,), OPEN if write >= 1 else float(np.log(write / (1 - write))))
    layer.forget_bias, layer.gate_bias = mx.full((1,), -OPEN), mx.full((1,), OPEN)
    return layer
