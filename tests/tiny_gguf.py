"""GGUF files of a few thousand random numbers, with every trait of the real ones that an import must honour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from pocketsleep.weights import layout
from pocketsleep.weights.tokenizer import _BYTES

NORMAL, CONTROL, BYTE = 1, 3, 6
CONFIG: dict[str, dict[str, Any]] = {
    "llama": {
        "model_type": "llama", "hidden_size": 96, "num_hidden_layers": 3, "intermediate_size": 160,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True,
    },
    "gemma3": {  # seven blocks: the sixth sees everything, the others eight tokens back
        "model_type": "gemma3_text", "hidden_size": 96, "num_hidden_layers": 7, "intermediate_size": 160,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64, "tie_word_embeddings": True,
    },
}  # fmt: skip
WINDOW = 8
Edit = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray] | None]


def vocabulary(kind: str) -> tuple[list[str], list[int], list[float], list[str]]:
    "(tokens, types, scores, merges) of a byte-level or a SentencePiece vocabulary."
    if kind == "llama":
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        merges = ["t h", "th e", "Ġ the", "i n", "Ġ a"]
        tokens = [*special, *_BYTES, *(merge.replace(" ", "") for merge in merges)]
        return tokens, [CONTROL] * 3 + [NORMAL] * (len(tokens) - 3), [], merges
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz.\n"]
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "th", "the", "▁the", "in", "▁a", *letters]
    types = [CONTROL] * 6 + [BYTE] * 256 + [NORMAL] * (5 + len(letters))
    return tokens, types, [-float(index) for index in range(len(tokens))], []


def config_for(kind: str) -> dict[str, Any]:
    return CONFIG[kind] | {"vocab_size": len(vocabulary(kind)[0])}


def tensors_for(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    "GGUF name -> random float32 values, [out, in]; norms near one, so that a one too many shows."
    rng = np.random.default_rng(seed)
    config = config_for(kind)
    shapes = layout.shapes(config)
    made = {}
    for ours, theirs in layout.names(config).items():
        values = rng.standard_normal(shapes[ours]) / np.sqrt(shapes[ours][-1])
        made[theirs] = (values * 1.5 if values.ndim == 2 else 1 + values).astype(np.float32)
    return made


def write(
    path: Path,
    kind: str,
    edit: Edit = lambda tensors: None,
    facts: Mapping[str, Any] | None = None,
    quant: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
) -> Path:
    "A whole model file. `edit` changes tensors, `facts` metadata; matrices are stored as `quant`."
    tensors = tensors_for(kind)
    tensors = dict(edit(tensors) or tensors)
    writer = gguf.GGUFWriter(path, kind)
    for key, value in (_facts(kind) | dict(facts or {})).items():
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add.get(type(value), writer.add_array)(key, value)
    for name, values in tensors.items():
        stored = quant if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _facts(kind: str) -> dict[str, Any]:
    config = config_for(kind)
    tokens, types, scores, merges = vocabulary(kind)
    model = {
        "block_count": config["num_hidden_layers"], "context_length": 512, "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"], "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"], "attention.key_length": config["head_dim"],
        "attention.value_length": config["head_dim"], "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 50_000.0, "rope.dimension_count": config["head_dim"],
    } | ({"attention.sliding_window": WINDOW} if kind == "gemma3" else {})  # fmt: skip
    words: dict[str, Any] = {"tokens": tokens, "token_type": types, "bos_token_id": 1 if kind == "llama" else 2,
                             "eos_token_id": 2 if kind == "llama" else 1}  # fmt: skip
    if kind == "llama":
        words |= {"model": "gpt2", "pre": "smollm", "merges": merges, "add_bos_token": False}
    else:
        words |= {"model": "llama", "scores": scores, "add_bos_token": True, "add_space_prefix": False,
                  "unknown_token_id": 3}  # fmt: skip
    return {f"{kind}.{key}": value for key, value in model.items()} | {
        f"tokenizer.ggml.{key}": value for key, value in words.items()
    }
