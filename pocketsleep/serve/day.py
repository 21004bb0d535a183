"""A day with the assistant: recall what the ledger holds, answer, record what was said.

Four arms, kept apart so that they can be measured apart: base (no adapter, no notes), weights (adapter
alone), recall (notes alone), both.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np

from pocketsleep.errors import AdapterError, NotFound
from pocketsleep.fastweights.states import States
from pocketsleep.journal import Journal
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Knack, Memory, Message, Night, Sampling, Turn, content_id
from pocketsleep.runtime import Bounded, Runtime
from pocketsleep.runtime.prompting import CALLS, HEADING, ask, with_notes
from pocketsleep.runtime.text import SHORTEST_ANSWER
from pocketsleep.serve.backing import UNKNOWN, Backed, Backing, consistent, consistently, echoes, states, told_here
from pocketsleep.serve.notes import NOTHING, Notes, Wrong
from pocketsleep.serve.second import Looked
from pocketsleep.serve.seek import Reader, Sayings
from pocketsleep.serve.window import Unwatched, Watch, Window, Windows
from pocketsleep.weights import tools

Arm = Literal["base", "weights", "recall", "both"]
# Neither; the adapter, and a note that says so; a note that was looked up or stood in front; what the person said, quoted.
Source = Literal["", "weights", "memory", "said"]
Noted = TypeVar("Noted", Memory, Knack)
LOOKED_UP = 40  # tokens of an answer that is looked up
TALK = 6  # messages of a talk in which an answer may stand
# Asks for what could be so, or to be done: before a night nothing but its form says that a question is after what is so.
_WISHES = re.compile(r"\b(?:should|would|could|can|can't|shall|may|might|must|ought|please|just|let's|need to|going to)\b", re.I)
ARMS: tuple[Arm, ...] = ("base", "weights", "recall", "both")


class NoModel(NotFound):
    "A request names a model that is none."


@dataclass(slots=True)
class Receipt:
    "Where an answer could have come from."

    adapter: str = ""
    notes: list[Memory] = field(default_factory=list)
    source: Source = ""
    knacks: list[Knack] = field(default_factory=list)  # what was known of calls of the tools there are


@dataclass
class Day:
    "An open journal and a loaded base, ready to talk."

    journal: Journal
    runtime: Runtime
    dress: Callable[[str], Path]  # adapter id -> a folder the runtime can wear
    private: bool = False
    receipt: Receipt = field(default_factory=Receipt)
    states: States | None = None  # where fast weights are kept; None: nowhere
    reader: Reader | None = None  # finds notes that words do not
    sayings: Sayings | None = None  # what was said and is no note
    watch: Watch = field(default_factory=Unwatched)
    window: Window = field(default_factory=lambda: Window(()))  # of the last answer
    room: int | None = None  # tokens that it could have; None where nothing says
    notes: Notes = field(init=False)
    windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        self.notes = Notes(self.journal, self.reader)
        self.windows = Windows(self.journal, self.runtime, self.states)

    def models(self) -> list[str]:
        "Names a request can ask for: what is worn, the bare base, and each night that was worn and holds nothing withheld since."
        worn = {n.id: set(self.journal.holds(n.adapter)) for n in self.journal.nights() if n.verdict and n.verdict.passed}
        withheld = set(self.journal.withheld_in(list(set().union(*worn.values()))))
        return ["pocketsleep", "pocketsleep:base", *(f"pocketsleep:{n}" for n, held in worn.items() if not held & withheld)]

    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str = "pocketsleep",
              conversation: str = "", arm: Arm = "both", private: bool = False) -> Iterator[str]:
        "Answer as the named model; the exchange is recorded once the answer has finished."
        heard, conversation = [], conversation or conversation_id(messages, private or self.private)
        for piece in self.speak(messages, sampling, model=model, arm=arm, conversation=conversation, private=private):
            heard.append(piece)
            yield piece
        self.record(messages, "".join(heard), conversation, private)

    def put_on(self, arm: Arm, model: str = "pocketsleep") -> str:
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
        adapter = self.put_on(arm, model)
        if window is None:
            off = private or self.private or not conversation  # what is not recorded leaves nothing on the disk either
            name = conversation or conversation_id(messages, private or self.private)
            plan = self.windows.plan(messages, sampling, name, off)
            window = self.windows.open(plan, self.watch)
        said = [message.content for message in messages[:-1] if message.role == "user"]
        self.window, self.room, messages = window, None, window.messages
        named = model == "pocketsleep" or (model != "pocketsleep:base" and adapter == self._adapter("pocketsleep"))
        recalls = arm in ("recall", "both") and named
        if recalls and arm == "both" and not shaped(messages, sampling):
            yield from (self._checked if adapter else self._looked_up)(messages, sampling, said)
        elif arm == "weights" and adapter:
            yield from self._traced(messages, sampling)
        else:
            last = _last(messages)
            knacks = self.notes.of_tools(_offered(messages)) if recalls else []
            yield from self._read(messages, sampling, self.notes.sought([last])[0] if recalls and last.strip() else [], knacks)

    def _chat(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        "The runtime's answer, with what left the window where there are fast weights of it."
        self.room = self.runtime.free(messages) if isinstance(self.runtime, Bounded) else None
        more = () if self.window.state is None else (self.window.state,)
        return self.runtime.chat(messages, sampling, *more)

    def _traced(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        "The adapter alone; the receipt names the live note that says the same."
        self.receipt = Receipt(self.runtime.worn)
        heard = []
        for piece in consistently(_last(messages), self._chat(messages, sampling)):
            heard.append(piece)
            yield piece
        question, answer, backing = _last(messages), "".join(heard).strip(), self.notes.ledger()[1]
        found = backing.of(question, answer) if backing.personal(question, answer) else None
        if found and found.memory and found.text == answer:
            self.receipt = Receipt(self.runtime.worn, [found.memory], "weights")

    def _read(self, messages: Sequence[Message], sampling: Sampling, notes: list[Memory],
              knacks: Sequence[Knack] = ()) -> Iterator[str]:
        "As the runtime is dressed, with notes in front, and what is known of calls of the tools there are."
        notes = self._fitting(messages, sampling, notes)
        messages = with_notes(messages, [m.text for m in notes])
        knacks = self._fitting(messages, sampling, list(knacks), CALLS)
        self.receipt = Receipt(self.runtime.worn, notes, "memory" if notes else "", knacks)
        yield from self._chat(with_notes(messages, [k.text for k in knacks], CALLS), sampling)

    def _fitting(self, messages: Sequence[Message], sampling: Sampling, notes: list[Noted], heading: str = HEADING) -> list[Noted]:
        "As many of the notes, the likeliest first, as leave room for an answer: near its end a window may hold the talk alone."
        if not isinstance(self.runtime, Bounded):
            return notes
        least = max(SHORTEST_ANSWER, min(sampling.max_tokens, self.runtime.window // 16))
        while notes and self.runtime.free(with_notes(messages, [m.text for m in notes], heading)) < least:
            notes = notes[:-1]
        return notes

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
            cast(Generator[str], stream).close()  # it holds the engine, which a second look may need
            read = said if not _asks(question) else ()  # what is asked has been looked for in the talk by then
            yield (self._heard(said, question, head) or self._overruled(backing, question, head)
                   or self._standing([question], [head], read)[0])
            return
        if notes := self.recall(messages):
            cast(Generator[str], stream).close()
            yield from self._read(messages, sampling, notes)
            return
        self.receipt = Receipt(self.runtime.worn)
        yield head
        yield from stream

    def _overruled(self, backing: Backing, message: str, head: str) -> str:
        "What is said to somebody who tells something that was noted otherwise, or not at all; '' to others."
        if not states(message) or (found := backing.overruled(message, head.strip())) is None:
            return ""
        self.receipt = Receipt(self.runtime.worn, [found.memory] if found.memory else [], "memory" if found.memory else "")
        return found.text

    def _heard(self, said: Sequence[str], question: str, head: str) -> str:
        "What the talk itself says, '' where it does not: what is said now wins over what was learnt."
        look = self._look([question], said)
        told = told_here(said, question, head)
        if echoes(question, head) or (told and (not _asks(question) or look.answers_in(question, told))):
            self.receipt = Receipt(self.runtime.worn)
            return head
        heard = look.in_talk(question) if _asks(question) else ""
        self.receipt = Receipt(self.runtime.worn, source="said")
        return f'You said: "{heard.strip()}"' if heard else ""

    def _looked_up(self, messages: Sequence[Message], sampling: Sampling, said: Sequence[str]) -> Iterator[str]:
        "Before any night: the note that answers, as said to its user; else the base, with the notes that the question calls for."
        if quoted := self._quoted([_last(messages)], said)[0]:
            self.receipt = Receipt("", [quoted.memory] if quoted.memory else [], _source(quoted, ""))
            yield quoted.text
            return
        yield from self._read(messages, sampling, self.recall(messages))

    def _quoted(self, questions: Sequence[str], said: Sequence[str] = ()) -> list[Backed | None]:
        "For questions of what is so of the person, the note that answers; unless they said it in this talk."
        able = [n for n, q in enumerate(questions) if self.notes.asked(q) and not _WISHES.search(q) and self.notes.left(q)]
        some = [questions[n] for n in able]
        by = dict(zip(able, self._each(some, said, lambda look, at: look.before_nights([some[n] for n in at])), strict=True))
        return [by.get(n) for n in range(len(questions))]

    def _each(self, questions: Sequence[str], said: Sequence[str],
              look: Callable[[Looked, Sequence[int]], Sequence[Backed | None]]) -> list[Backed | None]:
        "Looked up together; each whose answer was marked as wrong by itself, without what that rested on."
        groups: dict[Wrong, list[int]] = defaultdict(list)
        for n, question in enumerate(questions):
            groups[self.notes.wrong(question)].append(n)
        found: dict[int, Backed | None] = {}
        for wrong, some in groups.items():
            stand = self._still(look(self._look([questions[n] for n in some], said, wrong), some))
            found |= zip(some, stand, strict=True)
        return [found[n] for n in range(len(questions))]

    def _look(self, questions: Sequence[str], said: Sequence[str], wrong: Wrong = NOTHING) -> Looked:
        "Without the reader where a plugin chooses notes. What was `said` in this talk, and may answer, comes before any note."
        index, backing = self.notes.ledger(wrong)
        reader = self.reader if all(map(self.notes.left, questions)) else None
        sayings = self.sayings.without(wrong.turns) if self.sayings and wrong.turns else self.sayings
        return Looked(index, backing, self._with, reader, tuple(said[-TALK:]), sayings, wrong)

    def _still(self, found: Sequence[Backed | None]) -> list[Backed | None]:
        "Without what another program took away meanwhile."
        live = {m.id for m in self.journal.memories()}
        return [one if one and (one.memory is None or one.memory.id in live) else None for one in found]

    def _standing(self, questions: Sequence[str], answers: Sequence[str], said: Sequence[str] = ()) -> list[str]:
        "Answers about the person as the ledger lets them stand; what no note backs is looked up, and else not said."
        stand = self._each(questions, said,
                           lambda look, at: look.standing([questions[n] for n in at], [answers[n] for n in at]))
        for one, a in zip(stand, answers, strict=True):
            self.receipt = Receipt(self.runtime.worn, [one.memory] if one and one.memory else [], _source(one, a))
        return [one.text if one else UNKNOWN for one in stand]

    def _with(self, questions: Sequence[str], notes: Sequence[Sequence[Memory]], max_tokens: int = LOOKED_UP) -> list[str]:
        "Answers to those questions that have notes, with these in front; '' for the others."
        some = [n for n, one in enumerate(notes) if one]
        said = self._noted([questions[n] for n in some], [notes[n] for n in some], max_tokens)
        by = dict(zip(some, said, strict=True))
        return [by.get(n, "") for n in range(len(questions))]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        "[n, d] float32, rows of length 1, of the bare base: nights do not move them."
        return self.runtime.embed(texts)

    def count(self, text: str) -> int:
        "How many tokens a text is."
        return self.runtime.count(text)

    def answers(self, questions: Sequence[str], arm: Arm, max_tokens: int = 48) -> list[str]:
        "Greedy answers to single questions by one arm; nothing is recorded."
        current = self.journal.current() if arm in ("weights", "both") else ""
        self.wear(current)
        if arm == "both" and not current:
            return self._before_nights(questions, max_tokens)
        notes = self.notes.sought(questions) if arm == "recall" else [[] for _ in questions]
        said = self._noted(questions, notes, max_tokens)
        if arm == "weights" and current:
            return [consistent(q, a) for q, a in zip(questions, said, strict=True)]
        return self._corrected(questions, said, max_tokens) if arm == "both" else said

    def _noted(self, questions: Sequence[str], notes: Sequence[Sequence[Memory]], max_tokens: int) -> list[str]:
        "With notes in front, or as they stand."
        prompts = [ask(q, [m.text for m in n]) for q, n in zip(questions, notes, strict=True)]
        return self.runtime.answer(prompts, max_tokens=max_tokens)

    def _before_nights(self, questions: Sequence[str], max_tokens: int) -> list[str]:
        "`_looked_up` for many questions at once."
        quoted = self._quoted(questions)
        notes = [[] if one else self.notes.find(q) for q, one in zip(questions, quoted, strict=True)]
        said = self._noted(questions, notes, max_tokens)
        return [one.text if one else answer for one, answer in zip(quoted, said, strict=True)]

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
        ours, _, name = model.partition(":")
        night = None
        with suppress(NotFound):
            night = self.journal.night(name) if ours == "pocketsleep" and name else None
        if night and night.verdict and night.verdict.passed:
            return self._checked_again(night)
        raise NoModel(f"no model is called `{model}`", hint="pocketsleep nights")

    def _checked_again(self, night: Night) -> str:
        "The adapter of a night asked for by name: what it holds may have been hidden or forgotten since."
        try:
            self.journal.check_wearable(night.adapter)
        except AdapterError as withheld:
            raise NoModel(f"`pocketsleep:{night.id}` cannot be asked: {withheld}", hint=withheld.hint) from None
        return night.adapter

    def record(self, messages: Sequence[Message], answer: str, conversation: str, private: bool = False) -> str:
        "Write the conversation as it now stands; only what is new is added. Returns the episode's id."
        episode = conversed(messages, answer, conversation, private or self.private)
        name = self.journal.record(episode).episode_id
        self.windows.recorded(episode.id)
        return name


def conversed(messages: Sequence[Message], answer: str, conversation: str, private: bool, source: str = "chat") -> Episode:
    "A conversation as it is recorded: without its system message, each turn with its taint; no answer where none was given."
    now = datetime.now(UTC).isoformat(timespec="seconds")
    turns: list[Turn] = []
    for message in [*messages, *([Message("assistant", tools.tidy(answer))] if answer else [])]:
        if message.role != "system":
            said = tools.said(message)
            turns.append(Turn(message.role, said, taint(turns, message.role, said), private, now))
    return Episode(conversation or conversation_id(messages, private), tuple(turns), now, source, private)


def shaped(messages: Sequence[Message], sampling: Sampling) -> bool:
    "Whether an answer may be for a program: JSON or calls of tools, which the ledger cannot put right."
    return bool(sampling.schema) or any(m.tools or m.role == "tool" for m in messages)


def _offered(messages: Sequence[Message]) -> Any:
    "The tools there are, as the request listed them."
    return json.loads(next((m.tools for m in messages if m.tools), "[]"))


def _last(messages: Sequence[Message]) -> str:
    "What the user said last."
    return next((m.content for m in reversed(messages) if m.role == "user"), "")


def _source(stands: Backed | None, answer: str) -> Source:
    "Where an answer that was checked comes from."
    if stands is None or stands.memory is None:
        return "said" if stands and stands.said else ""
    return "weights" if stands.text == answer.strip() else "memory"


def _asks(message: str) -> bool:
    return message.rstrip().endswith("?")


def conversation_id(messages: Sequence[Message], private: bool) -> str:
    """A client that sends no id sends the whole conversation each time: its opening names it. One off the record has a name of its
    own: nothing said before on the record is hidden with it."""
    opening = next((m.content for m in messages if m.role == "user"), uuid.uuid4().hex)
    day = datetime.now(UTC).date().isoformat()
    return "c-" + re.sub(r"^b2-", "", content_id("conversation", day, opening, *(["private"] if private else [])))
