"""The command line: parse, call, print. Errors become text here and nowhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Annotated, Optional

import typer

from pocketsleep import __version__, home
from pocketsleep.cli.out import talk
from pocketsleep.errors import PocketError
from pocketsleep.pocket import Pocket

app = typer.Typer(
    name="pocketsleep", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, help="A local assistant that sleeps: what you say by day becomes a small personal LoRA by night.",
)

USAGE: type[Exception] = typer.BadParameter.__mro__[2]  # typer's ClickException, whichever click it carries

Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object, or one a line.")]
BaseName = Annotated[str, typer.Option("--base", envvar="POCKETSLEEP_BASE",
                                       help="Base model: a card, a GGUF file, an MLX folder, or a Hugging Face id.")]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"pocketsleep {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[Optional[bool], typer.Option("--version", callback=_version, is_eager=True,  # noqa: UP045
                                                           help="Print the version.")] = None) -> None:
    pass


@contextmanager
def opened(base: str = ""):  # type: ignore[no-untyped-def]
    "The home this command works in."
    with Pocket(home.find(), base) as pocket:
        yield pocket


def main() -> None:
    "What `pocketsleep` runs. 1: an error that was told; 2: wrong usage; 130: interrupted."
    try:
        app(standalone_mode=False)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except typer.Abort:
        _interrupted()
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


def _interrupted() -> None:
    talk.print("stopped; nothing is lost. hint: the same command goes on from here")
    sys.exit(130)


from pocketsleep.cli import ask, assistants, bench, care, memory, page, private, sleeping  # noqa: E402,F401  each registers its commands
