"""Adapters on disk: written once, named by content, checked before anything loads them.

<root>/<id>/adapters.safetensors    the master copy, in mlx-lm's format
            adapter_config.json     what mlx-lm needs to put it on
            pocketsleep.json        what it was made for, what it holds, and the hashes of the two
<root>/<id>.gguf                    derived: the same LoRA for llama.cpp, made when first asked for
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save_file

from pocketsleep import disk
from pocketsleep.errors import AdapterError, BadInput, NotFound
from pocketsleep.nouns import Adapter, content_id
from pocketsleep.weights import lora_export

FORMAT = 1
GGUF_FORMAT = 1  # raise it whenever the derived GGUF-LoRA changes
WEIGHTS, CONFIG, RECORD = "adapters.safetensors", "adapter_config.json", "pocketsleep.json"
Target = Literal["gguf", "peft", "mlx"]

_ID = re.compile(r"b2-[0-9a-f]{20}\Z")
_GONE = f".gone{disk.DRAFT}"


class HasConfig(Protocol):
    "What an export needs of a base: see weights.Base."

    @property
    def config(self) -> dict[str, Any]: ...


class Registry:
    "The folder that holds every adapter. Only this class writes adapter files."

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self,
        tensors: Mapping[str, np.ndarray],
        *,
        base: str,
        base_sha256: str,
        rank: int,
        scale: float,
        keys: Iterable[str],
        layers: Iterable[int],
        memories: Iterable[str] = (),
    ) -> Adapter:
        """Write an adapter, whole or not at all; the same content again is a no-op and has the same id.

        tensors: `model.layers.N.<key>.lora_a` [in, r] and `.lora_b` [r, out] for every layer and key.
        """
        bare = Adapter(
            id="", base=base, base_sha256=base_sha256, rank=rank, scale=float(scale), keys=tuple(keys),
            layers=tuple(sorted(layers)), memories=tuple(sorted(set(memories))),
        )  # fmt: skip
        ready = {name: np.ascontiguousarray(tensors[name], dtype=np.float32) for name in sorted(tensors)}
        _check_tensors(bare, ready, "the adapter")
        adapter = Adapter(**{**asdict(bare), "id": _identity(bare, ready)})
        self._make_way(adapter.id)
        with disk.new_folder(self._folder(adapter.id)) as draft:
            save_file(ready, draft / WEIGHTS, metadata={"format": "mlx"})
            (draft / CONFIG).write_bytes(_plain(_mlx_config(adapter)))
            files = {name: disk.sha256(draft / name) for name in (CONFIG, WEIGHTS)}
            (draft / RECORD).write_bytes(_plain(_record(adapter, files)))
        return adapter

    def _make_way(self, id: str) -> None:
        "What lies there damaged is not what its name says: it goes, so that the same can be written anew."
        if (folder := self._folder(id)).is_dir():
            try:
                read_adapter(folder)
            except AdapterError:
                self.discard(id)

    def path(self, id: str) -> Path:
        "The folder of an adapter that is here. Raises NotFound."
        if not _ID.match(id) or not (folder := self._folder(id)).is_dir():
            raise NotFound(f"there is no adapter `{id}`",
                           hint="`pocketsleep nights` lists them; where it was worn, `pocketsleep undo` wears the one before")
        return folder

    def get(self, id: str) -> Adapter:
        "What an adapter is, from its record alone; `check` looks at the weights."
        return _read_record(self.path(id))[0]

    def check(self, id: str, base_sha256: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Adapter:
        """Raises AdapterError, with the reason, unless the adapter is whole, unaltered and made for this base.

        shapes: `model.layers.N.<key>` or that plus `.weight` -> (out, in), to compare with the base's.
        """
        adapter, tensors = read_adapter(self.path(id))
        if adapter.base_sha256 != base_sha256:
            raise AdapterError(
                f"adapter `{id}` was made for `{adapter.base}` ({adapter.base_sha256[:12]}...), "
                f"not for the base that is loaded ({base_sha256[:12]}...)",
                hint=f"`pocketsleep use {id} --base {adapter.base}`",
            )
        if shapes is not None:
            _check_shapes(adapter, tensors, shapes)
        return adapter

    def usable(self, id: str, base_sha256: str) -> bool:
        "Whether an adapter is here, whole, and made for this base."
        try:
            self.check(id, base_sha256)
        except (AdapterError, NotFound):
            return False
        return True

    def list(self) -> Sequence[Adapter]:
        "Every adapter whose record can be read, by id."
        found = []
        for folder in self._folders():
            with suppress(AdapterError):
                found.append(_read_record(folder)[0])
        return found

    def unreadable(self) -> Sequence[str]:
        "Ids of adapters whose record cannot be read: nothing says what they hold, and nothing can wear them."
        known = {adapter.id for adapter in self.list()}
        return [folder.name for folder in self._folders() if folder.name not in known]

    def damaged(self) -> Sequence[tuple[str, str]]:
        "(id, reason) of every adapter that is torn or altered. Reads all of them."
        found = []
        for folder in self._folders():
            try:
                read_adapter(folder)
            except AdapterError as error:
                found.append((folder.name, str(error)))
        return found

    def discard(self, id: str) -> None:
        "Delete an adapter and what was derived from it. One that is not here is already discarded."
        if not _ID.match(id):
            raise NotFound(f"there is no adapter `{id}`", hint="`pocketsleep nights` lists them")
        for file in self._derived(id):
            file.unlink(missing_ok=True)
        if (folder := self._folder(id)).is_dir():
            # renamed first: a deletion that is cut short must not leave half an adapter under its name
            gone = folder.with_name(f".{id}{_GONE}")
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            with suppress(FileNotFoundError):  # a sweep of another process got there first
                shutil.rmtree(gone)
            disk.sync(self.root)

    def half_deleted(self) -> Sequence[str]:
        "Ids of adapters whose deletion was cut short: nothing wears them, but their weights are there."
        return sorted(left.name.removeprefix(".").removesuffix(_GONE) for left in self.root.glob(f".*{_GONE}"))

    def sweep(self, idle: float = 0.0) -> None:
        "Remove deletions that a crash cut short, and drafts that nobody has written to for `idle` seconds: a server may be at one."
        since = time.time() - idle
        for left in self.root.glob(f".*{disk.DRAFT}"):
            with suppress(FileNotFoundError):  # finished, or removed, in just this moment
                if left.name.endswith(_GONE) or left.stat().st_mtime <= since:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    def gguf(self, id: str, base: HasConfig) -> Path:
        "The adapter as a GGUF-LoRA for llama.cpp, made once and checked against its hash on every call."
        path, note = self._derived(id)
        source = self.path(id)
        stamp = f"{GGUF_FORMAT} {disk.sha256(source / WEIGHTS)}"
        with suppress(OSError, ValueError):
            made_from, digest = note.read_text("utf-8").rsplit(" ", 1)
            if made_from == stamp and disk.sha256(path) == digest:
                return path
        adapter, tensors = read_adapter(source)
        with disk.new_file(path) as draft:
            lora_export.write_gguf(adapter, tensors, base.config, draft)
        with disk.new_file(note) as draft:
            draft.write_text(f"{stamp} {disk.sha256(path)}", "utf-8")
        return path

    def export(self, id: str, to: Target | str, folder: Path, base: HasConfig) -> Path:
        "A copy for another program: `gguf` (one file), `peft` or `mlx` (a folder). Returns what was written."
        adapter, tensors = read_adapter(self.path(id))
        if to == "gguf":
            target = folder / f"pocketsleep-{id}.gguf"
            with disk.new_file(target) as draft:
                lora_export.write_gguf(adapter, tensors, base.config, draft)
            return target
        if to not in ("peft", "mlx"):
            raise BadInput(f"`{to}` is not an adapter format", hint="one of gguf, peft, mlx")
        target = folder / f"pocketsleep-{id}-{to}"
        with disk.new_folder(target) as draft:
            if to == "peft":
                lora_export.write_peft(adapter, tensors, draft)
            else:
                shutil.copytree(self.path(id), draft, dirs_exist_ok=True)
        return target

    def _folder(self, id: str) -> Path:
        return self.root / id

    def _derived(self, id: str) -> tuple[Path, Path]:
        return self.root / f"{id}.gguf", self.root / f"{id}.gguf.sha256"

    def _folders(self) -> Iterable[Path]:
        return sorted(p for p in self.root.glob("b2-*") if p.is_dir()) if self.root.is_dir() else []


def read_adapter(folder: Path) -> tuple[Adapter, dict[str, np.ndarray]]:
    """An adapter and its tensors, with everything checked that can be checked without a base.

    Hashes come first: no parser sees bytes that are not the ones we wrote. Raises AdapterError.
    """
    adapter, files = _read_record(folder)
    try:
        data = {name: (folder / name).read_bytes() for name in files}
    except OSError as error:
        raise _damaged(folder, f"{error.strerror}: {error.filename}") from error
    altered = [name for name, digest in files.items() if hashlib.sha256(data[name]).hexdigest() != digest]
    if altered:
        raise _damaged(folder, f"{', '.join(altered)} changed since it was written")
    try:
        tensors = load_tensors(data[WEIGHTS])
    except SafetensorError as error:
        raise _damaged(folder, str(error)) from error
    _check_tensors(adapter, tensors, f"adapter `{adapter.id}`")
    if _identity(adapter, tensors) != adapter.id or data[CONFIG] != _plain(_mlx_config(adapter)):
        raise _damaged(folder, "its content does not hash to its name")
    return adapter, tensors


def _identity(adapter: Adapter, tensors: Mapping[str, np.ndarray]) -> str:
    "The name that content gives: bytes, names and shapes of the tensors, and every fact of the adapter."
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(json.dumps([name, list(tensors[name].shape), str(tensors[name].dtype)]).encode())
        digest.update(tensors[name].tobytes())
    facts = {key: value for key, value in asdict(adapter).items() if key != "id"}
    return content_id("adapter", digest.hexdigest(), _plain(facts).decode())


def _mlx_config(adapter: Adapter) -> dict[str, Any]:
    "mlx-lm adapts the last `num_layers` blocks; blocks that got no tensors keep b = 0 and change nothing."
    return {
        "fine_tune_type": "lora",
        "num_layers": max(adapter.layers) - min(adapter.layers) + 1,
        "lora_parameters": {
            "rank": adapter.rank, "scale": adapter.scale, "dropout": 0.0, "keys": list(adapter.keys),
        },
    }  # fmt: skip


def _record(adapter: Adapter, files: Mapping[str, str]) -> dict[str, Any]:
    return {"format": FORMAT, "files": dict(files), **asdict(adapter)}


def _plain(value: Mapping[str, Any]) -> bytes:
    "The one way a record is written, so that its bytes can be compared."
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _read_record(folder: Path) -> tuple[Adapter, dict[str, str]]:
    try:
        data = (folder / RECORD).read_bytes()
        facts = json.loads(data)
        files = facts.pop("files")
        if (version := facts.pop("format")) != FORMAT:
            raise _damaged(folder, f"its record has format {version}, known is {FORMAT}")
        listed = {key: tuple(facts[key]) for key in ("keys", "layers", "memories")}
        adapter = Adapter(**{**facts, **listed})
        whole = data == _plain(_record(adapter, files)) and set(files) == {CONFIG, WEIGHTS}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(folder, f"its record cannot be read ({type(error).__name__}: {error})") from error
    if not whole or (_ID.match(folder.name) and folder.name != adapter.id):
        raise _damaged(folder, "its record was changed since it was written")
    return adapter, files


def _check_tensors(adapter: Adapter, tensors: Mapping[str, np.ndarray], who: str) -> None:
    "Names, ranks, pairs and finite values, all problems at once."
    wrong = [] if adapter.layers and adapter.keys else ["it adapts nothing"]
    wanted = {f"{full}.{part}" for full, _, _ in lora_export.modules(adapter) for part in ("lora_a", "lora_b")}
    wrong += [f"missing: {name}" for name in sorted(wanted - set(tensors))]
    wrong += [f"unknown: {name}" for name in sorted(set(tensors) - wanted)]
    for name in sorted(wanted & set(tensors)):
        values, axis = tensors[name], 1 if name.endswith("lora_a") else 0
        if values.ndim != 2 or values.shape[axis] != adapter.rank:
            wrong.append(f"shape: {name} is {values.shape}, the rank is {adapter.rank}")
        elif not np.isfinite(values).all():
            wrong.append(f"not finite: {name}")
    if wrong:
        raise AdapterError(f"{who} is not a usable LoRA: {'; '.join(wrong)}", hint="`pocketsleep sleep --tonight`")


def _check_shapes(adapter: Adapter, tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    wrong = []
    for full, _, _ in lora_export.modules(adapter):
        there = shapes.get(full) or shapes.get(f"{full}.weight")
        ours = (tensors[f"{full}.lora_b"].shape[1], tensors[f"{full}.lora_a"].shape[0])
        if there is None or tuple(there) != ours:
            wrong.append(f"{full} is {ours}, the base has {there}")
    if wrong:
        raise AdapterError(
            f"adapter `{adapter.id}` does not fit the base: {'; '.join(wrong)}",
            hint=f"`pocketsleep use {adapter.id} --base {adapter.base}`",
        )


def _damaged(folder: Path, why: str) -> AdapterError:
    return AdapterError(
        f"adapter `{folder.name}` is damaged: {why}",
        hint="`pocketsleep undo` wears the one before; the next night builds a new one",
    )
