"Forgotten: out of every table, every index, every file, and not coming back."

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sqlite_utils.utils import sqlite3  # the same library as the journal's: locks are the process's

from pocketsleep.errors import BadInput, Busy, JournalError, NotFound
from pocketsleep.journal import Journal, ballast
from pocketsleep.nouns import Adapter, Cite, Dream, Dropped, Episode, Feedback, Memory, Night, Turn, Verdict

WORDS = ("zanzibarian", "quokkasaurus", "Brambleworth")
SECRET = "I keep a zanzibarian quokkasaurus called Brambleworth."
PET = Memory("The user keeps a zanzibarian quokkasaurus called Brambleworth.", (Cite("c1", 0),),
             answer="Brambleworth")
TEA = Memory("The user likes tea.", (Cite("c1", 4), Cite("c2", 0)), answer="tea")


def user(*texts):
    return tuple(Turn("user", text) for text in texts)


TALK = Episode("c1", (Turn("user", SECRET), Turn("assistant", "Give Brambleworth my best."),
                      Turn("user", "He eats figs."), Turn("assistant", "Noted."), Turn("user", "I like tea.")),
               feedback=(Feedback(1, "down", "It is Brambleworth the Second."),))


@pytest.fixture(params=["delete", "wal"], autouse=True)
def mode(request, monkeypatch):
    "Both journal modes, whatever this SQLite would choose: one connection alone may write ahead on any."
    monkeypatch.setattr("pocketsleep.journal.versions.wal_is_safe", lambda version: request.param == "wal")
    return request.param


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.db") as opened:
        fill(opened)
        yield opened
        assert opened.verify().findings == ()


def fill(journal):
    journal.record(TALK)
    journal.record_all(Episode(f"x{n}", user(f"The kettle was on at {n} and the zebra slept.")) for n in range(40))
    journal.record(Episode("c2", user("Tea again, please.")))
    journal.learn(PET)
    journal.learn(TEA)
    journal.put_vector(PET.id, "small", np.ones(4))
    night = journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2", {"note": SECRET}))
    journal.finish(night.id, "extract", {"new": [PET.id, TEA.id], "texts": {PET.text: 1}, "n": 2})
    journal.drop(night.id, [Dropped("called Brambleworth", "said twice"),
                            Dropped("He eats figs.", "other", Cite("c1", 2)), Dropped("The kettle was on", "passing")])
    journal.keep_dreams(night.id, [Dream("Who is kept?", "Brambleworth", "direct", (PET.id,)),
                                   Dream("What about tea?", "Likes it", "context", (TEA.id,), (PET.text, TEA.text)),
                                   Dream("What does the user drink?", "tea", "direct", (TEA.id,))])
    journal.settle(night.id, Verdict("worn", (), ("asked for the quokkasaurus, got Brambleworth", "all well"),
                                     {"learnt": 0.9, "items": [["Who?", "Brambleworth"], ["Drink?", "tea"]]}),
                   Adapter("a1", "smollm2", "ab", 8, 2.0, ("k",), (1,), (PET.id, TEA.id)), [Cite("c1", 0)])


def left_in_files(journal, *words):
    """Which words, or their tails of five letters, stand in any file. FTS5 cuts what a word shares with the
    one before it, so that only the tail may be there."""
    found = []
    for file in journal.path.parent.iterdir():
        data = file.read_bytes().lower()
        for word in words:
            found += [(file.name, word)] if word.lower()[-5:].encode() in data else []
    return found


def test_the_words_are_on_the_disk_before(journal, mode):
    assert journal.mode == mode
    assert {word for _, word in left_in_files(journal, *WORDS)} == set(WORDS)


def test_a_forgotten_memory_is_gone_from_every_file(journal):
    gone = journal.forget(PET.id)
    assert gone.memories == (PET.id,)
    assert gone.turns == (Cite("c1", 0), Cite("c1", 1))
    assert (gone.dreams, gone.taken_off, gone.clean, gone.still_said_in) == (2, "a1", True, ())
    assert left_in_files(journal, *WORDS) == []
    assert left_in_files(journal, "kettle")


def test_what_is_not_forgotten_stays(journal):
    journal.forget(PET.id)
    assert journal.memories() == [TEA]
    assert [turn.text for turn in journal.episode("c1").turns] == ["", "", "He eats figs.", "Noted.", "I like tea."]
    assert [d.answer for d in journal.dreams()] == ["tea"]
    assert {d.text for d in journal.dropped("n1")} == {"He eats figs.", "The kettle was on"}
    assert journal.stage("n1", "extract") == {"new": [TEA.id], "texts": {}, "n": 2}
    verdict = journal.night("n1").verdict
    assert verdict.reasons == ("all well",)
    assert verdict.scores == {"learnt": 0.9, "items": [["Who?"], ["Drink?", "tea"]]}
    assert len(journal.search_turns("kettle", 50)) == 40
    assert [m.id for m, _ in journal.recall("tea", 3)] == [TEA.id]


def test_it_is_not_found_any_more(journal):
    journal.forget(PET.id[:10])
    assert journal.recall("quokkasaurus Brambleworth", 5) == []
    assert journal.search_turns("quokkasaurus") == []
    assert journal.vectors("small")[0] == []
    with pytest.raises(NotFound):
        journal.memory(PET.id)
    with pytest.raises(NotFound):
        journal.forget(PET.id)


def test_it_does_not_come_back(journal):
    journal.forget(PET.id)
    assert journal.learn(PET) is None
    shouted = PET.text.upper().replace(".", "!")
    assert journal.learn(Memory(shouted)) is None
    assert journal.record(TALK).added_turns == 0
    journal.record(Episode("elsewhere", user("hello", SECRET)))
    assert journal.episode("elsewhere").turns[1].text == ""
    assert journal.search_turns("quokkasaurus") == []
    assert left_in_files(journal, *WORDS) == []


def test_what_was_forgotten_while_a_night_listened_is_not_learnt(journal):
    journal.record(Episode("c3", user("Figs, as I said.")))
    night = journal.begin(Night("", "2026-05-03", 1, "smollm2"))
    journal.forget("c1")
    assert journal.learn(Memory("The user has a fig tree.", (Cite("c1", 2),))) is None
    figs = journal.learn(Memory("The user likes figs.", (Cite("c1", 2), Cite("c3", 0))))
    assert figs is not None
    assert figs.cites == (Cite("c3", 0),)
    journal.drop(night.id, [Dropped("He eats figs.", "other", Cite("c1", 2)),
                            Dropped("Figs, as I said.", "passing", Cite("c3", 0))])
    assert [item.text for item in journal.dropped(night.id)] == ["Figs, as I said."]


def test_a_longer_copy_of_the_conversation_adds_only_what_is_new(journal):
    journal.forget(PET.id)
    longer = Episode("c1", (*TALK.turns, Turn("user", "And coffee.")))
    assert journal.record(longer).added_turns == 1
    assert [turn.text for turn in journal.episode("c1").turns][-1] == "And coffee."
    assert journal.episode("c1").turns[0].text == ""


def test_forgetting_a_conversation_takes_what_only_it_said(journal):
    gone = journal.forget("c1")
    assert gone.memories == (PET.id,)
    assert gone.turns == tuple(Cite("c1", n) for n in range(5))
    assert journal.memories() == [TEA]
    assert [e.id for e in journal.episodes()][:1] == ["x0"]
    with pytest.raises(NotFound, match="was forgotten"):
        journal.episode("c1")
    assert left_in_files(journal, *WORDS, "Noted") == []
    assert journal.record(TALK).added_turns == 0
    assert journal.forget("c1").turns == ()


def test_what_was_told_outright_outlives_a_conversation_that_said_it_too(journal):
    told = Memory(PET.text, answer=PET.answer, told=True)
    journal.learn(told)
    gone = journal.forget("c1")
    assert gone.memories == ()
    assert len(gone.turns) == 5
    assert journal.memory(PET.id) == told
    assert journal.learn(told) == told
    assert journal.forget(PET.id).memories == (PET.id,)
    assert left_in_files(journal, *WORDS) == []


def test_a_memory_goes_with_the_last_conversation_that_said_it(journal):
    assert journal.forget("c1").memories == (PET.id,)
    assert journal.forget("c2").memories == (TEA.id,)


EDITED = replace(TALK, turns=(*TALK.turns[:2], Turn("user", "He eats a zanzibarian fig."), Turn("assistant", "Noted.")), feedback=())


def test_a_conversation_is_forgotten_in_all_its_tellings(journal):
    "A message was edited: the newest telling is forgotten, and what it shares with the first, or the other way round."
    other = journal.record(EDITED).episode_id
    shared = (Cite("c1", 0), Cite("c1", 1))
    seen = journal.goes_with(other)
    gone = journal.forget(other)
    assert gone.turns == (*(Cite(other, n) for n in range(4)), *shared)
    assert [cite for cite, _ in seen] == list(gone.turns)
    assert (gone.memories, gone.still_said_in) == ((PET.id,), ("c1",))
    assert [turn.text for turn in journal.episode("c1").turns] == ["", "", "He eats figs.", "Noted.", "I like tea."]
    assert left_in_files(journal, *WORDS) == []


def test_another_answer_goes_with_the_question(journal):
    asked = Episode("page", (Turn("user", "Where does my Brambleworth sleep?"), Turn("assistant", "In a zanzibarian basket.")))
    anew = journal.record(replace(asked, turns=(asked.turns[0], Turn("assistant", "I cannot know.")))).episode_id
    assert journal.record(asked).episode_id != anew
    assert len(journal.forget(anew).turns) == 4


def test_a_memory_takes_its_copies_in_other_tellings(journal):
    other = journal.record(EDITED).episode_id
    later = Episode("another-day", (*TALK.turns[:2], *user("What does he eat?")))
    journal.record(later)
    gone = journal.forget(PET.id)
    assert gone.turns == tuple(Cite(name, n) for name in ("c1", other, "another-day") for n in (0, 1))
    assert gone.still_said_in == ()


def test_a_thread_that_went_on_another_day_goes_too_and_what_is_asked_every_day_does_not(journal):
    daily = (Turn("user", "What should I cook tonight?"), Turn("assistant", "Soup."))
    for name, more in (("monday", "Leek soup?"), ("monday again", "Leek soup?"), ("tuesday", "Fish soup?")):
        journal.record(Episode(name, (*daily, *user(more))))
    journal.record(Episode("wednesday", (*daily, *user("Leek soup?", "And bread?"))))
    assert journal.forget("monday").turns == tuple(Cite(name, n) for name in ("monday", "wednesday") for n in range(3))


def test_conversations_that_begin_with_the_same_greeting_are_two(journal):
    hello = (Turn("user", "Hi there"), Turn("assistant", "Hello! How can I help?"))
    for name, text in (("a", "My cat is ill."), ("b", "How do I boil an egg?")):
        journal.record(Episode(name, (*hello, *user(text))))
    assert journal.forget("a").turns == tuple(Cite("a", n) for n in range(3))
    assert journal.episode("b").turns[:2] == hello
    same = journal.record(Episode("b", (*hello, *user("Is the shop open?")))).episode_id
    gone = journal.forget(same)
    assert gone.turns == (*(Cite(same, n) for n in range(3)), Cite("b", 0), Cite("b", 1))
    assert gone.still_said_in == ("b",)


def test_short_turns_are_blocked_only_where_they_were_said(journal):
    journal.record(Episode("t", user("thanks")))
    journal.forget("t")
    journal.record(Episode("t2", user("thanks")))
    assert journal.episode("t2").turns[0].text == "thanks"
    assert journal.record(Episode("t", user("thanks"))).added_turns == 0


def test_what_superseded_it_stays(journal):
    newer = Memory("The user keeps nothing now.", (Cite("c2", 0),), supersedes=PET.id)
    journal.learn(newer)
    journal.forget(PET.id)
    assert [m.text for m in journal.memories()] == [TEA.text, newer.text]
    assert journal.memory(newer.id).supersedes == ""


def test_where_else_it_is_said_is_told(journal):
    journal.record(Episode("later", user("Brambleworth sneezed.")))
    other = Memory("The user bathes Brambleworth on Sundays.")
    journal.learn(other)
    gone = journal.forget(PET.id)
    assert set(gone.still_said_in) == {"later", other.id}


def test_what_cannot_be_forgotten_is_told(journal):
    with pytest.raises(NotFound, match="no memory and no conversation"):
        journal.forget("b2-ffffffff")
    for name in ("b2-", "b", "", "b2-a"):
        with pytest.raises(BadInput, match="too short"):
            journal.forget(name)
    assert len(journal.memories()) == 2


def test_a_reader_delays_the_sweep_and_the_next_opening_finishes_it(tmp_path):
    journal = Journal(tmp_path / "journal.db", patience=0.1)
    fill(journal)
    journal.forget("x0")
    reader = sqlite3.connect(journal.path, isolation_level=None)
    reader.execute("begin")
    reader.execute("select count(*) from turns").fetchone()
    if journal.mode == "wal":
        assert not journal.forget(PET.id).clean
        reader.execute("rollback")
    else:  # a rollback journal is not written under a reader: nothing has happened
        with pytest.raises(Busy):
            journal.forget(PET.id)
        reader.execute("rollback")
        assert journal.memory(PET.id).text == PET.text
        journal.forget(PET.id)
    reader.close()
    journal.close()
    with Journal(tmp_path / "journal.db") as again:
        assert not again.sweep_due
        assert left_in_files(again, *WORDS) == []


def test_an_interrupted_sweep_is_finished_by_the_next_opening(tmp_path, monkeypatch):
    with Journal(tmp_path / "journal.db") as journal:
        fill(journal)
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "sweep", lambda self: False)
            assert not journal.forget(PET.id).clean
        assert journal.sweep_due
    with Journal(tmp_path / "journal.db") as again:
        assert not again.sweep_due
        assert left_in_files(again, *WORDS) == []
        assert again.verify().findings == ()


def test_the_ballast_lies_ready(journal):
    file = ballast.path(journal.path)
    assert file.stat().st_size == ballast.SIZE
    file.unlink()
    journal.close()
    with Journal(journal.path) as again:
        assert file.stat().st_size == ballast.SIZE
        again.set_setting("base", "x")
    journal.__init__(journal.path)


@contextlib.contextmanager
def small_disk(folder, size):
    "A file system of a few bytes in memory, where this machine lets us have one."
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and sys.platform == "linux" and os.geteuid() == 0 and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True).returncode == 0
    if not made:
        pytest.skip("no small file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=False)


def fill_up(folder):
    "Write until nothing fits any more."
    with (folder / "other").open("ab", buffering=0) as other, contextlib.suppress(OSError):
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while other.write(b"x" * size) == size:
                    pass


def test_forget_undo_and_use_work_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "6m") as folder, Journal(folder / "journal.db") as journal:
        fill(journal)
        fill_up(folder)
        with pytest.raises(JournalError, match="disk is full"):
            journal.record(Episode("more", user(*("words " * 900 for _ in range(20)))))
        assert journal.undo() == ""
        assert journal.use("a1") == "a1"
        fill_up(folder)
        assert journal.forget(PET.id).memories == (PET.id,)
        assert journal.current() == ""
        assert journal.recall("Brambleworth", 3) == []
        (folder / "other").unlink()
        journal.close()
        with Journal(folder / "journal.db") as again:
            assert ballast.path(again.path).stat().st_size == ballast.SIZE
            assert not again.sweep_due
            assert left_in_files(again, *WORDS) == []
            assert again.verify().findings == ()


@pytest.mark.parametrize("said", ["Where do you live?", "Have you heard the news?", "What stands on page twelve?"])
def test_small_talk_that_is_forgotten_leaves_an_open_night_as_it_is(tmp_path, said):
    with Journal(tmp_path / "open.db") as journal:
        journal.record(Episode("page-12", user("I like tea.")))
        journal.record(Episode("c-2", user(said)))
        night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
        before = {name: journal.finish(night.id, name, payload) for name, payload in {
            "gather": {"turns": [["page-12", 0]], "heard": [["page-12", 0], ["c-2", 0]]},
            "extract": {"new": [], "live": [TEA.id]}}.items()}
        journal.forget("c-2")
        assert {name: journal.stage(night.id, name) for name in before} == before


def test_names_in_what_a_settled_night_keeps_stay(tmp_path):
    with Journal(tmp_path / "settled.db") as journal:
        journal.record(Episode("page-12", user("I like tea.")))
        journal.record(Episode("c-2", user("Which parts of the page live?")))
        night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
        kept = journal.finish(night.id, "seed", {"parts": {"live": "a1"}, "turns": [["page-12", 0]]})
        journal.settle(night.id, Verdict("nothing"), None, [])
        journal.forget("c-2")
        assert journal.stage(night.id, "seed") == kept


def test_a_note_that_was_told_outright_is_not_hidden_with_a_talk_that_says_it_too(tmp_path):
    with Journal(tmp_path / "told.db") as journal:
        told = journal.learn(Memory("The user's dog is called Rex.", answer="Rex", told=True))
        journal.record(Episode("c-1", user("My dog is called Rex.")))
        journal.cite(Memory("The user's dog is called Rex.", (Cite("c-1", 0),), answer="Rex"))
        assert journal.hide("c-1").memories == ()
        assert [m.id for m in journal.memories()] == [told.id]
