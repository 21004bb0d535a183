"""MLX as a Runtime: answers side by side are those of one conversation each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketsleep import cards, weights
from pocketsleep.errors import PocketError
from pocketsleep.night.grammar import lists
from pocketsleep.nouns import Message, Sampling
from pocketsleep.runtime import Begins, mlx_lora
from pocketsleep.runtime.mlx import LANES, Mlx
from pocketsleep.runtime.prompting import ask
from pocketsleep.weights import Base


@pytest.fixture(scope="module")
def tiny_runtime(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Mlx:
    card = cards.find(str(tiny))
    return Mlx(card, weights.open_base(card, tmp_path_factory.mktemp("cache")), context=64)


def test_together_as_alone(smol: Base) -> None:
    "A real base, prompts of different lengths; some answers end before the others."
    runtime = Mlx(smol.card, smol)
    prompts = [ask("Say yes."), *(ask(question) for question in lists.anchors()[:3])]
    together = runtime.answer(prompts, max_tokens=8)
    assert together == ["".join(runtime.chat(prompt, Sampling(max_tokens=8))) for prompt in prompts]
    assert len(set(together)) == len(together)
    lengths = [runtime.count(answer) for answer in together]
    assert min(lengths) < max(lengths), "one ended by itself while others went on"


def test_what_is_drawn_with_a_seed_of_its_own_does_not_depend_on_what_is_asked_beside(tiny_runtime: Mlx) -> None:
    prompts = [(Message("user", f"word {i}"),) for i in range(4)]

    def drawn(some: list[int]) -> list[str]:
        return tiny_runtime.answer([prompts[i] for i in some], max_tokens=6, temperature=1.0, seed=[100 + i for i in some])

    together = drawn([0, 1, 2, 3])
    assert drawn([3, 1]) == [together[3], together[1]]
    by_place = tiny_runtime.answer([prompts[0]] * 3, max_tokens=6, temperature=1.0, seed=7)
    assert len(set(by_place)) > 1, "one seed draws for each prompt anew"


def test_more_than_fit_side_by_side(tiny_runtime: Mlx) -> None:
    prompts = [(Message("user", f"word {i} " * (1 + i % 3)),) for i in range(LANES + 4)]
    assert tiny_runtime.answer(prompts, max_tokens=5) == [tiny_runtime.answer([p], max_tokens=5)[0] for p in prompts]


def test_answers_grow_only_as_they_may(tiny_runtime: Mlx) -> None:
    prompts = [(Message("user", f"word {i}"),) for i in range(3)]
    free = tiny_runtime.answer(prompts, max_tokens=6)
    taken = max(set("".join(free)) - {"\ufffd"}, key="".join(free).count)
    without: Begins = lambda text: taken not in text  # noqa: E731
    for warm in (0.0, 0.8):
        held = tiny_runtime.answer(prompts, max_tokens=6, temperature=warm, begins=[without] * 3)
        assert taken not in "".join(held)
        assert all(held), "it had to say something else"
        assert tiny_runtime.answer(prompts[:1], max_tokens=6, temperature=warm, begins=[lambda text: not text]) == [""]


def test_nothing_asked_and_no_room(tiny_runtime: Mlx) -> None:
    assert tiny_runtime.answer([]) == []
    assert tiny_runtime.answer([ask("hello")], max_tokens=0) == [""]
    with pytest.raises(PocketError):
        tiny_runtime.answer([ask("hello " * 100)])


def test_embeddings_are_the_bare_bases_and_what_was_worn_is_worn_afterwards(tiny_runtime: Mlx) -> None:
    bare = tiny_runtime.embed(["word 1", "word 2"])
    model, keys, layers = tiny_runtime.model, ("mlp.gate_proj", "self_attn.q_proj"), (0,)
    try:
        mlx_lora.attach(model, keys, layers, rank=2, scale=4.0, seed=0)
        drawn = np.random.default_rng(0)
        mlx_lora.write(model, {name: drawn.normal(size=t.shape) for name, t in mlx_lora.read(model, keys, layers).items()}, keys, layers)
        dressed = tiny_runtime.score([(ask("word"), "word 3")])
        np.testing.assert_array_equal(tiny_runtime.embed(["word 1", "word 2"]), bare)
        assert tiny_runtime.score([(ask("word"), "word 3")]) == dressed
    finally:
        mlx_lora.detach(model)
    assert tiny_runtime.score([(ask("word"), "word 3")]) != dressed
