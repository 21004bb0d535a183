"""MLX and llama.cpp compute the same model, bare and wearing a LoRA: compared in logits over real text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

from pocketsleep import cards, weights
from pocketsleep.nouns import Plan
from pocketsleep.registry import Registry
from pocketsleep.runtime.mlx_rows import Row
from pocketsleep.runtime.mlx_train import Trainer
from pocketsleep.weights import model as weights_model
from pocketsleep.weights import parity
from pocketsleep.weights.gguf_plain import write_gguf
from pocketsleep.weights.layout import LINEAR

TOKENS = 2048
THREADS = 1  # of llama.cpp: two of them wait for each other awake, and on a busy machine that is most of the time
STEPS, WORDS = 48, 16  # training steps of two rows of so many tokens: enough to change most answers
Tensors = tuple[dict[str, np.ndarray], Plan]


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
    path = write_gguf(base.folder, base.gguf, tmp_path_factory.mktemp("f32") / "base.gguf")
    yield path
    path.unlink()  # a gigabyte for Gemma


@pytest.fixture(scope="module")
def rows(base: weights.Base) -> list[list[int]]:
    "The language reference on names, scopes and imports: prose with a little code."
    ids = base.tokenizer.encode(topics["execmodel"] + topics["import"])[:TOKENS]
    return parity.windows(base, base.tokenizer.decode(ids))


@pytest.fixture(scope="module")
def bare(base: weights.Base, f32: Path, rows: list[list[int]]) -> Run:
    return run(base, f32, rows)


@pytest.fixture(scope="module")
def dressed(base: weights.Base, f32: Path, rows: list[list[int]], stutter: Tensors,
            tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(base, f32, rows, *published(base, tmp_path_factory.mktemp("adapters"), stutter))


def run(
    base: weights.Base, f32: Path, rows: list[list[int]], adapter: Path | None = None, lora: Path | None = None
) -> Run:
    "MLX once, and llama.cpp on the file as shipped and on the F32 file, side by side."
    quantised, whole, best = parity.Tally(), parity.Tally(), []
    engines = (
        parity.mlx_logits(base, rows, adapter),
        parity.llama_logits(base.gguf, rows, lora, THREADS),
        parity.llama_logits(f32, rows, lora, THREADS),
    )
    for ours, shipped, exact in zip(*engines, strict=True):
        quantised.add(shipped, ours)
        whole.add(exact, ours)
        best.append(ours.argmax(-1))
    return Run(quantised.parity, whole.parity, np.concatenate(best))


@pytest.fixture(scope="module")
def stutter(base: weights.Base, tmp_path_factory: pytest.TempPathFactory) -> Tensors:
    """A LoRA on every linear layer of the upper two thirds that was trained to say each token three times: it
    changes most answers and is as sure of them as the base was, where random numbers only make noise."""
    ids = base.tokenizer.encode(topics["strings"] + topics["class"])
    thrice = [[x for x in ids[at : at + WORDS] for _ in range(3)] for at in range(0, STEPS * 2 * WORDS, WORDS)]
    plan = Plan(rank=8, scale=2.0, keys=tuple(LINEAR), layers=tuple(range(base.layers // 3, base.layers)),
                learning_rate=4e-3, epochs=1, batch=2, seed=7, enough=1.1)
    rows = [Row((r[0],), tuple(r[1:])) for r in thrice]
    model = weights_model.load(base.folder)
    return Trainer(model, rows, [], plan, tmp_path_factory.mktemp("train")).run(lambda *_: None).tensors, plan


def published(base: weights.Base, folder: Path, stutter: Tensors) -> tuple[Path, Path]:
    "(MLX folder, GGUF-LoRA) of the adapter, as the registry writes them."
    tensors, plan = stutter
    registry = Registry(folder)
    adapter = registry.publish(tensors, base=base.card.name, base_sha256=base.sha256, rank=plan.rank,
                               scale=plan.scale, keys=plan.keys, layers=plan.layers)
    registry.check(adapter.id, base.sha256, base.shapes)
    return registry.path(adapter.id), registry.gguf(adapter.id, base)


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
    assert (bare.best == dressed.best).mean() < 0.5, "the LoRA is too small to prove anything"
    assert len(set(dressed.best.tolist())) > 50, "the LoRA is so large that it says one thing only"


def test_dressed_on_the_shipped_file(dressed: Run) -> None:
    assert dressed.quantised.kl <= 0.01, dressed
    assert dressed.quantised.top1 >= 0.95, dressed


def test_dressed_without_quantisation(dressed: Run) -> None:
    assert dressed.whole.kl <= 1e-4, dressed
    assert dressed.whole.top1 >= 0.995, dressed


def test_compare_sees_a_wrong_model(base: weights.Base, tmp_path: Path, stutter: Tensors) -> None:
    "The same file against itself with one adapter too many: the measure itself can fail."
    folder, _ = published(base, tmp_path, stutter)
    text = topics["execmodel"][:400]
    same = parity.compare(base, base.gguf, text, threads=THREADS)
    other = parity.compare(base, base.gguf, text, adapter=folder, threads=THREADS)
    assert same.kl < 0.02 < 0.5 < other.kl
    assert same.tokens > 50
