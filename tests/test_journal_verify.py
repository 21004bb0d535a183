"Damage is found: flipped bits, lost rows, lost turns, wrong references."

import itertools
import random

import numpy as np
import pytest
from sqlite_utils.utils import sqlite3  # the same library as the journal's: locks are the process's

from pocketsleep.errors import JournalDamaged, PocketError
from pocketsleep.journal import Journal, chain
from pocketsleep.journal.migrations import TABLES
from pocketsleep.nouns import Adapter, Cite, Dream, Dropped, Episode, Feedback, Knack, Memory, Night, Turn, Verdict


def fill(path):
    with Journal(path) as journal:
        journal.record_all(Episode(f"c{n}", (Turn("user", f"I planted {n} pear trees, façade {n * n}."),
                                             Turn("assistant", "Good.")), "2026-05-01", "chat") for n in range(30))
        journal.add_feedback("c1", Feedback(1, "down", "Not good."))
        for n in range(10):
            memory = Memory(f"The user planted {n} pear trees.", (Cite(f"c{n}", 0),), answer=f"{n}", since="2026-05")
            journal.learn(memory)
            journal.put_vector(memory.id, "small", np.arange(4) + n)
        journal.begin(Night("", "2026-05-02", 7, "smollm2", {"rank": 8}))
        journal.finish("n1", "extract", {"new": [memory.id]})
        journal.drop("n1", [Dropped("Good.", "not the user", Cite("c1", 1))])
        journal.keep_knacks("n1", [Knack("plant", "trees", "number", "text", "c1", 0, 1)])
        journal.keep_dreams("n1", [Dream("How many?", "9", "direct", (memory.id,))])
        journal.settle("n1", Verdict("worn", (), ("all well",), {"learnt": 0.9}),
                       Adapter("a1", "smollm2", "ab", 8, 2.0, ("k",), (1,), (memory.id,)), [Cite("c1", 0)])
        journal.put_said_vectors(Cite("c1", 0), "small", np.ones((2, 4)))
        journal.keep_receipt("c1", 1, "a1", "weights", [memory.id])
        journal.record(Episode("gone", (Turn("user", "I once kept a zanzibarian quokka."),)))
        journal.forget("gone")
        journal.exclude("pattern", "façade 16")
        journal.import_all([journal.episode("c0")])
        assert journal.verify().findings == ()


@pytest.fixture
def path(tmp_path):
    fill(tmp_path / "journal.db")
    return tmp_path / "journal.db"


def raw(path):
    conn = sqlite3.connect(path, isolation_level=None)
    conn.text_factory = bytes
    return conn


def findings(path):
    "What `verify` finds, or that the journal does not even open."
    try:
        with Journal(path) as journal:
            return journal.verify().findings
    except PocketError as error:
        return (str(error),)


def flipped(value, draw):
    "The same value with one bit changed, in bytes or in a number."
    if isinstance(value, float):
        return value * (1 + 2.0 ** -draw.randrange(1, 30)) or 1e-9
    if isinstance(value, int):
        return value ^ (1 << draw.randrange(8))
    data = bytearray(value)
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def test_every_flipped_bit_in_a_value_is_found(path):
    draw = random.Random(4)
    conn = raw(path)
    conn.execute("pragma foreign_keys=off")
    cells = [(table, column, rowid, value, kind)
             for table in TABLES for column in [c[1].decode() for c in conn.execute(f"pragma table_info({table})")]
             for rowid, value, kind in conn.execute(f"select rowid, {column}, typeof({column}) from {table}")
             if value not in (None, b"")]
    assert len({(table, column) for table, column, *_ in cells}) > 60
    missed, tried = [], 0
    with Journal(path) as journal:
        for table, column, rowid, value, kind in draw.sample(cells, 400):
            new = flipped(value, draw)
            cast = "cast(? as text)" if kind == b"text" else "?"
            before = conn.execute(f"select * from {table} where rowid = ?", [rowid]).fetchone()
            try:
                conn.execute(f"update {table} set {column} = {cast} where rowid = ?", [new, rowid])
            except sqlite3.IntegrityError:
                continue  # it would meet another row's key
            tried += 1
            if journal.verify().ok:
                missed.append((table, column, value, new))
            back = new if TABLES[table] == (column,) and kind == b"integer" else rowid  # that is the rowid itself
            conn.execute(f"update {table} set {column} = {cast} where rowid = ?", [value, back])
            assert conn.execute(f"select * from {table} where rowid = ?", [rowid]).fetchone() == before
        assert journal.verify().findings == ()
    conn.close()
    assert missed == []
    assert tried > 350


def contents(path):
    "All rows of all tables, as they are read."
    conn = raw(path)
    try:
        return [conn.execute(f"select * from {table} order by 1, 2").fetchall() for table in TABLES]
    except (sqlite3.Error, UnicodeDecodeError):  # a damaged name in SQLite's own message
        return None
    finally:
        conn.close()


def test_every_flipped_bit_in_the_file_that_changes_what_is_read_is_found(path):
    draw = random.Random(5)
    whole = path.read_bytes()
    before = contents(path)
    values = sorted({value for rows in before for row in rows for value in row
                     if isinstance(value, bytes) and len(value) > 5})
    places = [whole.index(value) + draw.randrange(len(value)) for value in draw.sample(values, 250) if value in whole]
    places += [draw.randrange(len(whole)) for _ in range(150)]
    missed, changed = [], 0
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        path.with_name("journal.db-journal").unlink(missing_ok=True)
        if contents(path) != before:
            changed += 1
            if not findings(path):
                missed.append(place)
    path.write_bytes(whole)
    assert findings(path) == ()
    assert missed == []
    assert changed > 150


@pytest.mark.parametrize("table", [t for t in TABLES if t != "settings"])
def test_a_lost_row_is_found(path, table):
    conn = raw(path)
    conn.execute(f"delete from {table} where rowid = (select max(rowid) from {table})")
    conn.close()
    assert any(table in finding or "chain" in finding for finding in findings(path))


def test_lost_turns_are_found_by_the_head_beside_the_database(path, tmp_path):
    old = path.read_bytes()
    with Journal(path) as journal:
        journal.record(Episode("late", (Turn("user", "One more thing."),)))
    path.write_bytes(old)  # as if the newest commits had never been
    assert findings(path) == ("the chain has 61 turns and does not reach its head, turn 62",)
    with Journal(path) as journal:
        journal.record(Episode("later", (Turn("user", "Another thing."),)))
        assert not journal.verify().ok


def test_a_missing_or_torn_head_is_found_and_a_late_one_is_not(path):
    head = chain.head_path(path)
    late = head.read_text()
    with Journal(path) as journal:
        journal.record(Episode("late", (Turn("user", "One more thing."),)))
    head.write_text(late)  # killed between the commit and the note of it
    assert findings(path) == ()
    head.write_text(late[:20])
    assert "chain" in findings(path)[0]
    head.unlink()
    assert "missing" in findings(path)[0]


def test_a_rewritten_turn_is_found_by_the_chain_even_with_a_good_seal(path):
    with Journal(path) as journal, journal.atomic():
        row = journal.row("select * from turns where place = 5")
        journal.put("turns", row | {"role": "system"})
    assert findings(path) == ("turn 0 of `c2` does not follow the turn before it",)


def test_wrong_references_are_found(path):
    conn = raw(path)
    conn.execute("pragma foreign_keys=off")
    conn.execute("update cites set turn = 40 where rowid = 1")
    conn.execute("update settings set value = 'a9' where name = 'current'")
    conn.close()
    told = "\n".join(findings(path))
    assert "cites turn 40" in told
    assert "adapter `a9` is worn" in told


def test_a_damaged_index_is_found(path):
    conn = raw(path)
    conn.execute("insert into memories_fts(memories_fts, rowid, text, answer) values ('delete', 1, 'user planted', '')")
    conn.close()
    assert findings(path) == ("the search index memories_fts disagrees with its table",)


def test_a_report_can_be_required(path):
    with Journal(path) as journal:
        report = journal.verify()
        assert report.require() is report
        assert (report.turns, report.memories, report.nights, report.ok) == (61, 10, 1, True)
    conn = raw(path)
    conn.execute("update memories set text = 'The user planted a bomb.' where seq = 1")
    conn.close()
    with Journal(path) as journal, pytest.raises(JournalDamaged, match="is damaged") as told:
        journal.verify().require()
    assert told.value.hint


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_is_recorded_meanwhile_is_recorded_and_no_damage(tmp_path, monkeypatch, mode):
    "A server writes while a night looks for damage: before each check."
    monkeypatch.setattr("pocketsleep.journal.versions.wal_is_safe", lambda version: mode == "wal")
    with Journal(tmp_path / "journal.db") as night, Journal(tmp_path / "journal.db", patience=0.1) as server:
        talks = (Episode(f"s{n}", (Turn("user", "My dog is called Biscuit."),)) for n in itertools.count())
        findings = night._findings
        monkeypatch.setattr(night, "_findings", lambda *check: (server.record(next(talks)), findings(*check))[1])
        report = night.verify()
        assert report.findings == ()
        assert report.turns > len(TABLES)


def test_verify_waits_for_nobody_on_a_read_only_disk(path):
    with Journal(path) as journal:
        journal.rows("pragma query_only=on")
        assert journal.verify().ok
