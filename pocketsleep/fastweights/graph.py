"""The gated delta rule in ordinary MLX operations, one token after the other: what runs where no kernel does.

Differentiable by MLX, on every device, exact for every decay. Shapes as in `reference.py`; sums are in float32.
"""

from __future__ import annotations

from pocketsleep.fastweights.reference import EPS, check
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx


def unit(x: mx.array) -> mx.array:
    "x [..., D] at length 1, in x's dtype."
    wide = x.astype(mx.float32)
    return (wide * mx.rsqrt((wide * wide).sum(-1, keepdims=True) + EPS)).astype(x.dtype)


def gated_delta(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array,
                state: mx.array | None = None) -> tuple[mx.array, mx.array]:
    """Once over the tokens: readings [B, T, Hv, Dv] in v's dtype, and the state [B, Hv, Dv, Dk] in float32.

    k is taken as it is: give it length 1 (`unit`). Raises BadInput where shapes do not fit."""
    out, state, _ = nap(q, k, v, decay, beta, state, passes=1)
    return out, state


def nap(q: mx.array, k: mx.array, v: mx.array, decay: mx.array, beta: mx.array, state: mx.array | None = None,
        passes: int = 1) -> tuple[mx.array, mx.array, mx.array]:
    """`passes` times over the tokens with the state carried: readings of the last pass, the state, surprise [N, B, T, Hv]
    (a measurement: it has no slope)."""
    check(q.shape, k.shape, v.shape, decay.shape, beta.shape, None if state is None else state.shape)
    (B, T, Hk, Dk), (Hv, Dv), kind = q.shape, v.shape[2:], v.dtype
    q, k, v, decay, beta = (a.astype(mx.float32) for a in (q, k, v, decay, beta))
    q, k = (mx.repeat(a, Hv // Hk, axis=2) if Hv > Hk else a for a in (q, k))
    decay = decay[..., None, :] if decay.ndim == 4 else decay[..., None, None]
    S = mx.zeros((B, Hv, Dv, Dk)) if state is None else state.astype(mx.float32)
    outs: list[mx.array] = []
    surprise: list[mx.array] = []
    for n in range(passes):
        for t in range(T):
            S = S * decay[:, t]
            error = v[:, t] - (S @ k[:, t, :, :, None])[..., 0]
            S = S + (beta[:, t, :, None] * error)[..., None] * k[:, t, :, None, :]
            surprise.append(mx.linalg.norm(mx.stop_gradient(error), axis=-1))
            if n == passes - 1:
                outs.append((S @ q[:, t, :, :, None])[..., 0])
    return mx.stack(outs, axis=1).astype(kind), S, mx.stack(surprise).reshape(passes, T, B, Hv).swapaxes(1, 2)
