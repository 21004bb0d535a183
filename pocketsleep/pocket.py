"""An open home: the journal, the adapters, the base, and the engines, put together in one place."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from shutil import rmtree
from typing import Any, Self

from filelock import FileLock, Timeout

from pocketsleep import cards, disk, hooks, weights
from pocketsleep import home as homes
from pocketsleep import night as nights
from pocketsleep.errors import BadInput, Busy, NotFound, PocketError
from pocketsleep.fastweights.states import Kept, States
from pocketsleep.home import Home
from pocketsleep.journal import Forgotten, Journal, Veiled
from pocketsleep.night import extract as extracting
from pocketsleep.night import gather as gathering
from pocketsleep.night.bed import Dreamer
from pocketsleep.night.dreamt import dreamt
from pocketsleep.night.finder import Finder
from pocketsleep.night.known import Known
from pocketsleep.night.listen.ear import Ear, ear
from pocketsleep.night.nearness import alike, near, place
from pocketsleep.night.recipe import Recipe, derive
from pocketsleep.night.sayings import Sayings
from pocketsleep.night.skill import DREAMER, EAR, MANNER, Skills, identity, manner, states
from pocketsleep.night.tidy import tidy
from pocketsleep.nouns import Card, Cite, Episode, Memory, Night, Turn, Verdict, content_id
from pocketsleep.registry import Registry
from pocketsleep.runtime import Runtime, pick
from pocketsleep.serve.day import Day


@dataclass(frozen=True, slots=True)
class Wishes:
    "What a person may ask of one night."

    seed: int = 0
    budget: float = 0.0  # minutes, 0 for no limit
    changes: Mapping[str, Any] | None = None  # recipe fields, for experiments
    fresh: bool = False  # begin a night that was cut short again
    depth: str = "night"  # nap, night or deep (recipe.DEPTHS)


class Pocket:
    "Everything one home holds. Engines are loaded when first needed."

    def __init__(self, home: Home, base: str = "") -> None:
        self.home = home.make()
        hooks.installed().notes = home.plugins  # of the home opened last, should there be several
        self.journal = Journal(home.journal)
        self.registry = Registry(home.adapters)
        self.named = base or self._base_of_what_is_worn()
        self.card: Card = cards.find(base) if base else cards.kept(self.named or cards.DEFAULT)
        self._serving: Runtime | None = None
        self._finder: Finder | None = None
        self.states = States(home.states)
        self.unremembered = ""  # why no memory layers are on, once the serving engine is loaded

    def _base_of_what_is_worn(self) -> str:
        "The base last slept on, '' for the default; another where `undo` or `use` put on an adapter that was made for it."
        kept, worn = self.journal.setting("base"), self.journal.current()
        try:
            made_for = self.journal.adapter(worn).base if worn else ""
            return kept if not made_for or cards.find(kept or cards.DEFAULT).name == made_for else cards.find(made_for).name
        except PocketError:
            return kept

    def close(self) -> None:
        self._rest()
        if self._finder is not None:
            self._finder.close(for_good=True)
        self.journal.close()

    def _rest(self) -> None:
        "Let go of the engines' memory; they are loaded again when next asked for. Days made before are over."
        if self._finder is not None:
            self._finder.close()
        if self._serving is not None:
            self._serving.close()
            self._serving = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @cached_property
    def base(self) -> weights.Base:
        return weights.open_base(self.card, self.home.cache)

    def serving(self) -> Runtime:
        "The runtime that talks and is examined; loaded once."
        if self._serving is None:
            self._serving = self.engine().runtime()
            self.unremembered = self._put_on_layers(self._serving)
        return self._serving

    def engine(self) -> pick.Choice:
        "Which engine serves, and why."
        return pick.serving(self.card, self.base, wanted=homes.engine())

    def _put_on_layers(self, runtime: Runtime) -> str:
        "Memory layers, where the base has some and the engine takes them; else why not. Without them one talks as well."
        if (file := cards.memory_layers(self.card.name, self.home.layers)) is None:
            return f"none for `{self.card.name}`"
        if not hasattr(runtime, "remember"):
            return f"they need MLX, and {runtime.name} serves: `{homes.ENGINE}=mlx pocketsleep chat` talks with them"
        try:
            runtime.remember(file)
        except PocketError as wrong:
            return f"{wrong}; {wrong.hint}"
        return ""

    def dress(self, adapter: str) -> Path:
        "An adapter's folder, checked, with what the serving runtime reads from it."
        self.registry.check(adapter, self.base.sha256)
        if self.serving().name == "llamacpp":
            self.registry.gguf(adapter, self.base)
        return self.registry.path(adapter)

    def day(self, private: bool = False) -> Day:
        self.states.sweep()
        return Day(self.journal, self.serving(), self.dress, private, states=self.states, reader=self.finder(),
                   sayings=Sayings(self.journal, self.finder()))

    # the night

    @contextmanager
    def alone(self) -> Iterator[None]:
        "One night at a time."
        lock = FileLock(self.home.lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Busy("a night is already under way in this home",
                       hint="wait for it, or stop it with Ctrl-C where it runs") from None
        try:
            yield
        finally:
            lock.release()

    def sleep(self, wishes: Wishes, tell: nights.Teller) -> tuple[Night, Verdict]:
        "One night, from the start or from where the last one was cut short."
        with self.alone():
            night = self._tonight(wishes)
            verdict = nights.sleep(self._bed(night, wishes.budget), night, tell)
            if verdict.passed and self.named:  # what wears this adapter from now on
                self.journal.set_setting("base", self.named)
            if verdict.passed:
                self.states.clear(self._slept)
            self._tidy(night)
            ended = self.journal.night(night.id)
            self._report(ended)
            return ended, verdict

    def _slept(self, kept: Kept) -> bool:
        "Whether all that went into a conversation's fast weights has slept: a night has read it, and kept what was to be kept."
        return not any(c.episode == kept.conversation and c.turn < kept.left for c in self.journal.unslept())

    def _report(self, night: Night) -> None:
        "To plugins."
        new = set((self.journal.stage(night.id, "extract") or {}).get("new", ()))
        learnt = tuple(m for m in self.journal.memories(status=None) if m.id in new)
        for _ in hooks.ask("report", lambda answer: answer, night=night, learnt=learnt,
                           dropped=tuple(self.journal.dropped(night.id))):
            pass

    def _tonight(self, wishes: Wishes) -> Night:
        "The night that was cut short, as it was begun; else a new one."
        now = datetime.now(UTC).isoformat(timespec="seconds")
        changes = {**(wishes.changes or {}), **({"depth": wishes.depth} if wishes.depth != "night" else {})}
        wanted = Night("", now, wishes.seed, self.card.name, changes, previous=self.journal.current())
        if (night := self.journal.open_night()) is None:
            _ = self.base  # one that cannot be opened begins no night
            return self.journal.begin(wanted)
        if wishes.fresh or nights.outdated(self.journal, night):
            rmtree(self.home.work / night.id, ignore_errors=True)
            return self.journal.restart(replace(wanted, id=night.id))
        if night.base != self.card.name:
            raise BadInput(f"night `{night.id}` was begun on `{night.base}`, and `{self.card.name}` is asked for now",
                           hint=f"`pocketsleep sleep --tonight --base {night.base}` goes on with it, `--fresh` begins it again")
        return night

    def _bed(self, night: Night, budget: float) -> nights.Bed:
        started, limit = time.monotonic(), budget * 60
        return nights.Bed(
            journal=self.journal, registry=self.registry, serving=self.serving, trainer=self._trainer,
            recipe=self.recipe(night.seed, night.recipe), base=self.card.name, base_sha256=self.base.sha256,
            known=Known(self.serving, self.base.sha256, self.home.cache / "known", cards.answers(self.card.name)),
            work=self.home.work, dress=self.dress,
            late=lambda: bool(limit) and time.monotonic() - started > limit,
            ear=self.ear(), alike=partial(alike, self.journal, self.skills), dreamer=self.dreamer(), manner=self._manner(night),
            dreamer_id=identity(cards.skills() / DREAMER) if self.skills else "", place=partial(place, self.journal, self.skills),
        )

    def _manner(self, night: Night) -> str:
        plan = self.recipe(night.seed, night.recipe)(1).plan()
        return manner(self.registry, cards.skills() / MANNER, self.base.sha256, plan)

    # skills, on the default base whichever base talks

    @cached_property
    def skills(self) -> Skills | None:
        "None where the default base is not installed: rules and grammar then do without."
        if not _skills_installed():
            return None
        card = cards.find(cards.DEFAULT)
        base = self.base if self.card.name == card.name else weights.open_base(card, self.home.cache)
        return Skills(cards.skills(), self.home.cache / "skills", base.sha256, base.tokenizer.encode,
                      partial(states, card, base), partial(self._skilled, card, base), partial(self._another, card, base))

    @contextmanager
    def _skilled(self, card: Card, base: weights.Base) -> Iterator[Runtime]:
        "The serving engine where it is of the default base, else one of its own, let go of afterwards."
        if self.card.name == card.name:
            yield self.serving()
            return
        runtime = self._another(card, base)
        try:
            yield runtime
        finally:
            runtime.close()

    def _another(self, card: Card, base: weights.Base) -> Runtime:
        "One more engine of the skills' base: on the serving one's weights in memory, where they are the same."
        return pick.another(card, base, self._serving if self.card.name == card.name else None, homes.engine())

    def ear(self) -> Ear | None:
        return ear(self.skills) if self.skills else None

    def dreamer(self) -> Dreamer | None:
        skills = self.skills
        return (lambda memories, seed: dreamt(skills, memories, seed)) if skills else None

    def finder(self) -> Finder | None:
        "The dreamer by day, on an engine of its own that is loaded when it is first asked. None as for `skills`."
        if self._finder is None and _skills_installed():
            self._finder = Finder(self._dreaming, lambda: near(self.journal, self.skills))
        return self._finder

    def _dreaming(self) -> Runtime:
        assert self.skills is not None
        return self.skills.put_on(DREAMER, self.skills.load())

    def recipe(self, seed: int, changes: Mapping[str, Any]) -> Callable[[int], Recipe]:
        "How a night on this base is made, by the number of its memories."
        size = self.card.parameters or self.base.parameters
        wanted = dict(changes) if self.skills else {"skilled": 0, **changes}
        depth = wanted.pop("depth", "night")
        return lambda memories: derive(memories, size, self.base.layers, seed, changes=wanted, depth=depth)

    def _trainer(self) -> Any:
        from pocketsleep.runtime.mlx import Mlx

        self._rest()  # the base is in memory once while it trains
        return Mlx(self.card, self.base)

    def _tidy(self, night: Night) -> None:
        tidy(self.journal, self.registry, self.home.work / night.id)

    def would_learn(self) -> dict[str, Any]:
        "What a night would find now, and where; nothing is written."
        gathered = gathering.gather(self.journal)
        with alike(self.journal, self.skills) as likeness:
            heard = extracting.extract(gathered, self.journal.memories(), self.ear(), likeness)
        return {"memories": heard.memories, "dropped": [*gathered.aside, *heard.dropped],
                "live": self.journal.memories(), "knacks": self.journal.new_knacks(gathered.knacks)}

    def would_import(self, batches: Iterable[Sequence[Episode]]) -> Iterator[extracting.Extracted]:
        "What a night would hear in conversations that were not read in yet, batch by batch; nothing is written."
        known = list(self.journal.memories())
        for batch in batches:
            made = self.journal.rehearse(batch)
            cites = tuple(Cite(e.id, n) for e, first in made for n in range(first, len(e.turns))
                          if e.turns[n].role == "user" and not (e.turns[n].private or e.turns[n].taint))
            with alike(self.journal, self.skills) as likeness:
                heard = extracting.extract(gathering.Gathered(tuple(e for e, _ in made), cites, ()), known, self.ear(), likeness)
            known += heard.memories
            yield heard

    def remember(self, text: str, supersedes: str | None = None) -> Memory | None:
        "Told outright: kept as it is, cited to itself. None when it was forgotten before."
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return self.journal.learn(extracting.told(text, supersedes, self.journal.memories(), now))

    def pass_on(self, text: str, app: str) -> str:
        """Keep what a program's assistant says of the user, as that: a tool's words, which no night learns from. Returns the
        conversation's id, '' when it was forgotten before."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        fact = extracting.told(text, None, self.journal.memories(), now)
        if self.journal.was_forgotten(text) or self.journal.was_forgotten(fact.text):
            return ""
        turn = Turn("tool", text, "tool", False, now)
        return self.journal.record(Episode("mcp-" + content_id("passed on", app, text)[3:], (turn,), now, f"mcp:{app}")).episode_id

    def forget(self, target: str) -> Forgotten:
        """Unserve at once, and leave nothing to go back to: rows, checkpoints, and every adapter that was trained with it, or in
        contrast to it. Until the next night the newest adapter without it is worn, or the bare base."""
        self.journal.goes_with(target)  # a wrong name takes nothing with it
        heirs = self.journal.heirs(target)
        self.states.clear()  # whether it went into one of them is not to be seen; first, should what follows be cut short
        rmtree(self.home.work, ignore_errors=True)
        self.home.make()
        if heirs:
            self._discard(heirs)  # first, too: afterwards nothing says what they replaced
        gone = self.journal.forget(target)
        self.states.clear()  # a nap that another process began in between read it still
        self._discard([*gone.memories, *heirs], bool(gone.taken_off))
        return gone

    def _discard(self, memories: Sequence[str], bare: bool = False) -> None:
        "Delete every adapter that holds one of these, or may. Where it was worn, or nothing is, the newest without is put on."
        holding = [a.id for a in self.registry.list() if not set(memories).isdisjoint(a.memories)]
        holding += self.registry.unreadable()
        if bare or self.journal.current() in holding:
            self.journal.use(self._newest_without(holding))
        for adapter in holding:
            self.registry.discard(adapter)

    def exclude(self, kind: str, value: str) -> Veiled:
        """Keep an app, a pattern, a conversation or a turn out of all that reads the journal. An adapter that holds
        something of it is taken off: the newest one without is worn until the next night has rebuilt it."""
        self.journal.excludable(kind, value)  # a wrong name takes nothing with it
        self.states.clear()  # first, as in `forget`: a state that is left behind would be read on
        done = self.journal.exclude(kind, value)
        self.states.clear()
        if done.taken_off:
            holding = [a.id for a in self.registry.list() if self.journal.withheld_in(a.memories)]
            self.journal.use(self._newest_without(holding), instead=True)
        return done

    def include(self, kind: str, value: str) -> Veiled:
        "Take an exclusion back. What it alone hid is there again, and so is the adapter that was taken off for it."
        done = self.journal.include(kind, value)
        if (worn := self.journal.current()) and worn not in {a.id for a in self.registry.list()}:
            self.journal.use("")
        return done

    def _newest_without(self, holding: Sequence[str]) -> str:
        "The newest adapter beside these that may be worn: one from before a memory was hidden holds that still."
        here = {a.id for a in self.registry.list()} - set(holding)
        worn = [n.adapter for n in self.journal.nights() if n.verdict and n.verdict.passed]
        return next((a for a in reversed(worn) if a in here and not self.journal.withheld_in(self.journal.holds(a))), "")

    def undo(self) -> str:
        "Wear what was worn before; returns its id, '' for the bare base."
        back = self.journal.undo()
        if back and back not in {a.id for a in self.registry.list()}:
            self.journal.use("")
            return ""
        return back

    def use(self, name: str) -> str:
        "Wear a night's adapter by the night's or the adapter's name, or none."
        if name in ("none", ""):
            self.journal.use("")
            return ""
        adapter = self._adapter_named(name)
        self.registry.check(adapter, self.base.sha256)
        self.journal.use(adapter)
        return adapter

    def _adapter_named(self, name: str) -> str:
        if found := [a.id for a in self.registry.list() if a.id.startswith(name)]:
            return found[0]
        night = self.journal.night(name)
        if not night.adapter or night.verdict is None or not night.verdict.passed:
            raise NotFound(f"night `{night.id}` left no adapter that may be worn", hint="pocketsleep nights")
        if night.adapter not in {a.id for a in self.registry.list()}:
            raise NotFound(f"the adapter of night `{night.id}` was deleted when something in it was forgotten",
                           hint="pocketsleep sleep --tonight")
        return night.adapter

    def token(self) -> str:
        "The bearer token of the local server, made on first use and readable by its owner alone."
        if not self.home.token.exists():
            disk.write_once(self.home.token, secrets.token_urlsafe(32).encode())
            self.home.token.chmod(0o600)
        return self.home.token.read_text(encoding="ascii").strip()

    def export(self, to: str, folder: Path) -> Path:
        "The worn adapter in another program's format."
        if not (current := self.journal.current()):
            raise NotFound("no adapter is worn, so there is nothing to export", hint="pocketsleep sleep --tonight")
        return self.registry.export(current, to, folder, self.base)


def _skills_installed() -> bool:
    return cards.installed(cards.find(cards.DEFAULT)) and (cards.skills() / EAR).is_file()
