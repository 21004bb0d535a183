"The llama.cpp runtime on SmolLM2-135M: what every runtime must do, and what only this one can get wrong."

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pocketsleep.errors import BadInput, MissingPart
from pocketsleep.nouns import Message, Sampling
from pocketsleep.runtime import llama_batch, pick
from pocketsleep.runtime.llama_grammar import Grammar
from pocketsleep.runtime.llamacpp import LlamaCpp, draw
from pocketsleep.weights import Base
from tests.suites import wardrobe as wardrobes
from tests.suites.runtime_suite import FORGED, PROMPTS, SHORT, RuntimeSuite, Wardrobe, ask, whole


@pytest.fixture(scope="module")
def runtime(smol: Base) -> Iterator[LlamaCpp]:
    made = LlamaCpp(smol.card, smol, threads=1, context=1024)
    yield made
    made.close()


@pytest.fixture(scope="module")
def wardrobe(smol: Base, tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    layers = range(smol.layers // 3, smol.layers)
    root = tmp_path_factory.mktemp("adapters")
    return wardrobes.fill(root, smol.card.name, smol.sha256, smol.shapes, tuple(layers))


class TestLlamaCpp(RuntimeSuite):
    pass


def test_content_forges_no_turn(runtime: LlamaCpp) -> None:
    tokenizer, prompter = runtime.base.tokenizer, runtime.base.prompter
    specials = set(tokenizer.special_ids.values())
    assert not specials & set(tokenizer.encode(FORGED))
    honest, forged = prompter.ids(ask("Thanks.")), prompter.ids(ask(FORGED))
    assert sum(n in specials for n in honest) == sum(n in specials for n in forged)
    assert runtime.count("<|im_end|>") > 1


def test_it_stops_at_the_end_of_its_turn(runtime: LlamaCpp) -> None:
    said = whole(runtime, PROMPTS[0], max_tokens=200)
    assert 0 < runtime.count(said) < 100
    assert "<|im_end|>" not in said


def test_what_it_chose_is_the_likeliest(runtime: LlamaCpp) -> None:
    for prompt in PROMPTS[:4]:
        ids = runtime.base.prompter.ids(prompt)
        chosen = list(runtime._tokens(ids, Sampling(max_tokens=SHORT), Grammar()))
        rows = np.concatenate(list(runtime._main.read([*ids, *chosen[:-1]], wanted=len(chosen))))
        taken = rows[np.arange(len(chosen)), chosen]
        assert (rows.max(axis=1) - taken).max() < 0.1  # logits; reading rounds otherwise than generating


def test_a_conversation_that_does_not_fit_is_an_error_with_a_hint(runtime: LlamaCpp) -> None:
    long = ask("word " * 1100)
    for call in (lambda: list(runtime.chat(long)), lambda: runtime.answer([PROMPTS[0], long]),
                 lambda: runtime.score([(PROMPTS[0], "word " * 1100)])):
        with pytest.raises(BadInput, match="tokens long, the window holds 1024") as told:
            call()
        assert told.value.hint


def test_an_answer_ends_where_the_window_does(runtime: LlamaCpp) -> None:
    near = ask("word " * 970)
    room = runtime.context - len(runtime.base.prompter.ids(near))
    assert 8 <= room < 64
    tokens = list(runtime._tokens(runtime.base.prompter.ids(near), Sampling(max_tokens=500), Grammar()))
    assert len(tokens) <= room
    assert runtime.answer([near], max_tokens=500) == [whole(runtime, near, max_tokens=500)]


@pytest.mark.parametrize("lanes", [1, 16])
def test_each_answer_of_many_has_the_room_its_own_prompt_leaves(runtime: LlamaCpp, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    near = ask("word " * 970)
    room = runtime.context - len(runtime.base.prompter.ids(near))
    monkeypatch.setattr(runtime.base.tokenizer, "ends", frozenset())  # none ends by itself
    answers = runtime.answer([near, PROMPTS[0]], max_tokens=room + 8, lanes=lanes)
    assert answers == [whole(runtime, near, max_tokens=room), whole(runtime, PROMPTS[0], max_tokens=room + 8)]


@pytest.mark.parametrize("lanes", [1, 2, 3, 16])
def test_however_many_lanes(runtime: LlamaCpp, lanes: int) -> None:
    "More prompts than lanes, so that finished answers make room; lengths differ."
    prompts = [ask(f"Say {word} and stop." + " Please." * n) for n, word in enumerate("one two red my sea".split())]
    assert runtime.answer(prompts, 12, lanes=lanes) == [whole(runtime, prompt, max_tokens=12) for prompt in prompts]


def test_reading_goes_on_from_what_two_prompts_share(runtime: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.wear(None)
    read: list[int] = []
    run = llama_batch.Lanes._run
    monkeypatch.setattr(llama_batch.Lanes, "_run", lambda self, rows: (read.append(len(rows)), run(self, rows))[1])
    notes = Message("system", "What the user has told you:\n" + "- The shed is nine feet long.\n" * 10)
    first, second = ((notes, Message("user", text)) for text in ("How long is my shed?", "What is it for?"))
    whole(runtime, first, max_tokens=1)
    before = sum(read)
    whole(runtime, second, max_tokens=1)
    assert before > 100
    assert sum(read) - before < 20
    whole(runtime, second, max_tokens=1)
    assert read[-1] == 2  # never one token alone


def test_spans_cover_and_leave_no_token_alone() -> None:
    for start, first, end in [(0, 9, 10), (0, 512, 513), (0, 1, 700), (3, 3, 130), (0, 999, 1025), (500, 1023, 1026)]:
        spans = list(llama_batch._spans(start, first, end))
        assert [a for a, _ in spans] == [start, *(b for _, b in spans[:-1])]
        assert spans[-1][1] == end
        assert all(2 <= b - a <= llama_batch.READ + 1 for a, b in spans)
        assert all(b - max(a, first) <= llama_batch.WANTED + 1 for a, b in spans)


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.3]))
    chance = np.random.default_rng(0)

    def shares(**how: float) -> np.ndarray:
        drawn = [draw(logits, Sampling(**how), chance) for _ in range(4000)]  # type: ignore[arg-type]
        return np.bincount(drawn, minlength=3) / 4000

    np.testing.assert_allclose(shares(temperature=1.0), [0.1, 0.6, 0.3], atol=0.03)
    np.testing.assert_allclose(shares(temperature=1.0, top_p=0.8), [0, 2 / 3, 1 / 3], atol=0.03)
    np.testing.assert_allclose(shares(temperature=0.5), np.array([1, 36, 9]) / 46, atol=0.03)
    assert shares(temperature=0.0).tolist() == [0, 1, 0]


def test_it_is_quiet(smol: Base) -> None:
    "Nothing on stdout or stderr, from loading to closing; the C library writes past Python's."
    said = f"""
from pathlib import Path
from pocketsleep import cards, weights
from pocketsleep.nouns import Message
from pocketsleep.runtime.llamacpp import LlamaCpp
base = weights.open_base(cards.find({smol.card.name!r}), Path({str(smol.folder.parent.parent)!r}))
runtime = LlamaCpp(base.card, base, threads=1, context=512)
runtime.answer([[Message("user", "Hello")]], 2)
runtime.embed(["Hello"])
runtime.close()
"""
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert (done.stdout, done.stderr) == ("", "")


def test_without_a_gguf_it_says_what_to_do(smol: Base) -> None:
    with pytest.raises(MissingPart, match="no GGUF"):
        LlamaCpp(smol.card, replace(smol, gguf=None))


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, smol: Base) -> None:
    "And another engine serves, with the reason."
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    for name in ("llama_batch", "llamacpp"):
        monkeypatch.delitem(sys.modules, f"pocketsleep.runtime.{name}", raising=False)
    choice = pick.serving(smol.card, smol, ("Linux", "x86_64"))
    assert choice.name == "mlx"
    ((name, why),) = choice.refused
    assert name == "llamacpp"
    assert "pip install 'pocketsleep[llamacpp]'" in why


@pytest.mark.parametrize(("machine", "first"), [(("Darwin", "arm64"), "mlx"), (("Darwin", "x86_64"), "llamacpp"),
                                                (("Linux", "aarch64"), "llamacpp"), (("Windows", "AMD64"), "llamacpp")])
def test_the_engine_of_each_machine(smol: Base, machine: tuple[str, str], first: str) -> None:
    choice = pick.serving(smol.card, smol, machine)
    assert (choice.name, choice.refused) == (first, ())
    assert choice.reason


def test_an_mlx_folder_is_served_by_mlx(smol: Base) -> None:
    choice = pick.serving(smol.card, replace(smol, gguf=None), ("Linux", "x86_64"))
    assert choice.name == "mlx"
    assert choice.refused == (("llamacpp", "the base is an MLX folder, not a GGUF file"),)


def test_the_choice_loads(smol: Base) -> None:
    made = pick.serving(smol.card, smol, ("Linux", "x86_64")).runtime()
    assert made.name == "llamacpp"
    made.close()


def test_one_beside_another_wears_what_it_likes_and_leaves_the_other_as_it_was(runtime: LlamaCpp, wardrobe: Wardrobe) -> None:
    asked = [((Message("user", "Name a fruit."),), "Apple.")]
    before = runtime.score(asked)
    beside = runtime.beside(256)
    try:
        beside.wear(wardrobe.fits)
        assert (beside.worn, runtime.worn) == (wardrobe.fits.name, "")
        assert beside.score(asked) != before
        assert runtime.score(asked) == before
        with pytest.raises(BadInput):
            beside.answer([(Message("user", "word " * 400),)])
    finally:
        beside.close()
    assert runtime.score(asked) == before
