"Conversations from elsewhere: import."

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pocketsleep.cli import Json, app, opened, out
from pocketsleep.journal import importing
from pocketsleep.journal.importing import AUTO, FORMATS, BadLine
from pocketsleep.night.overtaken import as_of
from pocketsleep.nouns import Episode
from pocketsleep.pocket import Pocket

AT_ONCE, MUCH = 256, 4 << 20  # conversations a transaction, and characters: one each would wait for the disk each time
AGAIN = 64  # conversations listened to together in a preview


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="An export, as it was downloaded; several are read one after the other.")],
    format_: Annotated[str, typer.Option("--format", help=f"{AUTO}, {', '.join(FORMATS)}.")] = AUTO,
    preview: Annotated[bool, typer.Option("--preview", help="Say what would be learnt of it; write nothing.")] = False,
    json_: Json = False,
) -> None:
    """Read conversations into the journal, from here or from another program. A second import of the same adds nothing.

    Example: pocketsleep import chatgpt-export.zip --preview
    """
    with opened() as pocket, out.Tell(quiet=json_) as tell:
        reports = []
        for file in files:
            reading = _Reading(file, format_, tell)
            reports.append(reading.preview(pocket) if preview else reading.into(pocket))
    if json_:
        out.lines(reports)
        return
    for report in reports:
        _say(report, preview)


class _Reading:
    "One file under way. What was read is kept, whatever ends the reading: the same command goes on from there."

    def __init__(self, file: Path, form: str, tell: out.Tell) -> None:
        self.file, self.tell, self.at = file, tell, -1
        self.report: dict[str, Any] = {"file": str(file), "format": importing.detect(file) if form == AUTO else form,
                                       "conversations": 0, "added_turns": 0, "bad": []}
        self.shown = not tell.quiet and file.stat().st_size > MUCH if file.is_file() else False

    def _seen(self, done: int, size: int) -> None:
        "In hundredths: a terminal gets a bar, a log ten lines."
        at = done * 100 // max(size, 1)
        if self.shown and at != self.at:
            if self.at < 0:
                self.tell.stage("import", self.file.name)
            self.at = at
            self.tell.progress(min(at, 100), 100, f"{self.report['conversations']} conversations")

    def episodes(self) -> Iterator[Episode]:
        for found in importing.read(self.file, self.report["format"], self._seen):
            if isinstance(found, BadLine):
                self.report["bad"].append({found.unit: found.number, "reason": found.what})
                where = f"{self.file}:{found.number}" if found.unit == "line" else f"{self.file}: {found.unit} {found.number}"
                out.talk.print(f"{where}: {found.what}; the rest is read", markup=False)
            else:
                yield found

    def batches(self, most: int) -> Iterator[list[Episode]]:
        "As many as are worth a transaction, and no more than fit easily into memory."
        batch: list[Episode] = []
        held = 0
        try:
            for one in self.episodes():
                batch.append(one)
                held += sum(len(turn.text) for turn in one.turns)
                if len(batch) >= most or held >= MUCH:
                    full, batch, held = batch, [], 0
                    yield full
        except GeneratorExit:
            raise
        except BaseException:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def into(self, pocket: Pocket) -> dict[str, Any]:
        for batch in self.batches(AT_ONCE):
            self.report["added_turns"] += sum(one.added_turns for one in pocket.journal.import_all(batch))
            self.report["conversations"] += len(batch)
        return self.report

    def preview(self, pocket: Pocket) -> dict[str, Any]:
        learnt: list[dict[str, str]] = []
        reasons: Counter[str] = Counter()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for heard in pocket.would_import(self._counted()):
            for memory in as_of(heard.memories, now):
                learnt.append({"text": memory.text, "kind": memory.kind, "episode": memory.cites[0].episode, "since": memory.since})
                if not self.tell.quiet:
                    out.data(f"learn  {memory.text}  ({memory.cites[0].episode} turn {memory.cites[0].turn})")
            reasons.update(item.reason.partition(":")[0] for item in heard.dropped)
        return self.report | {"would_learn": learnt, "would_drop": dict(reasons.most_common())}

    def _counted(self) -> Iterator[list[Episode]]:
        for batch in self.batches(AGAIN):
            self.report["conversations"] += len(batch)
            yield batch


def _say(report: dict[str, Any], preview: bool) -> None:
    read = f"{report['file']}: {report['conversations']} conversations"
    if not preview:
        out.data(f"{read}, {report['added_turns']} new turns, {len(report['bad'])} bad {_unit(report)}")
        return
    out.data(f"{read}, {len(report['would_learn'])} memories would be learnt, nothing was written")
    if report["would_drop"]:
        dropped = ", ".join(f"{count} {reason}" for reason, count in report["would_drop"].items())
        out.talk.print(f"not kept: {dropped}", markup=False)


def _unit(report: dict[str, Any]) -> str:
    return "lines" if report["format"] == "messages" else "conversations"
