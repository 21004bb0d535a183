"""Adapters on disk: one name for one content, whole or absent, and refused with the reason when not as written."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from pocketsleep import cards, disk, weights
from pocketsleep.errors import AdapterError, BadInput, ModelError, NotFound
from pocketsleep.nouns import Adapter
from pocketsleep.registry import CONFIG, RECORD, WEIGHTS, Registry, read_adapter
from pocketsleep.weights import layout

KEYS, LAYERS, RANK, SCALE = ("self_attn.q_proj", "mlp.down_proj"), (1, 2), 4, 2.0


def tensors_for(base: weights.Base, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {}
    for layer in LAYERS:
        for key in KEYS:
            out, width = base.shapes[f"model.layers.{layer}.{key}.weight"]
            made[f"model.layers.{layer}.{key}.lora_a"] = rng.standard_normal((width, RANK)).astype(np.float32)
            made[f"model.layers.{layer}.{key}.lora_b"] = rng.standard_normal((RANK, out)).astype(np.float32)
    return made


def publish(registry: Registry, base: weights.Base, /, **changes: Any) -> Adapter:
    facts: dict[str, Any] = {
        "tensors": tensors_for(base), "base": "tiny", "base_sha256": base.sha256, "rank": RANK, "scale": SCALE,
        "keys": KEYS, "layers": LAYERS, "memories": ("b2-x", "b2-y"),
    }  # fmt: skip
    facts |= changes
    return registry.publish(facts.pop("tensors"), **facts)


@pytest.fixture(scope="module")
def base(tiny: Path, cache: Path) -> weights.Base:
    "A small random llama: a LoRA is a LoRA."
    return weights.open_base(cards.find(str(tiny)), cache)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


def test_same_content_same_name(registry: Registry, base: weights.Base) -> None:
    first = publish(registry, base)
    shuffled = dict(reversed(list(tensors_for(base).items())))
    assert publish(registry, base, tensors=shuffled, memories=("b2-y", "b2-x"), layers=(2, 1)) == first
    assert registry.list() == [first]


@pytest.mark.parametrize(
    "change", [{"scale": 3.0}, {"memories": ("b2-x",)}, {"base": "other"}, {"base_sha256": "0" * 64}, {"tensors": 1}]
)
def test_other_content_other_name(registry: Registry, base: weights.Base, change: dict[str, Any]) -> None:
    change = change | ({"tensors": tensors_for(base, seed=1)} if "tensors" in change else {})
    assert publish(registry, base, **change).id != publish(registry, base).id


def test_what_is_read_is_what_was_written(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    assert registry.get(adapter.id) == adapter
    assert registry.check(adapter.id, base.sha256, base.shapes) == adapter
    found, tensors = read_adapter(registry.path(adapter.id))
    assert found == adapter
    for name, values in tensors_for(base).items():
        np.testing.assert_array_equal(tensors[name], values)


def test_mlx_lm_puts_it_on(registry: Registry, base: weights.Base) -> None:
    "y += scale * (x @ a) @ b, by mlx-lm's own loader, equals weights with the product added in."
    from mlx_lm.tuner.utils import load_adapters

    from pocketsleep.weights import model as loader

    mx = loader.mx
    adapter = publish(registry, base)
    ids = mx.array([[5, 6, 7, 8]])
    bare, worn = loader.load(base.folder), load_adapters(loader.load(base.folder), str(registry.path(adapter.id)))
    before = np.array(bare(ids))
    for layer in LAYERS:
        for key in KEYS:
            name = f"model.layers.{layer}.{key}"
            a, b = (mx.array(tensors_for(base)[f"{name}.lora_{part}"]) for part in "ab")
            part, last = key.split(".")
            linear = bare.model.layers[layer][part][last]
            linear.weight = linear.weight + SCALE * (a @ b).T
    after = np.array(worn(ids))
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_allclose(after, np.array(bare(ids)), rtol=1e-3, atol=1e-3)


# refusals


def test_wrong_base_is_refused_with_the_way_out(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    with pytest.raises(AdapterError, match="was made for `tiny`") as caught:
        registry.check(adapter.id, "0" * 64)
    assert adapter.id in caught.value.hint
    assert "--base tiny" in caught.value.hint


def test_usable_is_what_is_whole_and_made_for_this_base(registry: Registry, base: weights.Base) -> None:
    made = publish(registry, base)
    assert registry.usable(made.id, base.sha256)
    assert not registry.usable(made.id, "0" * 64)
    assert not registry.usable("b2-" + "0" * 20, base.sha256)
    assert not registry.usable("", base.sha256)


def test_what_lies_damaged_is_written_anew(registry: Registry, base: weights.Base) -> None:
    made = publish(registry, base)
    file = registry.path(made.id) / WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert not registry.usable(made.id, base.sha256)
    assert publish(registry, base) == made
    assert file.read_bytes() == whole


def test_wrong_shapes_are_refused(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    shapes = base.shapes | {"model.layers.2.mlp.down_proj.weight": (3, 5)}
    with pytest.raises(AdapterError, match=r"model\.layers\.2\.mlp\.down_proj is .* the base has \(3, 5\)"):
        registry.check(adapter.id, base.sha256, shapes)


def test_nothing_unusable_is_published(registry: Registry, base: weights.Base) -> None:
    good = tensors_for(base)
    name = "model.layers.1.mlp.down_proj.lora_a"
    bad = {**good, name: np.full_like(good[name], np.nan), "model.norm.lora_a": good[name]}
    del bad["model.layers.2.mlp.down_proj.lora_b"]
    with pytest.raises(AdapterError) as caught:
        publish(registry, base, tensors=bad)
    missing = "missing: model.layers.2.mlp.down_proj.lora_b"
    for finding in (f"not finite: {name}", "unknown: model.norm.lora_a", missing):
        assert finding in str(caught.value)
    with pytest.raises(AdapterError, match="the rank is 5"):
        publish(registry, base, rank=5)
    with pytest.raises(AdapterError, match="adapts nothing"):
        publish(registry, base, tensors={}, layers=())
    assert registry.list() == []
    assert not registry.root.exists() or not list(registry.root.iterdir())


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, RECORD])
def test_every_flipped_bit_is_found(registry: Registry, base: weights.Base, name: str) -> None:
    adapter = publish(registry, base)
    file = registry.path(adapter.id) / name
    whole = file.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(120):
        at, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        file.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
        with pytest.raises(AdapterError):
            registry.check(adapter.id, base.sha256)
    file.write_bytes(whole)
    registry.check(adapter.id, base.sha256)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, RECORD])
def test_torn_and_missing_files_are_found(registry: Registry, base: weights.Base, name: str) -> None:
    adapter = publish(registry, base)
    file = registry.path(adapter.id) / name
    whole = file.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(AdapterError, match="damaged"):
            read_adapter(registry.path(adapter.id))
    file.unlink()
    with pytest.raises(AdapterError, match="damaged"):
        registry.check(adapter.id, base.sha256)
    assert [id for id, _ in registry.damaged()] == [adapter.id]


def test_a_consistent_forgery_is_found(registry: Registry, base: weights.Base) -> None:
    "Someone alters the memories an adapter lists and keeps the file well formed: the name gives it away."
    adapter = publish(registry, base)
    record = registry.path(adapter.id) / RECORD
    facts = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps({**facts, "memories": ["b2-x"]}, indent=1, sort_keys=True) + "\n", "utf-8")
    with pytest.raises(AdapterError, match="does not hash to its name"):
        registry.check(adapter.id, base.sha256)


def test_a_swapped_adapter_is_found(registry: Registry, base: weights.Base) -> None:
    one, two = publish(registry, base), publish(registry, base, scale=3.0)
    shutil.rmtree(registry.path(one.id))
    shutil.copytree(registry.path(two.id), registry.root / one.id)
    with pytest.raises(AdapterError, match="damaged"):
        registry.get(one.id)


@pytest.mark.parametrize("id", ["", "..", "b2-../../etc", "b2-" + "0" * 20, "nothing"])
def test_names_that_nothing_answers_to(registry: Registry, base: weights.Base, id: str) -> None:
    publish(registry, base)
    with pytest.raises(NotFound):
        registry.get(id)


# writing


def test_a_write_cut_short_leaves_nothing_under_the_name(
    registry: Registry, base: weights.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    "Stopped at each system call that publishes, in turn, there is no adapter or a whole one."
    real = {name: getattr(os, name) for name in ("fsync", "rename")}
    for stop in range(1, 20):
        count = 0

        def stopping(name: str, stop: int = stop) -> Any:
            def call(*args: Any) -> Any:
                nonlocal count
                count += 1
                if count == stop:
                    raise KeyboardInterrupt
                return real[name](*args)

            return call

        for name in real:
            monkeypatch.setattr(os, name, stopping(name))
        try:
            adapter = publish(registry, base, scale=float(stop))
        except KeyboardInterrupt:
            monkeypatch.undo()
            assert registry.damaged() == []
            continue
        monkeypatch.undo()
        registry.check(adapter.id, base.sha256)
        assert stop > 5, "three files, their folder, the rename and the parent are each waited for"
        return
    pytest.fail("publishing never finished")


def test_a_killed_process_leaves_only_what_sweep_removes(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    draft = registry.root / f".{adapter.id}.0000{disk.DRAFT}"
    draft.mkdir()
    (draft / WEIGHTS).write_bytes(b"half")
    assert registry.list() == [adapter]
    registry.sweep()
    assert [path.name for path in registry.root.iterdir()] == [adapter.id]


def test_discarding_leaves_no_file(registry: Registry, base: weights.Base) -> None:
    adapter, other = publish(registry, base), publish(registry, base, scale=3.0)
    registry.gguf(adapter.id, base)
    registry.discard(adapter.id)
    registry.discard(adapter.id)
    assert registry.list() == [other]
    assert not [path for path in registry.root.rglob("*") if adapter.id in str(path)]


# other programs' formats


def test_gguf_lora_holds_the_transposes(registry: Registry, base: weights.Base) -> None:
    adapter, tensors = publish(registry, base), tensors_for(base)
    reader = gguf.GGUFReader(registry.gguf(adapter.id, base))
    assert reader.fields["general.type"].contents() == "adapter"
    assert reader.fields["adapter.type"].contents() == "lora"
    assert reader.fields["general.architecture"].contents() == "llama"
    assert reader.fields["adapter.lora.alpha"].contents() == SCALE * RANK
    there = {tensor.name: tensor.data for tensor in reader.tensors}
    assert len(there) == len(tensors)
    down = "model.layers.2.mlp.down_proj"
    np.testing.assert_array_equal(there["blk.2.ffn_down.weight.lora_a"], tensors[f"{down}.lora_a"].T)
    np.testing.assert_array_equal(there["blk.2.ffn_down.weight.lora_b"], tensors[f"{down}.lora_b"].T)
    rows = tensors["model.layers.1.self_attn.q_proj.lora_b"].T
    heads = base.config["num_attention_heads"]
    np.testing.assert_array_equal(there["blk.1.attn_q.weight.lora_b"], layout.pairs_together(rows, heads))
    assert not np.array_equal(there["blk.1.attn_q.weight.lora_b"], rows)


def test_a_derived_file_is_made_once_and_again_when_it_changed(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    path = registry.gguf(adapter.id, base)
    whole, made = path.read_bytes(), path.stat().st_mtime_ns
    assert registry.gguf(adapter.id, base).stat().st_mtime_ns == made
    path.write_bytes(whole[:-4] + b"\0\0\0\1")
    assert registry.gguf(adapter.id, base).read_bytes() == whole


def test_no_gguf_is_made_from_a_damaged_master(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    registry.gguf(adapter.id, base)
    file = registry.path(adapter.id) / WEIGHTS
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(AdapterError, match="damaged"):
        registry.gguf(adapter.id, base)


def test_export_to_peft(registry: Registry, base: weights.Base, tmp_path: Path) -> None:
    adapter = publish(registry, base)
    folder = registry.export(adapter.id, "peft", tmp_path / "out", base)
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    assert config["lora_alpha"] / config["r"] == SCALE
    assert config["target_modules"] == ["down_proj", "q_proj"]
    assert config["layers_to_transform"] == list(LAYERS)
    there, tensors = load_file(folder / "adapter_model.safetensors"), tensors_for(base)
    name = "model.layers.1.self_attn.q_proj"
    np.testing.assert_array_equal(there[f"base_model.model.{name}.lora_B.weight"], tensors[f"{name}.lora_b"].T)
    np.testing.assert_array_equal(there[f"base_model.model.{name}.lora_A.weight"], tensors[f"{name}.lora_a"].T)
    assert len(there) == len(tensors)


def test_export_to_mlx_and_gguf_are_whole_copies(registry: Registry, base: weights.Base, tmp_path: Path) -> None:
    adapter = publish(registry, base)
    copied, _ = read_adapter(registry.export(adapter.id, "mlx", tmp_path, base))
    assert copied == adapter
    exported = registry.export(adapter.id, "gguf", tmp_path, base)
    assert exported.read_bytes() == registry.gguf(adapter.id, base).read_bytes()
    with pytest.raises(BadInput, match="not an adapter format"):
        registry.export(adapter.id, "onnx", tmp_path, base)


def test_gguf_of_an_architecture_without_a_layout(registry: Registry, base: weights.Base) -> None:
    adapter = publish(registry, base)
    with pytest.raises(ModelError, match="qwen3"):
        registry.gguf(adapter.id, replace(base, config=base.config | {"model_type": "qwen3"}))
    assert [path.name for path in registry.root.iterdir()] == [adapter.id]
