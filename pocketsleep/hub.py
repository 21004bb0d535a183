"""Models from Hugging Face: the only code here that downloads, and only what the user named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketsleep.errors import MissingPart, ModelError, NotFound
from pocketsleep.nouns import Card

# Weights, their description and the tokenizer. Never code: no *.py, no pickles.
PATTERNS = ["*.safetensors", "*.json", "chat_template.jinja", "tokenizer.model"]


@dataclass(frozen=True, slots=True)
class Offer:
    "What a download would bring: told to the person before it starts."

    repo: str
    revision: str
    files: tuple[str, ...]
    bytes: int
    licence: str

    def __str__(self) -> str:
        return f"{self.repo}: {self.bytes / 1e6:,.0f} MB in {len(self.files)} files, licence {self.licence}"


def offer(card: Card) -> Offer:
    "Ask the hub what a card's repository holds. Raises NotFound when it cannot be reached or has no such model."
    hub = _hub()
    try:
        info = hub.HfApi().model_info(card.repo, files_metadata=True)
    except Exception as error:  # the hub's errors, requests' and httpx's: all mean the same to the person
        raise NotFound(
            f"`{card.repo}` could not be looked up on Hugging Face ({type(error).__name__})",
            hint="check the name and the connection, or name a GGUF file or MLX folder on this machine",
        ) from error
    patterns = [card.file] if card.file else PATTERNS
    files = [file for file in info.siblings or [] if any(Path(file.rfilename).match(p) for p in patterns)]
    if not files:
        raise NotFound(f"`{card.repo}` holds nothing like {', '.join(patterns)}", hint="name another repository")
    licence = str((info.card_data or {}).get("license") or "unknown")
    names = tuple(file.rfilename for file in files)
    return Offer(card.repo, info.sha or "main", names, sum(file.size or 0 for file in files), licence)


def fetch(card: Card, folder: Path, progress: Callable[[str], None]) -> Path:
    "The downloaded GGUF file or folder of a repository; a complete earlier download is used without asking again."
    hub = _hub()
    place = folder / card.repo.replace("/", "--")
    if (known := _complete(place, card)) is not None:
        return known
    deal = offer(card)
    progress(f"downloading {deal}")
    try:
        hub.snapshot_download(card.repo, revision=deal.revision, allow_patterns=list(deal.files), local_dir=str(place))
    except Exception as error:
        raise NotFound(
            f"the download of `{card.repo}` stopped ({type(error).__name__}: {error})",
            hint="run the same command again: it continues",
        ) from error
    _note(place, card).write_text(deal.revision, "utf-8")
    if (done := _complete(place, card)) is None:
        raise ModelError(f"`{card.repo}` came without weights or config.json", hint="name another repository")
    return done


def _note(place: Path, card: Card) -> Path:
    return place / f".complete-{card.file or 'model'}"


def _complete(place: Path, card: Card) -> Path | None:
    if not _note(place, card).is_file():
        return None
    if card.file:
        return next(iter(sorted(place.rglob(card.file))), None)
    return place if (place / "config.json").is_file() and any(place.glob("*.safetensors")) else None


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingPart("downloads need huggingface_hub", hint="`pip install huggingface_hub`") from error
    return huggingface_hub
