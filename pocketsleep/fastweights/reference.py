"""The gated delta rule in double precision: the definition that every kernel is compared with.

Gated DeltaNet (Yang, Kautz, Hatamizadeh, arXiv:2412.06464, eq. 10); the decay by channel is Kimi Delta Attention's
(arXiv:2510.26692); the passes over a chunk are the naps of arXiv:2605.26099. For one head and one token t

    S~  = S diag(a)              forget           a: decay in [0, 1], a number or one for each key channel
    e   = v - S~ k               what S~ would have answered wrongly; its length is the surprise
    S   = S~ + b e k'            correct it       b: write strength in [0, 2], k of length 1 (`unit`)
    o   = S q                    read what stands there now

Shapes, the same everywhere (numbers have no unit; B sequences, T tokens, Hk key heads, Hv value heads, Hv a multiple of Hk:
value head h reads key head h // (Hv / Hk)):

    q, k       [B, T, Hk, Dk]    query and key
    v, out     [B, T, Hv, Dv]    value and reading
    decay      [B, T, Hv]        or [B, T, Hv, Dk], by channel
    beta       [B, T, Hv]        write strength
    state      [B, Hv, Dv, Dk]   S, zero where none is given
    surprise   [N, B, T, Hv]     |v - S~ k| at each of N passes
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pocketsleep.errors import BadInput

Array = np.ndarray
EPS = 1e-6  # added to the square of a length, so that a key of zeros stays one


class Pass(NamedTuple):
    "What going over a chunk leaves: readings of the last pass, the state, the surprise of each pass."

    out: Array
    state: Array
    surprise: Array


class Gradient(NamedTuple):
    "Of a loss, by each input of `gated_delta`; shapes are the inputs'."

    q: Array
    k: Array
    v: Array
    decay: Array
    beta: Array
    state: Array


class Heads(NamedTuple):
    "Inputs in float64 with keys repeated to value heads and decay by channel: tokens first, [T, B, Hv, ...]."

    q: Array
    k: Array
    v: Array
    decay: Array
    beta: Array
    state: Array  # [B, Hv, Dv, Dk]


def check(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], decay: tuple[int, ...], beta: tuple[int, ...],
          state: tuple[int, ...] | None) -> None:
    "Raises BadInput with every shape that does not fit the others."
    if len(q) != 4 or len(v) != 4:
        raise BadInput(f"q {q} and v {v} are not [B, T, heads, channels]", hint="see pocketsleep/fastweights/reference.py")
    (b, t, hk, dk), (hv, dv) = q, v[2:]
    wrong = [] if hk and hv % hk == 0 else [f"{hv} value heads are no multiple of {hk} key heads"]
    wrong += [] if b and t and hv and dk and dv else [f"q {q} or v {v} is empty"]
    for name, shape, fits in (("k", k, [q]), ("v", v, [(b, t, hv, dv)]), ("decay", decay, [(b, t, hv), (b, t, hv, dk)]),
                              ("beta", beta, [(b, t, hv)]), ("state", state, [(b, hv, dv, dk), None])):
        if shape not in fits:
            wrong.append(f"{name} is {shape}, not {fits[0]}")
    if wrong:
        raise BadInput("; ".join(wrong), hint="shapes are drawn in pocketsleep/fastweights/reference.py")


def unit(x: Array) -> Array:
    "x [..., D] at length 1: x / sqrt(|x|^2 + EPS)."
    return x / np.sqrt((x * x).sum(-1, keepdims=True) + EPS)


def unit_gradient(x: Array, dy: Array) -> Array:
    "Of `unit`: what points along x changes its length, and that is gone."
    length, y = np.sqrt((x * x).sum(-1, keepdims=True) + EPS), unit(x)
    return (dy - y * (dy * y).sum(-1, keepdims=True)) / length


def step(S: Array, q: Array, k: Array, v: Array, decay: Array, beta: Array) -> tuple[Array, Array, Array]:
    """One token, any leading axes.   S: [.., Dv, Dk]   q, k, decay: [.., Dk]   v: [.., Dv]   beta: [..]
    Returns S, e [.., Dv] before the write, o [.., Dv]."""
    S = S * decay[..., None, :]
    error = v - _read(S, k)
    S = S + beta[..., None, None] * error[..., :, None] * k[..., None, :]
    return S, error, _read(S, q)


def gated_delta(q: Array, k: Array, v: Array, decay: Array, beta: Array, state: Array | None = None, passes: int = 1) -> Pass:
    "Token by token, `passes` times over the same tokens with the state carried."
    x = heads(q, k, v, decay, beta, state)
    S, outs, surprise = x.state, [], []
    for n in range(passes):
        for t in range(len(x.q)):
            S, error, out = step(S, x.q[t], x.k[t], x.v[t], x.decay[t], x.beta[t])
            surprise.append(np.linalg.norm(error, axis=-1))
            if n == passes - 1:
                outs.append(out)
    b, hv = x.state.shape[:2]
    out = np.stack(outs, 1) if outs else np.zeros(v.shape)
    return Pass(out, S, np.array(surprise).reshape(passes, len(x.q), b, hv).swapaxes(1, 2))


def gradient(q: Array, k: Array, v: Array, decay: Array, beta: Array, state: Array | None, dout: Array, dstate: Array | None = None,
             passes: int = 1) -> Gradient:
    """Of a loss whose slope by `out` is dout [B, T, Hv, Dv] and by the last state dstate [B, Hv, Dv, Dk].

    Backwards over the same tokens, dS standing for the slope by S:

        dS += do q'        dq = S' do
        du  = dS k         b's slope is du . e      de = b du      dv = de
        dk  = dS' (b e) - S~' de
        dS -= de k'        a's slope is the column sums of dS * S(t-1)
        dS  = dS diag(a)
    """
    x = heads(q, k, v, decay, beta, state)
    states, S = [], x.state
    for t in _tokens(len(x.q), passes):
        states.append(S)
        S, _, _ = step(S, x.q[t], x.k[t], x.v[t], x.decay[t], x.beta[t])
    grads = Heads(*(np.zeros(a.shape) for a in x))
    dS, dout = np.zeros(x.state.shape) if dstate is None else dstate.astype(np.float64), np.moveaxis(dout.astype(np.float64), 1, 0)
    for i in reversed(range(len(states))):
        t = i % len(x.q)
        do = dout[t] if i >= len(states) - len(x.q) else np.zeros_like(dout[t])
        dS = _step_back(dS, states[i], t, x, do, grads)
    return _gather(grads._replace(state=dS), q.shape, decay.ndim)


def chunked(q: Array, k: Array, v: Array, decay: Array, beta: Array, state: Array | None = None, passes: int = 1,
            chunk: int = 16) -> Pass:
    """The same, `chunk` tokens at a time (WY form; native/README.md derives it). D(i, j) = a(j+1) .. a(i) by channel,
    G(i) = D(i, before the chunk). Products of decays, never quotients: a decay of 0 is as good as any.

        A(i, j) = (k_i * D(i, j)) . k_j  for j < i        P(i, j) = (q_i * D(i, j)) . k_j  for j <= i
        e_i     = v_i - S (k_i * G(i)) - sum_j A(i, j) b_j e_j                   forward substitution
        o_i     = S (q_i * G(i)) + sum_j P(i, j) b_j e_j
        S      <- S diag(G(last)) + sum_j b_j e_j (k_j * D(last, j))'
    """
    x = heads(q, k, v, decay, beta, state)
    S, outs, surprise, T = x.state, np.zeros(x.v.shape), np.zeros((passes, *x.beta.shape)), len(x.q)
    for n in range(passes):
        for at in range(0, T, chunk):
            part = slice(at, min(at + chunk, T))
            S, outs[part], error = _chunk(S, x.q[part], x.k[part], x.v[part], x.decay[part], x.beta[part])
            surprise[n, part] = np.linalg.norm(error, axis=-1)
    return Pass(np.moveaxis(outs, 0, 1), S, surprise.swapaxes(1, 2))


def heads(q: Array, k: Array, v: Array, decay: Array, beta: Array, state: Array | None) -> Heads:
    "Checked, and brought to one form."
    check(q.shape, k.shape, v.shape, decay.shape, beta.shape, None if state is None else state.shape)
    b, _, hk, dk = q.shape
    hv, dv = v.shape[2:]
    q, k = (np.repeat(a, hv // hk, axis=2) for a in (q, k))
    if decay.ndim == 3:
        decay = np.broadcast_to(decay[..., None], (*decay.shape, dk))
    S = np.zeros((b, hv, dv, dk)) if state is None else np.asarray(state, np.float64)
    q, k, v, decay, beta = (np.moveaxis(np.asarray(a, np.float64), 1, 0) for a in (q, k, v, decay, beta))
    return Heads(q, k, v, decay, beta, S)


def _read(S: Array, x: Array) -> Array:
    "S x   [.., Dv]"
    return (S @ x[..., None])[..., 0]


def _back(S: Array, y: Array) -> Array:
    "S' y   [.., Dk]"
    return (y[..., None, :] @ S)[..., 0, :]


def _outer(y: Array, x: Array) -> Array:
    return y[..., :, None] * x[..., None, :]


def _tokens(T: int, passes: int) -> list[int]:
    return list(range(T)) * passes


def _step_back(dS: Array, before: Array, t: int, x: Heads, do: Array, grads: Heads) -> Array:
    "One token of `gradient`: adds to grads at t, returns dS by the state before it."
    k, decay, beta = x.k[t], x.decay[t], x.beta[t]
    faded = before * decay[..., None, :]
    after, error, _ = step(before, x.q[t], k, x.v[t], decay, beta)
    dS = dS + _outer(do, x.q[t])
    du = _read(dS, k)
    de = beta[..., None] * du
    grads.q[t] += _back(after, do)
    grads.beta[t] += (du * error).sum(-1)
    grads.v[t] += de
    grads.k[t] += _back(dS, beta[..., None] * error) - _back(faded, de)
    dS = dS - _outer(de, k)
    grads.decay[t] += (dS * before).sum(-2)
    return dS * decay[..., None, :]


def _gather(g: Heads, q: tuple[int, ...], axes: int) -> Gradient:
    "Back to the inputs' shapes: value heads of one key head add up, and so do channels of one decay."
    dq, dk, dv, decay, beta = (np.moveaxis(a, 0, 1) for a in g[:5])
    b, t, hk, width = q
    dq, dk = (a.reshape(b, t, hk, -1, width).sum(3) for a in (dq, dk))
    return Gradient(dq, dk, dv, decay if axes == 4 else decay.sum(-1), beta, g.state)


def _products(decay: Array) -> Array:
    "D [n, n, B, Hv, Dk]: D[i, j] = a(j+1) .. a(i), 1 on the diagonal, 0 above it."
    n = len(decay)
    D = np.zeros((n, *decay.shape))
    for j in range(n):
        D[j:, j] = np.cumprod(np.concatenate([np.ones_like(decay[:1]), decay[j + 1 :]]), axis=0)
    return D


def _chunk(S: Array, q: Array, k: Array, v: Array, decay: Array, beta: Array) -> tuple[Array, Array, Array]:
    "One chunk of `chunked`: the state after it, its readings and its errors."
    D, G, n = _products(decay), np.cumprod(decay, axis=0), len(q)
    A = np.einsum("ibhc,ijbhc,jbhc->ijbh", k, D, k)
    P = np.einsum("ibhc,ijbhc,jbhc->ijbh", q, D, k)
    error = v - np.einsum("bhdc,ibhc->ibhd", S, k * G)
    for i in range(1, n):
        error[i] -= np.einsum("jbh,jbh,jbhd->bhd", A[i, :i], beta[:i], error[:i])
    written = beta[..., None] * error
    out = np.einsum("bhdc,ibhc->ibhd", S, q * G) + np.einsum("ijbh,jbhd->ibhd", P, written)
    S = S * G[-1][..., None, :] + np.einsum("jbhd,jbhc->bhdc", written, k * D[-1])
    return S, out, error
