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

import numpy as np

from pocketsleep.errors import NotFound
from pocketsleep.journal import Journal
from pocketsleep.journal.taint import taint
from pocketsleep.nouns import Episode, Memory, Message, Sampling, Turn, content_id
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask, with_notes

Arm = Literal["base", "weights", "recall", "both"]
ARMS: tuple[Arm, ...] = ("base", "weights", "recall", "both")
NOTES = 6  # more drown a small model; the window of a large one would hold them
FUSION = 60.0  # reciprocal rank fusion's constant (Cormack, Clarke and Buettcher, 2009)


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
        """Words choose (FTS5, bm25), vectors order: reciprocal rank fusion of both rankings.

        A note that shares no content word with the question is not brought in: to a small model an
        irrelevant note is an answer.
        """
        found = self.journal.recall(question, limit=4 * NOTES)
        if len(found) < 2:
            return [m for m, _ in found]
        near = self._nearness(question, [m for m, _ in found])
        by_meaning = {int(i): rank for rank, i in enumerate(np.argsort(-near, kind="stable"))}
        fused = sorted(range(len(found)), key=lambda i: -(1 / (FUSION + i) + 1 / (FUSION + by_meaning[i])))
        return [found[i][0] for i in fused[:NOTES]]

    def _nearness(self, question: str, memories: Sequence[Memory]) -> np.ndarray:
        "[n] cosine of the question to each memory; vectors of memories are made once and kept."
        space = self.runtime.name + ":" + self.runtime.card.name + ":" + (self.runtime.worn or "base")
        ids, known = self.journal.vectors(space)
        at = {name: i for i, name in enumerate(ids)}
        fresh = [m for m in memories if m.id not in at]
        made = dict(zip([m.id for m in fresh], self.runtime.embed([m.text for m in fresh]), strict=True)) if fresh else {}
        for name, vector in made.items():
            self.journal.put_vector(name, space, vector)
        rows = np.stack([made[m.id] if m.id in made else known[at[m.id]] for m in memories])
        asked = self.runtime.embed([question])[0]
        centre = rows.mean(axis=0)  # hidden states share a large common direction
        return (rows - centre) @ (asked - centre)

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
