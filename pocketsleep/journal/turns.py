"""What was said: conversations, their turns in a hash chain, and what the person thought of an answer."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketsleep.errors import BadInput, Busy, JournalError, NotFound
from pocketsleep.journal import chain
from pocketsleep.journal.again import Again, is_telling
from pocketsleep.journal.scrub import scrub, scrub_turns, storable
from pocketsleep.journal.search import every, some
from pocketsleep.journal.store import Row
from pocketsleep.journal.veil import quoted, tombstone_fields
from pocketsleep.nouns import Cite, Episode, Feedback, Turn, content_id


@dataclass(frozen=True, slots=True)
class Recorded:
    "Under which id a conversation is kept, and how many of its turns were new."

    episode_id: str
    added_turns: int


_TALKS_IN_MIND, _SECRETS_IN_MIND = 256, 1000
OWN = "t.role = 'user' and t.private = 0 and t.taint = ''"


class Undone(Exception):
    "Ends a rehearsal."


class Turns(Again):
    "Conversations. Readers are given hidden turns in their places, without text."

    _head_due = False  # turns were added, and the head beside the database does not know them yet

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        self._told: dict[str, dict[str, str]] = {}  # secrets by conversation, in memory alone; the newest last
        super().__init__(path, patience)

    def record(self, episode: Episode) -> Recorded:
        """Keep a conversation. The same one again adds nothing; a longer one adds its new turns; other
        content under a known id is kept as `id~<hash>`. Secrets are replaced before anything is written. Turns that were told
        before keep their date and their sleep: a thread that is gone on with says nothing new by what it began with."""
        told: dict[str, str] = {}
        episode = cleaned(episode, told)
        with self.atomic():
            name, known = self._place_for(episode)
            self._keep_in_mind(name, told)
            self._put_episode(name, episode)
            before = self._told_before(name, episode.turns) if not known and len(episode.turns) > 1 else {}
            for index, turn in enumerate(episode.turns[known:], start=known):
                slept, since = before.get(index, (0, ""))
                self._append(name, index, replace(turn, said_at=since or turn.said_at), slept)
            self._veil(name, fresh=known)
            for feedback in episode.feedback:
                if 0 <= feedback.turn < len(episode.turns):
                    self._merge_feedback(name, feedback)
            added = max(0, len(episode.turns) - known)
            self._head_due = self._head_due or added > 0
        return Recorded(name, added)

    def record_all(self, episodes: Iterable[Episode]) -> list[Recorded]:
        "Keep many conversations in one transaction: all or none, and one wait for the disk."
        with self.atomic():
            return [self.record(episode) for episode in episodes]

    def import_all(self, episodes: Iterable[Episode]) -> list[Recorded]:
        "As `record_all`, for what is read from files: what was read before, word for word, is passed over at once."
        with self.atomic():
            return [self._import(episode) for episode in episodes]

    def _import(self, episode: Episode) -> Recorded:
        said = [field for turn in episode.turns for field in (turn.role, storable(turn.text))]
        mark = self._mark("import", storable(episode.id), episode.private, repr(episode.feedback), *said)
        if self.row("select 1 from imported where mark = ?", mark):
            return Recorded(episode.id, 0)
        recorded = self.record(episode)
        self.put("imported", {"mark": mark})
        return recorded

    def rehearse(self, episodes: Iterable[Episode]) -> list[tuple[Episode, int]]:
        """Conversations as they would be kept (without secrets, with what is hidden or forgotten left out), each with the
        index of its first new turn, one that was told before not being new. Nothing is written. Those without are left out."""
        made: list[tuple[Episode, int]] = []
        with contextlib.suppress(Undone), self.atomic():
            told = dict(self._told)
            for recorded in [self._import(one) for one in episodes]:
                if recorded.added_turns:
                    whole = self._episode(self.rows("select * from episodes where id = ?", recorded.episode_id)[0])
                    first = len(whole.turns) - recorded.added_turns
                    new = "select idx from turns where episode = ? and idx >= ? and slept = 0 order by idx limit 1"
                    made += [(whole, row["idx"]) for row in self.rows(new, whole.id, first)]
            self._told = told
            raise Undone
        self._head_due = False
        return made

    def extend(self, episode_id: str, turns: Sequence[Turn]) -> int:
        """Add turns to the end of a kept conversation, whatever in it was forgotten. The index of the first of them. Secrets that
        `record` and `extend` found in it are struck here too; they are known in memory alone, and a restart forgets them."""
        known = self.row("select * from episodes where id = ?", episode_id)
        if known is None:
            raise NotFound(f"there is no conversation `{episode_id}`", hint="it begins with `record`")
        told = dict(self._told.get(episode_id, {}))
        new = cleaned(Episode(episode_id, tuple(turns), known["started_at"], known["source"], bool(known["private"])), told)
        with self.atomic():
            self._keep_in_mind(episode_id, told)
            last = self.row("select max(idx) as idx from turns where episode = ?", episode_id)
            first = 0 if last is None or last["idx"] is None else int(last["idx"]) + 1
            for index, turn in enumerate(new.turns, start=first):
                self._append(episode_id, index, turn)
            self._veil(episode_id, fresh=first)
            self._head_due = True
        return first

    def _keep_in_mind(self, name: str, told: dict[str, str]) -> None:
        "The secrets of a conversation, for as long as this journal is open, it is not forgotten, and others are not many."
        if told:
            known = {**self._told.pop(name, {}), **told}
            self._told[name] = dict(list(known.items())[-_SECRETS_IN_MIND:])
            for oldest in list(self._told)[:-_TALKS_IN_MIND]:
                del self._told[oldest]

    def _drop_from_mind(self) -> None:
        "Secrets of conversations that were forgotten, or never kept. What cannot be read now is asked for after the next write."
        alive = "select value from json_each(?) where exists (select 1 from turns where episode = value and mark is null)"
        with self._lock, contextlib.suppress(JournalError, Busy):
            kept = {row["value"] for row in self.rows(alive, json.dumps(list(self._told)))} if self._told else set()
            self._told = {name: told for name, told in self._told.items() if name in kept}

    def _place_for(self, episode: Episode) -> tuple[str, int]:
        "The id to keep a conversation under, and how many of its turns are there already."
        names = self._rooted(episode.id)
        for name in names:
            kept = self.rows("select * from turns where episode = ? order by idx", name)
            if all(self._repeats(old, new) for old, new in zip(kept, episode.turns, strict=False)):
                return name, len(kept)
        if not names:
            return episode.id, 0
        digest = content_id("episode", *_said(episode.turns))
        return f"{episode.id}~{digest[3:11]}", 0

    def _repeats(self, row: Row, turn: Turn) -> bool:
        if row["role"] != turn.role:
            return False
        if row["mark"] is None:
            return bool(row["text"] == turn.text)
        return bool(row["mark"] == self._mark(*tombstone_fields(turn.role, turn.text)))

    def _put_episode(self, name: str, episode: Episode) -> None:
        "Privacy is kept once it was asked for."
        old = self.row("select * from episodes where id = ?", name)
        if old is None:
            self.put(
                "episodes",
                {
                    "id": name,
                    "started_at": episode.started_at,
                    "source": episode.source,
                    "private": int(episode.private),
                },
            )
        elif episode.private and not old["private"]:
            self.put("episodes", old | {"private": 1})

    def _append(self, name: str, index: int, turn: Turn, slept: int = 0) -> None:
        last = self._tail()
        salt = secrets.token_bytes(16)
        row: Row = {
            "place": last.turns + 1,
            "episode": name,
            "idx": index,
            "role": turn.role,
            "text": turn.text,
            "taint": turn.taint,
            "private": int(turn.private),
            "said_at": turn.said_at,
            "salt": salt,
            "content": chain.content(turn.text, salt),
            "mark": None,
            "slept": slept,
        }
        fields = tombstone_fields(turn.role, turn.text)
        if is_telling(turn.role, turn.text) and self.buried(*fields):
            row |= {"text": None, "salt": None, "mark": self._mark(*fields)}
        self.put("turns", row | {"link": chain.link(last.link, row)})

    def _tail(self) -> chain.Head:
        last = self.row("select place, link from turns order by place desc limit 1")
        return chain.Head(last["place"], last["link"]) if last else chain.Head(0, chain.START)

    def _committed(self) -> None:
        self._drop_from_mind()
        if self._head_due:
            self._head_due = False
            self._advance_head()

    def _advance_head(self) -> None:
        """Note the chain's head in the file beside the database. The writer's lock keeps processes in order;
        a head that the table does not reach any more is left alone, for `verify` to find."""
        with self.atomic():
            try:
                head = chain.read_head(self.path)
            except ValueError:
                return
            tail = self._tail()
            if head is None or self._reaches(head):
                chain.write_head(self.path, tail)

    def _reaches(self, head: chain.Head) -> bool:
        if head.turns == 0:
            return True
        row = self.row("select link from turns where place = ?", head.turns)
        return row is not None and row["link"] == head.link

    def add_feedback(self, episode_id: str, feedback: Feedback) -> None:
        "Keep what the person thought of one turn; said again, the newer rating and correction hold. Neither takes a rating back."
        with self.atomic():
            found = self.row("select 1 from turns where episode = ? and idx = ?", episode_id, feedback.turn)
            if found is None:
                raise NotFound(
                    f"conversation `{episode_id}` has no turn {feedback.turn}",
                    hint="turns are counted from 0",
                )
            correction = scrub_turns((feedback.correction,), dict(self._told.get(episode_id, {})))[0]
            self._merge_feedback(episode_id, replace(feedback, correction=correction))

    def _merge_feedback(self, name: str, new: Feedback) -> None:
        row = self.row("select * from turns where episode = ? and idx = ?", name, new.turn)
        correction = new.correction
        if row is None or row["mark"] is not None or self.buried(*tombstone_fields("user", correction)):
            return
        old = self.row("select * from feedback where episode = ? and turn = ?", name, new.turn)
        old = old or {"rating": "", "correction": ""}
        if correction and correction != old["correction"]:
            self.put("turns", row | {"slept": 0})  # its correction was heard by no night yet
        self.put(
            "feedback",
            {
                "episode": name,
                "turn": new.turn,
                "rating": new.rating or ("" if not correction else old["rating"]),
                "correction": correction or old["correction"],
            },
        )

    def episodes(self, unslept: bool = False) -> list[Episode]:
        "All conversations in the order they were recorded, or those with a turn that has not slept."
        with self.snapshot():
            rows = self.rows(
                "select e.* from episodes e join turns_shown t on t.episode = e.id where t.mark is null"
                + (" and t.slept = 0" if unslept else "")
                + " group by e.id order by min(t.place)"
            )
            return [self._episode(row) for row in rows]

    def episode(self, episode_id: str) -> Episode:
        with self.snapshot():
            row = self.row("select * from episodes where id = ?", episode_id)
            alive = row and self.row("select 1 from turns_shown where episode = ? and mark is null limit 1", episode_id)
            if row is None or not alive:
                raise NotFound(
                    f"there is no conversation `{episode_id}`" + (": it was forgotten" if row else ""),
                    hint="`pocketsleep open` lists the conversations there are",
                )
            return self._episode(row)

    def _episode(self, row: Row) -> Episode:
        turns = self.rows("select * from turns_shown where episode = ? order by idx", row["id"])
        feedback = self.rows("select * from feedback_shown where episode = ? order by turn", row["id"])
        return Episode(
            row["id"],
            tuple(self._turn(turn) for turn in turns),
            row["started_at"],
            row["source"],
            all(turn["private"] for turn in turns),
            tuple(
                Feedback(f["turn"], f["rating"], f["correction"]) for f in feedback if not self.excluded(f["correction"])
            ),
        )

    def _turn(self, row: Row) -> Turn:
        "A forgotten turn keeps its place, without its text; so does a hidden one, which is told as private."
        return Turn(row["role"], row["text"] or "", row["taint"], bool(row["private"]), row["said_at"])

    def turn(self, cite: Cite) -> Turn:
        row = self.row("select * from turns_shown where episode = ? and idx = ?", cite.episode, cite.turn)
        if row is None:
            raise NotFound(
                f"there is no turn {cite.turn} in a conversation `{cite.episode}`",
                hint="`pocketsleep open` lists the conversations there are",
            )
        return self._turn(row)

    def tellings(self, limit: int) -> list[Row]:
        "The conversations that were added to last: id, opening words, turns; the newest first."
        return self.rows(
            "select e.id, e.started_at, e.source, min(t.private) as private, count(*) as turns, max(t.place) as newest, "
            "(select text from turns_shown o where o.episode = e.id and o.role = 'user' and o.mark is null and not o.private "
            "order by idx limit 1) as opening from turns_shown t join episodes e on e.id = t.episode where t.mark is null "
            "group by e.id order by newest desc limit ?",
            limit,
        )

    def unslept(self) -> list[Cite]:
        "Turns that no night has settled yet, in the order they were recorded."
        return _cites(self.rows("select episode, idx from turns_shown where slept = 0 and mark is null order by place"))

    def search_turns(self, words: str, limit: int = 20) -> list[tuple[Cite, Turn]]:
        "Turns that have all the words, or else any of them; best first. Hidden ones are left out."
        for query in (every(words), some(words)):
            rows = query and self.rows(
                "select t.* from turns_fts f join turns_shown t on t.place = f.rowid where turns_fts match ? and t.private = 0 "
                "order by f.rank, t.place limit ?",
                query,
                limit,
            )
            if rows:
                return [(cite, self._turn(row)) for cite, row in zip(_cites(rows), rows, strict=True)]
        return []

    def sayings(self, words: str, limit: int = 20) -> list[Cite]:
        "Turns of the user's own with any of the words that carry meaning, best first: none hidden, private or tainted."
        if not (query := some(words)):
            return []
        return _cites(self.rows(
            "select t.episode, t.idx from turns_fts f join turns_shown t on t.place = f.rowid where turns_fts match ? "
            f"and {OWN} order by f.rank, t.place desc limit ?", query, limit))

    def quoted_in(self, answer: Cite) -> list[Cite]:
        "The user's own turns whose words an answer quotes, the earliest first: none hidden, private or tainted."
        row = self.row("select role, text from turns_shown where episode = ? and idx = ?", answer.episode, answer.turn)
        words = quoted(row) if row else ""
        found = [cite for cite in self.sayings(words, _TALKS_IN_MIND) if words in self.turn(cite).text] if words else []
        return sorted(found, key=lambda cite: (self.turn(cite).said_at or "~", cite))

    def newest_sayings(self, limit: int) -> list[Cite]:
        "The last of the user's own turns that no night has settled, the newest first."
        return _cites(self.rows(f"select episode, idx from turns_shown t where slept = 0 and mark is null and {OWN} "
                                "order by place desc limit ?", limit))


def _cites(rows: Sequence[Row]) -> list[Cite]:
    return [Cite(row["episode"], row["idx"]) for row in rows]


def cleaned(episode: Episode, told: dict[str, str]) -> Episode:
    "The conversation as it may be written: without secrets, under a usable id. `told`: secrets known of it; grows."
    texts = scrub_turns((turn.text for turn in episode.turns), told)
    turns = tuple(
        replace(
            turn,
            text=text,
            said_at=storable(turn.said_at),
            private=turn.private or episode.private,
        )
        for turn, text in zip(episode.turns, texts, strict=True)
    )
    feedback = tuple(replace(one, correction=scrub(one.correction)[0]) for one in episode.feedback)
    if not turns:
        raise BadInput(f"conversation `{episode.id}` has no turns", hint="each conversation needs one message or more")
    name = scrub(episode.id)[0].strip() or content_id("episode", *_said(turns))
    return replace(episode, id=name, turns=turns, feedback=feedback, started_at=storable(episode.started_at))


def _said(turns: Iterable[Turn]) -> list[str]:
    return [field for turn in turns for field in (turn.role, turn.text)]
