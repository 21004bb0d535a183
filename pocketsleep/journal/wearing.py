"How a night ends, and which adapter is worn. `current` changes here and nowhere else."

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pocketsleep.errors import AdapterError, BadInput, NotFound
from pocketsleep.journal.nights import CURRENT, Nights, plain, told_verdict
from pocketsleep.nouns import Adapter, Cite, Verdict

FORGOTTEN = "a memory it holds was forgotten while the night ran"


class Wearing(Nights):
    "The verdict, and what follows from it."

    def settle(self, night_id: str, verdict: Verdict, adapter: Adapter | None, slept: Sequence[Cite]) -> Verdict:
        """Record the verdict, the adapter and the turns that slept and, if it passed, wear the adapter: all
        or nothing. A night that is settled already keeps its verdict; one whose adapter holds what was
        forgotten meanwhile is refused."""
        with self.atomic():
            row = self._night_row(night_id)
            if row["verdict"] is not None:
                return told_verdict(row["verdict"])
            if verdict.passed and adapter is None:
                raise BadInput(f"night `{night_id}` has no adapter to wear", hint="`pocketsleep sleep` tries again")
            if verdict.passed and adapter is not None and self.forgotten_in(adapter.memories):
                verdict = Verdict("refused", ("nothing forgotten",), (FORGOTTEN, *verdict.reasons), verdict.scores)
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

    def use(self, adapter_id: str) -> str:
        "Wear an adapter that a night recorded, or '' for the bare base. Works on a full disk."
        if adapter_id and (lost := self.forgotten_in(self.holds(adapter_id))):
            raise AdapterError(
                f"adapter `{adapter_id}` still holds {len(lost)} forgotten memories",
                hint="`pocketsleep sleep` makes one without them",
            )

        def work() -> str:
            with self.atomic():
                self._wear(adapter_id)
            return adapter_id

        return self.vital(work)

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
                if not before or (before != worn and not self.forgotten_in(self.holds(before))):
                    return before
        return ""

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
        verdict = row["verdict"] if row else self._night_row(name)["verdict"]
        return told_verdict(verdict).scores if verdict else {}
