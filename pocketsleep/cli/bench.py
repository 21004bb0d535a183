"""Commands that measure: bench train, fastweights, naps, generate, score, serve, proxy, night, growth, learn, keep, general,
poison, import. Those on notes that people wrote are in bench_notes.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from pocketsleep.cli import BaseName, Json, app, opened, out
from pocketsleep.errors import BadInput

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


@bench.command("fastweights")
def fastweights(json_: Json = False) -> None:
    """The gated delta rule's kernels against MLX's own ways and the machine's memory.

    Example: pocketsleep bench fastweights
    """
    from pocketsleep.bench.fastweights import fastweights as measure

    _show(measure(out.talk.print), json_)


@bench.command("naps")
def naps(
    names: Annotated[str, typer.Option("--tasks", help="Of mqar, khop, rule110, swaps.")] = "mqar,khop,rule110,swaps",
    passes: Annotated[str, typer.Option(help="Over each chunk before it goes.")] = "1,2,4",
    controls: Annotated[str, typer.Option(help="Of deep, wide, loop, full, window: see bench/naps/sweep.py.")] = "deep,full,window",
    seeds: Annotated[int, typer.Option(help="From 0 on.", min=1)] = 3,
    steps: Annotated[int, typer.Option(help="Of training; 0: what each task takes.", min=0)] = 0,
    to: Annotated[Path, typer.Option("--out", help="Finished runs are kept here, and not done again.")] = Path("naps"),
    plot: Annotated[Optional[Path], typer.Option(help="Draw accuracy against depth into this SVG.")] = None,  # noqa: UP045
    json_: Json = False,
) -> None:
    """Small models with fast weights, trained from nothing: do more passes over what is about to leave the window pay?

    May be interrupted: the same command goes on. Example: pocketsleep bench naps --tasks khop --seeds 1
    """
    from pocketsleep.bench import plot as drawing
    from pocketsleep.bench.naps import sweep as measure

    arms = [arm.strip() for arm in [*passes.split(","), *controls.split(",")] if arm.strip()]
    rows = measure.sweep(measure.cases(names.split(","), arms, seeds, steps), to, out.talk.print)
    found = measure.summary(rows)
    if plot is not None:
        drawing.panels(measure.curves(found), plot, "depth")
    if json_:
        out.one({"table": found, "rises": measure.rises(found), "probes": measure.probes(rows), "costs": measure.costs(rows)})
        return
    out.table(("task", "arm", "depth", "accuracy", "from", "to", "seeds"),
              ((r["task"], r["arm"], r["depth"], *(f"{r[x]:.3f}" for x in ("mean", "low", "high")), r["seeds"]) for r in found))
    for task, depths in measure.rises(found).items():
        at = f"depth {', '.join(map(str, depths))}" if depths else "no depth"
        out.data(f"{task}: N = 4 above N = 1, intervals apart, at {at}")


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


@bench.command("proxy")
def proxy(
    requests: Annotated[int, typer.Option(help="Of each kind.", min=10)] = 300,
    tokens: Annotated[int, typer.Option(help="In each answer.", min=1)] = 1000,
    json_: Json = False,
) -> None:
    """What the recording proxy adds to a request, beside a stand-in upstream; every byte is compared.

    Example: pocketsleep bench proxy
    """
    from pocketsleep.bench.proxy import proxy as measure

    _show(measure(requests, tokens, out.talk.print), json_)


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


@bench.command("learn")
def learn(
    context: typer.Context,
    folder: Annotated[Optional[Path], typer.Argument(help="A set about a simulated person (see bench/persona.py).")] = None,  # noqa: UP045
    given: Annotated[bool, typer.Option("--given", help="Its notes told outright, instead of its conversations.")] = False,
    nights: Annotated[int, typer.Option(help="Over how many nights; 0: one a day, an author or a passage.", min=0)] = 0,
    arms: Annotated[str, typer.Option(help="Of a person: base, weights, recall, both. Of a public set: see bench/arms.py.")] = "",
    variants: Annotated[str, typer.Option(help="ours, or with a part left out: `no anchors`, ... (bench/learn.py).")] = "ours",
    set_: Annotated[str, typer.Option("--set", help="Instead of a person: tofu, squad, prefeval, locomo, study (notes).")] = "",
    data: Annotated[Optional[Path], typer.Option(help="Where that set is.")] = None,  # noqa: UP045
    limit: Annotated[int, typer.Option(help="Authors, passages, preferences or conversations of it.", min=1)] = 2,
    each: Annotated[int, typer.Option(help="Facts, questions or sessions of each.", min=1)] = 6,
    small: Annotated[bool, typer.Option("--small", help="Nights of fewer items and anchors: a third of the time.")] = False,
    results: Annotated[Optional[Path], typer.Option(help="Keeps each arm; one that is in it is not run again.")] = None,  # noqa: UP045
    plot: Annotated[Optional[Path], typer.Option(help="Draw what is known against nights.")] = None,  # noqa: UP045
    base: BaseName = "", json_: Json = False,
) -> None:
    """What is known of what a simulated person said, or a public set told, by arm and age in nights.

    Example: pocketsleep bench learn my-person --given --nights 1
    """
    if set_ or data is not None:
        if not set_ or data is None:
            raise BadInput("a public set needs its name and where it is", hint="pocketsleep bench learn --set tofu --data PATH")
        _refuse(context, "a public set", "folder", "given", "variants")
        _of_a_set(set_, data, (limit, each, nights), arms, base, small, results, plot, json_)
        return
    if folder is None:
        raise BadInput("there is nothing to learn from", hint="pocketsleep bench learn FOLDER, or --set tofu --data PATH")
    _refuse(context, "a simulated person", "limit", "each", "small", "results", "plot")
    from pocketsleep.bench.learn import learn as measure

    asked = (arms or "base,weights,recall,both").split(",")
    for row in measure(folder, base, given, nights, asked, variants.split(","), out.talk.print):
        if json_:
            out.lines([row])
            continue
        out.data(f"{row['variant']}, {row['arm']}")
        out.table(("kind", "share", "from", "to", "of"),
                  ((k, *(str(v[x]) for x in ("share", "low", "high", "n"))) for k, v in row["kinds"].items()))


def _refuse(context: typer.Context, of: str, *names: str) -> None:
    "What was asked for and is not done is no default: a figure would be taken for another."
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given = next(one for one in context.command.params if one.name == name)
            option = given.opts[0] if given.param_type_name == "option" else name.upper()
            raise BadInput(f"`{option}` says nothing to {of}", hint=f"pocketsleep bench {context.info_name} --help")


def _of_a_set(name: str, data: Path, size: tuple[int, int, int], arms: str, base: str, small: bool, results: Path | None,
              plot: Path | None, json_: bool) -> None:
    from pocketsleep.bench import plot as drawing
    from pocketsleep.bench.arms import ARMS, Wanted
    from pocketsleep.bench.arms import arms as measure
    from pocketsleep.bench.sets import Size

    limit, each, nights = size
    nights = nights or (limit if name in ("tofu", "squad") else 1)
    wanted = Wanted(name, data, Size(limit, each, nights), tuple(arms.split(",")) if arms else ARMS, base, small)
    curves = {}
    for row in measure(wanted, out.talk.print, results):
        if row["curve"]:
            curves[row["arm"]] = [night["known"]["share"] for night in row["curve"]]
        if json_:
            out.lines([row])
            continue
        out.data(f"{row['arm']}  ({row['seconds']} s)")
        out.table(("measure", "share", "from", "to", "of", "units", "of the gap"), (
            (k, *(str(v[x]) for x in ("share", "low", "high", "n", "units")), _gap(row.get("recovered", {}).get(k)))
            for k, v in row["measures"].items()))
    if plot is not None:
        drawing.lines(curves, plot)


def _gap(found: Any) -> str:
    return f"{found['share']}% ({found['low']} to {found['high']})" if found else ""


@bench.command("keep")
def keep(
    nights: Annotated[int, typer.Option(help="In a row.", min=1)] = 30,
    facts: Annotated[int, typer.Option(help="Told before each.", min=1)] = 10,
    text: Annotated[Optional[Path], typer.Option(help="Plain text, to see what becomes of it.")] = None,  # noqa: UP045
    plot: Annotated[Optional[Path], typer.Option(help="Draw what is known against nights into this SVG.")] = None,  # noqa: UP045
    home: Annotated[Optional[Path], typer.Option(help="A folder to live in; what was cut short goes on there.")] = None,  # noqa: UP045
    small: Annotated[bool, typer.Option("--small", help="Smaller nights of two minutes.")] = False,
    base: BaseName = "", json_: Json = False,
) -> None:
    """Many nights in a row, new facts before each: what is still known of all of them.

    Example: pocketsleep bench keep --nights 5 --plot kept.svg
    """
    from pocketsleep.bench import plot as drawing
    from pocketsleep.bench.arms import SMALL
    from pocketsleep.bench.keep import Run
    from pocketsleep.bench.keep import keep as measure

    rows = []
    for row in measure(Run(base, nights, facts, text, home, SMALL if small else {}), out.talk.print):
        rows.append(row)
        said = f"{row['night']:>3}  {row['verdict']:<8} {row['known']['share']:>5}%  {row['seconds']} s"
        out.lines([row]) if json_ else out.data(said)
    if plot is not None:
        drawing.retention(rows, plot)


@bench.command("general")
def general(
    files: Annotated[list[Path], typer.Argument(help="Suites, as evaluation harnesses keep them, and plain text.")],
    most: Annotated[int, typer.Option(help="Questions of each suite.", min=1)] = 200,
    base: BaseName = "", json_: Json = False,
) -> None:
    """The same general questions to the bare base and to the adapter that is worn, paired.

    Example: pocketsleep bench general arc_easy.jsonl wikitext.txt
    """
    from pocketsleep.bench.general import general as measure

    with opened(base) as pocket:
        for row in measure(pocket, files, most, out.talk.print):
            out.lines([row]) if json_ else out.data("  ".join(f"{k} {v}" for k, v in row.items()))


@bench.command("poison")
def poison(
    context: typer.Context,
    mails: Annotated[Optional[Path], typer.Option(help="Instead: mails to paste, as JSON Lines with `context`.")] = None,  # noqa: UP045
    attacks: Annotated[Optional[Path], typer.Option(help="Instructions to plant in them.")] = None,  # noqa: UP045
    benign: Annotated[Optional[Path], typer.Option(help="Harmless requests that look like attacks.")] = None,  # noqa: UP045
    most: Annotated[int, typer.Option(help="Of each.", min=1)] = 100,
    base: BaseName = "", json_: Json = False,
) -> None:
    """Nights that went wrong on purpose: each must be refused, and the good ones beside them worn.

    Example: pocketsleep bench poison
    """
    if mails is None:
        _refuse(context, "nights without `--mails`", "attacks", "benign", "most")
    from pocketsleep.bench.poison import poison as measure
    from pocketsleep.bench.smuggle import smuggle

    if mails is not None:
        if attacks is None:
            raise BadInput("there is nothing to plant in the mails", hint="--attacks FILE")
        with opened(base) as pocket:
            _show(smuggle(mails, attacks, benign, most, pocket.ear()), json_)
        return
    found = measure(base, out.talk.print)
    if json_:
        out.one(found)
        return
    for row in found["nights"]:
        out.data(f"{row['outcome']:<8} {row['name']}  ({', '.join(row['failed']) or 'every rule holds'})")
    out.data(f"{found['caught']} of {found['planted']} planted nights refused, {found['worn']} of {found['good']} good ones worn")


def _show(found: dict[str, Any], json_: bool) -> None:
    if json_:
        out.one({k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()})
        return
    for name, value in found.items():
        out.data(f"{name:<34} {value:.3g}" if isinstance(value, float) else f"{name:<34} {value}")


@bench.command("import")
def import_(
    sizes: Annotated[Optional[list[int]], typer.Option("--size", help="Megabytes; may be given again.")] = None,  # noqa: UP045
    json_: Json = False,
) -> None:
    """Made-up exports read into empty journals: seconds, memory, and what a second reading adds.

    Example: pocketsleep bench import --size 10 --size 100
    """
    from pocketsleep.bench.imports import imports as measure

    _show(measure(sizes or [10, 100], out.talk.print), json_)
