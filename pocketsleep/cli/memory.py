"""Commands on what is remembered: remember, memories, why, forget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from pocketsleep.cli import Json, app, opened, out
from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal.reports import knack_report, memory_report, told_at
from pocketsleep.nouns import Memory
from pocketsleep.pocket import Pocket


@app.command()
def remember(
    text: Annotated[Optional[str], typer.Argument(help="A sentence about you.")] = None,  # noqa: UP045
    file: Annotated[Optional[Path], typer.Option("--file", help='JSON Lines: {"text": ..., "supersedes": text or null}.')] = None,  # noqa: UP045
    supersedes: Annotated[str, typer.Option(help="The memory (id or text) that this replaces.")] = "",
    json_: Json = False,
) -> None:
    """Tell it something outright; the next night learns it.

    Example: pocketsleep remember "My dog is called Biscuit."
    """
    told = _told(text, file, supersedes)
    with opened() as pocket:
        kept = [(said, pocket.remember(said, _text_of(pocket, old))) for said, old in told]
        blocked = [_blocked(pocket, said) for said, memory in kept if memory is None]
    memories = [memory for _, memory in kept if memory is not None]
    if json_:
        out.lines([memory_report(m) for m in memories])
    else:
        for memory in memories:
            out.data(f"{memory.id}  {memory.text}")
    for line in blocked:
        out.talk.print(line, markup=False)


def _blocked(pocket: Pocket, said: str) -> str:
    "Why a sentence was not kept."
    if pattern := pocket.journal.excluded(said):
        return f"not kept: `{said}` falls under `{pattern}`, which is left out. hint: `pocketsleep exclude list`"
    return f"not kept: `{said}` was forgotten before, and stays forgotten"


def _told(text: str | None, file: Path | None, supersedes: str) -> list[tuple[str, str | None]]:
    if (text is None) == (file is None):
        raise BadInput("give either a sentence or a file", hint='pocketsleep remember "My dog is called Biscuit."')
    if text is not None:
        if not text.strip():
            raise BadInput("the sentence is empty", hint='pocketsleep remember "My dog is called Biscuit."')
        return [(text, supersedes or None)]
    assert file is not None
    return list(_told_lines(file))


def _told_lines(file: Path) -> Iterator[tuple[str, str | None]]:
    try:
        raw = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"`{file}` cannot be read ({error})", hint="pocketsleep remember --file told.jsonl") from None
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            said, old = found["text"].strip(), found.get("supersedes")
        except (ValueError, KeyError, TypeError, AttributeError):
            out.talk.print(f'{file}:{number}: not {{"text": ...}}; the rest is read', markup=False)
            continue
        if not isinstance(old, str | None):
            raise BadInput(f"{file}:{number}: `supersedes` is {old!r}, and has to be a memory's text or id",
                           hint="mend the line; `pocketsleep memories` lists ids")
        if said:
            yield said, old


def _text_of(pocket: Pocket, old: str | None) -> str | None:
    "`supersedes` may be an id; the ledger compares texts."
    if not old or not old.startswith("b2-"):
        return old
    return pocket.journal.memory(old).text


@app.command()
def memories(
    words: Annotated[Optional[str], typer.Argument(help="Words to look for.")] = None,  # noqa: UP045
    all_: Annotated[bool, typer.Option("--all", help="Superseded ones too.")] = False,
    tools: Annotated[bool, typer.Option("--tools", help="Instead: what failed calls of programs' tools have shown.")] = False,
    json_: Json = False,
) -> None:
    """List what is remembered.

    Example: pocketsleep memories dog
    """
    if tools:
        _knacks(words or "", json_)
        return
    with opened() as pocket:
        found = pocket.journal.memories(words or "", status=None if all_ else "active")
    if json_:
        out.lines([memory_report(m) for m in found])
    elif found:
        out.table(("id", "kind", "status", "memory"), ((m.id, m.kind, m.status, m.text) for m in found))
    else:
        out.talk.print("nothing is remembered yet. hint: `pocketsleep chat`, then `pocketsleep sleep --tonight`")


def _knacks(words: str, json_: bool) -> None:
    with opened() as pocket:
        found = [one for one in pocket.journal.knacks() if all(word in one.text.casefold() for word in words.casefold().split())]
    if json_:
        out.lines(map(knack_report, found))
    elif found:
        out.table(("id", "what calls have shown"), {one.id: (one.id, one.text) for one in found}.values())
    else:
        out.talk.print("no call of a tool was seen to fail and be put right. hint: `pocketsleep sleep --tonight`")


@app.command()
def why(
    what: Annotated[str, typer.Argument(help="The id of a memory, or of what calls of a tool have shown; or an answer it gave.")],
    json_: Json = False,
) -> None:
    """Show where a memory, or the facts in an answer, came from.

    Example: pocketsleep why "Your dog is called Biscuit."
    """
    if what.startswith("tool-"):
        _why_knack(what, json_)
        return
    with opened() as pocket:
        traced = [_trace(pocket, memory) for memory in _meant(pocket, what)]
    if json_:
        out.lines(traced)
        return
    for found in traced:
        out.data(f"{found['id']}  {found['text']}  ({found['status']})")
        for cite in found["cites"]:
            out.data(f"  said in {cite['episode']}, turn {cite['turn']}: {cite['text']}")
        out.data(f"  {len(found['dreams'])} study items, such as: {found['dreams'][0] if found['dreams'] else 'none yet'}")
        out.data(f"  in the weights of: {', '.join(found['adapters']) or 'none'}")


def _why_knack(what: str, json_: bool) -> None:
    "The turns that showed it, at each place."
    with opened() as pocket:
        found = [one for one in pocket.journal.knacks() if one.id.startswith(what)]
        turns = [[told_at(pocket.journal, cite, pocket.journal.turn(cite)) for cite in one.cites] for one in found]
    if not found:
        raise NotFound(f"nothing is known under `{what}`", hint="pocketsleep memories --tools")
    if json_:
        out.lines(knack_report(one) | {"cites": cites} for one, cites in zip(found, turns, strict=True))
        return
    for one, cites in zip(found, turns, strict=True):
        out.data(f"{one.id}  {one.text}")
        for cite in cites:
            out.data(f"  {cite['role']} in {cite['episode']}, turn {cite['turn']}: {out.short(cite['text'])}")


def _meant(pocket: Pocket, what: str) -> list[Memory]:
    if what.startswith("b2-"):
        return [pocket.journal.memory(what)]
    from pocketsleep.night.grade import says

    found = [m for m in pocket.journal.memories(status=None) if m.answer and says(what, m.answer)]
    if not found:
        raise NotFound("no memory stands behind that", hint="pocketsleep memories")
    return found


def _trace(pocket: Pocket, memory: Memory) -> dict[str, Any]:
    turns = [{"episode": c.episode, "turn": c.turn, "text": pocket.journal.turn(c).text} for c in memory.cites]
    dreams = [f"{d.question} -> {d.answer}" for d in pocket.journal.dreams(memory=memory.id)]
    holding = [a.id for a in pocket.registry.list() if memory.id in a.memories]
    return {**memory_report(memory), "cites": turns, "dreams": dreams, "adapters": holding,
            "worn": pocket.journal.current() in holding}


@app.command()
def forget(
    target: Annotated[str, typer.Argument(help="A memory's id, a conversation's, or that of what calls have shown.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Forget a memory or a conversation: at once in answers, and in the weights.

    Example: pocketsleep forget b2-1f0c --yes
    """
    with opened() as pocket:
        if not yes and not json_:
            typer.confirm(f"Forget {target} for good?", abort=True, err=True)
        worn = pocket.journal.current()
        gone = pocket.forget(target)
        now = pocket.journal.current()
    if json_:
        out.one({"memories": list(gone.memories), "turns": [[c.episode, c.turn] for c in gone.turns], "dreams": gone.dreams,
                 "knacks": list(gone.knacks), "worn_before": worn, "worn": now, "still_said_in": list(gone.still_said_in)})
        return
    calls = f", {len(gone.knacks)} of what calls of tools have shown" if gone.knacks else ""
    out.data(f"forgotten: {len(gone.memories)} memories, {len(gone.turns)} turns, {gone.dreams} study items{calls}")
    if gone.still_said_in:
        out.talk.print(f"the same is still said in: {', '.join(gone.still_said_in)}. hint: `pocketsleep forget` those as well")
    if worn != now:
        out.talk.print(f"the adapter that held it is deleted; worn now: {now or 'the bare base'}. "
                       "hint: `pocketsleep sleep --tonight` rebuilds it without")
