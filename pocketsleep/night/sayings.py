"""What a person said, in their own words, for a question that no note answers.

A night keeps what it is sure of, and most of what people say it is not sure of; on the day itself nothing is kept yet. What was
said stands in the journal all the same, and can be quoted with its date: that it was said is true, whatever came of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal import Journal
from pocketsleep.night.extract import meant, told
from pocketsleep.night.finder import Finder
from pocketsleep.night.listen.hear import candidates
from pocketsleep.night.listen.people import People
from pocketsleep.night.listen.sentences import Sentence
from pocketsleep.nouns import Cite, Memory

TURNS = 24  # messages that share words with a question
NEWEST = 12  # messages that no night has heard yet


class Sayings:
    "A journal's messages, read anew for each question: what was hidden or forgotten since is not among them."

    def __init__(self, journal: Journal, finder: Finder | None = None, left_out: Collection[Cite] = ()) -> None:
        self.journal, self.finder, self.left_out = journal, finder, frozenset(left_out)

    def without(self, turns: Collection[Cite]) -> Sayings:
        "The same, but for what was said in these turns."
        return Sayings(self.journal, self.finder, turns)

    def __call__(self, question: str) -> list[Memory]:
        "Sentences of the messages that share words with a question, each as if it were a note, with its turn and date."
        return self._sentences(self.journal.sayings(question, TURNS))

    def newest(self) -> list[Memory]:
        "Sentences of the last messages, the newest first: it takes no word of theirs to be asked for what was said today."
        return self._sentences(self.journal.newest_sayings(NEWEST))[::-1]

    def nearest(self, question: str, most: int) -> list[Memory]:
        "The sentences that lie nearest to a question, the nearest first: no word of theirs has to be in it."
        near = self.finder.near_sayings(question, most) if self.finder else []
        said = self._by_place([cite for cite, _ in near])
        return list(dict.fromkeys(said[place] for place in near if place in said))

    def _sentences(self, cites: Sequence[Cite]) -> list[Memory]:
        "In the order of time."
        return sorted(self._by_place(cites).values(), key=lambda one: one.since)

    def _by_place(self, cites: Sequence[Cite]) -> dict[tuple[Cite, int], Memory]:
        """The sentences of these turns by turn and number. What was replaced is left out wherever it was said in the same words:
        talks are told again."""
        stale, gone = self._stale(), set()
        found: dict[tuple[Cite, int], Memory] = {}
        for episode, turns in _by_episode(cites).items():
            try:
                whole = self.journal.episode(episode)
            except NotFound:  # forgotten in this very moment
                continue
            number: Counter[Cite] = Counter()
            for cite, sentence in meant(whole):
                if cite.turn not in turns or cite in self.left_out:
                    continue
                number[cite] += 1
                if any(answer in sentence.text for answer in stale.get(cite, ())) or self._forgotten(sentence):
                    gone.add(sentence.text)
                since = whole.turns[cite.turn].said_at or whole.started_at
                found[cite, number[cite] - 1] = Memory(sentence.text, (cite,), since=since)
        return {place: one for place, one in found.items() if one.text not in gone}

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
