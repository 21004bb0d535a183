"""A day with the assistant: recall what the ledger holds, answer, record what was said.

Four arms, kept apart so that they can be measured apart: base (no adapter, no notes), weights (adapter
alone), recall (notes alone), both.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pocketsleep.errors import NotFound
from pocketsleep.journal import Journal
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Dream, Episode, Memory, Message, Sampling, Turn, content_id
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask, with_notes
from pocketsleep.serve.recall import Index

Arm = Literal["base", "weights", "recall", "both"]
ARMS: tuple[Arm, ...] = ("base", "weights", "recall", "both")


@dataclass(slots=True)
class Receipt:
    "Where an answer could have come from."

    adapter: str = ""
    notes: list[Memory] = field(default_factory=list)


@dataclass
class Day:
    "An open journal and a loaded base, ready to talk."

    journal: Journal
    runtime: Runtime
    dress: Callable[[str], Path]  # adapter id -> a folder the runtime can wear
    private: bool = False
    receipt: Receipt = field(default_factory=Receipt)
    _index: tuple[tuple[str, tuple[str, ...]], Index] | None = None

    def models(self) -> list[str]:
        "Names a request can ask for: what is worn, the bare base, and each night that was worn."
        nights = [n.id for n in self.journal.nights() if n.verdict and n.verdict.passed]
        return ["pocketsleep", "pocketsleep:base", *(f"pocketsleep:{n}" for n in nights)]

    def reply(self, messages: Sequence[Message], sampling: Sampling, *, model: str = "pocketsleep",
              conversation: str = "", arm: Arm = "both") -> Iterator[str]:
        "Answer as the named model; the exchange is recorded once the answer has finished."
        adapter = self._adapter(model)
        self.wear(adapter if arm in ("weights", "both") else "")
        recalls = arm in ("recall", "both") and adapter == self._adapter("pocketsleep")
        notes = self.recall(messages) if recalls and model != "pocketsleep:base" else []
        self.receipt = Receipt(self.runtime.worn, notes)
        heard = []
        for piece in self.runtime.chat(with_notes(messages, [m.text for m in notes]), sampling):
            heard.append(piece)
            yield piece
        self.record(messages, "".join(heard), conversation)

    def count(self, text: str) -> int:
        "How many tokens a text is."
        return self.runtime.count(text)

    def answers(self, questions: Sequence[str], arm: Arm, max_tokens: int = 48) -> list[str]:
        "Greedy answers to single questions by one arm; nothing is recorded."
        self.wear(self.journal.current() if arm in ("weights", "both") else "")
        notes = [self._notes(q) if arm in ("recall", "both") else [] for q in questions]
        prompts = [ask(q, [m.text for m in n]) for q, n in zip(questions, notes, strict=True)]
        return self.runtime.answer(prompts, max_tokens=max_tokens)

    def wear(self, adapter: str) -> None:
        "Put on what is asked for, unless it is on already."
        if self.runtime.worn != adapter:
            self.runtime.wear(self.dress(adapter) if adapter else None)

    def recall(self, messages: Sequence[Message]) -> list[Memory]:
        "Notes that the last user message calls for."
        said = next((m.content for m in reversed(messages) if m.role == "user"), "")
        return self._notes(said) if said.strip() else []

    def _notes(self, question: str) -> list[Memory]:
        """Notes that are like the question, or of which the last night asked something like it.

        A note that nothing calls for is not brought in: to a small model an irrelevant note is an answer.
        """
        memories = self.journal.memories()
        stamp = (self.journal.current(), tuple(m.id for m in memories))
        if self._index is None or self._index[0] != stamp:
            self._index = (stamp, Index(memories, self._studied()))
        return self._index[1].find(question)

    def _studied(self) -> list[Dream]:
        "The study items of the night whose adapter is worn, or of the last one that was."
        current = self.journal.current()
        worn = [n for n in self.journal.nights() if n.verdict and n.verdict.passed]
        night = next((n for n in reversed(worn) if n.adapter == current), worn[-1] if worn else None)
        return self.journal.dreams(night.id) if night else []

    def _adapter(self, model: str) -> str:
        name = model.partition(":")[2]
        if not name:
            return self.journal.current()
        if name == "base":
            return ""
        try:
            night = self.journal.night(name)
        except NotFound:
            raise NotFound(f"no model is called `{model}`", hint="pocketsleep nights") from None
        return night.adapter

    def record(self, messages: Sequence[Message], answer: str, conversation: str) -> str:
        "Write the conversation as it now stands; only what is new is added. Returns the episode's id."
        now = datetime.now(UTC).isoformat(timespec="seconds")
        turns: list[Turn] = []
        for message in [*messages, Message("assistant", answer)]:
            if message.role != "system":
                turns.append(Turn(message.role, message.content, taint(turns, message.role, message.content),
                                  self.private, now))
        name = conversation or conversation_id(messages)
        return self.journal.record(Episode(name, tuple(turns), now, "chat", self.private)).episode_id


def conversation_id(messages: Sequence[Message]) -> str:
    "A client that sends no id sends the whole conversation each time: its opening names it."
    opening = next((m.content for m in messages if m.role == "user"), uuid.uuid4().hex)
    day = datetime.now(UTC).date().isoformat()
    return "c-" + re.sub(r"^b2-", "", content_id("conversation", day, opening))
