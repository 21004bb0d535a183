"""Commands on nights: sleep, nights, undo, use, export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from pocketsleep.cli import BaseName, Json, app, opened, out
from pocketsleep.errors import BadInput
from pocketsleep.journal.reports import knack_report, night_report
from pocketsleep.night.overtaken import as_of, overtaken
from pocketsleep.night.recipe import DEPTHS
from pocketsleep.nouns import Verdict
from pocketsleep.pocket import Pocket, Wishes


@app.command()
def sleep(
    tonight: Annotated[bool, typer.Option("--tonight", help="Now, in the foreground: all that has not slept yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would learn and from where; write nothing.")] = False,
    budget: Annotated[float, typer.Option(help="Minutes; training stops at its last finished pass.", min=0)] = 0.0,
    seed: Annotated[int, typer.Option(help="The same inputs and seed give the same adapter.")] = 0,
    depth: Annotated[str, typer.Option(help="nap (sooner), night, or deep (more wordings of each memory).")] = "night",
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a night that was cut short again, instead of going on.")] = False,
    base: BaseName = "", json_: Json = False,
) -> None:
    """Sleep: turn what was said into tomorrow's adapter, or leave everything as it was.

    Example: pocketsleep sleep --tonight
    """
    if not tonight and not dry_run:
        raise BadInput("nights are not scheduled yet: say that you mean now", hint="pocketsleep sleep --tonight")
    if depth not in DEPTHS:
        raise BadInput(f"a night cannot be `{depth}`", hint=f"--depth {'|'.join(DEPTHS)}")
    with opened(base) as pocket:
        if dry_run:
            _dry_run(pocket, json_)
            return
        with out.Tell() as tell:
            night, verdict = pocket.sleep(Wishes(seed, budget, fresh=fresh, depth=depth), tell)
        report = night_report(pocket.journal, night)
    out.one(report) if json_ else _say(verdict, report)


def _dry_run(pocket: Pocket, json_: bool) -> None:
    found, now = pocket.would_learn(), datetime.now(UTC).isoformat(timespec="seconds")
    new = [{"text": m.text, "kind": m.kind, "cites": [[c.episode, c.turn] for c in m.cites]} for m in as_of(found["memories"], now)]
    over = [{"text": past.text, "was": m.text} for m in found["live"] if (past := overtaken(m, now)) is not None]
    dropped = [{"text": d.text, "reason": d.reason} for d in found["dropped"]]
    knacks = [knack_report(one) for one in found["knacks"]]
    if json_:
        out.one({"would_learn": new, "would_say_as_past": over, "would_drop": dropped, "would_keep": knacks,
                 "live": len(found["live"])})
        return
    for memory in new:
        cites = ", ".join(f"{e} turn {t}" for e, t in memory["cites"])
        out.data(f"learn  {memory['text']}  ({cites})")
    for note in over:
        out.data(f"past   {note['text']}  (its day is over; it was: {note['was']})")
    for one in knacks:
        out.data(f"call   {_called(one)}")
    for item in dropped:
        out.data(f"drop   {out.short(item['text'])}  ({item['reason']})")
    out.talk.print(f"{len(new)} new memories beside {len(found['live'])} live ones; nothing was written")


def _say(verdict: Verdict, report: dict[str, Any]) -> None:
    for text in report["learnt"]:
        out.data(f"kept     {text}")
    for item in report["dropped"]:
        out.data(f"dropped  {out.short(item['text'])}  ({item['reason']})")
    for one in report["knacks"]:
        out.data(f"call     {_called(one)}")
    if any((marks := report["rated"]).values()):
        out.data(f"marked   {marks['practised']} of your questions practised as you asked them, {marks['declined']} declined")
    _say_scores(report["scores"])
    for reason in report["reasons"]:
        out.data(reason)
    if report["waiting"]:
        out.data(f"waiting  {report['waiting']} memories, for the next night: there are more than one night can train")
    out.data(f"night {report['night']}: {verdict.outcome}" + (f", wearing {report['worn']}" if verdict.passed else ""))


def _called(one: dict[str, Any]) -> str:
    first, last = one["turns"]
    return f"{one['text']}  ({one['episode']} turns {first} to {last}: a call failed, and the next did not)"


def _say_scores(scores: dict[str, Any]) -> None:
    if not scores:
        return
    columns = ("", *next(iter(scores.values())))
    out.table(columns, ([who, *(_score(name, v) for name, v in row.items())] for who, row in scores.items()))


def _score(name: str, value: float | None) -> str:
    "Shares in per cent; nats are none."
    return "-" if value is None else f"{value:.3f}" if name == "nats" else f"{value:.0%}"


@app.command()
def nights(name: Annotated[Optional[str], typer.Argument(metavar="[ID]")] = None, json_: Json = False) -> None:  # noqa: UP045
    """List nights, or report one: kept, dropped and why, scores, refused rules.

    Example: pocketsleep nights 1
    """
    with opened() as pocket:
        found = [pocket.journal.night(name)] if name else pocket.journal.nights()
        reports = [night_report(pocket.journal, night) for night in found]
        current = pocket.journal.current()
        if json_:
            out.lines(reports)
        elif name:
            _say(found[0].verdict or Verdict("refused"), reports[0])
            for stage, finished in reports[0]["stages"].items():
                out.data(f"{stage:<8} {finished}")
            for choice, reason in (reports[0]["recipe"] or {}).get("reasons", []):
                out.data(f"{choice}: {reason}")
        else:
            out.table(("night", "began", "verdict", "learnt", "adapter", ""),
                      ((r["night"], r["started_at"], r["verdict"], len(r["learnt"]), r["adapter"] or "-",
                        "worn" if r["adapter"] and r["adapter"] == current and r["verdict"] == "worn" else "") for r in reports))


@app.command()
def undo(json_: Json = False) -> None:
    """Wear what was worn before the last night. Nothing is deleted.

    Example: pocketsleep undo
    """
    with opened() as pocket:
        now = pocket.undo()
    out.one({"worn": now or None}) if json_ else out.data(f"wearing {now or 'the bare base'}")


@app.command()
def use(
    name: Annotated[str, typer.Argument(metavar="NIGHT|none", help="A night, an adapter's id, or none.")],
    base: BaseName = "", json_: Json = False,
) -> None:
    """Wear a certain night's adapter, or none.

    Example: pocketsleep use 2
    """
    with opened(base) as pocket:
        now = pocket.use(name)
    out.one({"worn": now or None}) if json_ else out.data(f"wearing {now or 'the bare base'}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    to: Annotated[str, typer.Option(help="gguf (llama.cpp, Ollama), peft (transformers) or mlx.")] = "gguf",
    base: BaseName = "", json_: Json = False,
) -> None:
    """Write the worn adapter in another program's format.

    Example: pocketsleep export --to gguf ./adapter
    """
    with opened(base) as pocket:
        made = pocket.export(to, folder)
    out.one({"to": to, "path": str(made)}) if json_ else out.data(str(made))
