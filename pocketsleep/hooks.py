"""What other packages may add, as pluggy hook specifications. docs/plugins.md shows how; a plugin's functions look like

    from pocketsleep.hooks import impl

    @impl
    def scrubber(text): ...

in a module that an entry point of the group `pocketsleep` names. A plugin runs with all the rights of the program, but
what it answers is checked: it can take text out of what is written, choose among live memories, and bring conversations
from files, of which the roles say whose word a turn holds, as everywhere.
Who fails is noted (`pocketsleep doctor` names it), and the program does what it does without.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from pocketsleep import disk
from pocketsleep.nouns import Card, Dropped, Memory, Night

if TYPE_CHECKING:
    from pocketsleep.runtime import Runtime
    from pocketsleep.weights import Base

GROUP = "pocketsleep"
spec, impl = pluggy.HookspecMarker(GROUP), pluggy.HookimplMarker(GROUP)


class Offer(NamedTuple):
    "An engine that a plugin brings, not yet loaded."

    name: str
    reason: str  # shown by `pocketsleep doctor`
    load: Callable[[], Runtime]


class Importer(NamedTuple):
    "A kind of file."

    name: str  # for `--format`
    title: str
    knows: Callable[[Path], bool]  # whether a file is of this kind
    read: Callable[[Path], Iterable[Mapping[str, Any]]]  # conversations, as our own format has them: {"id", "messages": [...]}


class Specs:
    "Each may answer None: not my business."

    @spec
    def importer(self) -> Importer | None:
        "A kind of file that `pocketsleep import` shall read."

    @spec
    def recaller(self, question: str, memories: Sequence[Memory]) -> Sequence[str] | None:
        "Ids of the live memories that a question calls for, the likeliest first. The first plugin that answers is taken."

    @spec
    def runtime(self, card: Card, base: Base) -> Offer | None:
        "An engine for this base on this machine. It is preferred to the built-in ones; if it cannot be loaded, these serve."

    @spec
    def scrubber(self, text: str) -> Iterable[tuple[str, str]] | None:
        "(kind, secret) for each secret of a text: it is written as `[secret: kind]`, with what the built-in rules found."

    @spec
    def report(self, night: Night, learnt: Sequence[Memory], dropped: Sequence[Dropped]) -> None:
        "How a night ended, once it has."


HOOKS = tuple(name for name in vars(Specs) if not name.startswith("_"))


@dataclass(frozen=True, slots=True)
class Failure:
    "What a plugin did wrong. Of an error its kind and place: its words could repeat the person's."

    plugin: str
    version: str
    hook: str  # or "load"
    what: str
    at: str  # ISO 8601


@dataclass(frozen=True, slots=True)
class Plugin:
    name: str
    package: str
    version: str
    hooks: tuple[str, ...]


class Plugins:
    "Those that are installed, loaded one by one."

    def __init__(self, entries: Iterable[metadata.EntryPoint] = ()) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(Specs)
        self.known: dict[str, Plugin] = {}
        self.failures: dict[tuple[str, str], Failure] = {}
        self.notes: Path | None = None  # where failures are told to other processes
        for entry in sorted(entries):
            package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
            name = entry.name if entry.name not in self.known else f"{package}:{entry.name}"
            self.known[name] = Plugin(name, package, version, ())
            with self.noting(name, "load"):
                self.add(name, entry.load(), package, version)

    def add(self, name: str, plugin: Any, package: str = "", version: str = "") -> None:
        "Raises what pluggy raises if the plugin's functions do not fit the specifications."
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
        except Exception:
            self.manager.unregister(plugin)
            raise
        found = {caller.name for caller in self.manager.get_hookcallers(plugin) or ()}
        self.known[name] = Plugin(name, package, version, tuple(h for h in HOOKS if h in found))

    def drop(self, name: str) -> None:
        self.manager.unregister(name=name)
        del self.known[name]

    def having(self, hook: str) -> list[str]:
        return sorted(p.name for p in self.known.values() if hook in p.hooks)

    def ask(self, hook: str, check: Callable[[Any], Any], **given: Any) -> Iterator[tuple[str, Any]]:
        "(plugin, answer as `check` lets it stand) of each that answers, by name. What `check` raises is the plugin's failure."
        for name in self.having(hook):
            others = [plugin for known, plugin in self.manager.list_name_plugin() if known != name]
            answers: list[Any] = []
            with self.noting(name, hook):
                answers = [check(one) for one in self.manager.subset_hook_caller(hook, others)(**given)]
            yield from ((name, one) for one in answers)

    @contextmanager
    def noting(self, name: str, hook: str) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as wrong:
            self.note(name, hook, wrong)

    def note(self, name: str, hook: str, wrong: BaseException) -> None:
        "Remember a failure, and tell other processes of it the first time."
        now = datetime.now(UTC).isoformat(timespec="seconds")
        failure = Failure(name, self.known[name].version, hook, _told(hook, wrong), now)
        before = self.failures.get((name, hook))
        self.failures[name, hook] = failure
        if self.notes and (before is None or before.what != failure.what):
            with suppress(OSError):  # a full disk must not cost the answer
                _write(self.notes, failure)

    def failed(self) -> list[Failure]:
        "What those that are installed did wrong, in this process and in others, as far as it is this version of them."
        told = _read(self.notes) if self.notes else {}
        newest = {**told, **self.failures}
        here = {name: plugin.version for name, plugin in self.known.items()}
        return [f for _, f in sorted(newest.items()) if here.get(f.plugin) == f.version]


def _told(hook: str, wrong: BaseException) -> str:
    kind = type(wrong).__name__
    if hook == "load":  # nothing of the person was in sight
        return f"{kind}: {wrong}".splitlines()[0][:200]
    frames = traceback.extract_tb(wrong.__traceback__)
    return f"{kind} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else kind


def _read(path: Path) -> dict[tuple[str, str], Failure]:
    with suppress(OSError, ValueError, TypeError):
        found = [Failure(**one) for one in json.loads(path.read_text("utf-8"))]
        return {(f.plugin, f.hook): f for f in found}
    return {}


def _write(path: Path, failure: Failure) -> None:
    told = _read(path) | {(failure.plugin, failure.hook): failure}
    with disk.new_file(path) as draft:
        draft.write_text(json.dumps([asdict(f) for f in told.values()], ensure_ascii=False), "utf-8")


@cache
def installed() -> Plugins:
    "The plugins of this installation, loaded when first asked for."
    return Plugins(metadata.entry_points(group=GROUP))


def ask(hook: str, check: Callable[[Any], Any], **given: Any) -> Iterator[tuple[str, Any]]:
    return installed().ask(hook, check, **given)


def having(hook: str) -> list[str]:
    "Names of the plugins that have this hook."
    return installed().having(hook)


def listing() -> list[Mapping[str, Any]]:
    "Plugins as plain data, with what they did wrong."
    found = installed()
    wrong = [asdict(f) for f in found.failed()]
    return [{**asdict(p), "hooks": list(p.hooks), "failures": [f for f in wrong if f["plugin"] == p.name]}
            for _, p in sorted(found.known.items())]
