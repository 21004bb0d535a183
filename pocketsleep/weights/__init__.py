"""Base models as files: opened once, the same numbers in MLX and in llama.cpp.

`open_base` is the door. It loads no weights: `weights.model.load(base.folder)` does (and imports MLX).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from pocketsleep import cards, disk
from pocketsleep.errors import ModelError
from pocketsleep.nouns import Card
from pocketsleep.weights.prompt import Prompter
from pocketsleep.weights.tokenizer import Tokenizer

__all__ = ["Base", "Prompter", "Tokenizer", "open_base"]


@dataclass(frozen=True, slots=True)
class Base:
    "A base model on disk, ready for any engine."

    card: Card
    folder: Path  # MLX: model*.safetensors, config.json, tokenizer.json
    gguf: Path | None  # the file llama.cpp serves, None for a base that came as an MLX folder
    sha256: str  # of the GGUF, else over the folder's weights, config and tokenizer
    config: dict[str, Any]
    tokenizer: Tokenizer
    prompter: Prompter

    @property
    def layers(self) -> int:
        "How many blocks it has."
        return int(self.config["num_hidden_layers"])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        "Shape of every tensor, from the headers of the weight files; matrices are [out, in]."
        found: dict[str, tuple[int, ...]] = {}
        for file in sorted(self.folder.glob("model*.safetensors")):
            with safe_open(file, "numpy") as tensors:
                found |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        return found

    @property
    def parameters(self) -> int:
        "How many numbers it holds (of a quantised folder: as stored)."
        return sum(prod(shape) for shape in self.shapes.values())


def open_base(card: Card, cache: Path, progress: cards.Progress = lambda said: None) -> Base:
    """Locate, check and, for a GGUF on first use, import a base model.

    Raises MissingPart, NotFound or ModelError, as `cards.locate` and the import do.
    """
    found = cards.locate(card, cache, progress)
    if found.is_file():
        from pocketsleep.weights import gguf_base

        digest = disk.known_sha256(found, cache)
        folder, file = gguf_base.import_gguf(found, digest, cache), found
    else:
        names = [path.name for pattern in ("model*.safetensors", "*.json") for path in found.glob(pattern)]
        digest, folder, file = disk.folder_sha256(found, names, cache), found, None
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= config.get("text_config", {})
    tokenizer = Tokenizer(folder)
    prompter = Prompter(tokenizer, _template(card, folder))
    return Base(card, folder, file, digest, config, tokenizer, prompter)


def _template(card: Card, folder: Path) -> str:
    "The card's template, else the folder's; checked against the card's pin."
    text = card.template or _own_template(folder)
    if not text:
        raise ModelError(
            f"`{card.name}` brings no chat template, and its card pins none",
            hint="use an instruction-tuned variant of this model",
        )
    cards.check_template(card, text)
    return text


def _own_template(folder: Path) -> str:
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_bytes().decode("utf-8")
    if not (file := folder / "tokenizer_config.json").is_file():
        return ""
    given = json.loads(file.read_text("utf-8")).get("chat_template") or ""
    if isinstance(given, list):  # several named templates
        given = next((entry["template"] for entry in given if entry.get("name") == "default"), "")
    return str(given)
