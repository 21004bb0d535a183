"""Which messages of a conversation the model still reads, and what becomes of those that leave.

A window has an end. As a prompt comes near it, the oldest messages leave together, up to half of the window, so that the next
answers need not do it again. On a base with memory layers a nap over them writes them into fast weights; without, they are not
read any more.
The journal keeps every word either way.
"""

from __future__ import annotations

import time
import uuid
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pocketsleep.errors import AdapterError
from pocketsleep.fastweights.states import Past, States
from pocketsleep.journal import Journal
from pocketsleep.journal.scrub import scrub_turns
from pocketsleep.nouns import Episode, Message, Sampling, Turn, content_id
from pocketsleep.runtime import Bounded, Runtime
from pocketsleep.weights import tools

REMEMBERED = 64  # conversations whose past is held in memory


@dataclass(frozen=True, slots=True)
class Window:
    "What is read, and what is not any more."

    messages: tuple[Message, ...]
    state: Any = None  # fast weights, for a runtime that has them
    left: int = 0  # messages that were said and are not in the window
    leaving: int = 0  # of these, how many left just now
    napped: bool = False  # whether a nap went over them
    seconds: float = 0.0  # that it took
    why: str = ""  # why those that leave are not remembered, or an older memory is not


class Watch(Protocol):
    "Whoever waits while messages leave."

    def napping(self, messages: int, share: float) -> None: ...
    def opened(self, window: Window) -> None: ...
    def cancelled(self) -> bool: ...


class Unwatched:
    "Nobody waits."

    def napping(self, messages: int, share: float) -> None:
        pass

    def opened(self, window: Window) -> None:
        pass

    def cancelled(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Plan:
    "What is to leave before a conversation is answered."

    conversation: str
    private: bool
    head: tuple[Message, ...]  # the system message
    turns: tuple[Message, ...]  # all others
    past: Past
    leaving: int
    why: str
    age: int  # of the states on disk, when this was planned

    @property
    def naps(self) -> bool:
        return self.leaving > 0


class Windows:
    "The windows of one day's conversations."

    def __init__(self, journal: Journal, runtime: Runtime, states: States | None = None) -> None:
        self.journal, self.runtime, self.states = journal, runtime, states
        self.pasts: OrderedDict[str, Past] = OrderedDict()
        self._seen = 0  # age of the states for which `pasts` holds

    @property
    def remembers(self) -> bool:
        "Whether a nap can go over what leaves."
        return getattr(self.runtime, "memory", None) is not None

    def plan(self, messages: Sequence[Message], sampling: Sampling, conversation: str = "", private: bool = False) -> Plan:
        head = tuple(messages[:1]) if messages and messages[0].role == "system" else ()
        turns = tuple(messages[len(head) :])
        age = self._age()
        if private and self.states is not None and self.remembers:
            self.states.drop(conversation)  # it may have become private in the middle
        past, why = self._past(conversation, turns, private)
        leaving = self._leaving(head, turns[past.left :], sampling)
        return Plan(conversation, private, head, turns, past, leaving, why, age)

    def open(self, plan: Plan, watch: Watch) -> Window:
        "The window, after a nap where one is due. A nap that is stopped leaves the fast weights as they were."
        past, napped, seconds, why = plan.past, False, 0.0, plan.why
        if plan.leaving:
            state, gone = past.state, past.left + plan.leaving
            if self.remembers:
                began = time.monotonic()
                state = self._napped(plan, watch)
                seconds, napped = time.monotonic() - began, state is not None
                state = past.state if state is None else state
                why = why if napped else "the nap was stopped"
            past = Past(gone, stem(plan.turns[:gone]), state)
            self._keep(plan, past)
        window = Window((*plan.head, *plan.turns[past.left :]), past.state, past.left, plan.leaving, napped, seconds, why)
        watch.opened(window)
        return window

    def _age(self) -> int:
        "What is held in memory goes when states are cleared."
        if self.states is None or not self.remembers:
            return 0
        if self._seen != (age := self.states.age()):
            self.pasts.clear()
            self._seen = age
        return age

    def _past(self, conversation: str, turns: Sequence[Message], private: bool) -> tuple[Past, str]:
        "What was left before of the conversation as it is told now; of another telling of it nothing is known."
        past, why = self.pasts.get(conversation), ""
        if past is None and self.remembers and self.states is not None and conversation and not private:
            try:
                memory = self.runtime.memory  # type: ignore[attr-defined]
                past = self.states.load(conversation, memory.base, memory.sha256)
            except AdapterError as wrong:
                why = f"{wrong}: what left the window is read anew"
        if past is None or not 0 < past.left < len(turns) or past.stem != stem(turns[: past.left]):
            return Past(), why
        return past, why

    def _leaving(self, head: tuple[Message, ...], held: Sequence[Message], sampling: Sampling) -> int:
        "How many of the oldest messages have to go: none, or as many as leave half of the window free."
        if not isinstance(self.runtime, Bounded):
            return 0
        size, runtime = self.runtime.window, self.runtime
        if runtime.free((*head, *held)) >= min(sampling.max_tokens, size // 4) + size // 16:
            return 0
        cuts = [n for n, message in enumerate(held) if n and message.role == "user"]
        at = bisect_left(cuts, size // 2, key=lambda n: runtime.free((*head, *held[n:])))
        return cuts[min(at, len(cuts) - 1)] if cuts else 0

    def _napped(self, plan: Plan, watch: Watch) -> Any:
        "The state after a nap over what leaves, None where it was stopped."
        said = self._readable(plan)
        before = plan.past.state

        def tick(share: float) -> None:
            watch.napping(plan.leaving, share)

        return self.runtime.nap(said, before, tick, watch.cancelled)  # type: ignore[attr-defined]

    def _readable(self, plan: Plan) -> list[Message]:
        """Of what leaves, the words that the journal would give to a reader: no secrets, nothing forgotten, nothing hidden. What is
        private never reaches the disk, and is not shown to the journal for it either."""
        first, gone = plan.past.left, plan.past.left + plan.leaving
        if plan.private:
            return list(plan.turns[first:gone])
        turns = tuple(Turn(m.role, tools.said(m)) for m in plan.turns[:gone])
        for episode, new in self.journal.rehearse([Episode(f"window-{uuid.uuid4().hex}", turns, "", "chat")]):
            kept = zip(plan.turns[first:gone], episode.turns[new + first :], strict=True)
            return [Message(m.role, turn.text) for m, turn in kept if turn.text and not turn.private]
        return []

    def _keep(self, plan: Plan, past: Past) -> None:
        if not plan.conversation:
            return
        if past.state is not None and self.states is not None and not plan.private:
            self.pasts.pop(plan.conversation, None)  # the disk is where it is deleted, by other processes too
            with suppress(OSError):  # not kept is napped over anew
                self.states.keep(plan.conversation, past, plan.age)
            return
        self.pasts[plan.conversation] = past
        self.pasts.move_to_end(plan.conversation)
        while len(self.pasts) > REMEMBERED:
            self.pasts.popitem(last=False)


def stem(messages: Sequence[Message]) -> str:
    "By what some messages are known again, whether they come as they were said or as the journal keeps them."
    said = scrub_turns(tools.tidy(tools.said(m)) for m in messages)
    return content_id("left", *(part for m, text in zip(messages, said, strict=True) for part in (m.role, " ".join(text.split()))))
