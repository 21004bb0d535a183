"What was learnt, and finding it again."

import numpy as np
import pytest

from pocketsleep.errors import BadInput, NotFound
from pocketsleep.journal import Journal
from pocketsleep.nouns import Cite, Episode, Memory, Turn

DOG = Memory("The user's dog is called Tarragon.", (Cite("c1", 0),), answer="Tarragon", since="2026-05-01")
LEEDS = Memory("The user lives in Leeds.", (Cite("c1", 1),), answer="Leeds")
YORK = Memory("The user lives in York.", (Cite("c2", 0),), answer="York", supersedes=LEEDS.id)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.db") as opened:
        opened.record(Episode("c1", (Turn("user", "My dog is Tarragon."), Turn("user", "I live in Leeds."))))
        opened.record(Episode("c2", (Turn("user", "I moved to York."),)))
        yield opened
        assert opened.verify().findings == ()


def test_a_memory_comes_back_as_it_was(journal):
    assert journal.learn(DOG) == DOG
    assert journal.memory(DOG.id) == DOG
    assert journal.memories() == [DOG]


def test_the_same_text_is_one_memory_with_all_its_cites(journal):
    journal.learn(DOG)
    again = journal.learn(Memory(DOG.text, (Cite("c2", 0), Cite("c1", 0)), told=True))
    assert again is not None
    assert again.cites == (Cite("c1", 0), Cite("c2", 0))
    assert (again.told, again.answer, again.since) == (True, "Tarragon", "2026-05-01")
    assert len(journal.memories()) == 1


def test_what_is_said_again_is_cited_and_forgotten_with_it(journal):
    journal.learn(LEEDS)
    journal.record(Episode("c3", (Turn("user", "I live in Leeds, as I said."), Turn("user", "And I eat figs."))))
    journal.cite(Memory(LEEDS.text, (Cite("c3", 0),)))
    assert journal.memory(LEEDS.id).cites == (Cite("c1", 1), Cite("c3", 0))
    gone = journal.forget(LEEDS.id)
    assert (gone.turns, gone.still_said_in) == ((Cite("c1", 1), Cite("c3", 0)), ())
    journal.cite(Memory(LEEDS.text, (Cite("c3", 1),)))
    assert journal.memories(status=None) == []


def test_a_cite_wakes_nothing_that_was_superseded(journal):
    journal.learn(LEEDS)
    journal.learn(YORK)
    journal.cite(Memory(LEEDS.text, (Cite("c1", 0),)))
    assert journal.memories() == [YORK]


def test_an_answer_that_comes_later_is_found(journal):
    journal.learn(Memory("The user has a pet.", ()))
    journal.learn(Memory("The user has a pet.", (), answer="axolotl"))
    assert [memory.answer for memory, _ in journal.recall("axolotl?", 3)] == ["axolotl"]


def test_a_newer_memory_supersedes_and_the_old_can_return(journal):
    journal.learn(LEEDS)
    journal.learn(YORK)
    assert journal.memories() == [YORK]
    assert [m.status for m in journal.memories(status=None)] == ["superseded", "active"]
    assert journal.memories(status="superseded")[0].id == LEEDS.id
    back = journal.learn(Memory(LEEDS.text, (Cite("c2", 0),), supersedes=YORK.id))
    assert back is not None
    assert back.status == "active"
    assert [m.id for m in journal.memories()] == [LEEDS.id]


def test_memories_come_in_the_order_they_were_learnt(journal):
    texts = [f"The user likes number {n}." for n in (5, 3, 9, 1)]
    for text in texts:
        journal.learn(Memory(text))
    assert [m.text for m in journal.memories()] == texts


def test_words_find_memories(journal):
    for memory in (DOG, LEEDS, Memory("The user's dogs are two whippets.")):
        journal.learn(memory)
    assert [m.id for m in journal.memories("dog tarragon")] == [DOG.id]
    assert len(journal.memories("dogs")) == 2
    assert [m.id for m in journal.memories("tarr")] == [DOG.id]
    assert [m.id for m in journal.memories("Leeds zebra")] == [LEEDS.id]
    assert journal.memories("zebra") == []


def test_recall_ranks_by_the_words_that_tell(journal):
    for memory in (DOG, LEEDS, Memory("The user is the owner of a red bicycle and a boat.")):
        journal.learn(memory)
    found = journal.recall("What is the name of my dog called Tarragon?", 5)
    assert found[0][0].id == DOG.id
    assert found[0][1] > 0
    assert [m.text for m, _ in journal.recall("Do I own any bicycles?", 5)] == [
        "The user is the owner of a red bicycle and a boat."]
    assert len(journal.recall("dog Leeds boat", 2)) == 2
    scores = [score for _, score in journal.recall("dog Leeds bicycle boat", 5)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("query", ["", "what is the", '"', "dog OR", "NEAR(dog", "dog*^-", "text:dog",
                                   "'; drop", "🦊", "AND NOT OR"])
def test_recall_reads_no_operators(journal, query):
    journal.learn(DOG)
    assert isinstance(journal.recall(query, 5), list)


def test_superseded_memories_are_not_recalled(journal):
    journal.learn(LEEDS)
    journal.learn(YORK)
    assert [m.id for m, _ in journal.recall("Where do I live?", 5)] == [YORK.id]


def test_a_memory_answers_to_the_beginning_of_its_id(journal):
    journal.learn(DOG)
    journal.learn(LEEDS)
    assert journal.memory(DOG.id[:9]).id == DOG.id
    assert journal.memory(DOG.id[3:9]).id == DOG.id
    for name in ("nothing", "", "b2-", "zz%"):
        with pytest.raises(NotFound):
            journal.memory(name)


def test_an_ambiguous_beginning_is_told(journal):
    first: dict[str, Memory] = {}
    for n in range(40):
        memory = Memory(f"The user likes number {n}.")
        journal.learn(memory)
        if memory.id[3] in first:
            with pytest.raises(BadInput, match="begins the ids of"):
                journal.memory(memory.id[:4])
            return
        first[memory.id[3]] = memory


def test_a_cite_must_exist(journal):
    with pytest.raises(BadInput, match="turn 7 of `c1`"):
        journal.learn(Memory("The user is tall.", (Cite("c1", 7),)))
    with pytest.raises(BadInput, match="without words"):
        journal.learn(Memory("  "))
    assert journal.memories() == []


def test_a_memory_holds_no_secret(journal):
    kept = journal.learn(Memory("The user's wifi password is Plum-4471.", answer="Plum-4471"))
    assert kept is not None
    assert "Plum" not in kept.text
    assert b"Plum-4471" not in journal.path.read_bytes()


def test_vectors_of_active_memories(journal):
    for memory in (DOG, LEEDS, YORK):
        journal.learn(memory)
    for n, memory in enumerate((DOG, LEEDS, YORK)):
        journal.put_vector(memory.id, "small", np.full(5, n, dtype=np.float64))
    journal.put_vector(DOG.id, "small", np.full(5, 9.5, dtype=np.float32))
    journal.put_vector(DOG.id, "other", np.ones(3))
    ids, vectors = journal.vectors("small")
    assert ids == [DOG.id, YORK.id]
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[9.5] * 5, [2.0] * 5]
    none, empty = journal.vectors("unknown")
    assert (none, empty.shape) == ([], (0, 0))
    with pytest.raises(NotFound):
        journal.put_vector("b2-none", "small", np.ones(5))
