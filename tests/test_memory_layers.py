"Memory layers: nothing before they have written, state in place of attention afterwards."

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from safetensors.numpy import save_file

from pocketsleep import cards
from pocketsleep.errors import AdapterError, BadInput, ModelError, NotFound
from pocketsleep.fastweights import keeping, pick
from pocketsleep.fastweights.keeping import State, load_state, save_state
from pocketsleep.fastweights.layer import MemoryLayer, Shape, added, features, written
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.night.grammar import lists
from pocketsleep.nouns import Message
from pocketsleep.runtime.mlx_memory import Memory
from pocketsleep.weights import gguf_base
from pocketsleep.weights import model as weights_model
from tests import tiny_gguf

BASE, OTHER = "a" * 64, "b" * 64
WIDE, DEEP = 96, {"llama": 3, "gemma3": 7}
CHUNK = [7, 33, 12, 90, 41, 7, 56, 20, 11, 64, 5]
ASKED = [30, 7, 33, 9]


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    "A tiny random base of each family, by way of a GGUF file."
    folder = tmp_path_factory.mktemp(request.param)
    path = tiny_gguf.write(folder / "tiny.gguf", request.param)
    return weights_model.load(gguf_base.import_gguf(path, "d" * 64, folder))


def shapes(model: nn.Module) -> list[Shape]:
    deep = len(model.model.layers)
    return [Shape(1, (0, 1), WIDE, 2, 4, 3), Shape(deep, (1, deep - 1), WIDE, 1, 5, 4)]


def layers(model: nn.Module, trained: bool, only: slice = slice(None)) -> MemoryLayers:
    made = MemoryLayers.new(shapes(model)[only], BASE)
    if trained:
        for i, layer in enumerate(made.layers):
            layer.out = mx.random.normal(layer.out.shape, key=mx.random.key(40 + i)) * 0.2
            layer.write = mx.random.normal(layer.write.shape, key=mx.random.key(50 + i)) * 0.1
    return made


def logits(model: object, ids: list[int]) -> np.ndarray:
    return np.array(model(mx.array([ids])))  # type: ignore[operator]


def asked(seen: Remembering, ids: list[int] = ASKED) -> np.ndarray:
    return logits(seen, ids)


# Nothing before it has written


def test_new_layers_leave_every_logit_to_the_bit(model: nn.Module) -> None:
    seen = layers(model, trained=False).attach(model)
    seen.state = seen.nap(CHUNK)
    assert float(mx.abs(seen.state.tensors[0]).max()) > 0, "the nap wrote nothing: the comparison would prove nothing"
    assert np.array_equal(asked(seen), logits(model, ASKED))


def test_trained_layers_without_a_nap_leave_every_logit_to_the_bit(model: nn.Module) -> None:
    seen = layers(model, trained=True).attach(model)
    for state in (None, seen.memory.fresh()):
        seen.state = state
        assert np.array_equal(asked(seen), logits(model, ASKED))
    seen.state = seen.nap(CHUNK)
    assert not np.array_equal(asked(seen), logits(model, ASKED)), "layers that read nothing would pass too"


def test_the_default_base_with_new_layers_to_the_bit(smol) -> None:  # type: ignore[no-untyped-def]
    base = weights_model.load(smol.folder)
    made = MemoryLayers.new([Shape(22, (16, 22), 576, 2, 64, 64), Shape(30, (26,), 576, 1, 128, 64)], smol.sha256)
    seen = made.attach(base)
    ids = smol.tokenizer.encode("My cat is called Zebulon. What is my cat called?")
    seen.state = seen.nap(ids[:8])
    assert not seen.state.empty
    assert np.array_equal(logits(seen, ids), logits(base, ids))
    cache, kept = seen.make_cache(), seen.make_cache()  # and token by token, as it is served
    for token in ids[:3]:
        assert np.array_equal(np.array(seen(mx.array([[token]]), cache=cache)), np.array(base(mx.array([[token]]), cache=kept)))


def test_shipped_layers_recall_what_left_and_leave_prose_alone(smol) -> None:  # type: ignore[no-untyped-def]
    "Three facts told and evicted: each value grows likelier by two nats; a paragraph on something else stays within a percent."
    file = cards.memory_layers("smollm2-135m", Path("nowhere"))
    assert file is not None
    assert file.stat().st_size < 10_000_000
    made = MemoryLayers.load(file, smol.sha256)
    assert [part["talks"] > 500 for part in made.recipe["parts"]] == [True] * len(made.layers) == [True, True]
    seen, ids = made.attach(weights_model.load(smol.folder)), smol.prompter.ids
    turns = [("By the way, my cat is called Zebulon.", "Noted."), ("I work as a bookbinder in Porthmadog.", "I see."),
             ("My sister Ottoline is allergic to walnuts.", "Good to know!")]
    told = ids([m for user, answer in turns for m in (Message("user", user), Message("assistant", answer))], generate=False)
    state = seen.nap(told[8:])
    for question, lead, value in (("What is my cat called?", "Your cat is called", " Zebulon"), ("Where do I work?", "You work in", " Porthmadog"),
                                  ("What is my sister allergic to?", "Your sister is allergic to", " walnuts")):
        prompt, answer = ids([Message("user", question)]) + smol.tokenizer.encode(lead), smol.tokenizer.encode(value)
        assert nats(seen, None, prompt, answer) > nats(seen, state, prompt, answer) + 2, question
    prose = smol.tokenizer.encode(lists.texts()[0][1])
    assert nats(seen, state, prose[:1], prose[1:]) < 1.01 * nats(seen, None, prose[:1], prose[1:])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="native/cpu is compiled on Linux")
def test_the_kernel_naps_for_the_shipped_layer_as_ordinary_operations_do(smol, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    file = cards.memory_layers("smollm2-135m", Path("nowhere"))
    assert file is not None
    memory = Memory(MemoryLayers.load(file, smol.sha256))
    assert memory.widest == 512
    seen = memory.layers.attach(weights_model.load(smol.folder))
    parts = [smol.tokenizer.encode(text)[:60] for _, text in lists.texts()[:2]]
    called: list[str] = []

    def told_by(backend: pick.Backend) -> State:
        nap = lambda *given: called.append(backend.name) or backend.nap(*given)  # noqa: E731
        monkeypatch.setattr(pick, "for_naps", lambda Dk: pick.Choice(replace(backend, nap=nap), ()))
        return seen.nap(parts[1], seen.nap(parts[0]), passes=3)

    chosen = pick.for_naps(memory.widest).backend
    if mx.default_device() == mx.Device(mx.cpu):
        assert chosen.name == "cpu", "the layer that is shipped is not what the kernel is made for"
    kernel, ordinary = told_by(pick.by_name("cpu", memory.widest)).tensors, told_by(pick.by_name("graph")).tensors
    layers = len(memory.layers.layers)
    assert called == ["cpu"] * 2 * layers + ["graph"] * 2 * layers
    for ours, plain in zip(kernel, ordinary, strict=True):
        assert float(mx.abs(plain).max()) > 0.1, "next to nothing was written: the comparison would prove nothing"
        assert float(mx.abs(ours - plain).max()) < 1e-5 * float(mx.abs(plain).max())


def nats(seen: Remembering, state: object, prompt: list[int], answer: list[int]) -> float:
    "Of an answer's tokens together."
    seen.state = state  # type: ignore[assignment]
    told = seen(mx.array([prompt + answer]))[0, len(prompt) - 1 : -1]
    return float(nn.losses.cross_entropy(told, mx.array(answer)).sum())


def test_a_cache_gives_what_the_whole_gives(model: nn.Module) -> None:
    seen = layers(model, trained=True).attach(model)
    seen.state = seen.nap(CHUNK)
    long = CHUNK + ASKED
    cache, parts = seen.make_cache(), []
    for part in (long[:5], long[5:6], long[6:]):
        parts.append(np.array(seen(mx.array([part]), cache=cache)))
    np.testing.assert_allclose(np.concatenate(parts, 1), logits(seen, long), rtol=2e-4, atol=2e-4)


# Writing and reading


def test_a_nap_is_the_loop_it_stands_for(model: nn.Module) -> None:
    "Two passes written out: keys anew in each pass, read from what the last one left."
    seen = layers(model, trained=True).attach(model)
    first = seen.nap(ASKED)
    expected = list(first.tensors)
    for _ in range(2):
        entering: dict[int, mx.array] = {}
        h = e = seen.embed(mx.array([CHUNK]))
        for i, block in enumerate([*model.model.layers, None]):
            entering[i] = h
            for layer, state in zip(seen.memory.layers, expected, strict=True):
                if layer.shape.at == i:
                    h = added(h, layer.reading(features(entering, layer.shape.taps), state))
            if block is not None:
                h = block(h, _mask(model, i, h), None)
        expected = [written(layer.writing(features(entering, layer.shape.taps), e), s)
                    for layer, s in zip(seen.memory.layers, expected, strict=True)]
    got = seen.nap(CHUNK, first, passes=2)
    for a, b in zip(got.tensors, expected, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-5, atol=1e-6)
    assert got.tokens == len(CHUNK) + len(ASKED)


def _mask(model: nn.Module, i: int, h: mx.array) -> object:
    from mlx_lm.models.base import create_attention_mask

    local = model.model_type == "gemma3_text" and (i + 1) % 6
    return create_attention_mask(h, None, window_size=tiny_gguf.WINDOW) if local else "causal"


def test_passes_with_nothing_to_recompute_are_the_kernels_own(model: nn.Module) -> None:
    seen = layers(model, trained=True, only=slice(1, 2)).attach(model)
    thrice = seen.nap(CHUNK, passes=3)
    one_by_one = seen.nap(CHUNK, seen.nap(CHUNK, seen.nap(CHUNK)))
    np.testing.assert_allclose(np.array(thrice.tensors[0]), np.array(one_by_one.tensors[0]), rtol=1e-5, atol=1e-6)
    assert not np.allclose(np.array(thrice.tensors[0]), np.array(seen.nap(CHUNK).tensors[0]), atol=1e-4)


def test_what_left_is_seen_through_the_state_alone(model: nn.Module) -> None:
    "Another token in the evicted chunk: no difference without the state, and one with it."
    seen = layers(model, trained=True).attach(model)
    changed = [CHUNK[0], 34, *CHUNK[2:]]
    answers = []
    for chunk in (CHUNK, changed):
        seen.state = seen.nap(chunk)
        answers.append(asked(seen))
    assert not np.array_equal(*answers)
    again = seen.memory.attach(model)
    again.state = seen.state
    assert np.array_equal(asked(again), answers[1]), "something else than the state was carried"
    seen.state = None
    assert np.array_equal(asked(seen), asked(seen.memory.attach(model)))


def test_padding_writes_nothing(model: nn.Module) -> None:
    layer = layers(model, trained=True).layers[0]
    x, e = mx.random.normal((1, 9, layer.shape.features)), mx.random.normal((1, 9, WIDE))
    real = mx.array([[1.0] * 6 + [0.0] * 3])
    long = written(layer.writing(x, e, real), layer.empty())
    assert np.allclose(np.array(long), np.array(written(layer.writing(x[:, :6], e[:, :6]), layer.empty())), atol=1e-6)


def test_only_the_layers_have_a_gradient(model: nn.Module) -> None:
    seen = layers(model, trained=True).attach(model)
    before = {name: np.array(v) for name, v in tree_flatten(model.parameters())}

    def loss(layer: MemoryLayer) -> mx.array:
        entering: dict[int, mx.array] = {}
        embedded = seen.embed(mx.array([CHUNK]))
        seen.through(embedded, 0, seen.top, entering)
        state = written(layer.writing(features(entering, layer.shape.taps), embedded), layer.empty())
        h = seen.through(seen.embed(mx.array([ASKED])), 0, len(model.model.layers), {}, [state, seen.memory.layers[1].empty()])
        return nn.losses.cross_entropy(seen.head(model.model.norm(h))[0, :-1], mx.array(ASKED[1:])).sum()

    layer = seen.memory.layers[0]
    _, grads = nn.value_and_grad(layer, loss)(layer)
    sizes = {name: float(mx.abs(g).max()) for name, g in tree_flatten(grads)}
    assert set(sizes) == {name for name, _ in tree_flatten(layer.trainable_parameters())}
    assert all(size > 0 for size in sizes.values()), sizes
    assert not tree_flatten(model.trainable_parameters())
    assert all(np.array_equal(before[name], np.array(v)) for name, v in tree_flatten(model.parameters()))


def test_a_slope_is_what_differences_say() -> None:
    "By one number of each parameter, through writing and reading."
    layer = MemoryLayer(Shape(1, (0, 1), 6, 2, 4, 3), seed=3)
    layer.update({name: value + 0.3 * mx.random.normal(value.shape, key=mx.random.key(i))
                  for i, (name, value) in enumerate(tree_flatten(layer.trainable_parameters()))})
    layer.forget_bias = mx.array([-1.0, -2.0])
    x, e, q = (mx.random.normal((1, 5, n), key=mx.random.key(i)) for i, n in enumerate((12, 6, 12)))

    def loss(layer: MemoryLayer) -> mx.array:
        return mx.sin(layer.reading(q, written(layer.writing(x, e), layer.empty(), passes=2))).sum()

    _, grads = nn.value_and_grad(layer, loss)(layer)
    for name, slope in tree_flatten(grads):
        value, step = getattr(layer, name), np.zeros(getattr(layer, name).shape, np.float32)
        at = np.unravel_index(int(np.argmax(np.abs(np.array(slope)))), step.shape)
        step[at] = 1e-2
        there = []
        for sign in (1, -1):
            setattr(layer, name, value + sign * mx.array(step))
            there.append(float(loss(layer)))
        setattr(layer, name, value)
        assert (there[0] - there[1]) / 2e-2 == pytest.approx(float(slope[tuple(map(int, at))]), rel=2e-2), name


@pytest.mark.parametrize("at", [1, 2, 99])
def test_a_cancelled_nap_leaves_the_old_state(model: nn.Module, at: int) -> None:
    seen = layers(model, trained=True).attach(model)
    old = seen.nap(ASKED)
    kept = [np.array(t) for t in old.tensors]
    asked_of = 0

    def cancelled() -> bool:
        nonlocal asked_of
        asked_of += 1
        return asked_of >= at or (at == 99 and asked_of > total)

    total, steps = 10**6, []
    seen.nap(CHUNK, old, 2, lambda done, all_: steps.append((done, all_)))
    total = len(steps)
    assert steps[-1][0] == steps[-1][1] == total
    assert seen.nap(CHUNK, old, 2, cancelled=cancelled) is old
    assert all(np.array_equal(a, np.array(b)) for a, b in zip(kept, old.tensors, strict=True))


# Files


def test_a_state_comes_back(model: nn.Module, tmp_path: Path) -> None:
    seen = layers(model, trained=True).attach(model)
    state = seen.state = seen.nap(CHUNK)
    save_state(tmp_path / "s", state)
    back = load_state(tmp_path / "s", BASE, seen.memory.sha256)
    expected = asked(seen)
    seen.state = back
    assert np.array_equal(asked(seen), expected)
    assert back.tokens == state.tokens


def test_layers_come_back(model: nn.Module, tmp_path: Path) -> None:
    made = layers(model, trained=True)
    made.recipe = {"seed": 3}
    made.save(tmp_path / "l")
    back = MemoryLayers.load(tmp_path / "l", BASE)
    assert (back.sha256, back.recipe) == (made.sha256, {"seed": 3})
    assert [asdict(a.shape) for a in back.layers] == [asdict(a.shape) for a in made.layers]
    assert back.parameters == sum(v.size for layer in made.layers for _, v in tree_flatten(layer.trainable_parameters()))


def test_states_of_others_are_refused(model: nn.Module, tmp_path: Path) -> None:
    seen = layers(model, trained=True).attach(model)
    state = seen.nap(CHUNK)
    save_state(tmp_path / "s", state)
    with pytest.raises(AdapterError, match="another base") as told:
        load_state(tmp_path / "s", OTHER, seen.memory.sha256)
    assert told.value.hint
    seen.memory.layers[0].sure = seen.memory.layers[0].sure + 1  # other layers from here on
    with pytest.raises(AdapterError, match="other layers"):
        load_state(tmp_path / "s", BASE, seen.memory.sha256)
    for use in (lambda: seen.nap(CHUNK, state), lambda: Memory(seen.memory).reading(model, state)):
        with pytest.raises(AdapterError, match="other layers"):
            use()


def test_layers_of_another_base_are_refused(model: nn.Module, tmp_path: Path) -> None:
    layers(model, trained=False).save(tmp_path / "l")
    with pytest.raises(AdapterError, match="made for the base"):
        MemoryLayers.load(tmp_path / "l", OTHER)


@pytest.mark.parametrize("harm", ["torn", "flipped", "nan", "not a file", "missing"])
def test_damaged_states_are_refused(model: nn.Module, tmp_path: Path, harm: str) -> None:
    seen, path = layers(model, trained=True).attach(model), tmp_path / "s"
    state = seen.nap(CHUNK)
    if harm == "nan":
        state = replace(state, tensors=(state.tensors[0] * float("nan"), *state.tensors[1:]))
    save_state(path, state)
    data = path.read_bytes()
    changed = {"torn": data[:-40], "flipped": data[:-9] + bytes([data[-9] ^ 4]) + data[-8:], "not a file": b"{}"}.get(harm, data)
    path.write_bytes(changed)
    if harm == "missing":
        path.unlink()
    with pytest.raises((AdapterError, NotFound)):
        load_state(path, BASE, seen.memory.sha256)


def test_a_whole_state_is_needed_to_find_damage(model: nn.Module, tmp_path: Path) -> None:
    keeping.write(tmp_path / "x", "fast_weights", {"base": BASE}, {"0": np.zeros(2, np.float32)})
    assert keeping.opened(tmp_path / "x", "fast_weights")[0] == {"base": BASE}
    with pytest.raises(AdapterError, match="cannot be read as memory layers"):
        keeping.opened(tmp_path / "x", "memory_layers")
    for header in ("[]", '"told"', "1", "null"):
        save_file({"0": np.zeros(2, np.float32)}, tmp_path / "x", metadata={"fast_weights": header})
        with pytest.raises(AdapterError, match="cannot be read as fast weights") as found:
            keeping.opened(tmp_path / "x", "fast_weights")
        assert found.value.hint


# What does not fit


def test_layers_that_do_not_fit_are_refused(model: nn.Module) -> None:
    deep = len(model.model.layers)
    for wrong in (Shape(deep + 1, (1,), WIDE, 1, 4, 4), Shape(1, (2,), WIDE, 1, 4, 4), Shape(1, (1,), WIDE + 1, 1, 4, 4)):
        with pytest.raises(ModelError, match="does not fit"):
            MemoryLayers.new([wrong], BASE).attach(model)
    with pytest.raises(ModelError, match="more than a tenth"):
        MemoryLayers.new([Shape(1, (0, 1), WIDE, 4, 256, 256)], BASE).attach(model)


def test_other_families_are_refused(model: nn.Module) -> None:
    class Strange:
        model_type = "mamba"

    with pytest.raises(ModelError, match="mamba"):
        layers(model, trained=False).attach(Strange())  # type: ignore[arg-type]


def test_a_nap_has_a_pass_and_over_nothing_writes_nothing(model: nn.Module) -> None:
    seen = layers(model, trained=False).attach(model)
    with pytest.raises(BadInput, match="0 passes"):
        seen.nap(CHUNK, passes=0)
    assert seen.nap([]).empty
