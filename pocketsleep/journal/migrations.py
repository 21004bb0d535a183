"""The shape of the journal, as a list of steps. A step that has shipped is never edited: add another.

Every table but `tallies` has a `seal` (see chain.py). `turns.mark` is not null when the turn was forgotten:
its text and salt are gone. FTS5 indexes keep no text of their own: they read `turns_said` and `memories`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TABLES = {  # name: its primary key
    "settings": ("name",),
    "episodes": ("id",),
    "turns": ("place",),
    "feedback": ("episode", "turn"),
    "memories": ("seq",),
    "cites": ("memory", "episode", "turn"),
    "vectors": ("memory", "model"),
    "nights": ("number",),
    "stages": ("night", "name"),
    "dreams": ("night", "id"),
    "dropped": ("id",),
    "adapters": ("id",),
    "tombstones": ("mark",),
}

_TOKENS = "tokenize='porter unicode61 remove_diacritics 2'"
_FIRST = f"""
create table tallies (name text primary key, rows integer not null, total text not null);
create table settings (name text primary key, value text, seal text not null);
create table episodes (
    id text primary key, started_at text, source text, private integer not null, seal text not null);
create table turns (
    place integer primary key, episode text not null references episodes(id), idx integer not null,
    role text not null, text text, taint text not null, private integer not null, said_at text not null,
    salt blob, content text not null, link text not null, mark text, slept integer not null default 0,
    seal text not null, unique (episode, idx));
create index turns_unslept on turns (slept) where slept = 0;
create table feedback (
    episode text not null, turn integer not null, rating text not null, correction text not null,
    seal text not null, primary key (episode, turn),
    foreign key (episode, turn) references turns(episode, idx));
create table memories (
    seq integer primary key, id text not null unique, text text not null, answer text not null,
    kind text not null, supersedes text not null, status text not null, told integer not null,
    since text not null, seal text not null);
create table cites (
    memory text not null references memories(id), episode text not null, turn integer not null,
    seal text not null, primary key (memory, episode, turn),
    foreign key (episode, turn) references turns(episode, idx));
create index cites_turn on cites (episode, turn);
create table vectors (
    memory text not null references memories(id), model text not null, vector blob not null,
    seal text not null, primary key (memory, model));
create table nights (
    number integer primary key, started_at text not null, seed text not null, base text not null,
    recipe text not null, adapter text not null, previous text not null, verdict text, seal text not null);
create table stages (
    night integer not null references nights(number), name text not null, payload text not null,
    finished_at text not null, seal text not null, primary key (night, name));
create table dreams (
    night integer not null references nights(number), id text not null, seq integer not null,
    question text not null, answer text not null, form text not null, memories text not null,
    notes text not null, held_out integer not null, seal text not null, primary key (night, id));
create table dropped (
    id text primary key, night integer not null references nights(number), text text not null,
    reason text not null, episode text, turn integer, seal text not null);
create table adapters (
    id text primary key, base text not null, base_sha256 text not null, rank integer not null,
    scale real not null, keys text not null, layers text not null, memories text not null,
    seal text not null);
create table tombstones (mark text primary key, kind text not null, seal text not null);
create view turns_said as
    select place, text from turns where mark is null and text <> '' and private = 0
    and episode not in (select id from episodes where private = 1);
create virtual table turns_fts using fts5(text, content='turns_said', content_rowid='place', {_TOKENS});
create virtual table memories_fts using fts5(text, answer, content='memories', content_rowid='seq', {_TOKENS})
"""


def _first(execute: Callable[[str], Any]) -> None:
    "Everything the first version had. One statement at a time: executescript would commit."
    for statement in _FIRST.split(";\n"):
        execute(statement)


MIGRATIONS: tuple[Callable[[Callable[[str], Any]], None], ...] = (_first,)
