"What answers rested on: the adapter that was worn, and ids of the notes behind them. Their words are looked up when shown."

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pocketsleep.journal.store import Store


@dataclass(frozen=True, slots=True)
class Kept:
    "A receipt as it is kept. `source`: weights, memory, said (their own words, quoted), or '' for none."

    adapter: str = ""
    source: str = ""
    memories: tuple[str, ...] = ()  # ids; a forgotten one leaves


class Receipts(Store):
    "One for each answer that came with one."

    def keep_receipt(self, episode_id: str, turn: int, adapter: str, source: str, memories: Sequence[str]) -> None:
        with self.atomic():
            if self.row("select 1 from turns where episode = ? and idx = ? and mark is null", episode_id, turn):
                self.put("receipts", {"episode": episode_id, "turn": turn, "adapter": adapter, "source": source,
                                      "memories": json.dumps(list(memories))})

    def receipts(self, episode_id: str) -> dict[int, Kept]:
        "By turn, those of a conversation."
        rows = self.rows("select * from receipts where episode = ? order by turn", episode_id)
        return {row["turn"]: Kept(row["adapter"], row["source"], tuple(json.loads(row["memories"]))) for row in rows}

    def _drop_receipt(self, episode_id: str, turn: int) -> None:
        for row in self.rows("select * from receipts where episode = ? and turn = ?", episode_id, turn):
            self.remove("receipts", row)

    def _drop_from_receipts(self, memory_id: str) -> None:
        for row in self.rows("select * from receipts where exists (select 1 from json_each(memories) where value = ?)", memory_id):
            left = [one for one in json.loads(row["memories"]) if one != memory_id]
            self.put("receipts", row | {"memories": json.dumps(left)})
