"""Turns -> memories: the user's own statements, each as one atomic sentence that cites its turn.

    own words -> sentences -> clauses -> candidate -> grounded? -> Memory, and what it supersedes

Rules hear first, and are right rather than complete. A trained ear (listen/ear.py), where there is one, doubts
what they heard and hears what they have no rule for. Everything of a candidate's kind that is not kept is
returned as Dropped, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pocketsleep.night.gather import Gathered
from pocketsleep.night.listen import frames
from pocketsleep.night.listen.corrected import corrected
from pocketsleep.night.listen.ear import CHOSEN, Ear, Heard
from pocketsleep.night.listen.grounding import empty, ungrounded
from pocketsleep.night.listen.hear import candidates, refused, span
from pocketsleep.night.listen.naming import naming
from pocketsleep.night.listen.people import Candidate, People
from pocketsleep.night.listen.provenance import LONG_MESSAGE, Span, own_words, typed_until
from pocketsleep.night.listen.replaces import Alike, Standing
from pocketsleep.night.listen.said import Said, asked_for
from pocketsleep.night.listen.sentences import Sentence, expand, sentences
from pocketsleep.night.listen.slots import slot
from pocketsleep.night.listen.standing import standing
from pocketsleep.night.listen.tell import as_candidate, told
from pocketsleep.night.listen.verbatim import contradicted, pointed, verbatim
from pocketsleep.night.listen.voice import about_user
from pocketsleep.night.listen.when import before, moment
from pocketsleep.night.overtaken import called_off, overtaken
from pocketsleep.nouns import Cite, Dropped, Episode, Memory

_NEVER = datetime.max.replace(tzinfo=UTC)

__all__ = ["Extracted", "extract", "slot", "told", "verify"]


@dataclass(frozen=True, slots=True)
class Extracted:
    "What is kept of a day, and what is not. `again`: live memories, with the turns that said them once more."

    memories: tuple[Memory, ...]
    dropped: tuple[Dropped, ...]
    again: tuple[Memory, ...] = ()


@dataclass(slots=True)
class _Hearing:
    "What has been made of one day so far."

    live: list[Memory]
    alike: Alike | None = None
    memories: list[Memory] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    again: list[Memory] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)  # of the sentence being heard
    standing: Standing = field(init=False)  # what holds so far

    def __post_init__(self) -> None:
        self.standing = Standing(self.live, self.alike)

    def drop(self, text: str, reason: str, cite: Cite) -> None:
        self.dropped.append(Dropped(re.sub(r"\s+", " ", text).strip()[:300], reason, cite))

    def keep(self, candidate: Candidate, sentence: str, said: str, cite: Cite, since: str, late: bool = False) -> None:
        """Ground a candidate, then add it, or add its cite to the memory that says the same: all that said it is forgotten with it.
        What was said before the note that it would replace is dropped; `late`: it was said after all, whatever its date."""
        memory = Memory(candidate.text, (cite,), candidate.kind, span(candidate), since=since)
        if not verify(memory, said):
            missing = ", ".join(sorted(ungrounded(memory.text, said)))
            return self.drop(memory.text, f"ungrounded: never said: {missing}", cite)
        if empty(memory.text):
            return self.drop(memory.text, "empty: says nothing of it", cite)
        if not self.standing.is_gone(memory):  # or it holds again: who moved away has moved back
            if any(_again(m, memory) for m in self.live):
                self.again.append(memory)
                return self.drop(memory.text, "known: remembered already", cite)
            for at, other in enumerate(self.memories):
                if _again(other, memory):
                    self.memories[at] = replace(other, cites=tuple(sorted({*other.cites, cite})))
                    return None
        old = self.standing.replaced(memory, sentence) or next((m for m in self.memories if m.supersedes == memory.id), None)
        if old and not late and before(since, old.since):
            return self.drop(memory.text, f"outdated: replaced by what was said on {old.since[:10]}", cite)
        self.standing.add(memory, old.id if old else "")
        self.memories.append(replace(memory, supersedes=old.id if old else ""))
        return None

    def call_off(self, cite: Cite, since: str) -> None:
        "What was denied of a plan replaces it; of anything else it is dropped."
        for text in self.denied:
            plan = called_off(text, [m for m in (*self.live, *self.memories) if not self.standing.is_gone(m)])
            if plan is None or before(since, plan.since):
                self.drop(text, "denial: says what is not so", cite)
                continue
            note = told(about_user(text), None, ())
            core = plan.answer if plan.answer and plan.answer in note.text else note.answer
            memory = Memory(note.text, (cite,), note.kind, core, plan.id, since=since)
            self.standing.add(memory, plan.id)
            self.memories.append(memory)
        self.denied.clear()


def _again(old: Memory, new: Memory) -> bool:
    "Whether it says the same once more: a plan that is said after its day means the next one."
    return old.text == new.text and overtaken(old, new.since) is None


def extract(gathered: Gathered, live: Sequence[Memory], ear: Ear | None = None, alike: Alike | None = None) -> Extracted:
    """The memories of the gathered turns; `live` are the active memories, which they may supersede.
    Without an ear the rules listen alone; without `alike` (nearness.py) what replaces what is judged by words alone."""
    hearing = _Hearing([m for m in live if m.status == "active"], alike)
    wanted = set(gathered.turns)
    episodes = _by_date(gathered.episodes, wanted)
    spoken = [list(_spoken(episode, wanted)) for episode in episodes]
    heard = iter(ear([_said(s, hearing.live) for one in spoken for s in one if s.heard]) if ear else ())
    for episode, one in zip(episodes, spoken, strict=True):
        _listen(episode, [(s, next(heard) if ear and s.heard else None) for s in one], wanted, hearing)
    return Extracted(tuple(hearing.memories), tuple(hearing.dropped), tuple(hearing.again))


def _by_date(episodes: Sequence[Episode], wanted: set[Cite]) -> list[Episode]:
    "In the order in which it was said what is to be heard of them, those without a date last: exports begin with the newest."
    def first(episode: Episode) -> str:
        new = (turn.said_at for n, turn in enumerate(episode.turns) if Cite(episode.id, n) in wanted)
        return next(new, "") or episode.started_at
    return sorted(episodes, key=lambda episode: moment(first(episode)) or _NEVER)


def verify(memory: Memory, sentence: str) -> bool:
    "Does every content word of the memory occur in what was said?"
    return not ungrounded(memory.text, sentence)


@dataclass(frozen=True, slots=True)
class _Spoken:
    "A user turn that may be listened to: from `start` on it is meant, and `heard` says whether it is new."

    cite: Cite
    message: _Message
    start: int
    pretended: bool
    heard: bool
    answering: str  # what the assistant had said before

    @property
    def sentences(self) -> list[Sentence]:
        return [s for p in self.message.own for s in sentences(self.message.text, max(p.start, self.start), p.end)]


def _spoken(episode: Episode, wanted: set[Cite]) -> Iterator[_Spoken]:
    "One conversation in order. A pretended world lasts until the user leaves it."
    pretended, answering = False, ""
    for index, turn in enumerate(episode.turns):
        if turn.role == "assistant":
            answering = turn.text
        if turn.role != "user" or turn.private or turn.taint:
            continue
        cite, message = Cite(episode.id, index), _message(turn.text, turn.said_at or episode.started_at)
        start, pretended = _believed_from(message.mine, pretended)
        yield _Spoken(cite, message, start, pretended, cite in wanted and not pretended, answering)
        answering = ""


def meant(episode: Episode) -> Iterator[tuple[Cite, Sentence]]:
    """What the user says of how things are, sentence by sentence, in messages in which they speak of themselves: nothing asked,
    pasted, pretended, joked, supposed or reported, and nothing that a paragraph introduces or a program wrote in their place."""
    for one in _spoken(episode, {Cite(episode.id, n) for n in range(len(episode.turns))}):
        end = typed_until(one.message.text)
        for sentence in one.sentences if one.heard and frames.speaks_of_self(one.message.mine[:end]) else ():
            plain = expand(sentence.text)
            so = not (frames.hypothetical(plain) or frames.reported(plain) or refused(sentence) or sentence.question)
            if so and sentence.end <= end:
                yield one.cite, sentence


def _said(spoken: _Spoken, live: Sequence[Memory]) -> Said:
    known = tuple(m.text for m in live if m.kind == "relation")
    return Said(spoken.message.text, tuple(spoken.sentences), spoken.answering, known)


def _listen(episode: Episode, spoken: Sequence[tuple[_Spoken, list[Heard] | None]], wanted: set[Cite],
            hearing: _Hearing) -> None:
    people, before = _known_people(hearing.live), ""
    for one, heard in spoken:
        mine = one.message.mine
        if one.start and one.cite in wanted and frames.speaks_of_self(mine[: one.start]):
            hearing.drop(mine[: one.start], "pretended: said in a made-up world", one.cite)
        if one.heard:
            _hear(one, before, heard, people, hearing)
        before = "" if one.pretended else mine[:LONG_MESSAGE]
        people.next_turn()
    _corrections(episode, wanted, people, hearing)


@dataclass(frozen=True, slots=True)
class _Message:
    "A user turn: `mine` is its text with all that is not the user's own words blanked out."

    text: str
    mine: str
    own: list[Span]
    aside: list[Span]
    since: str


def _message(text: str, since: str) -> _Message:
    own, aside = own_words(text)
    kept, at = [], 0
    for piece in own:
        kept += [" " * (piece.start - at), text[piece.start : piece.end]]
        at = piece.end
    return _Message(text, "".join(kept), own, aside, since)


def _believed_from(mine: str, pretended: bool) -> tuple[int, bool]:
    "Where belief begins in a message, and whether the pretended world outlasts it."
    if not pretended and not frames.pretence(mine):
        return 0, False
    awake = frames.awakes(mine)
    if awake < 0 or frames.pretence(mine[awake:]):
        return len(mine), True
    return awake, False


def _known_people(live: Sequence[Memory]) -> People:
    "The names that live memories give."
    people = People()
    for memory in live:
        if hit := re.match(
            r"The user's (?P<noun>[\w' -]+) is (?:called )?(?P<name>[A-ZÀ-Þ][\w'À-ÿ-]+)\.$", memory.text
        ):
            people.by_name[hit["name"]] = f"The user's {hit['noun']} {hit['name']}"
    return people


def _hear(one: _Spoken, before: str, heard: Sequence[Heard] | None, people: People, hearing: _Hearing) -> None:
    "One message: its own words, sentence by sentence."
    text, message, cite = one.message.text, one.message, one.cite
    for piece in message.aside:
        if piece.end > one.start and frames.speaks_of_self(text[piece.start : piece.end]):
            hearing.drop(text[piece.start : piece.end], f"{piece.reason}: not the user's own words", cite)
    previous = ""
    for n, sentence in enumerate(one.sentences):
        said = " ".join((message.mine, before, *people.by_name.values()))
        found = _heard(sentence, previous or before, message.mine, cite, people, hearing)
        if heard is not None:
            named = _named(heard[n], sentence, previous or before, people)
            found = _with_ear(found, heard[n], sentence, people, one.answering, cite, hearing)
            found += [c for c in named if all(c.answer not in f.text for f in found)]
        written = {note.text for note in heard[n].notes} if heard is not None else ()
        for candidate in found:
            whole = said + _subject(candidate, hearing.live) + (f" {asked_for(one.answering)}" if candidate.text in written else "")
            hearing.keep(candidate, sentence.text, whole, cite, message.since)
        hearing.call_off(cite, message.since)
        previous = sentence.text


def _with_ear(found: list[Candidate], heard: Heard, sentence: Sentence, people: People, answering: str, cite: Cite,
              hearing: _Hearing) -> list[Candidate]:
    """What the rules found, if the ear does not doubt it, and what the ear wrote down beside it; else, of a chosen sentence, what
    the ear wrote down; else the clause that it points to, as it was said."""
    if found and heard.doubted:
        for candidate in found:
            hearing.drop(candidate.text, f"doubted: the trained ear gives it {heard.chance:.0%}", cite)
        return []
    if refused(sentence) or not heard.pointed:
        return found
    clauses = list(verbatim(sentence.text, people))
    wishes = [c for c in clauses if c.kind == "preference"]
    notes = [as_candidate(note, sentence.text) for note in heard.notes
             if not frames.secret(note.text) and not contradicted(note.text, answering)]
    if found:
        settled = any(c.kind in ("preference", "procedure") for c in found)
        return found if settled else [*found, *(wishes or [n for n in notes if all(_beside(n, f) for f in found)])]
    if wishes or notes:
        return wishes or notes
    clause = pointed(clauses, heard.pointed)
    return [clause] if clause and not contradicted(clause.text, answering) else []


def _beside(one: Candidate, other: Candidate) -> bool:
    "Whether a note says something that another one does not: its core stands nowhere in it, nor the other way round."
    return one.answer not in other.text and not (other.answer and other.answer in one.text)


def _named(heard: Heard, sentence: Sentence, previous: str, people: People) -> list[Candidate]:
    "Names in passing, where the ear says that something lasting is said."
    return naming(sentence.text, previous, people) if heard.chance >= CHOSEN and not refused(sentence) else []


def _subject(candidate: Candidate, live: Sequence[Memory]) -> str:
    "An update may take its subject's words from the live memory it is about."
    return " " + " ".join(m.text for m in live) if candidate.update else ""


def _heard(
    sentence: Sentence, previous: str, message: str, cite: Cite, people: People, hearing: _Hearing
) -> list[Candidate]:
    "Candidates of one sentence; what is not kept goes to the dropped ones."
    heard = candidates(sentence, previous, people, hearing.live, message)
    for text, reason in heard.dropped:
        if reason.startswith("denial:"):
            hearing.denied.append(text)
        else:
            hearing.drop(text, reason, cite)
    return heard.kept


def _corrections(episode: Episode, wanted: set[Cite], people: People, hearing: _Hearing) -> None:
    "Corrections of an answer: lasting wishes, and what they say of the person. New ones: the answer or its question is."
    for note in () if episode.private else episode.feedback:
        answer, cite = episode.turns[note.turn].text, Cite(episode.id, note.turn)
        if wanted.isdisjoint({cite, _question(episode, note.turn)}):
            continue
        since = episode.turns[note.turn].said_at or episode.started_at
        said = corrected(answer, note.correction, hearing.live)
        wrong = " ".join(word for word in answer.rstrip(".").split() if word.lower() not in said.lower().split())
        for sentence in sentences(said, 0, len(said)):
            for candidate in _heard(sentence, "", said, cite, people, hearing):
                hearing.keep(candidate, f"{note.correction}, not {wrong}", f"{said} {note.correction}", cite, since, late=True)
            hearing.call_off(cite, since)
        for sentence in sentences(note.correction, 0, len(note.correction)) if said != note.correction else ():
            wish = standing(expand(sentence.text)) if not refused(sentence) else None
            if wish:
                hearing.keep(wish, sentence.text, note.correction, cite, since, late=True)


def _question(episode: Episode, index: int) -> Cite:
    "The user's turn that an answer answers."
    return Cite(episode.id, next((n for n in range(index, -1, -1) if episode.turns[n].role == "user"), index))
