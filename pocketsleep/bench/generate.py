"""How fast answers come in bulk, against one at a time; and whether they are the same answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pocketsleep.errors import MissingPart
from pocketsleep.night.grammar import lists
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

PROMPTS, LONGEST = 32, 32


def generate(runtime: Runtime, say: Callable[[str], None]) -> dict[str, Any]:
    "Tokens a second of 32 short prompts answered side by side and one after the other, greedily."
    if runtime.name != "llamacpp":
        raise MissingPart(f"bulk generation is measured on llama.cpp; `{runtime.name}` serves here",
                          hint="pip install 'pocketsleep[llamacpp]'")
    prompts = [ask(question) for question in lists.anchors()[:PROMPTS]]
    runtime.answer(prompts[:2], max_tokens=4)  # warm
    started = time.perf_counter()
    bulk = runtime.answer(prompts, max_tokens=LONGEST)
    together = time.perf_counter() - started
    say(f"{PROMPTS} side by side: {together:.1f} s")
    started = time.perf_counter()
    single = [answer for prompt in prompts for answer in runtime.answer([prompt], max_tokens=LONGEST, lanes=1)]  # type: ignore[call-arg]
    alone = time.perf_counter() - started
    tokens = sum(runtime.count(answer) + 1 for answer in single)
    return {
        "ratio_one_at_a_time": alone / together, "tokens_per_second": tokens / together,
        "one_at_a_time_tokens_per_second": tokens / alone,
        "identical": sum(a == b for a, b in zip(bulk, single, strict=True)) / len(prompts), "prompts": PROMPTS,
    }
