"""llama.cpp as a Runtime: it serves on every platform, and reads the GGUF that the card names or its copy in half precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from pocketsleep.errors import AdapterError, MissingPart
from pocketsleep.nouns import Card, Message, Sampling
from pocketsleep.registry import Registry, read_adapter
from pocketsleep.runtime import Begins, Prompt, Seed, llama_batch, seeds
from pocketsleep.runtime.llama_batch import LANES, Adapter, Engine, Lanes
from pocketsleep.runtime.llama_grammar import Grammar
from pocketsleep.runtime.pace import Pace, processors
from pocketsleep.runtime.spelled import Spelled, texts
from pocketsleep.runtime.text import Stops, check_length, pieces
from pocketsleep.weights import Base, gguf_plain

PROBE = (Message("user", "What do you know about me?"),)


class LlamaCpp:
    """A base model on llama.cpp, bare or wearing one adapter.

    One lock is around everything that computes; a stream holds it until it is closed.
    """

    name = "llamacpp"
    constrains = True

    def __init__(
        self, card: Card, base: Base, threads: int | None = None, context: int = 4096, engine: Engine | None = None) -> None:
        if base.gguf is None:
            raise MissingPart(f"`{card.name}` is no GGUF file, and llama.cpp reads nothing else",
                              hint="`pocketsleep doctor` says what serves here instead")
        self.card, self.base, self.worn = card, base, ""
        self.threads = threads or _threads()
        self._most = threads or max(self.threads, processors())  # for bulk work, where they are free
        self._pace = Pace(self.threads, self._most)
        self.file = gguf_plain.served(base)
        self.variant = self.name if self.file == base.gguf else f"{self.name}-f16"
        self._engine, self._lent = engine or Engine(self.file), engine is not None
        self.context = min(context, self._engine.trained_for)
        with llama_batch.closing_on_error(*([] if self._lent else [self._engine])):
            self._main = Lanes(self._engine, 1, self.context, self._pace if self._lent else Pace(self.threads, self.threads))
        self._bulk: Lanes | None = None
        self._pooled: Lanes | None = None
        self._adapter: Adapter | None = None
        self._lock = Lock()

    def beside(self, context: int) -> LlamaCpp:
        "Another one on the same weights in memory, bare, for short prompts; to be closed before this one is."
        return LlamaCpp(self.card, self.base, context=context, engine=self._engine)

    def chat(self, messages: Prompt, sampling: Sampling = Sampling()) -> Iterator[str]:
        ids = self.base.prompter.ids(messages)
        check_length(ids, self.context)
        with self._lock, Grammar.of(self._engine, sampling) as grammar:
            yield from Stops(sampling.stop).through(pieces(self.base.tokenizer, self._tokens(ids, sampling, grammar)))

    def _tokens(self, ids: Sequence[int], sampling: Sampling, grammar: Grammar) -> Iterator[int]:
        chance = np.random.default_rng(sampling.seed)
        room = min(sampling.max_tokens, self.context - len(ids))
        logits = next(self._main.read(ids))[0] if room > 0 else None
        for position in range(len(ids), len(ids) + room):
            assert logits is not None
            token = grammar.choose(logits, lambda allowed: draw(allowed, sampling, chance))
            if token is None or token in self.base.tokenizer.ends:
                return
            yield token
            if position + 1 < len(ids) + room:
                logits = self._main.step([(0, token, position)])[0]

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48, temperature: float = 0.0, seed: Seed = 0,
               begins: Sequence[Begins] | None = None, lanes: int = LANES) -> list[str]:
        """Answers, up to `lanes` decoded side by side.

        llama.cpp multiplies by another kernel when several answers are decoded at once: where a base is quantised
        to 4-bit blocks, or wears an adapter, near-ties can fall the other way. `lanes=1` is exact everywhere.
        """
        ids = [self.base.prompter.ids(prompt) for prompt in prompts]
        for row in ids:
            check_length(row, self.context)
        if not ids:
            return []
        with self._lock:
            room = [min(max_tokens, self.context - len(row)) for row in ids]
            longest = max(len(row) + more for row, more in zip(ids, room, strict=True))
            bulk = self._lanes(*llama_batch.fit(longest, self.context, min(lanes, len(ids))))
            choose = _drawn(temperature, seed, len(ids)) if temperature > 0 else llama_batch.likeliest
            if begins is not None:
                choose = _held(choose, temperature > 0, [Spelled(self.base.tokenizer, one) for one in begins])
            answers = llama_batch.together(bulk, ids, room, self.base.tokenizer.ends, choose)
        return texts(self.base.tokenizer, answers, begins is not None)

    def _lanes(self, lanes: int, length: int) -> Lanes:
        "The context for bulk work: the one at hand if it is large enough, else a new one."
        bulk = self._bulk
        if bulk is None or bulk.lanes != lanes + 1 or bulk.length < length:
            if bulk is not None:
                self._bulk = None
                bulk.close()
            self._bulk = bulk = Lanes(self._engine, lanes + 1, length, self._pace)
            bulk.wear(self._adapter)
        return bulk

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[list[float]]:
        "Prompts are read in an order in which neighbours share the most: many answers, one reading."
        prompter = self.base.prompter
        rows = [(prompter.ids(prompt), prompter.answer_ids(text)) for prompt, text in pairs]
        for prompt, answer in rows:
            check_length([*prompt, *answer], self.context)
        scores: list[list[float]] = [[] for _ in rows]
        with self._lock:
            for i in sorted(range(len(rows)), key=lambda i: rows[i]):
                prompt, answer = rows[i]
                for logits in self._main.read([*prompt, *answer[:-1]], wanted=len(answer)):
                    targets = answer[len(scores[i]) : len(scores[i]) + len(logits)]
                    scores[i] += _log_softmax(logits)[np.arange(len(targets)), targets].tolist()
        return scores

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), self._engine.width), np.float32)
        with self._lock:
            if self._pooled is None and texts:
                self._pooled = Lanes(self._engine, 1, self.context, Pace(self.threads, self._most), pooled=True)
            for row, text in zip(rows, texts, strict=True):
                assert self._pooled is not None
                row[:] = self._pooled.mean((self.base.tokenizer.encode(text) or [0])[: self.context])
        return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)

    def wear(self, adapter: Path | None) -> None:
        with self._lock:
            if adapter is None:
                self._put_on(None, "")
                return
            found, _ = read_adapter(adapter)
            if found.base_sha256 != self.base.sha256:
                raise AdapterError(f"adapter `{found.id}` was made for `{found.base}`, not `{self.card.name}`",
                                   hint=f"`pocketsleep use {found.id} --base {found.base}`")
            loaded = self._engine.adapter(Registry(adapter.parent).gguf(adapter.name, self.base))
            if loaded is None:
                raise AdapterError(f"llama.cpp cannot load adapter `{found.id}`", hint="`pocketsleep verify`")
            self._prove(loaded, found.id)
            self._put_on(loaded, found.id)

    def _prove(self, loaded: Adapter, name: str) -> None:
        "An adapter that moves no logit is not on: what was worn before stays."
        logits = []
        for worn in (None, loaded):
            self._main.wear(worn)
            logits.append(next(self._main.read(self.base.prompter.ids(PROBE)))[0])
        if np.array_equal(*logits) or not np.isfinite(logits[1]).all():
            self._main.wear(self._adapter)
            self._engine.free(loaded)
            raise AdapterError(f"adapter `{name}` moves no logit, or makes them infinite",
                               hint="`pocketsleep verify`")

    def _put_on(self, loaded: Adapter | None, name: str) -> None:
        "The same adapter on every context that answers; the one before is freed once none has it."
        for lanes in (self._main, self._bulk):
            if lanes is not None:
                lanes.wear(loaded)
        before, self._adapter, self.worn = self._adapter, loaded, name
        if before is not None:
            self._engine.free(before)

    @property
    def window(self) -> int:
        return self.context

    def free(self, messages: Prompt) -> int:
        return self.context - len(self.base.prompter.ids(messages))

    def count(self, text: str) -> int:
        return len(self.base.tokenizer.encode(text))

    @property
    def about(self) -> str:
        "For `doctor`."
        version = llama_batch.ll.__version__
        held = "half precision" if self.file != self.base.gguf else "the file as it is"
        return f"llama-cpp-python {version}, {held}, {self.threads} threads, {self.context} tokens of context"

    def close(self) -> None:
        with self._lock:
            for lanes in (self._main, self._bulk, self._pooled):
                if lanes is not None:
                    lanes.close()
            if not self._lent:
                self._engine.close()
            elif self._adapter is not None:
                self._engine.free(self._adapter)


def _drawn(temperature: float, seed: Seed, prompts: int) -> llama_batch.Choose:
    "Each prompt has a chance of its own: what it draws does not depend on which lanes are free."
    warm = Sampling(temperature=temperature, top_p=0.95)
    chances = [np.random.default_rng(one) for one in seeds(seed, prompts)]
    return lambda prompt, logits: draw(logits, warm, chances[prompt])


def _held(free: llama_batch.Choose, warm: bool, answers: Sequence[Spelled]) -> llama_batch.Choose:
    "Tokens as `free` takes them, from what each answer allows next."
    taken: list[list[int]] = [[] for _ in answers]

    def choose(prompt: int, logits: np.ndarray) -> int:
        one, so_far = answers[prompt], taken[prompt]
        token = free(prompt, one.allowed(so_far, logits)) if warm else one.likeliest(so_far, logits)
        so_far.append(token)
        return token

    return choose


def draw(logits: np.ndarray, sampling: Sampling, chance: np.random.Generator) -> int:
    """A token out of logits [vocabulary]: the likeliest at temperature 0, else by chance among the fewest
    tokens whose probabilities reach top_p (nucleus sampling, Holtzman et al., 2020)."""
    if sampling.temperature <= 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")
    weights = np.exp((logits[order] - logits[order[0]]).astype(np.float64) / sampling.temperature)
    weights /= weights.sum()
    kept = int(np.searchsorted(np.cumsum(weights), sampling.top_p)) + 1
    reached = np.cumsum(weights[:kept])
    chosen = int(np.searchsorted(reached, chance.random() * reached[-1], side="right"))
    return int(order[min(chosen, len(reached) - 1)])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    "Natural logs of probabilities, along the last axis, in float64."
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _threads() -> int:
    """For a conversation. Never every processor: each of some hundred barriers a token waits for the slowest thread, so on a busy
    machine (a night beside a conversation) two threads on two processors were 200 times slower than one."""
    have = processors()
    return max(1, min(have - 1, 3)) if have <= 4 else min(have // 2, 16)
