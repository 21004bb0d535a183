"Nights from beginning to verdict, and what is worn."

import numpy as np
import pytest

from pocketsleep.errors import AdapterError, BadInput, Busy, NotFound
from pocketsleep.journal import Journal
from pocketsleep.night.tidy import RECENT, of_use
from pocketsleep.nouns import Adapter, Cite, Dream, Dropped, Episode, Memory, Night, Turn, Verdict

DOG = Memory("The user's dog is called Tarragon.", (Cite("c1", 0),), answer="Tarragon")
CAT = Memory("The user's cat is called Mallow.", (Cite("c1", 1),), answer="Mallow")
WORN = Verdict("worn")
REFUSED = Verdict("refused", ("kept yesterday",), ("two memories were lost",), {"kept": 0.5})


def adapter(name, *memories):
    held = tuple(memory.id for memory in memories)
    return Adapter(name, "smollm2", "ab" * 32, 8, 2.0, ("mlp.up_proj",), (20, 21), held)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.db") as opened:
        opened.record(Episode("c1", (Turn("user", "My dog is Tarragon."), Turn("user", "My cat is Mallow."))))
        opened.learn(DOG)
        opened.learn(CAT)
        yield opened
        assert opened.verify().findings == ()


def sleep(journal, verdict=WORN, made=None, slept=()):
    night = journal.begin(Night("", "2026-05-02T02:00:00", 2**70, "smollm2", {"rank": 8}))
    journal.settle(night.id, verdict, made, slept)
    return night.id


def test_nights_are_numbered(journal):
    night = journal.begin(Night("whatever", "2026-05-02T02:00:00", 2**70, "smollm2", {"rank": 8}))
    assert night == Night("n1", "2026-05-02T02:00:00", 2**70, "smollm2", {"rank": 8})
    assert journal.open_night() == night
    assert journal.night("n1") == journal.night("1") == night
    journal.settle("n1", Verdict("nothing"), None, ())
    assert journal.open_night() is None
    assert sleep(journal, Verdict("nothing")) == "n2"
    assert [n.id for n in journal.nights()] == ["n1", "n2"]
    for name in ("n3", "0", "", "n", "x1", "１", "n-1", "9" * 40):
        with pytest.raises(NotFound):
            journal.night(name)


def studied(journal, of, verdict=WORN):
    "A night that studied these memories, one item a memory."
    night = journal.begin(Night("", "2026-05-02T02:00:00", 0, "smollm2"))
    items = [Dream(f"{night.id}: who is {m.answer}?", "It is.", "direct", (m.id,)) for m in of]
    journal.keep_dreams(night.id, items)
    plan = {"levels": [["key", [m.id for m in of]]], "skilled": {m.id: [d.id] for m, d in zip(of, items, strict=True)},
            "now": {"key": {"declined": [], "again": [d.id for d in items]}}, "waiting": 0}
    journal.finish(night.id, "dream", plan)
    journal.settle(night.id, verdict, adapter(f"b2-{night.id}", *of) if verdict.passed else None, ())
    return night.id


def test_study_items_go_with_the_nights_that_nothing_needs_any_more(journal):
    "Forgetting and verifying read each that is there, and a night leaves thousands."
    first, *between = [studied(journal, [DOG, CAT]), *(studied(journal, [CAT]) for _ in range(8))]
    last = [studied(journal, [CAT], REFUSED) for _ in range(RECENT)]
    ids = {d.id for one in between[:-2] for d in journal.dreams(one)}
    assert of_use(journal) == {first, *between[-2:], *last}, "the dog was studied by the first night alone"
    journal.use("b2-n4")
    assert of_use(journal) == {first, "n4", *between[-2:], *last}
    journal.use("b2-n9")
    assert journal.let_go(of_use(journal)) == 6
    assert {d.question.partition(":")[0] for d in journal.dreams()} == {first, *between[-2:], *last}
    plans = "".join(row["payload"] for row in journal.rows("select payload from stages"))
    assert not [one for one in ids if one in plans], "forgetting would not know any more whose they were"
    assert journal.stage("n2", "dream")["levels"] == [["key", [CAT.id]]]
    assert journal.let_go(of_use(journal)) == 0


def test_one_night_at_a_time(journal):
    journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    with pytest.raises(Busy, match="`n1` has not ended"):
        journal.begin(Night("", "2026-05-02T02:00:01", 1, "smollm2"))


def test_a_stage_is_read_back_as_it_was_finished(journal):
    journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    assert journal.stage("n1", "gather") is None
    payload = journal.finish("n1", "gather", {"turns": (1, 2), "loss": np.float32(0.5), "who": "Žofka"})
    assert payload == journal.stage("n1", "gather") == {"turns": [1, 2], "loss": 0.5, "who": "Žofka"}
    journal.finish("n1", "extract", [])
    assert journal.stage("n1", "extract") == []
    assert list(journal.stages("n1")) == ["gather", "extract"]
    assert all(when.startswith("20") for when in journal.stages("n1").values())


def test_dropped_items(journal):
    journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    items = [Dropped("Buy milk", "a passing matter", Cite("c1", 0)), Dropped("my pin is 4471", "a secret")]
    journal.drop("n1", items)
    journal.drop("n1", items)
    assert sorted(d.text for d in journal.dropped("n1")) == ["Buy milk", "my pin is [secret: pin]"]
    assert items[0] in journal.dropped("1")


def test_dreams_are_kept_in_order_and_only_for_memories_that_are_there(journal):
    journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    dreams = [Dream("Which dog?", "Tarragon", "direct", (DOG.id,)),
              Dream("And the cat?", "Mallow", "context", (CAT.id,), (CAT.text,), True),
              Dream("What is 2 + 2?", "4", "anchor")]
    journal.keep_dreams("n1", [*dreams, Dream("Who?", "?", "direct", ("b2-none",))])
    journal.keep_dreams("n1", dreams)
    assert journal.dreams("n1") == journal.dreams() == dreams
    assert journal.dreams(memory=CAT.id) == [dreams[1]]
    assert journal.dreams("n1", memory=DOG.id) == [dreams[0]]


def test_a_night_that_passed_is_worn(journal):
    made = adapter("a1", DOG, CAT)
    assert sleep(journal, WORN, made, [Cite("c1", 0), Cite("c1", 1)]) == "n1"
    assert journal.current() == "a1"
    assert journal.adapter("a1") == made
    assert journal.holds("a1") == [DOG.id, CAT.id]
    assert journal.unslept() == []
    night = journal.night("n1")
    assert (night.adapter, night.previous, night.verdict) == ("a1", "", WORN)


def test_a_night_that_failed_changes_nothing_that_is_worn(journal):
    sleep(journal, WORN, adapter("a1", DOG))
    sleep(journal, REFUSED, adapter("a2", DOG, CAT))
    assert journal.current() == "a1"
    assert journal.night("n2").verdict == REFUSED
    assert journal.scores("n2") == journal.scores("a2") == {"kept": 0.5}
    assert len(journal.unslept()) == 2


def test_settling_twice_keeps_the_first_verdict(journal):
    sleep(journal, REFUSED, adapter("a1", DOG))
    assert journal.settle("n1", WORN, adapter("a1", DOG), [Cite("c1", 0)]) == REFUSED
    assert journal.current() == ""
    assert len(journal.unslept()) == 2


def test_settling_is_all_or_nothing(journal):
    night = journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    with pytest.raises(BadInput, match="no adapter"):
        journal.settle(night.id, WORN, None, [Cite("c1", 0)])
    journal.db.execute("create temp trigger stop before update on turns "
                       "begin select raise(abort, 'stop'); end")
    with pytest.raises(Exception, match="stop"):
        journal.settle(night.id, WORN, adapter("a1", DOG), [Cite("c1", 0)])
    journal.db.execute("drop trigger stop")
    assert (journal.current(), journal.night("n1").verdict, len(journal.unslept())) == ("", None, 2)


def test_undo_walks_back(journal):
    for name in ("a1", "a2"):
        sleep(journal, WORN, adapter(name, DOG))
    sleep(journal, REFUSED, adapter("a3", DOG))
    assert journal.undo() == journal.current() == "a1"
    assert journal.undo() == journal.current() == ""
    with pytest.raises(NotFound, match="nothing to undo"):
        journal.undo()
    assert journal.use("a3") == journal.current() == "a3"
    with pytest.raises(NotFound):
        journal.use("a9")


def test_undo_of_an_adapter_that_two_nights_made(journal):
    for name in ("a1", "a2", "a2"):
        sleep(journal, WORN, adapter(name, DOG))
    assert journal.undo() == "a1"


def test_forgetting_takes_the_adapter_off_and_keeps_it_off(journal):
    for name, memories in (("a1", (DOG,)), ("a2", (DOG, CAT)), ("a3", (DOG, CAT))):
        sleep(journal, WORN, adapter(name, *memories))
    gone = journal.forget(CAT.id)
    assert gone.taken_off == "a3"
    assert journal.current() == ""
    with pytest.raises(AdapterError, match="1 forgotten"):
        journal.use("a2")
    assert journal.use("a1") == "a1"
    assert journal.forgotten_in(journal.holds("a2")) == [CAT.id]


def test_undo_skips_what_holds_forgotten_memories(journal):
    for name, memories in (("a1", (DOG,)), ("a2", (DOG, CAT)), ("a3", (DOG,))):
        sleep(journal, WORN, adapter(name, *memories))
    assert journal.forget(CAT.id).taken_off == ""
    assert journal.undo() == "a1"


def test_a_night_whose_memory_was_forgotten_meanwhile_is_refused(journal):
    night = journal.begin(Night("", "2026-05-02T02:00:00", 1, "smollm2"))
    journal.finish(night.id, "extract", {"live": [DOG.id, CAT.id]})
    journal.keep_dreams(night.id, [Dream("Which dog?", "Tarragon", "direct", (DOG.id,))])
    journal.forget(CAT.id)
    assert journal.stages(night.id) == {}
    assert journal.dreams(night.id) == []
    verdict = journal.settle(night.id, WORN, adapter("a1", DOG, CAT), [Cite("c1", 0)])
    assert verdict.outcome == "refused"
    assert verdict.failed == ("nothing forgotten",)
    assert journal.current() == ""
    assert journal.night(night.id).verdict == verdict
