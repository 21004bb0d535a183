"""Import of GGUF bases: the right tensors in the right order, everything wrong said at once, whole or absent."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pocketsleep import cards, disk, weights
from pocketsleep.errors import BadInput, ModelError
from pocketsleep.nouns import Card
from pocketsleep.registry import Registry
from pocketsleep.weights import gguf_base, gguf_plain, layout, parity, vocab
from pocketsleep.weights import model as loader
from pocketsleep.weights.gguf_plain import write_gguf
from tests import tiny_gguf

KINDS = ["llama", "gemma3"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
Quant = gguf.GGMLQuantizationType


def import_one(path: Path, cache: Path) -> Path:
    return gguf_base.import_gguf(path, disk.sha256(path), cache)


def open_one(path: Path, cache: Path, kind: str) -> weights.Base:
    template = TEMPLATE if kind == "llama" else cards.find("gemma3-270m").template
    return weights.open_base(replace(cards.find(str(path)), template=template), cache)


# layout


def test_pairs_are_interleaved_and_parted() -> None:
    "Two heads of four rows, three columns: a head's halves 0 1 | 2 3 become rows 0 2 1 3."
    rows = np.arange(8 * 3).reshape(8, 3)
    together = layout.pairs_together(rows, 2)
    np.testing.assert_array_equal(together, rows[[0, 2, 1, 3, 4, 6, 5, 7]])
    np.testing.assert_array_equal(layout.pairs_apart(together, 2), rows)


def test_norms_are_one_less_in_mlx_for_gemma_alone() -> None:
    ones = np.ones(96, np.float32)
    gemma, llama = tiny_gguf.config_for("gemma3"), tiny_gguf.config_for("llama")
    for name in ("model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.q_norm.weight"):
        np.testing.assert_array_equal(layout.to_mlx(gemma, name, ones), 0 * ones)
    np.testing.assert_array_equal(layout.to_mlx(llama, "model.norm.weight", ones), ones)


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_layouts_are_inverses(kind: str) -> None:
    config, tensors = tiny_gguf.config_for(kind), tiny_gguf.tensors_for(kind)
    for ours, theirs in layout.names(config).items():
        back = layout.to_gguf(config, ours, layout.to_mlx(config, ours, tensors[theirs]))
        np.testing.assert_allclose(back, tensors[theirs], rtol=1e-6, atol=1e-6)


# the import


@pytest.mark.parametrize("kind", KINDS)
def test_an_import_is_made_once(kind: str, tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", kind)
    folder = import_one(path, tmp_path)
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert import_one(path, tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    assert folder.parent == tmp_path / "bases"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_are_half_and_norms_whole(kind: str, tmp_path: Path) -> None:
    tensors = load_file(import_one(tiny_gguf.write(tmp_path / "a.gguf", kind), tmp_path) / "model.safetensors")
    assert {(values.ndim, str(values.dtype)) for values in tensors.values()} == {(1, "float32"), (2, "float16")}
    assert {n: v.shape for n, v in tensors.items()} == layout.shapes(tiny_gguf.config_for(kind))


def test_a_value_too_large_for_half_stays_whole(tmp_path: Path) -> None:
    def edit(tensors: dict[str, np.ndarray]) -> None:
        tensors["blk.1.ffn_up.weight"][3, 4] = 1e6

    path = tiny_gguf.write(tmp_path / "a.gguf", "llama", edit)
    tensors = load_file(import_one(path, tmp_path) / "model.safetensors")
    whole = tensors["model.layers.1.mlp.up_proj.weight"]
    assert whole.dtype == np.float32  # in half precision 1e6 is infinite, and so is what it is compared with
    assert float(whole[3, 4]) == 1e6


@pytest.mark.parametrize(
    ("quant", "error"), [("F16", 0.002), ("BF16", 0.02), ("Q8_0", 0.02), ("Q5_0", 0.2), ("Q4_1", 0.3)]
)
def test_quantised_files_are_read(quant: str, error: float, tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", "llama", quant=Quant[quant])
    tensors, config = load_file(import_one(path, tmp_path) / "model.safetensors"), tiny_gguf.config_for("llama")
    for ours, theirs in layout.names(config).items():
        expected = layout.to_mlx(config, ours, tiny_gguf.tensors_for("llama")[theirs])
        assert np.abs(tensors[ours] - expected).max() <= error * np.abs(expected).max(), ours


def test_every_mismatch_is_said_at_once(tmp_path: Path) -> None:
    def edit(tensors: dict[str, np.ndarray]) -> None:
        del tensors["blk.0.attn_k.weight"]
        tensors["blk.0.extra.weight"] = np.ones((32, 32), np.float32)
        tensors["blk.1.ffn_up.weight"] = tensors["blk.1.ffn_up.weight"][:, :64]
        tensors["blk.2.attn_norm.weight"][5] = np.nan

    path = tiny_gguf.write(tmp_path / "a.gguf", "llama", edit)
    with pytest.raises(ModelError) as caught:
        import_one(path, tmp_path)
    for finding in ("missing: blk.0.attn_k.weight", "unknown: blk.0.extra.weight", "not finite: blk.2.attn_norm.weight",
                    "shape: blk.1.ffn_up.weight is (160, 64), expected (160, 96)"):  # fmt: skip
        assert finding in str(caught.value)
    assert not (tmp_path / "bases").exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"llama.rope.scaling.type": "yarn"}, "rope scaling `yarn`"),
        ({"tokenizer.ggml.pre": "no-such"}, "pre-tokenizer `no-such`"),
        ({"tokenizer.ggml.model": "bert"}, "tokenizer `bert`"),
        ({"llama.embedding_length": 95}, "shape: token_embd.weight"),
    ],
)
def test_what_cannot_be_imported_is_named(facts: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", "llama", facts=facts)
    with pytest.raises(ModelError, match=said):
        import_one(path, tmp_path)
    assert not list((tmp_path / "bases").glob("*"))


def test_files_that_are_no_models(tmp_path: Path) -> None:
    whole = tiny_gguf.write(tmp_path / "a.gguf", "llama").read_bytes()
    for index, data in enumerate((b"", b"GGUF", b"nonsense" * 99, whole[:50], whole[:5000], whole[: len(whole) // 2])):
        file = tmp_path / f"{index}.gguf"
        file.write_bytes(data)
        with pytest.raises(ModelError):
            import_one(file, tmp_path)


def test_an_import_cut_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", "llama")

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(vocab, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            import_one(path, tmp_path)
    assert not list((tmp_path / "bases").iterdir())
    assert (import_one(path, tmp_path) / "tokenizer.json").exists()


# both engines, on models small enough to compare in a second


@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_and_mlx_agree_bare_and_dressed(kind: str, tmp_path: Path) -> None:
    "Grouped heads, a local window of eight, both rope bases, and a LoRA on every linear layer."
    base = open_one(tiny_gguf.write(tmp_path / "a.gguf", kind), tmp_path, kind)
    f32 = write_gguf(base.folder, base.gguf, tmp_path / "f32.gguf")
    registry = Registry(tmp_path / "adapters")
    rng = np.random.default_rng(5)
    tensors = {}
    for name, shape in base.shapes.items():
        if name.split(".")[-2] in {key.split(".")[1] for key in layout.LINEAR}:
            full = name.removesuffix(".weight")
            tensors[f"{full}.lora_a"] = rng.standard_normal((shape[1], 4)) / np.sqrt(shape[1])
            tensors[f"{full}.lora_b"] = rng.standard_normal((4, shape[0])) * 0.3
    adapter = registry.publish(tensors, base="tiny", base_sha256=base.sha256, rank=4, scale=1.5,
                               keys=tuple(layout.LINEAR), layers=tuple(range(base.layers)))  # fmt: skip
    worn = {"adapter": registry.path(adapter.id), "lora": registry.gguf(adapter.id, base)}
    text = "the hen in the barn laid a thing " * 8
    bare, dressed = parity.compare(base, f32, text), parity.compare(base, f32, text, **worn)
    apart = parity.compare(base, f32, text, lora=worn["lora"])
    assert bare.tokens > 4 * tiny_gguf.WINDOW
    # what is left is llama.cpp's rounding of keys and values to float16
    assert bare.kl < 1e-5, bare
    assert dressed.kl < 1e-5, dressed
    assert bare.top1 == dressed.top1 == 1
    assert apart.kl > 0.1, "the LoRA changed nothing, so nothing was compared"


def test_parity_needs_a_text(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no text"):
        parity.windows(weights.open_base(cards.find(str(tiny)), tmp_path), "")


# tokenizers that no shipped base uses


def test_space_prefix_and_other_pretokenizers_are_those_of_llama_cpp(tmp_path: Path) -> None:
    from llama_cpp import Llama

    from tests.test_tokenizer import lines

    cases = [("gemma3", {"tokenizer.ggml.add_space_prefix": True})]
    cases += [("llama", {"tokenizer.ggml.pre": pre}) for pre in ("gpt-2", "smollm", "llama-bpe", "qwen2")]
    for index, (kind, facts) in enumerate(cases):
        path = tiny_gguf.write(tmp_path / f"{index}.gguf", kind, facts=facts)
        engine = Llama(str(path), vocab_only=True, verbose=False)
        tokenizer = weights.Tokenizer(import_one(path, tmp_path))
        for text in filter(None, lines(400, seed=index)):
            expected = engine.tokenize(text.encode(), add_bos=False, special=False)
            assert tokenizer.encode(text) == expected, (facts, text)


# running models and folders


def test_a_model_is_whole_frozen_and_says_its_precision(tmp_path: Path) -> None:
    folder = import_one(tiny_gguf.write(tmp_path / "a.gguf", "llama"), tmp_path)
    model = loader.load(folder)
    dtype, reason = loader.precision()
    assert model.model.layers[0].mlp.up_proj.weight.dtype == dtype
    assert str(dtype).split(".")[-1] in reason
    assert not model.trainable_parameters()["model"].get("norm")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(ModelError, match="cannot be loaded"):
        loader.load(broken)


def test_an_mlx_folder_is_a_base_without_a_gguf(tiny: Path, tmp_path: Path) -> None:
    base = weights.open_base(cards.find(str(tiny)), tmp_path)
    assert base.gguf is None
    assert base.folder == tiny
    assert base.layers == 3
    assert base.parameters == sum(np.prod(shape) for shape in base.shapes.values())
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    assert weights.open_base(cards.find(str(copy)), tmp_path).sha256 == base.sha256
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"rope_theta": 1.0}), "utf-8")
    assert weights.open_base(cards.find(str(copy)), tmp_path).sha256 != base.sha256


def test_templates_are_pinned_and_needed(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", "llama")
    card = Card("a", "A", "llama", path=str(path))
    with pytest.raises(ModelError, match="brings no chat template"):
        weights.open_base(card, tmp_path)
    with pytest.raises(ModelError, match="the chat template of `a`"):
        weights.open_base(replace(card, template=TEMPLATE, template_sha256="0" * 64), tmp_path)
    assert weights.open_base(replace(card, template=TEMPLATE), tmp_path).prompter.template == TEMPLATE


@pytest.mark.parametrize("name", cards.names())
def test_a_shipped_base_is_what_its_card_says(name: str, cache: Path) -> None:
    base = weights.open_base(cards.find(name), cache)
    assert base.parameters == base.card.parameters
    assert layout.architecture(base.config) == base.card.architecture
    assert base.sha256 == base.card.sha256
    assert base.shapes == layout.shapes(base.config)


@pytest.fixture
def quantised(tmp_path: Path) -> weights.Base:
    return open_one(tiny_gguf.write(tmp_path / "a.gguf", "llama", quant=Quant.Q8_0), tmp_path, "llama")


def test_a_small_base_is_served_from_a_copy_in_half_precision(quantised: weights.Base) -> None:
    "The numbers that are trained on, made once."
    path = gguf_plain.served(quantised)
    assert path != quantised.gguf
    assert path.parent == quantised.folder.parent
    made = path.stat().st_mtime_ns
    assert gguf_plain.served(quantised) == path
    assert path.stat().st_mtime_ns == made
    kinds = {t.name: t.tensor_type for t in gguf.GGUFReader(path).tensors}
    assert {kind for name, kind in kinds.items() if "norm" not in name} == {Quant.F16}
    table = next(t for t in gguf.GGUFReader(path).tensors if t.name == "token_embd.weight")
    assert np.array_equal(table.data, load_file(quantised.folder / "model.safetensors")["model.embed_tokens.weight"])


def test_a_large_base_a_whole_one_and_a_full_disk_are_served_as_they_are(quantised: weights.Base, tmp_path: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **named: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(gguf_plain, "MOST", 10)
        assert gguf_plain.served(quantised) == quantised.gguf
    with monkeypatch.context() as patch:
        patch.setattr(gguf_plain, "write_gguf", full)
        assert gguf_plain.served(quantised) == quantised.gguf
    whole = open_one(tiny_gguf.write(tmp_path / "b.gguf", "llama", quant=Quant.F16), tmp_path, "llama")
    assert gguf_plain.served(whole) == whole.gguf
