"""Naps at laptop scale: tasks against plain solvers, eviction that is one, passes that are an explicit loop, and a training that needs its state."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketsleep.bench import plot
from pocketsleep.bench.naps import sweep, tasks, train
from pocketsleep.bench.naps.model import Model, Shape
from pocketsleep.errors import BadInput

# isort: split
import mlx.core as mx

SMALL = Shape(width=16, blocks=2)
RULE = {(1, 1, 1): 0, (1, 1, 0): 1, (1, 0, 1): 1, (1, 0, 0): 0, (0, 1, 1): 1, (0, 1, 0): 1, (0, 0, 1): 1, (0, 0, 0): 0}  # 110 = 01101110


def solve_mqar(task: tasks.Task, context: list[list[int]], question: list[int]) -> tuple[int, int]:
    pairs = {who: what for kind, who, what, _ in context if kind == tasks.ITEM}
    return pairs.get(question[1], -1), len(pairs)


def solve_khop(task: tasks.Task, context: list[list[int]], question: list[int]) -> tuple[int, int]:
    then, at = {who: what for _, who, what, _ in context}, question[1]
    for _ in range(question[3]):
        at = then[at]
    return at, question[3]


def solve_rule110(task: tasks.Task, context: list[list[int]], question: list[int]) -> tuple[int, int]:
    "On an endless row: place p after t steps is cell p - t."
    chunk, at, steps = question[1] // task.items, question[1] % task.items, question[3]
    row = {n: context[chunk * task.items + n][2] for n in range(task.items)}
    for _ in range(steps):
        row = {n: RULE[row.get(n - 1, 0), row.get(n, 0), row.get(n + 1, 0)] for n in range(-steps, task.items)}
    return row.get(at - steps, 0), steps


def solve_swaps(task: tasks.Task, context: list[list[int]], question: list[int]) -> tuple[int, int]:
    boxes, moved = {who: what for kind, who, what, _ in context if kind == tasks.ITEM}, dict.fromkeys(range(task.answers), 0)
    for kind, x, y, _ in context:
        if kind == tasks.SWAP:
            boxes[x], boxes[y] = boxes[y], boxes[x]
            moved[boxes[x]] += 1
            moved[boxes[y]] += 1
    return boxes[question[1]], min(task.depth, moved[boxes[question[1]]])


SOLVERS = {"mqar": solve_mqar, "khop": solve_khop, "rule110": solve_rule110, "swaps": solve_swaps}


@pytest.mark.parametrize("name", tasks.TASKS)
def test_answers_are_what_a_plain_solver_finds(name: str) -> None:
    task = tasks.find(name)
    batch = task.batch(7, 40)
    seen = set()
    for context, questions, answers, depths in zip(batch.context, batch.questions, batch.answers, batch.depths, strict=True):
        told = context.reshape(-1, 4).tolist()
        for question, answer, depth in zip(questions.tolist(), answers.tolist(), depths.tolist(), strict=True):
            found, deep = SOLVERS[name](task, told, question)
            assert found == answer
            assert answer < 0 or name == "mqar" or deep == depth
            seen.add(depth)
    assert max(seen) == (task.chunks * task.items if name == "mqar" else task.depth)
    assert batch.context.shape[1:] == (task.chunks, task.items, 4)
    assert batch.context.max((0, 1, 2)).tolist() < list(map(int, task.sizes))


def test_a_seed_gives_one_batch_and_another_seed_another() -> None:
    task = tasks.find("khop")
    assert (task.batch(3, 4).context == task.batch(3, 4).context).all()
    assert (task.batch(3, 4).context != task.batch(4, 4).context).any()


def test_an_unknown_task_or_arm_is_named() -> None:
    with pytest.raises(BadInput, match="chess"):
        sweep.cases(["chess"], ["1"], 1)
    with pytest.raises(BadInput, match="taller"):
        sweep.cases(["khop"], ["taller"], 1)


def answers(shape: Shape, changed: int | None, questions: bool = False) -> np.ndarray:
    "What a fresh model says, one number of one context token (or of the other questions) being another."
    mx.random.seed(1)
    task = tasks.find("khop")
    model, batch = Model(task, shape), task.batch(5, 2)
    if changed is not None:
        at = batch.context.reshape(2, -1, 4)[:, changed]
        at[:, 2] = (at[:, 2] + 1) % task.sizes[2]
    if questions:
        batch.questions[:, 1:, 1] = (batch.questions[:, 1:, 1] + 1) % task.sizes[1]
    return np.array(model(batch.context, batch.questions))


@pytest.mark.parametrize("token", [0, 7, 15])
def test_what_is_evicted_reaches_an_answer_by_the_state_alone(token: int) -> None:
    without, whole = replace(SMALL, memory=False), replace(SMALL, memory=False, window="all")
    assert (answers(without, token) == answers(without, None)).all()
    assert (answers(SMALL, token) != answers(SMALL, None)).any()
    assert (answers(whole, token) != answers(whole, None)).any()


def test_with_its_states_emptied_a_hybrid_knows_nothing_of_the_context() -> None:
    task = tasks.find("khop")
    model, batch, other = Model(task, SMALL), task.batch(5, 2), task.batch(6, 2)
    states = [mx.zeros_like(s) for s in model.remember(batch.context)]
    blank = model.answer(batch.questions, states)
    assert (blank == model.answer(batch.questions, model.empty(2))).all()
    assert (model.answer(batch.questions, model.remember(batch.context)) != model.answer(batch.questions, model.remember(other.context))).any()


@pytest.mark.parametrize("shape", [SMALL, replace(SMALL, memory=False, window="all")], ids=["memory", "full"])
def test_a_question_sees_no_other_question(shape: Shape) -> None:
    np.testing.assert_allclose(answers(shape, None, questions=True)[:, 0], answers(shape, None)[:, 0], atol=1e-6)


def test_a_chunk_sees_nothing_of_the_next() -> None:
    task = tasks.find("khop")
    model, one, two = Model(task, SMALL), task.batch(5, 2).context, task.batch(5, 2).context
    two[:, 1] = task.batch(6, 2).context[:, 1]
    first = [model.remember(c[:, :1]) for c in (one, two)]
    assert all((a == b).all() for a, b in zip(*first, strict=True))
    assert any((a != b).any() for a, b in zip(model.remember(one), model.remember(two), strict=True))


def test_in_a_chunk_nothing_looks_ahead() -> None:
    attention = Model(tasks.find("khop"), SMALL).blocks[0].attention
    x = mx.random.normal((1, 6, SMALL.width))
    after = mx.concatenate([x[:, :4], x[:, 4:] + 1], axis=1)
    one, two = (np.array(attention(a, attention.distances(6))) for a in (x, after))
    np.testing.assert_allclose(one[:, :4], two[:, :4], atol=1e-6)
    assert (one[:, 4:] != two[:, 4:]).any()


def test_passes_are_the_blocks_again_with_the_state_carried() -> None:
    task = tasks.find("rule110")
    model = Model(task, replace(SMALL, passes=3))
    context = task.batch(2, 3).context
    states = list(model.empty(3))
    for chunk in range(task.chunks):
        H = model.embed(context[:, chunk])
        for j in range(3):
            H = H + model.begin[j]
            for n, block in enumerate(model.blocks):
                H, states[n] = block(H, states[n], block.attention.distances(task.items))
    for got, want in zip(model.remember(context), states, strict=True):
        np.testing.assert_allclose(np.array(got), np.array(want), atol=1e-6)
    assert any((a != b).any() for a, b in zip(model.remember(context), model.remember(context, passes=2), strict=True))


def test_a_short_training_learns_to_recall_and_only_with_its_state() -> None:
    task = replace(tasks.find("khop"), depth=1)
    losses: list[float] = []
    model = train.train(task, Shape(), train.Run(100, size=16), lambda n, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    batch = task.batch((train.HELD_OUT, 0), 64)

    def right(states: list[mx.array]) -> float:
        return float((np.array(model.answer(batch.questions, states)).argmax(-1) == batch.answers).mean())

    kept = list(model.remember(batch.context))
    assert train.examine(model, task, 0)[1] > 0.9
    assert right(kept) > 0.9
    assert right([mx.zeros_like(s) for s in kept]) < 0.3


def test_the_curriculum_ends_at_all_depths() -> None:
    task = tasks.find("khop")
    depths = [train.at_step(task, s).depth for s in (0.0, 0.3, train.CLIMB, 0.99)]
    assert depths[0] == 1
    assert depths == sorted(depths)
    assert depths[2:] == [task.depth] * 2


def test_pairs_are_few_at_first_and_then_as_many_as_there_is_room_for() -> None:
    task = tasks.find("mqar")
    pairs = [sorted({len({who for kind, who, *_ in one.reshape(-1, 4) if kind == tasks.ITEM}) for one in batch.context})
             for batch in (train.at_step(task, s).batch((0, 1), 64) for s in (0.0, 0.2, 0.4, train.CLIMB, 0.99))]
    assert pairs == [[8], [8, 16], [8, 16, 24], [8, 16, 24, 32], [8, 16, 24, 32]]


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [replace(c, run=replace(c.run, size=2)) for c in sweep.cases(["mqar"], ["1", "window"], 1, steps=2)]
    said: list[str] = []
    rows = sweep.sweep(wanted[:1], tmp_path, said.append)
    trained = []
    honest = sweep.made
    monkeypatch.setattr(sweep, "made", lambda case, say: trained.append(case.arm) or honest(case, say))
    assert sweep.sweep(wanted, tmp_path, said.append)[0] == json.loads(json.dumps(rows[0]))
    assert trained == ["window"]
    assert len(list(tmp_path.glob("*.json"))) == 2
    longer = [replace(c, run=replace(c.run, steps=3)) for c in wanted[:1]]
    sweep.sweep(longer, tmp_path, said.append)
    assert trained == ["window", "1"]


def test_an_interrupted_run_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(case: sweep.Case, say: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "made", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep(sweep.cases(["mqar"], ["1"], 1), tmp_path, lambda text: None)
    assert list(tmp_path.iterdir()) == []


def rows(**by_arm: list[float]) -> list[sweep.Row]:
    return [{"task": "khop", "arm": arm.removeprefix("n"), "seed": n, "accuracy": {"1": share}}
            for arm, shares in by_arm.items() for n, share in enumerate(shares)]


def test_a_rise_is_one_whose_intervals_do_not_meet() -> None:
    assert sweep.rises(sweep.summary(rows(n1=[0.1, 0.12, 0.11], n4=[0.9, 0.92, 0.91]))) == {"khop": [1]}
    assert sweep.rises(sweep.summary(rows(n1=[0.1, 0.12, 0.11], n4=[0.1, 0.9, 0.9]))) == {"khop": []}
    assert sweep.rises(sweep.summary(rows(n1=[0.1], n4=[0.9]))) == {"khop": []}
    found = sweep.interval([0.4, 0.5, 0.6])
    assert found["low"] == pytest.approx(0.5 - 4.303 * 0.1 / 3**0.5)
    assert found["high"] == pytest.approx(0.5 + 4.303 * 0.1 / 3**0.5)


def test_the_plot_shows_every_point(tmp_path: Path) -> None:
    table = sweep.summary(rows(n1=[0.25, 0.25], n4=[1.0, 1.0]))
    plot.panels(sweep.curves(table), tmp_path / "p.svg", "depth")
    drawn = (tmp_path / "p.svg").read_text()
    assert drawn.count("<polyline") == 2
    assert ">khop<" in drawn
    assert f"{plot.TALL * 0.75:.1f}" in drawn
    assert f'y1="{0:.1f}"' in drawn


def test_equal_cost_means_equal() -> None:
    task = tasks.find("khop")
    four, deep, one = (train.cost(task, sweep.shape_of(arm, task)) for arm in ("4", "deep", "1"))
    assert four["context_mflop"] == deep["context_mflop"] == pytest.approx(4 * one["context_mflop"])
    assert four["question_mflop"] == one["question_mflop"] < deep["question_mflop"]
