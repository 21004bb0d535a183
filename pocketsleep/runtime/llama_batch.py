"""llama.cpp by its C interface: a model, its adapters, and lanes of sequences to decode side by side.

Numbers, on a CPU, do not depend on who else is being decoded. Three choices see to that, all measured:
each lane has a cache of its own, so sums run over it in one order; flash attention, whose blocks depend on
the batch, is off; and a prompt is read apart from others in spans of two tokens or more, because a matrix
product with one column takes another kernel than one with several.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.errors import MissingPart, ModelError
from pocketsleep.runtime.pace import Pace

try:
    import llama_cpp as ll
except (ImportError, OSError, RuntimeError) as error:  # the last two: its shared library cannot be loaded
    raise MissingPart(f"llama-cpp-python cannot be used here ({error})",
                      hint="`pip install 'pocketsleep[llamacpp]'`") from error

READ = 128  # tokens of a prompt that go in at once: llama.cpp sets a row of logits aside for each, however few are asked for
WANTED = 32  # rows of logits that come out at once: a row is as long as the vocabulary
POOLED = 128  # the same for embeddings, where every token is a row
LANES, CELLS = 16, 8192  # answers side by side; tokens that all their caches hold together

Adapter = Any  # a pointer of llama.cpp


@ll.llama_log_callback
def _silence(level: int, text: bytes, data: object) -> None:
    "llama.cpp talks to stderr unless it is given another ear. Kept alive by this module."


class Engine:
    "A GGUF model in memory."

    def __init__(self, gguf: Path) -> None:
        ll.llama_log_set(_silence, None)
        ll.llama_backend_init()
        params = ll.llama_model_default_params()
        params.n_gpu_layers = 999  # all of them, where there is a GPU
        self.model = ll.llama_model_load_from_file(str(gguf).encode(), params)
        if not self.model:
            raise ModelError(f"llama.cpp cannot load `{gguf}`", hint="`pocketsleep doctor`")
        self.vocabulary = int(ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model)))
        self.width = int(ll.llama_model_n_embd(self.model))
        self.trained_for = int(ll.llama_model_n_ctx_train(self.model))

    def adapter(self, gguf: Path) -> Adapter | None:
        "A LoRA in memory, None if llama.cpp refuses the file. It stays until `free` or `close`."
        return ll.llama_adapter_lora_init(self.model, str(gguf).encode())

    def free(self, adapter: Adapter) -> None:
        ll.llama_adapter_lora_free(adapter)

    def close(self) -> None:
        ll.llama_model_free(self.model)


class Lanes:
    """Sequences with a cache each. Lane 0 reads prompts, and remembers the last one to go on from what the
    next has in common with it; every lane can generate."""

    def __init__(self, engine: Engine, lanes: int, length: int, pace: Pace, pooled: bool = False) -> None:
        self.engine, self.lanes, self.length = engine, lanes, -(-length // 256) * 256
        self._seen: list[int] = []
        self._pace = pace
        self._size = POOLED if pooled else READ + WANTED
        self._context = ll.llama_init_from_model(engine.model, self._params(pace.now, pooled))
        if not self._context:
            raise ModelError(f"llama.cpp cannot make room for {lanes} x {self.length} tokens",
                             hint="close other programs, or use a smaller base: `pocketsleep models`")
        self._memory = ll.llama_get_memory(self._context)
        self._batch = ll.llama_batch_init(self._size, 0, 1)

    def _params(self, threads: int, pooled: bool) -> Any:
        params = ll.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = self.lanes * self.length, self.lanes, False
        params.n_batch = params.n_ubatch = self._size
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = ll.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.no_perf = True
        if pooled:
            params.embeddings, params.pooling_type = True, ll.LLAMA_POOLING_TYPE_MEAN
        return params

    def wear(self, adapter: Adapter | None) -> None:
        "One adapter or none; whatever was computed before is gone."
        count = 0 if adapter is None else 1
        address = None if adapter is None else ctypes.cast(adapter, ctypes.c_void_p)
        worn, scales = (ctypes.c_void_p * 1)(address), (ctypes.c_float * 1)(1.0)
        worn_at = ctypes.cast(worn, ctypes.POINTER(ll.llama_adapter_lora_p_ctypes))
        if ll.llama_set_adapters_lora(self._context, worn_at, count, scales):
            raise ModelError("llama.cpp does not put the adapter on", hint="`pocketsleep doctor`")
        self.clear()

    def clear(self) -> None:
        ll.llama_memory_clear(self._memory, True)
        self._seen = []

    def read(self, ids: Sequence[int], wanted: int = 1) -> Iterator[np.ndarray]:
        """Read a prompt on lane 0; yields the logits after each of its last `wanted` tokens, in blocks
        [n, vocabulary]. Only tokens that were read are gone on from, never generated ones: answers must
        not depend on what was asked before."""
        start = self._rewind(min(_common(self._seen, ids), len(ids) - max(wanted, 2)))
        self._seen = list(ids[:start])
        for a, b in _spans(start, len(ids) - wanted, len(ids)):
            rows = [(ids[i], i, 0, i >= len(ids) - wanted) for i in range(a, b)]
            logits = self._decode(rows)
            self._seen += ids[a:b]
            if len(logits):
                yield logits

    def _rewind(self, keep: int) -> int:
        "Forget lane 0 from `keep` on; some memories cannot be cut, and start afresh."
        if keep > 0 and ll.llama_memory_seq_rm(self._memory, 0, keep, -1):
            return keep
        ll.llama_memory_seq_rm(self._memory, 0, -1, -1)
        return 0

    def step(self, rows: Sequence[tuple[int, int, int]]) -> np.ndarray:
        "One token further on several lanes: (lane, token, position) -> logits [n, vocabulary]."
        return self._decode([(token, position, lane, True) for lane, token, position in rows])

    def copy(self, lane: int) -> None:
        "Let a lane go on from what lane 0 has read."
        ll.llama_memory_seq_rm(self._memory, lane, -1, -1)
        ll.llama_memory_seq_cp(self._memory, 0, lane, -1, -1)

    def mean(self, ids: Sequence[int]) -> np.ndarray:
        "[width] mean over the tokens of their last hidden states; of a pooled context only."
        self.clear()
        total = np.zeros(self.engine.width, np.float64)
        for a in range(0, len(ids), POOLED):
            part = ids[a : a + POOLED]
            self._run([(token, a + i, 0, True) for i, token in enumerate(part)])
            found = ll.llama_get_embeddings_seq(self._context, 0)
            total += np.ctypeslib.as_array(found, (self.engine.width,)) * len(part)
        return total / len(ids)

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> np.ndarray:
        self._run(rows)
        shape = (self.engine.vocabulary,)
        logits = [np.ctypeslib.as_array(ll.llama_get_logits_ith(self._context, i), shape).copy()
                  for i, row in enumerate(rows) if row[3]]
        return np.stack(logits) if logits else np.zeros((0, *shape), np.float32)

    def _run(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, lane, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, lane
        threads = self._pace.threads(len(rows))
        ll.llama_set_n_threads(self._context, threads, threads)
        started = time.perf_counter()
        code = ll.llama_decode(self._context, batch)
        self._pace.took(len(rows), time.perf_counter() - started)
        if code != 0:
            self.clear()
            raise ModelError(f"llama.cpp could not decode {len(rows)} tokens (code {code})",
                             hint="`pocketsleep doctor`")

    def close(self) -> None:
        ll.llama_batch_free(self._batch)
        ll.llama_free(self._context)


Choose = Callable[[int, np.ndarray], int]  # (prompt, logits [vocabulary]) -> token


def likeliest(prompt: int, logits: np.ndarray) -> int:
    return int(logits.argmax())


def together(lanes: Lanes, prompts: Sequence[Sequence[int]], room: Sequence[int], ends: Collection[int],
             choose: Choose = likeliest) -> list[list[int]]:
    """Continuations of many prompts, of at most `room` tokens each: one decoding step for all lanes, and the next
    prompt moves in when one has finished. Prompts are read in an order in which neighbours share the most."""
    answers: list[list[int]] = [[] for _ in prompts]
    waiting = deque(sorted((i for i, more in enumerate(room) if more > 0), key=lambda i: list(prompts[i])))
    running: dict[int, int] = {}  # lane -> prompt
    free = list(range(lanes.lanes - 1, 0, -1))

    def accept(lane: int, logits: np.ndarray) -> None:
        "Take a token; an answer that is over frees its lane."
        answer, token = answers[running[lane]], choose(running[lane], logits)
        if token not in ends:
            answer.append(token)
        if token in ends or len(answer) == room[running[lane]]:
            del running[lane]
            free.append(lane)

    while waiting or running:
        while free and waiting:
            lane = free.pop()
            running[lane] = waiting.popleft()
            logits = next(lanes.read(prompts[running[lane]]))[0]
            lanes.copy(lane)
            accept(lane, logits)
        order = sorted(running)
        said = [(lane, answers[running[lane]], prompts[running[lane]]) for lane in order]
        steps = [(lane, answer[-1], len(prompt) + len(answer) - 1) for lane, answer, prompt in said]
        for lane, row in zip(order, lanes.step(steps) if steps else (), strict=True):
            accept(lane, row)
    return answers


def fit(longest: int, room: int, lanes: int) -> tuple[int, int]:
    "(lanes, length) of a context for sequences of up to `longest` tokens; the reader's lane is not counted."
    length = -(-min(longest, room) // 256) * 256
    return max(1, min(lanes, CELLS // length)), length


@contextmanager
def closing_on_error(*parts: Engine | Lanes) -> Iterator[None]:
    "What was made before a failure is not left behind."
    try:
        yield
    except BaseException:
        for part in parts:
            part.close()
        raise


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    "Length of the common beginning."
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _spans(start: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    "[start, end) in spans of READ tokens, or WANTED rows from `first` on; no token is left over alone."
    while start < end:
        stop = min(start + READ, max(start, first) + WANTED, end)
        stop = end if end - stop == 1 else stop
        yield start, stop
        start = stop
