"""How well listening agrees with notes that people made by hand: by rules alone, and with the trained ear.

    pocketsleep bench extract FOLDER
    python -m pocketsleep.bench.extract FOLDER [FILE ...] [--show]      rules alone, with what was missed

A line of a study file is one message: `before` (the assistant's previous message), `known` (texts of
earlier memories), `message`, and `memories`, the notes, each with `text`, `answer`, `supersedes`.
A memory matches a note of the same message if the note's answer occurs in its text.

    precision   memories in whose text the answer of a note occurs, of all memories
    agreement   the same, or a memory whose own answer occurs in the text of a note
    recall      notes whose answer occurs in some memory
    clean       messages without notes for which nothing was kept
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketsleep.bench import byhand
from pocketsleep.errors import BadInput
from pocketsleep.night.extract import Extracted, extract
from pocketsleep.night.gather import Gathered
from pocketsleep.night.grade import says
from pocketsleep.night.listen.ear import Ear, Heard
from pocketsleep.night.listen.replaces import Alike
from pocketsleep.night.listen.said import Said
from pocketsleep.nouns import Cite, Episode, Memory, Turn


@dataclass(slots=True)
class Tally:
    "Counts over messages; shares are in per cent, None where there is nothing to take one of."

    memories: int = 0
    right: int = 0
    agreeing: int = 0
    notes: int = 0
    found: int = 0
    empty: int = 0
    clean: int = 0
    changes: int = 0
    superseded: int = 0

    def row(self) -> dict[str, float | int | None]:
        "Figures as a person reads them."
        share = lambda part, whole: round(100 * part / whole, 1) if whole else None  # noqa: E731
        return {
            "precision": share(self.right, self.memories),
            "agreement": share(self.agreeing, self.memories),
            "recall": share(self.found, self.notes),
            "clean": share(self.clean, self.empty),
            "superseded": share(self.superseded, self.changes),
            "memories": self.memories,
            "notes": self.notes,
        }


def agrees(memory: Memory, note: Mapping[str, Any]) -> bool:
    "Either way round: the note's answer in the memory, or the memory's answer in the note."
    return matches(memory.text, note) or says(note["text"], memory.answer)


def matches(text: str, note: Mapping[str, Any]) -> bool:
    "Does the note's answer occur in the text?"
    return says(text, note["answer"])


def listen(line: Mapping[str, Any], ear: Ear | None = None, alike: Alike | None = None) -> Extracted:
    "Extract from one message as if it were the only new turn of its conversation."
    turns = [Turn("assistant", line["before"])] if line.get("before") else []
    turns.append(Turn("user", line["message"]))
    episode = Episode(line["id"], tuple(turns))
    live = [Memory(k if isinstance(k, str) else k["text"]) for k in line.get("known") or []]
    return extract(Gathered((episode,), (Cite(line["id"], len(turns) - 1),), ()), live, ear, alike)


def score(lines: Iterable[Mapping[str, Any]], show: bool = False, ear: Ear | None = None, alike: Alike | None = None) -> Tally:
    "Tally the messages; `show` prints what was missed and what should not have been kept."
    tally, some = Tally(), list(lines)
    heard = _at_once(some, ear) if ear else None
    for line in some:
        _count(tally, line, listen(line, heard, alike), show)
    return tally


def _at_once(lines: Sequence[Mapping[str, Any]], ear: Ear) -> Ear:
    "An ear that has heard all messages before: engines are started once, not once a message."
    shown: list[Said] = []

    def note(messages: Sequence[Said]) -> list[list[Heard]]:
        shown.extend(messages)
        return [[Heard(0.0) for _ in m.sentences] for m in messages]

    for line in lines:
        listen(line, note)
    heard = iter(ear(shown))
    return lambda messages: [next(heard) for _ in messages]


def both(folder: Path, ear: Ear | None, alike: Alike | None = None) -> list[dict[str, Any]]:
    "One row a file and arm. Raises BadInput where there is no file."
    rows: list[dict[str, Any]] = []
    if not (files := [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))):
        raise BadInput(f"`{folder}` has no messages with notes", hint="pocketsleep bench extract models/study")
    for path in files:
        for arm, hears in (("rules", None), ("ear", ear)):
            if arm == "rules" or ear is not None:
                rows.append({"file": path.name, "arm": arm, **score(read(path), False, hears, alike if hears else None).row()})
    return rows


def _count(tally: Tally, line: Mapping[str, Any], heard: Extracted, show: bool) -> None:
    notes, texts = line["memories"], [m.text for m in heard.memories]
    tally.memories += len(texts)
    right = [t for t in texts if any(matches(t, n) for n in notes)]
    found = [n for n in notes if any(matches(t, n) for t in texts)]
    tally.right += len(right)
    agreeing = [m.text for m in heard.memories if any(agrees(m, n) for n in notes)]
    tally.agreeing += len(agreeing)
    tally.notes += len(notes)
    tally.found += len(found)
    tally.empty += not notes
    tally.clean += not notes and not texts
    changed = [n for n in notes if n.get("supersedes")]
    old = {m.supersedes for m in heard.memories}
    tally.changes += len(changed)
    tally.superseded += sum(Memory(n["supersedes"]).id in old for n in changed)
    if show:
        _show(
            line, [t for t in texts if t not in agreeing], [n["text"] for n in notes if n not in found], right
        )


def _show(line: Mapping[str, Any], wrong: list[str], missed: list[str], right: list[str]) -> None:
    if wrong or missed or right:
        sys.stderr.write(f"{line['id']}  {line['message'][:400]!r}\n")
    for mark, texts in (("+", right), ("x", wrong), ("-", missed)):
        for text in texts:
            sys.stderr.write(f"  {mark} {text}\n")


def read(path: Path) -> list[Mapping[str, Any]]:
    "The lines of one study file."
    return byhand.rows(path, "id", "message")


def main(arguments: list[str]) -> None:
    "One JSON object a file on stdout."
    show = "--show" in arguments
    folder, *names = [a for a in arguments if a != "--show"]
    for path in sorted(Path(folder).glob("*.jsonl")):
        if not names or path.name in names or path.stem in names:
            sys.stdout.write(json.dumps({"file": path.name, **score(read(path), show).row()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
