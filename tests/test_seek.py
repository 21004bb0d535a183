"The note that a question is on, in whatever words: found by a reader, quoted, and not where it does not answer."

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketsleep import hooks
from pocketsleep.cli import care
from pocketsleep.errors import AdapterError, BadInput, MissingPart
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.night.finder import Finder
from pocketsleep.nouns import Adapter, Dream, Memory, Message, Night, Sampling, Verdict
from pocketsleep.pocket import Pocket
from pocketsleep.runtime import Runtime, pick
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve import seek as seeking
from pocketsleep.serve.backing import UNKNOWN
from pocketsleep.serve.day import Day
from pocketsleep.serve.notes import Notes
from pocketsleep.serve.recall import Index
from pocketsleep.serve.seek import Pair, seek
from tests.test_backing import Says

pytestmark = pytest.mark.skilled

CAT = Memory("The user's cat is called Gus.", answer="Gus")
JOB = Memory("The user is a dentist in Sligo.", answer="dentist")
TEA = Memory("The user takes oat milk in tea.", answer="oat milk")
NOTES = [CAT, JOB, TEA]


class Knows:
    "A reader by heart: what each question is on, and which of them their notes do not answer."

    def __init__(self, on: dict[str, Memory], unsaid: dict[str, dict[Memory, float]] | None = None) -> None:
        self.on, self.chance = on, unsaid or {}
        self.looked: list[Pair] = []
        self.placed: list[str] = []  # ids, the nearest first

    def asked(self, pairs: list[Pair]) -> list[float]:
        self.looked += pairs
        return [-1.0 if self.on.get(q) == note else -9.0 for note, q in pairs]

    def unsaid(self, pairs: list[Pair]) -> list[float]:
        return [self.chance.get(q, {}).get(note, 0.1 if self.on.get(q) == note else 0.99) for note, q in pairs]

    def near(self, question: str) -> list[str]:
        return self.placed

    def said(self, memory: Memory) -> str:
        return memory.text.replace("The user's", "Your").replace("The user is", "You are").replace("The user takes", "You take")


def test_a_note_is_found_that_shares_no_word_with_the_question():
    reader = Knows({"What does my mouser answer to?": CAT})
    assert seek(reader, Index(NOTES, []), ["What does my mouser answer to?", "Which car do I drive?"]) == [CAT, None]


def test_notes_that_share_words_are_looked_at_first_and_end_the_search():
    reader = Knows({"Is there milk in my tea?": TEA})
    assert seek(reader, Index(NOTES, []), ["Is there milk in my tea?"]) == [TEA]
    assert [note for note, _ in reader.looked] == [TEA]


def test_what_is_likelier_among_the_others_counts_once_the_first_ones_do_not_answer():
    asked = "What is my cat up to at work?"
    assert seek(Knows({asked: JOB}), Index(NOTES, []), [asked]) == [JOB]
    unlikely = Knows({asked: CAT}, {asked: {CAT: 0.6, JOB: 0.1, TEA: 0.1}})
    assert seek(unlikely, Index(NOTES, []), [asked]) == [None]


def test_of_very_many_notes_the_nearest_are_looked_at_however_old():
    many = [Memory(f"The user has seen film {n}.", answer=str(n)) for n in range(seeking.MOST + 5)]
    asked = "What does my mouser answer to?"
    reader = Knows({asked: CAT})
    reader.placed = [m.id for m in (*many[: seeking.NEAREST - 1], CAT, *many[seeking.NEAREST - 1 :])]
    assert seek(reader, Index([CAT, *many], []), [asked]) == [CAT]
    assert [note for note, _ in reader.looked] == [*many[: seeking.NEAREST - 1], CAT]
    reader.placed.remove(CAT.id)  # no night has placed it: it is read beside the nearest
    assert seek(reader, Index([CAT, *many], []), [asked]) == [CAT]
    reader.placed.append(CAT.id)
    assert seek(reader, Index([CAT, *many], []), [asked]) == [None]


def test_of_very_many_notes_the_newest_are_looked_at():
    many = [Memory(f"The user has seen film {n}.", answer=str(n)) for n in range(seeking.MOST + 5)]
    asked = "What does my mouser answer to?"
    assert seek(Knows({asked: CAT}), Index([*many, CAT], []), [asked]) == [CAT]
    assert seek(Knows({asked: CAT}), Index([CAT, *many], []), [asked]) == [None]


def test_a_long_message_is_not_looked_for():
    asked = "What does my mouser answer to" + " and so on" * 12 + "?"
    assert seek(Knows({asked: CAT}), Index(NOTES, []), [asked]) == [None]


def test_a_long_note_is_found_by_its_words_or_not_at_all():
    long = Memory("The user's cat is called Gus. " * 11, answer="Gus")
    asked = "What does my mouser answer to?"
    assert seek(Knows({asked: long}), Index([long, JOB], []), [asked]) == [None]


def test_no_notes_and_no_questions():
    assert seek(Knows({}), Index([], []), ["Who am I?"]) == [None]
    assert seek(Knows({}), Index(NOTES, []), []) == []


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    "A day after a night that learnt of the cat alone."
    with Journal(tmp_path / "journal.db") as journal:
        for memory in NOTES:
            journal.learn(memory)
        night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
        journal.keep_dreams(night.id, [Dream("What is my cat called?", "Your cat is called Gus.", "direct", (CAT.id,))])
        journal.settle(night.id, Verdict("worn"), Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (CAT.id,)), [])
        by = {"What is my cat called?": "Your cat is called Gus.", "What is my brother's cat called?": "Your cat is called Gus.",
              "What do I live on?": "You live on... you haven't told me that.", "Who pays me?": "Your cat is called Bo.",
              "Am I a vet?": "Yes, your dog.",
              "Do I drink tea black?": "No.", "Am I in Sligo?": "Sligo is... you haven't told me that.", "Do I like oats?": "Yes.", "Where do I see my dentist?": "Your cat is called Gus.",
              "What do I call the purring one?": "Your cat is called Gus.", "What goes in my tea?": "Your tea is... you haven't told me that.",
              "What is in my tea pot?": "Your tea pot is... you haven't told me that."}
        noted = {"What goes in my tea?": "You take oat milk in tea.",
                 "What is in my tea pot?": "You take oat milk in tea."}
        yield Day(journal, Says(by, noted), lambda one: tmp_path / one, reader=Knows(
            {"What is my cat called?": CAT, "What do I live on?": JOB, "Am I a vet?": JOB, "What goes in my tea?": TEA, "Am I in Sligo?": JOB,
             "Do I drink tea black?": TEA, "Where do I see my dentist?": JOB, "What do I call the purring one?": CAT},
            {"What goes in my tea?": {TEA: 0.7}, "Where do I see my dentist?": {CAT: 0.8}, "What do I call the purring one?": {CAT: 0.7}}))


@pytest.mark.parametrize(("question", "answer", "source"), [
    ("What is my cat called?", "Your cat is called Gus.", "weights"),
    ("What is my brother's cat called?", UNKNOWN, ""),  # a note backs it, and does not answer
    ("What do I live on?", "You are a dentist in Sligo.", "memory"),  # what was declined is quoted
    ("Am I a vet?", "Yes. You are a dentist in Sligo.", "memory"),  # yes or no as it was said, and the note
    ("Am I in Sligo?", "Yes. You are a dentist in Sligo.", "memory"),  # the note says so
    ("Do I drink tea black?", "No. You take oat milk in tea.", "memory"),  # nothing was behind it
    ("Do I like oats?", "Yes.", ""),  # and nothing is found
    ("Where do I see my dentist?", "You are a dentist in Sligo.", "memory"),  # a note backs the cat, which is doubted
    ("What do I call the purring one?", "Your cat is called Gus.", "weights"),  # doubted, and no other note is found
    ("What goes in my tea?", "Your tea is... you haven't told me that.", ""),  # what the worn adapter makes of the note is doubted, too
    ("What is in my tea pot?", "Your tea pot is... you haven't told me that.", ""),  # the note says something else
    ("Who pays me?", UNKNOWN, ""),
])
def test_answers_stand_are_put_right_or_not_given(day: Day, question: str, answer: str, source: str) -> None:
    assert day.answers([question], "both") == [answer]
    said = "".join(day.reply([Message("user", question)], Sampling())).strip()
    assert (said, day.receipt.source) == (answer, source)
    assert [n.text for n in day.receipt.notes] == [m.text for m in NOTES if source and m.answer in answer]


def test_before_any_night_the_reader_brings_the_note(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        journal.learn(CAT)
        reader = Knows({"What does my mouser answer to?": CAT, "Write to my mouser": CAT})
        notes = Notes(journal, reader)
        assert notes.sought(["What does my mouser answer to?", "Which car is mine?", "Write to my mouser"]) == [[CAT], [], []]
        assert Notes(journal).sought(["What does my mouser answer to?"]) == [[]]


def talk(*said: str) -> list[Message]:
    "What the user said, and an assistant's word between."
    return [m for n, one in enumerate(said) for m in (*([Message("assistant", "I see.")] if n else []), Message("user", one))]


@pytest.fixture
def first_day(tmp_path: Path) -> Iterator[Day]:
    "A day before any night, whose base says what base models say."
    with Journal(tmp_path / "journal.db") as journal:
        for memory in (CAT, TEA):
            journal.learn(memory)
        on = dict.fromkeys(["Who mews at my house?", "Could you name my cat?", "What is my cat's name now?"], CAT)
        told = {"What is my cat's name now?": {Memory("We call him Bo now."): 0.2, Memory("What do we call him now?"): 0.2}}
        yield Day(journal, Says({}, {"What about my cat Gus?": "Gus is a name."}), lambda one: tmp_path / one,
                  reader=Knows({**on, "Does oat milk go in my tea?": TEA}, told))


@pytest.mark.parametrize(("said", "answer", "source"), [
    (["Who mews at my house?"], "Your cat is called Gus.", "memory"),
    (["Does oat milk go in my tea?"], "You take oat milk in tea.", "memory"),
    (["Could you name my cat?"], "Well.", ""),  # asks for something to be done
    (["Which is Peru's capital?"], "Well.", ""),
    (["How old is my house?"], "Well.", ""),  # of the person, and no note answers
    (["What about my cat Gus?"], "Gus is a name.", "memory"),  # a note by words, in front of the base
    (["We call him Bo now.", "What is my cat's name now?"], "Well.", ""),  # this talk has it
    (["The weather is fine.", "What is my cat's name now?"], "Your cat is called Gus.", "memory"),
    (["What do we call him now?", "What is my cat's name now?"], "Your cat is called Gus.", "memory"),  # asked is not said
])
def test_before_any_night_a_question_is_answered_by_the_note_itself(first_day: Day, said: list[str], answer: str, source: str) -> None:
    assert ("".join(first_day.reply(talk(*said), Sampling())).strip(), first_day.receipt.source) == (answer, source)
    if len(said) == 1:
        assert first_day.answers(said, "both") == [answer]


def test_the_bare_base_is_not_helped(first_day: Day) -> None:
    assert first_day.answers(["Who mews at my house?"], "base") == ["Well."]


def choosing(monkeypatch: pytest.MonkeyPatch, chosen: list[str] | None) -> None:
    "A plugin that chooses notes, or leaves it to others."
    monkeypatch.setattr(hooks, "having", lambda name: ["plugin"] if name == "recaller" else [])
    monkeypatch.setattr(hooks, "ask", lambda name, check, **given: iter([] if chosen is None else [("plugin", chosen)]))


@pytest.mark.parametrize(("chosen", "answer"), [([], "Well."), (None, "Your cat is called Gus.")])
def test_where_a_plugin_chooses_before_a_night_no_other_note_is_looked_for(
        first_day: Day, monkeypatch: pytest.MonkeyPatch, chosen: list[str] | None, answer: str) -> None:
    choosing(monkeypatch, chosen)
    asked = "Who mews at my house?"
    assert first_day.answers([asked], "both") == ["".join(first_day.reply(talk(asked), Sampling())).strip()] == [answer]
    assert first_day.notes.sought([asked]) == [[] if chosen == [] else [CAT]]


@pytest.mark.parametrize(("chosen", "answer"), [([], "You live on... you haven't told me that."), (None, "You are a dentist in Sligo.")])
def test_where_a_plugin_chooses_nothing_else_is_quoted(
        day: Day, monkeypatch: pytest.MonkeyPatch, chosen: list[str] | None, answer: str) -> None:
    choosing(monkeypatch, chosen)
    assert day.answers(["What do I live on?"], "both") == [answer]


def test_what_was_said_in_the_talk_comes_before_any_note(day: Day) -> None:
    said = talk("My cat is called Bo these days.", "Who is my cat?")
    day.runtime.by["Who is my cat?"] = "Your cat is called Bo."  # type: ignore[attr-defined]
    day.reader.on["Who is my cat?"] = CAT  # type: ignore[union-attr]
    day.reader.chance["Who is my cat?"] = {Memory("My cat is called Bo these days."): 0.1}  # type: ignore[union-attr]
    assert "".join(day.reply(said, Sampling())).strip() == "Your cat is called Bo."
    assert "".join(day.reply(said[-1:], Sampling())).strip() == "Your cat is called Gus."


def test_what_is_said_now_wins_over_what_was_learnt(day: Day) -> None:
    now, asked = "We call the cat Bo these days.", "What is my cat called?"
    day.reader.chance[asked] = {Memory(now): 0.2}  # type: ignore[union-attr]
    assert "".join(day.reply(talk("The weather is fine.", now, asked), Sampling())).strip() == f'You said: "{now}"'
    assert (day.receipt.source, day.receipt.notes) == ("said", [])
    assert "".join(day.reply(talk("The weather is fine.", asked), Sampling())).strip() == "Your cat is called Gus."


def test_words_of_the_talk_that_do_not_answer_do_not_win_over_a_note(day: Day) -> None:
    said = talk("My brother's cat is called Bo.", "Who is my cat?")
    day.runtime.by["Who is my cat?"] = "Your cat is called Bo."  # type: ignore[attr-defined]
    day.reader.on["Who is my cat?"] = CAT  # type: ignore[union-attr]
    assert "".join(day.reply(said, Sampling())).strip() == "Your cat is called Gus."


def test_who_is_told_something_may_say_it_back(day: Day) -> None:
    said = "My cat is called Bo these days."
    day.runtime.by |= {said: "Your cat is called Bo.", "Is my cat called Bo?": "Your cat is called Bo."}  # type: ignore[attr-defined]
    assert ("".join(day.reply(talk(said), Sampling())).strip(), day.receipt.notes) == ("Your cat is called Bo.", [])
    assert "".join(day.reply(talk("Is my cat called Bo?"), Sampling())).strip() != "Your cat is called Bo."


class Locked(Says):
    "One thing at a time, as engines are: a stream holds it until it is closed."

    streaming = False

    def chat(self, messages, sampling=Sampling()):  # type: ignore[no-untyped-def]
        self.streaming = True
        try:
            for word in self.by[messages[-1].content].split(" "):
                yield word + " "
        finally:
            self.streaming = False

    def answer(self, prompts, max_tokens=48, temperature=0.0, seed=0):  # type: ignore[no-untyped-def]
        assert not self.streaming, "a second look waits for a stream that waits for it"
        return super().answer(prompts, max_tokens, temperature, seed)


def test_a_second_look_does_not_wait_for_the_first(day: Day) -> None:
    asked = "What is my tea with oat milk?"
    long = "You haven't told me " + "how the tea is " * 9
    day.runtime = Locked({asked: long}, {asked: "You take oat milk in tea."})
    day.reader.chance[asked] = {TEA: 0.5}  # type: ignore[union-attr]
    assert "".join(day.reply([Message("user", asked)], Sampling())).strip() == "You take oat milk in tea."


def test_a_note_that_was_forgotten_meanwhile_is_not_quoted(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = day.reader
    assert isinstance(reader, Knows)
    asked = reader.asked

    def slowly(pairs: list[Pair]) -> list[float]:
        if JOB.id in {m.id for m in day.journal.memories()}:
            day.journal.forget(JOB.id)
        return asked(pairs)

    monkeypatch.setattr(reader, "asked", slowly)
    assert day.answers(["What do I live on?"], "both") == [UNKNOWN]


def test_a_reader_that_cannot_be_loaded_finds_nothing_and_doubts_nothing(day: Day) -> None:
    def load() -> Runtime:
        raise AdapterError("the skill is for another base", hint="reinstall pocketsleep")

    day.reader = Finder(load)
    assert day.answers(["What is my cat called?", "What do I live on?"], "both") == [
        "Your cat is called Gus.", "You live on... you haven't told me that."]
    assert day.reader.unread == "the skill is for another base; reinstall pocketsleep"


def test_notes_without_a_telling_word_are_no_trouble() -> None:
    assert seek(Knows({}), Index([Memory("The user is who they are.")], []), ["Who am I?"]) == [None]


# the real reader

ASKED = [("Which animal purrs in my kitchen?", CAT), ("What do I do for a living?", JOB), ("How should a hot drink be made for me?", TEA)]
NEVER = ["How old is my cat?", "What is my dentist called?", "Which tea does my sister drink?"]


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pocket]:
    with Pocket(Home(tmp_path_factory.mktemp("home"))) as pocket:
        yield pocket


@pytest.fixture(scope="module")
def finder(pocket: Pocket) -> Finder:
    finder = pocket.finder()
    assert finder is not None
    return finder


def test_the_dreamer_finds_notes_by_other_words(finder: Finder) -> None:
    index = Index(NOTES, [])
    assert seek(finder, index, [q for q, _ in ASKED]) == [note for _, note in ASKED]


def test_the_dreamer_says_what_a_note_does_not_tell(finder: Finder) -> None:
    assert seek(finder, Index(NOTES, []), NEVER) == [None] * len(NEVER)


def test_a_note_is_said_to_its_user(finder: Finder) -> None:
    assert finder.said(CAT) == "Your cat is called Gus."
    assert finder.said(Memory("When the user says \"hush\", the assistant should be brief.")) == 'When you say "hush", I should be brief.'


def test_doctor_says_how_notes_are_looked_up(pocket: Pocket, finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert care._lookup(pocket) == "by the dreamer"
    monkeypatch.setattr(pocket, "_finder", Finder(lambda: pick.another(pocket.card, pocket.base, None)))
    monkeypatch.setattr(pick, "serving", _refused)
    assert care._lookup(pocket) == "by their words alone: no engine can serve it here; another one"
    monkeypatch.setattr(pocket, "finder", lambda: None)
    assert "not installed" in care._lookup(pocket)
    monkeypatch.setattr(hooks, "having", lambda name: name == "recaller")
    assert care._lookup(pocket) == "as a plugin chooses"


def _refused(*anything: object, **more: object) -> None:
    raise MissingPart("no engine can serve it here", hint="another one")


def test_an_engine_that_talks_is_not_dressed_as_the_dreamer(pocket: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    only = Scripted()
    monkeypatch.setattr(pick, "serving", lambda *anything, **more: pick.Choice("scripted", "", lambda: only))
    with pytest.raises(BadInput, match="one engine"):
        pick.another(pocket.card, pocket.base, only)
    assert pick.another(pocket.card, pocket.base, None) is only


def test_closed_for_good_it_stays_closed() -> None:
    made: list[Scripted] = []

    class Closing(Scripted):
        def count(self, text: str) -> int:
            return len(text.split())

        def close(self) -> None:
            made.remove(self)

    def load() -> Runtime:
        made.append(Closing())
        return made[-1]

    finder = Finder(load)
    finder.unsaid([(CAT, "How old is my cat?")])
    assert len(made) == 1
    finder.close(for_good=True)
    assert finder.unsaid([(CAT, "How old is my cat?")]) == [seeking.DOUBTED]
    assert made == []


def test_what_is_too_long_to_read_is_neither_found_nor_doubted(finder: Finder) -> None:
    long = Memory("The user's cat is called Gus. " * 90, answer="Gus")
    asked = "What is my cat called?"
    assert finder.asked([(long, asked), (CAT, asked)])[0] < -1000 < finder.asked([(CAT, asked)])[0]
    assert finder.unsaid([(long, asked)]) == [seeking.DOUBTED]


def test_a_day_has_the_finder_and_a_rest_lets_go_of_it(pocket: Pocket, finder: Finder) -> None:
    assert pocket.day().reader is finder
    finder.unsaid([(CAT, "How old is my cat?")])
    assert finder._runtime is not None
    pocket._rest()
    assert finder._runtime is None
    assert finder.unsaid([(CAT, "How old is my cat?")])[0] > seeking.DOUBTED  # it is loaded again
    assert finder.unsaid([]) == finder.asked([]) == []
