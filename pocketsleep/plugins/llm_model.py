"""`llm -m pocketsleep "..."`: the worn model and its journal, in the process of the `llm` command.

Only `llm` loads this. Whose words a turn holds is told from how they came: what was typed is the user's, fragments (`-f`) and
whatever may have come through a pipe are a tool's.
"""

from __future__ import annotations

import atexit
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import llm
from pydantic import Field

from pocketsleep.errors import NotFound, PocketError
from pocketsleep.nouns import Message, Role, Sampling

if TYPE_CHECKING:
    from pocketsleep.pocket import Pocket

APP = "llm"


@llm.hookimpl
def register_models(register: Any) -> None:
    register(Pocketsleep())


class Pocketsleep(llm.Model):
    model_id = "pocketsleep"
    can_stream = True

    class Options(llm.Options):
        max_tokens: int = Field(512, ge=1, le=32768, description="Most tokens of an answer")
        temperature: float = Field(0.0, ge=0, le=2, description="0 is the likeliest answer, each time the same")
        top_p: float = Field(1.0, ge=0, le=1, description="Draw from the likeliest tokens that make up this share")
        seed: int = Field(0, ge=0, description="The same seed draws the same answer")
        arm: Literal["base", "weights", "recall", "both"] = Field("both", description="Answer by adapter, notes, both or neither")
        private: bool = Field(False, description="Keep this exchange out of nights, recall and search")

    @cached_property
    def pocket(self) -> Pocket:
        from pocketsleep import home
        from pocketsleep.pocket import Pocket

        made = Pocket(home.find())
        atexit.register(made.close)
        return made

    @cached_property
    def day(self) -> Any:
        return self.pocket.day()

    def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any) -> Iterator[str]:
        "The answer in pieces; it is recorded once it has ended."
        o = prompt.options
        sampling = Sampling(o.max_tokens, o.temperature, o.top_p, o.seed)
        heard = []
        try:
            for piece in self.day.speak(_asked(prompt), sampling, arm=o.arm):
                heard.append(piece)
                yield piece
            receipt = self.day.receipt
            response.response_json = {"adapter": receipt.adapter or None, "notes": [m.text for m in receipt.notes]}
            self._record(f"{APP}-{(conversation or response).id}", _said(prompt, _piped()), "".join(heard), o.private)
        except PocketError as wrong:
            raise llm.ModelError(f"{wrong}\nHint: {wrong.hint}" if wrong.hint else str(wrong)) from wrong

    def _record(self, name: str, said: Sequence[Message], answer: str, private: bool) -> None:
        "Add an exchange to a conversation, or begin it."
        from pocketsleep.journal.taint import taint
        from pocketsleep.nouns import Episode, Turn

        journal, now = self.pocket.journal, datetime.now(UTC).isoformat(timespec="seconds")
        known = None
        with suppress(NotFound):
            known = journal.episode(name)
        turns = list(known.turns) if known else []
        for message in (*said, Message("assistant", answer)):
            turns.append(Turn(message.role, message.content, taint(turns, message.role, message.content), private, now))
        if known:
            journal.extend(name, turns[len(known.turns):])
        else:
            journal.record(Episode(name, tuple(turns), now, APP, private))


def _asked(prompt: Any) -> list[Message]:
    "What the model is asked: the conversation so far, fragments with what was typed."
    return [Message(m.role, "".join(getattr(part, "text", "") for part in m.parts)) for m in prompt.messages]


def _said(prompt: Any, piped: bool) -> list[Message]:
    "The same prompt as it is recorded: by whose words it holds."
    own: Role = "tool" if piped else "user"
    typed = prompt._prompt or ""
    return [*(Message("tool", str(f)) for f in prompt.fragments), *([Message(own, typed)] if typed.strip() else [])]


def _piped() -> bool:
    "Whether a pipe or a file stands at stdin: `llm` puts what comes from there in front of what was typed, as one text."
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISREG(kind) or stat.S_ISSOCK(kind)
