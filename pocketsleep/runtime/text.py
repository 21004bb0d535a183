"""Between text and token ids, for every runtime: the window, tokens to text as it comes, stop strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pocketsleep.errors import BadInput
from pocketsleep.weights.tokenizer import Tokenizer

SHORTEST_ANSWER = 8  # tokens that a prompt has to leave free


def check_length(ids: Sequence[int], room: int) -> None:
    "Raises TooLong where a prompt would leave no place for an answer."
    if len(ids) + SHORTEST_ANSWER > room:
        raise TooLong(f"the conversation is {len(ids)} tokens long, the window holds {room}",
                       hint="start a new conversation")


def pieces(tokenizer: Tokenizer, tokens: Iterable[int]) -> Iterator[str]:
    "Text as it becomes whole: a character may be spread over several tokens."
    stream = tokenizer.stream()
    for token in tokens:
        if piece := stream.push(token):
            yield piece
    if piece := stream.finish():
        yield piece


class TooLong(BadInput):
    "A prompt that leaves no place for an answer."


def no_schema(runtime: str) -> BadInput:
    "Of an engine that cannot hold an answer to a JSON Schema."
    return BadInput(f"`{runtime}` cannot hold an answer to a JSON schema", hint="`pocketsleep doctor` says what serves here")


class Stops:
    "Passes a stream of pieces through up to the first stop string; what might be the start of one is held back."

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = tuple(s for s in stops if s)

    def through(self, pieces: Iterator[str]) -> Iterator[str]:
        held = ""
        for piece in pieces:
            held += piece
            if (cut := self._first(held)) is not None:
                if cut:
                    yield held[:cut]
                return
            safe = len(held) - self._tail(held)
            if safe:
                yield held[:safe]
                held = held[safe:]
        if held:
            yield held

    def _first(self, text: str) -> int | None:
        found = [at for s in self.stops if (at := text.find(s)) >= 0]
        return min(found) if found else None

    def _tail(self, text: str) -> int:
        "Length of the longest end of `text` that begins a stop string."
        longest = max((len(s) for s in self.stops), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(s.startswith(text[-size:]) for s in self.stops):
                return size
        return 0
