"""One transformer block over packed rows, forward and backward, as mlx_lm's Llama and Gemma 3 compute it.

Only a LoRA on the MLP has gradients: backward hands down the gradient of the block's input and never makes one
for a frozen weight. Formulas: the chain rule, with y = x W' + s (x A) B for a wrapped layer, so
dB = s (xA)' dy, dA = x' (s dy B'), dx = dy W + s (dy B') A'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pocketsleep.runtime.packed_math import Array, Layout, Room, Weight, call, gemm


@dataclass(frozen=True, slots=True)
class Linear:
    "A frozen weight [out, in] and the LoRA on it, if any: a [in, r], b [r, out]."

    weight: Weight
    lora: tuple[Array, Array] | None = None
    scale: float = 0.0

    @property
    def out(self) -> int:
        return self.weight.shape[0]


@dataclass(frozen=True, slots=True)
class Shape:
    "What the blocks of one model have in common."

    heads: int
    groups: int
    d: int  # a head's width
    scale: float
    eps: float
    gate: str  # "silu", "gelu"
    normed: bool  # Gemma: queries, keys and both outputs are normed, too


@dataclass(frozen=True, slots=True)
class Block:
    "One block's weights. Norms hold what is multiplied (Gemma's 1 + w)."

    shape: Shape
    qkv: Weight  # [(heads + 2 groups) d, D]
    o: Weight  # [D, heads d]
    norms: Mapping[str, Array]
    rope: tuple[Array, Array]  # cos, sin [positions, d / 2]
    layer: int
    mlp: dict[str, Linear] = field(default_factory=dict)

    def weights(self) -> tuple[Weight, ...]:
        return self.qkv, self.o, *(linear.weight for linear in self.mlp.values())

    def forward(self, x: Array, lay: Layout, room: Room, slot: int) -> Array:
        """[n, D] -> [n, D]. `slot` names where what backward needs is kept: one for each block that will be
        asked for gradients, a shared one otherwise."""
        mid = self._attend(x, lay, room, slot)
        n2 = _rms(mid, self.norms["mlp"], room.get("n2", slot, *mid.shape), self.shape.eps)
        g = self._through("gate_proj", n2, room, slot)
        u = self._through("up_proj", n2, room, slot)
        m = room.get("m", slot, *g.shape)
        call(f"ps_{self.shape.gate}_gate", g, u, m, m.size)
        y = self._through("down_proj", m, room, slot)
        out = room.get("out", slot, *x.shape)
        return self._residual(mid, y, out, "after_mlp")

    def read(self, n: int, room: Room, slot: int) -> dict[str, Array]:
        "What each linear layer of the MLP was given by the last `forward` of n tokens in this slot."
        n2 = room.get("n2", slot, n, self.o.shape[0])
        return {"gate_proj": n2, "up_proj": n2, "down_proj": room.get("m", slot, n, self.mlp["gate_proj"].out)}

    def _attend(self, x: Array, lay: Layout, room: Room, slot: int) -> Array:
        s, n = self.shape, len(x)
        width = (s.heads + 2 * s.groups) * s.d
        n1 = _rms(x, self.norms["attention"], room.get("n1", -1, *x.shape), s.eps)
        qkv = self.qkv.through(n1, room.get("qkv", slot, n, width), room)
        if s.normed:
            raw = room.get("raw", slot, n, width)
            raw[:] = qkv
            for h in range(s.heads + s.groups):
                norm = self.norms["query" if h < s.heads else "key"]
                _rms(raw[:, h * s.d : (h + 1) * s.d], norm, qkv[:, h * s.d : (h + 1) * s.d], s.eps)
        self._turn(qkv, lay, 1)
        shares = room.get("shares", slot, int(lay.at[-1]) * s.heads)
        attended = room.get("attended", -1, n, s.heads * s.d)
        call("ps_attend", qkv, lay.start, lay.at, shares, attended, len(lay.start) - 1, lay.p, s.heads, s.groups, s.d, s.scale)
        o = self.o.through(attended, room.get("o", slot, *x.shape), room)
        return self._residual(x, o, room.get("mid", slot, *x.shape), "after_attention")

    def _residual(self, x: Array, y: Array, out: Array, norm: str) -> Array:
        "out = x + y, y normed first where the model does so."
        if self.shape.normed:
            _rms(y, self.norms[norm], out, self.shape.eps)
            out += x
            return out
        return np.add(x, y, out=out)

    def _turn(self, qkv: Array, lay: Layout, sign: int) -> None:
        s = self.shape
        call("ps_rope", qkv, lay.positions, *self.rope, len(qkv), s.heads + s.groups, s.d, qkv.shape[1], sign)

    def _through(self, name: str, x: Array, room: Room, slot: int) -> Array:
        layer = self.mlp[name]
        y = layer.weight.through(x, room.get(name, slot, len(x), layer.out), room)
        if layer.lora is not None:
            a, b = layer.lora
            low = gemm(x, a, room.get(f"{name}.low", slot, len(x), a.shape[1]))
            gemm(low, b, y, alpha=layer.scale, beta=1.0)
        return y

    def backward(self, x: Array, d: Array, lay: Layout, room: Room, slot: int, last: bool) -> dict[str, Array]:
        """Gradients of this block's LoRA; `d` [n, D], the gradient of its output, becomes that of its input
        (left alone where `last` says that nobody below asks for it)."""
        got: dict[str, Array] = {}
        n, eps = len(x), self.shape.eps
        mid, n2 = room.get("mid", slot, *x.shape), room.get("n2", slot, *x.shape)
        g, u, m = (room.get(k, slot, n, self.mlp["gate_proj"].out) for k in ("gate_proj", "up_proj", "m"))
        dy = self._normed_grad(room.get("down_proj", slot, *x.shape), d, "after_mlp", room)
        dm = self._back("down_proj", m, dy, room.get("dm", -1, *m.shape), False, room, slot, got)
        dg, du = room.get("dg", -1, *g.shape), room.get("du", -1, *g.shape)
        call(f"ps_{self.shape.gate}_gate_grad", g, u, dm, dg, du, g.size)
        dn2 = self._back("gate_proj", n2, dg, room.get("dn", -1, *x.shape), False, room, slot, got)
        self._back("up_proj", n2, du, dn2, True, room, slot, got)
        if not last:
            _rms_grad(mid, self.norms["mlp"], dn2, d, eps)
            self._attend_grad(x, d, lay, room, slot)
        return got

    def _attend_grad(self, x: Array, d: Array, lay: Layout, room: Room, slot: int) -> None:
        s, n = self.shape, len(x)
        width = (s.heads + 2 * s.groups) * s.d
        do = self._normed_grad(room.get("o", slot, *x.shape), d, "after_attention", room)
        dattended = self.o.back(do, room.get("attended", -1, n, s.heads * s.d), room)
        qkv, shares = room.get("qkv", slot, n, width), room.get("shares", slot, int(lay.at[-1]) * s.heads)
        dqkv = room.get("dqkv", -1, n, width)
        dqkv[:] = 0.0
        rows, longest = len(lay.start) - 1, int(lay.positions.max()) + 1
        spare = room.get("spare", -1, rows * s.groups * (2 * lay.p * s.d + longest))
        spare[: rows * lay.p * 2 * s.groups * s.d] = 0.0
        call("ps_attend_grad", qkv, lay.start, lay.at, shares, dattended, dqkv, spare, rows, lay.p, s.heads, s.groups, s.d,
             longest, s.scale)
        self._turn(dqkv, lay, -1)
        if s.normed:
            dqkv = self._heads_grad(room.get("raw", slot, n, width), dqkv, room)
        dn1 = self.qkv.back(dqkv, room.get("dn", -1, *x.shape), room)
        _rms_grad(x, self.norms["attention"], dn1, d, s.eps)

    def _heads_grad(self, raw: Array, dqkv: Array, room: Room) -> Array:
        s = self.shape
        out = room.get("draw", -1, *raw.shape)
        turned = (s.heads + s.groups) * s.d
        out[:, :turned], out[:, turned:] = 0.0, dqkv[:, turned:]
        for h in range(s.heads + s.groups):
            part = slice(h * s.d, (h + 1) * s.d)
            _rms_grad(raw[:, part], self.norms["query" if h < s.heads else "key"], dqkv[:, part], out[:, part], s.eps)
        return out

    def _normed_grad(self, y: Array, d: Array, norm: str, room: Room) -> Array:
        "The gradient of y where the block adds y, or y normed, to its residual."
        if not self.shape.normed:
            return d
        out = room.get("dy", -1, *y.shape)
        out[:] = 0.0
        _rms_grad(y, self.norms[norm], d, out, self.shape.eps)
        return out

    def _back(self, name: str, x: Array, dy: Array, dx: Array, add: bool, room: Room, slot: int, got: dict[str, Array]) -> Array:
        "dx = dy W (+ dx) and the LoRA's part; its gradients go into `got`."
        layer = self.mlp[name]
        layer.weight.back(dy, dx, room, add)
        if layer.lora is not None:
            a, b = layer.lora
            low = room.get(f"{name}.low", slot, len(x), a.shape[1])
            dlow = gemm(dy, b, room.get("dlow", -1, *low.shape), tb=True, alpha=layer.scale)
            full = f"model.layers.{self.layer}.mlp.{name}"
            got[f"{full}.lora_b"] = gemm(low, dy, np.empty_like(b), ta=True, alpha=layer.scale)
            got[f"{full}.lora_a"] = gemm(x, dlow, np.empty_like(a), ta=True)
            gemm(dlow, a, dx, tb=True, beta=1.0)
        return dx


def _rms(x: Array, w: Array, out: Array, eps: float) -> Array:
    call("ps_rms", x, w, out, len(x), x.shape[1], x.strides[0] // 4, out.strides[0] // 4, eps)
    return out


def _rms_grad(x: Array, w: Array, dy: Array, dx: Array, eps: float) -> None:
    "Adds to dx."
    call("ps_rms_grad", x, w, dy, dx, len(x), x.shape[1], x.strides[0] // 4, dy.strides[0] // 4, dx.strides[0] // 4, eps)


def numbers(a: Any) -> Array:
    "An MLX array's own memory, or a float32 copy in order where it is held otherwise."
    import mlx.core as mx

    mx.eval(a)
    held = a if a.dtype == mx.float32 else a.astype(mx.float32)
    return np.ascontiguousarray(np.asarray(held))
