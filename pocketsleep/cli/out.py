"""stdout is data, stderr is talk. Everything a command says goes through here."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

talk = Console(stderr=True, highlight=False, soft_wrap=True)


def bear() -> None:
    "From now on what the locale has no letters for is printed as its code: the work is done by then, and is not lost."
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def data(text: str = "") -> None:
    "One line of the answer."
    sys.stdout.write(text + "\n")


def flow(piece: str) -> None:
    "A piece of a streamed answer."
    sys.stdout.write(piece)
    sys.stdout.flush()


def one(value: Any) -> None:
    "One JSON object. Escaped where stdout has no letters for it: the codes of `bear` are no JSON."
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    data(text)


def lines(values: Iterable[Any]) -> None:
    "JSON Lines."
    for value in values:
        one(value)


def short(text: str, most: int = 100) -> str:
    "The beginning of a text, on one line. Marks that a terminal obeys are left out: it may be anybody's."
    flat = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return flat if len(flat) <= most else flat[: most - 3] + "..."


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    "A table on stdout, plain when it is not a terminal."
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    made = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    console.print(made)


class Tell:
    "The night's progress on stderr."

    def __init__(self, quiet: bool = False) -> None:
        self.progress_bar = Progress(
            TextColumn("  {task.description}"), BarColumn(bar_width=24), TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[detail]}"), TimeElapsedColumn(), TimeRemainingColumn(), console=talk,
            disable=quiet or not talk.is_terminal,
        )
        self.quiet = quiet
        self.name = ""
        self.task: Any = None

    def __enter__(self) -> Tell:
        self.progress_bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress_bar.stop()

    def stage(self, name: str, detail: str = "") -> None:
        self.name, self.task = name, None
        if not self.quiet:
            talk.print(f"{name:<8}{f' ({detail})' if detail else ''}")

    def progress(self, done: int, total: int, detail: str = "") -> None:
        if not self.quiet and not talk.is_terminal and done * 10 // total > (done - 1) * 10 // total:
            talk.print(f"  {done}/{total} {detail}")  # a log gets ten lines, a terminal a bar
        if self.task is None:
            self.task = self.progress_bar.add_task(self.name, total=total, detail=detail)
        self.progress_bar.update(self.task, completed=done, detail=detail)
