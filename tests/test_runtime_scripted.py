"The scripted runtime does what every runtime must, and what its own rules say."

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketsleep.errors import NotFound
from pocketsleep.runtime.scripted import Scripted
from tests.suites import wardrobe as wardrobes
from tests.suites.runtime_suite import FOREIGN, PROMPTS, RuntimeSuite, Wardrobe

LINE = f"Red like a poppy, green as moss, blue as the sea by Anglesey, grey as rain. {FOREIGN}"


@pytest.fixture(scope="module")
def runtime() -> Scripted:
    return Scripted(*[LINE] * 1000, base_sha256="1" * 64)


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    shapes = {f"model.layers.0.{key}.weight": (5, 3) for key in wardrobes.KEYS}
    return wardrobes.fill(tmp_path_factory.mktemp("adapters"), "scripted", "1" * 64, shapes, (0,))


class TestScripted(RuntimeSuite):
    weighs = False


def test_lines_come_in_order_and_prompts_are_kept() -> None:
    runtime = Scripted("One two", "three")
    assert runtime.answer(PROMPTS[:2]) == ["One two", "three"]
    assert runtime.heard == list(PROMPTS[:2])
    with pytest.raises(NotFound, match="no line left"):
        list(runtime.chat(PROMPTS[0]))


def test_a_line_is_streamed_word_by_word() -> None:
    assert list(Scripted(" a b\n\nc ").chat(PROMPTS[0])) == [" a", " b", "\n\nc", " "]


def test_scores_can_be_worked_out_by_hand() -> None:
    np.testing.assert_allclose(Scripted().score([(PROMPTS[0], "Go home")])[0], [-0.2, -0.5, -0.1])


def test_embeddings_are_bags_of_words() -> None:
    rows = Scripted().embed(["my dog", "Dog, my!", "a train"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert rows[0] @ rows[2] == 0


def test_it_takes_any_base_unless_it_has_one(tmp_path: Path) -> None:
    shapes = {f"model.layers.0.{key}.weight": (5, 3) for key in wardrobes.KEYS}
    folder = wardrobes.fill(tmp_path, "another", "2" * 64, shapes, (0,)).fits
    runtime = Scripted()
    runtime.wear(folder)
    assert runtime.worn == folder.name
