"""Forgetting: out of every table, every index and every file of the journal, with a tombstone against return.

A memory takes with it the turns that said it, since their text holds the sentence: those it cites, and those
of the same conversations that repeat its answer. A conversation takes its turns and the memories that nothing
else says; what was told outright stays, without these cites. Of other conversations goes what repeats these
turns word for word, from the first turn on. What the nights noted about any of it goes too, and an adapter that
holds it is taken off.
What remains: content hashes that lost their salt, keyed tombstones, and the ids of memories in the records of
adapters that were trained on them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal.again import is_telling
from pocketsleep.journal.before import Before
from pocketsleep.journal.knacks import Knacks
from pocketsleep.journal.memories import memory_tombstone
from pocketsleep.journal.nights import plain
from pocketsleep.journal.ratings import Ratings
from pocketsleep.journal.search import QUESTION_WORDS, quoted, words
from pocketsleep.journal.store import Row
from pocketsleep.journal.traces import Traces, sentences
from pocketsleep.journal.vectors import Vectors
from pocketsleep.journal.veil import quoted as quoted_by
from pocketsleep.journal.veil import root, tombstone_fields
from pocketsleep.journal.wearing import Wearing
from pocketsleep.nouns import Cite, Turn

_WHEN = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october "
    "november december today tomorrow tonight next this early late mid end weekend week month year morning afternoon evening "
    "night in of on the".split())
_SHORTEST = 3  # characters of an answer or a word that is looked for elsewhere


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went. `taken_off`: the adapter that was worn and held it ('' if none was). `clean`: False when
    another reader kept the files from being swept; that is tried again when the journal is next opened.
    `still_said_in`: ids of memories and conversations that still hold the forgotten answer. `knacks`: ids of what was known of
    calls of tools, and is not any more."""

    memories: tuple[str, ...] = ()
    turns: tuple[Cite, ...] = ()
    dreams: int = 0
    taken_off: str = ""
    clean: bool = True
    still_said_in: tuple[str, ...] = ()
    knacks: tuple[str, ...] = ()


class Forgetting(Before, Vectors, Wearing, Ratings, Knacks):
    "Forgetting."

    def forget(self, target: str) -> Forgotten:
        "Forget a memory or a knack (by id or the beginning of it), or a conversation. Works on a full disk."
        gone = self.vital(lambda: self._forget(target))
        if self.sweep():
            return gone
        return replace(gone, clean=False)

    def goes_with(self, target: str) -> list[tuple[Cite, Turn]]:
        "The turns that forgetting this would take, for a person to see before."
        _, turns = self._doomed(target)
        cites = [Cite(row["episode"], row["idx"]) for row in turns]
        return [(cite, self.turn(cite)) for cite in cites]

    def heirs(self, target: str) -> list[str]:
        "Ids of memories that replaced, one after another, what forgetting this would take: nights taught them in contrast to it."
        gone = {row["id"] for row in self._doomed(target)[0]}
        replaced = self.rows("select id, supersedes from memories where supersedes <> ''")
        found, later = set(gone), gone
        while later := {row["id"] for row in replaced if row["supersedes"] in later} - found:
            found |= later
        return sorted(found - gone)

    def _forget(self, target: str) -> Forgotten:
        with self.atomic():
            memories, turns = self._doomed(target)
            answers = [row["answer"] for row in memories if len(row["answer"]) >= _SHORTEST]
            worn = self.current()
            knacks = self._erase_knacks([*self._knacks_of(turns), *self._knacks_named(target)])
            for row in turns:
                self._erase_turn(row)
            for row in memories:
                self._erase_memory(row)
            traces = self._traces(memories, turns)
            dreams = self._clear_notes(traces, turns)
            taken_off = worn if worn and self.forgotten_in(self.holds(worn)) else ""
            if taken_off:
                self._wear("")
            self._veil_memories()
            self._sweep_later()
            return Forgotten(
                tuple(row["id"] for row in memories),
                tuple(Cite(row["episode"], row["idx"]) for row in turns),
                dreams,
                taken_off,
                True,
                tuple(dict.fromkeys((*self._other_tellings(target), *self._still_said(answers)))),
                knacks,
            )

    def _doomed(self, target: str) -> tuple[list[Row], list[Row]]:
        "The memories and the turns that go with a target."
        if self.row("select 1 from episodes where id = ?", target):
            turns = self._with_quotations_of(self._turns_of(target))
            return self._only_said_in(target, turns), turns
        if self._knacks_named(target):
            return [], []
        if len(target.removeprefix("b2-")) < 4:
            raise BadInput(
                f"`{target}` is too short to forget by",
                hint="type four characters of the id or more: `pocketsleep memories` lists them",
            )
        try:
            memory = self._memory_row(target)
        except NotFound as error:
            raise NotFound(
                f"there is no memory and no conversation `{target}`",
                hint="`pocketsleep memories` lists memories",
            ) from error
        return [memory, *self._said_otherwise(memory)], self._with_quotations_of(self._turns_saying(memory))

    def _said_otherwise(self, memory: Row) -> list[Row]:
        "What was said in the same words and is only told otherwise, since its day is over: a plan, and what became of it."
        linked = self.rows("select * from memories where id <> ? and since = ? and (id = ? or supersedes = ?)",
                           memory["id"], memory["since"], memory["supersedes"], memory["id"])
        mine = self._places_said(memory["id"])
        outright = memory["told"] and not mine
        pairs = ((row, (memory, row) if row["supersedes"] == memory["id"] else (row, memory)) for row in linked)
        return [row for row, pair in pairs if _retold(*pair) and (outright or mine & self._places_said(row["id"]))]

    def _places_said(self, memory: str) -> set[Cite]:
        return {Cite(row["episode"], row["turn"]) for row in self.rows("select * from cites where memory = ?", memory)}

    def _with_quotations_of(self, turns: list[Row]) -> list[Row]:
        "Answers in any talk that quote these turns go with them."
        going, said = {row["place"] for row in turns}, [row["text"] for row in turns if row["role"] == "user"]
        return turns + [row for row in self._quotations() if row["place"] not in going and (quote := quoted_by(row))
                        and any(quote in text for text in said)]

    def _turns_of(self, name: str) -> list[Row]:
        """The turns of a conversation, and of others those that repeat its beginning, with what was answered to them. Of another
        root only where one goes on with the other: what is asked every day is not one conversation."""
        turns = self.rows("select * from turns where episode = ? order by idx", name)
        found = list(turns)
        for kept, alike in self._copies(turns):
            shorter, longer = sorted((len(kept), len(turns)))
            if root(kept[0]["episode"]) != root(name) and not alike == shorter < longer:
                continue
            found += kept[:alike]
            found += takewhile(lambda row: row["role"] in ("assistant", "tool"), kept[alike:])
        return [row for row in found if row["mark"] is None]

    def _only_said_in(self, name: str, turns: list[Row]) -> list[Row]:
        "Memories that this conversation said, and no turn that stays; a person who told one outright says so still."
        places = json.dumps([row["place"] for row in turns])
        return self.rows(
            "with going as (select c.memory, c.episode, t.mark, t.place in (select value from json_each(?)) as goes "
            "from cites c join turns t on t.episode = c.episode and t.idx = c.turn) "
            "select * from memories where told = 0 and id in (select memory from going where goes or episode = ?) "
            "and id not in (select memory from going where mark is null and not goes)",
            places,
            name,
        )

    def _turns_saying(self, memory: Row) -> list[Row]:
        "The turns it cites and their copies, and those of the same conversations that repeat its answer or its text."
        cited = self._cited(memory["id"])
        rows = self.rows(
            "select * from turns where mark is null and episode in (select value from json_each(?)) order by place",
            json.dumps([cite.episode for cite in cited]),
        )
        phrases = (memory["answer"], memory["text"])
        return [
            row
            for row in rows
            if Cite(row["episode"], row["idx"]) in cited or any(_says(row["text"], phrase) for phrase in phrases)
        ]

    def _cited(self, memory_id: str) -> set[Cite]:
        "The turns that a memory cites, also where another conversation repeats them."
        cited = self._places_said(memory_id)
        said: dict[str, frozenset[int]] = {}
        for cite in cited:
            said[cite.episode] = said.get(cite.episode, frozenset()) | {cite.turn}
        known: dict[frozenset[int], set[str]] = defaultdict(set)  # conversations cited at the same places need no comparing
        for name, places in said.items():
            known[places].add(name)
        copies = set()
        for name, places in said.items():
            turns = self.rows("select * from turns where episode = ? order by idx", name)
            for kept, alike in self._copies(turns, known[places]):
                copies |= {Cite(row["episode"], row["idx"]) for row in kept[:alike] if row["idx"] in places}
        return cited | copies

    def _erase_turn(self, row: Row) -> None:
        fields = tombstone_fields(row["role"], row["text"])
        self._unindex_turn(row)
        mark = self.bury(*fields) if is_telling(row["role"], row["text"]) else self._mark(*fields)
        self.put("turns", row | {"text": None, "salt": None, "mark": mark})
        for note in self.rows("select * from feedback where episode = ? and turn = ?", row["episode"], row["idx"]):
            if note["correction"]:
                self.bury(*tombstone_fields("user", note["correction"]))
            self.remove("feedback", note)
        for cite in self.rows(
            "select c.* from cites c join memories m on m.id = c.memory where m.told = 1 and c.episode = ? and c.turn = ?",
            row["episode"],
            row["idx"],
        ):
            self.remove("cites", cite)
        self._drop_receipt(row["episode"], row["idx"])
        for part in self.rows("select * from said_vectors where place = ?", row["place"]):
            self.remove("said_vectors", part)

    def _erase_memory(self, row: Row) -> None:
        self.bury(*memory_tombstone(row["text"]))
        self.bury("memory id", row["id"])
        self._unindex_memory(row)
        for table in ("cites", "vectors"):
            for part in self.rows(f"select * from {table} where memory = ?", row["id"]):
                self.remove(table, part)
        self.remove("memories", row)
        self._drop_from_receipts(row["id"])
        for heir in self.rows("select * from memories where supersedes = ?", row["id"]):
            self.put("memories", heir | {"supersedes": ""})

    def _traces(self, memories: list[Row], turns: list[Row]) -> Traces:
        "Sentences of what went, answers, and the words that nobody says any more."
        texts = [row["text"] for row in (*memories, *turns)]
        traces = Traces(ids={row["id"] for row in memories})
        for text in texts:
            traces.phrases |= set(sentences(text))
        answers = [row["answer"] for row in memories]
        traces.phrases |= {answer.casefold() for answer in answers if len(answer.split()) > 1}
        once = dict.fromkeys(
            word for text in (*texts, *answers) for word in words(text) if len(word) >= _SHORTEST and word not in QUESTION_WORDS
        )
        traces.words = {word for word in once if not self._said_elsewhere(word)}
        traces.words |= {answer.casefold() for answer in answers if len(answer.split()) == 1 and len(answer) >= _SHORTEST}
        return traces

    def _clear_notes(self, traces: Traces, turns: Iterable[Row]) -> int:
        """Take it out of dreams, dropped items, stages, recipes and verdicts. How many dreams went. A night that is under way loses
        all it has where a memory went or one of its dreams speaks of what did: it must not go on with what it read before."""
        cites = {(row["episode"], row["idx"]) for row in turns}
        every = self.rows("select d.*, n.verdict is null as open from dreams d join nights n on n.number = d.night")
        said = ("question", "answer", "notes", "memories")
        spoken = {row["id"] for row in every if traces.in_text("\n".join(row[part] for part in said))}
        afresh = bool(traces.ids) or any(row["open"] and row["id"] in spoken for row in every)
        dreams = [row for row in every if (row.pop("open") and afresh) or row["id"] in spoken]
        for row in dreams:
            self.remove("dreams", row)
        traces.ids |= {row["id"] for row in dreams if traces.in_text(row["memories"])}
        for row in self.rows("select * from dropped"):
            if (row["episode"], row["turn"]) in cites or traces.in_text(row["text"]) or traces.in_text(row["reason"]):
                self.remove("dropped", row)
        for row in self.rows("select s.*, n.verdict is null as open from stages s join nights n on n.number = s.night"):
            self._clear_stage(traces, row, afresh)
        for row in self.rows("select * from nights"):
            self._clear_night(traces, row)
        return len(dreams)

    def _clear_stage(self, traces: Traces, row: Row, afresh: bool) -> None:
        if row.pop("open"):
            if afresh:
                self.remove("stages", row)
            return
        payload = json.loads(row["payload"])
        if (cleared := traces.cleared(payload)) != payload:
            self.put("stages", row | {"payload": plain(cleared)})

    def _clear_night(self, traces: Traces, row: Row) -> None:
        "Rule names, outcome and numbers stay."
        verdict = json.loads(row["verdict"]) if row["verdict"] else None
        if verdict:
            verdict |= {part: traces.cleared(verdict[part]) for part in ("reasons", "scores")}
        recipe = traces.cleared(json.loads(row["recipe"]))
        new = row | {"recipe": plain(recipe), "verdict": plain(verdict) if verdict else None}
        if new != row:
            self.put("nights", new)

    def _other_tellings(self, target: str) -> list[str]:
        "Of a conversation, those of the same beginning of which something is left: an edited message stays in the first."
        others = [name for name in self._rooted(root(target)) if name != target]
        rows = self.rows("select episode, min(place) as first from turns where mark is null and episode in "
                         "(select value from json_each(?)) group by episode order by first", json.dumps(others))
        return [row["episode"] for row in rows]

    def _still_said(self, answers: list[str]) -> tuple[str, ...]:
        "Where else an answer stands: for the person to decide."
        found: dict[str, None] = {}
        for answer in answers:
            query = quoted(answer)
            for sql in (
                "select m.id from memories_fts f join memories m on m.seq = f.rowid where memories_fts match ? order by m.seq",
                "select t.episode as id from turns_fts f join turns t on t.place = f.rowid "
                "where turns_fts match ? order by t.place",
            ):
                found |= dict.fromkeys(row["id"] for row in self.rows(sql, query))
        return tuple(found)


def _says(text: str, phrase: str) -> bool:
    "Whether a text has a phrase, as whole words."
    return len(phrase) >= _SHORTEST and re.search(rf"(?<!\w){re.escape(phrase.casefold())}(?!\w)", text.casefold()) is not None


def _retold(plan: Row, past: Row) -> bool:
    "Whether one memory says with a year, and in another tense, what the other does: no name is in one alone, and few words are."
    before, after = (set(re.findall(r"\b[^\W\d][\w'’-]*", row["text"])) for row in (plan, past))
    apart = [{word for word in some if word.casefold() not in _WHEN} for some in (before - after, after - before)]
    return (re.search(r"\b[12]\d{3}\b", past["text"]) is not None and all(word.islower() for word in set().union(*apart))
            and 0 < len(apart[0]) <= 5 and 0 < len(apart[1]) <= 2)
