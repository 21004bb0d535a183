"""The page's conversations: listed, told again, gone on with; and what the person thought of an answer.

A conversation is edited or an answer made anew by keeping its first turns and going on from there: the journal keeps both tellings.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from pocketsleep.errors import BadInput, NotFound, PocketError
from pocketsleep.journal import Journal, reports
from pocketsleep.journal.receipts import Kept
from pocketsleep.journal.taint import taint
from pocketsleep.journal.veil import tombstone_fields
from pocketsleep.nouns import Cite, Episode, Feedback, Message, Sampling, Turn
from pocketsleep.serve.day import Arm, Day
from pocketsleep.serve.loops import loops
from pocketsleep.serve.page_wire import House, Sleeps, body, number, said, text
from pocketsleep.serve.window import Unwatched

LONGEST = 512  # tokens of an answer
LIVELY = 0.8  # the temperature of an answer that is asked for once more


def routes(house: House, sleeps: Sleeps) -> Sequence[BaseRoute]:
    chat = _Chat(house)
    return [Route("/page/conversations", chat.all), Route("/page/conversation", chat.one),
            Route("/page/conversation/forget", chat.forget, methods=["POST"]),
            Route("/page/conversation/hide", chat.hide, methods=["POST"]),
            Route("/page/say", chat.say, methods=["POST"]), Route("/page/stop", chat.stop, methods=["POST"]),
            Route("/page/feedback", chat.feedback, methods=["POST"])]


@dataclass(frozen=True, slots=True)
class _Asked:
    "What the page wants said."

    conversation: str  # "" for a new one
    said: tuple[str, ...]  # its kept turns as the page has them: the words of some the journal gives to no reader
    text: str  # "" for another answer to what was kept
    private: bool  # this message and its answer
    hidden: bool  # the whole conversation
    recall: bool
    ticket: str  # by which it can be stopped

    @classmethod
    def of(cls, given: dict[str, Any]) -> _Asked:
        before = given.get("said") or []
        if not isinstance(before, list) or not all(isinstance(one, str) for one in before):
            raise BadInput("`said` has to be a list of texts")
        return cls(text(given, "conversation"), tuple(before), text(given, "text"), bool(given.get("private")),
                   bool(given.get("hidden")), bool(given.get("recall", True)), text(given, "ticket"))


class _Chat:
    def __init__(self, house: House) -> None:
        self.house = house
        self.stops: dict[str, threading.Event] = {}

    @property
    def journal(self) -> Journal:
        return self.house.journal

    def all(self, request: Request) -> Response:
        "Those that have all the words of `words`, or the last ones."
        words = request.query_params.get("words", "").strip()
        return said(reports.conversations_with(self.journal, words) if words else reports.conversations(self.journal))

    def one(self, request: Request) -> Response:
        episode = self.journal.episode(request.query_params.get("id", ""))
        thought = {f.turn: {"rating": f.rating, "correction": f.correction} for f in episode.feedback}
        rested = receipts(self.journal, episode.id, self.journal.receipts(episode.id))
        turns = [{"turn": n, "role": t.role, "text": t.text, "private": t.private, "said_at": t.said_at,
                  "forgotten": not t.text and not t.private, "feedback": thought.get(n),
                  "receipt": rested.get(n)} for n, t in enumerate(episode.turns)]
        by_hand = {one.id for one in self.journal.exclusions()}
        return said({"id": episode.id, "private": episode.private, "hidden": f"conversation:{episode.id}" in by_hand,
                     "started_at": episode.started_at, "source": episode.source, "turns": turns})

    async def hide(self, request: Request) -> Response:
        "Off the record after it was said: a conversation, or a `turn` of it with its answer; `back` takes that back."
        given = await body(request)
        name, turn = text(given, "id", needed=True), given.get("turn")
        which = ("conversation", name) if turn is None else ("turn", f"{name}#{number(given, 'turn')}")
        change = self.house.include if given.get("back") else self.house.exclude
        done = await asyncio.to_thread(change, *which)
        return said({"turns": done.turns, "memories": list(done.memories), "taken_off": bool(done.taken_off)})

    async def forget(self, request: Request) -> Response:
        episode = self.journal.episode(text(await body(request), "id", needed=True))
        gone = await asyncio.to_thread(self.house.forget, episode.id)
        return said({"turns": len(gone.turns), "memories": list(gone.memories)})

    async def feedback(self, request: Request) -> Response:
        given = await body(request)
        rating = text(given, "rating")
        if rating not in ("up", "down", ""):
            raise BadInput(f"a rating cannot be `{rating}`", hint="up, down, or nothing")
        note = Feedback(number(given, "turn"), cast(Any, rating), text(given, "correction").strip())
        self.journal.add_feedback(text(given, "conversation", needed=True), note)
        return said({"kept": True})

    async def stop(self, request: Request) -> Response:
        if found := self.stops.get(text(await body(request), "ticket")):
            found.set()
        return said({"stopped": found is not None})

    async def say(self, request: Request) -> Response:
        "Server-sent events: pieces of the answer, then where it is kept and what it rests on."
        asked, state = _Asked.of(await body(request)), request.app.state
        stop = self.stops[asked.ticket] = threading.Event()
        pieces = state.desk.stream(lambda: self._answer(state.day, asked, stop))
        return StreamingResponse(self._events(pieces, asked.ticket), media_type="text/event-stream",
                                 headers={"Cache-Control": "no-store"})

    async def _events(self, pieces: Any, ticket: str) -> AsyncIterator[str]:
        try:
            async for event in pieces:
                yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        except (PocketError, ValueError) as wrong:
            yield f"data: {json.dumps({'error': str(wrong), 'hint': getattr(wrong, 'hint', '')}, ensure_ascii=False)}\n\n"
        finally:
            pieces.stop()
            self.stops.pop(ticket, None)

    def _answer(self, day: Day, asked: _Asked, stop: threading.Event) -> Iterator[dict[str, Any]]:
        "On the model's thread. What was said until it was stopped, or until nobody listened, is kept."
        talk, heard = _Talk.of(self.journal, asked), list[str]()
        try:
            yield from self._spoken(day, asked, talk, stop, heard)
        except GeneratorExit:
            with suppress(PocketError):
                self._kept(day, talk, "".join(heard))
            raise
        found, kept = day.receipt, self._kept(day, talk, "".join(heard))
        rested = Kept(found.adapter, found.source, tuple(m.id for m in found.notes))
        if kept["answer"] is not None:
            self.journal.keep_receipt(kept["conversation"], kept["answer"], rested.adapter, rested.source, rested.memories)
        turn = kept["answer"] or 0
        yield kept | {"receipt": receipts(self.journal, kept["conversation"], {turn: rested})[turn], "stopped": stop.is_set()}

    def _kept(self, day: Day, talk: _Talk, answer: str) -> dict[str, Any]:
        kept = talk.keep(self.journal, answer)
        day.windows.recorded(talk.id)  # an edited talk has a name of its own from here on
        return kept

    def _spoken(self, day: Day, asked: _Asked, talk: _Talk, stop: threading.Event, heard: list[str]) -> Iterator[dict[str, Any]]:
        "What leaves the window first, then the answer; its pieces are put into `heard`."
        arm: Arm = "both" if asked.recall else "weights"
        day.put_on(arm)  # what reads the fast weights writes them: the nap is the answering model's
        plan = day.windows.plan(talk.messages, talk.sampling, talk.id, talk.off_the_record)
        if plan.leaving:
            yield {"leaving": plan.leaving, "napping": day.windows.remembers}
        window = day.windows.open(plan, _Stoppable(stop))
        if plan.leaving:
            yield {"left": {"messages": window.leaving, "napped": window.napped, "seconds": round(window.seconds, 1)}}
            stop.clear()  # it was for the nap
        with closing(cast(Generator[str], day.speak(talk.messages, talk.sampling, arm=arm, window=window))) as answer:
            for piece in answer:
                heard.append(piece)
                yield {"piece": piece}
                if stop.is_set() or loops("".join(heard)):
                    break


class _Stoppable(Unwatched):
    "A nap that the page's stop ends."

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def cancelled(self) -> bool:
        return self.stop.is_set()


@dataclass(frozen=True, slots=True)
class _Talk:
    "A conversation as it stands when the model is asked."

    id: str
    whole: bool  # all that the journal has of it is kept
    turns: tuple[Turn, ...]  # kept ones
    new: tuple[Turn, ...]  # the person's message, if there is one
    hidden: bool
    private: bool
    sampling: Sampling

    @classmethod
    def of(cls, journal: Journal, asked: _Asked) -> _Talk:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        episode = journal.episode(asked.conversation) if asked.conversation else Episode(f"page-{uuid.uuid4().hex[:12]}", ())
        both = enumerate(zip(episode.turns, asked.said, strict=False))
        kept = tuple(_as_read(journal, Cite(episode.id, n), *two) for n, two in both)
        hidden = asked.hidden or episode.private
        private = asked.private or hidden
        new = (Turn("user", asked.text, taint(kept, "user", asked.text), private, now),) if asked.text.strip() else ()
        if not new and not (kept and kept[-1].role == "user"):
            raise BadInput("there is nothing to answer", hint="write something first")
        if not new:
            private = private or kept[-1].private
        sampling = Sampling(max_tokens=LONGEST) if new else Sampling(LONGEST, LIVELY, seed=secrets.randbits(31))
        return cls(episode.id, len(kept) == len(episode.turns) > 0, kept, new, hidden, private, sampling)

    @property
    def messages(self) -> list[Message]:
        "What the model reads: forgotten turns have no words left."
        return [Message(t.role, t.text) for t in (*self.turns, *self.new) if t.text]

    @property
    def off_the_record(self) -> bool:
        "Whether anything of it is: fast weights of the whole then stay off the disk."
        return self.private or self.hidden or any(turn.private for turn in self.turns)

    @property
    def repeats(self) -> bool:
        "Whether its answer is off the record: words that are were read for it, and may be in it."
        return self.private or any(turn.private and turn.text for turn in self.turns)

    def keep(self, journal: Journal, answer: str) -> dict[str, Any]:
        "Write what is new of it. Where it is kept, and the places of the message and the answer."
        now = datetime.now(UTC).isoformat(timespec="seconds")
        before = (*self.turns, *self.new)
        new = [*self.new, *([Turn("assistant", answer, taint(before, "assistant", answer), self.repeats, now)] if answer else [])]
        if not new:
            raise NotFound("the answer was stopped before its first word", hint="ask again")
        if self.whole:
            name, first = self.id, journal.extend(self.id, new)
        else:
            kept = tuple(t for t in self.turns if t.text)
            name, first = journal.record(Episode(self.id, (*kept, *new), now, "chat", self.hidden)).episode_id, len(kept)
        return {"conversation": name, "user": first if self.new else first - 1, "answer": first + len(self.new) if answer else None,
                "private": self.repeats}


def _as_read(journal: Journal, cite: Cite, turn: Turn, said: str) -> Turn:
    "A kept turn. What is hidden has its words from the page alone; what was forgotten has none, though a page may still show them."
    lost = not turn.private or journal.forgotten_turn(cite) or journal.buried(*tombstone_fields(turn.role, said))
    return turn if turn.text or lost else replace(turn, text=said)


def receipts(journal: Journal, episode: str, kept: Mapping[int, Kept]) -> dict[int, dict[str, Any]]:
    """By turn, what answers of a conversation rest on: the adapter worn, and the notes with the turns that said them, or the turn
    that is quoted. `lost`: the notes are forgotten now, or hidden."""
    nights = {n.adapter: n.id for n in journal.nights() if n.verdict and n.verdict.passed} if kept else {}
    ledger = {m.id: m for m in journal.memories(status=None)} if any(one.memories for one in kept.values()) else {}
    found = {}
    for turn, one in kept.items():
        notes = [ledger[name] for name in one.memories if name in ledger]
        found[turn] = {"source": one.source, "adapter": one.adapter or None, "night": nights.get(one.adapter),
                       "lost": one.source in ("weights", "memory") and not notes,
                       "quoted": _quoted(journal, Cite(episode, turn)) if one.source == "said" else [],
                       "notes": [reports.memory_report(m) | {"cites": reports.cited(journal, m)} for m in notes]}
    return found


def _quoted(journal: Journal, answer: Cite) -> list[dict[str, Any]]:
    "The turn that an answer quotes, none where it is forgotten or hidden now."
    return [reports.told_at(journal, cite, journal.turn(cite)) for cite in journal.quoted_in(answer)[:1]]
