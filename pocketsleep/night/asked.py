"""Questions proposed by the base itself, kept only when it can answer them with the note and not without.

A base that reads its notes well words questions in more ways than a grammar. Below about 1B it mostly
repeats its examples, so `Recipe.self_asked` leaves this out there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pocketsleep.night.grade import declines, says
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.guard import commands
from pocketsleep.night.grammar.items import number, plain
from pocketsleep.night.grammar.live import content
from pocketsleep.nouns import Dream, Memory, Message, Sampling
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

LONGEST_QUESTION, LONGEST_ANSWER = 20, 8  # words
_TASK = (
    "I tell you one fact about me. Write {n} different short questions that I could ask you later and that "
    "this fact answers. Ask as I would, with I and my. One a line: the question, then ' | ', then the answer in "
    "one to six words taken from the fact."
)
_EXAMPLE = (
    "Fact: The user keeps two canoes in a barn near Olsfield.",
    "Where do I keep my canoes? | in a barn near Olsfield\nHow many canoes do I have? | two\n"
    "What's in the barn near Olsfield? | my canoes",
)
_LINE = re.compile(r"^[\s\d.)*-]*(?P<q>[^|?]{6,}\?)\s*[|:–—-]*\s*(?P<a>[^|]+?)\s*$")


def asked(
    runtime: Runtime, memories: Sequence[Memory], *, seed: int = 0, per_memory: int = 6, draws: int = 2
) -> list[Dream]:
    """At most `per_memory` verified items for each memory, from `draws` sampled replies a memory.

    Kept: questions in the first person whose answer's words all stand in the note and not all in the
    question, which `runtime` answers rightly with the note in its context and not without it. It is bare afterwards.
    """
    found: list[Dream] = []
    runtime.wear(None)  # what is worn by day may know the note without seeing it
    for memory in (m for m in memories if not commands(m.text)):
        replies = [_propose(runtime, memory, per_memory, number("asked", memory.id, str(seed), str(k))) for k in range(draws)]
        fitting = {plain(q): (q, a) for reply in replies for q, a in _read(reply) if fits(q, a, memory)}
        found += _verified(runtime, memory, list(fitting.values()))[:per_memory]
    return found


def _propose(runtime: Runtime, memory: Memory, count: int, seed: int) -> str:
    prompt = (
        Message("user", f"{_TASK.format(n=3)}\n\n{_EXAMPLE[0]}"),
        Message("assistant", _EXAMPLE[1]),
        Message("user", f"{_TASK.format(n=count)}\n\nFact: {memory.text}"),
    )
    return "".join(runtime.chat(prompt, Sampling(max_tokens=30 * count, temperature=0.8, top_p=0.95, seed=seed)))


def _read(reply: str) -> Iterator[tuple[str, str]]:
    "The (question, answer) pairs of a reply, one a line."
    for line in reply.splitlines():
        if match := _LINE.match(line):
            yield match["q"].strip(), match["a"].strip(" .\"'")


def fits(question: str, answer: str, memory: Memory) -> bool:
    "Whether a proposal is short, in the first person, grounded in the note and not answered by its own question."
    words, own = content(answer), content(question)
    short = len(question.split()) <= LONGEST_QUESTION and 0 < len(answer.split()) <= LONGEST_ANSWER
    mine = bool(re.search(r"\b(?:I|my|me|I'm|I've|mine)\b", question))
    grounded = bool(words) and words <= content(memory.text) | {"you", "your"}
    return (
        short and mine and grounded and not words <= own and not commands(question) and bool(own & content(memory.text))
    )


def _verified(runtime: Runtime, memory: Memory, pairs: Sequence[tuple[str, str]]) -> list[Dream]:
    "The round trip: answered rightly with the note, and not without it."
    if not pairs:
        return []
    told = runtime.answer([ask(q, [memory.text]) for q, _ in pairs], max_tokens=32)
    untold = runtime.answer([ask(q) for q, _ in pairs], max_tokens=32)
    return [
        Dream(q, sentence(a), "paraphrase", (memory.id,))
        for (q, a), with_note, without in zip(pairs, told, untold, strict=True)
        if says(with_note, a) and not declines(with_note) and not says(without, a)
    ]
