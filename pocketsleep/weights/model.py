"""An MLX folder as a running module. The one place that decides in which precision a base computes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pocketsleep.errors import ModelError
from pocketsleep.runtime import blas  # noqa: F401  before mlx: gives it a fast matrix product

if shutil.which("g++") is None:  # mx.compile calls the compiler at run time on CPUs
    os.environ.setdefault("MLX_DISABLE_COMPILE", "1")

import mlx.core as mx
import mlx.nn as nn

GROUP = 64  # weights that share a scale
ROOM = 0.7  # of what is free may be a model's weights; the rest is for what training makes of them


def _can_be_quantised(path: str, module: nn.Module) -> bool:
    return path.startswith("model.layers") and isinstance(module, nn.Linear) and module.weight.shape[-1] % GROUP == 0


def precision(model_type: str = "llama") -> tuple[mx.Dtype, str]:
    "The dtype a base computes in on this machine, and why."
    if mx.default_device() == mx.Device(mx.gpu):
        if model_type.startswith("gemma"):
            return mx.bfloat16, "bfloat16: Gemma's activations leave the range of float16"
        return mx.float16, "float16: the GPU multiplies it at full speed, and the files hold it"
    return mx.float32, "float32: CPUs have no fast half-precision product, and rounding would cost accuracy"


def bits_for(parameters: int, free: int | None, model_type: str = "llama") -> int:
    """4 where the weights in the precision they would compute in leave no room to train (QLoRA: Dettmers et al., 2023,
    2305.14314), else 0: as they are. `free`: bytes, None where that cannot be known."""
    needed = parameters * precision(model_type)[0].size
    return 4 if free is not None and needed > free * ROOM else 0


def load(folder: Path, dtype: mx.Dtype | None = None, bits: int = 0) -> nn.Module:
    """The model of an MLX folder by mlx_lm's own classes, strict: no tensor missing, none left over.

    `model(ids)`: [n, t] integers -> logits [n, t, vocabulary]. Floating parameters are cast to `dtype`
    (default: `precision()`); quantised ones stay quantised, and with `bits` the blocks' linear layers become so.
    Raises ModelError when the folder is not whole.
    """
    from mlx_lm.utils import load_model

    try:
        model, config = load_model(folder, lazy=True, strict=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"`{folder}` cannot be loaded as an MLX model ({error})", hint="name another base") from error
    model.set_dtype(dtype or precision(config.get("model_type", ""))[0])
    if bits:  # nothing is evaluated yet: a layer's full weights go as soon as its small ones are there
        nn.quantize(model, GROUP, bits, class_predicate=_can_be_quantised)
    mx.eval(model.parameters())
    model.eval()
    model.freeze()
    return model
