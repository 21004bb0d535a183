"""One night. Read this first.

    gather    unslept turns, private and tainted ones set aside, with the reason; of calls of tools, what put them right
    extract   turns     -> memories, and plans whose day is over in the past
    dream     memories  -> dreams
    seed      dreams    -> candidate
    examine   candidate -> verdict
    settle    verdict   -> current

Each stage happens once a night and leaves its result in the journal: a night cut short resumes by
reading what is done. Weights are rebuilt from the frozen base every night, from all live memories; once
these are too many for that, from those of the levels that changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pocketsleep.errors import NightInterrupted
from pocketsleep.journal import Journal
from pocketsleep.night import build as building
from pocketsleep.night import examine as examining
from pocketsleep.night import extract as extracting
from pocketsleep.night import gather as gathering
from pocketsleep.night.bed import Bed, Teller, stage
from pocketsleep.night.grammar import lists
from pocketsleep.night.overtaken import overtaken
from pocketsleep.nouns import Cite, Memory, Night, Verdict, content_id


def sleep(bed: Bed, night: Night, tell: Teller) -> Verdict:
    "Turn what was said into tomorrow's adapter, or leave everything as it was."
    turns     = stage(bed, night, tell, "gather", lambda: unslept_turns(bed, night))
    memories  = stage(bed, night, tell, "extract", lambda: new_memories(bed, night, turns))
    if (verdict := idle(bed, night, turns, memories)) is not None:
        return verdict
    dreams    = stage(bed, night, tell, "dream", lambda: study_items(bed, night, memories))
    candidate = stage(bed, night, tell, "seed", lambda: trained(bed, night, memories, dreams, tell))
    verdict   = stage(bed, night, tell, "examine", lambda: judged(bed, night, memories, dreams, candidate))
    return settle(bed, night, turns, candidate, verdict)


def unslept_turns(bed: Bed, night: Night) -> dict[str, Any]:
    "What has not slept yet. Set down once, so that turns said during the night wait for the next."
    bed.journal.verify().require()
    heard = bed.journal.unslept()  # before they are read: what is said meanwhile has not slept with them
    gathered = gathering.gather(bed.journal)
    bed.journal.drop(night.id, gathered.aside)
    bed.journal.keep_knacks(night.id, gathered.knacks)
    return {"turns": [[c.episode, c.turn] for c in gathered.turns], "heard": [[c.episode, c.turn] for c in heard],
            "known": [m.id for m in bed.journal.memories()]}


def new_memories(bed: Bed, night: Night, turns: Mapping[str, Any]) -> dict[str, Any]:
    "Choose the user's sentences and say them atomically; the ledger keeps them at once, each with its vector."
    cites = tuple(Cite(*c) for c in turns["turns"])
    wanted = {c.episode for c in cites}
    corrected = _corrections(bed, turns)
    episodes = tuple(e for e in bed.journal.episodes() if e.id in wanted)
    gathered = gathering.Gathered(episodes=episodes, turns=cites, aside=())
    with bed.alike() as alike:
        heard = extracting.extract(gathered, bed.journal.memories(), bed.ear, alike)
    for memory in heard.again:
        bed.journal.cite(memory)
    known = turns.get("known")  # a night that an older program began does not say
    before = [m for m in heard.again if known is not None and m.id not in known]  # by this stage, cut short
    learnt = [*before, *(m for memory in heard.memories if (m := _learn(bed, memory)) is not None)]
    _retell(bed, night)
    bed.place()
    told = {m.text for m in before}
    bed.journal.drop(night.id, [d for d in heard.dropped if not (d.text in told and d.reason.startswith("known:"))])
    live = bed.journal.memories()
    retold = [m for m in live if known is not None and m.supersedes and m.id not in known]
    new = dict.fromkeys(m.id for m in (*learnt, *retold) if overtaken(m, night.started_at) is None)
    return {"new": list(new), "live": [m.id for m in live], "corrected": corrected}


def _retell(bed: Bed, night: Night) -> None:
    "Plans whose day is over by the night's are said in the past from here on."
    for memory in bed.journal.memories():
        if (past := overtaken(memory, night.started_at)) is not None:
            bed.journal.learn(past)


def _learn(bed: Bed, memory: Memory) -> Memory | None:
    "Keep it. Of a plan that was said before in the same words, for a day that is over, what became of that is kept, too."
    same = next((m for m in bed.journal.memories(memory.text) if m.id == memory.id), None)
    if same and (past := overtaken(same, memory.since)):
        bed.journal.learn(past)
    return bed.journal.learn(memory)


def _corrections(bed: Bed, turns: Mapping[str, Any]) -> dict[str, str]:
    "What answers were corrected to, by a digest: one that is corrected anew while the night works has not been heard."
    wanted = {episode for episode, _ in turns["heard"]}
    return {f"{one.id}#{note.turn}": content_id("correction", note.correction)
            for one in bed.journal.episodes() if one.id in wanted for note in one.feedback if note.correction}


def _heard(bed: Bed, night: Night, turns: Mapping[str, Any]) -> list[Cite]:
    "The turns that have slept: those gathered, but answers that were corrected since they were read."
    cites = [Cite(*c) for c in turns["heard"]]
    read = (bed.journal.stage(night.id, "extract") or {}).get("corrected")
    now = _corrections(bed, turns)
    return [c for c in cites if read is None or now.get(f"{c.episode}#{c.turn}") == read.get(f"{c.episode}#{c.turn}")]


def idle(bed: Bed, night: Night, turns: Mapping[str, Any], memories: Mapping[str, Any]) -> Verdict | None:
    "A night with nothing to write: said so, with the reason."
    live, current = set(memories["live"]), bed.journal.current()
    held = set(bed.journal.holds(current)) if building.worn_now(bed) else set()
    replaced = {m.id for m in bed.journal.memories(status=None)} - live  # levels may hold on to these
    if live and live != held - replaced:
        return None
    if not live and current:
        reason = "every memory was forgotten: the bare base is worn"
    elif not live:
        reason = "nothing that the user said about themselves was found"
    else:
        reason = "the adapter worn now already holds every live memory"
    verdict = Verdict("nothing", (), (f"nothing learnt tonight, because {reason}",))
    settled = bed.journal.settle(night.id, verdict, None, _heard(bed, night, turns))
    if not live and current:
        bed.journal.use("")
    return settled


def study_items(bed: Bed, night: Night, memories: Mapping[str, Any]) -> dict[str, Any]:
    "Study items for every live memory whose level changed: weights are rebuilt from the base."
    return building.study(bed, night, _live(bed, memories))


def trained(bed: Bed, night: Night, memories: Mapping[str, Any], dreams: Mapping[str, Any], tell: Teller) -> dict[str, Any]:
    "Train the candidate from the frozen base and publish its file."
    return building.trained(bed, night, _live(bed, memories), dreams, tell)


def judged(bed: Bed, night: Night, memories: Mapping[str, Any], dreams: Mapping[str, Any],
            candidate: Mapping[str, Any]) -> dict[str, Any]:
    "Question base, worn adapter and candidate through the runtime that serves. A candidate that is no adapter is refused unasked."
    if not candidate["adapter"]:
        return {"outcome": "refused", "failed": ["loads"], "reasons": [f"loads: {candidate['why']}"], "scores": {}}
    current = building.worn_now(bed)
    before = bed.journal.holds(current) if current else []
    live = _live(bed, memories)
    left = {m.id for m in live}.intersection(before).difference(bed.registry.get(candidate["adapter"]).memories)
    old = {new: was.answer for new, was in building.replaced(bed, live).items()}
    exam = examining.compose(bed.journal.dreams(night.id), live, before, lists.general(), old, left)
    worn = bed.dress(current) if current else None
    gentler = cache(lambda: building.gentler(bed, [key for key, _ in dreams["levels"]], candidate["parts"]).id)
    verdict, taken = examining.examine(bed.serving(), exam, bed.dress(candidate["adapter"]), worn, bed.known,
                                       lambda: bed.dress(gentler()))
    return {"outcome": verdict.outcome, "failed": list(verdict.failed), "reasons": list(verdict.reasons),
            "scores": dict(verdict.scores), "adapter": gentler() if taken else candidate["adapter"]}


def settle(bed: Bed, night: Night, turns: Mapping[str, Any], candidate: Mapping[str, Any],
           found: Mapping[str, Any]) -> Verdict:
    "One transaction: the verdict, what is worn, and which turns have slept."
    verdict = Verdict(found["outcome"], tuple(found["failed"]), tuple(found["reasons"]), found["scores"])
    examined = found.get("adapter", candidate["adapter"])
    adapter = bed.registry.get(examined) if examined else None
    return bed.journal.settle(night.id, verdict, adapter, _heard(bed, night, turns))


def _live(bed: Bed, memories: Mapping[str, Any]) -> tuple[Memory, ...]:
    "The live memories of this night's snapshot; one forgotten since then ends the night."
    live = {m.id: m for m in bed.journal.memories()}
    if missing := [m for m in memories["live"] if m not in live]:
        raise NightInterrupted(f"{len(missing)} memories were changed or forgotten while the night ran",
                               hint="`pocketsleep sleep --tonight` begins it again")
    return tuple(live[m] for m in memories["live"])


def outdated(journal: Journal, night: Night) -> bool:
    "Whether a night that was cut short goes by memories that were replaced or forgotten since."
    memories = journal.stage(night.id, "extract")
    return memories is not None and not {m.id for m in journal.memories()}.issuperset(memories["live"])


__all__ = ["Bed", "Teller", "outdated", "sleep"]
