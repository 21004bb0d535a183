"""Answers of the bare base that are shipped or kept are the base's own, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pocketsleep import cards, weights
from pocketsleep.night import examine, seed
from pocketsleep.night.dream import evenly
from pocketsleep.night.grammar import lists
from pocketsleep.night.known import Known, write
from pocketsleep.runtime import Prompt, pick
from pocketsleep.runtime.prompting import ask


class Counting:
    variant = "llamacpp"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.worn = "an adapter"

    def wear(self, adapter: Path | None) -> None:
        self.worn = ""

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48, temperature: float = 0.0, seed: int = 0) -> list[str]:
        assert self.worn == "", "the bare base was meant"
        self.asked += [p[-1].content for p in prompts]
        return [f"{p[-1].content}{max_tokens}" for p in prompts]


def test_a_prompt_is_answered_once_for_each_length(tmp_path: Path) -> None:
    runtime = Counting()
    for _ in range(2):
        known = Known(lambda: runtime, "a" * 64, tmp_path)  # type: ignore[arg-type, return-value]
        assert known.answers(["x", "y", "x"], 8) == ["x8", "y8", "x8"]
        assert known.answers(["y", "z"], 9) == ["y9", "z9"]
    assert runtime.asked == ["x", "y", "y", "z"]


def test_only_this_base_on_this_runtime_is_believed(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped.json"
    for base, name, wanted in [("a" * 64, "llamacpp", "told"), ("b" * 64, "llamacpp", "x8"), ("a" * 64, "mlx", "x8")]:
        write(shipped, name, base, {"8": {"x": "told"}})
        runtime = Counting()
        known = Known(lambda r=runtime: r, "a" * 64, tmp_path / base / name, shipped)  # type: ignore[arg-type, misc]
        assert known.answers(["x"], 8) == [wanted]


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"\xff", b'{"base": 1}', *(
    json.dumps({"base": "a" * 64, "runtime": "llamacpp", **more}).encode() for more in ({}, {"answers": 1}, {"answers": {"8": 1}}))])
def test_a_damaged_file_is_made_anew(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / f"llamacpp-{'a' * 16}.json").write_bytes(torn)
    known = Known(Counting, "a" * 64, tmp_path)  # type: ignore[arg-type]
    assert known.answers(["x"], 8) == ["x8"]
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["answers"] == {"8": {"x": "x8"}}


@pytest.mark.parametrize("name", cards.names())
def test_what_is_shipped_is_what_the_base_says(name: str, cache: Path) -> None:
    "Some from all over the lists are asked again, as they were then. Another processor's kernels may turn near-ties: one answer in four."
    card = cards.find(name)
    told = json.loads(cards.answers(name).read_text(encoding="utf-8"))  # type: ignore[union-attr]
    base = weights.open_base(card, cache)
    assert told["base"] == base.sha256
    with closing(pick.serving(card, base).runtime()) as runtime:
        if runtime.name != "llamacpp":
            pytest.skip(f"the answers are {told['runtime']}'s; {runtime.variant} serves here and answers for itself")
        assert told["runtime"] == runtime.variant, "nobody would read them: run `python -m pocketsleep.bench.answers` again"
        wanted = {seed.ANCHOR_TOKENS: list(lists.anchors()), examine.GENERAL_TOKENS: [*(q for q, _ in lists.general()), *lists.harmful()]}
        assert set(told["answers"]) == {str(n) for n in wanted}
        for length, prompts in wanted.items():
            answers = told["answers"][str(length)]
            assert set(answers) == set(prompts), "run `python -m pocketsleep.bench.answers` again"
            some = evenly(prompts, 64)
            again = runtime.answer([ask(p) for p in some], max_tokens=length)
            assert sum(answers[p] == a for p, a in zip(some, again, strict=True)) >= len(some) * 3 // 4
