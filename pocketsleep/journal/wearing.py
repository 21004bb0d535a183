"How a night ends, and which adapter is worn. `current` changes here and nowhere else."

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pocketsleep.errors import AdapterError, BadInput, NotFound
from pocketsleep.journal.nights import CURRENT, Nights, plain, told_verdict
from pocketsleep.journal.privacy import Exclusion, checked
from pocketsleep.journal.veil import Veiled
from pocketsleep.nouns import Adapter, Cite, Verdict

FORGOTTEN = "a memory it holds was forgotten while the night ran"
HIDDEN = "a memory it holds was hidden while the night ran"
ASIDE = "set aside"  # what was worn when something in it was hidden, and what was put on instead


class Wearing(Nights):
    "The verdict, and what follows from it."

    def settle(self, night_id: str, verdict: Verdict, adapter: Adapter | None, slept: Sequence[Cite]) -> Verdict:
        """Record the verdict, the adapter and the turns that slept and, if it passed, wear the adapter: all
        or nothing. A night that is settled already keeps its verdict; one whose adapter holds what was
        forgotten meanwhile is refused."""
        with self.atomic():
            row = self._night_row(night_id)
            if row["verdict"] is not None:
                return told_verdict(self._clear(row["verdict"]) or "")
            if verdict.passed and adapter is None:
                raise BadInput(f"night `{night_id}` has no adapter to wear", hint="`pocketsleep sleep` tries again")
            if verdict.passed and adapter is not None and self.forgotten_in(adapter.memories):
                verdict = Verdict("refused", ("nothing forgotten",), (FORGOTTEN, *verdict.reasons), verdict.scores)
            elif verdict.passed and adapter is not None and self.withheld_in(adapter.memories):
                verdict = Verdict("refused", ("nothing hidden",), (HIDDEN, *verdict.reasons), verdict.scores)
            if adapter is not None:
                self._put_adapter(adapter)
            self.put(
                "nights",
                row
                | {
                    "adapter": adapter.id if adapter else "",
                    "previous": self.current(),
                    "verdict": plain(
                        {
                            "outcome": verdict.outcome,
                            "failed": verdict.failed,
                            "reasons": verdict.reasons,
                            "scores": dict(verdict.scores),
                        }
                    ),
                },
            )
            self._mark_slept(int(row["number"]), slept)
            if verdict.passed and adapter is not None:
                self._wear(adapter.id)
                self.put("settings", {"name": ASIDE, "value": ""})
            return verdict

    def _put_adapter(self, adapter: Adapter) -> None:
        self.put(
            "adapters",
            {
                "id": adapter.id,
                "base": adapter.base,
                "base_sha256": adapter.base_sha256,
                "rank": adapter.rank,
                "scale": float(adapter.scale),
                "keys": plain(adapter.keys),
                "layers": plain(adapter.layers),
                "memories": plain(adapter.memories),
            },
        )

    def _mark_slept(self, number: int, slept: Sequence[Cite]) -> None:
        for cite in slept:
            turn = self.row("select * from turns where episode = ? and idx = ?", cite.episode, cite.turn)
            if turn is not None and not turn["slept"]:
                self.put("turns", turn | {"slept": number})

    def _wear(self, adapter_id: str) -> None:
        self.put("settings", {"name": CURRENT, "value": adapter_id})

    def use(self, adapter_id: str, instead: bool = False) -> str:
        """Wear an adapter that a night recorded, or '' for the bare base. Works on a full disk. `instead`: only
        while something is hidden that the one taken off for it holds."""
        if adapter_id:
            self.check_wearable(adapter_id)

        def work() -> str:
            with self.atomic():
                self._wear(adapter_id)
                if not instead and self.setting(ASIDE):
                    self.put("settings", {"name": ASIDE, "value": ""})
            return adapter_id

        return self.vital(work)

    def check_wearable(self, adapter_id: str) -> None:
        "AdapterError where an adapter holds what was forgotten, or is hidden."
        if lost := self.forgotten_in(self.holds(adapter_id)):
            raise AdapterError(
                f"adapter `{adapter_id}` still holds {len(lost)} forgotten memories",
                hint="`pocketsleep sleep` makes one without them",
            )
        if hidden := self.withheld_in(self.holds(adapter_id)):
            raise AdapterError(
                f"adapter `{adapter_id}` holds {len(hidden)} memories that are hidden now",
                hint="`pocketsleep sleep --tonight` makes one without them, `pocketsleep exclude list` says what hides them",
            )

    def undo(self) -> str:
        "Wear what was worn before, skipping what holds forgotten memories. Works on a full disk."
        if not (worn := self.current()):
            raise NotFound("no adapter is worn, so there is nothing to undo", hint="`pocketsleep nights` lists them")
        return self.use(self._predecessor(worn))

    def _predecessor(self, worn: str) -> str:
        "What was worn before `worn` came; a night may have made the same adapter again."
        before = worn
        for row in self.rows("select adapter, previous, verdict from nights where verdict is not null order by number desc"):
            if row["adapter"] == before and told_verdict(row["verdict"]).passed:
                before = row["previous"]
                if not before or (before != worn and not self.withheld_in(self.holds(before))):
                    return before
        return ""

    def exclude(self, kind: str, value: str) -> Veiled:
        """Keep an app, what has a pattern in it, a conversation or a turn (`id#index`) from everything that reads the
        journal, what was recorded before and memories drawn from it too. Told anew, it changes nothing."""
        one = self.excludable(kind, value)
        with self.atomic():
            if not self.row("select 1 from exclusions where id = ?", one.id):
                self._put_exclusion(one)
            turns, memories = self._veil_after(one)
            taken_off = self._take_off()
        return Veiled(turns, memories, taken_off)

    def excludable(self, kind: str, value: str) -> Exclusion:
        "What would be excluded. BadInput or NotFound where it cannot be."
        one = checked(kind, value)
        if one.kind in ("conversation", "turn"):
            self._check_there(one)
        return one

    def include(self, kind: str, value: str) -> Veiled:
        "Take an exclusion back: what it alone hid is read again. NotFound when there is no such exclusion."
        one = checked(kind, value)
        with self.atomic():
            self._drop_exclusion(one)
            turns, memories = self._veil_after(one)
            self._put_on_again()
        return Veiled(turns, memories)

    def hide(self, target: str | Cite) -> Veiled:
        "Keep a conversation, or one turn and its answer, off the record after it was said."
        return self.exclude(*_by_hand(target))

    def unhide(self, target: str | Cite) -> Veiled:
        "Take `hide` back. What was recorded as private stays so."
        return self.include(*_by_hand(target))

    def _check_there(self, one: Exclusion) -> None:
        where = (one.cite.episode, one.cite.turn) if one.kind == "turn" else (one.value, 0)
        if not self.row("select 1 from turns where episode = ? and idx = ?", *where):
            raise NotFound(f"there is no {one.kind} `{one.value}`", hint="a conversation's id, or `id#index` for one of its turns")

    def _take_off(self) -> str:
        "The adapter that is worn comes off when something in it is hidden. Its id, '' when it may stay."
        worn = self.current()
        if not worn or not self.withheld_in(self.holds(worn)):
            return ""
        self._wear("")
        self.put("settings", {"name": ASIDE, "value": worn})
        return worn

    def _put_on_again(self) -> None:
        "What was taken off last is worn again, unless a night has settled since or something in it is hidden still."
        aside = self.setting(ASIDE)
        if aside and not self.withheld_in(self.holds(aside)):
            self._wear(aside)
            self.put("settings", {"name": ASIDE, "value": ""})

    def adapter(self, adapter_id: str) -> Adapter:
        "What is known of an adapter that a night recorded."
        if (row := self.row("select * from adapters where id = ?", adapter_id)) is None:
            raise NotFound(f"there is no adapter `{adapter_id}`", hint="`pocketsleep nights` lists them")
        return Adapter(
            row["id"],
            row["base"],
            row["base_sha256"],
            row["rank"],
            row["scale"],
            tuple(json.loads(row["keys"])),
            tuple(json.loads(row["layers"])),
            tuple(json.loads(row["memories"])),
        )

    def holds(self, adapter_id: str) -> list[str]:
        "Ids of the memories an adapter was trained on, forgotten ones too: its weights still hold those."
        return list(self.adapter(adapter_id).memories)

    def forgotten_in(self, memory_ids: Sequence[str]) -> list[str]:
        "Those of these memory ids that were forgotten."
        return [one for one in memory_ids if self.buried("memory id", one)]

    def withheld_in(self, memory_ids: Sequence[str]) -> list[str]:
        "Those of these memory ids that were forgotten, or are hidden."
        hidden = self._veiled_ids()
        return [one for one in memory_ids if one in hidden or self.buried("memory id", one)]

    def scores(self, name: str) -> Mapping[str, Any]:
        "What was measured of a night, or of the adapter that a night made; empty when nothing was."
        row = (
            self.row(
                "select verdict from nights where adapter = ? and verdict is not null order by number desc limit 1",
                name,
            )
            if name
            else None
        )
        verdict = self._clear(row["verdict"] if row else self._night_row(name)["verdict"])
        return told_verdict(verdict).scores if verdict else {}


def _by_hand(target: str | Cite) -> tuple[str, str]:
    return ("turn", f"{target.episode}#{target.turn}") if isinstance(target, Cite) else ("conversation", target)
