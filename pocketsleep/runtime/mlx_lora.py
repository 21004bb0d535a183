"""Putting a LoRA on an MLX model, reading it off, and taking it away again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

from pocketsleep.runtime import blas  # noqa: F401  before mlx: it decides which BLAS libmlx binds

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.tuner.lora import LoRALinear

from pocketsleep.errors import AdapterError


def linears(model: nn.Module, keys: tuple[str, ...], layers: tuple[int, ...]) -> Iterator[tuple[str, Any, str]]:
    "(full name, parent module, attribute) of every linear layer that the keys name in these blocks."
    for index in layers:
        for key in keys:
            *path, last = key.split(".")
            parent: Any = model.model.layers[index]
            for step in path:
                parent = getattr(parent, step)
            yield f"model.layers.{index}.{key}", parent, last


def attach(
    model: nn.Module, keys: tuple[str, ...], layers: tuple[int, ...], rank: int, scale: float, seed: int
) -> None:
    """Wrap the named layers; nothing but the LoRA is left trainable.

    a ~ U(-1/sqrt(in), 1/sqrt(in)), b = 0, so the model answers as before until it is trained. Drawn with
    NumPy: the same seed gives the same numbers on every backend.
    """
    detach(model)
    model.freeze()
    rng = np.random.default_rng([seed, rank])
    for _, parent, name in linears(model, keys, layers):
        wrapped = LoRALinear.from_base(getattr(parent, name), r=rank, scale=scale)
        width = wrapped.lora_a.shape[0]
        drawn = rng.uniform(-1, 1, (width, rank)) / np.sqrt(width)
        wrapped.lora_a = mx.array(drawn.astype(np.float32))
        wrapped.freeze()
        wrapped.unfreeze(keys=["lora_a", "lora_b"], recurse=False)
        setattr(parent, name, wrapped)
    mx.eval(model.parameters())


def detach(model: nn.Module) -> None:
    "Back to the bare base: the wrapped layers were never changed."
    for block in model.model.layers:
        for part in (block.self_attn, block.mlp):
            for name, module in list(part.items()):
                if isinstance(module, LoRALinear):
                    setattr(part, name, module.linear)


@contextmanager
def off(model: nn.Module) -> Iterator[None]:
    "The bare base for as long as this lasts; then what was on is on again."
    wrapped = [(part, name, module) for block in model.model.layers for part in (block.self_attn, block.mlp)
               for name, module in part.items() if isinstance(module, LoRALinear)]
    detach(model)
    try:
        yield
    finally:
        for part, name, module in wrapped:
            setattr(part, name, module)


def read(model: nn.Module, keys: tuple[str, ...], layers: tuple[int, ...]) -> dict[str, np.ndarray]:
    "lora_a [in, r] and lora_b [r, out] of every adapted layer, float32."
    tensors = {}
    for full, parent, name in linears(model, keys, layers):
        module = getattr(parent, name)
        tensors[f"{full}.lora_a"] = np.array(module.lora_a.astype(mx.float32))
        tensors[f"{full}.lora_b"] = np.array(module.lora_b.astype(mx.float32))
    return tensors


def write(model: nn.Module, tensors: Mapping[str, np.ndarray], keys: tuple[str, ...], layers: tuple[int, ...]) -> None:
    "Load tensors into layers that `attach` wrapped; every mismatch is named at once."
    wrong, expected = [], set()
    for full, parent, name in linears(model, keys, layers):
        module = getattr(parent, name)
        for part in ("lora_a", "lora_b"):
            expected.add(f"{full}.{part}")
            found = tensors.get(f"{full}.{part}")
            if found is None or tuple(found.shape) != tuple(getattr(module, part).shape):
                wrong.append(f"{full}.{part}: {None if found is None else found.shape}")
            else:
                setattr(module, part, mx.array(np.asarray(found, dtype=np.float32)))
    wrong += [f"{name}: not in this base" for name in sorted(set(tensors) - expected)]
    if wrong:
        raise AdapterError(f"the adapter does not fit this base ({'; '.join(wrong[:6])})", hint="pocketsleep verify")
    mx.eval(model.parameters())


def fold(model: nn.Module, tensors: Mapping[str, np.ndarray], scale: float) -> None:
    """From now on the bare model computes as if it wore this LoRA, and another may be trained on top of it.

    In memory alone, and for good: the layers it touches become their sum with it, in float32 whatever the base is kept in.
    """
    detach(model)
    for stem in sorted(name.removesuffix(".lora_a") for name in tensors if name.endswith(".lora_a")):
        index, key = stem.removeprefix("model.layers.").split(".", 1)
        for _, parent, name in linears(model, (key,), (int(index),)):
            delta = scale * (tensors[f"{stem}.lora_a"] @ tensors[f"{stem}.lora_b"]).T
            setattr(parent, name, _plus(getattr(parent, name), delta))
            mx.eval(getattr(parent, name).parameters())


def _plus(layer: Any, delta: np.ndarray) -> nn.Linear:
    "A linear layer whose weight [out, in] is the given one's plus `delta`, which half precision would round away."
    weight = layer.weight
    if isinstance(layer, nn.QuantizedLinear):
        weight = mx.dequantize(weight, layer.scales, layer.get("biases"), layer.group_size, layer.bits, mode=layer.mode)
    made = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in layer)
    made.weight = weight.astype(mx.float32) + mx.array(delta.astype(np.float32))
    if "bias" in layer:
        made.bias = layer.bias
    made.freeze()
    return made


def size(model: nn.Module, keys: tuple[str, ...], layers: tuple[int, ...], rank: int) -> int:
    "How many numbers a LoRA of this rank would hold."
    return sum(rank * _widths(getattr(parent, name)) for _, parent, name in linears(model, keys, layers))


def _widths(linear: Any) -> int:
    inner = linear.linear if isinstance(linear, LoRALinear) else linear
    out, width = inner.weight.shape
    if isinstance(inner, nn.QuantizedLinear):
        width = width * 32 // inner.bits
    return int(out + width) if prod((out, width)) else 0
