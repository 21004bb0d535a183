"""The main job on real input, in a throw-away home: a day, a night, a morning, and the way back.

The same unseen phrasings are asked before and after, by the weights alone: no notes in the context.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketsleep.home import Home
from pocketsleep.journal.importing import BadLine, read_jsonl
from pocketsleep.night import Teller
from pocketsleep.night.grade import declines, plain, says
from pocketsleep.night.grammar.items import plain as asked_plainly
from pocketsleep.nouns import Verdict
from pocketsleep.pocket import Pocket, Wishes

HERE = Path(__file__).resolve().parent
TOLD = ("direct", "paraphrase", "yes_no", "reverse")


@dataclass(slots=True)
class Shown:
    "Everything the demo found out."

    questions: list[dict[str, Any]]
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)
    dropped: list[dict[str, str]] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict("nothing"))
    seconds: dict[str, float] = field(default_factory=dict)
    studied: set[str] = field(default_factory=set)  # questions the night trained on, plain

    def unseen(self, question: dict[str, Any]) -> bool:
        "Whether the night did not happen to study this very question."
        return asked_plainly(question["question"]) not in self.studied

    def share(self, answers: Sequence[str], kinds: Sequence[str]) -> float:
        "Share of right answers among unseen questions of these kinds."
        marks = [correct(q, a) for q, a in zip(self.questions, answers, strict=True)
                 if q["kind"] in kinds and self.unseen(q)]
        return sum(marks) / len(marks) if marks else 0.0

    def plain(self) -> dict[str, Any]:
        both = (("before", self.before), ("after", self.after))
        return {
            "questions": {"asked": len(self.questions), "unseen": sum(map(self.unseen, self.questions))},
            "recall": {when: round(self.share(said, TOLD), 3) for when, said in both},
            "general": {when: round(self.share(said, ("general",)), 3) for when, said in both},
            "declined": {when: round(self.share(said, ("unstated",)), 3) for when, said in both},
            "dropped": self.dropped, "memories": self.memories,
            "verdict": self.verdict.outcome, "reasons": list(self.verdict.reasons),
            "undone_identical": self.undone == self.before,
            "seconds": {stage: round(took, 1) for stage, took in self.seconds.items()},
        }


def correct(question: dict[str, Any], answer: str) -> bool:
    "Lenient in form, strict in substance: a banned value loses."
    if question["kind"] == "yes_no":
        return plain(answer).split()[:1] == plain(question["answers"][0]).split()[:1]
    if any(says(answer, banned) for banned in question["must_not"]):
        return False
    if question["kind"] == "unstated":
        return declines(answer)
    return any(says(answer, wanted) for wanted in question["answers"])


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


def live(home: Home, tell: Teller, base: str = "", seed: int = 0) -> Shown:
    "Import the day, ask, sleep, ask again, undo, ask once more."
    shown = Shown(questions())
    asked = [q["question"] for q in shown.questions]
    with Pocket(home, base) as pocket:
        def timed(stage: str, work: Callable[[], Any]) -> Any:
            tell.stage(stage)
            started = time.monotonic()
            made = work()
            shown.seconds[stage] = time.monotonic() - started
            return made

        timed("import", lambda: _import(pocket))
        shown.before = timed("ask before", lambda: pocket.day().answers(asked, "base"))
        night, shown.verdict = timed("sleep", lambda: pocket.sleep(Wishes(seed), tell))
        shown.memories = [m.text for m in pocket.journal.memories()]
        shown.studied = {asked_plainly(d.question) for d in pocket.journal.dreams(night.id) if not d.held_out}
        shown.dropped = [{"text": d.text, "reason": d.reason} for d in pocket.journal.dropped(night.id)]
        shown.after = timed("ask after", lambda: pocket.day().answers(asked, "weights"))
        if shown.verdict.passed:
            timed("undo", pocket.undo)
        shown.undone = timed("ask undone", lambda: pocket.day().answers(asked, "weights"))
    return shown


def _import(pocket: Pocket) -> None:
    for episode in read_jsonl(HERE / "day.jsonl"):
        if not isinstance(episode, BadLine):
            pocket.journal.record(episode)
