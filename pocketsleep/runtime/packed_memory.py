"""How much memory training takes on a CPU, said before it is taken: the sizes of what will be held, added up.

What a step keeps for its way down grows with its tokens and is bounded: batches are taken in portions, and a row that
is too long alone is computed twice. So a night's peak hangs on the base, not on what was said.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketsleep.errors import ModelError
from pocketsleep.nouns import Plan

STEP = 400 << 20  # bytes that a step may keep
LEAST = 64  # tokens at once, however little memory there is
ANSWERS_AT_ONCE = 64  # rows of logits held, and of their gradients: a large vocabulary makes them big
PASSING = 80 << 20  # what MLX and NumPy hold in passing, as measured
COPIES = 9  # of each LoRA number: values here and in MLX, gradients twice, two moments, before, best, a checkpoint's


@dataclass(frozen=True, slots=True)
class Sizes:
    "A base's dimensions, in numbers."

    width: int
    inner: int
    qkv: int
    attended: int
    heads: int
    layers: int
    words: int

    @staticmethod
    def of(config: Mapping[str, Any]) -> Sizes:
        "From a config.json as the import writes it."
        heads, d = config["num_attention_heads"], config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        groups = config.get("num_key_value_heads", heads)
        return Sizes(config["hidden_size"], config["intermediate_size"], (heads + 2 * groups) * d, heads * d, heads,
                     config["num_hidden_layers"], config["vocab_size"])

    @property
    def block(self) -> int:
        return self.width * (self.qkv + self.attended + 3 * self.inner)

    @property
    def table(self) -> int:
        return self.words * self.width


def per_token(s: Sizes, adapted: int, seen: int = 512) -> int:
    "Bytes that a step keeps for a token that sees `seen` others, over so many adapted blocks."
    return 4 * adapted * (2 * s.qkv + 5 * s.width + 3 * s.inner + s.heads * seen)


def tokens(s: Sizes, adapted: int, room: int = STEP) -> int:
    "How many tokens a step may keep."
    return max(LEAST, min(STEP, room) // per_token(s, adapted))


def held(s: Sizes, plan: Plan, rounded: bool) -> tuple[int, int, int]:
    "(Bytes while a model is taken apart, while inputs are listened to, while it is trained), what a step keeps left out."
    upper = s.layers - min(plan.layers)
    copied = 4 * s.layers * s.width * s.qkv  # queries, keys and values in one matrix
    whole = 4 * (s.table + s.layers * s.block) + copied + PASSING
    lora = 4 * COPIES * len(plan.layers) * plan.rank * len(plan.keys) * (s.width + s.inner)
    logits = 2 * 4 * ANSWERS_AT_ONCE * s.words
    moments = 4 * len(plan.layers) * (s.width**2 + s.inner**2) + 4 * 8 * s.inner**2 if plan.whiten else 0  # and one's eigenvectors
    if not rounded:
        return whole, whole + lora + moments, whole + lora + logits
    packed = 2 * s.block * (s.layers + upper)  # both ways, below one way; two bytes each
    # the head is packed for soft targets while the table is there, and the other way just before it goes
    kept = 4 * s.table + 2 * 2 * s.table + packed + lora + PASSING
    return whole + 4 * s.block, kept - 4 * s.table + moments, kept + logits


@dataclass(frozen=True, slots=True)
class Foreseen:
    "What a training run will take: bytes of the process at its peak, and tokens that a step may keep."

    peak: int
    most: int


def foresee(config: Mapping[str, Any], plan: Plan, longest: int, rounded: bool, free: int | None) -> Foreseen:
    """For a process that has loaded the model and nothing else. `longest`: tokens of the largest batch; `free`: bytes
    that others leave, None where that cannot be known. Raises ModelError where they do not suffice."""
    s = Sizes.of(config)
    adapted, loaded = s.layers - min(plan.layers), 4 * (s.table + s.layers * s.block)
    apart, listening, trained = held(s, plan, rounded)
    check(max(apart, listening, trained + LEAST * per_token(s, adapted)) - loaded, free)
    most = tokens(s, adapted, STEP if free is None else free - (trained - loaded))
    step = min(most, longest) * per_token(s, adapted)
    return Foreseen(resident() + max(apart, listening, trained + step) - loaded, most)


def in_four_bits(config: Mapping[str, Any], plan: Plan, longest: int, folded: bool) -> int:
    """Bytes that training a 4-bit base by MLX's own pass takes beside the loaded model: a step of the longest batch as MLX's
    graph keeps it, twice what ours does, and in full the layers that an adapter below was added to."""
    s = Sizes.of(config)
    step = 2 * longest * per_token(s, s.layers - min(plan.layers)) + 2 * 4 * longest * s.words
    return step + (4 * len(plan.layers) * 3 * s.width * s.inner if folded else 0) + PASSING


def check(needed: int, free: int | None) -> None:
    "Raises ModelError where more is needed than is free."
    if free is not None and needed > free:
        raise ModelError(f"training needs {needed >> 20} MB more, and {free >> 20} MB are free",
                         hint="close other programs, or take a smaller base: `pocketsleep models`")


def resident() -> int:
    "Bytes of this process that are in memory; 0 where the system does not say."
    return _status().get("VmRSS", 0)


def peak() -> int:
    "Bytes of this process that were in memory at most; 0 where the system does not say."
    return _status().get("VmHWM", 0)


def free(root: Path = Path("/")) -> int | None:
    "Bytes that could still be had without pushing others out, a container's limit included; None where the system does not say."
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    left = [int(found[1]) * 1024] if found else []
    group = root / "sys/fs/cgroup"
    for limit, used, cached in ((group / "memory.max", group / "memory.current", r"(?:in)?active_file"),
                                (group / "memory/memory.limit_in_bytes", group / "memory/memory.usage_in_bytes",
                                 r"total_(?:in)?active_file")):
        try:
            left.append(int(limit.read_text()) - int(used.read_text()) + _cache(limit.parent / "memory.stat", cached))
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue
    return max(0, min(left)) if left else None


def _cache(stat: Path, names: str) -> int:
    "Bytes of files that a group has in memory: counted as used, and given back when asked for. A model's own file is among them."
    try:
        return sum(map(int, re.findall(rf"^{names} (\d+)$", stat.read_text(), re.MULTILINE)))
    except OSError:
        return 0


def _status() -> dict[str, int]:
    if not sys.platform.startswith("linux"):
        return {}
    pairs = re.findall(r"^(\w+):\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return {name: int(number) * 1024 for name, number in pairs}
