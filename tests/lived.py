"""A home in which somebody has lived for three nights, written straight into the journal: for looking at, without a model."""

from __future__ import annotations

from pocketsleep.journal import Journal
from pocketsleep.nouns import Adapter, Cite, Dream, Dropped, Episode, Feedback, Memory, Night, Turn, Verdict

CODE = """Of course. The shortest way is a list:

1. **Count** the words with a `Counter`
2. Keep the *ten* commonest

```python
from collections import Counter

def commonest(text: str, most: int = 10) -> list[tuple[str, int]]:
    return Counter(text.split()).most_common(most)
```

It reads the text once. <b>No markup</b> of yours is run, and [links](https://example.org) open elsewhere."""

TALKS = (
    ("c-dog", "2026-11-18T18:20:00+00:00", ("My dog is called Biscuit, she ate a sock.", "I hope she is well. Socks are rarely a favourite of vets."),),
    ("c-town", "2026-11-19T08:02:00+00:00", ("I live in Stromness now, we moved from Leith.", "That is quite a move. How do you like the harbour?"),),
    ("c-code", "2026-11-20T21:40:00+00:00", ("How do I count words in Python?", CODE), ("Thanks. I always want metric units, by the way.", "Metric it is.")),
    ("c-gift", "2026-11-21T19:12:00+00:00", ("What should I give my sister Ottoline? She plays the hurdy-gurdy.", "A spare set of strings, or a humidifier for its case."),),
)
OLD, DOG = Memory("The user lives in Leith.", answer="Leith", since="2026-03-02T10:00:00+00:00", told=True), "The user's dog is called Biscuit."
MEMORIES = (
    (DOG, "Biscuit", "relation", ("c-dog", 0), ""), ("The user lives in Stromness.", "Stromness", "fact", ("c-town", 0), OLD.id),
    ("The user wants metric units.", "metric units", "procedure", ("c-code", 2), ""),
    ("The user's sister is called Ottoline.", "Ottoline", "relation", ("c-gift", 0), ""),
)


def scores(learnt: float, kept: float | None) -> dict[str, dict[str, float | None]]:
    base = {"learnt": 0.02, "kept": 0.0, "general": 0.47, "declined": 0.05, "bleed": 0.0, "beside": 0.0, "monotony": 0.1, "stale": None,
            "follows": 0.62, "refused": 0.3, "silent": 0.0, "nats": 2.6}
    before = base | {"learnt": 0.1, "kept": 0.9, "declined": 0.84, "general": 0.5}
    return {"candidate": before | {"learnt": learnt, "kept": kept, "declined": 0.86, "general": 0.53, "bleed": 0.04, "beside": 0.08, "follows": 0.66},
            "base": base, "before": before}


def lived(journal: Journal) -> None:
    for name, at, *exchanges in TALKS:
        turns = [Turn(role, text, said_at=at) for said in exchanges for role, text in zip(("user", "assistant"), said, strict=True)]  # type: ignore[arg-type]
        journal.record(Episode(name, tuple(turns), at, "chat"))
    journal.add_feedback("c-dog", Feedback(1, "down", "She is fine, thank you. Ask about Biscuit first."))
    journal.learn(OLD)
    for text, answer, kind, cite, supersedes in MEMORIES:
        journal.learn(Memory(text, (Cite(*cite),), kind, answer, supersedes, since="2026-11-20T08:00:00+00:00"))  # type: ignore[arg-type]
    ids = [m.id for m in journal.memories()]
    _night(journal, 1, ids[:2], Verdict("worn", (), (), scores(0.91, None)))
    _night(journal, 2, ids[2:3], Verdict("refused", ("no bleed",), ("no bleed: at most 10% of answers to other questions may give the person's value falsely",), scores(0.66, 0.9)))
    _night(journal, 3, ids[2:], Verdict("worn", (), (), scores(0.97, 0.94)))


def _night(journal: Journal, number: int, new: list[str], verdict: Verdict) -> None:
    night = journal.begin(Night("", f"2026-11-{18 + number}T02:00:00+00:00", 0, "smollm2-135m"))
    live = [m.id for m in journal.memories()]
    journal.finish(night.id, "extract", {"new": new, "live": live})
    journal.drop(night.id, [Dropped("How do I count words in Python?", "question: asks, does not state", Cite("c-code", 0)),
                            Dropped("Afternoon sailing 16:45, check in by 16:15.", "pasted: not the user's own words")])
    journal.keep_dreams(night.id, [Dream("What is my dog called?", "Your dog is called Biscuit.", "direct", (live[0],)),
                                   Dream("Who ate the sock?", "Your dog Biscuit.", "paraphrase", (live[0],))])
    held = tuple(live) if verdict.passed else tuple(new)
    adapter = Adapter(f"b2-{number:020x}", "smollm2-135m", "0" * 64, 16, 2.0, ("mlp.up_proj",), (15, 16), held)
    journal.settle(night.id, verdict, adapter, journal.unslept() if number < 3 else [])
