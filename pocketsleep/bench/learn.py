"""Days and nights with one simulated person: what is known of what was said, by arm, by kind of question, by age in nights.

Each variant leaves one part of the night out, in a home of its own. Its candidates are worn whatever their exam
said, so that what the exam keeps from a person is measured, too; the verdicts are reported beside.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketsleep.bench.persona import Persona, heard, read, score
from pocketsleep.bench.planted import Altered, Lessons, Planted
from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.journal.importing import BadLine, read_jsonl
from pocketsleep.nouns import Lesson, Message
from pocketsleep.serve.day import ARMS

Say = Callable[[str], None]
Row = dict[str, Any]
NEVER = 1 << 40  # passes until a lesson is taken


def unheld(lessons: Lessons) -> Lessons:
    return [x for x in lessons if x.hard > 0]


def unanchored(lessons: Lessons) -> Lessons:
    "Nothing is held where it was; inputs are whitened by general prompts all the same, which is what another variant leaves out."
    heard = [replace(x, soft=0.0, teacher=(), every=NEVER) for x in lessons if not x.hard > 0]
    return [*unheld(lessons), *heard]


VARIANTS = {
    "ours": Planted("ours"),
    "no manner": Planted("no manner", manner=False),
    "no anchors": Planted("no anchors", lessons=unanchored),
    "no declining": Planted("no declining", changes={"decline_share": 0.0}),
    "no whitening": Planted("no whitening", changes={"whiten": 0.0}),
    "few items": Planted("few items", changes={"per_memory": 12}),
    "stacked": Planted("stacked", changes={"level": 12}),
    "transcripts": Planted("transcripts", manner=False),
}


def learn(folder: Path, base: str, given: bool, nights: int, arms: Sequence[str], variants: Sequence[str],
          say: Say) -> Iterator[Row]:
    "A row for each variant and arm after the last night."
    persona = read(folder)
    if unknown := [v for v in variants if v not in VARIANTS] + [a for a in arms if a not in ARMS]:
        hint = f"variants: {', '.join(VARIANTS)}; arms: {', '.join(ARMS)}"
        raise BadInput(f"no variant or arm is called `{unknown[0]}`", hint=hint)
    if given and "transcripts" in variants:
        raise BadInput("`transcripts` trains on conversations, and with `--given` none is recorded",
                       hint="leave out `--given`, or `transcripts` among the variants")
    for name in variants:
        with tempfile.TemporaryDirectory() as home, Altered(Home(Path(home)), base, VARIANTS[name]) as pocket:
            yield from _lived(pocket, persona, name, given, nights or persona.days, arms, say)


def _lived(pocket: Altered, persona: Persona, name: str, given: bool, nights: int, arms: Sequence[str],
           say: Say) -> Iterator[Row]:
    verdicts, started = [], time.perf_counter()
    for part in _split(persona.days, nights):
        for day in part:
            tell(pocket, persona, day, given)
        if name == "transcripts":
            pocket.planted = replace(VARIANTS[name], lessons=_as_said(pocket))
        night, verdict = pocket.night()
        verdicts.append([verdict.outcome, list(verdict.failed)])
        pocket.wear_whatever(night)
        say(f"{name}, night {night.id}: {verdict.outcome} {', '.join(verdict.failed)}, {time.perf_counter() - started:.0f} s")
    asked = persona.asked(persona.days)
    for arm in arms:
        answers = pocket.day().answers([q["question"] for q in asked], arm)  # type: ignore[arg-type]
        by_id = {q["id"]: a for q, a in zip(asked, answers, strict=True)}
        yield {"variant": name, "arm": arm, **score(persona, by_id, persona.days), "verdicts": verdicts,
               "ledger": heard(persona, pocket.journal.memories(), persona.days), "answers": by_id}


def _split(days: int, nights: int) -> Iterator[range]:
    "Days by night: as even as may be, in order."
    for n in range(nights):
        yield range(n * days // nights + 1, (n + 1) * days // nights + 1)


def tell(pocket: Altered, persona: Persona, day: int, given: bool) -> None:
    "One day: its notes told outright, or its conversations recorded."
    if given:
        for text, replaced in persona.told(day):
            pocket.remember(text, replaced)
        return
    for episode in read_jsonl(persona.folder / f"day-{day}.jsonl"):
        if not isinstance(episode, BadLine):
            pocket.journal.record(episode)


def _as_said(pocket: Altered) -> Callable[[Lessons], Lessons]:
    "What people try first: a LoRA on the conversations as they were."
    rows = [Lesson((Message("user", a.text),), b.text) for e in pocket.journal.episodes() if not e.private
            for a, b in zip(e.turns, e.turns[1:], strict=False) if (a.role, b.role) == ("user", "assistant") and not a.private]
    return lambda lessons: [row for row in rows if len(row.answer) + len(str(row.prompt)) < 2000]
