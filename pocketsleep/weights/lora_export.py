"""One LoRA in other programs' formats: GGUF-LoRA for llama.cpp, PEFT for transformers and vLLM.

The master copy is mlx-lm's: y += scale * (x @ a) @ b with a [in, r], b [r, out]. Both formats here
hold the transposes and alpha, and compute y += alpha / r * B (A x): so alpha = scale * r.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file

from pocketsleep.errors import AdapterError
from pocketsleep.nouns import Adapter
from pocketsleep.weights import layout

Tensors = Mapping[str, np.ndarray]


def modules(adapter: Adapter) -> Iterator[tuple[str, int, str]]:
    "(full name, block, key) of every adapted linear layer, in order."
    for layer in adapter.layers:
        for key in adapter.keys:
            yield f"model.layers.{layer}.{key}", layer, key


def write_gguf(adapter: Adapter, tensors: Tensors, config: Mapping[str, Any], path: Path) -> None:
    "A GGUF-LoRA that llama.cpp loads over a base with this config.json. q and k rows take GGUF's order."
    architecture = layout.architecture(config)
    if unknown := [key for key in adapter.keys if key not in layout.LINEAR]:
        raise AdapterError(f"`{', '.join(unknown)}` cannot be written as GGUF", hint="export as `peft` or `mlx`")
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, adapter.scale * adapter.rank)
    writer.add_name(adapter.id)
    for full, layer, key in modules(adapter):
        name = f"blk.{layer}.{layout.LINEAR[key]}.weight"
        rows = layout.to_gguf(config, f"{full}.lora_b", tensors[f"{full}.lora_b"].T)
        writer.add_tensor(f"{name}.lora_a", _whole(tensors[f"{full}.lora_a"].T))
        writer.add_tensor(f"{name}.lora_b", _whole(rows))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_peft(adapter: Adapter, tensors: Tensors, folder: Path) -> None:
    "adapter_model.safetensors and adapter_config.json, as `peft.PeftModel.from_pretrained` reads them."
    renamed = {}
    for full, _, _ in modules(adapter):
        renamed[f"base_model.model.{full}.lora_A.weight"] = _whole(tensors[f"{full}.lora_a"].T)
        renamed[f"base_model.model.{full}.lora_B.weight"] = _whole(tensors[f"{full}.lora_b"].T)
    save_file(renamed, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "r": adapter.rank,
        "lora_alpha": adapter.scale * adapter.rank,
        "lora_dropout": 0.0,
        "use_rslora": False,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted({key.split(".")[-1] for key in adapter.keys}),
        "layers_to_transform": list(adapter.layers),
        "layers_pattern": "layers",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True), "utf-8")


def _whole(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)
