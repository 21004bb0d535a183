"""A talk that is longer than the window: without memory layers its oldest messages leave, with them a nap goes over these first."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from pocketsleep import cards, disk, weights
from pocketsleep.cli import care
from pocketsleep.cli.watch import Watch
from pocketsleep.errors import AdapterError, BadInput, MissingPart, ModelError, NotFound
from pocketsleep.fastweights.layer import Shape
from pocketsleep.fastweights.memory import MemoryLayers, Remembering
from pocketsleep.fastweights.states import Kept, Past, States
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.night import rules
from pocketsleep.nouns import Episode, Memory, Message, Sampling, Turn
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.runtime import pick
from pocketsleep.runtime.llamacpp import LlamaCpp
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.runtime.text import TooLong
from pocketsleep.serve.day import Day
from pocketsleep.serve.page_chat import _Asked, _Chat
from pocketsleep.serve.window import Window
from pocketsleep.weights import Base
from tests import short

SHORT = Sampling(max_tokens=6)
WINDOW, CHUNK = 256, 100
SMALL = Wishes(seed=3, changes={"epochs": 1, "anchors": 4, "passages": 2, "declines": 4, "per_memory": 4, "rank": 4, "enough": 1.1})
SAID = "Message {n}: my {n}th lighthouse stands on a rock that is called Skerry {n}, and its keeper paints the door blue every spring."


@dataclass
class Watching:
    "Counts what it is told, and stops a nap at a share of it."

    stop_at: float = 2.0
    told: list[Window] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    at_once: Callable[[], None] = lambda: None

    def napping(self, messages: int, share: float) -> None:
        self.shares.append(share)
        self.at_once()

    def opened(self, window: Window) -> None:
        self.told.append(window)

    def cancelled(self) -> bool:
        return bool(self.shares) and self.shares[-1] >= self.stop_at


def layers_for(base: Base, width: int, seed: int = 0, reads: bool = True) -> MemoryLayers:
    "Layers that were trained on nothing, and change what is said if they `read`."
    deep = base.layers
    made = MemoryLayers.new([Shape(deep // 2, (deep // 2,), width, 2, 8, 8), Shape(deep, (1, deep - 1), width, 1, 8, 8)], base.sha256, seed)
    made.recipe = {"chunk": CHUNK, "passes": 2}
    for i, layer in enumerate(made.layers if reads else ()):
        layer.out = mx.random.normal(layer.out.shape, key=mx.random.key(40 + i)) * 2
    return made


@pytest.fixture(scope="module")
def tiny(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    "With a short context of its own, so that a talk fills it soon."
    folder = tmp_path_factory.mktemp("short") / "base"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": WINDOW}), "utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Base:
    return weights.open_base(cards.find(str(tiny)), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def file(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layers") / "base.safetensors"
    layers_for(base, 64).save(path)
    return path


@pytest.fixture(scope="module")
def napping(base: Base, file: Path) -> Mlx:
    "A tiny random model with memory layers."
    made = Mlx(base.card, base)
    made.remember(file)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as made:
        yield made


@pytest.fixture
def states(tmp_path: Path) -> States:
    return States(tmp_path / "states")


def day_of(journal: Journal, runtime: Any, states: States | None = None) -> Day:
    return Day(journal, runtime, lambda name: Path(name), states=states)


@dataclass
class Talk:
    "One conversation, gone on with as a client does: all of it each time."

    day: Day
    name: str = "talk"
    messages: list[Message] = field(default_factory=list)
    private: bool = False

    def say(self, text: str) -> str:
        self.messages.append(Message("user", text))
        answer = "".join(self.day.reply(self.messages, SHORT, conversation=self.name, private=self.private))
        self.messages.append(Message("assistant", answer))
        return answer

    def until(self, leaving: Callable[[Window], bool], most: int = 60) -> Window:
        "Talk on until a window is as wished."
        for _ in range(most):
            self.say(SAID.format(n=len(self.messages)))
            if leaving(self.day.window):
                return self.day.window
        raise AssertionError("it never came to that")


def left(window: Window) -> bool:
    return window.leaving > 0


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(np.array(x), np.array(y)) for x, y in zip(a.tensors, b.tensors, strict=True))


# Without memory layers


@pytest.fixture(scope="module")
def small(smol: Base) -> Iterator[LlamaCpp]:
    made = LlamaCpp(smol.card, smol, threads=1, context=WINDOW)
    yield made
    made.close()


def test_llamacpp_talks_on_when_the_window_is_full(small: LlamaCpp, journal: Journal) -> None:
    _talks_on(day_of(journal, small), journal)


def test_mlx_talks_on_when_the_window_is_full(base: Base, journal: Journal) -> None:
    _talks_on(day_of(journal, Mlx(base.card, base)), journal)


def _talks_on(day: Day, journal: Journal) -> None:
    day.watch = watch = Watching()
    talk = Talk(day)
    first = talk.until(left)
    assert first.messages[0].role == "user"
    assert first.messages == tuple(talk.messages[:-1])[-len(first.messages) :]
    assert (first.napped, first.seconds, first.state) == (False, 0.0, None)
    assert day.runtime.free(first.messages) >= WINDOW // 2  # type: ignore[attr-defined]
    talk.say("Go on.")
    assert (day.window.left, day.window.leaving) == (first.left, 0), "they left again"
    again = talk.until(left)
    assert again.left > first.left
    assert watch.shares == []
    assert len(journal.episode("talk").turns) == len(talk.messages), "the journal keeps what the window does not"


def test_what_fits_is_asked_as_before(base: Base, journal: Journal, file: Path, states: States) -> None:
    "To the letter, with a system message and without, with layers that have written nothing and without any."
    bare, layered = Mlx(base.card, base), Mlx(base.card, base)
    layered.remember(file)
    prompts = [[Message("user", "Name three colours.")],
               [Message("system", "Be brief."), Message("user", "Hello."), Message("assistant", "Yes?"), Message("user", "Name one.")]]
    for prompt in prompts:
        said = "".join(bare.chat(prompt, SHORT))
        for runtime in (bare, layered):
            day = day_of(journal, runtime, states)
            assert "".join(day.speak(prompt, SHORT)) == said
            assert (day.window.messages, day.window.left, day.window.state) == (tuple(prompt), 0, None)
    assert states.files() == []


def test_a_runtime_that_knows_no_window_is_asked_as_before(journal: Journal) -> None:
    runtime = Scripted("Yes.")
    many = [Message("user", "word " * 9000)]
    assert "".join(day_of(journal, runtime).speak(many, SHORT)) == "Yes."
    assert runtime.heard == [tuple(many)]


def test_one_message_that_does_not_fit_is_told(small: LlamaCpp, journal: Journal) -> None:
    day = day_of(journal, small)
    with pytest.raises(TooLong):
        list(day.reply([*long_talk(4), Message("user", "word " * 300)], SHORT))
    assert journal.episodes() == []


@pytest.mark.parametrize("layers", [False, True])
def test_a_message_that_is_too_long_takes_no_other_with_it(base: Base, napping: Mlx, journal: Journal, states: States, layers: bool) -> None:
    "What was said before is read again with the next that fits."
    day = day_of(journal, napping if layers else Mlx(base.card, base), states)
    said = [*long_talk(2), Message("user", "Hello."), Message("assistant", "Yes?")]
    with pytest.raises(TooLong, match="by itself, the window holds 256") as told:
        list(day.reply([*said, Message("user", "word " * 300)], SHORT, conversation="talk"))
    assert told.value.hint
    list(day.reply([*said, Message("user", "Go on.")], SHORT, conversation="talk"))
    assert (day.window.left, len(day.window.messages), states.files()) == (0, 5, [])


def test_a_note_does_not_push_a_talk_out_of_its_window(base: Base, journal: Journal) -> None:
    "One token more or less: where there is no room for it the note stays out, and the answer is given."
    journal.learn(Memory("The user's dog is called Biscuit."))
    day, noted = day_of(journal, Mlx(base.card, base)), []
    for n in range(100, 128):
        said = [Message("user", "word " * n), Message("assistant", "Yes."), Message("user", "My dog Biscuit is called to dinner.")]
        assert "".join(day.speak([*long_talk(2), *said], SHORT))
        noted.append((day.window.left, bool(day.receipt.notes)))
    assert noted == sorted(noted, key=lambda one: (one[0], not one[1]))
    assert {(0, True), (0, False)} <= set(noted)


def long_talk(n: int) -> list[Message]:
    return [Message("assistant" if i % 2 else "user", SAID.format(n=i)) for i in range(n)]


def test_a_system_message_stays_and_a_tools_answer_is_not_torn_off(base: Base, journal: Journal) -> None:
    day = day_of(journal, Mlx(base.card, base))
    head = Message("system", "You keep a lighthouse.")
    asked = [head, *long_talk(8), Message("user", "How is the weather?"), Message("assistant", "", calls='[{"name": "w", "arguments": {}}]'),
             Message("tool", "Sunny.")]
    list(day.speak(asked, SHORT))
    assert day.window.messages[0] == head
    assert day.window.messages[-3:] == tuple(asked[-3:])
    assert day.window.messages[1].role == "user"
    assert day.window.left > 0


def test_another_telling_of_a_conversation_begins_anew(base: Base, journal: Journal) -> None:
    day = day_of(journal, Mlx(base.card, base))
    talk = Talk(day)
    talk.until(left)
    list(day.speak([Message("user", "Something else."), Message("assistant", "Yes?"), Message("user", "Hello.")], SHORT, conversation="talk"))
    assert day.window.left == 0


# With memory layers


def test_three_fills_at_constant_size(napping: Mlx, journal: Journal, states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = Remembering.make_cache
    monkeypatch.setattr(Remembering, "make_cache", lambda self: made.append(make(self)) or made[-1])
    day = day_of(journal, napping, states)
    day.watch = watch = Watching()
    talk, sizes, tokens = Talk(day), [], []
    for _ in range(3):
        window = talk.until(left)
        (path,) = states.files()
        sizes.append((path.stat().st_size // 64, sum(t.nbytes for t in window.state.tensors)))
        tokens.append(window.state.tokens)
        assert window.napped
        assert window.seconds > 0
        assert window.why == ""
    talk.until(lambda window: len(made) > 6)
    assert len(set(sizes)) == 1, sizes
    assert tokens[0] < tokens[1] < tokens[2]
    assert max(cache[0].offset for cache in made) <= WINDOW
    assert watch.shares[-1] == 1.0
    assert sum(w.leaving for w in watch.told) == day.window.left
    assert napping.memory is not None
    assert day.window.left > 3 * 2


def test_the_window_of_a_talk_is_the_engines_with_layers_and_without(base: Base, napping: Mlx, smol: Base) -> None:
    "Layers take nothing from what is read in full, the shipped ones neither; and no engine reads more than the base was made for."
    bare, shipped = Mlx(base.card, base), Mlx(smol.card, smol)
    assert (bare.window, napping.window) == (WINDOW, WINDOW)
    before = shipped.window
    shipped.remember(cards.memory_layers("smollm2-135m", Path("nowhere")))  # type: ignore[arg-type]
    assert before == shipped.window == signature(LlamaCpp).parameters["context"].default
    assert shipped.memory is not None
    assert shipped.memory.chunk < before // 2
    shipped.close()


def test_a_nap_goes_over_parts_no_longer_than_the_layers_know(napping: Mlx, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    "One after the other, all of it once, cut where turns begin; what a message has too many is cut as well."
    parts: list[list[int]] = []
    nap = Remembering.nap
    monkeypatch.setattr(Remembering, "nap", lambda self, tokens, *rest: parts.append(list(tokens)) or nap(self, tokens, *rest))
    long = [*long_talk(5), Message("assistant", "word " * 250)]
    shares: list[float] = []
    state = napping.nap(long, None, shares.append)
    ids = base.prompter.ids(long, generate=False)
    assert ids[-sum(map(len, parts)) :] == [token for part in parts for token in part]
    assert base.tokenizer.decode(parts[0]).startswith("Message 0")
    assert max(map(len, parts)) == CHUNK
    assert sum(part[0] == base.prompter.turn_start for part in parts) >= 2
    assert state is not None
    assert state.tokens == sum(map(len, parts))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    one = None
    for part in list(parts):
        one = napping.memory.layers.attach(napping.model).nap(part, one, 2)  # type: ignore[union-attr]
    assert same(one, state)


def test_the_state_is_read(napping: Mlx, journal: Journal, states: States) -> None:
    "The same window with the state and without answers otherwise; and the nap is over the words that left."
    talk = Talk(day_of(journal, napping, states))
    window = talk.until(left)
    assert "".join(napping.chat(window.messages, SHORT, window.state)) == talk.messages[-1].content
    assert "".join(napping.chat(window.messages, SHORT)) != talk.messages[-1].content
    gone = talk.messages[: window.left]
    assert same(napping.nap(gone), window.state)
    assert not same(napping.nap([Message("user", "x"), *gone[1:]]), window.state)


def test_a_nap_that_is_stopped_loses_nothing_that_was_kept(napping: Mlx, journal: Journal, states: States) -> None:
    day = day_of(journal, napping, states)
    talk = Talk(day)
    before = talk.until(left)
    day.watch = watch = Watching(stop_at=0.5)
    stopped = talk.until(left)
    assert watch.shares[-1] < 1.0
    assert (stopped.napped, stopped.why) == (False, "the nap was stopped")
    assert same(stopped.state, before.state)
    assert stopped.left > before.left
    assert napping.free(stopped.messages) >= WINDOW // 2
    day.watch = Watching()
    talk.say("Go on.")
    assert (day.window.left, day.window.leaving) == (stopped.left, 0)
    after = talk.until(left)
    assert after.napped
    assert after.state.tokens > before.state.tokens
    first = Talk(day_of(journal, napping, States(states.folder / "other")), "first")
    first.day.watch = Watching(stop_at=0.1)
    assert first.until(left).state is None
    assert not first.day.states.files()  # type: ignore[union-attr]


def test_it_is_taken_up_again_from_disk(napping: Mlx, journal: Journal, states: States) -> None:
    "By another process, from what the journal has of it: no second nap, the same answer."
    talk = Talk(day_of(journal, napping, states))
    window = talk.until(left)
    kept = [Message(t.role, t.text) for t in journal.episode("talk").turns]
    again = Talk(day_of(journal, napping, States(states.folder)), messages=kept)
    again.day.watch = watch = Watching()
    expected = talk.say("What is the keeper called?")
    assert again.say("What is the keeper called?") == expected
    assert (again.day.window.left, watch.shares) == (window.left, [])
    assert same(again.day.window.state, window.state)


def test_other_layers_refuse_it_and_read_anew(napping: Mlx, base: Base, journal: Journal, states: States, tmp_path: Path) -> None:
    talk = Talk(day_of(journal, napping, states))
    talk.until(left)
    layers_for(base, 64, seed=9).save(tmp_path / "other.safetensors")
    other = Mlx(base.card, base)
    other.remember(tmp_path / "other.safetensors")
    again = Talk(day_of(journal, other, states), messages=list(talk.messages))
    again.say("What is the keeper called?")
    assert "other layers" in again.day.window.why
    assert again.day.window.napped
    again.say("And now?")
    assert again.day.window.why == ""
    with pytest.raises(AdapterError, match="other layers") as told:
        states.load("talk", base.sha256, napping.memory.sha256)  # type: ignore[union-attr]
    assert told.value.hint


def test_layers_of_another_base_are_refused(base: Base, tmp_path: Path) -> None:
    made = layers_for(base, 64)
    runtime = Mlx(base.card, base)
    MemoryLayers(made.layers, "c" * 64, made.recipe).save(tmp_path / "foreign")
    made.recipe = {"chunk": 9}
    made.save(tmp_path / "narrow")
    MemoryLayers.new([Shape(9, (9,), 64, 1, 4, 4)], base.sha256).save(tmp_path / "deep")
    for name, error in (("foreign", AdapterError), ("narrow", BadInput), ("deep", ModelError)):
        with pytest.raises(error):
            runtime.remember(tmp_path / name)
    assert runtime.memory is None
    with pytest.raises(ModelError, match="no memory layers"):
        runtime.nap(long_talk(2))


# What must not be kept


def test_private_words_never_reach_the_disk(napping: Mlx, journal: Journal, states: States) -> None:
    talk = Talk(day_of(journal, napping, states), private=True)
    window = talk.until(left)
    assert window.napped
    assert states.files() == []
    talk.say("Go on.")
    assert same(talk.day.window.state, window.state)
    open_ = Talk(day_of(journal, napping, states), "open")
    open_.say("What is said here was not said off the record.")
    open_.until(left)
    assert len(states.files()) == 1
    open_.private = True  # from here on
    open_.say("This is between us.")
    assert states.files() == []


def test_what_becomes_private_on_another_engine_leaves_the_disk(napping: Mlx, base: Base, journal: Journal, states: States) -> None:
    "One without memory layers: it reads no state, and lets none lie."
    talk = Talk(day_of(journal, napping, states))
    talk.until(left)
    talk.day = day_of(journal, Mlx(base.card, base), states)
    talk.say("Go on.")
    assert len(states.files()) == 1
    talk.private = True
    talk.say("This is between us.")
    assert states.files() == []


def test_what_was_private_is_not_taken_up_by_what_is_not(napping: Mlx, journal: Journal, states: States) -> None:
    "Whether the journal knows it for private or has heard nothing of it."
    day, asked = day_of(journal, napping, states), [*long_talk(10), Message("user", "Go on.")]
    list(day.speak(asked, SHORT, conversation="talk", private=True))
    assert day.windows.plan(asked, SHORT, "talk", private=True).past.left > 0
    assert day.windows.plan(asked, SHORT, "talk").past == Past()
    answer = "".join(day.reply(asked, SHORT, conversation="talk", private=True))
    for asker in (day, day_of(journal, napping, states)):
        list(asker.speak([*asked, Message("assistant", answer), *long_talk(6), Message("user", "And now?")], SHORT, conversation="talk"))
        assert asker.window.napped
        assert states.files() == []


def test_what_becomes_private_while_a_nap_runs_stays_off_the_disk(napping: Mlx, journal: Journal, states: States) -> None:
    day = day_of(journal, napping, states)
    day.watch = watch = Watching()
    turns = tuple(Turn(m.role, m.content) for m in long_talk(10))
    watch.at_once = lambda: journal.record(Episode("talk", turns, private=True)) and None
    list(day.speak([*long_talk(10), Message("user", "Go on.")], SHORT, conversation="talk"))
    assert day.window.napped
    assert states.files() == []


def test_a_private_nap_reads_no_secrets(napping: Mlx, journal: Journal, states: States) -> None:
    day, said = day_of(journal, napping, states), Message("user", "My password is hunter2-Tz9!x.")
    plan = day.windows.plan([said, *long_talk(9), Message("user", "Is hunter2-Tz9!x good?"), *long_talk(5)], SHORT, "talk", private=True)
    read = [m.content for m in day.windows._readable(plan)]
    assert read[0] == "My password is [secret: password]."
    assert len(read) == plan.leaving
    assert "hunter2" not in " ".join(read)


def test_of_what_nobody_may_read_no_state_is_kept(napping: Mlx, journal: Journal, states: States) -> None:
    journal.exclude("pattern", "lighthouse")
    day = day_of(journal, napping, states)
    list(day.reply([*long_talk(10), Message("user", "Go on.")], SHORT, conversation="talk"))
    assert day.window.leaving > 0
    assert (day.window.napped, day.window.state, day.window.why) == (False, None, "none of it may be read again")
    assert states.files() == []


def test_a_talk_whose_beginning_has_slept_is_napped_over_whole(napping: Mlx, journal: Journal, states: States) -> None:
    "Gone on with under another id, and edited after a night."
    asked = [*long_talk(10), Message("user", "Go on.")]
    for before in (4, 11):
        turns = tuple(Turn(m.role, m.content, said_at="2026-01-01") for m in asked[:before])
        journal.record(Episode(f"yesterday {before}", turns, "2026-01-01"))
        with journal.atomic():
            for row in journal.rows("select * from turns"):
                journal.put("turns", row | {"slept": 1})
        day = day_of(journal, napping, states)
        plan = day.windows.plan(asked, SHORT, f"today {before}")
        assert plan.leaving > 4
        assert [m.content for m in day.windows._readable(plan)] == [m.content for m in asked[: plan.leaving]]
    edited = [*asked[:4], Message("user", "Something else."), *asked[5:]]
    list(day.reply(edited, SHORT, conversation="yesterday 11"))
    assert day.window.napped


def test_rules_in_the_middle_of_a_talk_are_napped_over_as_well(napping: Mlx, journal: Journal, states: States) -> None:
    "The journal keeps none of the system's messages, so it has no place for them."
    journal.exclude("pattern", "falcon*")
    day, rules = day_of(journal, napping, states), [Message("system", "Be brief."), Message("system", "Say Falcon.")]
    plan = day.windows.plan([*long_talk(2), *rules, *long_talk(8), Message("user", "Go on.")], SHORT, "talk")
    read = day.windows._readable(plan)
    assert [m.role for m in read[:4]] == ["user", "assistant", "system", "user"]
    assert len(read) == plan.leaving - 1


def test_what_is_not_recorded_leaves_nothing_on_disk(napping: Mlx, journal: Journal, states: States) -> None:
    day = day_of(journal, napping, states)
    asked = [*long_talk(10), Message("user", "Go on.")]
    for naps in (True, False):
        list(day.speak(asked, SHORT))
        assert (day.window.napped, day.window.state is not None) == (naps, True)
    assert states.files() == []


@pytest.mark.parametrize("known", [0, 2])
def test_what_left_is_on_disk_once_the_answer_is_recorded(napping: Mlx, journal: Journal, states: States, known: int) -> None:
    "One that is broken off is not recorded. Asked again there is no second nap."
    asked = [*long_talk(10), Message("user", "Go on.")]
    if known:
        journal.record(Episode("talk", tuple(Turn(m.role, m.content) for m in asked[:known])))
    day = day_of(journal, napping, states)
    answer = day.reply(asked, SHORT, conversation="talk")
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert (day.window.napped, states.files()) == (True, [])
    list(day.reply(asked, SHORT, conversation="talk"))
    assert (day.window.napped, len(states.files())) == (False, 1)
    again = day_of(journal, napping, States(states.folder))
    assert again.windows.plan(asked, SHORT, "talk").past.left == day.window.left


def test_secrets_and_hidden_words_are_left_out(napping: Mlx, journal: Journal, states: States) -> None:
    journal.exclude("pattern", "project falcon*")
    said = ["My password is hunter2-Tz9!x.", "I see.", "We talk about Project Falcon today.", "Do we?", "I keep bees.", "How nice."]
    turns = [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(said)]
    day = day_of(journal, napping, states)
    plan = day.windows.plan([*turns, *long_talk(8), Message("user", "Go on.")], SHORT, "talk")
    read = [m.content for m in day.windows._readable(plan)]
    assert read[0].startswith("My password is [secret")
    assert "hunter2" not in " ".join(read)
    assert not any("Falcon" in text or text == "Do we?" for text in read)
    assert "I keep bees." in read
    assert journal.episodes() == [], "asking the journal wrote into it"


def test_what_is_cleared_while_a_nap_runs_is_not_kept(napping: Mlx, journal: Journal, states: States) -> None:
    day = day_of(journal, napping, states)
    day.watch = watch = Watching()
    talk = Talk(day)
    watch.at_once = lambda: states.clear() and None
    assert talk.until(left).napped
    assert states.files() == []
    watch.at_once = lambda: None
    talk.say("Go on.")
    assert day.window.napped, "what was cleared was not read anew"
    assert len(states.files()) == 1


def test_states_held_in_memory_go_with_those_on_disk(napping: Mlx, journal: Journal, states: States) -> None:
    talk = Talk(day_of(journal, napping, states), private=True)
    talk.until(left)
    States(states.folder).clear()  # by another process
    talk.say("Go on.")
    assert talk.day.window.napped


def test_clearing_leaves_what_is_not_meant_and_takes_what_is_torn(napping: Mlx, states: States) -> None:
    state = napping.nap(long_talk(2))
    for name in ("one", "two", "torn"):
        assert states.keep(name, Past(2, "b2-x", state), states.age())
    states.path("torn").write_bytes(b"not a state")
    age = states.age()
    assert states.clear(lambda kept: kept.conversation == "one") == 2
    assert [kept.conversation for kept in states.kept() if isinstance(kept, Kept)] == ["two"]
    assert not states.keep("one", Past(2, "b2-x", state), age)
    assert states.clear() == 1


def torn_write(states: States, name: str) -> Path:
    "What is left of a write that was killed before it was published."
    left = disk._draft_of(states.path(name))
    shutil.copy(states.path(name), left)
    return left


def test_what_a_killed_write_leaves_is_told_and_deleted(napping: Mlx, states: States) -> None:
    state = napping.nap(long_talk(2))
    for name in ("one", "two"):
        states.keep(name, Past(2, "b2-x", state), states.age())
    one, two = torn_write(states, "one"), torn_write(states, "two")
    assert [found[0] for found in states.kept() if not isinstance(found, Kept)] == sorted([one, two])
    states.drop("one")
    assert (one.exists(), two.exists(), states.files()) == (False, True, [states.path("two")])
    with states._alone():
        States(states.folder).sweep()
        assert two.exists(), "another process was writing just then"
    states.sweep()
    assert (two.exists(), states.files()) == (False, [states.path("two")])
    two = torn_write(states, "two")
    assert states.clear(lambda kept: False) == 0
    assert not two.exists()


def test_a_state_has_the_journals_name_for_its_conversation(napping: Mlx, journal: Journal, states: States) -> None:
    "Without the secrets in it; an edited talk has its own as soon as that is known."
    asked = [*long_talk(10), Message("user", "Go on.")]
    for name in (" talk ", "ticket password: hunter2-Tz9!x"):
        list(day_of(journal, napping, states).reply(asked, SHORT, conversation=name))
    names = {"talk", "ticket password: [secret: password]"}
    assert {kept.conversation for kept in states.kept() if isinstance(kept, Kept)} == names == {e.id for e in journal.episodes()}
    edited = Talk(day_of(journal, napping, states), "talk", [Message("user", "Something else."), *asked[1:-1]])
    edited.say("Go on.")
    assert edited.day.window.napped
    gone = edited.day.window.left
    assert edited.day.windows.plan(asked, SHORT, "talk").past.left > 0, "what is held of the edited talk hides what is kept of the first"
    edited.say("Further.")
    assert edited.day.window.left >= gone
    edited.until(left)
    (other,) = {e.id for e in journal.episodes()} - names
    assert other.startswith("talk~")
    assert {kept.conversation for kept in states.kept() if isinstance(kept, Kept)} == {*names, other}


def test_a_talk_edited_in_the_page_is_napped_over_once(napping: Mlx, journal: Journal, states: States) -> None:
    "It goes on under a new name, and what left before it had that is found under it."
    journal.record(Episode("c-long", tuple(Turn(m.role, m.content) for m in long_talk(10))))
    day, chat = day_of(journal, napping, states), _Chat(SimpleNamespace(journal=journal))  # type: ignore[arg-type]
    name, said, gone = "c-long", [m.content for m in long_talk(8)], 0
    for text in ("Edited.", "Go on."):
        *events, end = chat._answer(day, _Asked(name, tuple(said), text, False, False, True, "t"), threading.Event())
        assert day.window.left - day.window.leaving == gone
        assert [kept.conversation for kept in states.kept() if isinstance(kept, Kept)] == [end["conversation"]]
        name, gone = end["conversation"], day.window.left
        said += [text, "".join(event.get("piece", "") for event in events)]
    assert name.startswith("c-long~")
    assert gone


def test_a_write_that_fails_leaves_the_old_state(napping: Mlx, states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = napping.nap(long_talk(2)), napping.nap(long_talk(4))
    states.keep("talk", Past(2, "b2-x", old), states.age())
    monkeypatch.setattr("os.replace", _full)
    with pytest.raises(OSError, match="full"):
        states.keep("talk", Past(4, "b2-y", new), states.age())
    assert napping.memory is not None
    back = states.load("talk", napping.base.sha256, napping.memory.sha256)
    assert back is not None
    assert (back.left, back.stem) == (2, "b2-x")
    assert same(back.state, old)
    assert len(list(states.folder.iterdir())) == 3  # the state, its lock and its age


def _full(*paths: Any) -> None:
    raise OSError(28, "disk full")


# In a home


@pytest.fixture
def pocket(tiny: Path, base: Base, tmp_path: Path) -> Iterator[Pocket]:
    home = Home(tmp_path / "home").make()
    layers_for(base, 64).save(home.layers / f"{tiny.name}.safetensors")
    with Pocket(home, str(tiny)) as made:
        yield made


def test_a_home_has_its_own_layers_and_forgetting_clears_what_they_hold(pocket: Pocket) -> None:
    assert pocket.serving().memory is not None  # type: ignore[attr-defined]
    assert pocket.unremembered == ""
    Talk(pocket.day()).until(left)
    Talk(pocket.day(), "other").until(left)
    assert (len(pocket.states.files()), care.strange_states(pocket)) == (2, [])
    pocket.forget("other")
    assert pocket.states.files() == []
    Talk(pocket.day(), "third").until(left)
    pocket.exclude("conversation", "talk")
    assert pocket.states.files() == []


def test_a_nap_in_the_middle_of_forgetting_leaves_nothing(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    pocket.remember("My dog is called Biscuit.")
    talk, forget = Talk(pocket.day()), pocket.journal.forget
    (memory,) = pocket.journal.memories()

    def meanwhile(target: str) -> Any:
        talk.until(left)
        assert pocket.states.files()
        return forget(target)

    monkeypatch.setattr(pocket.journal, "forget", meanwhile)
    pocket.forget(memory.id)
    assert pocket.states.files() == []


def test_hiding_that_is_cut_short_leaves_no_state(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    "Killed as soon as the journal has it. What cannot be hidden takes nothing with it."
    Talk(pocket.day()).until(left)
    exclude = pocket.journal.exclude

    def killed(kind: str, value: str) -> Any:
        exclude(kind, value)
        raise KeyboardInterrupt

    with pytest.raises(NotFound):
        pocket.exclude("conversation", "nobody")
    assert len(pocket.states.files()) == 1
    monkeypatch.setattr(pocket.journal, "exclude", killed)
    with pytest.raises(KeyboardInterrupt):
        pocket.exclude("pattern", "Message 0")
    assert pocket.states.files() == []


def test_the_night_that_is_worn_clears_what_has_slept(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    "And nothing else: a refused night leaves it, and so does a conversation of which something has not slept."
    short.exam(monkeypatch)
    assert pocket.remember("My dog is called Biscuit.") is not None
    window = Talk(pocket.day()).until(left)
    tell = _Silent()
    _, verdict = pocket.sleep(SMALL, tell)
    assert (verdict.outcome, len(pocket.states.files())) == ("refused", 1)
    finish = Journal.finish

    def said_meanwhile(self: Journal, night: str, name: str, payload: Any) -> Any:
        if name == "extract":
            self.record(Episode("later", tuple(Turn(m.role, m.content) for m in long_talk(4))))
        return finish(self, night, name, payload)

    monkeypatch.setattr(Journal, "finish", said_meanwhile)
    monkeypatch.setattr(rules, "RULES", ())
    assert pocket.states.keep("later", Past(2, "b2-x", window.state), pocket.states.age())
    assert pocket.remember("I live in Stromness.") is not None
    _, verdict = pocket.sleep(SMALL, tell)
    assert verdict.passed
    assert [kept.conversation for kept in pocket.states.kept() if isinstance(kept, Kept)] == ["later"]


class _Silent:
    def stage(self, name: str, detail: str = "") -> None: ...
    def progress(self, done: int, total: int, detail: str = "") -> None: ...


def test_verify_finds_states_that_are_torn_or_should_not_be_there(pocket: Pocket) -> None:
    window = Talk(pocket.day()).until(left)
    pocket.journal.record(Episode("hush", (Turn("user", "Between us."),), private=True))
    for name in ("hush", "nobody", "torn"):
        pocket.states.keep(name, Past(1, "b2-x", window.state), pocket.states.age())
    path = pocket.states.path("torn")
    path.write_bytes(path.read_bytes()[:-9])
    found = care.strange_states(pocket)
    assert len(found) == 3
    assert sum("private or gone" in one for one in found) == 2
    left_of_it = torn_write(pocket.states, "hush")
    assert sum("cut short" in one for one in care.strange_states(pocket)) == 1
    pocket.day()
    assert not left_of_it.exists()


def test_layers_that_do_not_fit_are_done_without(tiny: Path, base: Base, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    MemoryLayers(layers_for(base, 64).layers, "c" * 64).save(home.layers / f"{tiny.name}.safetensors")
    with Pocket(home, str(tiny)) as pocket:
        Talk(pocket.day()).say("Hello.")
        assert pocket.serving().memory is None  # type: ignore[attr-defined]
        assert "made for the base cccccccccccc" in pocket.unremembered
        assert pocket.states.files() == []


def test_an_engine_is_taken_by_name(smol: Base, base: Base) -> None:
    assert pick.serving(smol.card, smol, wanted="mlx").name == "mlx"
    assert pick.serving(smol.card, smol, wanted="llamacpp").name == "llamacpp"
    with pytest.raises(BadInput, match="no engine is called `mlxx`"):
        pick.serving(smol.card, smol, wanted="mlxx")
    with pytest.raises(MissingPart, match="not a GGUF file"):
        pick.serving(base.card, base, wanted="llamacpp")


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", "from pocketsleep.cli import main; main()", *words],
                          capture_output=True, text=True, input=given, check=True)


def test_a_long_talk_in_the_terminal(pocket: Pocket, tiny: Path) -> None:
    "Told on stderr once a nap; gone on with by another process, which needs none."
    said = "\n".join(SAID.format(n=n) for n in range(3))
    made = run("chat", "--base", str(tiny), given=said)
    assert "with memory layers" in made.stderr
    assert re.search(r"older messages left the window; a nap of \d+\.\d s went over them", made.stderr)
    again = json.loads(run("chat", "And now?", "--conversation", "last", "--base", str(tiny), "--json").stdout)
    (episode,) = pocket.journal.episodes()
    assert (again["conversation"], len(episode.turns)) == (episode.id, 8)
    assert again["window"]["left"] > 0
    told = json.loads(run("doctor", "--base", str(tiny), "--json").stdout)
    assert f"naps of 2 passes over at most {CHUNK} tokens at a time" in told["memory layers"]
    assert told["states"].startswith("1 conversation, ")
    assert told["naps"]
    assert json.loads(run("verify", "--json").stdout)["ok"]


def test_ctrl_c_stops_the_nap_from_its_first_moment_and_ends_the_talk_elsewhere() -> None:
    "Before the first part of a nap is done, too; where there is none the program ends, and no later than at the second time."
    watch, before = Watch(), signal.getsignal(signal.SIGINT)
    with watch.stoppable():
        signal.raise_signal(signal.SIGINT)
        watch.napping(3, 0.1)
        signal.raise_signal(signal.SIGINT)
        assert watch.cancelled()
        watch.opened(Window((), leaving=3))
        assert signal.getsignal(signal.SIGINT) == before
    for last in (lambda: watch.opened(Window(())), lambda: signal.raise_signal(signal.SIGINT)):
        with pytest.raises(KeyboardInterrupt), watch.stoppable():
            assert not watch.cancelled()
            signal.raise_signal(signal.SIGINT)
            last()
        assert signal.getsignal(signal.SIGINT) == before


# The real base


def test_the_default_base_over_three_windows(smol: Base, journal: Journal, states: States, tmp_path: Path) -> None:
    "New layers read as nothing: what is said is what the bare base says to the same window."
    layers_for(smol, 576, reads=False).save(tmp_path / "new.safetensors")
    runtime = Mlx(smol.card, smol, context=WINDOW)
    runtime.remember(tmp_path / "new.safetensors")
    talk, sizes = Talk(day_of(journal, runtime, states)), set()
    for _ in range(3):
        window = talk.until(left)
        sizes.add(sum(t.nbytes for t in window.state.tensors))
        assert window.napped
    assert float(mx.abs(window.state.tensors[0]).max()) > 0, "the naps wrote nothing"
    assert len(sizes) == 1
    runtime.memory = None
    assert "".join(runtime.chat(window.messages, SHORT)) == talk.messages[-1].content
    runtime.close()
