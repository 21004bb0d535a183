"""Forgetting: out of every table, every index and every file of the journal, with a tombstone against return.

A memory takes with it the turns that said it, since their text holds the sentence: those it cites, and those
of the same conversations that repeat its answer. A conversation takes its turns and the memories that cite
nothing else. What the nights noted about any of it goes too, and an adapter that holds it is taken off.
What remains: content hashes that lost their salt, keyed tombstones, and the ids of memories in the records of
adapters that were trained on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal.memories import Memories, memory_tombstone
from pocketsleep.journal.nights import plain
from pocketsleep.journal.receipts import Receipts
from pocketsleep.journal.search import QUESTION_WORDS, quoted, words
from pocketsleep.journal.store import Row
from pocketsleep.journal.traces import Traces, sentences
from pocketsleep.journal.turns import Turns, is_telling
from pocketsleep.journal.veil import tombstone_fields
from pocketsleep.journal.wearing import Wearing
from pocketsleep.nouns import Cite, Turn

_SHORTEST = 3  # characters of an answer or a word that is looked for elsewhere


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went. `taken_off`: the adapter that was worn and held it ('' if none was). `clean`: False when
    another reader kept the files from being swept; that is tried again when the journal is next opened.
    `still_said_in`: ids of memories and conversations that still hold the forgotten answer."""

    memories: tuple[str, ...] = ()
    turns: tuple[Cite, ...] = ()
    dreams: int = 0
    taken_off: str = ""
    clean: bool = True
    still_said_in: tuple[str, ...] = ()


class Forgetting(Turns, Memories, Wearing, Receipts):
    "Forgetting."

    def forget(self, target: str) -> Forgotten:
        "Forget a memory (by id or the beginning of it) or a conversation. Works on a full disk."
        gone = self.vital(lambda: self._forget(target))
        if self.sweep():
            return gone
        return Forgotten(gone.memories, gone.turns, gone.dreams, gone.taken_off, False, gone.still_said_in)

    def goes_with(self, target: str) -> list[tuple[Cite, Turn]]:
        "The turns that forgetting this would take, for a person to see before."
        _, turns = self._doomed(target)
        cites = [Cite(row["episode"], row["idx"]) for row in turns]
        return [(cite, self.turn(cite)) for cite in cites]

    def _forget(self, target: str) -> Forgotten:
        with self.atomic():
            memories, turns = self._doomed(target)
            answers = [row["answer"] for row in memories if len(row["answer"]) >= _SHORTEST]
            worn = self.current()
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
                self._still_said(answers),
            )

    def _doomed(self, target: str) -> tuple[list[Row], list[Row]]:
        "The memories and the turns that go with a target."
        if self.row("select 1 from episodes where id = ?", target):
            turns = self.rows("select * from turns where episode = ? and mark is null order by idx", target)
            return self.rows(
                "select * from memories where id in (select memory from cites where episode = ?) and id "
                "not in (select memory from cites where episode <> ?)",
                target,
                target,
            ), turns
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
        return [memory], self._turns_saying(memory)

    def _turns_saying(self, memory: Row) -> list[Row]:
        "The turns it cites, and those of the same conversations that repeat its answer or its text."
        cited = {
            (row["episode"], row["turn"]) for row in self.rows("select episode, turn from cites where memory = ?", memory["id"])
        }
        rows = self.rows(
            "select * from turns where mark is null and episode in (select episode from cites where memory = ?) order by place",
            memory["id"],
        )
        return [
            row
            for row in rows
            if (row["episode"], row["idx"]) in cited or _says(row["text"], memory["answer"]) or _says(row["text"], memory["text"])
        ]

    def _erase_turn(self, row: Row) -> None:
        fields = tombstone_fields(row["role"], row["text"])
        self._unindex_turn(row)
        mark = self.bury(*fields) if is_telling(row["role"], row["text"]) else self._mark(*fields)
        self.put("turns", row | {"text": None, "salt": None, "mark": mark})
        for note in self.rows("select * from feedback where episode = ? and turn = ?", row["episode"], row["idx"]):
            if note["correction"]:
                self.bury(*tombstone_fields("user", note["correction"]))
            self.remove("feedback", note)
        self._drop_receipt(row["episode"], row["idx"])

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
        "Take it out of dreams, dropped items, stages, recipes and verdicts. How many dreams went."
        cites = {(row["episode"], row["idx"]) for row in turns}
        dreams = [
            row
            for row in self.rows("select d.*, n.verdict is null as open from dreams d join nights n on n.number = d.night")
            if row.pop("open") or traces.in_text("\n".join((row["question"], row["answer"], row["notes"], row["memories"])))
        ]
        for row in dreams:
            self.remove("dreams", row)
        traces.ids |= {row["id"] for row in dreams if traces.in_text(row["memories"])}
        for row in self.rows("select * from dropped"):
            if (row["episode"], row["turn"]) in cites or traces.in_text(row["text"]) or traces.in_text(row["reason"]):
                self.remove("dropped", row)
        for row in self.rows("select s.*, n.verdict is null as open from stages s join nights n on n.number = s.night"):
            self._clear_stage(traces, row)
        for row in self.rows("select * from nights"):
            self._clear_night(traces, row)
        return len(dreams)

    def _clear_stage(self, traces: Traces, row: Row) -> None:
        "A night that is under way starts afresh: it must not go on with what it read before."
        if row.pop("open"):
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
