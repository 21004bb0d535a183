"Adapters of random numbers, to be put on, refused and taken off."

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pocketsleep.registry import WEIGHTS, Registry
from tests.suites.runtime_suite import Wardrobe

KEYS, RANK = ("mlp.up_proj", "mlp.down_proj"), 4


def fill(root: Path, base: str, sha256: str, shapes: Mapping[str, tuple[int, ...]], layers: Sequence[int]) -> Wardrobe:
    "One adapter of each kind for a base; shapes: `model.layers.N.<key>.weight` -> (out, in)."
    registry = Registry(root)

    def publish(seed: int, size: float, digest: str = sha256) -> Path:
        made = registry.publish(_random(shapes, layers, seed, size), base=base, base_sha256=digest, rank=RANK,
                                scale=2.0, keys=KEYS, layers=layers)  # fmt: skip
        return registry.path(made.id)

    torn = publish(3, 0.02)
    data = bytearray((torn / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (torn / WEIGHTS).chmod(0o600)
    (torn / WEIGHTS).write_bytes(data)
    return Wardrobe(publish(1, 0.02), publish(2, 0.02), publish(1, 0.02, "0" * 64), publish(4, 0.0), torn)


def _random(
    shapes: Mapping[str, tuple[int, ...]], layers: Sequence[int], seed: int, size: float
) -> dict[str, np.ndarray]:
    chance, tensors = np.random.default_rng(seed), {}
    for name in (f"model.layers.{layer}.{key}" for layer in layers for key in KEYS):
        out, width = shapes[f"{name}.weight"]
        tensors[f"{name}.lora_a"] = chance.standard_normal((width, RANK)) / np.sqrt(width)
        tensors[f"{name}.lora_b"] = chance.standard_normal((RANK, out)) * size
    return tensors
