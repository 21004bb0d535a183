"What lies near a question: vectors that nights leave, and that go with what they are of."

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pocketsleep import cards
from pocketsleep.bench import nearness as made
from pocketsleep.cli import app
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.night.extract import extract
from pocketsleep.night.finder import Finder
from pocketsleep.night.gather import Gathered
from pocketsleep.night.nearness import Near, Nearness, alike, near, place
from pocketsleep.night.sayings import Sayings
from pocketsleep.night.skill import NEAR
from pocketsleep.nouns import Cite, Episode, Memory, Night, Turn, Verdict
from pocketsleep.pocket import Pocket
from pocketsleep.runtime.scripted import WIDTH, Scripted
from pocketsleep.serve.seek import seek_said
from tests.test_sayings import Reads, said

pytestmark = pytest.mark.skilled

EMBED = Scripted([]).embed
SAME = Nearness(*(np.concatenate([np.eye(WIDTH), np.zeros((1, WIDTH))]).astype(np.float32) for _ in range(2)), of="words")
CAT, JOB = Memory("The user's cat is called Gus."), Memory("The user is a dentist in Sligo.")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened
        assert opened.verify().findings == ()


def asked(question: str) -> np.ndarray:
    return SAME.questions(EMBED([question]))[0]


def placed(journal: Journal) -> Near:
    found = Near(journal, SAME, "words")
    found.keep(EMBED)
    return found


def test_notes_and_sentences_are_placed_once_and_found_by_what_they_are_near(journal: Journal) -> None:
    journal.learn(CAT)
    journal.learn(JOB)
    said(journal, "c-1", "I live in Hay. Is it raining? My goat is called Bramble.", "What is the weather?")
    by = placed(journal)
    assert by.notes(asked("is the user a dentist")) == [JOB.id, CAT.id]
    assert by.sayings(asked("my goat"), 9) == [(Cite("c-1", 0), 1), (Cite("c-1", 0), 0)]
    assert by.sayings(asked("my goat"), 1) == [(Cite("c-1", 0), 1)]

    def never(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(texts)

    assert not by.wanting
    by.keep(never)
    other = Near(journal, SAME, "another")
    assert other.wanting
    assert (other.notes(asked("goat")), other.sayings(asked("goat"), 9)) == ([], [])
    other.keep(EMBED)
    assert other.sayings(asked("my goat"), 1) == [(Cite("c-1", 0), 1)]
    assert by.sayings(asked("my goat"), 1) == [], "one model's at a time"


def test_what_is_hidden_or_not_their_own_gets_none_and_is_not_found(journal: Journal) -> None:
    said(journal, "c-1", "My goat is called Bramble.")
    said(journal, "c-2", "My goat is called Nettle.", private=True)
    said(journal, "c-3", "My goat is called Thistle.", taint="pasted")
    by = placed(journal)
    assert by.sayings(asked("my goat"), 9) == [(Cite("c-1", 0), 0)]
    journal.exclude("pattern", "bramble")
    assert by.sayings(asked("my goat"), 9) == []
    journal.include("pattern", "bramble")
    assert by.sayings(asked("my goat"), 9) == [(Cite("c-1", 0), 0)]


def test_vectors_go_when_what_they_are_of_is_forgotten(journal: Journal) -> None:
    said(journal, "c-1", "My goat is called Bramble.")
    journal.learn(Memory("The user's goat is called Bramble.", (Cite("c-1", 0),), answer="Bramble"))
    by = placed(journal)
    assert [len(journal.rows(f"select * from {table}")) for table in ("vectors", "said_vectors")] == [1, 1]
    journal.forget(Memory("The user's goat is called Bramble.").id)
    assert [len(journal.rows(f"select * from {table}")) for table in ("vectors", "said_vectors")] == [0, 0]
    journal.put_said_vectors(Cite("c-1", 0), "words", np.ones((1, 4)))
    assert by.sayings(asked("my goat"), 9) == []
    assert journal.unplaced_sayings("words", 9) == []


def test_of_very_many_messages_the_newest_are_placed_first(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        said(journal, f"c-{n}", f"I saw film {n} with my aunt.")
    monkeypatch.setattr("pocketsleep.night.nearness.MOST", 3)
    by = Near(journal, SAME, "words")
    for expected in ({"c-4", "c-3", "c-2"}, {f"c-{n}" for n in range(5)}):
        by.keep(EMBED)
        assert {cite.episode for cite, _ in by.sayings(asked("film"), 9)} == expected


class Beside(Finder):
    "Finds by words alone what lies near."

    def __init__(self, by: Near) -> None:
        super().__init__(lambda: Scripted([]), lambda: by)


def test_the_nearest_sentences_keep_their_number_where_one_before_them_is_gone(journal: Journal) -> None:
    said(journal, "c-1", "My goat is called Bramble. I live in Hay with a goat.")
    journal.learn(old := Memory("The user's goat is called Bramble.", (Cite("c-1", 0),), answer="Bramble"))
    sayings = Sayings(journal, Beside(placed(journal)))
    assert [m.text for m in sayings.nearest("my goat is called", 9)] == ["My goat is called Bramble.", "I live in Hay with a goat."]
    journal.learn(Memory("The user's goat is called Nettle.", answer="Nettle", supersedes=old.id))
    assert [m.text for m in sayings.nearest("my goat is called", 9)] == ["I live in Hay with a goat."]
    assert Sayings(journal).nearest("my goat", 9) == []


def test_what_lies_near_is_read_where_no_word_is_shared_and_nights_have_heard_it(journal: Journal) -> None:
    said(journal, "c-1", "Gubbins left me another mouse, that cat is a menace.")
    said(journal, "c-2", *(f"I walked {n} miles to the moor." for n in range(20)), at="2026-03-05T12:00:00+00:00")
    night = journal.begin(Night("", "2026-03-06", 0, "tiny", {}))
    journal.settle(night.id, Verdict("nothing"), None, journal.unslept())
    question, mouser = "Who hunts in our barn?", Memory("Gubbins left me another mouse, that cat is a menace.")
    reader = Reads({question: mouser})
    assert seek_said(reader, Sayings(journal), [question]) == [None]

    class Points(Near):
        def sayings(self, question: np.ndarray, most: int) -> list[tuple[Cite, int]]:
            return [(Cite("c-1", 0), 0)]

    found = seek_said(reader, Sayings(journal, Beside(Points(journal, SAME, "words"))), [question])
    assert [m and m.text for m in found] == [mouser.text]


def test_maps_are_kept_as_they_were_made(tmp_path: Path) -> None:
    SAME.write(tmp_path / NEAR)
    read = Nearness.read(tmp_path / NEAR)
    assert read.of == "words"
    np.testing.assert_array_equal(read.asked, SAME.asked)


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    x, y, right = rng.normal(size=(5, 7)), rng.normal(size=(6, 7)), np.eye(5, 6, dtype=bool)
    right[0, 5] = True  # two answer one question
    maps = [rng.normal(size=(7, 3)) for _ in range(2)]

    def loss() -> float:
        (u, _), (v, _) = (made._unit(z @ m) for z, m in zip((x, y), maps, strict=True))
        raised = np.exp(made.SHARP * u @ v.T)
        return float(-np.log((raised * right).sum(1) / raised.sum(1)).mean())

    for m, gradient in zip(maps, made._gradients(maps, x, y, right), strict=True):
        for at in np.ndindex(m.shape):
            m[at] += 1e-6
            up = loss()
            m[at] -= 2e-6
            down = loss()
            m[at] += 1e-6
            assert abs((up - down) / 2e-6 - gradient[at]) < 1e-4 * max(1.0, abs(gradient[at]))


def test_maps_learn_what_answers_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "A question and its answer have nothing in common but what only a map can find: another turn of the same numbers."
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    monkeypatch.setattr(made, "WIDTH", 24)
    monkeypatch.setattr(made, "OTHERS", 8)
    monkeypatch.setattr(made, "EPOCHS", 40)
    ledgers, states = [], {}
    for writer in "abcdefgh":
        told, questions = [f"{writer} note {n}" for n in range(20)], [f"{writer} asks {n}" for n in range(20)]
        for one, other in zip(told, questions, strict=True):
            states[one] = rng.normal(size=24)
            states[other] = turn @ states[one]
        ledgers.append(made.Ledger(writer, questions, told, 20, np.eye(20, dtype=bool)))
    maps = made.fit(ledgers[:7], states, "x")
    share = next(made.measured(maps, ledgers[7], states))["1"]["share"]
    assert share > 50, "one in twenty by chance"


def test_an_engine_is_asked_for_once_and_where_something_is_wanting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[Scripted] = []

    @contextmanager
    def engine(pocket: Pocket, *about: object) -> Iterator[Scripted]:
        asked_for.append(Scripted([]))
        asked_for[-1].embed = lambda texts: np.ones((len(texts), 576), np.float32)  # type: ignore[method-assign]
        yield asked_for[-1]

    monkeypatch.setattr(Pocket, "_skilled", engine)
    with Pocket(Home(tmp_path)) as pocket:
        place(pocket.journal, pocket.skills)
        assert asked_for == []
        for n in range(3):
            said(pocket.journal, f"c-{n}", f"My goat number {n} is called Bramble. It eats hay.")
        pocket.journal.learn(CAT)
        place(pocket.journal, pocket.skills)
        place(pocket.journal, pocket.skills)
        assert len(asked_for) == 1
        assert len(pocket.journal.rows("select * from said_vectors")) == 3


def test_the_shipped_maps_find_what_was_said_in_other_words(tmp_path: Path) -> None:
    pairs = {
        "What is my dog called?": "Biscuit has chewed the sofa again, that hound will be the end of me.",
        "Where do I work?": "I spend my days behind the counter of the chemist's in Larne.",
        "What can I not eat?": "Peanuts bring me out in a rash, so none of those please.",
        "Which instrument do I play?": "My fiddle needs new strings before Saturday's ceilidh.",
        "When was I born?": "I turned forty on the ninth of May and nobody noticed.",
        "Who is my brother married to?": "Our Kevin and his wife Saoirse have moved in next door.",
        "How do I get to the office?": "I cycle in along the canal, rain or shine.",
        "What am I afraid of?": "Spiders make me scream the house down.",
    }
    with Pocket(Home(tmp_path)) as pocket:
        for n, text in enumerate(pairs.values()):
            pocket.journal.record(Episode(f"c-{n}", (Turn("user", text),)))
        place(pocket.journal, pocket.skills)
        finder = pocket.finder()
        assert finder is not None
        first = [finder.near_sayings(q, 2) for q in pairs]
        hits = [Cite(f"c-{n}", 0) in [cite for cite, _ in some] for n, some in enumerate(first)]
        assert sum(hits) >= 6, first
        assert near(pocket.journal, None) is None
        assert Nearness.read(cards.skills() / NEAR).of == pocket.base.sha256


def test_notes_are_compared_on_one_engine_that_reads_each_of_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []

    @contextmanager
    def engine(pocket: Pocket, *about: object) -> Iterator[Scripted]:
        read.append([])
        made = Scripted([])
        made.embed = lambda texts: (read[-1].extend(texts), np.ones((len(texts), 576), np.float32))[1]  # type: ignore[method-assign]
        yield made

    monkeypatch.setattr(Pocket, "_skilled", engine)
    with Pocket(Home(tmp_path)) as pocket:
        with alike(pocket.journal, pocket.skills) as compare:
            assert compare is not None
            assert read == [], "no engine is asked for before there is something to compare"
            assert compare("new", ["a", "b"]) == pytest.approx([1, 1], abs=1e-5)
            assert compare("b", ["a", "new"]) == pytest.approx([1, 1], abs=1e-5)
        assert read == [["new", "a", "b"]]
        pocket.journal.learn(CAT)
        place(pocket.journal, pocket.skills)
        assert read.pop() == [CAT.text]
        with alike(pocket.journal, pocket.skills) as compare:
            assert compare is not None
            assert compare(CAT.text, ["a"]) == pytest.approx([1], abs=1e-5)
        assert read[1:] == [["a"]], "what a night has placed is not read anew"
        with alike(pocket.journal, None) as compare:
            assert compare is None


def test_a_night_hears_that_a_value_is_another_now_though_nobody_says_so(tmp_path: Path) -> None:
    "By words alone a colour beside another leaves it open which holds."
    old = Memory("The user's topsides are white.", (), "fact", "white")
    other = Memory("The user's shed is white.", (), "fact", "white")
    turn = Episode("c", (Turn("user", "My topsides are green."),))
    with Pocket(Home(tmp_path)) as pocket, alike(pocket.journal, pocket.skills) as compare:
        for given, supersedes in ((None, ""), (compare, old.id)):
            heard = extract(Gathered((turn,), (Cite("c", 0),), ()), [old, other], None, given)
            assert [(m.text, m.supersedes) for m in heard.memories] == [("The user's topsides are green.", supersedes)]
        for note in (old, other):
            pocket.journal.learn(note)
        pocket.journal.record(turn)
        assert [m.supersedes for m in pocket.would_learn()["memories"]] == [old.id]


def test_what_replaces_what_is_measured_by_nearness_too(tmp_path: Path) -> None:
    note = {"text": "The user's topsides are green.", "answer": "green", "span": "green", "supersedes": "The user's topsides are white."}
    line = {"message": "My topsides are green.", "known": [note["supersedes"]], "memories": [note]}
    (tmp_path / "w.jsonl").write_text(json.dumps(line) + "\n")
    for wanted, right in (((), 0), (("--near",), 1)):
        done = CliRunner().invoke(app, ["bench", "replaced", str(tmp_path), *wanted, "--json"], catch_exceptions=False)
        assert json.loads(done.stdout)["right"] == right
    fitted = CliRunner().invoke(app, ["bench", "replaced", str(tmp_path), "--near", "--fit", "--json"], catch_exceptions=False)
    assert "alike" in json.loads(fitted.stdout)


def test_maps_are_taught_by_the_same_numbers_as_they_are_asked_with(tmp_path: Path) -> None:
    texts = ["What is my dog called?", "Biscuit has chewed the sofa again.", "Ça va, 東京?"]
    rows, of = made.states(texts)
    with Pocket(Home(tmp_path)) as pocket:
        assert pocket.skills is not None
        assert of == pocket.skills.base_sha256
        with pocket.skills.engine() as runtime:
            alike = (np.stack([rows[text] for text in texts]) * runtime.embed(texts)).sum(axis=1)
            np.testing.assert_allclose(alike, 1, atol=1e-3)  # the one multiplies in bfloat16 where the processor can
