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
    return agreement(llama_logits(gguf, rows, lora, threads), mlx_logits(base, rows, adapter))


def windows(base: Base, text: str) -> list[list[int]]:
    "Token ids of a text in runs of at most WINDOW, each with its own BOS where the model wants one."
    ids = base.tokenizer.encode(text)
    if not ids:
        raise BadInput("there is no text to compare the engines on", hint="give a text of a thousand words")
    first = [base.tokenizer.bos] if base.tokenizer.adds_bos and base.tokenizer.bos is not None else []
    step = WINDOW - len(first)
    return [[*first, *ids[at : at + step]] for at in range(0, len(ids), step)]


def agreement(first: Iterator[np.ndarray], second: Iterator[np.ndarray]) -> Parity:
    "Both give blocks of logits [n, vocabulary] for the same positions."
    divergence, same, count = 0.0, 0, 0
    for p, q in zip(first, second, strict=True):
        log_p, log_q = _log_softmax(p), _log_softmax(q)
        divergence += float((np.exp(log_p) * (log_p - log_q)).sum())
        same += int((p.argmax(-1) == q.argmax(-1)).sum())
        count += len(p)
    if not np.isfinite(divergence):
        raise ModelError("one of the engines gave logits that are not finite", hint="`pocketsleep doctor`")
    return Parity(divergence / count, same / count, count)


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


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
