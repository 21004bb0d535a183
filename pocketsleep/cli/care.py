"""Commands that look after the home: verify, doctor, models, demo."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from pocketsleep import __version__, cards, home, hooks, weights
from pocketsleep import demo as demonstration
from pocketsleep.cli import BaseName, Json, app, opened, out
from pocketsleep.errors import NotFound, PocketError
from pocketsleep.fastweights.states import Kept
from pocketsleep.night.grammar import lists
from pocketsleep.nouns import Message, Sampling
from pocketsleep.pocket import Pocket

KL_BOUND, TOP1_BOUND = 0.01, 0.95  # nats and share, MLX against llama.cpp on a quantised file
PACKAGES = ("mlx", "mlx-lm", "llama-cpp-python", "numpy", "sqlite-utils", "gguf", "tokenizers")


@app.command()
def verify(json_: Json = False) -> None:
    """Re-derive every hash: turns, memories, cites, adapters.

    Example: pocketsleep verify
    """
    with opened() as pocket:
        report = pocket.journal.verify()
        findings = [*report.findings, *(f"adapter {name}: {why}" for name, why in pocket.registry.damaged()),
                    *unworn(pocket), *unforgotten(pocket), *strange_states(pocket)]
    if json_:
        out.one({"ok": not findings, "turns": report.turns, "memories": report.memories, "nights": report.nights,
                 "findings": findings})
    else:
        for finding in findings:
            out.data(finding)
        out.data(f"{report.turns} turns, {report.memories} memories, {report.nights} nights: "
                 f"{'sound' if not findings else f'{len(findings)} findings'}")
    if findings:
        raise typer.Exit(1)


def unworn(pocket: Pocket) -> list[str]:
    "What is to be worn, and is not there: somebody deleted its folder."
    if not (worn := pocket.journal.current()) or (pocket.home.adapters / worn).is_dir():
        return []
    return [f"adapter {worn}: it is to be worn and is gone; `pocketsleep undo` wears the one before, the next night makes it anew"]


def unforgotten(pocket: Pocket) -> list[str]:
    "Adapters that hold what was forgotten: a `forget` that was cut short leaves them to the next night."
    return [*(f"adapter {a.id}: it holds what was forgotten; the next night deletes it"
              for a in pocket.registry.list() if pocket.journal.forgotten_in(a.memories)),
            *(f"adapter {one}: its deletion was cut short; the next night ends it" for one in pocket.registry.half_deleted())]


def strange_states(pocket: Pocket) -> list[str]:
    "What is wrong with the fast weights on disk: damaged ones, and those that should not be there."
    found = []
    for kept in pocket.states.kept():
        if not isinstance(kept, Kept):
            found.append(f"fast weights: {kept[1]}")
            continue
        try:
            private = pocket.journal.episode(kept.conversation).private
        except NotFound:
            private = True
        if private:
            found.append(f"fast weights {kept.path.name}: of a conversation that is private or gone")
    return found


@app.command()
def doctor(base: BaseName = "", json_: Json = False) -> None:
    """What runs here, with which engine, and why; versions, disk, speed.

    Example: pocketsleep doctor
    """
    rows = [("pocketsleep", __version__), ("python", platform.python_version()), ("machine", platform.platform())]
    rows += [(name, _version(name)) for name in PACKAGES]
    with opened(base) as pocket:
        free = shutil.disk_usage(pocket.home.root).free / 1e9
        rows += [("home", f"{pocket.home.root} ({free:.0f} GB free)"), ("base", f"{pocket.card.name}: {pocket.card.title}"),
                 ("sqlite", f"{pocket.journal.sqlite_version}, {pocket.journal.mode}: {pocket.journal.mode_reason}")]
        rows += _engines(pocket)
        rows.append(("worn", pocket.journal.current() or "the bare base"))
        rows += [(f"plugin {p['name']}", _plugin(p)) for p in hooks.listing()]
    if json_:
        out.one(dict(rows))
        return
    for name, value in rows:
        out.data(f"{name:<18} {value}")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed (`pip install {package}`)"


def _engines(pocket: Any) -> list[tuple[str, str]]:
    try:
        choice = pocket.engine()
        rows = [("serves with", f"{choice.name}: {choice.reason}")]
        rows += [(f"not {name}", reason) for name, reason in choice.refused]
        rows += [("speed", _speed(pocket)), ("looks notes up", _lookup(pocket))]
    except PocketError as error:
        return [("serves with", f"nothing: {error} ({error.hint})")]
    from pocketsleep.fastweights.pick import choose
    from pocketsleep.runtime import blas, mlx, packed_math

    why = packed_math.reason()
    products = "bfloat16 by native/fused" if not why and packed_math.rounds() else "float32 by OpenBLAS"
    return [*rows, ("trains with", f"mlx on {mlx.device()}; {blas.BRIDGE.reason}"),
            ("training step", f"MLX's own: {why}" if why else f"packed, for Llama and Gemma 3: {products}"),
            ("fast weights", str(choose())), *_memory(pocket)]


def _lookup(pocket: Any) -> str:
    "How the note is found that a question is on."
    if hooks.having("recaller"):
        return "as a plugin chooses"
    why = finder.failure() if (finder := pocket.finder()) else "the default base or its skills are not installed"
    return f"by their words alone: {why}" if why else "by the dreamer"


def _memory(pocket: Any) -> list[tuple[str, str]]:
    "Memory layers of the serving engine, and what conversations have left in them."
    from pocketsleep.fastweights.pick import for_naps

    layers = getattr(pocket.serving(), "memory", None)
    files = pocket.states.files()
    size = sum(file.stat().st_size for file in files)
    return [("naps", str(for_naps(layers.widest if layers else 1))),
            ("memory layers", layers.about if layers else pocket.unremembered),
            ("states", f"{len(files)} conversation{'s' * (len(files) > 1)}, {size / 1e3:.0f} kB" if files else "none")]


def _speed(pocket: Any) -> str:
    started, pieces = time.monotonic(), 0
    for _ in pocket.serving().chat((Message("user", "Tell me about the sea."),), Sampling(max_tokens=48)):
        pieces += 1
    return f"{pieces / (time.monotonic() - started):.0f} tokens a second, generating"


def _plugin(plugin: Mapping[str, Any]) -> str:
    said = f"{plugin['package'] or 'here'} {plugin['version']}: {', '.join(plugin['hooks']) or 'nothing'}"
    failed = [f"FAILED in {f['hook']} at {f['at']} ({f['what']}): done without it" for f in plugin["failures"]]
    return "; ".join([said, *failed])


@app.command()
def plugins(json_: Json = False) -> None:
    """List what other packages add, and what of it failed.

    Example: pocketsleep plugins
    """
    with opened():
        found = hooks.listing()
    if json_:
        out.lines(found)
    elif found:
        for plugin in found:
            out.data(f"{plugin['name']:<18} {_plugin(plugin)}")
    else:
        out.talk.print("no plugin is installed. hint: docs/plugins.md tells how one is made")


@app.command()
def profiles(json_: Json = False) -> None:
    """List the profiles of this machine: people or projects, each with a journal, adapters and a token of its own.

    Example: pocketsleep profiles
    """
    here = home.find()
    rows = [{"name": one.profile, "home": str(one.root), "begun": one.journal.exists(), "chosen": one == here}
            for one in dict.fromkeys([*here.profiles(), here])]
    if json_:
        out.lines(rows)
        return
    marks = [", ".join([*(["chosen"] if r["chosen"] else []), *([] if r["begun"] else ["not begun"])]) for r in rows]
    out.table(("profile", "home", ""), ((r["name"], r["home"], mark) for r, mark in zip(rows, marks, strict=True)))


@app.command()
def models(
    action: Annotated[Optional[str], typer.Argument(metavar="[check]")] = None,  # noqa: UP045
    name: Annotated[Optional[str], typer.Argument(metavar="[NAME]")] = None,  # noqa: UP045
    json_: Json = False,
) -> None:
    """List the bases this version knows, or prove one: hashes, template, tokenizer, parity.

    Example: pocketsleep models check smollm2-135m
    """
    if action == "check":
        _check(name or cards.DEFAULT, json_)
        return
    rows = [_known(cards.find(card)) for card in ([action] if action else cards.names())]
    if json_:
        out.lines(rows)
    else:
        out.table(("name", "title", "parameters", "licence", "here"),
                  ((r["name"], r["title"], f"{r['parameters'] / 1e6:.0f}M", r["licence"], r["here"]) for r in rows))


def _known(card: Any) -> dict[str, Any]:
    try:
        here = "yes" if cards.installed(card) else f"pip install 'pocketsleep[{card.extra}]'"
    except PocketError as error:
        here = error.hint
    return {"name": card.name, "title": card.title, "parameters": card.parameters, "licence": card.licence, "here": here}


def _check(name: str, json_: bool) -> None:
    with opened(name) as pocket:
        base = weights.open_base(pocket.card, pocket.home.cache, lambda said: out.talk.print(said, markup=False))
        found: dict[str, Any] = {"name": pocket.card.name, "sha256": base.sha256, "layers": base.layers, **_proved(base)}
    if json_:
        out.one(found)
    else:
        for key, value in found.items():
            out.data(f"{key:<10} {value}")
    if not found["ok"]:
        raise typer.Exit(1)


def _proved(base: weights.Base) -> dict[str, Any]:
    """Hashes and template were checked when the base was opened; here MLX is held against llama.cpp on the
    file that it serves."""
    if base.gguf is None:
        return {"parity": "not compared: the base is an MLX folder, which llama.cpp cannot read", "ok": True}
    from pocketsleep.runtime import blas  # noqa: F401  before MLX is loaded
    from pocketsleep.weights import gguf_plain, parity

    text = "\n".join(lists.anchors()[:640])  # some 6,000 tokens
    found = parity.compare(base, gguf_plain.served(base), text)
    return {"kl": round(found.kl, 6), "top1": round(found.top1, 4), "tokens": found.tokens,
            "ok": found.kl <= KL_BOUND and found.top1 >= TOP1_BOUND}


@app.command()
def demo(
    base: BaseName = "", seed: Annotated[int, typer.Option()] = 0,
    keep: Annotated[Optional[Path], typer.Option(help="Leave the home here instead of throwing it away.")] = None,  # noqa: UP045
    json_: Json = False,
) -> None:
    """A day, a night and a morning in a throw-away home, and the way back. Your own home is not touched.

    Example: pocketsleep demo
    """
    out.talk.print("One invented day of talk, one night, the same questions before and after. "
                   "Two to five minutes on two cores, 1.5 GB of memory, 0.7 GB of disk that is given back.")
    with tempfile.TemporaryDirectory(prefix="pocketsleep-demo-") as folder, out.Tell() as tell:
        shown = demonstration.live(home.Home(keep or Path(folder)), tell, base, seed)
    if json_:
        out.one(shown.plain())
        return
    _show(shown)


def _show(shown: demonstration.Shown) -> None:
    out.table(("question", "before", "after"),
              ((q["question"], _cell(q, b), _cell(q, a))
               for q, b, a in zip(shown.questions, shown.before, shown.after, strict=True)))
    found = shown.plain()
    for text in found["memories"]:
        out.data(f"kept     {text}")
    for item in found["dropped"]:
        out.data(f"dropped  {' '.join(item['text'].split())[:90]}  ({item['reason']})")
    for reason in found["reasons"]:
        out.data(reason)
    asked = found["questions"]
    out.data(f"{asked['asked']} questions; the {asked['asked'] - asked['unseen']} that the night happened to study are not counted")
    for what in ("recall", "general", "declined"):
        out.data(f"{what:<9} {found[what]['before']:.0%} before, {found[what]['after']:.0%} after, by the weights alone")
    out.data(f"undone: answers are {'byte for byte those of before' if found['undone_identical'] else 'NOT those of before'}")
    out.data("seconds: " + ", ".join(f"{stage} {took}" for stage, took in found["seconds"].items()))


def _cell(question: dict[str, Any], answer: str) -> str:
    flat = " ".join(answer.split())
    mark = "+" if demonstration.correct(question, answer) else "-"
    return f"{mark} {flat[:48]}"
