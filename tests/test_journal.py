"""Conversations, settings, and how the file is opened."""

import multiprocessing
import os
import re
import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from sqlite_utils.utils import sqlite3  # the same library as the journal's: locks are the process's

from pocketsleep import journal as package
from pocketsleep.cli import app
from pocketsleep.errors import BadInput, Busy, JournalDamaged, JournalError, JournalTooNew, NotFound
from pocketsleep.journal import Journal, Recorded, place
from pocketsleep.journal.again import _ROOTED
from pocketsleep.journal.versions import choose, wal_is_safe
from pocketsleep.nouns import Cite, Episode, Feedback, Turn

TALK = Episode("c1", (Turn("user", "My dog is called Biscuit.", said_at="2026-05-01T08:00:00"),
                      Turn("assistant", "A good name."),
                      Turn("tool", "Dogs eat a lot.", "tool"),
                      Turn("assistant", "", "after_tool")), "2026-05-01T08:00:00", "chat")


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "home" / "journal.db") as opened:
        yield opened
        assert opened.verify().findings == ()


def turns(*texts, role="user"):
    return tuple(Turn(role, text) for text in texts)


def test_a_conversation_comes_back_as_it_was(journal):
    assert journal.record(TALK) == Recorded("c1", 4)
    assert journal.episode("c1") == TALK
    assert journal.episodes() == [TALK]
    assert journal.turn(Cite("c1", 2)) == TALK.turns[2]


def test_recording_again_adds_nothing(journal):
    journal.record(TALK)
    assert journal.record(TALK) == Recorded("c1", 0)
    assert journal.record(replace(TALK, turns=TALK.turns[:2])) == Recorded("c1", 0)
    assert journal.episodes() == [TALK]


def test_a_longer_conversation_adds_its_new_turns(journal):
    journal.record(replace(TALK, turns=TALK.turns[:2]))
    assert journal.record(TALK) == Recorded("c1", 2)
    assert journal.episode("c1") == TALK


def test_the_places_of_a_conversation_are_found_by_its_name_and_by_the_index(journal):
    names = ["a", "a~", "a~1", "a~~", "a~é", "a~\U0010ffff", "a\x7f", "a}~", "ab", "ab~1", "A~1", "a%", "a_~", "é", "é~1", "e\u0301~1", "𝔸", "𝔸~1", "~", "~~", "\x7f~"]
    journal.record_all([Episode(name, turns(f"My dog is called {name}.")) for name in names])
    assert {row["id"] for row in journal.rows("select id from episodes")} == set(names)
    for name in [*names, "b", "a~1~", "%", "_", "'"]:
        there = sorted((one for one in names if one == name or one.startswith(name + "~")), key=lambda one: (len(one), one.encode()))
        asked = (name, name + "~", name + "\x7f")
        assert [row["id"] for row in journal.rows(_ROOTED, *asked)] == there
        plan = " ".join(row["detail"] for row in journal.rows("explain query plan " + _ROOTED, *asked))
        assert "SEARCH" in plan
        assert "SCAN" not in plan


def test_another_conversation_of_the_same_name_is_kept_beside_and_found_again(journal):
    other, third = (replace(TALK, turns=turns(text)) for text in ("I live in Hull.", "I keep bees."))
    journal.record_all([TALK, Episode("c1x", turns("I own a kiln.")), other, third])
    for one in (TALK, other, third):
        assert journal.record(one).added_turns == 0
    assert len(journal.episodes()) == 4


def test_many_conversations_are_one_transaction(journal):
    talks = [Episode(f"c{n}", turns(f"words {n}")) for n in range(5)]
    assert journal.record_all(talks) == [Recorded(f"c{n}", 1) for n in range(5)]
    with pytest.raises(BadInput):
        journal.record_all([Episode("d", turns("more")), Episode("e", ())])
    assert journal.episodes() == talks


def test_other_content_under_a_known_id_is_kept_beside_it(journal):
    journal.record(TALK)
    other = Episode("c1", turns("My cat is called Crumpet."))
    kept = journal.record(other)
    assert kept.added_turns == 1
    assert kept.episode_id.startswith("c1~")
    assert journal.record(other) == Recorded(kept.episode_id, 0)
    longer = Episode("c1", turns("My cat is called Crumpet.", "He is nine."))
    assert journal.record(longer) == Recorded(kept.episode_id, 1)
    assert journal.episode("c1") == TALK
    assert len(journal.episodes()) == 2


def test_secrets_never_reach_the_disk(journal):
    journal.record(Episode("c1", turns("The wifi password is Plum-4471.", "I typed Plum-4471 twice."),
                           feedback=(Feedback(0, "", "my pin is 903311"),)))
    assert journal.episode("c1").turns[0].text == "The wifi password is [secret: password]."
    for file in journal.path.parent.iterdir():
        assert b"Plum-4471" not in file.read_bytes()
        assert b"903311" not in file.read_bytes()


def test_text_that_sqlite_refuses_is_mended(journal):
    journal.record(Episode("c\ud8001", (Turn("user", "a\ud800b\x00c", said_at="\udfff"),), "\ud800"))
    (episode,) = journal.episodes()
    assert episode.turns[0].text == "a\ufffdb\ufffdc"


def test_an_episode_without_turns_is_refused_and_one_without_an_id_gets_one(journal):
    with pytest.raises(BadInput, match="has no turns"):
        journal.record(Episode("c1", ()))
    kept = journal.record(Episode("", turns("hello")))
    assert kept.episode_id.startswith("b2-")
    assert journal.record(Episode("", turns("hello"))) == Recorded(kept.episode_id, 0)


def test_feedback_is_merged(journal):
    journal.record(replace(TALK, feedback=(Feedback(1, "up"),)))
    journal.record(replace(TALK, feedback=(Feedback(1, "", "A fine name."), Feedback(9, "up"))))
    assert journal.episode("c1").feedback == (Feedback(1, "up", "A fine name."),)
    journal.add_feedback("c1", Feedback(1, "down"))
    assert journal.episode("c1").feedback == (Feedback(1, "down", "A fine name."),)
    with pytest.raises(NotFound, match="no turn 9"):
        journal.add_feedback("c1", Feedback(9, "up"))


def test_privacy_covers_all_turns_and_can_be_asked_for_later(journal):
    journal.record(TALK)
    assert journal.search_turns("biscuit")
    journal.record(replace(TALK, private=True))
    episode = journal.episode("c1")
    assert episode.private
    assert all(turn.private for turn in episode.turns)
    assert journal.turn(Cite("c1", 0)).private
    assert journal.search_turns("biscuit") == []
    journal.record(TALK)
    assert journal.episode("c1").private


def test_unslept_turns_come_in_order(journal):
    journal.record(TALK)
    journal.record(Episode("a", turns("hello", "there")))
    assert journal.unslept() == [*(Cite("c1", n) for n in range(4)), Cite("a", 0), Cite("a", 1)]
    assert [e.id for e in journal.episodes(unslept=True)] == ["c1", "a"]


def test_search_finds_stems_and_prefixes_and_leaves_private_turns_out(journal):
    journal.record(Episode("c1", turns("I was walking in Zürich.", "I walk to work.", "Nothing else.")))
    journal.record(Episode("c2", turns("I walked in secret."), private=True))
    journal.record(Episode("c3", (Turn("user", "I walked alone.", private=True),)))
    assert {cite for cite, _ in journal.search_turns("walks")} == {Cite("c1", 0), Cite("c1", 1)}
    assert [turn.text for _, turn in journal.search_turns("zuri")] == ["I was walking in Zürich."]
    assert [cite for cite, _ in journal.search_turns("work zebra")] == [Cite("c1", 1)]
    for odd in ('"', "a OR", "NEAR(", "* ^ -", "col:x", "'", "", "the"):
        journal.search_turns(odd)


def test_unknown_names_are_told_with_a_hint(journal):
    journal.record(TALK)
    for ask in (lambda: journal.episode("c9"), lambda: journal.turn(Cite("c1", 9)),
                lambda: journal.turn(Cite("x", 0))):
        with pytest.raises(NotFound) as told:
            ask()
        assert told.value.hint


def test_hints_name_commands_that_exist():
    known = typer.main.get_command(app).commands
    folder = Path(package.__file__).parents[1]
    named = {found for path in folder.rglob("*.py") for found in re.findall(r"`pocketsleep ([a-z][a-z-]*)", path.read_text("utf-8"))}
    assert len(named) > 10
    assert named - set(known) == set()


def test_settings(journal):
    assert journal.setting("base") == ""
    journal.set_setting("base", "smollm2")
    journal.set_setting("base", "gemma")
    assert journal.setting("base") == "gemma"


def test_everything_is_there_after_opening_again(tmp_path):
    with Journal(tmp_path / "journal.db") as first:
        first.record(TALK)
    with Journal(tmp_path / "journal.db") as second:
        assert second.episodes() == [TALK]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_files_are_the_owners_alone(journal):
    journal.record(TALK)
    for file in journal.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(("version", "safe"), [
    ("3.6.23", False), ("3.40.1", False), ("3.44.5", False), ("3.44.6", True), ("3.45.0", False),
    ("3.50.6", False), ("3.50.7", True), ("3.51.2", False), ("3.51.3", True), ("3.52.0", True), ("4.0.0", True)])
def test_which_versions_may_write_ahead(version, safe):
    assert wal_is_safe(version) is safe
    mode, reason = choose(version)
    assert mode == ("wal" if safe else "delete")
    assert version in reason


def test_the_mode_follows_the_running_version(journal):
    wanted, reason = choose(journal.sqlite_version)
    assert (journal.mode, journal.mode_reason) == (wanted, reason)
    assert journal.rows("pragma journal_mode") == [{"journal_mode": wanted}]


def test_a_wal_journal_is_taken_out_of_it_where_wal_is_not_safe(tmp_path, monkeypatch):
    path = tmp_path / "journal.db"
    Journal(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("pragma journal_mode=wal")
    raw.close()
    monkeypatch.setattr("pocketsleep.journal.versions.wal_is_safe", lambda version: False)
    with Journal(path) as journal:
        assert journal.mode == "delete"
        journal.record(TALK)


def test_what_the_connection_promises(journal):
    ask = {name: next(iter(journal.rows(f"pragma {name}")[0].values())) for name in
           ("synchronous", "secure_delete", "foreign_keys", "fullfsync", "busy_timeout")}
    assert ask == {"synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "fullfsync": 1,
                   "busy_timeout": 10_000}


def test_a_newer_journal_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    Journal(path).close()
    raw = sqlite3.connect(path)
    raw.execute("pragma user_version = 99")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(JournalTooNew, match="format 99") as told:
        Journal(path)
    assert "upgrade" in told.value.hint
    assert path.read_bytes() == before


def test_what_is_no_database_is_told(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(JournalError, match="not a database") as told:
        Journal(path)
    assert told.value.hint
    folder = tmp_path / "folder.db"
    folder.mkdir()
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(folder)
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(path / "under" / "a" / "file.db")


def test_a_torn_database_is_told(tmp_path):
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.record_all(Episode(f"c{n}", turns("words " * 200)) for n in range(50))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises((JournalError, JournalDamaged)), Journal(path) as journal:
        journal.verify().require()


MOUNTS = """22 1 8:1 / / rw - ext4 /dev/sda1 rw
40 22 0:50 / /mnt/share rw - cifs //server/share rw
41 22 0:51 / /mnt/my\\040disk rw - nfs4 server:/x rw
42 40 8:2 / /mnt/share/local rw shared:1 - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(("folder", "kind"), [
    ("/home/ana", "ext4"), ("/mnt/share", "cifs"), ("/mnt/share/a/b", "cifs"), ("/mnt/shared", "ext4"),
    ("/mnt/my disk/a", "nfs4"), ("/mnt/share/local/a", "xfs")])
def test_which_file_system_a_folder_is_on(folder, kind):
    assert place.filesystem(Path(folder), MOUNTS) == kind


def test_a_journal_lies_on_this_machine(tmp_path, monkeypatch):
    for name in ("Dropbox", "OneDrive - Acme", "Mobile Documents"):
        with pytest.raises(JournalError, match="synchronised") as told:
            Journal(tmp_path / name / "home" / "journal.db")
        assert "POCKETSLEEP_HOME" in told.value.hint
        assert not (tmp_path / name).exists()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 server:/x rw\n")
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    with pytest.raises(JournalError, match="network drive"):
        Journal(tmp_path / "home" / "journal.db")


def test_a_held_journal_is_busy(tmp_path):
    with Journal(tmp_path / "journal.db", patience=0.1) as journal:
        other = sqlite3.connect(journal.path, isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(Busy, match="another process") as told:
            journal.record(TALK)
        assert told.value.hint
        other.execute("rollback")
        other.close()
        assert journal.record(TALK).added_turns == 4


def test_a_read_only_journal_can_be_read(journal):
    journal.record(TALK)
    journal.rows("pragma query_only=on")
    assert journal.episodes() == [TALK]
    with pytest.raises(JournalError, match="read-only") as told:
        journal.record(Episode("c2", turns("more")))
    assert "POCKETSLEEP_HOME" in told.value.hint
    journal.rows("pragma query_only=off")


def test_a_full_disk_is_told_and_nothing_is_half_written(journal):
    journal.record(TALK)
    pages = journal.rows("pragma page_count")[0]["page_count"]
    journal.rows(f"pragma max_page_count={pages}")
    with pytest.raises(JournalError, match="disk is full") as told:
        journal.record(Episode("c2", turns(*("words " * 900 for _ in range(50)))))
    assert "forget" in told.value.hint
    assert journal.episodes() == [TALK]
    journal.rows("pragma max_page_count=1000000")


def test_a_closed_journal_is_told(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.close()
    with pytest.raises(JournalError):
        journal.episodes()


def write_many(path, name, count):
    with Journal(path, patience=60) as journal:
        for n in range(count):
            journal.record(Episode(f"{name}{n}", turns(f"{name} says {n}", "and more")))


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / "journal.db"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(path, name, 25)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    with Journal(path) as journal:
        assert len(journal.episodes()) == 50
        report = journal.verify()
        assert (report.turns, report.findings) == (100, ())


def test_threads_share_a_journal(journal):
    def work(name):
        for n in range(10):
            journal.record(Episode(f"{name}{n}", turns(f"{name} {n}")))
            journal.episodes()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.episodes()) == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_connection_does_not_cross_a_fork(journal):
    child = os.fork()
    if child == 0:
        try:
            journal.episodes()
        except JournalError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(tmp_path):
    path = tmp_path / "journal.db"
    spawn = multiprocessing.get_context("spawn")
    for round_ in range(3):
        log = tmp_path / f"log{round_}"
        writer = spawn.Process(target=write_and_tell, args=(path, log, round_))
        writer.start()
        while not log.exists() or log.stat().st_size < 20:
            pass
        writer.kill()
        writer.join()
        told = log.read_text().split("\n")[:-1]
        with Journal(path) as journal:
            kept = {episode.id for episode in journal.episodes()}
            assert set(told) <= kept
            assert journal.verify().findings == ()


def write_and_tell(path, log, round_):
    with Journal(path) as journal, log.open("w") as told:
        for n in range(10_000):
            told.write(journal.record(Episode(f"r{round_}n{n}", turns("words " * 50))).episode_id + "\n")
            told.flush()
