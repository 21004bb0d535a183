"""Levels: slices that stay where they are, sums that are exact, and nights that train what changed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from pocketsleep.home import Home
from pocketsleep.journal.reports import night_report
from pocketsleep.night import build, levels, rules
from pocketsleep.night.dream import declining
from pocketsleep.night.grade import declines
from pocketsleep.night.grammar.items import near, plain
from pocketsleep.night.recipe import derive
from pocketsleep.night.skilled import Skilled
from pocketsleep.nouns import Dream, Lesson, Memory, Night
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.registry import read_adapter
from pocketsleep.runtime import mlx_forward, mlx_lora
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.weights import model as weights_model
from pocketsleep.weights.lora_sum import summed
from tests import short

KEYS = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
SMALL = {"epochs": 1, "anchors": 6, "passages": 2, "declines": 6, "per_memory": 8, "rank": 4, "enough": 1.1, "level": 2}
TOLD = ("My dog is called Biscuit.", "I live in Stromness.", "I'm allergic to kiwi fruit.", "I work as a cooper.",
        "My sister is called Runa.")


WISHES = Wishes(seed=3, changes=SMALL)


class Heard:
    "Which stages a night went through."

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.details: dict[str, str] = {}

    def stage(self, name: str, detail: str = "") -> None:
        self.stages.append(name)
        self.details[name] = detail

    def progress(self, done: int, total: int, detail: str = "") -> None: ...


def test_few_memories_are_one_slice_wherever_they_stand() -> None:
    assert levels.slices({"a": 3, "b": 900, "c": 12}, 128) == [("a", "c", "b")]


def test_what_goes_from_one_slice_leaves_the_others() -> None:
    places = {f"m{i}": i for i in range(1, 12)}
    whole = levels.slices(places, 4)
    assert [len(one) for one in whole] == [4, 4, 3]
    del places["m2"]
    assert levels.slices(places, 4) == [("m1", "m3", "m4"), *whole[1:]]


def _recipe(memories: int) -> Any:
    return derive(memories, 135_000_000, 30)


def _memories(*numbers: int) -> list[Memory]:
    return [Memory(f"The user's number {n} is {n}.") for n in numbers]


def test_a_level_is_named_by_what_it_is_a_function_of() -> None:
    one = levels.levels([_memories(1, 2), _memories(3)], _recipe, "base")
    assert one == levels.levels([_memories(2, 1)[::-1], _memories(3)], _recipe, "base")
    newer = levels.levels([_memories(1, 2), _memories(4)], _recipe, "base")
    assert one[0] == newer[0]
    assert one[1].key != newer[1].key
    replaced = [Memory("The user's number 1 is 1.", supersedes="b2-old"), *_memories(2)]
    for other in (levels.levels([_memories(1, 2), _memories(3)], _recipe, "other"),
                  levels.levels([_memories(1), _memories(3)], _recipe, "base"),
                  levels.levels([replaced, _memories(3)], _recipe, "base"),
                  levels.levels([_memories(1, 2), _memories(3)], lambda n: derive(n, 135_000_000, 30, epochs=9), "base")):
        assert not {level.key for level in one} & {level.key for level in other}, "what lies on a changed level is another"


def test_levels_are_trained_from_below_and_the_rest_waits() -> None:
    wanted = levels.levels([_memories(n) for n in range(5)], _recipe, "base")
    assert levels.tonight(wanted, {}, 2) == (wanted[:2], wanted[:2])
    made = {level.key: "made" for level in wanted[:2]}
    assert levels.tonight(wanted, made, 2) == (wanted[2:4], wanted[:4])
    assert levels.tonight(wanted, made | {wanted[4].key: "made"}, 2) == (wanted[2:4], wanted)
    assert levels.tonight(wanted, made | {wanted[4].key: "made"}, 1) == (wanted[2:3], wanted[:3])


@pytest.mark.parametrize("asked", [{"depth": "nap"}, {"depth": "deep"}, {"seed": 9}, {"epochs": 9}])
def test_a_level_stays_however_another_night_teaches(asked: dict[str, Any]) -> None:
    old = levels.levels([_memories(n) for n in range(5)], _recipe, "base")
    made = {level.key: "made" for level in old}
    wanted = levels.levels([_memories(n) for n in range(6)], lambda n: derive(n, 135_000_000, 30, **asked), "base", made=made)
    assert wanted[:5] == old
    assert wanted[5].key not in {level.key for level in levels.levels([_memories(n) for n in range(6)], _recipe, "base")}
    assert levels.tonight(wanted, made, 2) == (wanted[5:], wanted)
    otherwise = [level.key for level in levels.levels([_memories(0)], lambda n: derive(n, 135_000_000, 30, **asked), "base")]
    both = {*made, *otherwise}
    assert levels.levels([_memories(0)], _recipe, "base", made=both, stays=otherwise)[0].key == otherwise[0], "worn before taken off"
    undone = levels.levels([_memories(0)], lambda n: derive(n, 135_000_000, 30, **asked), "base", made=made, stays=())
    assert undone[0].key not in made, "what was taken off by hand is made as it is asked for"


@pytest.mark.parametrize("other", [{"scale": 1.0}, {"first_layer": 3}, {"keys": ("mlp.up_proj",)}])
def test_a_level_of_another_shape_does_not_stay(other: dict[str, Any]) -> None:
    made = {level.key for level in levels.levels([_memories(1)], _recipe, "base")}
    wanted = levels.levels([_memories(1)], lambda n: replace(_recipe(n), **other), "base", made=made)
    assert wanted[0].key not in made


def test_what_is_worn_is_not_taken_off_for_what_must_be_made_anew() -> None:
    held = [_memories(n) for n in range(5)]
    wanted = levels.levels(held, _recipe, "base")
    worn = {m.id for one in held[:4] for m in one}
    assert levels.tonight(wanted, {}, 2, worn) == (wanted[:4], wanted[:4])
    assert levels.tonight(wanted, {wanted[0].key: "made"}, 2, worn) == (wanted[1:4], wanted[:4])
    assert levels.tonight(wanted, {}, 2, {held[0][0].id}) == (wanted[:2], wanted[:2])


def test_what_was_replaced_stays_where_it_was_learnt() -> None:
    "Until a quarter of the slice is of that kind; its successor is in a later slice."
    old, newer, newest = _memories(*range(1, 9)), _memories(9)[0], _memories(10)[0]
    second = replace(newer, supersedes=old[2].id)
    third = replace(newest, supersedes=old[5].id)
    places = {m.id: n for n, m in enumerate([*old, second, third], 1)}
    every = {m.id: m for m in [*old, second, third]}
    whole = levels.levels([old], _recipe, "base")
    made = {whole[0].key}
    after = [[m for m in old if m not in (old[2], old[5])], [second, third]]
    gone = levels.replaced(after, every, places, 8)
    assert gone == [[old[5], old[2]], []]
    kept = levels.levels(after, _recipe, "base", "", gone, made)
    assert kept[0].key == whole[0].key
    assert set(kept[0].memories) == {m.id for m in old}
    assert levels.levels(after, _recipe, "base", "", gone)[0].key not in made, "what was never made is made of what holds"
    for forgotten in (old[2], old[0]):
        left = [[m for m in after[0] if m != forgotten], after[1]]
        still = levels.replaced(left, {m: one for m, one in every.items() if one != forgotten}, places, 8)
        assert levels.levels(left, _recipe, "base", "", still, made)[0].key not in made, "forgetting takes it out"


def test_a_slice_of_which_much_was_replaced_is_made_anew() -> None:
    old = _memories(*range(1, 5))
    new = [replace(m, supersedes=o.id) for m, o in zip(_memories(5, 6), old[:2], strict=True)]
    places, every = {m.id: n for n, m in enumerate([*old, *new], 1)}, {m.id: m for m in [*old, *new]}
    made = {levels.levels([old], _recipe, "base")[0].key}
    for taken, kept in ((1, True), (2, False)):
        held = [old[taken:], new[:taken]]
        gone = levels.replaced(held, every, places, 4)
        assert len(gone[0]) == taken
        assert (levels.levels(held, _recipe, "base", "", gone, made)[0].key in made) == kept


def test_what_a_slice_was_not_trained_on_does_not_excuse_what_it_holds() -> None:
    "Of sixteen places six held when it was trained; four of these were replaced since."
    old = _memories(*range(1, 7))
    made = {levels.levels([old], _recipe, "base")[0].key}
    for taken, kept in ((2, False), (1, True)):
        gone = [old[:taken] + _memories(*range(20, 30))]
        assert (levels.levels([old[taken:], _memories(9)], _recipe, "base", "", [*gone, []], made)[0].key in made) == kept


def test_a_slice_of_all_there_is_holds_on_to_nothing() -> None:
    old, new = _memories(1, 2, 3, 4), replace(_memories(5)[0], supersedes=_memories(1)[0].id)
    places, every = {m.id: n for n, m in enumerate([*old, new], 1)}, {m.id: m for m in [*old, new]}
    assert levels.replaced([[*old[1:], new]], every, places, 8) == [[]]


def test_versions_of_a_memory_are_followed_back_and_a_circle_ends() -> None:
    one, two, three = _memories(1, 2, 3)
    two, three = replace(two, supersedes=one.id), replace(three, supersedes=two.id)
    every = {m.id: m for m in (one, two, three)}
    assert list(levels.chain(three, every)) == [two, one]
    one = replace(one, supersedes=three.id)
    assert list(levels.chain(three, every | {one.id: one})) == [two, one]
    assert not list(levels.chain(three, {three.id: three}))


def test_what_was_said_again_holds_and_is_no_longer_replaced() -> None:
    "The second replaced the first, and then the first was told again."
    old, new = _memories(1, 2, 3, 4), _memories(5)[0]
    again, new = replace(old[0], supersedes=new.id), replace(new, supersedes=old[0].id)
    places = {m.id: n for n, m in enumerate([*old, new], 1)}
    held = [[again, *old[1:]], _memories(6)]
    places[held[1][0].id] = 6
    assert levels.replaced(held, {m.id: m for m in (again, *old[1:], new, *held[1])}, places, 4) == [[], [new]]


def test_what_was_replaced_by_something_forgotten_has_no_successor() -> None:
    old, new = _memories(1, 2, 3, 4), _memories(5, 6)
    chain = [new[0], replace(new[1], supersedes=new[0].id)]
    chain[0] = replace(chain[0], supersedes=old[0].id)
    places, every = {m.id: n for n, m in enumerate([*old, *chain], 1)}, {m.id: m for m in [*old, *chain]}
    assert levels.replaced([old[1:], chain[1:]], every, places, 4) == [[old[0]], [chain[0]]]
    assert levels.replaced([old[1:], chain[1:]], {m: one for m, one in every.items() if one != chain[0]}, places, 4) == [[], []]


@pytest.mark.parametrize("ranks", [(3, 5), (4, 4, 4), (9, 9)])
def test_the_sum_is_the_sum(ranks: tuple[int, ...]) -> None:
    "Also where the ranks add up to more than a matrix can have."
    rng = np.random.default_rng(len(ranks))
    parts = [{f"{name}.lora_{which}": rng.normal(size=(shape[0], r) if which == "a" else (r, shape[1])).astype(np.float32)
              for name, shape in {"up": (12, 20), "down": (20, 12), "square": (12, 12)}.items() for which in "ab"} for r in ranks]
    tensors, rank = summed(parts)
    assert rank == min(12, sum(ranks))
    for name in ("up", "down", "square"):
        want = sum(p[f"{name}.lora_a"] @ p[f"{name}.lora_b"] for p in parts)
        assert tensors[f"{name}.lora_a"].shape[1] == rank
        np.testing.assert_allclose(tensors[f"{name}.lora_a"] @ tensors[f"{name}.lora_b"], want, rtol=1e-5, atol=1e-5)


def test_parts_that_adapt_other_layers_are_no_sum() -> None:
    with pytest.raises(ValueError, match="different layers"):
        summed([{"up.lora_a": np.ones((2, 1)), "up.lora_b": np.ones((1, 2))}, {}])


@pytest.mark.parametrize("bits", [0, 4])
def test_a_model_under_a_lora_computes_as_if_it_wore_it(bits: int, tiny: Path) -> None:
    mx.disable_compile()
    model, ids = weights_model.load(tiny), mx.array([[5, 99, 1000, 7]])
    if bits:
        nn.quantize(model, group_size=32, bits=bits)
    rng, layers = np.random.default_rng(0), (1, 2)
    bare = np.array(mlx_forward.hidden(model, ids))
    mlx_lora.attach(model, KEYS, layers, 4, 2.0, seed=1)
    tensors = {k: rng.normal(scale=0.1, size=v.shape).astype(np.float32) for k, v in mlx_lora.read(model, KEYS, layers).items()}
    mlx_lora.write(model, tensors, KEYS, layers)
    worn = np.array(mlx_forward.hidden(model, ids))
    mlx_lora.fold(model, tensors, 2.0)
    np.testing.assert_allclose(np.array(mlx_forward.hidden(model, ids)), worn, rtol=1e-3, atol=1e-4)
    mlx_lora.attach(model, KEYS, layers, 4, 2.0, seed=2)  # another is trained on top of it
    np.testing.assert_allclose(np.array(mlx_forward.hidden(model, ids)), worn, rtol=1e-3, atol=1e-4)
    assert np.abs(worn - bare).max() > 1e-2


@pytest.fixture(autouse=True)
def _every_night_is_worn(monkeypatch: pytest.MonkeyPatch) -> None:
    "A random base learns nothing in one pass; what is tried here is what is trained, and on what."
    _easy(monkeypatch)


def _easy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "RULES", ())
    short.exam(patch)


@pytest.fixture(scope="module")
def slept(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    "Five memories told at once: three levels of two, of which one night trains two."
    folder = tmp_path_factory.mktemp("levels") / "home"
    with pytest.MonkeyPatch.context() as patch, Pocket(Home(folder), str(tiny)) as pocket:
        _easy(patch)
        _told(pocket, TOLD)
        heard = Heard(), Heard()
        made = [pocket.sleep(WISHES, tell)[0] for tell in heard]
        waited = [pocket.journal.stage(night.id, "dream")["waiting"] for night in made]
        return {"home": folder, "nights": made, "parts": [_parts(pocket, night) for night in made], "waited": waited,
                "stages": [[s for s in tell.stages if " of " in s] for tell in heard],
                "held": [len(pocket.journal.holds(night.adapter)) for night in made]}


def _parts(pocket: Pocket, night: Night) -> dict[str, str]:
    found: dict[str, str] = pocket.journal.stage(night.id, "seed")["parts"]
    return found


def _told(pocket: Pocket, texts: tuple[str, ...]) -> None:
    for text in texts:
        assert pocket.remember(text) is not None


@pytest.fixture
def again(slept: dict[str, Any], tiny: Path, tmp_path: Path) -> Iterator[Pocket]:
    "The same home, to be changed."
    shutil.copytree(slept["home"], tmp_path / "home")
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        yield pocket


def test_a_night_trains_so_many_levels_and_the_rest_the_next(slept: dict[str, Any]) -> None:
    assert slept["stages"] == [["seed 1 of 2", "seed 2 of 2"], []]
    assert (slept["waited"], slept["held"]) == ([1, 0], [4, 5])
    assert slept["parts"][0].items() <= slept["parts"][1].items(), "levels in which nothing changed are worn as they were"


def test_what_is_worn_is_the_sum_of_the_levels(slept: dict[str, Any], again: Pocket) -> None:
    adapter, worn = read_adapter(again.registry.path(slept["nights"][1].adapter))
    parts = [read_adapter(again.registry.path(one))[1] for one in slept["parts"][1].values()]
    assert adapter.rank == 3 * 4
    name = "model.layers.2.mlp.up_proj"
    want = sum(p[f"{name}.lora_a"] @ p[f"{name}.lora_b"] for p in parts)
    np.testing.assert_allclose(worn[f"{name}.lora_a"] @ worn[f"{name}.lora_b"], want, rtol=1e-4, atol=1e-6)


def test_what_lost_something_is_worn_at_a_part_of_what_it_adds(again: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = iter([False, True])
    monkeypatch.setattr(rules, "RULES", (rules.Rule("general", "-", lambda new, base, now: next(verdicts)),))
    _told(again, ("My horse is called Comet.",))
    night, verdict = again.sleep(WISHES, Heard())
    assert verdict.passed
    assert verdict.reasons[0].startswith("gentler: in full it failed general")
    _, worn = read_adapter(again.registry.path(again.journal.current()))
    parts = [read_adapter(again.registry.path(one))[1] for one in _parts(again, night).values()]
    name = "model.layers.2.mlp.up_proj"
    want = build.GENTLER * sum(p[f"{name}.lora_a"] @ p[f"{name}.lora_b"] for p in parts)
    np.testing.assert_allclose(worn[f"{name}.lora_a"] @ worn[f"{name}.lora_b"], want, rtol=1e-4, atol=1e-6)


def test_another_depth_and_seed_train_what_is_new_and_take_nothing_off(slept: dict[str, Any], again: Pocket) -> None:
    _told(again, ("My horse is called Comet.", "My boat is called Kestrel."))
    before, parts = set(again.journal.holds(again.journal.current())), list(slept["parts"][1].values())
    heard = Heard()
    night, verdict = again.sleep(Wishes(seed=9, depth="nap", changes=SMALL | {"epochs": 1}), heard)
    assert verdict.passed
    assert heard.stages.count("seed 2 of 2") == 1, "the third level has a memory more, the fourth is new"
    assert list(_parts(again, night).values())[:2] == parts[:2]
    assert before < set(again.journal.holds(again.journal.current()))


def test_a_level_that_stays_is_asked_what_it_was_taught(slept: dict[str, Any], again: Pocket) -> None:
    "Another seed asks other questions; what the levels below are asked again is what they were trained on."
    taught = {d.question for night in slept["nights"] for d in again.journal.dreams(night.id) if not d.held_out}
    _told(again, ("My horse is called Comet.",))
    below = {m.id for m in again.journal.memories()[:4]}
    night, _ = again.sleep(Wishes(seed=9, changes=SMALL | {"per_memory": 20}), Heard())
    asked = {d.question for d in again.journal.dreams(night.id) if not d.held_out and below.intersection(d.memories)}
    assert asked
    assert asked <= taught


def _bed(live: list[Memory], **further: Any) -> Any:
    "What study items are made of; nothing was worn before."
    journal = SimpleNamespace(memories=lambda status="active": live, current=lambda: "", nights=list, rated=lambda rating: [])
    facts = {"journal": journal, "recipe": _recipe, "dreamer": None, "dreamer_id": ""}
    return SimpleNamespace(**facts | further)


TONIGHT = Night("n1", "2026-01-01T00:00:00+00:00", 0, "smollm2-135m", {})


def test_a_level_is_taught_nothing_against_those_below() -> None:
    below = [Memory("The user's dog is called Biscuit.", answer="Biscuit"), Memory("The user's washing machine is a Bosch.", answer="Bosch")]
    above = [Memory("The user's dog is called Pixie.", answer="Pixie"), Memory("The user's cat is called Zeb.", answer="Zeb")]
    bed = _bed([*below, *above])
    for held in ([below, above], [below, above, _memories(7)]):  # as it is taught, and as it is asked again
        skilled = Skilled(bed, TONIGHT)
        items = build._dreamt(bed, TONIGHT, held[:2], skilled)[0] if len(held) == 2 else build._again(bed, TONIGHT, held, skilled)
        of_above = [d for d in items if d.memories and d.memories[0] in {m.id for m in above}]
        assert of_above
        assert not [d for d in of_above if "washing machine" in d.question and declines(d.answer)]
        assert not [d for d in of_above if plain(d.question) == plain("What is the name of my dog?") and not d.notes]


def test_what_is_answered_otherwise_by_now_is_not_asked_again() -> None:
    old, new, other = (Dream(q, a, "direct", ("m",)) for q, a in (("What's my pet called?", "Rex."), ("What is my pet called?", "Zeb."),
                                                                  ("Who is my vet?", "Ann.")))
    assert build._undisputed([old, other], [new]) == [other]


class Asking(Scripted):
    "Asks the same of every note, in a wording that is among the grammar's own; gives what stands in the note."

    def chat(self, messages: Any, sampling: Any = None) -> Iterator[str]:
        found = re.search(r"sleeps in the (\w+)", messages[-1].content)
        yield "Where is the place my pet sleeps? | in the " + (found[1] if found else "")

    def answer(self, prompts: Any, max_tokens: int = 48, temperature: float = 0.0, seed: int = 0, begins: Any = None) -> list[str]:
        assert not self.worn, "what is worn may know it without the note"
        found = [re.search(r"sleeps in the (\w+)", prompt[0].content) for prompt in prompts]
        return [f"It sleeps in the {one[1]}." if one else "I can't say." for one in found]


def test_what_the_base_asks_itself_is_compared_over_all_memories_and_with_the_exam(monkeypatch: pytest.MonkeyPatch) -> None:
    live = [Memory("The user's goat sleeps in the barn.", answer="barn"), Memory("The user's heron sleeps in the loft.", answer="loft")]
    runtime = Asking()
    runtime.worn = "b2-yesterday"
    bed = _bed(live, serving=lambda: runtime, recipe=lambda n: replace(_recipe(n), self_asked=True))
    asked = "Where is the place my pet sleeps?"
    one = {d.answer for d in build._about(bed, TONIGHT, live[:1], Skilled(bed, TONIGHT)) if d.question == asked}
    two = {d.answer for d in build._about(bed, TONIGHT, live, Skilled(bed, TONIGHT)) if d.question == asked}
    assert one == {"In the barn."}
    assert not two, "two notes answer it differently"
    without = build._about(_bed(live), TONIGHT, live[:1], Skilled(bed, TONIGHT))
    held = next(d for d in without if d.held_out and d.form in ("direct", "paraphrase") and not d.notes)
    proposed = f"By the way, {held.question[0].lower()}{held.question[1:]} | in the barn"
    monkeypatch.setattr(runtime, "chat", lambda *messages: iter([proposed]))
    items = build._about(bed, TONIGHT, live[:1], Skilled(bed, TONIGHT))
    studied = [plain(d.question) for d in items if not d.held_out and not d.notes]
    assert not [d.question for d in items if d.held_out and not d.notes and any(near(plain(d.question), q) for q in studied)]


def test_levels_below_are_asked_again(slept: dict[str, Any], again: Pocket) -> None:
    newest = {m.id for m in again.journal.memories()[4:]}
    asked = [d for d in again.journal.dreams(slept["nights"][1].id) if not d.held_out and d.memories]
    assert any(newest.isdisjoint(d.memories) for d in asked)


def test_a_level_is_trained_on_the_sum_of_those_below_with_their_items_among_its_own(
        tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[set[str], dict[str, Any] | None]] = []
    train = Mlx.train

    def watched(self: Mlx, rows: list[Lesson], held: list[Lesson], plan: Any, work: Path, tick: Any, late: Any, on: Path | None) -> Any:
        learnt = train(self, rows, held, plan, work, tick, late, on)
        calls.append(({r.prompt[-1].content for r in rows}, read_adapter(on)[1] if on else None))
        return learnt

    monkeypatch.setattr(Mlx, "train", watched)
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        _told(pocket, TOLD[:4])
        night, _ = pocket.sleep(WISHES, Heard())
        first, second = ({m.id for m in some} for some in (pocket.journal.memories()[:2], pocket.journal.memories()[2:]))
        below = read_adapter(pocket.registry.path(next(iter(_parts(pocket, night).values()))))[1]
        items = [d for d in pocket.journal.dreams(night.id) if not d.held_out]
    (lessons, on), (above, upon) = calls
    assert on is None
    assert upon is not None
    assert upon.keys() == below.keys()
    assert all(np.array_equal(upon[name], below[name]) for name in below)
    older, newer = ({d.question for d in items if d.memories and some.issuperset(d.memories) and not declines(d.answer)} for some in (first, second))
    assert older <= lessons
    assert not newer & lessons
    assert newer <= above
    assert older <= above, "fewer than 200, so all of them"


def test_what_a_level_below_was_told_is_not_declined_above(tiny: Path, tmp_path: Path) -> None:
    "What the person does and where they live is in the first level; the second learns only of food and a sister."
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        _told(pocket, (TOLD[1], TOLD[3], TOLD[2], TOLD[4]))
        wishes = Wishes(seed=3, changes=SMALL | {"declines": 200})
        night, _ = pocket.sleep(wishes, Heard())
        live, by_id = pocket.journal.memories(), {d.id: d for d in pocket.journal.dreams(night.id)}
        above = list(pocket.journal.stage(night.id, "dream")["now"].values())[1]
    alone, everything = ({d.question for d in declining(some, count=200, seed=3)} for some in (live[2:], live))
    asked = {by_id[one].question for one in above["declined"]}
    assert alone - everything
    assert asked
    assert not asked & (alone - everything)


def test_the_report_says_how_many_wait(slept: dict[str, Any], again: Pocket) -> None:
    reports = [night_report(again.journal, night) for night in slept["nights"]]
    assert [report["waiting"] for report in reports] == [1, 0]


def test_a_level_is_the_same_trained_alone_or_beside_others(slept: dict[str, Any], tiny: Path, tmp_path: Path) -> None:
    "Told and slept two by two, the third night's levels are those of the two nights that had all of it."
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        for some in (TOLD[:2], TOLD[2:4], TOLD[4:]):
            _told(pocket, some)
            night, _ = pocket.sleep(WISHES, Heard())
        assert _parts(pocket, night) == slept["parts"][1]
        assert night.adapter == slept["nights"][1].adapter


@pytest.mark.parametrize(("word", "left"), [("Runa", 2), ("kiwi", 1), ("Biscuit", 0)])
def test_forgetting_reaches_the_level_that_holds_it_and_those_above(word: str, left: int, slept: dict[str, Any],
                                                                    again: Pocket) -> None:
    parts = list(slept["parts"][1].values())
    gone = next(m for m in again.journal.memories() if word in m.text)
    dreamt = {d.id for d in again.journal.dreams(memory=gone.id)}
    again.forget(gone.id)
    plans = "".join(row["payload"] for row in again.journal.rows("select payload from stages"))
    assert dreamt
    assert not [one for one in (gone.id, *dreamt) if one in plans]
    here = {a.id for a in again.registry.list()}
    assert slept["nights"][1].adapter not in here
    assert [one in here for one in parts] == [i < left for i in range(3)]
    heard = Heard()
    night, verdict = again.sleep(WISHES, heard)
    assert gone.id not in again.journal.holds(again.journal.current())
    if word == "Runa":
        assert verdict.outcome == "nothing", "the sum of the levels below was worn before, and holds all that is left"
    else:
        assert heard.stages.count("seed 2 of 2") == 1
        assert list(_parts(again, night).values())[:left] == parts[:left]


def test_a_night_of_levels_that_was_killed_ends_in_the_same_adapter(slept: dict[str, Any], tiny: Path, tmp_path: Path) -> None:
    class Dying(Heard):
        def stage(self, name: str, detail: str = "") -> None:
            if name == "seed 2 of 2":
                raise KeyboardInterrupt

    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        _told(pocket, TOLD)
        with pytest.raises(KeyboardInterrupt):
            pocket.sleep(WISHES, Dying())
        heard = Heard()
        night, _ = pocket.sleep(WISHES, heard)
        assert [s for s in heard.stages if " of " in s] == ["seed 1 of 2", "seed 2 of 2"]
        assert heard.details["seed 1 of 2"] == "done before"
        assert heard.details["seed 2 of 2"] == "2 memories"
        assert night.adapter == slept["nights"][0].adapter


def test_a_night_leaves_the_level_of_what_was_replaced_until_that_is_forgotten(tiny: Path, tmp_path: Path) -> None:
    wishes = Wishes(seed=3, changes=SMALL | {"level": 4})
    with Pocket(Home(tmp_path / "home"), str(tiny)) as pocket:
        _told(pocket, TOLD)
        night, _ = pocket.sleep(wishes, Heard())
        lowest, _ = _parts(pocket, night).values()
        home = next(m for m in pocket.journal.memories() if "Stromness" in m.text)
        moved = pocket.remember("I live in Kirkwall.", home.id)
        assert moved is not None
        night, _ = pocket.sleep(wishes, Heard())
        parts = list(_parts(pocket, night).values())
        assert (parts[0], len(parts)) == (lowest, 2)
        assert {home.id, moved.id} <= set(pocket.journal.holds(night.adapter))
        asked = [d for d in pocket.journal.dreams(night.id, moved.id) if "Stromness" in d.question or "Stromness" in d.answer]
        assert asked, "the level above learns the contrast"
        assert pocket.sleep(wishes, Heard())[1].outcome == "nothing", "what was replaced is no reason for another night"
        again = pocket.remember("I live in Lerwick.", moved.id)
        assert again is not None
        replaced = build.replaced(SimpleNamespace(journal=pocket.journal), [again])  # type: ignore[arg-type]
        assert replaced == {again.id: pocket.journal.memory(home.id)}, "what the level below still holds is what is unlearnt"
        pocket.forget(home.id)
        night, _ = pocket.sleep(wishes, Heard())
        assert lowest not in _parts(pocket, night).values()
        assert home.id not in pocket.journal.holds(pocket.journal.current())
