"""What a base knew before it knew a person: the same questions to the bare base and to the adapter that is worn, paired.

A suite is a file of JSON Lines in the forms that evaluation suites are commonly kept in:

    {"query", "choices", "gold"}                      the likeliest choice (nats a token) is right or wrong
    {"context_options", "continuation", "gold"}       the option that makes the continuation likeliest
    {"context", "answer", "aliases"}                  an answer is generated, and holds one of them or not
    {"context", "continuation"}                       the same of one answer; one that holds no word is left out
    any other text file                               median nats a token, over its first paragraphs
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep.bench.persona import Row, share
from pocketsleep.errors import BadInput
from pocketsleep.night.grade import plain, says
from pocketsleep.pocket import Pocket
from pocketsleep.runtime import Runtime
from pocketsleep.runtime.prompting import ask

TOKENS, PARAGRAPHS, LONGEST = 24, 60, 1200


def general(pocket: Pocket, files: Sequence[Path], most: int, say: Callable[[str], None]) -> Iterator[Row]:
    "A row for each suite: base, worn, what was lost and gained, and how likely so uneven a change is by chance."
    runtime, worn = pocket.serving(), pocket.journal.current()
    if not worn:
        raise BadInput("no adapter is worn, so there is nothing to compare with the base", hint="pocketsleep sleep --tonight")
    adapter = pocket.dress(worn)
    for path in files:
        found = []
        for dressed in (None, adapter):
            runtime.wear(dressed)
            found.append(text(runtime, path) if path.suffix == ".txt" else choices(runtime, path, most))
            say(f"{path.stem}: {'the bare base' if dressed is None else worn} done")
        runtime.wear(None)
        yield {"suite": path.stem, **_compared(*found)}


def _compared(base: Sequence[float], worn: Sequence[float]) -> Row:
    if base and isinstance(base[0], float):  # nats a token
        before, after = float(np.median(base)), float(np.median(worn))
        return {"base_nats": before, "worn_nats": after, "change": after / before - 1}
    lost, gained = (sum(a > b for a, b in zip(*pair, strict=True)) for pair in ((base, worn), (worn, base)))
    return {"base": share([bool(b) for b in base]), "worn": share([bool(w) for w in worn]), "lost": lost, "gained": gained,
            "chance": sign_test(lost, gained)}


def sign_test(lost: int, gained: int) -> float:
    "Two-sided exact sign test (McNemar's for small counts): how often a coin would fall so unevenly."
    n, k = lost + gained, min(lost, gained)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)


def choices(runtime: Runtime, path: Path, most: int) -> list[bool]:
    "Right or wrong, question by question; the same ones every time."
    rows = _rows(path)
    some = rows[:: max(1, len(rows) // most)][:most]
    if _form(some[0]) == "context":
        said = runtime.answer([ask(row["context"]) for row in some], max_tokens=TOKENS)
        return [any(says(a, one) for one in _answers(row)) for row, a in zip(some, said, strict=True)]
    marks = []
    for row in some:
        pairs = [(ask(c), row["continuation"]) for c in row["context_options"]] if "context_options" in row else [
            (ask(row["query"]), c) for c in row["choices"]]
        nats = [float(np.mean(one)) for one in runtime.score(pairs)]
        marks.append(int(np.argmax(nats)) == row["gold"])
    return marks


def _answers(row: Row) -> list[str]:
    return [str(row["answer"] if "answer" in row else row["continuation"]).strip(), *map(str, row.get("aliases") or [])]


def _said_in_words(row: Row) -> bool:
    "Brackets that should be closed are no words: whatever was answered would be marked wrong."
    return _form(row) != "context" or any(plain(one).strip() for one in _answers(row))


def text(runtime: Runtime, path: Path) -> list[float]:
    "Nats a token of the first paragraphs."
    pairs = [(ask("Go on with this text."), p) for p in paragraphs(path)]
    return [-float(nat) for row in runtime.score(pairs) for nat in row]


def paragraphs(path: Path) -> list[str]:
    "The first of a text. Raises BadInput where there are none."
    try:
        told = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(f"`{path}` cannot be read ({error})", hint="plain text in UTF-8, one paragraph a line") from None
    found = [p.strip()[:LONGEST] for p in told.split("\n") if len(p.strip()) > 200][:PARAGRAPHS]
    if not found:
        raise BadInput(f"`{path}` has no paragraph of 200 characters", hint="one paragraph a line")
    return found


def _rows(path: Path) -> list[Row]:
    try:
        rows: list[Row] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        known = len({_form(row) for row in rows}) == 1 and _form(rows[0]) != ""
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadInput(f"`{path}` cannot be read ({error})", hint="one JSON object a line") from None
    if not known:
        raise BadInput(f"`{path}` is not a suite of choices or short answers", hint="query, choices, gold; or context, answer")
    if not (able := [row for row in rows if _said_in_words(row)]):
        raise BadInput(f"`{path}` asks for answers without a word, and none of them could be marked right", hint="leave it out")
    return able


def _form(row: Row) -> str:
    "What a row is scored by, '' where it is nothing that is. The right one of some options has to be among them."
    for options, needed in (("choices", {"query", "gold"}), ("context_options", {"continuation", "gold"})):
        if {options, *needed} <= row.keys():
            return options if row["gold"] in range(len(row[options])) else ""
    return "context" if "context" in row and row.keys() & {"answer", "continuation"} else ""


__all__: list[Any] = ["choices", "general", "paragraphs", "sign_test", "text"]
