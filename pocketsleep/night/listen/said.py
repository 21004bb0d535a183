"What one message looks like to the probe and to the writer: the same when they are trained and when they listen."

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketsleep.night.listen import frames
from pocketsleep.night.listen.hear import candidates
from pocketsleep.night.listen.people import People
from pocketsleep.night.listen.sentences import Sentence, asks, expand
from pocketsleep.nouns import Message

BEFORE, BETWEEN, LEAD = 300, 400, 240  # characters: of the assistant before, of others' words between, of what leads up
LONGEST = 700  # tokens of a message that is listened to
LAYERS = (16, 20, 24)  # blocks whose states are read; of SmolLM2's 30
AGAIN = "\n\nWhat the user said, once more:\n"


@dataclass(frozen=True, slots=True)
class Said:
    "One user message: its own sentences, what the assistant had said before, and what is known of the people it names."

    text: str
    sentences: tuple[Sentence, ...]
    before: str = ""
    known: tuple[str, ...] = ()


Encode = Callable[[str], list[int]]


def laid_out(said: Said, encode: Encode) -> tuple[list[int], list[tuple[int, int]]]:
    """(token ids, token span of each sentence). The message stands there twice and the second time is read, so that
    a causal model has seen all of it (echo embeddings, 2402.15449). A sentence that does not fit has an empty span."""
    body: list[int] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for one in said.sentences:
        body += encode(said.text[at : one.start][-BETWEEN:])
        words = encode(one.text)
        fits = len(body) + len(words) <= LONGEST
        spans.append((len(body), len(body) + len(words)) if fits else (0, 0))
        body += words if fits else []
        at = one.end
    body += encode(said.text[at:][:BETWEEN]) if len(body) < LONGEST else []
    first = [*encode(f"Assistant: {said.before[-BEFORE:]}\n" if said.before else ""), *encode("User: "), *body, *encode(AGAIN)]
    return [*first, *body], [(a + len(first), b + len(first)) if b > a else (0, 0) for a, b in spans]


_DROPS = ("question", "hypothetical", "unsure", "for now", "unresolved", "belief", "reported", "joke", "secret")


def flags(said: Said, one: Sentence) -> list[bool]:
    "What rules say about a sentence."
    heard = candidates(one, "", People(), (), said.text)
    dropped = {reason.partition(":")[0] for _, reason in heard.dropped}
    text, plain = one.text, expand(one.text)
    size = len(text.split())
    return [
        len(heard.kept) > 0, len(heard.kept) > 1, *(reason in dropped for reason in _DROPS),
        one.question, text.rstrip().endswith("?"), asks(plain), frames.speaks_of_self(text),
        bool(re.search(r"\b(?:my|our)\b", text, re.IGNORECASE)), bool(re.search(r"\bI\b|\bi'|\bwe\b", text)),
        frames.pretence(said.text), frames.hypothetical(plain), frames.passing(plain), frames.joke(plain), frames.command(plain),
        frames.reported(plain), bool(re.search(r"\d", text)), bool(re.search(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+", text)),
        size < 4, size > 20, bool(said.before), said.before.rstrip().endswith("?"), '"' in text, one.start == 0,
    ]


def writing(said: Said, one: Sentence) -> tuple[Message, ...]:
    "The prompt that asks for the notes of one sentence."
    lines = [f"Known: {k}" for k in named(said, one)]
    lines += [f"Assistant: {_flat(said.before[-BEFORE:])}"] if said.before else []
    lines += [f"Before: {_flat(said.text[max(0, one.start - LEAD) : one.start])}"] if one.start else []
    return (Message("user", "\n".join([*lines, f"Sentence: {_flat(one.text)}", "Notes:"])),)


def named(said: Said, one: Sentence) -> list[str]:
    "What is known of those whom a sentence names, two notes at most."
    return [k for k in said.known if any(re.search(rf"\b{re.escape(n)}\b", one.text) for n in _names(k))][:2]


def written_from(said: Said, one: Sentence) -> str:
    "Where the words of a sentence's notes come from: what is known of whom it names, what was asked, and the person's own so far."
    return "\n".join([*named(said, one), asked_for(said.before), said.text[max(0, one.start - LEAD) : one.end]])


_OPEN = re.compile(
    r"(?:^|(?<=[.!?\n]))\W*(?:(?:and|so|but|or|also|then)\b,? )?(?:(?:in|on|at|for|from|with|by|of|to|about|under|since) )?"
    r"(?:which|what|who|whom|whose|where|when|how)\b[^.!?\n]*\?", re.IGNORECASE)


def asked_for(before: str) -> str:
    """The open questions among what the assistant said last: who answers 'Which pump do you have?' with 'the old Honda' has said
    'pump' as well. What it asks with yes or no it may have made up, whatever clauses hang on it."""
    return " ".join(hit.strip() for hit in _OPEN.findall(before[-BEFORE:]))


def _names(note: str) -> Sequence[str]:
    return re.findall(r"(?<=[a-z,] )[A-ZÀ-Þ][\w'À-ÿ-]+|^[A-ZÀ-Þ][\w'À-ÿ-]+(?=, the user's)", note)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
