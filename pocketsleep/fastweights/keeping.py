"""Fast weights on disk: a state, bound by hashes to its base and to the layers that wrote it.

One safetensors file each, written whole or not at all, with a note of JSON in its header. Numbers are hashed: a torn
or an altered file is refused before anything is computed with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pocketsleep import disk
from pocketsleep.errors import AdapterError, NotFound
from pocketsleep.runtime import blas  # noqa: F401  before mlx

# isort: split
import mlx.core as mx

FORMAT = 1
ANEW = "delete the file: the memory of the conversation begins empty, its turns are in the journal"
HINTS = {"fast_weights": ANEW, "memory_layers": "install pocketsleep again, or `pocketsleep memory-layers train`"}


@dataclass(frozen=True, slots=True)
class State:
    "The fast weights: what naps have written, in which layers of which base."

    tensors: tuple[mx.array, ...]  # [1, H, Dv, Dk] a layer, float32
    base: str  # SHA-256
    layers: str
    tokens: int = 0  # that were napped over

    @property
    def empty(self) -> bool:
        return self.tokens == 0


def save_state(path: Path, state: State, about: Mapping[str, Any] = MappingProxyType({})) -> None:
    """A few hundred kilobytes, and a note `about` it. What stands in it can be read out again: it is as private as the
    conversation."""
    note = {**about, "base": state.base, "layers": state.layers, "tokens": state.tokens}
    write(path, "fast_weights", note, {str(i): np.array(tensor) for i, tensor in enumerate(state.tensors)})


def load_state(path: Path, base: str, layers: str) -> State:
    "Raises NotFound where there is none, AdapterError where it is torn or of another base or other layers."
    return load_noted(path, base, layers)[0]


def load_noted(path: Path, base: str, layers: str) -> tuple[State, dict[str, Any]]:
    "The same, and the note with it."
    note, tensors = opened(path, "fast_weights")
    state = State(tuple(mx.array(tensors[name]) for name in sorted(tensors, key=int)), note["base"], note["layers"], note["tokens"])
    check(state, base, layers)
    return state, note


def check(state: State, base: str, layers: str) -> None:
    "Raises AdapterError for a state of another base or of other layers."
    for what, here, there in (("base", state.base, base), ("layers", state.layers, layers)):
        if here != there:
            raise AdapterError(f"the fast weights were written by other {what} ({here[:12]}, here {there[:12]})"
                               if what == "layers" else
                               f"the fast weights were written on another base ({here[:12]}, here {there[:12]})", hint=ANEW)


def write(path: Path, kind: str, note: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    "A note and tensors, and a hash of the two."
    told = {**note, "format": FORMAT, "sha256": _digest(note, tensors)}
    with disk.new_file(path) as draft:
        metadata = {kind: json.dumps(told, sort_keys=True)}
        save_file({name: np.ascontiguousarray(v) for name, v in tensors.items()}, draft, metadata=metadata)


def opened(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    "What `write` wrote. Raises NotFound or AdapterError."
    if not path.is_file():
        raise NotFound(f"there is no file `{path}`", hint="pocketsleep doctor")
    try:
        with safe_open(path, "numpy") as file:
            told = json.loads((file.metadata() or {})[kind])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        note = {k: v for k, v in told.items() if k not in ("format", "sha256")}
        whole = told["format"] == FORMAT and told["sha256"] == _digest(note, tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise AdapterError(f"`{path}` cannot be read as {kind.replace('_', ' ')} ({type(error).__name__})",
                           hint=HINTS[kind]) from error
    if not whole or not all(np.isfinite(values).all() for values in tensors.values()):
        raise AdapterError(f"`{path}` was altered, torn, or written by another version", hint=HINTS[kind])
    return note, tensors


def _digest(note: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    return digest.hexdigest()
