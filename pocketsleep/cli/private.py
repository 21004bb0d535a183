"What is kept out: exclude."

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from pocketsleep.cli import Json, app, opened, out
from pocketsleep.errors import BadInput
from pocketsleep.journal import Veiled
from pocketsleep.pocket import Pocket

_HOW = "pocketsleep exclude add --app chatgpt"


@app.command()
def exclude(
    action: Annotated[Optional[str], typer.Argument(metavar="[add|remove|list]")] = None,  # noqa: UP045
    by_app: Annotated[str, typer.Option("--app", help="Whatever this program recorded, or was imported from it.")] = "",
    pattern: Annotated[str, typer.Option(help="Messages in which these words stand; * is anything, ? one character.")] = "",
    conversation: Annotated[str, typer.Option(help="One conversation, by its id.")] = "",
    turn: Annotated[Optional[int], typer.Option(help="Of the conversation, this turn and its answer alone.", min=0)] = None,  # noqa: UP045
    json_: Json = False,
) -> None:
    """Keep an app, words, a conversation or a message out of nights, answers, search and reports; `remove` takes it back.

    Example: pocketsleep exclude add --pattern "project falcon"
    """
    if action not in (None, "list", "add", "remove"):
        raise BadInput(f"`{action}` cannot be done with exclusions", hint=_HOW)
    if turn is not None and not conversation:
        raise BadInput("a turn is counted within a conversation", hint="pocketsleep exclude add --conversation ID --turn 0")
    by_hand = ("turn", f"{conversation}#{turn}") if turn is not None else ("conversation", conversation)
    given = [(kind, value) for kind, value in (("app", by_app), ("pattern", pattern), by_hand) if value]
    if action in ("add", "remove") and not given:
        raise BadInput(f"say what to {action}", hint=_HOW.replace("add", action))
    with opened() as pocket:
        if action in (None, "list"):
            _list(pocket, json_)
            return
        change = pocket.exclude if action == "add" else pocket.include
        done = [(kind, value, change(kind, value)) for kind, value in given]
        now = pocket.journal.current()
    _say(action or "", done, now, json_)


def _list(pocket: Pocket, json_: bool) -> None:
    hidden = pocket.journal.hidden()
    rows: list[dict[str, Any]] = [
        {"kind": one.kind, "value": one.value, "since": one.since, "turns": hidden.get(one.id, hidden.get(one.kind, 0))}
        for one in pocket.journal.exclusions()
    ]
    if json_:
        out.one({"exclusions": rows, "hidden": hidden})
        return
    if rows:
        out.table(("kind", "value", "since", "turns"), ((r["kind"], r["value"], r["since"], r["turns"]) for r in rows))
    total = sum(hidden.values())
    out.talk.print(f"{len(rows)} exclusions; hidden turns: {total}, {hidden.get('private', 0)} of them said in private")


def _say(action: str, done: list[tuple[str, str, Veiled]], now: str, json_: bool) -> None:
    if json_:
        out.lines({"kind": kind, "value": value, "turns": one.turns, "memories": list(one.memories),
                   "taken_off": one.taken_off or None, "worn": now or None} for kind, value, one in done)
        return
    word = "hidden" if action == "add" else "shown again"
    for kind, value, one in done:
        out.data(f"{kind} {value}: {one.turns} turns and {len(one.memories)} memories {word}")
    if any(one.taken_off for _, _, one in done):
        out.talk.print(f"the adapter that holds some of them is taken off; worn now: {now or 'the bare base'}. "
                       "hint: `pocketsleep sleep --tonight` rebuilds it without")
    elif action == "remove" and any(one.memories for _, _, one in done):
        out.talk.print("what no adapter holds is learnt by the next night. hint: `pocketsleep sleep --tonight`")
