"""A base of a few thousand numbers with the real tokenizer: where weights add nothing but time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HIDDEN, LAYERS, HEADS, KV, WIDE = 64, 3, 4, 2, 96


def tiny_base(folder: Path, real: Path, seed: int = 0) -> Path:
    "An MLX folder: a random llama of three blocks, and the tokenizer and template of the base in `real`."
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"):
        if (real / name).exists():
            shutil.copy(real / name, folder / name)
    config = json.loads((real / "config.json").read_text("utf-8"))
    config |= {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "intermediate_size": WIDE,
               "num_attention_heads": HEADS, "num_key_value_heads": KV, "head_dim": HIDDEN // HEADS}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    save_file(_weights(config["vocab_size"], seed), str(folder / "model.safetensors"))
    return folder


def _weights(words: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    made = {"model.embed_tokens.weight": normal(words, HIDDEN), "model.norm.weight": np.ones(HIDDEN, np.float32)}
    narrow = HIDDEN // HEADS * KV
    for i in range(LAYERS):
        at = f"model.layers.{i}"
        for name, out, width in (("self_attn.q_proj", HIDDEN, HIDDEN), ("self_attn.k_proj", narrow, HIDDEN),
                                 ("self_attn.v_proj", narrow, HIDDEN), ("self_attn.o_proj", HIDDEN, HIDDEN),
                                 ("mlp.gate_proj", WIDE, HIDDEN), ("mlp.up_proj", WIDE, HIDDEN),
                                 ("mlp.down_proj", HIDDEN, WIDE)):
            made[f"{at}.{name}.weight"] = normal(out, width)
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[f"{at}.{name}.weight"] = np.ones(HIDDEN, np.float32)
    return made
