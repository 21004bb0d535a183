"""Which messages of a conversation the model still reads, and what becomes of those that leave.

A window has an end. As a prompt comes near it, the oldest messages leave together, up to half of the window, so that the next
answers need not do it again. On a base with memory layers a nap over them writes them into fast weights; without, they are not
read any more.
The journal keeps every word either way.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pocketsleep.errors import AdapterError
from pocketsleep.fastweights.states import Past, States
from pocketsleep.journal import Journal, Place
from pocketsleep.journal.scrub import scrub, scrub_turns
from pocketsleep.nouns import Episode, Message, Sampling, Turn, content_id
from pocketsleep.runtime import Bounded, Runtime
from pocketsleep.runtime.text import SHORTEST_ANSWER, TooLong
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
        self.pasts: OrderedDict[tuple[str, bool], Past] = OrderedDict()  # what is said off the record has a past of its own
        self._seen = 0  # age of the states for which `pasts` holds
        self._unheard: tuple[Plan, Past] | None = None  # napped over before the journal had it

    @property
    def remembers(self) -> bool:
        "Whether a nap can go over what leaves."
        return getattr(self.runtime, "memory", None) is not None

    def plan(self, messages: Sequence[Message], sampling: Sampling, conversation: str = "", private: bool = False) -> Plan:
        head = tuple(messages[:1]) if messages and messages[0].role == "system" else ()
        turns = tuple(messages[len(head) :])
        age = self._age()
        place = self._place(conversation, turns, private)
        private = private or place.private  # kept so once it was asked for
        if private and self.states is not None:
            for name in place.tellings:
                self.states.drop(name)  # it may have become private in the middle
        past, why = self._past(conversation, place.name, turns, private)
        leaving = self._leaving(head, turns[past.left :], sampling)
        return Plan(conversation, private, head, turns, past, leaving, why, age)

    def open(self, plan: Plan, watch: Watch) -> Window:
        "The window, after a nap where one is due. A nap that is stopped leaves the fast weights as they were."
        past, napped, seconds, why = plan.past, False, 0.0, plan.why
        if plan.leaving:
            state, gone = past.state, past.left + plan.leaving
            if self.remembers:
                began, said = time.monotonic(), self._readable(plan)
                state = self._napped(plan, said, watch) if said else None
                seconds, napped = time.monotonic() - began, state is not None
                state = past.state if state is None else state
                why = why if napped else "the nap was stopped" if said else "none of it may be read again"
            past = Past(gone, stem(plan.turns[:gone]), state)
            self._keep(plan, past)
        window = Window((*plan.head, *plan.turns[past.left :]), past.state, past.left, plan.leaving, napped, seconds, why)
        watch.opened(window)
        return window

    def recorded(self, conversation: str) -> None:
        "What was napped over before the journal had it goes to the disk, now that it has."
        if self._unheard is None or self._unheard[0].conversation != conversation:
            return
        (plan, past), self._unheard = self._unheard, None
        if self.pasts.get((conversation, False)) is past:  # nothing was cleared, and nothing was told otherwise since
            self._keep(plan, past)

    def _age(self) -> int:
        "What is held in memory goes when states are cleared."
        if self.states is None or not self.remembers:
            return 0
        if self._seen != (age := self.states.age()):
            self.pasts.clear()
            self._seen = age
        return age

    def _place(self, conversation: str, turns: Sequence[Message], private: bool = False) -> Place:
        """Where the journal keeps it: a state has the same name. Nowhere, where no states are kept; one of another engine has to go
        all the same where the talk becomes private."""
        episode = Episode(conversation, told(turns), "", "chat")
        if self.states is None or not (self.remembers or private) or not conversation or not episode.turns:
            return Place()
        return self.journal.place(episode)

    def _past(self, conversation: str, name: str, turns: Sequence[Message], private: bool) -> tuple[Past, str]:
        "What was left before of the conversation as it is told now; of another telling of it nothing is known."
        past, why = self.pasts.get((conversation, private)), ""
        if past is not None and _begins(past, turns):
            return past, why
        if self.remembers and self.states is not None and name and not private:
            try:
                memory = self.runtime.memory  # type: ignore[attr-defined]
                kept = self.states.load(name, memory.base, memory.sha256)
                return kept if kept is not None and _begins(kept, turns) else Past(), ""
            except AdapterError as wrong:
                why = f"{wrong}: what left the window is read anew"
        return Past(), why

    def _leaving(self, head: tuple[Message, ...], held: Sequence[Message], sampling: Sampling) -> int:
        "How many of the oldest messages have to go: none, or as many as leave half of the window free."
        if not isinstance(self.runtime, Bounded):
            return 0
        size, runtime = self.runtime.window, self.runtime
        if runtime.free((*head, *held)) >= min(sampling.max_tokens, size // 4) + size // 16:
            return 0
        cuts = [n for n, message in enumerate(held) if n and message.role == "user"]
        if cuts and (free := runtime.free((*head, *held[cuts[-1] :]))) < SHORTEST_ANSWER:  # the others would leave for nothing
            raise TooLong(f"what was said last is {size - free} tokens long by itself, the window holds {size}",
                          hint="say it in parts")
        at = bisect_left(cuts, size // 2, key=lambda n: runtime.free((*head, *held[n:])))
        return cuts[min(at, len(cuts) - 1)] if cuts else 0

    def _napped(self, plan: Plan, said: Sequence[Message], watch: Watch) -> Any:
        "The state after a nap over what leaves, None where it was stopped."

        def tick(share: float) -> None:
            watch.napping(plan.leaving, share)

        return self.runtime.nap(said, plan.past.state, tick, watch.cancelled)  # type: ignore[attr-defined]

    def _readable(self, plan: Plan) -> list[Message]:
        """Of what leaves, the words that the journal would give to a reader: no secrets, nothing forgotten, nothing hidden. What is
        private never reaches the disk, and is not shown to the journal for it either: of that, all but secrets."""
        first, gone = plan.past.left, plan.past.left + plan.leaving
        if plan.private:
            words = scrub_turns(tools.said(m) for m in plan.turns[:gone])
        else:
            turns = iter(self.journal.as_read(Episode(plan.conversation, told(plan.turns), "", "chat")))
            words = [self._heard(next(turns)) if m.role != "system" else self._ruled(m) for m in plan.turns]
        return [Message(m.role, text) for m, text in zip(plan.turns[first:gone], words[first:gone], strict=True) if text]

    def _heard(self, turn: Turn) -> str:
        return "" if turn.private else turn.text

    def _ruled(self, message: Message) -> str:
        "What a system message says, which the journal does not keep."
        return "" if self.journal.excluded(message.content) else scrub(message.content)[0]

    def _keep(self, plan: Plan, past: Past) -> None:
        "On the disk under the journal's name for it; in memory what is private, or what the journal has not heard yet."
        if not plan.conversation:
            return
        place = self._place(plan.conversation, plan.turns)  # anew: it may have become private during the nap
        if self.states is not None and not (plan.private or place.private or past.state is None or past.state.empty):
            if place.name and place.kept >= len(told(plan.turns[: past.left])):
                self.pasts.pop((plan.conversation, False), None)  # the disk is where it is deleted, by other processes too
                with suppress(OSError):  # not kept is napped over anew
                    self.states.keep(place.name, past, plan.age)
                return
            self._unheard = plan, past  # an answer that is broken off is not recorded, nor is what it was asked with
        self.pasts[plan.conversation, plan.private] = past
        self.pasts.move_to_end((plan.conversation, plan.private))
        while len(self.pasts) > REMEMBERED:
            self.pasts.popitem(last=False)


def _begins(past: Past, turns: Sequence[Message]) -> bool:
    "Whether a conversation begins with what was left."
    return 0 < past.left < len(turns) and past.stem == stem(turns[: past.left])


def told(messages: Sequence[Message]) -> tuple[Turn, ...]:
    "The turns that the journal keeps of messages: none of the system's."
    return tuple(Turn(m.role, tools.said(m)) for m in messages if m.role != "system")


def stem(messages: Sequence[Message]) -> str:
    "By what some messages are known again, whether they come as they were said or as the journal keeps them."
    said = scrub_turns(tools.tidy(tools.said(m)) for m in messages)
    return content_id("left", *(part for m, text in zip(messages, said, strict=True) for part in (m.role, " ".join(text.split()))))
