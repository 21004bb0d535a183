"What the nights did: stages, dropped items, dreams."

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from pocketsleep.errors import Busy, NotFound
from pocketsleep.journal.memories import memory_tombstone
from pocketsleep.journal.scrub import scrub
from pocketsleep.journal.store import Row
from pocketsleep.journal.veil import Veil
from pocketsleep.nouns import Cite, Dream, Dropped, Night, Verdict, content_id

CURRENT = "current"


def plain(value: Any) -> str:
    "JSON as it is kept; numbers of numpy become plain ones, sets and tuples lists."
    return json.dumps(value, ensure_ascii=False, default=lambda odd: odd.item() if hasattr(odd, "item") else list(odd))


class Nights(Veil):
    "Nights, from `begin` to `settle`."

    def begin(self, night: Night) -> Night:
        "Open a night; its id ('n1', 'n2', ...) and the adapter worn before it are filled in."
        with self.atomic():
            if (running := self.open_night()) is not None:
                raise Busy(f"night `{running.id}` has not ended", hint="`pocketsleep sleep` continues it")
            last = self.row("select max(number) as number from nights")
            number = ((last and last["number"]) or 0) + 1
            self.put(
                "nights",
                {
                    "number": number,
                    "started_at": night.started_at,
                    "seed": str(night.seed),
                    "base": night.base,
                    "recipe": plain(dict(night.recipe)),
                    "adapter": night.adapter,
                    "previous": self.current(),
                    "verdict": None,
                },
            )
            return self.night(f"n{number}")

    def restart(self, night: Night) -> Night:
        "An open night from its first stage, on the base, seed and recipe given. What was heard before stays in the ledger."
        with self.atomic():
            row = self._night_row(night.id)
            if row["verdict"] is not None:
                raise Busy(f"night `{night.id}` has ended", hint="`pocketsleep sleep --tonight` begins the next")
            for table in ("stages", "dreams", "dropped"):
                for old in self.rows(f"select * from {table} where night = ?", row["number"]):
                    self.remove(table, old)
            self.put("nights", row | {"seed": str(night.seed), "base": night.base, "recipe": plain(dict(night.recipe)),
                                      "previous": self.current()})
            return self.night(night.id)

    def open_night(self) -> Night | None:
        "The night that has no verdict yet."
        row = self.row("select * from nights where verdict is null order by number desc limit 1")
        return self._told_night(row) if row else None

    def nights(self) -> list[Night]:
        return [self._told_night(row) for row in self.rows("select * from nights order by number")]

    def night(self, name: str) -> Night:
        "A night by its id; '3' is 'n3'."
        return self._told_night(self._night_row(name))

    def _told_night(self, row: Row) -> Night:
        "Without what speaks of something that is hidden now."
        return _night(row | {"verdict": self._clear(row["verdict"]), "recipe": self._clear(row["recipe"])})

    def _clear(self, packed: str | None) -> str | None:
        return plain(traces.cleared(json.loads(packed))) if packed and (traces := self.hidden_traces()) else packed

    def _night_row(self, name: str) -> Row:
        digits = name.removeprefix("n")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
        if (row := self.row("select * from nights where number = ?", number)) is None:
            raise NotFound(f"there is no night `{name}`", hint="`pocketsleep nights` lists them")
        return row

    def stage(self, night_id: str, name: str) -> Any | None:
        "What a stage left, None when it has not been finished."
        row = self.row("select payload from stages where night = ? and name = ?", self._number(night_id), name)
        return json.loads(self._clear(row["payload"]) or "null") if row else None

    def finish(self, night_id: str, name: str, payload: Any) -> Any:
        "Keep what a stage found (JSON), and give it back as a later `stage` will."
        packed = plain(payload)
        with self.atomic():
            self.put(
                "stages",
                {
                    "night": self._number(night_id),
                    "name": name,
                    "payload": packed,
                    "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
                },
            )
        return json.loads(packed)

    def stages(self, night_id: str) -> dict[str, str]:
        "The finished stages of a night, and when each was."
        rows = self.rows(
            "select name, finished_at from stages where night = ? order by finished_at, rowid",
            self._number(night_id),
        )
        return {row["name"]: row["finished_at"] for row in rows}

    def _number(self, night_id: str) -> int:
        return int(self._night_row(night_id)["number"])

    def drop(self, night_id: str, items: Sequence[Dropped]) -> None:
        "Keep what was said but not kept, and why. The same item twice is one; what was forgotten meanwhile is none."
        with self.atomic():
            number = self._number(night_id)
            for item in items:
                text = scrub(item.text)[0]
                if self.buried(*memory_tombstone(text)) or (item.cite and self.forgotten_turn(item.cite)):
                    continue
                episode, turn = (item.cite.episode, item.cite.turn) if item.cite else (None, None)
                self.put(
                    "dropped",
                    {
                        "id": content_id("dropped", str(number), text, item.reason, str(item.cite)),
                        "night": number,
                        "text": text,
                        "reason": item.reason,
                        "episode": episode,
                        "turn": turn,
                    },
                )

    def forgotten_turn(self, cite: Cite) -> bool:
        "Whether what a turn said was forgotten."
        row = self.row("select mark from turns where episode = ? and idx = ?", cite.episode, cite.turn)
        return row is not None and row["mark"] is not None

    def dropped(self, night_id: str) -> list[Dropped]:
        return [
            Dropped(
                row["text"],
                row["reason"],
                None if row["episode"] is None else Cite(row["episode"], row["turn"]),
            )
            for row in self.rows("select * from dropped_shown where night = ? order by episode, turn, text", self._number(night_id))
            if not self.excluded(row["text"])
        ]

    def keep_dreams(self, night_id: str, dreams: Sequence[Dream]) -> None:
        "Keep a night's study items. Those of a memory that is not there (any more) are left out."
        with self.atomic():
            number = self._number(night_id)
            known = {row["id"] for row in self.rows("select id from memories_shown")}
            for seq, dream in enumerate(dreams):
                if known.issuperset(dream.memories):
                    self.put(
                        "dreams",
                        {
                            "night": number,
                            "id": dream.id,
                            "seq": seq,
                            "question": dream.question,
                            "answer": dream.answer,
                            "form": dream.form,
                            "held_out": int(dream.held_out),
                            "memories": plain(dream.memories),
                            "notes": plain(dream.notes),
                        },
                    )

    def let_go(self, but: Collection[str]) -> int:
        """Delete the study items of nights that have ended, `but` for these, and what their plans name them by. How many went.
        A night leaves thousands, and forgetting reads every one. A transaction a night: others write, too."""
        gone = 0
        nights = "select number from nights where verdict is not null and number in (select distinct night from dreams)"
        for number in (row["number"] for row in self.rows(nights) if f"n{row['number']}" not in but):
            with self.atomic():
                for dream in (old := self.rows("select * from dreams where night = ?", number)):
                    self.remove("dreams", dream)
                for plan in self.rows("select * from stages where night = ? and name = 'dream'", number):
                    self.put("stages", plan | {"payload": plain(json.loads(plan["payload"]) | {"skilled": {}, "now": {}})})
            gone += len(old)
        return gone

    def dreams(self, night_id: str | None = None, memory: str | None = None) -> list[Dream]:
        "Study items, of one night or of all, about one memory or about any."
        number = self._number(night_id) if night_id else None
        rows = self.rows(
            "select * from dreams_shown d where (? is null or night = ?) and (? is null or exists "
            "(select 1 from json_each(d.memories) where value = ?)) order by night, seq",
            number,
            number,
            memory,
            memory,
        )
        return [
            Dream(
                row["question"],
                row["answer"],
                row["form"],
                tuple(json.loads(row["memories"])),
                tuple(json.loads(row["notes"])),
                bool(row["held_out"]),
            )
            for row in rows
        ]

    def current(self) -> str:
        "Id of the adapter worn now, '' for the bare base."
        return self.setting(CURRENT)


def told_verdict(packed: str) -> Verdict:
    found = json.loads(packed)
    return Verdict(found["outcome"], tuple(found["failed"]), tuple(found["reasons"]), found["scores"])


def _night(row: Row) -> Night:
    return Night(
        f"n{row['number']}",
        row["started_at"],
        int(row["seed"]),
        row["base"],
        json.loads(row["recipe"]),
        row["adapter"],
        row["previous"],
        told_verdict(row["verdict"]) if row["verdict"] else None,
    )
