"""A GGUF base as an MLX folder: tensors, config.json, tokenizer and chat template, without torch.

The folder is named by the GGUF's hash and FORMAT, made once, and good for `mlx_lm.load` as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file

from pocketsleep import disk
from pocketsleep.errors import ModelError
from pocketsleep.weights import layout, vocab

SLAB = 1 << 22  # numbers made float32 at once: a table of 262,000 words would be a gigabyte, and as much again at each step
FORMAT = 2  # raise it whenever what is written below changes


def folder_for(digest: str, cache: Path) -> Path:
    "Where the import of a GGUF with this SHA-256 lives."
    return cache / "bases" / f"{digest[:16]}-{FORMAT}"


def import_gguf(path: Path, digest: str, cache: Path) -> Path:
    """The MLX folder of a GGUF base, made on first use.

    Matrices are float16 (float32 where a value would overflow), norms float32. Raises ModelError with
    every missing, unknown, misshapen or non-finite tensor at once.
    """
    folder = folder_for(digest, cache)
    if folder.exists():
        return folder
    reader = open_gguf(path)
    config = read_config(metadata(reader), reader)
    tensors = _tensors(reader, config, path)
    with disk.new_folder(folder) as draft:
        save_file(tensors, draft / "model.safetensors", metadata={"format": "mlx"})
        _write_json(draft / "config.json", config)
        vocab.write(reader, draft)
        _write_json(draft / "pocketsleep.json", {"source": path.name, "sha256": digest, "format": FORMAT})
    return folder


def open_gguf(path: Path) -> gguf.GGUFReader:
    "A reader over a file that has at least the shape of a GGUF file."
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise ModelError(
            f"`{path}` is not a readable GGUF file ({error})", hint="download or install it again"
        ) from error


def metadata(reader: gguf.GGUFReader) -> dict[str, Any]:
    "Every fact of the file but the tokenizer's, which are long."
    return {key: field.contents() for key, field in reader.fields.items() if not key.startswith("tokenizer.")}


def read_config(facts: Mapping[str, Any], reader: gguf.GGUFReader) -> dict[str, Any]:
    "config.json for mlx_lm.models.llama or gemma3_text, from GGUF metadata."
    kind = facts.get("general.architecture")
    if kind not in layout.ARCHITECTURES:
        raise ModelError(
            f"GGUF files of architecture `{kind}` cannot be imported (known: {', '.join(layout.ARCHITECTURES)})",
            hint="use the model's Hugging Face id or an MLX folder instead",
        )
    if (scaling := facts.get(f"{kind}.rope.scaling.type", "none")) != "none":
        raise ModelError(f"rope scaling `{scaling}` cannot be imported from GGUF", hint="use an MLX folder instead")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    if "token_embd.weight" not in tensors:
        raise ModelError(
            "the file has no `token_embd.weight`", hint="it may be a vocabulary or an adapter, not a model"
        )
    config = _common(facts, kind, "output.weight" not in tensors)
    config["vocab_size"] = int(tensors["token_embd.weight"].shape[1])
    return config | (_gemma(facts, config) if kind == "gemma3" else _llama(facts, config))


def _common(facts: Mapping[str, Any], kind: str, tied: bool) -> dict[str, Any]:
    def fact(key: str) -> Any:
        if (value := facts.get(f"{kind}.{key}")) is None:
            raise ModelError(f"the GGUF metadata has no `{kind}.{key}`", hint="the file is incomplete or very old")
        return value

    count, hidden = fact("attention.head_count"), fact("embedding_length")
    return {
        "hidden_size": hidden,
        "num_hidden_layers": fact("block_count"),
        "intermediate_size": fact("feed_forward_length"),
        "num_attention_heads": count,
        "num_key_value_heads": facts.get(f"{kind}.attention.head_count_kv", count),
        "head_dim": facts.get(f"{kind}.attention.key_length", hidden // count),
        "rms_norm_eps": fact("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": fact("context_length"),
        "tie_word_embeddings": tied,
        "torch_dtype": "float16",
    }


def _llama(facts: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "rope_theta": facts.get("llama.rope.freq_base", 10_000.0),
    }


def _gemma(facts: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    "What GGUF leaves unsaid is fixed by the architecture: local rope base 10,000, five local layers to one global."
    # 27B is the one size whose queries are not scaled by the head size
    wide = config["num_hidden_layers"] == 62
    return {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "rope_theta": facts.get("gemma3.rope.freq_base", 1_000_000.0),
        "rope_local_base_freq": facts.get("gemma3.rope.freq_base_swa", 10_000.0),
        "query_pre_attn_scalar": (
            config["hidden_size"] // config["num_attention_heads"] if wide else config["head_dim"]
        ),
        "sliding_window": facts.get("gemma3.attention.sliding_window", 512),
        "sliding_window_pattern": facts.get("gemma3.attention.sliding_window_pattern", 6),
    }


def _tensors(reader: gguf.GGUFReader, config: dict[str, Any], path: Path) -> dict[str, np.ndarray]:
    "All tensors by MLX name, or one ModelError that lists every mismatch."
    there = {tensor.name: tensor for tensor in reader.tensors}
    wanted, shapes = layout.names(config), layout.shapes(config)
    wrong = [f"missing: {name}" for name in wanted.values() if name not in there]
    wrong += [f"unknown: {name}" for name in there if name not in set(wanted.values())]
    ready = {}
    for ours, theirs in wanted.items():
        if theirs not in there:
            continue
        shape = tuple(int(side) for side in reversed(there[theirs].shape))
        if shape != shapes[ours]:
            wrong.append(f"shape: {theirs} is {shape}, expected {shapes[ours]}")
            continue
        if (values := _converted(there[theirs], config, ours, shape)) is None:
            wrong.append(f"not finite: {theirs}")
        else:
            ready[ours] = values
    if wrong:
        raise ModelError(
            f"`{path.name}` does not have the tensors of its architecture: " + "; ".join(wrong),
            hint="use the model's Hugging Face id or an MLX folder instead",
        )
    return ready


def _converted(tensor: Any, config: dict[str, Any], name: str, shape: tuple[int, ...], full: bool = False) -> np.ndarray | None:
    """A tensor as MLX keeps it, made slab by slab: half precision for matrices where their values fit, norms
    (few) and what does not fit in full. None when a value is not finite."""
    full = full or len(shape) < 2
    whole = len(shape) < 2 or layout.heads(config, name)  # rows of q and k change places: all of them at once
    rows = shape[0] if whole else max(1, SLAB // shape[1])
    data = tensor.data.reshape(shape[0], -1) if len(shape) > 1 else tensor.data
    out = np.empty(shape, np.float32 if full else np.float16)
    for at in range(0, shape[0], rows):
        values = layout.to_mlx(config, name, _values(tensor, data[at : at + rows]))
        if not np.isfinite(values).all():
            return None
        if not full and float(np.abs(values).max()) > float(np.finfo(np.float16).max):
            return _converted(tensor, config, name, shape, full=True)
        out[at : at + rows] = values
    return out


def _values(tensor: Any, data: np.ndarray) -> np.ndarray:
    "float32 of some of a tensor's rows."
    try:
        return np.asarray(gguf.dequantize(data, tensor.tensor_type), dtype=np.float32)
    except NotImplementedError as error:
        raise ModelError(
            f"`{tensor.name}` is stored as {tensor.tensor_type.name}, which cannot be read",
            hint="choose a file quantised as Q4_0 to Q8_0, Q2_K to Q6_K, F16, BF16 or F32",
        ) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
