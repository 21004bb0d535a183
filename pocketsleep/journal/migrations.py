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
    "exclusions": ("id",),
    "veiled": ("place",),
    "veiled_memories": ("memory",),
    "receipts": ("episode", "turn"),
    "imported": ("mark",),
    "said_vectors": ("place",),
    "knacks": ("id", "episode", "begins"),
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


# What is hidden (see privacy.py), and the tables as their readers see them: without it.
_PRIVACY = """
create table exclusions (id text primary key, kind text not null, value text not null, since text not null, seal text not null);
create table veiled (
    place integer primary key references turns(place), why text not null, stem text not null, seal text not null);
create index veiled_stem on veiled (stem) where stem <> '';
create table veiled_memories (memory text primary key, why text not null, seal text not null);
drop view turns_said;
create view turns_said as
    select place, text from turns where mark is null and text <> '' and place not in (select place from veiled);
create view turns_shown as
    select t.place, t.episode, t.idx, t.role, case when v.place is null then t.text end as text, t.taint,
    max(t.private, e.private, v.place is not null) as private, t.said_at, t.mark, t.slept
    from turns t join episodes e on e.id = t.episode left join veiled v on v.place = t.place;
create view feedback_shown as
    select f.* from feedback f join turns t on t.episode = f.episode and t.idx = f.turn
    where t.place not in (select place from veiled);
create view memories_shown as select * from memories where id not in (select memory from veiled_memories);
create view cites_shown as
    select c.*, t.place from cites c join turns t on t.episode = c.episode and t.idx = c.turn
    where t.place not in (select place from veiled) and c.memory not in (select memory from veiled_memories);
create view vectors_shown as select * from vectors where memory not in (select memory from veiled_memories);
create view dreams_shown as
    select * from dreams where not exists (select 1 from veiled_memories) or not (
    exists (select 1 from json_each(dreams.memories) j where j.value in (select memory from veiled_memories)) or
    exists (select 1 from json_each(dreams.notes) j where j.value in
        (select m.text from memories m join veiled_memories v on v.memory = m.id)));
create view dropped_shown as
    select * from dropped d where not exists (
    select 1 from turns t join veiled v on v.place = t.place where t.episode = d.episode and t.idx = d.turn)
"""

# Keyed hashes of conversations as they were read from files: read again, they are passed over.
_IMPORTED = """
create table imported (mark text primary key, seal text not null)
"""

# What an answer rested on (see receipts.py).
_RECEIPTS = """
create table receipts (
    episode text not null, turn integer not null, adapter text not null, source text not null, memories text not null,
    seal text not null, primary key (episode, turn), foreign key (episode, turn) references turns(episode, idx))
"""

# Of what was said: float16, a row a sentence that may be quoted (see vectors.py).
_SAID_VECTORS = """
create table said_vectors (
    place integer primary key references turns(place), model text not null, sentences integer not null,
    vectors blob not null, seal text not null);
create view said_vectors_shown as
    select v.*, t.episode, t.idx from said_vectors v join turns_shown t on t.place = v.place
    where t.mark is null and t.role = 'user' and t.private = 0 and t.taint = ''
"""

# How programs' tools want to be called (see knacks.py): names and shapes, each with the turns that showed it, hidden with them.
_KNACKS = """
create table knacks (
    id text not null, night integer not null references nights(number), tool text not null, argument text not null,
    wants text not null, was text not null, episode text not null, begins integer not null, ends integer not null,
    seal text not null, primary key (id, episode, begins),
    foreign key (episode, begins) references turns(episode, idx), foreign key (episode, ends) references turns(episode, idx));
create view knacks_shown as
    select k.*, t.place from knacks k join turns t on t.episode = k.episode and t.idx = k.ends where not exists (
    select 1 from turns o join veiled v on v.place = o.place where o.episode = k.episode and o.idx between k.begins and k.ends)
"""


def _run(statements: str) -> Callable[[Callable[[str], Any]], None]:
    "One statement at a time: executescript would commit."

    def step(execute: Callable[[str], Any]) -> None:
        for statement in statements.split(";\n"):
            execute(statement)

    return step


MIGRATIONS: tuple[Callable[[Callable[[str], Any]], None], ...] = (
    _run(_FIRST), _run(_PRIVACY), _run(_RECEIPTS), _run(_IMPORTED), _run(_SAID_VECTORS), _run(_KNACKS),
)
