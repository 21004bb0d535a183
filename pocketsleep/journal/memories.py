"What was learnt: memories, the turns they cite, and recall."

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal.scrub import scrub_turns, storable
from pocketsleep.journal.search import every, some, words
from pocketsleep.journal.store import Row
from pocketsleep.journal.veil import Veil
from pocketsleep.nouns import Cite, Memory

HINT = "`pocketsleep memories` lists them"


def memory_tombstone(text: str) -> tuple[str, str]:
    "What a forgotten memory is known by: its words, whatever their case and punctuation."
    return "memory", " ".join(words(text))


class Memories(Veil):
    "The ledger of memories. Hidden ones are as if they were not there; forgetting finds them all the same."

    def learn(self, memory: Memory) -> Memory | None:
        """Keep a memory, or add its cites to the same one; said again, a superseded one is active again.
        `supersedes` marks the old one. None when it was forgotten once: deleted stays deleted; when all that said it
        was forgotten since it was heard; and when an excluded pattern stands in it, or all that said it is hidden."""
        text, answer = scrub_turns((memory.text, memory.answer))
        memory = replace(memory, text=text.strip(), answer=answer)
        if not memory.text:
            raise BadInput("a memory without words cannot be kept", hint='`pocketsleep remember "..."`')
        with self.atomic():
            if self.buried(*memory_tombstone(memory.text)) or self.excluded(f"{memory.text} {memory.answer}"):
                return None
            cites = self._standing_cites(memory.cites)
            if memory.cites and not cites:
                return None
            memory = replace(memory, cites=cites)
            old = self.row("select * from memories where id = ?", memory.id)
            if old is not None and self._heard_before(memory):
                return self._shown(memory.id)
            self._put_memory(memory, old)
            self._put_cites(memory)
            if (shown := self._shown(memory.id)) is not None:
                self._supersede(memory)
            return shown

    def cite(self, memory: Memory) -> None:
        "These turns said it, too. It stays as it is: superseded or forgotten meanwhile, it does not come back."
        with self.atomic():
            if self.row("select 1 from memories where id = ?", memory.id):
                self._put_cites(replace(memory, cites=self._standing_cites(memory.cites)))

    def _put_cites(self, memory: Memory) -> None:
        for cite in memory.cites:
            self.put("cites", {"memory": memory.id, "episode": cite.episode, "turn": cite.turn})
        self._veil_memories([memory.id])

    def _shown(self, name: str) -> Memory | None:
        rows = self.rows("select * from memories_shown where id = ?", name)
        return self._memories(rows)[0] if rows else None

    def was_forgotten(self, text: str) -> bool:
        "Whether a memory of these words was forgotten once."
        return self.buried(*memory_tombstone(scrub_turns((text,))[0]))

    def _heard_before(self, memory: Memory) -> bool:
        "Whether these very turns told it before: read again, they say nothing new and bring nothing superseded back."
        rows = self.rows("select episode, turn from cites where memory = ?", memory.id)
        return bool(memory.cites) and {Cite(r["episode"], r["turn"]) for r in rows}.issuperset(memory.cites)

    def _standing_cites(self, cites: Iterable[Cite]) -> tuple[Cite, ...]:
        "Those whose turn was not forgotten while a night was listening to it."
        standing = []
        for cite in cites:
            turn = self.row("select mark from turns where episode = ? and idx = ?", cite.episode, cite.turn)
            if turn is None:
                raise BadInput(
                    f"a memory cites turn {cite.turn} of `{cite.episode}`, which is not in the journal",
                    hint="record the conversation first",
                )
            if turn["mark"] is None:
                standing.append(cite)
        return tuple(standing)

    def _put_memory(self, new: Memory, old: Row | None) -> None:
        if old is None:
            last = self.row("select max(seq) as seq from memories")
            row = {
                "seq": ((last and last["seq"]) or 0) + 1,
                "id": new.id,
                "text": new.text,
                "answer": new.answer,
                "kind": new.kind,
                "supersedes": new.supersedes,
                "status": "active",
                "told": int(new.told),
                "since": storable(new.since),
            }
            self._index_memory(self.put("memories", row))
            return
        back = old["status"] != "active"
        row = old | {
            "status": "active",
            "told": int(old["told"] or new.told),
            "answer": old["answer"] or new.answer,
            "supersedes": new.supersedes or old["supersedes"],
            "since": (new.since if back else old["since"]) or old["since"] or new.since,
        }
        if row["answer"] != old["answer"]:
            self._unindex_memory(old)
            self._index_memory(row)
        self.put("memories", row)

    def _supersede(self, memory: Memory) -> None:
        old = self.row("select * from memories where id = ?", memory.supersedes)
        if old is not None and memory.supersedes != memory.id:
            self.put("memories", old | {"status": "superseded"})

    def memories(self, words: str = "", status: str | None = "active") -> list[Memory]:
        """Memories in the order they were learnt (`status` None: superseded ones too). With words: those that
        have all of them, or else any of them; best first."""
        if not words.strip():
            shown = "select * from memories_shown where ? is null or status = ? order by seq"
            return self._memories(self.rows(shown, status, status))
        for query in (every(words), some(words)):
            if found := self._matching(query, status, limit=-1):
                return self._memories(found)
        return []

    def places(self, status: str | None = "active") -> dict[str, int]:
        """Where each live memory (None: superseded ones too) stands in the ledger, from 1 on: later ones have higher
        places, and none moves."""
        rows = self.rows("select id, seq from memories_shown where ? is null or status = ? order by seq", status, status)
        return {row["id"]: row["seq"] for row in rows}

    def recall(self, query: str, limit: int) -> list[tuple[Memory, float]]:
        """Active memories that share a telling word with a question, best first, with their score.

        The score is minus FTS5's bm25 (Porter stems, question words left out): above 0, more is better,
        comparable within one answer only.
        """
        rows = self._matching(some(query), "active", limit)
        return list(zip(self._memories(rows), (-row["score"] for row in rows), strict=True))

    def _matching(self, query: str, status: str | None, limit: int) -> list[Row]:
        return (
            self.rows(
                "select m.*, bm25(memories_fts) as score from memories_fts f join memories_shown m "
                "on m.seq = f.rowid where memories_fts match ? and (? is null or m.status = ?) "
                "order by score, m.seq limit ?",
                query,
                status,
                status,
                limit,
            )
            if query
            else []
        )

    def memory(self, name: str) -> Memory:
        "The memory of this id, or of an id that begins so (with or without its 'b2-')."
        row = self._memory_row(name)
        if (shown := self._shown(row["id"])) is None:
            raise NotFound(f"the memory `{name}` is hidden", hint="`pocketsleep exclude list` says by what")
        return shown

    def _memory_row(self, name: str) -> Row:
        stem = name if name.startswith("b2-") else "b2-" + name
        rows = (
            self.rows(
                "select * from memories where id = ? or substr(id, 1, ?) = ? order by seq",
                stem,
                len(stem),
                stem,
            )
            if name not in ("", "b2-")
            else []
        )
        if exact := [row for row in rows if row["id"] == stem]:
            return exact[0]
        if not rows:
            raise NotFound(f"there is no memory `{name}`", hint=HINT)
        if len(rows) > 1:
            raise BadInput(f"`{name}` begins the ids of {len(rows)} memories", hint=f"type more of it: {HINT}")
        return rows[0]

    def _memories(self, rows: list[Row]) -> list[Memory]:
        cites = self._cites_of(rows[0]["id"] if len(rows) == 1 else None) if rows else {}
        return [
            Memory(
                row["text"],
                tuple(cites.get(row["id"], ())),
                row["kind"],
                row["answer"],
                row["supersedes"],
                row["status"],
                bool(row["told"]),
                row["since"],
            )
            for row in rows
        ]

    def _cites_of(self, one: str | None) -> dict[str, list[Cite]]:
        "The cites of one memory, or of all: by memory, in the order in which they were said."
        where, wanted = ("where c.memory = ?", (one,)) if one else ("", ())
        cites: dict[str, list[Cite]] = {}
        for row in self.rows(
            f"select c.* from cites_shown c {where} order by c.place",
            *wanted,
        ):
            cites.setdefault(row["memory"], []).append(Cite(row["episode"], row["turn"]))
        return cites
