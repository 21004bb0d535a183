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


def precision(model_type: str = "llama") -> tuple[mx.Dtype, str]:
    "The dtype a base computes in on this machine, and why."
    if mx.default_device() == mx.Device(mx.gpu):
        if model_type.startswith("gemma"):
            return mx.bfloat16, "bfloat16: Gemma's activations leave the range of float16"
        return mx.float16, "float16: the GPU multiplies it at full speed, and the files hold it"
    return mx.float32, "float32: CPUs have no fast half-precision product, and rounding would cost accuracy"


def load(folder: Path, dtype: mx.Dtype | None = None) -> nn.Module:
    """The model of an MLX folder by mlx_lm's own classes, strict: no tensor missing, none left over.

    `model(ids)`: [n, t] integers -> logits [n, t, vocabulary]. Floating parameters are cast to `dtype`
    (default: `precision()`); quantised ones stay quantised. Raises ModelError when the folder is not whole.
    """
    from mlx_lm.utils import load_model

    try:
        model, config = load_model(folder, lazy=True, strict=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"`{folder}` cannot be loaded as an MLX model ({error})", hint="name another base") from error
    model.set_dtype(dtype or precision(config.get("model_type", ""))[0])
    mx.eval(model.parameters())
    model.eval()
    model.freeze()
    return model
