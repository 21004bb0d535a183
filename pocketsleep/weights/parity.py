"""Whether MLX and llama.cpp compute the same model: compared in logits, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.errors import BadInput, MissingPart, ModelError
from pocketsleep.weights import Base

WINDOW = 640  # tokens read at once: beyond Gemma's local window of 512, so that it shows
BLOCK = 64  # rows of logits held at once: a large vocabulary makes them big


@dataclass(frozen=True, slots=True)
class Parity:
    "How far two engines agree over a text."

    kl: float  # mean KL(first || second) of the next-token distributions, in nats
    top1: float  # share of positions where both rank the same token first
    tokens: int


def compare(
    base: Base, gguf: Path, text: str, adapter: Path | None = None, lora: Path | None = None, threads: int = 2
) -> Parity:
    """llama.cpp on `gguf` against MLX on `base`, over every token of `text`.

    adapter, lora: the same LoRA as an mlx-lm folder and as a GGUF-LoRA (`Registry.path`, `Registry.gguf`).
    """
    rows = windows(base, text)
    tally = Tally()
    for theirs, ours in zip(llama_logits(gguf, rows, lora, threads), mlx_logits(base, rows, adapter), strict=True):
        tally.add(theirs, ours)
    return tally.parity


def windows(base: Base, text: str) -> list[list[int]]:
    "Token ids of a text in runs of at most WINDOW, each with its own BOS where the model wants one."
    ids = base.tokenizer.encode(text)
    if not ids:
        raise BadInput("there is no text to compare the engines on", hint="give a text of a thousand words")
    first = [base.tokenizer.bos] if base.tokenizer.adds_bos and base.tokenizer.bos is not None else []
    step = WINDOW - len(first)
    return [[*first, *ids[at : at + step]] for at in range(0, len(ids), step)]


class Tally:
    "Agreement of two engines, added up block by block."

    def __init__(self) -> None:
        self._kl, self._same, self._tokens = 0.0, 0, 0

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        "Logits [n, vocabulary] of both engines for the same positions."
        self._kl += float(_divergence(first, second).sum())
        self._same += int((first.argmax(-1) == second.argmax(-1)).sum())
        self._tokens += len(first)

    @property
    def parity(self) -> Parity:
        if not np.isfinite(self._kl):
            raise ModelError("one of the engines gave logits that are not finite", hint="`pocketsleep doctor`")
        return Parity(self._kl / self._tokens, self._same / self._tokens, self._tokens)


def mlx_logits(base: Base, rows: Sequence[list[int]], adapter: Path | None = None) -> Iterator[np.ndarray]:
    "Blocks [n, vocabulary] float32 by MLX; `adapter` is put on by mlx-lm itself."
    from pocketsleep.weights import model as loader

    mx = loader.mx
    model: Any = loader.load(base.folder)
    if adapter is not None:
        from mlx_lm.tuner.utils import load_adapters

        load_adapters(model, str(adapter))
    head = model.lm_head if "lm_head" in model else model.model.embed_tokens.as_linear
    for ids in rows:
        hidden = model.model(mx.array([ids]))[0]
        for at in range(0, len(ids), BLOCK):
            yield np.array(head(hidden[at : at + BLOCK]).astype(mx.float32))


def llama_logits(
    gguf: Path, rows: Sequence[list[int]], lora: Path | None = None, threads: int = 2
) -> Iterator[np.ndarray]:
    "Blocks [n, vocabulary] float32 by llama.cpp."
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise MissingPart("llama.cpp is not installed", hint="`pip install 'pocketsleep[llamacpp]'`") from error
    engine = Llama(
        str(gguf), n_ctx=WINDOW, n_batch=BLOCK, n_ubatch=BLOCK, n_threads=threads, n_threads_batch=threads,
        logits_all=True, lora_path=None if lora is None else str(lora), verbose=False,
    )  # fmt: skip
    try:
        for ids in rows:
            engine.reset()
            for at in range(0, len(ids), BLOCK):
                block = ids[at : at + BLOCK]
                engine.eval(block)
                yield engine.scores[at : at + len(block)].copy()
    finally:
        engine.close()


def _divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """KL(p || q) of each row, for p, q = softmax of the rows [n, vocabulary]; nats, [n] float64.

    With x, y the logits less their maxima: sum p (x - y) - log sum e^x + log sum e^y.
    """
    x = first - first.max(-1, keepdims=True)
    y = second - second.max(-1, keepdims=True)
    p, q_sum = np.exp(x), np.exp(y).sum(-1, dtype=np.float64)
    p_sum = p.sum(-1, dtype=np.float64)
    x -= y
    x *= p
    return x.sum(-1, dtype=np.float64) / p_sum - np.log(p_sum) + np.log(q_sum)
