"Reads the blocks of an MLX model that the packed pass knows: Llama's and Gemma 3's."

from __future__ import annotations

from typing import Any

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.tuner.lora import LoRALinear

from pocketsleep.runtime.packed_block import Block, Linear, Shape, numbers
from pocketsleep.runtime.packed_math import LANES, Array, Weight

POSITIONS = 2048  # tokens of the longest row: angles are laid out beforehand
NAMES = ("gate_proj", "up_proj", "down_proj")


def unknown(model: nn.Module) -> str:
    "Why this model's blocks are not known here; '' when they are."
    known = ("mlx_lm.models.llama", "mlx_lm.models.gemma3_text")
    if type(model).__module__ not in known:
        return f"{model.model_type} is computed by MLX's own pass: the packed one knows Llama and Gemma 3"
    wrapped = [m for layer in model.model.layers for m in layer.self_attn.values() if isinstance(m, LoRALinear)]
    odd = [m for layer in model.model.layers for part in (layer.self_attn, layer.mlp) for m in part.values()
           if isinstance(m, nn.QuantizedLinear) or (isinstance(m, nn.Linear) and "bias" in m)]
    kind = shape(model)
    widths = (kind.d, model.args.hidden_size, model.args.intermediate_size)
    if wrapped or odd or any(w % LANES for w in widths) or getattr(model.model.layers[0].self_attn.rope, "traditional", False):
        return "attention is adapted, layers are quantised or have biases, or widths are odd: MLX's own pass is taken"
    return ""


def shape(model: nn.Module) -> Shape:
    gemma = type(model).__module__.endswith("gemma3_text")
    one = model.model.layers[0].self_attn
    return Shape(one.n_heads, one.n_kv_heads, one.head_dim, float(one.scale), float(model.args.rms_norm_eps),
                 "gelu" if gemma else "silu", gemma)


def norm(module: Any, kind: Shape) -> Array:
    "What a norm multiplies by; Gemma keeps it less one."
    return numbers(module.weight) + np.float32(1.0) if kind.normed else numbers(module.weight)


def block(index: int, layer: Any, kind: Shape, ropes: dict[str, tuple[Array, Array]]) -> Block:
    attention = layer.self_attn
    qkv = np.concatenate([numbers(getattr(attention, f"{k}_proj").weight) for k in "qkv"])
    if kind.normed:
        norms = {"attention": layer.input_layernorm, "after_attention": layer.post_attention_layernorm,
                 "mlp": layer.pre_feedforward_layernorm, "after_mlp": layer.post_feedforward_layernorm,
                 "query": attention.q_norm, "key": attention.k_norm}
    else:
        norms = {"attention": layer.input_layernorm, "mlp": layer.post_attention_layernorm}
    made = Block(kind, Weight(qkv), Weight(numbers(attention.o_proj.weight)), {k: norm(v, kind) for k, v in norms.items()},
                 angles(attention.rope, kind.d, ropes), index)
    made.mlp.update({name: linear(layer.mlp[name], None) for name in NAMES})
    return made


def linear(module: Any, before: Linear | None) -> Linear:
    inner = module.linear if isinstance(module, LoRALinear) else module
    weight = before.weight if before is not None else Weight(numbers(inner.weight))
    if not isinstance(module, LoRALinear):
        return Linear(weight)
    return Linear(weight, (numbers(module.lora_a), numbers(module.lora_b)), float(module.scale))


def angles(rope: Any, d: int, known: dict[str, tuple[Array, Array]], longest: int = POSITIONS) -> tuple[Array, Array]:
    "cos and sin [longest, d / 2] as the model's own rope turns (1, 0): any scheme of angles is taken as it is."
    half = np.concatenate([np.ones(d // 2, np.float32), np.zeros(d // 2, np.float32)])
    turned = numbers(rope(mx.array(np.tile(half, (1, 1, longest, 1)))))[0, 0]
    key = turned.tobytes()[-4096:].hex()
    if key not in known:
        known[key] = (np.ascontiguousarray(turned[:, : d // 2]), np.ascontiguousarray(turned[:, d // 2 :]))
    return known[key]
