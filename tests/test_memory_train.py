"Making memory layers: a solved start, steps that learn and resume, and what check measures."

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from pocketsleep import cards, weights
from pocketsleep.bench import memory_check, memory_layers, memory_sets, told, told_long
from pocketsleep.errors import BadInput
from pocketsleep.fastweights import fit, join, learn
from pocketsleep.fastweights.free import training_free
from pocketsleep.fastweights.layer import Shape, normed, written
from pocketsleep.fastweights.memory import MemoryLayers
from pocketsleep.runtime import mlx_recall
from pocketsleep.runtime.mlx_entering import Entering
from pocketsleep.weights import model as weights_model

STUDY = Path(__file__).resolve().parent.parent / "models" / "study"


@pytest.fixture(scope="module")
def small(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> weights.Base:
    return weights.open_base(cards.find(str(tiny)), tmp_path_factory.mktemp("home"))


# Talks


def test_what_is_asked_was_told() -> None:
    chance = Random(4)
    for made in (told.bank(chance), told.pairs(chance)):
        for talk in (next(made) for _ in range(20)):
            said = " ".join(user for user, _ in talk.turns).lower()
            for ask in talk.asks:
                value = ask.value.rstrip(".").lower()
                assert value in said or all(word in said for word in value.split()), ask


def test_whole_sentences_are_asked_for_as_they_were_said() -> None:
    chance = Random(4)
    for talk in [*islice(told_long.lives(chance), 20), *islice(told_long.quoted(STUDY, chance), 20)]:
        said = " ".join(user for user, _ in talk.turns).lower()
        assert talk.asks
        for ask in talk.asks:
            assert ask.value.lower() in said
            assert len(ask.value.split()) >= told_long.SHORT
            assert ask.question.lower() not in said


def test_what_changed_is_asked_for_as_it_is_now() -> None:
    chance, seen = Random(4), 0
    for made in (told.bank(chance), told.pairs(chance)):
        for talk in (next(made) for _ in range(40)):
            said = " ".join(user for user, _ in talk.turns)
            for ask in talk.asks:
                for old in ask.wrong:
                    seen += 1
                    new, old = ask.value.rstrip("."), old.rstrip(".")
                    assert said.lower().rfind(new.lower().split(" every ")[0]) > said.lower().find(old.lower()) >= 0
    assert seen > 20


def test_measured_authors_are_no_training_authors(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}?", "answer": f"a{i}."} for i in range(25 * told.TOFU_EACH)]
    path = tmp_path / "full.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    used = {ask.question for talk in told.authors(path, Random(0)) for ask in talk.asks}
    held = {q for facts in told.tofu_authors(path)[: told.TOFU_HELD] for q, _ in facts}
    assert used
    assert not used & held


def test_kinds_are_mixed() -> None:
    kinds = Counter(talk.kind for talk in memory_layers.talks(memory_layers.Sources(STUDY), 100))
    assert kinds == {"bank": 30, "pairs": 15, "study": 15, "lives": 10, "quoted": 10}


# The start


def test_where_an_answer_was_told() -> None:
    tokens, answer = np.array([5, 7, 8, 1, 7, 9, 2]), np.array([1, 7, 9])
    assert fit.sources(tokens, answer, 0) == [(0, 3), (1, 4), (2, 5)]  # not the 7 before an 8
    assert fit.sources(tokens, answer, 2) == [(2, 5)]
    assert fit.sources(tokens, np.array([44]), 0) == []


def planted(count: int = 200, seed: int = 0, wide: int = 24) -> list[fit.Told]:
    "Talks in which asking is a fixed rotation of telling, and a flag stands on each token that will be asked for."
    chance = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(9).standard_normal((wide - 2, wide - 2)))[0]
    made = []
    for _ in range(count):
        tokens, states = chance.permutation(900)[:12], chance.standard_normal((12, wide)).astype(np.float32)
        states[:, -2:] = 0
        asked = []
        for at in (3, 8):
            states[at, -1] = 3.0  # the flag
            asking = np.zeros((1, wide), np.float32)
            asking[0, :-2], asking[0, -2] = states[at - 1, :-2] @ turn, 3.0
            asked.append((asking, tokens[at : at + 1], 0))
        idle = chance.standard_normal((3, wide)).astype(np.float32)
        idle[:, -2:] = 0
        made.append(fit.Told(tokens, states, [*asked, (idle, np.array([901, 902, 903]), 0)]))
    return made


def test_a_start_finds_what_asking_and_telling_have_in_common() -> None:
    start = fit.start(planted(), 20)
    hits = 0
    for talk in planted(20, seed=1):
        keys = talk.states @ start.key.T
        for asking, answer, _ in talk.asked[:2]:
            likeness = keys @ (asking[0] @ start.query.T) / np.linalg.norm(keys, axis=1)
            hits += int(np.argmax(likeness)) == int(np.flatnonzero(talk.tokens == answer[0])[0]) - 1
        strength = talk.states[1:] @ start.now + talk.states[:-1] @ start.before + start.write_bias
        assert set(np.argsort(strength)[-2:] + 1) == {3, 8}
        assert talk.asked[0][0] @ start.gate + start.gate_bias > (talk.asked[2][0] @ start.gate + start.gate_bias).max()
    assert hits >= 38


# The steps


def lesson(seen_model, seed: int = 0):  # type: ignore[no-untyped-def]
    "Planted talks for a tiny base: states of 24 numbers in place of its own, last states of chance."
    width = seen_model.args.hidden_size
    start = fit.start(planted(), 16)
    chance, made = np.random.default_rng(seed), []
    for talk in planted(60):
        asked = [learn.Asked(learn.brought_down(start, states, True), 0.5 * chance.standard_normal((len(tokens), width)).astype(np.float32),
                             tokens, np.ones(len(tokens), np.float32), "") for states, tokens, _ in talk.asked[:2]]
        made.append(learn.Evicted(talk.tokens, learn.brought_down(start, talk.states, False), asked))
    return start, made


@pytest.fixture(scope="module")
def model(small: weights.Base):  # type: ignore[no-untyped-def]
    return weights_model.load(small.folder)


RECIPE = learn.Recipe(cycles=((12, 2e-3), (12, 2e-3)), single=16, answers=16)


def learner(model, folder: Path, recipe: learn.Recipe = RECIPE, base: str = "b" * 64, turned: bool = False) -> learn.Learner:  # type: ignore[no-untyped-def]
    start, made = lesson(model)
    made = [replace(talk, tokens=talk.tokens[::-1].copy()) for talk in made] if turned else made
    small = learn.Small(Shape(3, (3,), model.args.hidden_size, 2, 8, 32), start)
    return learn.Learner(small, made, model, model.model.embed_tokens, recipe, folder, base)


def test_steps_learn_to_answer(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    losses: list[float] = []
    one = learner(model, tmp_path)
    one.run(lambda done, total, loss: losses.append(one.losses[-1]))
    assert len(losses) == 24
    assert np.mean(losses[-6:]) < np.mean(losses[:6]) - 0.3


def test_a_run_cut_short_ends_as_the_whole_one(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = learner(model, tmp_path / "a").run(lambda *_: None, every=8)

    class Stop(Exception):
        pass

    def stop(done: int, total: int, loss: float) -> None:
        if done == 19:
            raise Stop

    with pytest.raises(Stop):
        learner(model, tmp_path / "b").run(stop, every=8)
    again = learner(model, tmp_path / "b")
    resumed = again.run(lambda *_: None, every=8)
    assert len(again.losses) == 24
    for (name, a), (_, b) in zip(tree_flatten(whole.parameters()), tree_flatten(resumed.parameters()), strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-4, atol=1e-5, err_msg=name)


def test_what_a_learner_gives_is_the_mean_of_its_cycles_ends(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for before, marks in ((False, (12, 24)), (True, (0, 12, 24))):
        one, ends = learner(model, tmp_path / str(before), replace(RECIPE, before=before)), {}

        def look(done: int, *_: object, one: learn.Learner = one, ends: dict = ends) -> None:
            ends[done] = dict(tree_flatten(one.small.trainable_parameters()))

        look(0)
        one.run(look)
        assert one.recipe.marks == marks
        for name, value in tree_flatten(one.small.trainable_parameters()):
            np.testing.assert_allclose(np.array(value), np.mean([np.array(ends[done][name]) for done in marks], axis=0), rtol=1e-5, atol=1e-6)
        assert float(mx.abs(ends[0]["key"] - ends[24]["key"]).max()) > 1e-3, "weights that stand still have any mean"


def test_heads_joined_answer_as_they_did_written_more_boldly(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    "One word told, asked for under the key that it was told under: the same reading, by as much more as it was written."
    one = learner(model, tmp_path)
    small, talk = one.small, one.talks[0]
    now, before = 0.1 * mx.random.normal((2, 1, 16), key=mx.random.key(0))
    small.write = mx.concatenate([now, now, before, before])  # both heads write alike, so that their mean is theirs
    whole = join.joined(small)
    s = whole._shape
    assert (s.heads, s.key, s.value) == (1, 16, 64)
    z, words = talk.small[2:4].astype(np.float32), model.model.embed_tokens(mx.array(talk.tokens[2:4]))  # the second is flagged
    read, strength = [], []
    for each in (small, whole):
        k, v, decay, beta = each.writing(mx.array(z), words)
        state = written((k[:, 1:], v[:, 1:], decay[:, 1:], beta[:, 1:]), mx.zeros((1, each._shape.heads, each._shape.value, each._shape.key)))
        asking = mx.concatenate([mx.array(z[:1, :-2]), mx.ones((1, 1))], axis=1)
        read.append(np.array(each.reading(asking, state)))
        strength.append(np.array(beta[0, 1]))
    assert np.ptp(strength[0]) < 1e-6
    bolder = [float(np.log(each[0] / (1 - each[0]))) for each in strength]
    assert bolder[1] - bolder[0] == pytest.approx(join.BOLDER, abs=1e-3)
    assert np.abs(read[0]).max() > 0.01
    np.testing.assert_allclose(read[1], read[0] * strength[1][0] / strength[0][0], rtol=1e-3, atol=1e-5)
    assert strength[1][0] > 1.01 * strength[0][0]


def test_layers_side_by_side_add_their_shares(model, small: weights.Base) -> None:  # type: ignore[no-untyped-def]
    "Of two that are the same, at half of what each adds, what comes out is what the one gives; of one, that one."
    def layer(seed: int) -> MemoryLayers:
        made = MemoryLayers.new([Shape(3, (2,), model.args.hidden_size, 1, 8, 8)], small.sha256, seed)
        made.layers[0].out = 0.05 * mx.random.normal(made.layers[0].out.shape, key=mx.random.key(seed))
        made.recipe = {"base": "b", "chunk": 40, "passes": 1, "talks": seed}
        return made

    def logits(memory: MemoryLayers) -> np.ndarray:
        seen = memory.attach(model)
        seen.state = seen.nap([7, 33, 12, 90, 41], None, 1)
        return np.array(seen(mx.array([[7, 33, 12]])))

    one, other = layer(1), layer(2)
    assert join.beside([one]) is one
    twice, two = join.beside([one, one], 0.5), join.beside([one, other])
    np.testing.assert_allclose(logits(twice), logits(one), rtol=1e-3, atol=1e-4)  # the second is added to what the first has moved
    assert np.abs(logits(two) - logits(one)).max() > 1e-3
    np.testing.assert_allclose(np.array(two.layers[1].out), join.SHARE * np.array(other.layers[0].out), rtol=1e-6)
    np.testing.assert_array_equal(np.array(two.layers[1].key), np.array(other.layers[0].key))
    assert two.recipe == {"base": "b", "chunk": 40, "passes": 1, "share": join.SHARE, "parts": [one.recipe, other.recipe]}
    assert np.abs(np.array(one.layers[0].out)).max() > 0.1, "what it was made of was changed"


def test_another_recipe_begins_again(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    learner(model, tmp_path, replace(RECIPE, cycles=((2, 1e-3),))).run(lambda *_: None)
    steps: list[int] = []
    learner(model, tmp_path, replace(RECIPE, cycles=((3, 1e-3),))).run(lambda done, *_: steps.append(done))
    assert steps == [1, 2, 3]


def test_another_base_and_other_talks_of_the_same_sizes_begin_again(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    short = replace(RECIPE, cycles=((2, 1e-3),))
    for change in ({}, {"base": "c" * 64}, {"base": "c" * 64, "turned": True}):
        steps: list[int] = []
        for again in (learner(model, tmp_path, short, **change), learner(model, tmp_path, short, **change)):
            again.run(lambda done, *_, steps=steps: steps.append(done))
        assert steps == [1, 2], f"{change}: what was there was gone on with, or a second run began again"


def test_states_of_another_base_are_not_taken_for_this_ones(model, small: weights.Base, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    counted: list[int] = []

    def filled(base: str) -> np.ndarray:
        return Entering(model, [[1, 2, 3, 4, 5]], (1, 2), 1, tmp_path, base).fill(lambda done, total: counted.append(done))[0]

    here = filled(small.sha256)
    model.model.layers[0].mlp.down_proj.weight = model.model.layers[0].mlp.down_proj.weight * 1.5
    try:
        assert not np.array_equal(filled("c" * 64), here)
    finally:
        model.model.layers[0].mlp.down_proj.weight = model.model.layers[0].mlp.down_proj.weight / 1.5
    np.testing.assert_array_equal(filled(small.sha256), here)
    assert counted == [1, 1], "states were computed twice, or not at all"


def test_what_is_multiplied_out_is_what_was_trained(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    "The small layer on states brought down, and the whole one on the states themselves."
    width = model.args.hidden_size
    start = fit.start(planted(wide=width), 16)
    small = learn.Small(Shape(3, (1,), width, 2, 8, 32), start)
    small.update({name: value + 0.1 * mx.random.normal(value.shape, key=mx.random.key(i))
                  for i, (name, value) in enumerate(tree_flatten(small.trainable_parameters()))})
    whole, talk = small.whole(), planted(1, seed=5, wide=width)[0]
    words = model.model.embed_tokens(mx.array(talk.tokens))
    x, asking = mx.array(talk.states)[None], mx.array(talk.asked[0][0])
    down = [mx.array(learn.brought_down(start, states, q).astype(np.float32)) for states, q in ((talk.states, False), (talk.asked[0][0], True))]
    state = written(whole.writing(x, words[None]), mx.zeros((1, 2, 32, 8)))
    other = written(small.writing(down[0], words), mx.zeros((1, 2, 32, 8)))
    np.testing.assert_allclose(np.array(state), np.array(other), rtol=2e-2, atol=2e-3)  # states are kept in half precision
    np.testing.assert_allclose(np.array(whole.reading(asking[None], state)[0]), np.array(small.reading(down[1], state)), rtol=2e-2, atol=2e-2)


def test_the_command_makes_layers_and_goes_on(small: weights.Base, tmp_path: Path) -> None:
    def run(stop: int = 10**9) -> dict:
        ticks: list[tuple[str, int]] = []

        def tick(stage: str, done: int, total: int, detail: str) -> None:
            ticks.append((stage, done))
            if stage == "layer 2 of 2: steps" and done >= stop:
                raise KeyboardInterrupt

        recipe = learn.Recipe(cycles=((4, 1e-4),), single=2, answers=24)
        after = replace(join.AFTER, cycles=((2, 1e-4),), answers=24)
        made = memory_layers.train(small, tmp_path / "layers", memory_layers.Sources(STUDY), tmp_path / "work", lambda s: None, tick, 24, recipe, after)
        return made | {"ticks": ticks}

    with pytest.raises(KeyboardInterrupt):
        run(stop=2)
    assert not (tmp_path / "layers").exists()
    made = run()
    assert not [t for t in made["ticks"] if t[0].endswith("states")], "states were computed twice"
    assert [t for t in made["ticks"] if t[0].startswith("layer 1")] == [], "a layer that was done took steps again"
    assert [t[1] for t in made["ticks"] if t[0] == "layer 2 of 2: steps"][-1] == 4
    layers = MemoryLayers.load(tmp_path / "layers", small.sha256)
    assert layers.sha256 == made["sha256"]
    assert [(part["talks"], part["loss"]) for part in layers.recipe["parts"]] == [(part["talks"], part["loss"]) for part in made["parts"]]
    assert [part["recipe"]["seed"] for part in made["parts"]] == [0, 1]
    where = memory_layers.shape(small)
    for shape in (layer.shape for layer in layers.layers):
        assert (shape.heads, shape.key, shape.value) == (1, where.heads * where.key, where.heads * where.value)
    assert float(mx.abs(layers.layers[0].key - layers.layers[1].key).max()) > 1e-3, "one layer twice"
    assert [t for t in made["ticks"] if t[0] == "layer 2 of 2: steps, heads as one"][-1][1] == 2
    said: list[str] = []
    prose = tmp_path / "prose.txt"
    prose.write_text("\n = A = \n" + "The keeper paints the door of his lighthouse blue in spring. " * 120)

    def check() -> dict:
        return memory_check.check(small, tmp_path / "layers", memory_sets.Sets(text=prose), 4, [1, 2], said.append, 1200, tmp_path / "results")

    figures = check()
    measured = len(said)
    assert check()["sets"] == figures["sets"], "a second run measured something else"
    assert (measured > 4, len(said) - measured) == (True, 1), "what was kept was measured again"
    assert set(figures["sets"]) == {"told", "told_names", "text", "text_elsewhere"}
    arms = figures["sets"]["told"]["arms"]
    assert set(arms) == {"sliding", "untrained", "N=1", "N=2", "full"}
    assert (arms["sliding"]["scale_nats"], arms["full"]["scale_nats"]) == (0.0, 1.0)
    assert arms["N=1"]["nats"] != arms["sliding"]["nats"]
    looks = figures["constant"]
    assert [look["tokens"] for look in looks] == [0, 1000, 1200, None]
    assert len({look["state_bytes"] for look in looks}) == 1
    assert len({look[name] for look in looks for name in ("nats", "other_nats")}) == 8, "a state that nothing changes is constant, too"


def test_a_folder_without_messages_is_refused(small: weights.Base, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no study messages"):
        memory_layers.train(small, tmp_path / "l", memory_layers.Sources(tmp_path), tmp_path, lambda s: None, lambda *_: None)


def test_what_cannot_be_read_is_told_before_anything_is_measured(small: weights.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("it was measured first")

    memory_layers_of = MemoryLayers.new([Shape(3, (3,), small.config["hidden_size"], 1, 8, 8)], small.sha256)
    memory_layers_of.save(tmp_path / "layers")
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setattr(memory_check, "_arms", measured)
    monkeypatch.setattr(memory_check, "both", measured)
    gone = tmp_path / "gone"
    for sets in (memory_sets.Sets(text=gone), memory_sets.Sets(text=tmp_path / "empty"), memory_sets.Sets(tofu=gone),
                 memory_sets.Sets(persona=gone), memory_sets.Sets(recall=gone)):
        with pytest.raises(BadInput, match=r"gone|is empty") as found:
            memory_check.check(small, tmp_path / "layers", sets, 4, [1], lambda s: None)
        assert found.value.hint
    for sources in (memory_layers.Sources(STUDY, tofu=gone), memory_layers.Sources(STUDY, squad=gone)):
        with pytest.raises(BadInput, match="gone") as found:
            memory_layers.train(small, tmp_path / "l", sources, tmp_path, lambda s: None, measured, 24)
        assert found.value.hint


def test_a_person_of_few_facts_is_asked_about_them_all_the_same(small: weights.Base, tmp_path: Path) -> None:
    facts = [{"fact": f"f{i}", "text": f"The user owns {i} cats.", "answer": str(i)} for i in range(memory_sets.PERSON_FACTS + 2)]
    rows = {"facts": facts, "questions": [{"kind": "direct", "fact": f["fact"], "question": "How many?"} for f in facts], "junk": []}
    for name, some in rows.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)))
    asked = [len(one.answers) for talk in memory_sets._persona(small, tmp_path) for one in talk.asked]
    assert asked == [1 + memory_sets.WRONG] * memory_sets.PERSON_FACTS + [2, 2]


def test_a_torn_start_is_solved_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, path = fit.start(planted(60), 8), tmp_path / "x-start.npz"
    solved: list[int] = []
    monkeypatch.setattr(fit, "start", lambda *_: solved.append(1) or start)
    where = Shape(3, (3,), 24, 1, 8, 8)

    def keys() -> np.ndarray:
        return memory_layers._start(path, [], None, where, 0).key  # type: ignore[arg-type]

    np.testing.assert_array_equal(keys(), keys())
    assert (len(solved), [p.name for p in tmp_path.iterdir()]) == (1, ["x-start.npz"])
    for torn in (path.read_bytes()[:400], b"", path.read_bytes()[:-30]):
        path.write_bytes(torn)
        np.testing.assert_array_equal(keys(), start.key)
        np.testing.assert_array_equal(keys(), start.key)
    assert len(solved) == 4
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    path.unlink()
    with pytest.raises(OSError, match="full"):
        keys()
    assert list(tmp_path.iterdir()) == []


# Measuring


def test_no_wrong_answer_is_the_right_one_in_other_letters(small: weights.Base) -> None:
    "Nor what was true before, nor the answer to another question on the same."
    seen = 0
    for talk in memory_sets.facts(small, 240):
        for one in talk.asked:
            said = [small.tokenizer.decode(answer.answer[answer.given :]).strip().casefold().rstrip(".") for answer in one.answers]
            seen += len(said)
            assert len(set(said)) == len(said), said
            assert not any(said[0].startswith(f"{other} ") for other in said[1:]), said
    assert seen > 500


def test_full_attention_sees_what_left_and_the_window_does_not(small: weights.Base) -> None:
    turns = [("My cat is called Zebulon.", "Noted."), ("I keep bees.", "Okay.")]
    parts = memory_sets.chunks(small, turns)
    window = small.prompter.ids([memory_sets.Message("user", "What is my cat called?")])
    whole = memory_sets.between(small, parts, window)
    messages = [m for u, a in turns for m in (memory_sets.Message("user", u), memory_sets.Message("assistant", a))]
    assert whole == small.prompter.ids([*messages, memory_sets.Message("user", "What is my cat called?")])


def test_naps_of_several_passes_are_each_its_own(model, small: weights.Base) -> None:  # type: ignore[no-untyped-def]
    "Whether blocks run once for all of them (one layer behind the last block) or not."
    parts = [[7, 33, 12, 90, 41], [56, 20, 11]]
    for at in (3, 2):
        memory = MemoryLayers.new([Shape(at, (at,), model.args.hidden_size, 1, 8, 8), Shape(3, (3,), model.args.hidden_size, 2, 4, 8)][2 - at :], "a")
        for layer in memory.layers:
            layer.out = mx.random.normal(layer.out.shape, key=mx.random.key(4))
        seen = memory.attach(model)
        for n, tensors in mlx_recall.naps(seen, parts, (1, 3)).items():
            state = seen.nap(parts[1], seen.nap(parts[0], None, n), n)
            for a, b in zip(tensors, state.tensors, strict=True):
                np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-5, atol=1e-6)


def test_a_context_that_is_read_once_is_what_each_window_sees(model) -> None:  # type: ignore[no-untyped-def]
    "More windows than go at once, of several lengths, against the model's own pass over each."
    chance, context = Random(2), [7, 33, 12, 90, 41, 56]
    windows = [mlx_recall.Continuation((*context, *(chance.randrange(300) for _ in range(n % 4))), tuple(chance.randrange(300) for _ in range(2 + n % 3)), 1)
               for n in range(11)]
    for one, nats in zip(windows, mlx_recall.attended(model, context, windows), strict=True):
        logits = model(mx.array([[*one.prompt, *one.answer]]))[0, len(one.prompt) - 1 : -1]
        np.testing.assert_allclose(nats, np.array(nn.losses.cross_entropy(logits, mx.array(one.answer)))[1:], rtol=1e-4, atol=1e-4)


def test_scales_are_what_they_say() -> None:
    def row(sliding: float, full: float, mine: float) -> dict:
        arms = {"sliding": sliding, "full": full, "mine": mine}
        return {"arms": {k: [v, 2.0] for k, v in arms.items()}, "stale": 1}

    found = memory_check.summed([row(3, 1, 1.5), row(3, 1, 2.5)])["arms"]
    assert (found["mine"]["nats"], found["mine"]["scale_nats"]) == (2.0, 0.5)
    assert (found["mine"]["right"], found["mine"]["scale_right"], found["mine"]["stale"]) == (0.5, 0.5, 0.5)


def test_the_untrained_memory_answers_what_it_was_told() -> None:
    "States of chance: read under the state in front of a token, it gives the token's own embedding."
    chance = np.random.default_rng(0)
    x = chance.standard_normal((1, 200, 32)).astype(np.float32)
    layer = training_free(x[0] / np.sqrt((x[0] ** 2).mean(-1, keepdims=True)), tap=2, blocks=4)
    states, words = normed(mx.array(x[:, :10])), mx.array(chance.standard_normal((1, 10, 32)).astype(np.float32))
    read = np.array(layer.reading(states, written(layer.writing(states, words), layer.empty(), passes=8)))[0]
    wanted = np.array(normed(words))[0]
    for at in range(9):
        assert int(np.argmax(wanted @ read[at])) == at + 1


def test_what_was_true_before_is_worded_as_what_is_true_now() -> None:
    "A choice between an old value and a new one is not one between a whole sentence and half of one."
    made, seen = told.bank(Random(99)), 0
    for ask in (ask for _ in range(200) for ask in next(made).asks if ask.lead and ask.wrong):
        (old,) = ask.wrong
        same = next((n for n, (a, b) in enumerate(zip(reversed(ask.value), reversed(old), strict=False)) if a != b), 0)
        assert old.endswith(".")
        seen += same > len(" rent.")
    assert seen
