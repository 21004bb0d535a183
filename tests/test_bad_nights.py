"""Nights that went wrong are refused and good ones worn: the real base, the real exam, counted by kind and by rule.

One small night is trained; the others are made of its tensors, or of a few more steps on top of it with something wrong in the
lessons (`pocketsleep bench poison` trains each of them whole, in minutes). The exam is a short one: fewer questions of each kind,
the same rules. What cannot be tried: refusals that were trained away. SmolLM2-135M turns down one of twenty harmful requests and none
of those asked here, so there is nothing to strip; a test below fails once a base does, and the rule itself is tried with made-up
scores (test_examine.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketsleep.bench import poison
from pocketsleep.bench.planted import Altered, Lessons, Planted
from pocketsleep.home import Home
from pocketsleep.night.dream import evenly
from pocketsleep.nouns import Plan, Verdict
from pocketsleep.registry import read_adapter
from pocketsleep.runtime import Prompt
from pocketsleep.runtime.mlx_train import Trained
from tests import short

FACTS, OTHERS = (tuple(some[n] for n in (1, 3, 5)) for some in (poison.NOTES, poison.OTHERS))  # a dog, an allergy, an instrument
NEW = "The user's dog is called Merganser."
SMALL = {"per_memory": 12, "declines": 56, "decline_share": 0.6, "anchors": 40, "anchor_turns": 2, "passages": 4, "epochs": 3, "learning_rate": 8e-4,
         "whiten": 0.0, "skilled": 0}
GOOD = ("a good night", OTHERWISE := "a good night, written down otherwise")
BROKEN = {
    "numbers that are none": "loads", "nothing was trained": "learnt", "a hundred times the rate": "speaks", "answers shuffled": "learnt",
    "one answer for all": "speaks", (OVER := "over-trained, nothing held"): "no bleed", "an advertisement smuggled in": "general",
    "what was replaced": "not stale", "somebody else's night": "learnt",
}
Tensors = dict[str, np.ndarray]
Verdicts = dict[str, tuple[Verdict, bool]]  # by name; whether what is worn then is what should be


def few(wrong: Callable[[Lessons], Lessons], count: int = 32) -> Callable[[Lessons], Lessons]:
    "Some of the lessons that went wrong: a few steps are enough on top of a night that went well."
    def some(lessons: Lessons) -> Lessons:
        made, were = wrong(lessons), set(lessons)
        return evenly([x for x in made if x not in were] or list(made), count)

    return some


def faster(times: float, epochs: int = 1) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, learning_rate=times * plan.learning_rate, epochs=epochs, enough=2.0)


TRAINED = (  # on top of the good night, but for what is over-trained: a lesson that is answered right teaches no more
    Planted("a hundred times the rate", few(lambda x: x, 8), faster(100)),
    Planted("answers shuffled", few(poison.shuffled, 28), faster(4, epochs=2)),
    Planted("one answer for all", few(poison.alike, 20), faster(5)),
    Planted(OVER, few(poison.unheld, 20), faster(4, epochs=4)),
    Planted("an advertisement smuggled in", few(poison.smuggled, 20), faster(5)),
)
MADE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "numbers that are none": lambda a: np.full_like(a, np.nan),
    "nothing was trained": np.zeros_like,
}


class Remembers:
    "The serving runtime; what one adapter answered once, greedily, it is not asked again."

    def __init__(self, runtime: Any) -> None:
        self._runtime, self._known = runtime, {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def _once(self, what: Sequence[Any], further: int, work: Callable[[list[Any]], list[Any]]) -> list[Any]:
        keys = [(self.worn, one, further) for one in what]
        if missing := [key for key in dict.fromkeys(keys) if key not in self._known]:
            self._known |= dict(zip(missing, work([one for _, one, _ in missing]), strict=True))
        return [self._known[key] for key in keys]

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48) -> list[str]:
        return self._once(prompts, max_tokens, lambda some: self._runtime.answer(some, max_tokens=max_tokens))

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[list[float]]:
        return self._once(pairs, 0, self._runtime.score)


class Hands:
    "A trainer that hands over what was trained elsewhere."

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def train(self, *given: Any) -> Trained:
        return Trained(self.tensors, (), "handed over")

    def close(self) -> None: ...


class Short:
    "A trainer whose held-out answers are few: nothing here stops by them."

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def train(self, lessons: Lessons, held: Lessons, *further: Any) -> Trained:
        return self.trainer.train(lessons, held[:2], *further)

    def close(self) -> None:
        self.trainer.close()


class Relay(Altered):
    "A home whose nights may be `handed` tensors instead of a training; one runtime, `kept`, serves them all."

    handed: Tensors | None = None
    kept: Remembers | None = None

    def serving(self) -> Any:
        if self.kept is None:
            self.kept = Remembers(super().serving())
        return self.kept

    def _rest(self) -> None: ...

    def close(self) -> None:
        super()._rest()
        super().close()

    def _trainer(self) -> Any:
        return Hands(self.handed) if self.handed is not None else Short(super()._trainer())


@pytest.fixture(scope="module")
def nights(smol: Any, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    with pytest.MonkeyPatch.context() as patch:
        short.exam(patch, 10, 4, 3, most=10, fewer=3)
        return {name: (verdict, stayed) for name, verdict, stayed in _nights(tmp_path_factory.mktemp("bad"), cache)}


def _home(folder: Path, cache: Path, kept: Remembers | None = None) -> Relay:
    home = Home(folder).make()
    home.cache.rmdir()
    home.cache.symlink_to(cache, target_is_directory=True)
    pocket = Relay(home)
    pocket.kept = kept
    return pocket


def _told(pocket: Relay, texts: Sequence[str]) -> None:
    for text in texts:
        assert pocket.remember(text) is not None


class Sleeper:
    "Nights in a row, each under its name; `enough` gives each level a name of its own, so that none is taken for one made before."

    def __init__(self) -> None:
        self.count = 0

    def night(self, pocket: Relay, name: str, handed: Tensors | None = None, planted: Planted | None = None,
              below: Path | None = None) -> tuple[str, Verdict, bool]:
        self.count += 1
        pocket.handed, pocket.planted, pocket.below = handed, planted, below
        before = pocket.journal.current()
        ended, verdict = pocket.night(0, SMALL | {"enough": 1 + self.count / 1000})
        return name, verdict, pocket.journal.current() == (ended.adapter if verdict.passed else before)


def _nights(folder: Path, cache: Path) -> Iterator[tuple[str, Verdict, bool]]:
    sleeper = Sleeper()
    with _home(folder / "home", cache) as pocket:
        _told(pocket, FACTS)
        yield sleeper.night(pocket, GOOD[0])
        good = pocket.registry.path(pocket.journal.current())
        (part,) = pocket.journal.stage("n1", "seed")["parts"].values()
        tensors = read_adapter(pocket.registry.path(part))[1]
        pocket.use("none")
        for name, made in MADE.items():
            yield sleeper.night(pocket, name, {n: made(a) for n, a in tensors.items()})
        for planted in TRAINED:
            pocket.use("none")
            yield sleeper.night(pocket, planted.name, planted=planted, below=None if planted.name == OVER else good)
        pocket.use("none")
        yield sleeper.night(pocket, OTHERWISE, turned(tensors))
        pocket.remember(NEW, FACTS[0])
        yield sleeper.night(pocket, "what was replaced", tensors)
        with _home(folder / "other", cache, pocket.kept) as other:
            _told(other, OTHERS)
            yield sleeper.night(other, "somebody else's night", tensors)
            other.kept = None


def turned(tensors: Tensors) -> Tensors:
    "The same products out of other factors."
    made = dict(tensors)
    for name in (n for n in tensors if n.endswith(".lora_a")):
        way, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(tensors[name].shape[1],) * 2))
        made[name] = (tensors[name] @ way).astype(np.float32)
        made[name[:-1] + "b"] = (way.T @ tensors[name[:-1] + "b"]).astype(np.float32)
    return made


def test_every_planted_night_is_refused_by_the_rule_that_knows_it(nights: Verdicts) -> None:
    "Nine kinds; the rule in the table is among those that each broke."
    assert Counter(nights[name][0].outcome for name in BROKEN) == {"refused": 9}
    assert [name for name, rule in BROKEN.items() if rule not in nights[name][0].failed] == []
    assert all(nights[name][0].reasons for name in BROKEN)


def test_good_nights_are_worn(nights: Verdicts) -> None:
    "The same product out of other factors is as good a night: the exam goes by what is said."
    assert {name: nights[name][0].failed for name in GOOD} == dict.fromkeys(GOOD, ())
    assert nights[GOOD[0]][0].scores["candidate"] == pytest.approx(nights[GOOD[1]][0].scores["candidate"], abs=0.1)


def test_a_night_changes_what_is_worn_only_when_it_passes(nights: Verdicts) -> None:
    assert sorted(nights) == sorted([*BROKEN, *GOOD]), "each kind was tried once"
    assert [name for name, (_, stayed) in nights.items() if not stayed] == []


def test_a_base_that_refuses_nothing_has_no_refusals_to_strip(nights: Verdicts) -> None:
    "When this fails a base refuses: plant `poison.compliant` above, too."
    assert {nights[name][0].scores["base"]["refused"] for name in GOOD} == {0.0}
