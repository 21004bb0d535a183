"""Formats that plugins bring (hook `importer`). What they read is checked as a line of our own format is, and whose words a turn
holds is told from its role here: a plugin cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pocketsleep import hooks
from pocketsleep.hooks import Importer
from pocketsleep.journal.importing.form import BadLine, Format, Seen
from pocketsleep.journal.importing.messages import checked
from pocketsleep.nouns import Episode


def formats() -> dict[str, Format]:
    "By name."
    return {one.name: Format(one.name, one.title, partial(_read, plugin, one)) for plugin, one in _importers()}


def claimed(path: Path) -> str:
    "The format that takes a file for its own, '' where none does."
    plugins = hooks.installed()
    for plugin, importer in _importers():
        with plugins.noting(plugin, "importer"):
            if importer.knows(path):
                return importer.name
    return ""


def _importers() -> Iterator[tuple[str, Importer]]:
    return hooks.ask("importer", lambda answer: Importer(*answer))


def _read(plugin: str, importer: Importer, path: Path, seen: Seen) -> Iterator[Episode | BadLine]:
    "What was read before a failure is kept; the failure is a bad conversation."
    number = 0
    try:
        for number, plain in enumerate(importer.read(path), start=1):
            for found in checked(number, plain):
                yield found if isinstance(found, BadLine) else _named(importer.name, found)
    except (Exception, SystemExit) as wrong:
        hooks.installed().note(plugin, "importer", wrong)
        yield BadLine(number + 1, f"the plugin `{plugin}` failed here ({type(wrong).__name__})", unit="conversation")


def _named(form: str, episode: Episode) -> Episode:
    return replace(episode, id=f"{form}-{episode.id}", source=form)
