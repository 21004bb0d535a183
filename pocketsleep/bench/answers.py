"""Makes models/answers/CARD.json: what a base answers to the anchors and to the exam's general questions.

    python -m pocketsleep.bench.answers smollm2-135m models/answers/smollm2-135m.json

To be run again when the anchors, the general questions or the base change; tests/test_known.py says when.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pocketsleep import cards, weights
from pocketsleep.night import examine, seed
from pocketsleep.night.grammar import lists
from pocketsleep.night.known import Answers, write
from pocketsleep.runtime import pick
from pocketsleep.runtime.prompting import ask


def main(name: str, path: Path) -> None:
    card = cards.find(name)
    with tempfile.TemporaryDirectory() as cache:
        base = weights.open_base(card, Path(cache))
        runtime = pick.serving(card, base).runtime()
        examined = [*(q for q, _ in lists.general()), *lists.harmful()]
        asked = {seed.ANCHOR_TOKENS: list(lists.anchors()), examine.GENERAL_TOKENS: examined}
        answers: Answers = {
            str(length): dict(zip(prompts, runtime.answer([ask(p) for p in prompts], max_tokens=length), strict=True))
            for length, prompts in asked.items()
        }
        write(path, runtime.variant, base.sha256, answers)
        runtime.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
