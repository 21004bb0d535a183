"""Hidden states of a base, as they leave chosen blocks: what a probe reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np

from pocketsleep.errors import ModelError
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.packed import Packed


def states(model: nn.Module, texts: Sequence[Sequence[int]], layers: Sequence[int], own: bool = False) -> Iterator[np.ndarray]:
    """For each text of token ids: [tokens, len(layers), D] float32, what leaves these blocks (counted from 0), in order.
    `own`: the model is nobody else's and may be of no use afterwards. ModelError for a model whose blocks do not compose."""
    rows = [Row(tuple(ids[:-1]), tuple(ids[-1:])) for ids in texts]
    packed = Packed(model, rows, (), len(model.model.layers), rounded=True, own=own, most=1)
    if not packed.reason:
        yield from packed.leaving(rows, layers)
        return
    plain = Forward(model, rows)
    if plain.whole:
        raise ModelError(f"a {model.model_type} model cannot be listened with ({plain.reason})", hint="`pocketsleep doctor`")
    for ids in texts:
        yield plain.leaving(mx.array([list(ids)]), layers)
