"""Scoring of given answers, many for each prompt: together against one reading of prompt and answer each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pocketsleep.errors import ModelError
from pocketsleep.night.grammar import lists
from pocketsleep.runtime import Prompt, Runtime
from pocketsleep.runtime.prompting import ask

PROMPTS, ANSWERS = 16, 4
SAME = 1e-2  # nats an answer token: what the order of reading may move


def score(runtime: Runtime, say: Callable[[str], None], prompts: int = PROMPTS) -> dict[str, Any]:
    "Answers a second of so many prompts with ANSWERS given answers each; an order that changes a score is an error."
    golds = [gold[0] for _, gold in lists.general()]
    asked = [ask(question) for question, _ in lists.general()[:prompts]]
    pairs: list[tuple[Prompt, str]] = [(p, f"{golds[(i + k) % len(golds)]}.") for i, p in enumerate(asked) for k in range(ANSWERS)]
    runtime.score(pairs[:1])  # warm
    started = time.perf_counter()
    together = runtime.score(pairs)
    bulk = time.perf_counter() - started
    say(f"{len(pairs)} answers together: {bulk:.1f} s")
    started = time.perf_counter()
    # in an order in which no two neighbours share a prompt, each is read from its start
    order = [i for k in range(ANSWERS) for i in range(k, len(pairs), ANSWERS)]
    alone = [runtime.score([pairs[i]])[0] for i in order]
    single = time.perf_counter() - started
    off = max(float(np.abs(np.array(together[i]) - np.array(scores)).max()) for i, scores in zip(order, alone, strict=True))
    if off > SAME:
        raise ModelError(f"scores move by {off:.3f} nats with the order of reading", hint="pocketsleep doctor")
    return {"answers_per_second": len(pairs) / bulk, "one_at_a_time_answers_per_second": len(pairs) / single,
            "ratio_one_at_a_time": single / bulk, "largest_difference_nats": off, "answers": len(pairs)}
