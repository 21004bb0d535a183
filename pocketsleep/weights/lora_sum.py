"""Several LoRAs of one base worn as one: their sum, exactly, as a single LoRA.

    sum_i A_i B_i = [A_1 ... A_n] [B_1; ...; B_n]        ranks add up

A product of width [in, out] has no more than min(in, out) independent directions: once the ranks add up to
more than that, the product itself is kept beside a unit matrix, still exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Tensors = Mapping[str, np.ndarray]


def summed(parts: Sequence[Tensors]) -> tuple[dict[str, np.ndarray], int]:
    """(tensors, rank) of the sum. Every part has the same names, `<layer>.lora_a` [in, r_i] and `.lora_b`
    [r_i, out], float32, and was trained at the same scale. Raises ValueError when names differ."""
    names = sorted(parts[0])
    if any(sorted(part) != names for part in parts):
        raise ValueError("the parts adapt different layers")
    stems = [name.removesuffix(".lora_a") for name in names if name.endswith(".lora_a")]
    joined = {stem: (np.concatenate([p[f"{stem}.lora_a"] for p in parts], axis=1),
                     np.concatenate([p[f"{stem}.lora_b"] for p in parts], axis=0)) for stem in stems}
    rank = max(a.shape[1] for a, _ in joined.values())
    widest = max(min(a.shape[0], b.shape[1]) for a, b in joined.values())
    if rank > widest:
        joined, rank = {stem: _whole(a, b, widest) for stem, (a, b) in joined.items()}, widest
    return {f"{stem}.lora_{which}": array for stem, pair in joined.items() for which, array in zip("ab", pair, strict=True)}, rank


def scaled(part: Tensors, share: float) -> dict[str, np.ndarray]:
    "A LoRA whose product is `share` of what it was."
    return {name: array * np.float32(share) if name.endswith(".lora_b") else array for name, array in part.items()}


def _whole(a: np.ndarray, b: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    "The product beside a unit matrix on its narrow side, filled up with zeros to `rank`."
    width, out = a.shape[0], b.shape[1]
    unit, product = np.eye(min(width, out), dtype=np.float32), a @ b
    a, b = (unit, product) if width <= out else (product, unit)
    room = rank - len(unit)
    return np.pad(a, ((0, 0), (0, room))), np.pad(b, ((0, room), (0, 0)))
