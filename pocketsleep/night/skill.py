"""Skill adapters: small parts that listen and dream, shipped with the default base and the same for everybody.

    ear.npz               which sentences say something lasting    (listen/probe.py)
    writer.safetensors    sentence -> notes                        (listen/ear.py)
    dreamer.safetensors   note -> study items, and answers from notes (dreamt.py)
    near.npz              which note or sentence lies near a question (nearness.py)
    manner.safetensors    saying first what was asked for, then that nobody said it: where nights start (grammar/lead.py)

They hold nothing of any person, see the words of one sentence or note at a time, and whatever they write is
checked against those words. They run on the default base, whichever base talks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from pocketsleep.disk import new_file
from pocketsleep.errors import AdapterError
from pocketsleep.nouns import Adapter, Card, Plan
from pocketsleep.registry import Registry
from pocketsleep.runtime import Prompt, Runtime, Seed
from pocketsleep.weights import Base

States = Callable[[Sequence[Sequence[int]], Sequence[int]], Iterator[np.ndarray]]
WRITER, DREAMER, MANNER = "writer.safetensors", "dreamer.safetensors", "manner.safetensors"
EAR, NEAR = "ear.npz", "near.npz"


@dataclass(frozen=True, slots=True)
class Skills:
    "Where the skills are, and the base they run on."

    folder: Path  # as shipped
    cache: Path  # unpacked adapters: safe to delete
    base_sha256: str
    encode: Callable[[str], list[int]]
    states: States  # of the skills' base
    engine: Callable[[], AbstractContextManager[Runtime]]  # the skills' base, bare
    load: Callable[[], Runtime]  # the same, one more of it: to be closed by who asks for it

    @contextmanager
    def wearing(self, name: str) -> Iterator[Runtime]:
        "The skills' base with one of them on; bare again afterwards."
        adapter = self._unpacked(name)
        with self.engine() as runtime:
            runtime.wear(adapter)
            try:
                yield runtime
            finally:
                runtime.wear(None)

    def answers(self, name: str, prompts: Sequence[Prompt], max_tokens: int, temperature: float = 0.0,
                seed: Seed = 0) -> list[str]:
        "What one skill answers to many prompts."
        if not prompts:
            return []
        with self.wearing(name) as runtime:
            return runtime.answer(prompts, max_tokens, temperature, seed)

    def put_on(self, name: str, runtime: Runtime) -> Runtime:
        "An engine of the skills' base, wearing one of them from now on; closed where it cannot."
        try:
            runtime.wear(self._unpacked(name))
        except BaseException:
            runtime.close()
            raise
        return runtime

    def _unpacked(self, name: str) -> Path:
        registry = Registry(self.cache)
        return registry.path(published(registry, self.folder / name, self.base_sha256).id)


def states(card: Card, base: Base, texts: Sequence[Sequence[int]], layers: Sequence[int]) -> Iterator[np.ndarray]:
    "Hidden states behind these blocks, a text after another."
    from pocketsleep.runtime.mlx import Mlx

    return Mlx(card, base).states(texts, layers)


def published(registry: Registry, path: Path, base_sha256: str) -> Adapter:
    "A shipped skill as an adapter of the registry. Raises AdapterError when it was made for another base."
    tensors, told = read(path)
    if told["base_sha256"] != base_sha256:
        raise AdapterError(f"the skill `{path.name}` was made for `{told['base']}` of another hash", hint="reinstall pocketsleep")
    return registry.publish(
        tensors, base=told["base"], base_sha256=told["base_sha256"], rank=told["rank"], scale=told["scale"], keys=told["keys"],
        layers=told["layers"])


def manner(registry: Registry, path: Path, base_sha256: str, plan: Plan) -> str:
    "The id of the adapter that nights start from; '' where none fits this base and what a night would train."
    if not path.is_file() or made_for(path)["base_sha256"] != base_sha256:
        return ""
    made = published(registry, path, base_sha256)
    fits = (made.scale, tuple(made.layers), tuple(made.keys)) == (plan.scale, plan.layers, plan.keys)
    return made.id if fits else ""


def read(path: Path) -> tuple[dict[str, np.ndarray], Mapping[str, Any]]:
    "(tensors in float32, what they were made for) of a shipped skill."
    with safe_open(path, framework="numpy") as kept:
        told = json.loads(kept.metadata()["skill"])
        return {name: kept.get_tensor(name).astype(np.float32) for name in kept.keys()}, told  # noqa: SIM118


def made_for(path: Path) -> Mapping[str, Any]:
    "What a shipped skill was made for, without its tensors."
    with safe_open(path, framework="numpy") as kept:
        told: Mapping[str, Any] = json.loads(kept.metadata()["skill"])
    return told


def identity(path: Path) -> str:
    "SHA-256 of a shipped skill, shortened."
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def write(path: Path, tensors: Mapping[str, np.ndarray], plan: Plan, base: str, base_sha256: str, made: Mapping[str, Any]) -> None:
    "Half precision: four megabytes for rank 16 on two thirds of the blocks."
    told = {"base": base, "base_sha256": base_sha256, "rank": plan.rank, "scale": plan.scale, "keys": list(plan.keys),
            "layers": list(plan.layers), "made": dict(made)}
    with new_file(path) as draft:
        save_file({k: v.astype(np.float16) for k, v in tensors.items()}, draft, metadata={"skill": json.dumps(told)})
