"""How GGUF and MLX name and store the same tensors, for the two architectures that are imported.

Three conventions differ, and every use of them is here:

* llama: GGUF stores the rows of q and k so that the two halves of a rotary pair are neighbours
  (the order of Meta's original code); MLX, like transformers, keeps the halves apart.
* gemma3: GGUF stores norm weights as they multiply, w; MLX stores w - 1 and adds the 1 itself.
* gemma3: llama.cpp multiplies embeddings by sqrt(hidden size), MLX by that rounded to bfloat16 (25.298
  and 25.25 at 270M). The ratio goes into the embedding, and out of the final norm, as the embedding is
  the head as well. Without it the engines differ by a systematic 0.2% of every token's vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pocketsleep.errors import ModelError

ARCHITECTURES = ("llama", "gemma3")

# linear layers of a block: MLX name -> GGUF name
LINEAR = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

_NORMS = {
    "llama": {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"},
    "gemma3": {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "post_attention_norm",
        "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
        "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm",
    },
}


def names(config: Mapping[str, Any]) -> dict[str, str]:
    "Every tensor of a model, MLX name -> GGUF name."
    block = {**LINEAR, **_NORMS[architecture(config)]}
    found = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if not config["tie_word_embeddings"]:
        found["lm_head.weight"] = "output.weight"
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in block.items():
            found[f"model.layers.{layer}.{ours}.weight"] = f"blk.{layer}.{theirs}.weight"
    return found


def architecture(config: Mapping[str, Any]) -> str:
    "GGUF's name for the architecture of a config.json. Raises ModelError for one we do not import."
    known = {"llama": "llama", "gemma3_text": "gemma3"}
    if (kind := config.get("model_type")) not in known:
        raise ModelError(
            f"the architecture `{kind}` has no GGUF layout here (known: {', '.join(known)})",
            hint="MLX folders of other architectures train and serve in MLX; they export as `peft` or `mlx`",
        )
    return known[kind]


def shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    "Every tensor of a model, MLX name -> shape; matrices are [out, in]."
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    ends = {
        "q_proj": (q, hidden), "k_proj": (kv, hidden), "v_proj": (kv, hidden), "o_proj": (hidden, q),
        "gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner),
        "q_norm": (head,), "k_norm": (head,),
        "embed_tokens": (config["vocab_size"], hidden), "lm_head": (config["vocab_size"], hidden),
    }  # fmt: skip
    return {name: ends.get(name.split(".")[-2], (hidden,)) for name in names(config)}


def heads(config: Mapping[str, Any], name: str) -> int:
    "How many heads' rows of this tensor are permuted in GGUF; 0 when none."
    if architecture(config) != "llama":
        return 0
    return {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}.get(_leaf(name), 0)


def to_mlx(config: Mapping[str, Any], name: str, values: np.ndarray) -> np.ndarray:
    "A tensor as MLX stores it, from GGUF's values (float32)."
    if count := heads(config, name):
        return pairs_apart(values, count)
    if architecture(config) != "gemma3":
        return values
    values = values * _engine_ratio(config, name)
    return values - np.float32(1) if "norm" in _leaf(name) else values


def to_gguf(config: Mapping[str, Any], name: str, values: np.ndarray) -> np.ndarray:
    "A tensor as GGUF stores it: the inverse of `to_mlx`."
    if count := heads(config, name):
        return pairs_together(values, count)
    if architecture(config) != "gemma3":
        return values
    values = values + np.float32(1) if "norm" in _leaf(name) else values
    return values / _engine_ratio(config, name)


def pairs_together(rows: np.ndarray, count: int) -> np.ndarray:
    "Row order of q or k from MLX to GGUF. rows: [count * head, ...]; a head's halves become alternate rows."
    split = rows.reshape(count, 2, -1, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)


def pairs_apart(rows: np.ndarray, count: int) -> np.ndarray:
    "Row order of q or k from GGUF to MLX: the inverse of `pairs_together`."
    split = rows.reshape(count, -1, 2, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)


def _leaf(name: str) -> str:
    parts = name.split(".")
    return next(part for part in reversed(parts) if part not in ("weight", "lora_a", "lora_b"))


def _engine_ratio(config: Mapping[str, Any], name: str) -> np.float32:
    "What a gemma3 tensor is multiplied by so that MLX's rounded embedding scale comes out as llama.cpp's."
    exact = np.float32(np.sqrt(config["hidden_size"]))
    # to bfloat16: the upper half of a float32, rounded to nearest, ties to even
    bits = int(exact.view(np.uint32))
    rounded = np.uint32((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)
    if name == "model.embed_tokens.weight":
        return np.float32(exact / rounded)
    tied_end = name == "model.norm.weight" and config["tie_word_embeddings"]
    return np.float32(rounded / exact if tied_end else 1)
