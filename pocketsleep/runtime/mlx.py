"""MLX as a Runtime: on Apple Silicon it trains and serves, elsewhere it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pocketsleep.errors import AdapterError, ModelError
from pocketsleep.nouns import Card, Lesson, Message, Plan, Sampling
from pocketsleep.runtime import (
    Begins,
    Prompt,
    Seed,
    blas,  # noqa: F401  before mlx: it decides which BLAS libmlx binds
    seeds,
)

import mlx.core as mx  # isort: skip
import mlx.nn as nn  # isort: skip
import numpy as np  # isort: skip
from mlx_lm.generate import BatchGenerator, generate_step  # isort: skip
from mlx_lm.sample_utils import apply_top_p, make_sampler  # isort: skip

from pocketsleep.registry import read_adapter  # isort: skip
from pocketsleep.runtime import mlx_forward, mlx_lora, mlx_train, packed_math, packed_memory, packed_read  # isort: skip
from pocketsleep.runtime.mlx_rows import Row  # isort: skip
from pocketsleep.runtime.packed_memory import Foreseen  # isort: skip
from pocketsleep.runtime.mlx_states import states  # isort: skip
from pocketsleep.runtime.spelled import Spelled, texts  # isort: skip
from pocketsleep.runtime.text import Stops, check_length, no_schema, pieces  # isort: skip
from pocketsleep.weights import Base, model as weights_model  # isort: skip

if TYPE_CHECKING:
    from pocketsleep.fastweights.keeping import State
    from pocketsleep.runtime.mlx_memory import Memory

LANES = 16  # answers side by side
Draw = Callable[[mx.array], mx.array]  # log-probabilities [1, vocabulary] -> token [1]
Processor = Callable[[mx.array, mx.array], mx.array]  # (tokens so far, logits [1, vocabulary]) -> logits
PROBE = (Message("user", "What do you know about me?"),)


class Mlx:
    "A base model on MLX, bare or wearing one adapter."

    name = "mlx"
    constrains = False

    def __init__(self, card: Card, base: Base, context: int = 4096) -> None:
        if not mx.metal.is_available() and not mx.cuda.is_available():
            mx.disable_compile()  # it would call a C++ compiler at run time, and is no faster here
        self.card, self.base = card, base
        self.context = min(context, int(base.config.get("max_position_embeddings") or context))
        free = None if mx.default_device() == mx.Device(mx.gpu) else packed_memory.free()  # a GPU's own is not known
        self.bits = weights_model.bits_for(base.parameters, free, base.config.get("model_type", ""))
        self._model: nn.Module | None = weights_model.load(base.folder, bits=self.bits)
        self._lock = Lock()
        self.worn = ""
        self.memory: Memory | None = None

    @property
    def variant(self) -> str:
        return f"{self.name}-{self.bits}bit" if self.bits else self.name

    @property
    def model(self) -> nn.Module:
        "Loaded anew where training took it apart."
        if self._model is None:
            self._model = weights_model.load(self.base.folder, bits=self.bits)
        return self._model

    def chat(self, messages: Prompt, sampling: Sampling = Sampling(), state: State | None = None) -> Iterator[str]:
        "`state`: fast weights that the base's memory layers read."
        if sampling.schema:
            raise no_schema(self.name)
        ids = self.base.prompter.ids(messages)
        check_length(ids, self.context)
        with self._lock:
            model = self.memory.reading(self.model, state) if self.memory is not None and state is not None else self.model
            yield from Stops(sampling.stop).through(pieces(self.base.tokenizer, self._tokens(ids, sampling, model)))

    def _tokens(self, ids: Sequence[int], sampling: Sampling, model: Any) -> Iterator[int]:
        mx.random.seed(sampling.seed)
        sampler = make_sampler(temp=sampling.temperature, top_p=sampling.top_p)
        room = min(sampling.max_tokens, self.context - len(ids))
        steps = generate_step(mx.array(list(ids)), model, max_tokens=room, sampler=sampler)
        for token, _ in steps:
            if int(token) in self.base.tokenizer.ends:
                return
            yield int(token)

    def answer(self, prompts: Sequence[Prompt], max_tokens: int = 48, temperature: float = 0.0, seed: Seed = 0,
               begins: Sequence[Begins] | None = None) -> list[str]:
        """Answers, up to LANES decoded side by side by mlx_lm's batch generator.

        Rows are padded and multiplied together, so a near-tie can fall otherwise than in `chat`.
        """
        ids = [list(self.base.prompter.ids(prompt)) for prompt in prompts]
        for row in ids:
            check_length(row, self.context)
        room = [min(max_tokens, self.context - len(row)) for row in ids]
        asked = [i for i, left in enumerate(room) if left > 0]
        answers: list[list[int]] = [[] for _ in ids]
        with self._lock:
            if asked:
                chances = seeds(seed, len(ids))
                draws = [_drawing(temperature, chances[i]) for i in asked] if temperature > 0 else None
                held = [[_held(Spelled(self.base.tokenizer, begins[i]), len(ids[i]))] if begins is not None else [] for i in asked]
                self._side_by_side([ids[i] for i in asked], [room[i] for i in asked], [answers[i] for i in asked], draws, held)
        return texts(self.base.tokenizer, answers, begins is not None)

    def _side_by_side(self, ids: list[list[int]], room: list[int], answers: list[list[int]], draws: list[Draw] | None,
                      held: list[list[Processor]]) -> None:
        ends = [[end] for end in self.base.tokenizer.ends]
        bulk = BatchGenerator(self.model, stop_tokens=ends, completion_batch_size=LANES)
        try:
            into = dict(zip(bulk.insert(ids, room, samplers=draws, logits_processors=held), answers, strict=True))
            while step := bulk.next_generated():
                for one in step:
                    if one.finish_reason != "stop":
                        into[one.uid].append(int(one.token))
        finally:
            bulk.close()  # puts the wired limit of Apple's GPUs back, however it ends

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[list[float]]:
        scores = []
        with self._lock:
            for prompt, text in pairs:
                ids, answer = self.base.prompter.ids(prompt), self.base.prompter.answer_ids(text)
                logits = mlx_forward.logits_of(self.model, [(ids, answer)])
                logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
                scores.append(np.array(logp)[np.arange(len(answer)), answer].tolist())
        return scores

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = []
        with self._lock, mlx_lora.off(self.model):
            for text in texts:
                ids = self.base.tokenizer.encode(text) or [0]
                state = mlx_forward.hidden(self.model, mx.array([ids[: self.context]]))[0].mean(axis=0)
                rows.append(np.array(state.astype(mx.float32)))
        stacked = np.stack(rows) if rows else np.zeros((0, 1), np.float32)
        return stacked / np.maximum(np.linalg.norm(stacked, axis=-1, keepdims=True), 1e-12)

    def wear(self, adapter: Path | None) -> None:
        with self._lock:
            if adapter is None:
                mlx_lora.detach(self.model)
                self.worn = ""
                return
            found, tensors = read_adapter(adapter)
            if found.base_sha256 != self.base.sha256:
                raise AdapterError(f"adapter `{found.id}` was made for `{found.base}`, `{self.card.name}` is loaded",
                                   hint=f"pocketsleep use {found.id} --base {found.base}")
            mlx_lora.detach(self.model)
            bare = self._probe()
            self._put_on(found, tensors, bare)

    def _put_on(self, found: Any, tensors: dict[str, np.ndarray], bare: np.ndarray) -> None:
        self.worn = ""
        try:
            mlx_lora.attach(self.model, found.keys, found.layers, found.rank, found.scale, seed=0)
            mlx_lora.write(self.model, tensors, found.keys, found.layers)
            if np.array_equal(bare, self._probe()):
                raise AdapterError(f"adapter `{found.id}` moves no logit", hint="pocketsleep verify")
        except AdapterError:
            mlx_lora.detach(self.model)
            raise
        self.worn = found.id

    def _probe(self) -> np.ndarray:
        ids = self.base.prompter.ids(PROBE)
        return np.array(mlx_forward.head(self.model, mlx_forward.hidden(self.model, mx.array([ids]))[0, -1]))

    def states(self, texts: Sequence[Sequence[int]], layers: Sequence[int]) -> Iterator[np.ndarray]:
        "For each text of token ids: [tokens, len(layers), D], what leaves these blocks. The model is let go of."
        model, self._model = self.model, None
        return states(model, texts, layers, own=True)

    def means(self, texts: Sequence[str]) -> Iterator[np.ndarray]:
        "Row by row what `embed` gives, many times as fast for many short texts. The model is let go of."
        norm, last = self.model.model.norm, len(self.model.model.layers) - 1
        ids = [(self.base.tokenizer.encode(text) or [0])[: self.context] for text in texts]
        for one in self.states(ids, [last]):
            row = np.array(norm(mx.array(one[:, 0])).astype(mx.float32)).mean(axis=0)
            yield row / max(float(np.linalg.norm(row)), 1e-12)

    @property
    def window(self) -> int:
        "Tokens of a talk that are read in full, with memory layers and without."
        return self.context

    def free(self, messages: Prompt) -> int:
        return self.window - len(self.base.prompter.ids(messages))

    def remember(self, file: Path) -> None:
        "Put memory layers between the blocks. AdapterError or ModelError where they are not for this base."
        from pocketsleep.runtime.mlx_memory import Memory

        with self._lock:
            self.memory = Memory.load(file, self.base.sha256, self.model)

    def nap(self, messages: Prompt, state: State | None = None, progress: Callable[[float], None] = lambda share: None,
            cancelled: Callable[[], bool] = lambda: False) -> State | None:
        "The state after a nap over messages that leave the window; None where `cancelled` said so. Needs memory layers."
        if self.memory is None:
            raise ModelError(f"`{self.card.name}` has no memory layers on", hint="pocketsleep doctor")
        with self._lock:
            return self.memory.nap(self.model, self.base, messages, state, progress, cancelled)

    def count(self, text: str) -> int:
        return len(self.base.tokenizer.encode(text))

    def rows(self, lessons: Sequence[Lesson]) -> list[Row]:
        "Lessons in token ids; those that do not fit the window are a fault of the caller."
        ids = self.base.prompter.ids
        return [
            Row(tuple(ids(x.prompt)), tuple(self.base.prompter.answer_ids(x.answer)), x.hard, x.soft,
                tuple(ids(x.teacher)) if x.teacher else (), x.every)
            for x in lessons
        ]

    def train(self, lessons: Sequence[Lesson], held_out: Sequence[Lesson], plan: Plan, folder: Path,
              tick: mlx_train.Tick, late: Callable[[], bool] = lambda: False, on: Path | None = None) -> mlx_train.Trained:
        "Train a LoRA on the bare base, or on top of the adapter `on`; resumes from `folder`. Bare afterwards."
        self.wear(None)
        with self._lock:
            rows, held = self.rows(lessons), self.rows(held_out)
            foreseen = self._made_to_fit(plan, [*rows, *held], on is not None)
            model, self._model = self.model, None
            if on is not None:
                below, tensors = read_adapter(on)
                mlx_lora.fold(model, tensors, below.scale)
                del tensors  # of many levels together they are a third of the base
            upon = f"{on.name if on else ''} {self.bits}"
            trainer = mlx_train.Trainer(model, rows, held, plan, folder, upon, own=True, most=foreseen.most)
            del model
            return replace(trainer.run(tick, late), foreseen=foreseen.peak)

    def _made_to_fit(self, plan: Plan, rows: Sequence[Row], folded: bool) -> Foreseen:
        """What training will take, on a CPU; elsewhere MLX alone knows. Where the whole base leaves too little room, it is
        taken in four bits from here on; ModelError where that is too much as well."""
        longest, free = sum(sorted(map(len, rows))[-plan.batch :]), packed_memory.free()
        if not self.bits:
            if packed_math.reason() or packed_read.unknown(self.model) or any(not k.startswith("mlp.") for k in plan.keys):
                return Foreseen(0, 0)
            try:
                return packed_memory.foresee(self.base.config, plan, longest, packed_math.rounds(), free)
            except ModelError:
                self._model, self.bits = None, 4
        model, free = self.model, packed_memory.free()
        needed = packed_memory.in_four_bits(self.base.config, plan, longest, folded)
        mx.eval(model.parameters())
        packed_memory.check(needed, free)
        return Foreseen(packed_memory.resident() + needed, 0)

    def close(self) -> None:
        self._model = None
        mx.clear_cache()


def _drawing(temperature: float, seed: Sequence[int]) -> Draw:
    "A chance of its own for each prompt: what it draws does not depend on those beside it."
    key = mx.random.key(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))

    def draw(logp: mx.array) -> mx.array:
        nonlocal key
        key, now = mx.random.split(key)
        return mx.random.categorical(apply_top_p(logp, 0.95) / temperature, key=now)

    return draw


def _held(one: Spelled, prompt: int) -> Processor:
    "Lets an answer grow only as it may; `prompt` tokens stand before it."
    def hold(tokens: mx.array, logits: mx.array) -> mx.array:
        return mx.array(one.allowed(np.array(tokens)[prompt:].tolist(), np.array(logits[0], np.float32)))[None]

    return hold


def device() -> str:
    "Where MLX computes here: Device(cpu, 0), Device(gpu, 0)."
    return str(mx.default_device())
