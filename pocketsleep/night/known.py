"""What the bare base answers to prompts about nobody: a function of base, prompt and length, so made once.

For the bases with a card the answers are shipped beside it (models/answers); others answer in their first
night. Nothing personal may be asked here: what is kept outlives every memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pocketsleep.disk import new_file
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

Answers = dict[str, dict[str, str]]  # most tokens -> prompt -> answer


class Known:
    """Greedy answers of one base on one runtime. `shipped` may be absent, or of another file than this base's:
    it is then not read. Raises nothing over a damaged file: its answers are made again."""

    def __init__(self, serving: Callable[[], Runtime], base_sha256: str, folder: Path, shipped: Path | None = None) -> None:
        self._serving, self._base = serving, base_sha256
        self._folder, self._shipped = folder, shipped

    def answers(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        "One answer a prompt. The runtime is bare afterwards where anything had to be asked."
        runtime = self._serving()
        own = self._folder / f"{runtime.variant}-{self._base[:16]}.json"
        kept, length = self._read(own, runtime.variant), str(max_tokens)
        found = self._read(self._shipped, runtime.variant).get(length, {}) | kept.get(length, {})
        if missing := [p for p in dict.fromkeys(prompts) if p not in found]:
            runtime.wear(None)
            made = dict(zip(missing, runtime.answer([ask(p) for p in missing], max_tokens=max_tokens), strict=True))
            found |= made
            write(own, runtime.variant, self._base, kept | {length: kept.get(length, {}) | made})
        return [found[p] for p in prompts]

    def _read(self, path: Path | None, runtime: str) -> Answers:
        try:
            told = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        except (OSError, ValueError):
            return {}
        same = isinstance(told, dict) and (told.get("base"), told.get("runtime")) == (self._base, runtime)
        found = told.get("answers") if same else None
        return {length: dict(said) for length, said in found.items() if isinstance(said, dict)} if isinstance(found, dict) else {}


def write(path: Path, runtime: str, base_sha256: str, answers: Answers) -> None:
    "The file that `Known` reads."
    told = {"base": base_sha256, "runtime": runtime, "answers": answers}
    with new_file(path) as draft:
        draft.write_text(json.dumps(told, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
