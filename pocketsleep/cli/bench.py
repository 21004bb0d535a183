"""Commands that measure: bench train, generate, score, serve, night, growth, extract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pocketsleep.cli import BaseName, Json, app, opened, out

ABOUT = """Measure, after checking that what is measured is right.

Example: pocketsleep bench train
"""
bench = typer.Typer(help=ABOUT, no_args_is_help=True)
app.add_typer(bench, name="bench")


@bench.command("train")
def train(
    base: BaseName = "",
    peft: Annotated[bool, typer.Option("--peft", help="PyTorch + PEFT too, installed beside (gigabytes).")] = False,
    peft_python: Annotated[Path | None, typer.Option(help="A Python that has torch, transformers and peft.")] = None,
    json_: Json = False,
) -> None:
    """Training steps against MLX's own pass, stock mlx_lm and the machine's matrix products.

    Example: pocketsleep bench train --peft
    """
    from pocketsleep.bench import train as measure
    from pocketsleep.bench.peft import environment

    with opened(base) as pocket:
        python = peft_python or (environment(pocket.home.cache / "peers" / "peft") if peft else None)
        _show(measure.train(pocket.card, pocket.base, out.talk.print, peft_python=python), json_)


@bench.command("generate")
def generate(base: BaseName = "", json_: Json = False) -> None:
    """Answers in bulk against one at a time.

    Example: pocketsleep bench generate
    """
    from pocketsleep.bench import generate as measure

    with opened(base) as pocket:
        _show(measure.generate(pocket.serving(), out.talk.print), json_)


@bench.command("score")
def score(base: BaseName = "", json_: Json = False) -> None:
    """Scoring of given answers together against one at a time.

    Example: pocketsleep bench score
    """
    from pocketsleep.bench.score import score as measure

    with opened(base) as pocket:
        _show(measure(pocket.serving(), out.talk.print), json_)


@bench.command("serve")
def serve(base: BaseName = "", json_: Json = False) -> None:
    """A conversation with an adapter on against the bare base.

    Example: pocketsleep bench serve
    """
    from pocketsleep.bench.serve import serve as measure

    with opened(base) as pocket:
        _show(measure(pocket.serving(), pocket.base, pocket.card.name, out.talk.print), json_)


@bench.command("night")
def night(base: BaseName = "", json_: Json = False) -> None:
    """The demo's night, stage by stage.

    Example: pocketsleep bench night
    """
    from pocketsleep.bench.night import night as measure

    _show(measure(base, out.talk.print), json_)


@bench.command("growth")
def growth(
    base: BaseName = "",
    passes: Annotated[int, typer.Option(help="Over the newest slice, to be done sooner; 0: as many as a night takes.")] = 0,
    json_: Json = False,
) -> None:
    """What a night costs with 10, 100, 1,000 and 10,000 memories.

    Example: pocketsleep bench growth --passes 1
    """
    from pocketsleep.bench.growth import growth as measure

    _show(measure(base, passes, out.talk.print), json_)


@bench.command("extract")
def extract(
    folder: Annotated[Path, typer.Argument(help="Files of messages with hand-made notes, as models/study has them.")],
    json_: Json = False,
) -> None:
    """Listening against notes made by hand, by rules alone and with the trained ear.

    Example: pocketsleep bench extract models/study
    """
    from pocketsleep.bench.extract import both

    with opened("") as pocket:
        rows = both(folder, pocket.ear())
    if json_:
        out.lines(rows)
        return
    names = ("file", "arm", "precision", "agreement", "recall", "clean", "superseded", "memories", "notes")
    out.table(names, ([str(row[name]) for name in names] for row in rows))


def _show(found: dict[str, Any], json_: bool) -> None:
    if json_:
        out.one({k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()})
        return
    for name, value in found.items():
        out.data(f"{name:<34} {value:.3g}" if isinstance(value, float) else f"{name:<34} {value}")
