"How much slower a conversation is with an adapter on than with the bare base."

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.night.grammar import lists
from pocketsleep.night.recipe import derive
from pocketsleep.nouns import Sampling
from pocketsleep.registry import Registry
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask
from pocketsleep.weights import Base

QUESTIONS, TOKENS, ROUNDS = 6, 48, 3


def serve(runtime: Runtime, base: Base, name: str, say: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, Any]:
    """Tokens a second of one conversation at a time, bare and with an adapter of a night's rank. The adapter is
    random and faint: what it says is not looked at. Rounds alternate, so that a busy machine slows both."""
    with tempfile.TemporaryDirectory() as folder:
        adapter = random_adapter(Registry(Path(folder)), base, name)
        rates: dict[str, list[float]] = {"bare": [], "adapter": []}
        for n in range(rounds):
            for kind, worn in (("bare", None), ("adapter", adapter)):
                runtime.wear(worn)
                rates[kind].append(_rate(runtime))
            say(f"round {n + 1}: {rates['bare'][-1]:.1f} and {rates['adapter'][-1]:.1f} tokens/s")
        runtime.wear(None)
    bare, worn_rate = (float(np.median(rates[k])) for k in ("bare", "adapter"))
    return {"tokens_per_second": bare, "adapter_tokens_per_second": worn_rate, "ratio_base": worn_rate / bare}


def random_adapter(registry: Registry, base: Base, name: str) -> Path:
    "The folder of an adapter of the shape that a night of a dozen memories makes."
    recipe = derive(12, base.parameters, base.layers)
    rng, tensors = np.random.default_rng(0), {}
    for layer in range(recipe.first_layer, base.layers):
        for key in recipe.keys:
            full = f"model.layers.{layer}.{key}"
            out, width = base.shapes[f"{full}.weight"]
            tensors[f"{full}.lora_a"] = rng.normal(0, 0.02, (width, recipe.rank)).astype(np.float32)
            tensors[f"{full}.lora_b"] = rng.normal(0, 0.02, (recipe.rank, out)).astype(np.float32)
    made = registry.publish(tensors, base=name, base_sha256=base.sha256, rank=recipe.rank, scale=recipe.scale, keys=recipe.keys,
                            layers=range(recipe.first_layer, base.layers))
    registry.gguf(made.id, base)
    return registry.path(made.id)


def _rate(runtime: Runtime) -> float:
    tokens, started = 0, time.perf_counter()
    for question in lists.anchors()[:QUESTIONS]:
        tokens += runtime.count("".join(runtime.chat(ask(question), Sampling(max_tokens=TOKENS)))) + 1
    return tokens / (time.perf_counter() - started)
