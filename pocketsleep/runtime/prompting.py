"""How notes stand in a prompt: one form for recall by day, for dreams that read notes, and for teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pocketsleep.nouns import Message

HEADING = "What the user has told you:"
CALLS = "What earlier calls of these tools have shown:"


def with_notes(messages: Sequence[Message], notes: Sequence[str], heading: str = HEADING) -> tuple[Message, ...]:
    "The same conversation with notes in its system message; without notes, unchanged."
    if not notes:
        return tuple(messages)
    listed = "\n".join([heading, *(f"- {note}" for note in notes)])
    if messages and messages[0].role == "system":
        return (replace(messages[0], content=f"{messages[0].content}\n\n{listed}".lstrip()), *messages[1:])
    return (Message("system", listed), *messages)


def ask(question: str, notes: Sequence[str] = ()) -> tuple[Message, ...]:
    "A prompt of one question."
    return with_notes((Message("user", question),), notes)
