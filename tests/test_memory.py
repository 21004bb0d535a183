"""Memory: foreseen from sizes, bounded by portions and by computing twice, given back where a model is taken apart."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep import cards, weights
from pocketsleep.errors import ModelError
from pocketsleep.nouns import Lesson, Message
from pocketsleep.registry import Registry
from pocketsleep.runtime import mlx_lora, mlx_train, packed_memory
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.mlx_forward import Forward
from pocketsleep.runtime.packed import Packed
from pocketsleep.runtime.packed_math import rounds
from pocketsleep.runtime.packed_memory import LEAST, Sizes, foresee, per_token
from tests.test_forward import PREFIX, dress, rows
from tests.test_packed import PLAN, gemma, model, needs_passes, step  # noqa: F401  fixtures

SMOL = {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
        "num_hidden_layers": 30}
UPPER = replace(PLAN, rank=8, layers=tuple(range(15, 30)))


@needs_passes
@pytest.mark.parametrize("which", ["model", "gemma"])
@pytest.mark.parametrize("most", [1, 40])
def test_a_step_in_portions_or_computed_twice_is_the_step(which: str, most: int, request: pytest.FixtureRequest) -> None:
    "1 token: no row fits, each is taken alone and twice. 40: some rows at a time."
    found, some = request.getfixturevalue(which), rows(7)
    dress(found)
    try:
        want, packed = step(Forward(found, some), some, range(7)), Packed(found, some, PREFIX, 1, most=most)
        got = step(packed, some, range(7))
    finally:
        mlx_lora.detach(found)
    assert packed.most == most
    assert got.keys() == want.keys()
    for name in want:
        assert np.abs(got[name] - want[name]).max() <= 2e-4 * np.abs(want[name]).max(), name


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert packed_memory.free(tmp_path) is None
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 64 kB\nMemAvailable:    4000 kB\n")
    assert packed_memory.free(tmp_path) == 4000 * 1024
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1000\n")
    (group / "memory.max").write_text("max\n")
    assert packed_memory.free(tmp_path) == 4000 * 1024
    (group / "memory.max").write_text("5000\n")
    assert packed_memory.free(tmp_path) == 4000


@pytest.mark.parametrize(("limit", "used", "stat", "prefix"), [
    ("memory.max", "memory.current", "memory.stat", ""),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_")])
def test_files_that_a_container_has_in_memory_are_not_in_the_way(tmp_path: Path, limit: str, used: str, stat: str, prefix: str) -> None:
    group = tmp_path / "sys" / "fs" / "cgroup"
    (group / "memory").mkdir(parents=True)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemAvailable:    4000 kB\n")
    (group / limit).write_text("500000\n")
    (group / used).write_text("400000\n")
    assert packed_memory.free(tmp_path) == 100_000
    own = {"anon": 7, "file": 90_000, "inactive_anon": 5, "inactive_file": 20_000, "active_file": 30_000, "workingset_activate_file": 9}
    inner = "" if not prefix else "inactive_file 1\nactive_file 1\n"  # v1: without the groups below
    (group / stat).write_text(inner + "".join(f"{prefix}{name} {size}\n" for name, size in own.items()))
    assert packed_memory.free(tmp_path) == 150_000
    (group / stat).write_text(f"{prefix}inactive_file 9000000\n")
    assert packed_memory.free(tmp_path) == 4000 * 1024, "never more than the machine has"


def test_more_is_foreseen_for_more() -> None:
    base = foresee(SMOL, UPPER, 100, True, None).peak
    assert foresee(SMOL | {"num_hidden_layers": 40}, UPPER, 100, True, None).peak > base
    assert foresee(SMOL | {"vocab_size": 100_000}, UPPER, 100, True, None).peak > base
    assert foresee(SMOL, UPPER, 10_000, True, None).peak == foresee(SMOL, UPPER, 100_000, True, None).peak, "a step is bounded"
    assert foresee(SMOL, UPPER, 100, False, None).peak > base, "what is not packed stays"


def test_little_memory_makes_steps_smaller_and_less_is_refused() -> None:
    most = foresee(SMOL, UPPER, 100, True, None).most
    each = per_token(Sizes.of(SMOL), 15)
    tight = [foresee(SMOL, UPPER, 100, True, free << 20).most for free in (4000, 2000, 1000, 500)
             if free << 20 > each * LEAST + (400 << 20)]
    assert tight[0] == most
    assert sorted(tight, reverse=True) == tight
    assert tight[-1] < most
    with pytest.raises(ModelError, match="MB more") as caught:
        foresee(SMOL, UPPER, 100, True, 10 << 20)
    assert "close other programs" in (caught.value.hint or "")


@needs_passes
def test_a_model_of_its_own_is_taken_apart_and_trains_the_same(model: nn.Module, tiny: Path, tmp_path: Path) -> None:  # noqa: F811
    "Numbers that are packed are given back; the adapter is the one of a model that was left whole."
    from pocketsleep.weights import model as weights_model

    shared = mlx_train.Trainer(model, rows(20), rows(4, seed=1), PLAN, tmp_path / "a").run(lambda *_: None)
    alone = weights_model.load(tiny)
    trainer = mlx_train.Trainer(alone, rows(20), rows(4, seed=1), PLAN, tmp_path / "b", own=True)
    own = trainer.run(lambda *_: None)
    assert own.tensors.keys() == shared.tensors.keys()
    assert all(np.array_equal(own.tensors[k], shared.tensors[k]) for k in own.tensors)
    assert isinstance(trainer.by, Packed)
    assert trainer.by.kept is not None
    with pytest.raises(ValueError, match="closed"):  # or Windows could not delete the file
        trainer.by.kept[0]
    if rounds():
        assert alone.model.layers[0].mlp.up_proj.weight.size == 0


PEAK = """
import json, sys
from pathlib import Path
from pocketsleep import cards, weights
from pocketsleep.nouns import Lesson, Message, Plan
from pocketsleep.runtime import packed_memory
from pocketsleep.runtime.mlx import Mlx
base = weights.open_base(cards.find("smollm2-135m"), Path(sys.argv[1]))
runtime = Mlx(base.card, base)
ask = lambda i: (Message("user", f"What is the {i}th word of the long and winding list?"),)
lessons = [Lesson(ask(i), f"It is number {i * 37 % 101}.", hard=float(i % 2), soft=float(i % 2 == 0), teacher=() if i % 2 else ask(i))
           for i in range(48)]
plan = Plan(rank=8, scale=2.0, keys=("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"), layers=tuple(range(15, 30)),
            learning_rate=1e-3, epochs=1, batch=4, seed=1, enough=1.1, whiten=0.9)
learnt = runtime.train(lessons, lessons[:2], plan, Path(sys.argv[2]), lambda *_: None)
print(json.dumps([learnt.foreseen, packed_memory._status()["VmHWM"]]))
"""


@needs_passes
def test_what_was_foreseen_is_held(cache: Path, tmp_path: Path) -> None:
    "A real base, in a process of its own: at most what was said, and not much less."
    run = subprocess.run([sys.executable, "-c", PEAK, str(cache), str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    foreseen, peak = json.loads(run.stdout)
    assert 0.75 * foreseen <= peak <= foreseen
    assert foreseen <= 1500 << 20


def lessons(count: int) -> list[Lesson]:
    return [Lesson((Message("user", f"What is word {i}?"),), f"It is {i * 37 % 101}.") for i in range(count)]


def opened(tiny: Path, folder: Path) -> Mlx:
    card = cards.find(str(tiny))
    return Mlx(card, weights.open_base(card, folder))


def test_a_base_that_does_not_fit_is_trained_in_four_bits(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "QLoRA: what comes of it is an adapter like any other, which the whole base wears."
    whole = opened(tiny, tmp_path)
    monkeypatch.setattr(packed_memory, "free", lambda: 4 * whole.base.parameters)
    small = opened(tiny, tmp_path)
    monkeypatch.setattr(packed_memory, "free", lambda: 1 << 30)
    assert (whole.bits, small.bits) == (0, 4)
    assert isinstance(small.model.model.layers[0].mlp.up_proj, nn.QuantizedLinear)
    plan = replace(PLAN, epochs=8, learning_rate=3e-2)
    learnt = small.train(lessons(8), [], plan, tmp_path / "train", lambda *_: None)
    assert learnt.epochs[-1].loss < 0.7 * learnt.epochs[0].loss
    registry = Registry(tmp_path / "adapters")
    made = registry.publish(learnt.tensors, base=whole.card.name, base_sha256=whole.base.sha256, rank=plan.rank, scale=plan.scale,
                            keys=plan.keys, layers=plan.layers)
    before = np.mean([np.mean(s) for s in whole.score([(x.prompt, x.answer) for x in lessons(8)])])
    whole.wear(registry.path(made.id))
    assert np.mean([np.mean(s) for s in whole.score([(x.prompt, x.answer) for x in lessons(8)])]) > before + 0.3


def test_where_four_bits_are_too_much_as_well_nothing_is_trained(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = opened(tiny, tmp_path)
    monkeypatch.setattr(packed_memory, "free", lambda: 1 << 20)
    with pytest.raises(ModelError, match="MB more, and 1 MB are free"):
        runtime.train(lessons(8), [], PLAN, tmp_path / "train", lambda *_: None)


@needs_passes
def test_a_base_that_fits_but_cannot_be_trained_whole_is_taken_in_four_bits(tiny: Path, tmp_path: Path,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = opened(tiny, tmp_path)

    def refuse(*given: object) -> None:
        raise ModelError("too much")

    monkeypatch.setattr(packed_memory, "foresee", refuse)
    assert runtime.train(lessons(8), [], PLAN, tmp_path / "train", lambda *_: None).foreseen > 0
    assert (runtime.bits, runtime.variant) == (4, "mlx-4bit")


@needs_passes
def test_a_run_goes_on_in_the_portions_it_began_with(model: nn.Module, tmp_path: Path) -> None:  # noqa: F811
    class Killed(Exception): ...

    def die(done: int, total: int, loss: float) -> None:
        if done == 30:
            raise Killed

    plan = replace(PLAN, epochs=8)
    whole = mlx_train.Trainer(model, rows(20), [], plan, tmp_path / "a", most=30).run(lambda *_: None)
    with pytest.raises(Killed):
        mlx_train.Trainer(model, rows(20), [], plan, tmp_path / "b", most=30).run(die)
    resumed = mlx_train.Trainer(model, rows(20), [], plan, tmp_path / "b", most=10_000).run(lambda *_: None)
    assert all(np.array_equal(resumed.tensors[k], whole.tensors[k]) for k in whole.tensors)


def test_an_engine_that_trained_answers_as_before(tiny: Path, tmp_path: Path) -> None:
    runtime, asked = opened(tiny, tmp_path), [(x.prompt, x.answer) for x in lessons(3)]
    before = runtime.score(asked)
    runtime.train(lessons(8), [], PLAN, tmp_path / "train", lambda *_: None)
    assert runtime.score(asked) == before
