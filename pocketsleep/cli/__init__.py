"""The command line: parse, call, print. Errors become text here and nowhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperGroup

from pocketsleep import __version__, home
from pocketsleep.cli.out import bear, talk
from pocketsleep.errors import PocketError
from pocketsleep.pocket import Pocket


class Profiled(TyperGroup):
    "`--profile` before the command or after it, whichever command it is."

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        option = next(one for one in self.params if one.name == "profile")
        for command in self.commands.values():
            self._offer(option, command)

    def _offer(self, option: Any, command: Any) -> None:
        command.params.append(option)
        for one in getattr(command, "commands", {}).values():
            self._offer(option, one)


app = typer.Typer(
    cls=Profiled,
    name="pocketsleep", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, help="A local assistant that sleeps: what you say by day becomes a small personal LoRA by night.",
)


class Stopped(typer.Abort):
    "Interrupted where the same command does not go on: says what does."


USAGE: type[Exception] = typer.BadParameter.__mro__[2]  # typer's ClickException, whichever click it carries

Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object, or one a line.")]
BaseName = Annotated[str, typer.Option("--base", envvar="POCKETSLEEP_BASE",
                                       help="Base model: a card, a GGUF file, an MLX folder, or a Hugging Face id.")]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"pocketsleep {__version__}\n")
        raise typer.Exit


def _choose(name: str) -> str:
    return home.choose(name) if name else ""


@app.callback()
def _root(profile: Annotated[str, typer.Option("--profile", metavar="NAME", callback=_choose, is_eager=True, expose_value=False,
                                               help="Whose memory: each profile has a journal, adapters and a token of its own.",
                                               show_default=False)] = "",
          version: Annotated[Optional[bool], typer.Option("--version", callback=_version, is_eager=True,  # noqa: UP045
                                                             help="Print the version.")] = None) -> None:
    pass


@contextmanager
def opened(base: str = ""):  # type: ignore[no-untyped-def]
    "The home this command works in."
    place = home.find()
    if place.whole and not place.root.exists():
        talk.print(f"a new profile, `{place.profile}`: {place.root}", markup=False)
    with Pocket(place, base) as pocket:
        yield pocket


def main() -> None:
    "What `pocketsleep` runs. 1: an error that was told; 2: wrong usage; 130: interrupted."
    bear()
    try:
        app(standalone_mode=False)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except typer.Abort as stop:
        _interrupted(str(stop))
    except USAGE as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(2)
    except PocketError as error:
        talk.print(f"error: {error}", markup=False)
        if error.hint:
            talk.print(f"hint: {error.hint}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        sys.exit(0)


def _interrupted(told: str = "") -> None:
    talk.print(told or "stopped; nothing is lost. hint: the same command goes on from here", markup=False)
    sys.exit(130)


from pocketsleep.cli import ask, assistants, bench, bench_notes, care, importing, layers, memory, page, private, sleeping  # noqa: E402,F401  each registers its commands
