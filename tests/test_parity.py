"""MLX and llama.cpp compute the same model, bare and wearing a LoRA: compared in logits over real text."""

from __future__ import annotations

import argparse
import configparser
import inspect
import json
import pdb
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pocketsleep import cards, weights
from pocketsleep.registry import Registry
from pocketsleep.weights import parity
from pocketsleep.weights.gguf_f32 import write_f32_gguf
from pocketsleep.weights.layout import LINEAR

TOKENS = 2048
RANK, SCALE = 8, 2.0
SIZE = {"smollm2-135m": 1.0, "gemma3-270m": 1.0}  # of the random LoRA: enough to change most answers


@dataclass
class Run:
    "One text through three engines."

    quantised: parity.Parity
    whole: parity.Parity
    best: np.ndarray  # MLX's first choice at each position


@pytest.fixture(scope="module", params=cards.names())
def base(request: pytest.FixtureRequest, cache: Path) -> weights.Base:
    return weights.open_base(cards.find(request.param), cache)


@pytest.fixture(scope="module")
def f32(base: weights.Base, tmp_path_factory: pytest.TempPathFactory) -> Iterable[Path]:
    path = write_f32_gguf(base.folder, base.gguf, tmp_path_factory.mktemp("f32") / "base.gguf")
    yield path
    path.unlink()  # a gigabyte for Gemma


@pytest.fixture(scope="module")
def rows(base: weights.Base) -> list[list[int]]:
    "Prose, lists and a little code: what the standard library says of itself."
    text = "\n\n".join(inspect.cleandoc(m.__doc__) for m in (argparse, pdb, configparser, statistics, json))
    ids = base.tokenizer.encode(text)[:TOKENS]
    return parity.windows(base, base.tokenizer.decode(ids))


@pytest.fixture(scope="module")
def bare(base: weights.Base, f32: Path, rows: list[list[int]]) -> Run:
    return run(base, f32, rows)


@pytest.fixture(scope="module")
def dressed(base: weights.Base, f32: Path, rows: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> Run:
    registry = Registry(tmp_path_factory.mktemp("adapters"))
    tensors, keys, layers = random_lora(base)
    adapter = registry.publish(
        tensors, base=base.card.name, base_sha256=base.sha256, rank=RANK, scale=SCALE, keys=keys, layers=layers
    )
    registry.check(adapter.id, base.sha256, base.shapes)
    return run(base, f32, rows, registry.path(adapter.id), registry.gguf(adapter.id, base))


def run(
    base: weights.Base, f32: Path, rows: list[list[int]], adapter: Path | None = None, lora: Path | None = None
) -> Run:
    "MLX once, and llama.cpp on the file as shipped and on the F32 file, side by side."
    quantised, whole, best = parity.Tally(), parity.Tally(), []
    engines = (
        parity.mlx_logits(base, rows, adapter),
        parity.llama_logits(base.gguf, rows, lora),
        parity.llama_logits(f32, rows, lora),
    )
    for ours, shipped, exact in zip(*engines, strict=True):
        quantised.add(shipped, ours)
        whole.add(exact, ours)
        best.append(ours.argmax(-1))
    return Run(quantised.parity, whole.parity, np.concatenate(best))


def random_lora(base: weights.Base) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[int, ...]]:
    "A LoRA on every linear layer of the upper two thirds, as large as a fraction of the layer it changes."
    rng = np.random.default_rng(7)
    keys, layers = tuple(LINEAR), tuple(range(base.layers // 3, base.layers))
    tensors = {}
    for layer in layers:
        for key in keys:
            name = f"model.layers.{layer}.{key}"
            out, width = base.shapes[f"{name}.weight"]
            tensors[f"{name}.lora_a"] = rng.standard_normal((width, RANK)) / np.sqrt(width)
            # the product then moves an output by about SIZE times 0.02 of its input's length
            tensors[f"{name}.lora_b"] = rng.standard_normal((RANK, out)) * 0.02 * SIZE[base.card.name]
    return tensors, keys, layers


def test_text_is_long_enough_to_leave_the_local_window(rows: list[list[int]]) -> None:
    assert sum(map(len, rows)) >= 2000
    assert max(map(len, rows)) > 512


def test_bare_on_the_shipped_file(bare: Run) -> None:
    assert bare.quantised.kl <= 0.01, bare
    assert bare.quantised.top1 >= 0.95, bare


def test_bare_without_quantisation(bare: Run) -> None:
    assert bare.whole.kl <= 1e-4, bare
    assert bare.whole.top1 >= 0.995, bare


def test_the_adapter_changes_most_answers(bare: Run, dressed: Run) -> None:
    assert (bare.best == dressed.best).mean() < 0.6, "the LoRA is too small to prove anything"
    assert len(set(dressed.best.tolist())) > 50, "the LoRA is so large that only noise is compared"


def test_dressed_on_the_shipped_file(dressed: Run) -> None:
    assert dressed.quantised.kl <= 0.01, dressed
    assert dressed.quantised.top1 >= 0.95, dressed


def test_dressed_without_quantisation(dressed: Run) -> None:
    assert dressed.whole.kl <= 1e-4, dressed
    assert dressed.whole.top1 >= 0.995, dressed


def test_compare_sees_a_wrong_model(base: weights.Base, tmp_path: Path) -> None:
    "The same file against itself with one adapter too many: the measure itself can fail."
    registry = Registry(tmp_path)
    tensors, keys, layers = random_lora(base)
    adapter = registry.publish(
        tensors, base=base.card.name, base_sha256=base.sha256, rank=RANK, scale=SCALE, keys=keys, layers=layers
    )
    text = inspect.cleandoc(statistics.__doc__)[:400]
    same = parity.compare(base, base.gguf, text)
    other = parity.compare(base, base.gguf, text, adapter=registry.path(adapter.id))
    assert same.kl < 0.02 < other.kl
    assert same.tokens > 50
