"""Which engine serves on this machine, and why each one before it could not."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pocketsleep import hooks
from pocketsleep.errors import BadInput, MissingPart, PocketError
from pocketsleep.nouns import Card
from pocketsleep.runtime import Beside, Runtime
from pocketsleep.weights import Base


@dataclass(frozen=True, slots=True)
class Choice:
    "An engine, not yet loaded, the reason for it, and those refused with theirs."

    name: str
    reason: str
    runtime: Callable[[], Runtime]
    refused: tuple[tuple[str, str], ...] = ()


ENGINES = ("llamacpp", "mlx")
BESIDE = 512  # tokens of context that looking a note up takes


def serving(card: Card, base: Base, machine: tuple[str, str] | None = None, wanted: str = "") -> Choice:
    """The first engine that can serve this base here: `wanted`, a plugin's, or else one of ours.

    machine: (system, processor) as `platform` names them, by default this one. Raises MissingPart with
    every reason when none can, BadInput where no engine is called `wanted`.
    """
    if wanted:
        if wanted not in ENGINES:
            raise BadInput(f"no engine is called `{wanted}`", hint=f"one of {', '.join(ENGINES)}, or none for the best one here")
        if (why := _refusal(wanted, base)) is not None:
            raise MissingPart(f"`{wanted}` cannot serve `{card.name}` here ({why})", hint="name no engine, and another is taken")
        return Choice(wanted, "it was asked for by name", _factory(wanted, card, base))
    for plugin, (name, reason, load) in hooks.ask("runtime", lambda offer: hooks.Offer(*offer), card=card, base=base):
        return Choice(name, f"the plugin `{plugin}` brings it: {reason}", _plugged(plugin, load, card, base, machine))
    return _ours(card, base, machine)


def another(card: Card, base: Base, beside: Runtime | None, wanted: str = "") -> Runtime:
    """One more engine of a base: on the weights in memory that `beside` lends, where it serves the same base (None: it does not)
    and can. Raises BadInput where a plugin has but one engine."""
    if isinstance(beside, Beside):
        return beside.beside(BESIDE)
    if (made := serving(card, base, wanted=wanted if beside else "").runtime()) is beside:
        raise BadInput(f"`{made.name}` has one engine, and it talks", hint="another engine: `pocketsleep doctor`")
    return made


def _plugged(plugin: str, load: Callable[[], Runtime], card: Card, base: Base,
             machine: tuple[str, str] | None) -> Callable[[], Runtime]:
    "A plugin's engine; one of ours if it does not load."
    def first() -> Runtime:
        try:
            if isinstance(runtime := load(), Runtime):
                return runtime
            raise TypeError(f"{type(runtime).__name__} lacks a part of the protocol")
        except (Exception, SystemExit) as wrong:
            hooks.installed().note(plugin, "runtime", wrong)
            return _ours(card, base, machine).runtime()

    return first


def _ours(card: Card, base: Base, machine: tuple[str, str] | None) -> Choice:
    system, processor = machine or (platform.system(), platform.machine())
    refused: list[tuple[str, str]] = []
    for name, reason in _order(system, processor):
        why = _refusal(name, base)
        if why is None:
            return Choice(name, reason, _factory(name, card, base), tuple(refused))
        refused.append((name, why))
    reasons = "; ".join(f"{name}: {why}" for name, why in refused)
    raise MissingPart(f"no engine can serve `{card.name}` here ({reasons})",
                      hint="`pip install 'pocketsleep[llamacpp]'`")


def _order(system: str, processor: str) -> tuple[tuple[str, str], ...]:
    "Engines, best first, with the reason that is told if one is chosen."
    if system == "Darwin" and processor == "arm64":
        return ("mlx", "Apple Silicon, where MLX has the GPU"), ("llamacpp", "MLX cannot serve here")
    return ("llamacpp", "it serves on every platform"), ("mlx", "llama.cpp cannot serve here")


def _refusal(name: str, base: Base) -> str | None:
    "Why an engine cannot serve this base, None if it can."
    if name == "llamacpp" and base.gguf is None:
        return "the base is an MLX folder, not a GGUF file"
    try:
        _module(name)
    except PocketError as error:
        return f"{error}; {error.hint}" if error.hint else str(error)
    except (ImportError, OSError, RuntimeError) as error:
        return f"it cannot be imported ({error})"
    return None


def _factory(name: str, card: Card, base: Base) -> Callable[[], Runtime]:
    def load() -> Runtime:
        module = _module(name)
        found: Runtime = module.Mlx(card, base) if name == "mlx" else module.LlamaCpp(card, base)
        return found

    return load


def _module(name: str) -> Any:
    return importlib.import_module(f"pocketsleep.runtime.{name}")
