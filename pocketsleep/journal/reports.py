"""What the journal tells a person, as plain data: nights, the way of a memory, the list of conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pocketsleep.journal import Journal
from pocketsleep.journal.veil import root
from pocketsleep.nouns import Cite, Knack, Memory, Night, Turn

TITLE = 80  # characters of a conversation's first words


def night_report(journal: Journal, night: Night) -> dict[str, Any]:
    "Everything a night left behind."
    verdict = night.verdict
    heard, dreamt, seeded = (journal.stage(night.id, name) or {} for name in ("extract", "dream", "seed"))
    texts = {m.id: m.text for m in journal.memories(status=None)}
    return {
        "night": night.id, "started_at": night.started_at, "base": night.base, "seed": night.seed,
        "verdict": verdict.outcome if verdict else "unfinished",
        "failed": list(verdict.failed) if verdict else [], "reasons": list(verdict.reasons) if verdict else [],
        "learnt": [texts[m] for m in heard.get("new", []) if m in texts],
        "live": len(heard.get("live", [])), "waiting": dreamt.get("waiting", 0),
        "rated": dreamt.get("rated", {"practised": 0, "declined": 0}),
        "dropped": [{"text": d.text, "reason": d.reason} for d in journal.dropped(night.id)],
        "adapter": night.adapter or None, "worn": journal.current() or None,
        "scores": dict(verdict.scores) if verdict else {},
        "lessons": seeded.get("lessons"), "epochs": seeded.get("epochs"), "stopped": seeded.get("stopped"),
        "recipe": seeded.get("recipe"), "stages": journal.stages(night.id),
        "knacks": [knack_report(one) for one in journal.knacks(night=night.id)],
    }


def knack_report(knack: Knack) -> dict[str, Any]:
    "How a tool wants to be called, and the turns that showed it."
    return {"id": knack.id, "text": knack.text, "tool": knack.tool, "episode": knack.episode, "turns": [knack.first, knack.last]}


def memory_report(memory: Memory) -> dict[str, Any]:
    "A memory, and where it was said."
    return {
        "id": memory.id, "text": memory.text, "kind": memory.kind, "status": memory.status, "answer": memory.answer,
        "supersedes": memory.supersedes or None, "told": memory.told, "since": memory.since,
        "cites": [{"episode": c.episode, "turn": c.turn} for c in memory.cites],
    }


def cited(journal: Journal, memory: Memory) -> list[dict[str, Any]]:
    "The turns a memory rests on, in the order in which they were said."
    return [told_at(journal, c, journal.turn(c)) for c in memory.cites]


def told_at(journal: Journal, cite: Cite, turn: Turn) -> dict[str, Any]:
    "One turn, with the correction that a person gave of it: what an answer says of them is theirs only by that."
    thought = journal.episode(cite.episode).feedback if turn.role == "assistant" and turn.text else ()
    return {"episode": cite.episode, "turn": cite.turn, "role": turn.role, "text": turn.text, "said_at": turn.said_at,
            "correction": next((f.correction for f in thought if f.turn == cite.turn), "")}


def conversations(journal: Journal, limit: int = 200) -> list[dict[str, Any]]:
    "The last conversations, the newest first. Of one that was told over again (edited, regenerated) the newest telling."
    return _newest(journal.tellings(limit))


def conversations_with(journal: Journal, words: str, turns: int = 500) -> list[dict[str, Any]]:
    "Those of all conversations in which the words were said, each with the best of the `turns` that are looked at as its `hit`."
    hits: dict[str, str] = {}
    for cite, turn in journal.search_turns(words, turns):
        hits.setdefault(cite.episode, turn.text)
    everything = journal.tellings(-1) if hits else []
    return [one | {"hit": hits[one["id"]]} for one in _newest([row for row in everything if row["id"] in hits])]


def _newest(tellings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in tellings:
        found.setdefault(root(row["id"]), _told(row))
    return list(found.values())


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    title = " ".join((row["opening"] or "").split())
    return {"id": row["id"], "title": title if len(title) <= TITLE else title[: TITLE - 1] + "…",
            "started_at": row["started_at"], "source": row["source"], "private": bool(row["private"]), "turns": row["turns"]}
