"Vectors of what was learnt and said, each by the name of the model that made it. They go when what they are of is forgotten."

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketsleep.errors import NotFound
from pocketsleep.journal.memories import HINT, Memories
from pocketsleep.journal.turns import OWN
from pocketsleep.nouns import Cite, Memory

if TYPE_CHECKING:
    import numpy as np


class Vectors(Memories):
    "Of memories, one; of a turn, one a sentence that may be quoted."

    def put_vector(self, memory_id: str, model: str, vector: np.ndarray) -> None:
        "Keep the embedding of a memory by a model. vector: [d], kept as float32."
        import numpy as np

        packed = np.ascontiguousarray(vector, dtype="<f4").reshape(-1).tobytes()
        with self.atomic():
            if not self.row("select 1 from memories where id = ?", memory_id):
                raise NotFound(f"there is no memory `{memory_id}`", hint=HINT)
            self.put("vectors", {"memory": memory_id, "model": model, "vector": packed})

    def vectors(self, model: str) -> tuple[list[str], np.ndarray]:
        "Ids of active memories that have a vector by this model, and the vectors: [n, d] float32."
        import numpy as np

        rows = self.rows(
            "select v.memory, v.vector from vectors_shown v join memories_shown m on m.id = v.memory "
            "where v.model = ? and m.status = 'active' order by m.seq",
            model,
        )
        if not rows:
            return [], np.zeros((0, 0), dtype=np.float32)
        return [row["memory"] for row in rows], np.stack([np.frombuffer(r["vector"], "<f4") for r in rows])

    def unplaced(self, model: str) -> list[Memory]:
        "Active memories without a vector by this model."
        return self._memories(self.rows(
            "select * from memories_shown where status = 'active' and id not in (select memory from vectors_shown where model = ?) "
            "order by seq", model))

    def put_said_vectors(self, cite: Cite, model: str, vectors: np.ndarray) -> None:
        """Keep the embeddings of a turn's sentences, none or more, in place of another model's. vectors: [sentences, d], kept as
        float16. A turn that is forgotten or hidden by now gets none."""
        import numpy as np

        with self.atomic():
            row = self.row(f"select place from turns_shown t where episode = ? and idx = ? and mark is null and {OWN}",
                           cite.episode, cite.turn)
            if row is not None:
                packed = np.ascontiguousarray(vectors, dtype="<f2").tobytes()
                self.put("said_vectors", {"place": row["place"], "model": model, "sentences": len(vectors), "vectors": packed})

    def said_vectors(self, model: str) -> tuple[list[tuple[Cite, int]], np.ndarray]:
        "Sentences of the user's own turns that have vectors by this model, each as (turn, which one), and [n, d] float32."
        import numpy as np

        rows = self.rows(
            "select episode, idx, sentences, vectors from said_vectors_shown where model = ? and sentences > 0 order by place",
            model)
        if not rows:
            return [], np.zeros((0, 0), dtype=np.float32)
        found = [np.frombuffer(r["vectors"], "<f2").reshape(r["sentences"], -1).astype(np.float32) for r in rows]
        return [(Cite(r["episode"], r["idx"]), n) for r in rows for n in range(r["sentences"])], np.concatenate(found)

    def unplaced_sayings(self, model: str, limit: int) -> list[Cite]:
        "The user's own turns that have no vectors by this model, the newest first."
        rows = self.rows(
            f"select t.episode, t.idx from turns_shown t where t.mark is null and {OWN} and not exists "
            "(select 1 from said_vectors_shown v where v.place = t.place and v.model = ?) order by t.place desc limit ?",
            model, limit)
        return [Cite(row["episode"], row["idx"]) for row in rows]
