"""Where things live on disk. The only reader of environment variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pocketsleep.errors import JournalError

VARIABLE = "POCKETSLEEP_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    "The folders of one pocketsleep home. Nothing is made until `make` is called."

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal.db"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    @property
    def cache(self) -> Path:
        "Pure functions of their inputs (imported bases, anchors): safe to delete."
        return self.root / "cache"

    @property
    def work(self) -> Path:
        "Checkpoints of the night under way."
        return self.root / "work"

    @property
    def lock(self) -> Path:
        "Held by the one night that may run."
        return self.root / "night.lock"

    @property
    def plugins(self) -> Path:
        "What plugins did wrong."
        return self.root / "plugins.json"

    @property
    def token(self) -> Path:
        "The bearer token of the local server."
        return self.root / "token"

    def make(self) -> Home:
        "Create the folders, readable by their owner alone."
        try:
            for folder in (self.root, self.adapters, self.cache, self.work):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(
                f"the home `{self.root}` cannot be written ({error.strerror})",
                hint=f"choose another: `{VARIABLE}=/some/folder pocketsleep doctor`",
            ) from error
        return self


def find(environ: dict[str, str] | None = None) -> Home:
    "The home that POCKETSLEEP_HOME names, or the platform's usual place for a person's data."
    environ = dict(os.environ) if environ is None else environ
    if named := environ.get(VARIABLE):
        return Home(Path(named).expanduser().resolve())
    return Home(_default(environ) / "pocketsleep")


def _default(environ: dict[str, str]) -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
