"""A day with the assistant: recall what the ledger holds, answer, record what was said.

Four arms, kept apart so that they can be measured apart: base (no adapter, no notes), weights (adapter
alone), recall (notes alone), both.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

import numpy as np

from pocketsleep.errors import AdapterError, NotFound
from pocketsleep.fastweights.states import States
from pocketsleep.journal import Journal
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Memory, Message, Sampling, Turn, content_id
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask, with_notes
from pocketsleep.serve.backing import UNKNOWN, Backed, declines, told_here
from pocketsleep.serve.notes import Notes
from pocketsleep.serve.recall import Index
from pocketsleep.serve.window import Unwatched, Watch, Window, Windows
from pocketsleep.weights import tools

Arm = Literal["base", "weights", "recall", "both"]
Source = Literal["", "weights", "memory"]  # neither; the adapter, and a note that says so; notes that stood in front
LOOKED_UP = 40  # tokens of an answer that is looked up
ARMS: tuple[Arm, ...] = ("base", "weights", "recall", "both")


class NoModel(NotFound):
    "A request names a model that is none."


@dataclass(slots=True)
class Receipt:
    "Where an answer could have come from."

    adapter: str = ""
    notes: list[Memory] = field(default_factory=list)
    source: Source = ""


@dataclass
class Day:
    "An open journal and a loaded base, ready to talk."

    journal: Journal
    runtime: Runtime
    dress: Callable[[str], Path]  # adapter id -> a folder the runtime can wear
    private: bool = False
    receipt: Receipt = field(default_factory=Receipt)
    states: States | None = None  # where fast weights are kept; None: nowhere
    watch: Watch = field(default_factory=Unwatched)
    window: Window = field(default_factory=lambda: Window(()))  # of the last answer
    notes: Notes = field(init=False)
    windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        self.notes = Notes(self.journal)
        self.windows = Windows(self.journal, self.runtime, self.states)

    def models(self) -> list[str]:
        "Names a request can ask for: what is worn, the bare base, and each night that was worn."
        nights = [n.id for n in self.journal.nights() if n.verdict and n.verdict.passed]
        return ["pocketsleep", "pocketsleep:base", *(f"pocketsleep:{n}" for n in nights)]

    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str = "pocketsleep",
              conversation: str = "", arm: Arm = "both", private: bool = False) -> Iterator[str]:
        "Answer as the named model; the exchange is recorded once the answer has finished."
        heard, conversation = [], conversation or conversation_id(messages)
        for piece in self.speak(messages, sampling, model=model, arm=arm, conversation=conversation, private=private):
            heard.append(piece)
            yield piece
        self.record(messages, "".join(heard), conversation, private)

    def _worn(self, model: str, arm: Arm) -> str:
        "Put on what a model's name stands for. What is current may be taken away by another process in just this moment."
        while True:
            adapter = self._adapter(model)
            try:
                self.wear(adapter if arm in ("weights", "both") else "")
                return adapter
            except (AdapterError, NotFound):
                if adapter == self._adapter(model):
                    raise

    def speak(self, messages: Sequence[Message], sampling: Sampling, *, model: str = "pocketsleep", arm: Arm = "both",
              conversation: str = "", private: bool = False, window: Window | None = None) -> Iterator[str]:
        "The same, and nothing is recorded. `window`: as it was opened for these messages already."
        adapter = self._worn(model, arm)
        if window is None:
            off = private or self.private or not conversation  # what is not recorded leaves nothing on the disk either
            plan = self.windows.plan(messages, sampling, conversation or conversation_id(messages), off)
            window = self.windows.open(plan, self.watch)
        said = [message.content for message in messages[:-1] if message.role == "user"]
        self.window, messages = window, window.messages
        named = model == "pocketsleep" or (model != "pocketsleep:base" and adapter == self._adapter("pocketsleep"))
        recalls = arm in ("recall", "both") and named
        if recalls and arm == "both" and adapter and not shaped(messages, sampling):
            yield from self._checked(messages, sampling, said)
        elif arm == "weights" and adapter:
            yield from self._traced(messages, sampling)
        else:
            yield from self._read(messages, sampling, self.recall(messages) if recalls else [])

    def _chat(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        "The runtime's answer, with what left the window where there are fast weights of it."
        if self.window.state is None:
            return self.runtime.chat(messages, sampling)
        return self.runtime.chat(messages, sampling, self.window.state)  # type: ignore[call-arg]

    def _traced(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        "The adapter alone, word for word; the receipt names the live note that says the same."
        self.receipt = Receipt(self.runtime.worn)
        heard = []
        for piece in self._chat(messages, sampling):
            heard.append(piece)
            yield piece
        question, answer, backing = _last(messages), "".join(heard).strip(), self.notes.ledger()[1]
        found = backing.of(question, answer) if backing.personal(question, answer) else None
        if found and found.memory and found.text == answer:
            self.receipt = Receipt(self.runtime.worn, [found.memory], "weights")

    def _read(self, messages: Sequence[Message], sampling: Sampling, notes: list[Memory]) -> Iterator[str]:
        "As the runtime is dressed, with notes in front."
        self.receipt = Receipt(self.runtime.worn, notes, "memory" if notes else "")
        yield from self._chat(with_notes(messages, [m.text for m in notes]), sampling)

    def _checked(self, messages: Sequence[Message], sampling: Sampling, said: Sequence[str]) -> Iterator[str]:
        """The adapter's answer. One that may be about the person is held back until the ledger has let it stand, or what they
        `said` before in this talk; others come with the notes that the question calls for in front."""
        question, backing = _last(messages), self.notes.ledger()[1]
        stream = self._chat(messages, sampling)
        head = ""
        for piece in stream:
            head += piece
            if not backing.may_be(question, head):
                break
        if backing.personal(question, head):
            stands = self._standing([question], [head])[0]
            yield head if not self.receipt.notes and told_here(said, question, head) else stands
            return
        if notes := self.recall(messages):
            cast(Generator[str], stream).close()
            yield from self._read(messages, sampling, notes)
            return
        self.receipt = Receipt(self.runtime.worn)
        yield head
        yield from stream

    def _standing(self, questions: Sequence[str], said: Sequence[str]) -> list[str]:
        "Answers about the person as the ledger lets them stand; what no note backs is looked up, and else not said."
        index, backing = self.notes.ledger()
        near = [index.near(q) for q in questions]
        first = [(n and backing.decided(q, a, n[0])) or backing.of(q, a) for q, a, n in zip(questions, said, near, strict=True)]
        looked_in = [n if one is None else _doubted(index, q, one) for q, n, one in zip(questions, near, first, strict=True)]
        again = self._with(questions, looked_in, LOOKED_UP)
        found = []
        for q, a, one, notes, second in zip(questions, said, first, looked_in, again, strict=True):
            looked = backing.of(q, second) if notes else None
            backed = looked if looked and (one is None or looked.memory) else one
            memory = backed.memory if backed else None
            source: Source = "" if memory is None else "weights" if backed and backed.text == a.strip() else "memory"
            self.receipt = Receipt(self.runtime.worn, [memory] if memory else [], source)
            found.append(backed.text if backed else a if declines(a) else UNKNOWN)
        return found

    def _with(self, questions: Sequence[str], notes: Sequence[Sequence[Memory]], max_tokens: int) -> list[str]:
        "Answers to those questions that have notes, with these in front; '' for the others."
        some = [n for n, one in enumerate(notes) if one]
        said = self.runtime.answer([ask(questions[n], [m.text for m in notes[n]]) for n in some], max_tokens=max_tokens)
        by = dict(zip(some, said, strict=True))
        return [by.get(n, "") for n in range(len(questions))]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        "[n, d] float32, rows of length 1, of the bare base: nights do not move them."
        self.wear("")
        return self.runtime.embed(texts)

    def count(self, text: str) -> int:
        "How many tokens a text is."
        return self.runtime.count(text)

    def answers(self, questions: Sequence[str], arm: Arm, max_tokens: int = 48) -> list[str]:
        "Greedy answers to single questions by one arm; nothing is recorded."
        current = self.journal.current() if arm in ("weights", "both") else ""
        self.wear(current)
        recalls = arm == "recall" or (arm == "both" and not current)
        notes = [self.notes.find(q) if recalls else [] for q in questions]
        prompts = [ask(q, [m.text for m in n]) for q, n in zip(questions, notes, strict=True)]
        said = self.runtime.answer(prompts, max_tokens=max_tokens)
        return self._corrected(questions, said, max_tokens) if arm == "both" and current else said

    def _corrected(self, questions: Sequence[str], said: Sequence[str], max_tokens: int) -> list[str]:
        "`_checked` for many questions at once."
        backing = self.notes.ledger()[1]
        about = [n for n, (q, a) in enumerate(zip(questions, said, strict=True)) if backing.personal(q, a)]
        stands = dict(zip(about, self._standing([questions[n] for n in about], [said[n] for n in about]), strict=True))
        noted = self._with(questions, [[] if n in stands else self.notes.find(q) for n, q in enumerate(questions)], max_tokens)
        return [stands.get(n) or noted[n] or said[n] for n in range(len(questions))]

    def wear(self, adapter: str) -> None:
        "Put on what is asked for, unless it is on already."
        if self.runtime.worn != adapter:
            self.runtime.wear(self.dress(adapter) if adapter else None)

    def recall(self, messages: Sequence[Message]) -> list[Memory]:
        "Notes that the last user message calls for."
        said = _last(messages)
        return self.notes.find(said) if said.strip() else []

    def _adapter(self, model: str) -> str:
        if model in ("pocketsleep", "pocketsleep:base"):
            return self.journal.current() if model == "pocketsleep" else ""
        ours, _, night = model.partition(":")
        with suppress(NotFound):
            if ours == "pocketsleep" and night:
                return self.journal.night(night).adapter
        raise NoModel(f"no model is called `{model}`", hint="pocketsleep nights")

    def record(self, messages: Sequence[Message], answer: str, conversation: str, private: bool = False) -> str:
        "Write the conversation as it now stands; only what is new is added. Returns the episode's id."
        episode = conversed(messages, answer, conversation, private or self.private)
        return self.journal.record(episode).episode_id


def _doubted(index: Index, question: str, backed: Backed) -> list[Memory]:
    "The notes to look a backed answer up in: where what backs it is not what the question's words call for."
    return index.rivals(question, backed.memory) if backed.memory else []


def conversed(messages: Sequence[Message], answer: str, conversation: str, private: bool, source: str = "chat") -> Episode:
    "A conversation as it is recorded: without its system message, each turn with its taint."
    now = datetime.now(UTC).isoformat(timespec="seconds")
    turns: list[Turn] = []
    for message in [*messages, Message("assistant", tools.tidy(answer))]:
        if message.role != "system":
            said = tools.said(message)
            turns.append(Turn(message.role, said, taint(turns, message.role, said), private, now))
    return Episode(conversation or conversation_id(messages), tuple(turns), now, source, private)


def shaped(messages: Sequence[Message], sampling: Sampling) -> bool:
    "Whether an answer may be for a program: JSON or calls of tools, which the ledger cannot put right."
    return bool(sampling.schema) or any(m.tools or m.role == "tool" for m in messages)


def _last(messages: Sequence[Message]) -> str:
    "What the user said last."
    return next((m.content for m in reversed(messages) if m.role == "user"), "")


def conversation_id(messages: Sequence[Message]) -> str:
    "A client that sends no id sends the whole conversation each time: its opening names it."
    opening = next((m.content for m in messages if m.role == "user"), uuid.uuid4().hex)
    day = datetime.now(UTC).date().isoformat()
    return "c-" + re.sub(r"^b2-", "", content_id("conversation", day, opening))
