"""What a person said, in their own words, for a question that no note answers.

A night keeps what it is sure of, and most of what people say it is not sure of; on the day itself nothing is kept yet. What was
said stands in the journal all the same, and can be quoted with its date: that it was said is true, whatever came of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal import Journal
from pocketsleep.night.extract import meant, told
from pocketsleep.night.listen.hear import candidates
from pocketsleep.night.listen.people import People
from pocketsleep.night.listen.sentences import Sentence
from pocketsleep.nouns import Cite, Memory

TURNS = 24  # messages that share words with a question
NEWEST = 12  # messages that no night has heard yet


class Sayings:
    "A journal's messages, read anew for each question: what was hidden or forgotten since is not among them."

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def __call__(self, question: str) -> list[Memory]:
        "Sentences of the messages that share words with a question, each as if it were a note, with its turn and date."
        return self._sentences(self.journal.sayings(question, TURNS))

    def newest(self) -> list[Memory]:
        "Sentences of the last messages, the newest first: it takes no word of theirs to be asked for what was said today."
        return self._sentences(self.journal.newest_sayings(NEWEST))[::-1]

    def _sentences(self, cites: Sequence[Cite]) -> list[Memory]:
        "In the order of time. What was replaced is left out wherever it was said in the same words: talks are told again."
        stale, gone = self._stale(), set()
        found: list[Memory] = []
        for episode, turns in _by_episode(cites).items():
            try:
                whole = self.journal.episode(episode)
            except NotFound:  # forgotten in this very moment
                continue
            for cite, sentence in meant(whole):
                if cite.turn not in turns:
                    continue
                if any(answer in sentence.text for answer in stale.get(cite, ())) or self._forgotten(sentence):
                    gone.add(sentence.text)
                found.append(Memory(sentence.text, (cite,), since=whole.turns[cite.turn].said_at or whole.started_at))
        return sorted((one for one in found if one.text not in gone), key=lambda one: one.since)

    def _forgotten(self, sentence: Sentence) -> bool:
        "Whether what a night would hear in it was forgotten: where nobody cites it yet, forgetting did not take it along."
        texts = {one.text for one in candidates(sentence, "", People(), ()).kept}
        with suppress(BadInput):  # no sentence that could be told outright
            texts.add(told(sentence.text, None, ()).text)
        return any(map(self.journal.was_forgotten, texts))

    def _stale(self) -> dict[Cite, list[str]]:
        "What turns said that was replaced since: '' stands in every sentence."
        found: dict[Cite, list[str]] = defaultdict(list)
        for memory in self.journal.memories(status="superseded"):
            for cite in memory.cites:
                found[cite].append(memory.answer)
        return found


def _by_episode(cites: Iterable[Cite]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for cite in cites:
        found[cite.episode].add(cite.turn)
    return found
