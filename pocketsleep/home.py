"""Where things live on disk. The only reader of environment variables.

A profile is a home of its own below the default one, `profiles/NAME`: journal, adapters, token and all else. Only the
cache is shared, which holds nothing personal.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from pocketsleep.errors import BadInput, JournalError

VARIABLE = "POCKETSLEEP_HOME"
PROFILE = "POCKETSLEEP_PROFILE"
ENGINE = "POCKETSLEEP_ENGINE"
DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)\d")  # no folder can be called so on Windows


@dataclass(frozen=True, slots=True)
class Home:
    "The folders of one pocketsleep home. Nothing is made until `make` is called."

    root: Path
    whole: Path | None = None  # of a profile: the home it is part of

    @property
    def journal(self) -> Path:
        return self.root / "journal.db"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    @property
    def cache(self) -> Path:
        "Pure functions of their inputs (imported bases, anchors): safe to delete."
        return (self.whole or self.root) / "cache"

    @property
    def profile(self) -> str:
        return self.root.name if self.whole else DEFAULT

    def of(self, profile: str) -> Home:
        "The home of a profile beside this one."
        whole, name = self.whole or self.root, checked(profile)
        return Home(whole) if name == DEFAULT else Home(whole / "profiles" / name, whole)

    def profiles(self) -> list[Home]:
        "The homes that are there, the default one first."
        whole = self.whole or self.root
        named = sorted(p.name for p in (whole / "profiles").glob("*") if _NAME.fullmatch(p.name) and p.is_dir())
        return [Home(whole), *(self.of(name) for name in named)]

    @property
    def work(self) -> Path:
        "Checkpoints of the night under way."
        return self.root / "work"

    @property
    def lock(self) -> Path:
        "Held by the one night that may run."
        return self.root / "night.lock"

    @property
    def states(self) -> Path:
        "Fast weights of conversations: what left the window, as private as the journal."
        return self.root / "states"

    @property
    def layers(self) -> Path:
        "Memory layers that were trained here, by the name of their base; they come before shipped ones."
        return self.root / "layers"

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
    "The home that POCKETSLEEP_HOME names, or the platform's usual place for a person's data; of it POCKETSLEEP_PROFILE."
    environ = dict(os.environ) if environ is None else environ
    named = environ.get(VARIABLE)
    whole = Home(_own(Path(named)).resolve() if named else _default(environ) / "pocketsleep")
    return whole.of(environ.get(PROFILE) or DEFAULT)


def engine(environ: dict[str, str] | None = None) -> str:
    "The engine that is to serve, by name; '' for the best one here."
    return (os.environ if environ is None else environ).get(ENGINE, "")


def choose(profile: str) -> str:
    "The profile of this process and those it starts from now on."
    os.environ[PROFILE] = checked(profile)
    return os.environ[PROFILE]


def checked(profile: str) -> str:
    "A profile's name. BadInput when no folder should be called so."
    if not _NAME.fullmatch(profile) or _DEVICES.fullmatch(profile):
        raise BadInput(f"a profile cannot be called `{profile}`",
                       hint="up to 32 small letters, digits, - and _: `pocketsleep chat --profile work`")
    return profile


def _default(environ: dict[str, str]) -> Path:
    if sys.platform == "darwin":
        return _own() / "Library" / "Application Support"
    if sys.platform == "win32":
        return _named(environ, "LOCALAPPDATA") or _own() / "AppData" / "Local"
    return _named(environ, "XDG_DATA_HOME") or _own() / ".local" / "share"


def _named(environ: dict[str, str], variable: str) -> Path | None:
    "The folder that a variable names. One that is empty or relative counts as unset: it would be another one in every folder."
    path = Path(environ.get(variable, ""))
    return path if path.is_absolute() else None


def _own(path: Path = Path("~")) -> Path:
    "A path in a person's own folder. BadInput where the system knows of none: a container, a service without HOME."
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BadInput(f"no folder of your own is known here, and `{path}` stands for one",
                       hint=f"name one: `{VARIABLE}=/some/folder pocketsleep doctor`") from error
