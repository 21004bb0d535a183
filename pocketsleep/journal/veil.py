"""What is hidden, kept beside the tables: which turns and memories, and why. Decided in privacy.py.

Readers read the views `*_shown`, which leave it out. Whoever changes a conversation, a memory or an exclusion
calls `_veil` or `_veil_memories`, inside the same transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pocketsleep.errors import NotFound
from pocketsleep.journal import privacy
from pocketsleep.journal.privacy import AGAIN, ANSWER, OFF_THE_RECORD, Exclusion, Rules
from pocketsleep.journal.search import Search
from pocketsleep.journal.store import Row
from pocketsleep.journal.traces import Hidden, sentences
from pocketsleep.nouns import Cite, content_id

_QUOTE = re.compile(r'\byou said: "(.+)"\s*$', re.IGNORECASE | re.DOTALL)  # as serve/second.py and day.py write it
_DONE, _RULE = "veil", "1"  # by which rule the veil was last drawn over everything


@dataclass(frozen=True, slots=True)
class Veiled:
    """What a change of the exclusions hid, or showed again: how many turns, and ids of memories. `taken_off`: the
    adapter that was worn and holds some of them."""

    turns: int = 0
    memories: tuple[str, ...] = ()
    taken_off: str = ""


def tombstone_fields(role: str, text: str) -> tuple[str, str, str]:
    "What a turn is known by: role and words, whatever the spacing and case."
    return "turn", role, " ".join(text.casefold().split())


def root(name: str) -> str:
    "The id under which other tellings of a conversation begin."
    return name.partition("~")[0]


def quoted(turn: Row) -> str:
    "The words of the user that an answer quotes, '' for none."
    found = _QUOTE.search(turn["text"] or "") if turn["role"] == "assistant" else None
    return found[1] if found else ""


class Veil(Search):
    "Hiding and showing."

    _drawn: tuple[object, Hidden] | None = None  # as last read, and of which state

    def hidden(self) -> dict[str, int]:
        "How many turns are hidden, by reason: `private`, `app:...`, `pattern:...`, `turn`, `conversation`, `answer`, `again`."
        return {row["why"]: row["n"] for row in self.rows("select why, count(*) as n from veiled group by why order by why")}

    def exclusions(self) -> list[Exclusion]:
        "What a person keeps out, oldest first."
        rows = self.rows("select * from exclusions order by since, id")
        return [Exclusion(row["kind"], row["value"], row["since"]) for row in rows]

    def excluded(self, text: str) -> str:
        "The pattern that stands in a text (`pattern:...`), '' when it may be kept."
        return self._rules().of_text(text)

    def hidden_traces(self) -> Hidden | None:
        "How notes that speak of what is hidden are known; None when nothing is."
        rules = self._rules()
        if not rules.patterns and not self.row("select 1 from veiled limit 1"):
            return None
        stamp = tuple(row["total"] for row in self.rows("select total from tallies where name in ('veiled', 'veiled_memories')"))
        if self._drawn is None or self._drawn[0] != (stamp, rules):
            self._drawn = (stamp, rules), self._read_traces(rules)
        return self._drawn[1]

    def _read_traces(self, rules: Rules) -> Hidden:
        traces = Hidden(rules=rules)
        for row in self.rows(
            "select t.text from veiled v join turns t on t.place = v.place where t.mark is null union all "
            "select m.text from veiled_memories v join memories m on m.id = v.memory"
        ):
            traces.phrases |= set(sentences(row["text"]))
        return traces

    def _rules(self) -> Rules:
        return Rules(tuple(self.exclusions()))

    def draw_veil(self) -> None:
        "After an upgrade: hide what the rule hides. Afterwards it is kept in step."
        if self.setting(_DONE) == _RULE:
            return
        with self.atomic():
            for row in self.rows("select id from episodes"):
                self._veil(row["id"], fresh=0)
            self.db.execute("insert into turns_fts(turns_fts) values ('rebuild')")
            self._veil_memories()
            self.put("settings", {"name": _DONE, "value": _RULE})

    def _put_exclusion(self, one: Exclusion) -> None:
        since = one.since or datetime.now(UTC).isoformat(timespec="seconds")
        self.put("exclusions", {"id": one.id, "kind": one.kind, "value": one.value, "since": since})

    def _drop_exclusion(self, one: Exclusion) -> None:
        if (row := self.row("select * from exclusions where id = ?", one.id)) is None:
            raise NotFound(f"the {one.kind} `{one.value}` is not excluded", hint="`pocketsleep exclude list` lists what is")
        self.remove("exclusions", row)

    def _veil_after(self, one: Exclusion) -> tuple[int, tuple[str, ...]]:
        "Draw it anew after an exclusion came or went: (turns, memories) that changed."
        turns, memories = self._veiled_turns(), self._veiled_ids()
        for name in self._touched(one):
            self._veil(name)
        self._veil_memories()
        return len(turns ^ self._veiled_turns()), tuple(sorted(memories ^ self._veiled_ids()))

    def _veiled_turns(self) -> set[int]:
        return {row["place"] for row in self.rows("select place from veiled")}

    def _veiled_ids(self) -> set[str]:
        return {row["memory"] for row in self.rows("select memory from veiled_memories")}

    def _touched(self, one: Exclusion) -> list[str]:
        """Conversations that an exclusion can reach, what it names first: others repeat it. A turn and a conversation
        reach those that have the same words; an app and a pattern all."""
        if one.kind in ("app", "pattern"):
            return [row["id"] for row in self.rows("select id from episodes")] * 2
        cite = one.cite if one.kind == "turn" else Cite(one.value, 0)
        rows = self.rows(
            "select distinct t.episode from turns t join turns o on o.role = t.role and o.text = t.text "
            "where o.episode = ? and o.idx = ?",
            cite.episode,
            cite.turn,
        )
        return [cite.episode, *(row["episode"] for row in rows), *dict.fromkeys(row["episode"] for row in self._quotations())]

    def _quotations(self) -> list[Row]:
        "Answers that quote what the user said, in this talk or an earlier one."
        return self.rows("select * from turns where role = 'assistant' and mark is null and text like ? order by place",
                         '%you said: "%')

    def _veil(self, name: str, fresh: int | None = None) -> None:
        """Hide and show the turns of one conversation by the rule. `fresh`: from this index on turns are not in the
        search index yet (None: all are); those that may be searched enter it."""
        episode = self.row("select * from episodes where id = ?", name)
        assert episode is not None
        turns = self.rows("select * from turns where episode = ? order by idx", name)
        kept = {
            row["place"]: row
            for row in self.rows("select v.* from veiled v join turns t on t.place = v.place where t.episode = ?", name)
        }
        changed = False
        why = privacy.reasons(episode, turns, self._rules())
        stems = self._stems(turns) if self._off_the_record(why) else [""] * len(turns)
        why = self._with_quotations(turns, self._with_repeated(name, stems, why))
        for turn, reason, stem in zip(turns, why, self._sources(why, stems), strict=True):
            indexed = fresh is None or turn["idx"] < fresh
            changed = self._veil_turn(turn, reason, stem, kept.get(turn["place"]), indexed) or changed
        if changed:
            self._veil_memories([row["memory"] for row in self.rows("select distinct memory from cites where episode = ?", name)])

    def _veil_turn(self, turn: Row, why: str, stem: str, old: Row | None, indexed: bool) -> bool:
        "Whether anything changed."
        if why:
            if old is None and indexed:
                self._unindex_turn(turn)
            if old is None or (old["why"], old["stem"]) != (why, stem):
                self.put("veiled", {"place": turn["place"], "why": why, "stem": stem})
                return True
            return False
        if old is not None:
            self.remove("veiled", old)
            self.put("turns", turn | {"slept": 0})  # it may be listened to again
        if old is not None or not indexed:
            self._index_turn(turn)
        return old is not None

    def _off_the_record(self, why: Sequence[str]) -> bool:
        "Whether anything is that other conversations could repeat."
        return not set(OFF_THE_RECORD).isdisjoint(why) or self.row("select 1 from veiled where stem <> '' limit 1") is not None

    def _stems(self, turns: Sequence[Row]) -> list[str]:
        "For each turn, a keyed hash of the conversation up to and with it: one that begins alike is known by it."
        stems, last = [], ""
        for turn in turns:
            said = turn["mark"] or self._mark(*tombstone_fields(turn["role"], turn["text"] or ""))
            stems.append(last := content_id("stem", last, said))
        return stems

    def _sources(self, why: Sequence[str], stems: Sequence[str]) -> list[str]:
        "Stems of what is off the record, with its answers; '' for what is hidden for its words or its app."
        found, off = [], False
        for reason, stem in zip(why, stems, strict=True):
            off = reason in OFF_THE_RECORD or (reason == ANSWER and off)
            found.append(stem if off else "")
        return found

    def _with_repeated(self, name: str, stems: Sequence[str], why: list[str]) -> list[str]:
        """Programs send a conversation whole each time, and under another id when a message was edited: what was
        said off the record is so in the other as well, as far as both begin alike (by two turns, or in id)."""
        found: dict[str, set[int]] = {}
        for index, stem in enumerate(stems):
            same = "select t.episode from veiled v join turns t on t.place = v.place where v.stem = ? and v.stem <> ''"
            for row in self.rows(same, stem) if stem else ():
                if row["episode"] != name:
                    found.setdefault(row["episode"], set()).add(index)
        for other, indexes in found.items():
            if max(indexes) >= 1 or root(other) == root(name):
                why = [reason or (AGAIN if n in indexes else "") for n, reason in enumerate(why)]
        return why

    def _with_quotations(self, turns: Sequence[Row], why: list[str]) -> list[str]:
        "What is hidden is hidden where an answer quotes it, too."
        hidden = ("select 1 from veiled v join turns t on t.place = v.place where t.role = 'user' and t.mark is null "
                  "and instr(t.text, ?) > 0 limit 1")
        return [reason or (ANSWER if (quote := quoted(turn)) and self.row(hidden, quote) else "")
                for turn, reason in zip(turns, why, strict=True)]

    def _veil_memories(self, ids: Iterable[str] | None = None) -> None:
        "Hide and show memories, of these ids or all, by what they say and who of those that said them is hidden."
        rows = self.rows(
            "select m.id, m.text, m.answer, m.told, count(v.place) as hidden, "
            "count(case when v.place is null and t.mark is null then t.place end) as open "
            "from memories m left join cites c on c.memory = m.id "
            "left join turns t on t.episode = c.episode and t.idx = c.turn left join veiled v on v.place = t.place "
            "where ? is null or m.id in (select value from json_each(?)) group by m.id",
            *([None] * 2 if ids is None else [json.dumps(list(ids))] * 2),
        )
        rules, hidden = self._rules(), self._veiled_ids()
        for row in rows:
            told = privacy.may_be_told(f"{row['text']} {row['answer']}", row["hidden"], row["open"] + row["told"], rules)
            if not told and row["id"] not in hidden:
                self.put("veiled_memories", {"memory": row["id"], "why": "hidden"})
            if told and row["id"] in hidden:
                self.remove("veiled_memories", {"memory": row["id"]})
