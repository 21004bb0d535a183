"memory-layers train and check."

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pocketsleep import cards
from pocketsleep.cli import BaseName, Json, app, opened, out
from pocketsleep.errors import BadInput

ABOUT = """Fast weights between a base's blocks: made and measured.

Example: pocketsleep memory-layers check
"""
layers = typer.Typer(help=ABOUT, no_args_is_help=True)
app.add_typer(layers, name="memory-layers")

Tofu = Annotated[Path | None, typer.Option("--tofu", metavar="FOLDER", help="TOFU: full.jsonl, retain_perturbed.json (MIT).")]


@layers.command("train")
def train(
    study: Annotated[Path, typer.Argument(help="Study messages, as in models/study of the source.")],
    to: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where the layers go; default: the home, to be used.")] = None,
    base: BaseName = "",
    tofu: Tofu = None,
    squad: Annotated[Path | None, typer.Option(help="passages.json: {title, context} of SQuAD (CC BY-SA 4.0).")] = None,
    work: Annotated[Path | None, typer.Option(help="What a run that was stopped goes on with; default: beside FILE.")] = None,
    talks: Annotated[int, typer.Option(help="Talks that a layer learns from.", min=20)] = 800,
    beside: Annotated[int, typer.Option("--layers", help="One, or two side by side, each of talks of its own.", min=1, max=2)] = 2,
    json_: Json = False,
) -> None:
    """Train memory layers for a base: states, a solved start, steps, heads joined. Stopped, the same command goes on.

    Example: pocketsleep memory-layers train models/study
    """
    from pocketsleep.bench import memory_layers as make

    with opened(base) as pocket, out.Tell(quiet=json_) as tell:
        seen: set[str] = set()

        def tick(stage: str, done: int, total: int, detail: str) -> None:
            if stage not in seen:
                seen.add(stage)
                tell.stage(stage)
            tell.progress(done, total, detail)

        sources = make.Sources(study, tofu / "full.jsonl" if tofu else None, squad)
        to = to or pocket.home.layers / cards.layers_file(pocket.card.name)
        made = make.train(pocket.base, to, sources, work or to.with_suffix(".work"), tell.stage, tick, talks, layers=beside)
    _show(made, json_)


@layers.command("check")
def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Layers; default: those of the base.")] = None,
    base: BaseName = "",
    tofu: Tofu = None,
    persona: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A set about one person.")] = None,
    recall: Annotated[Path | None, typer.Option(metavar="FOLDER", help="nl_mqar.jsonl, update.jsonl, niah.jsonl.")] = None,
    text: Annotated[Path | None, typer.Option(help="Plain prose, for what must stay as likely.")] = None,
    items: Annotated[int, typer.Option(help="Items of each set.", min=1)] = 16,
    passes: Annotated[str, typer.Option(help="Passes of a nap, several with commas.")] = "1,2,4",
    tokens: Annotated[int, typer.Option(help="Tokens that leave in the run at constant memory.", min=1)] = 2000,
    results: Annotated[Path | None, typer.Option(help="What is measured is kept here: a run that was cut short goes on.")] = None,
    json_: Json = False,
) -> None:
    """Facts told, evicted, asked: a sliding window (0), full attention (1), a memory that nobody trained, the layers.

    Example: pocketsleep memory-layers check
    """
    from pocketsleep.bench import memory_check as measure
    from pocketsleep.bench.memory_sets import Sets

    several = _passes(passes)
    with opened(base) as pocket:
        sets = Sets(tofu, persona, recall, text)
        file = file or measure.known(pocket.base, pocket.home.layers)
        found = measure.check(pocket.base, file, sets, items, several, out.talk.print, tokens, results)
    if json_:
        out.one(found)
        return
    for name, line in found["sets"].items():
        out.data(f"{name} ({line['items']} items)")
        out.table(("arm", "right", "nats", "scale right", "scale nats"), measure.rows(line))
    out.data("facts told, then other text")
    out.table(("tokens since", "state kB", "peak MB", "nats", "other text"), measure.endless(found["constant"]))


def _passes(given: str) -> list[int]:
    found = [int(n) for n in given.split(",") if n.strip().isascii() and n.strip().isdecimal()]
    if len(found) < len(given.split(",")) or 0 in found:
        raise BadInput(f"`--passes {given}` is no list of numbers from 1", hint="pocketsleep memory-layers check --passes 1,2,4")
    return found


def _show(made: dict[str, Any], json_: bool) -> None:
    if json_:
        out.one(made)
        return
    for name, value in made.items():
        if name != "parts":
            out.data(f"{name}: {value}")
    for n, part in enumerate(made["parts"], 1):
        out.data(f"layer {n}: {part['talks']} talks, {part['loss']} nats at the end")
