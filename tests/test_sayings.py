"What no night kept, quoted in the words it was said in."

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from pocketsleep.errors import NotFound
from pocketsleep.home import Home
from pocketsleep.journal import Journal
from pocketsleep.night.extract import meant
from pocketsleep.night.sayings import Sayings
from pocketsleep.nouns import Adapter, Cite, Dream, Episode, Memory, Message, Night, Sampling, Turn, Verdict
from pocketsleep.pocket import Pocket
from pocketsleep.serve.backing import UNKNOWN
from pocketsleep.serve.day import Day
from pocketsleep.serve.second import Looked, _when
from pocketsleep.serve.seek import Pair, seek_said
from tests.test_backing import Says
from tests.test_seek import CAT, JOB, Knows, choosing, talk

pytestmark = pytest.mark.skilled

BAND = "Our band's called Clatter Lane."
ASKED = "What is my band called?"


class Reads(Knows):
    "Knows sentences by their words alone."

    def asked(self, pairs: list[Pair]) -> list[float]:
        return super().asked(self._by_words(pairs))

    def unsaid(self, pairs: list[Pair]) -> list[float]:
        return super().unsaid(self._by_words(pairs))

    def _by_words(self, pairs: list[Pair]) -> list[Pair]:
        return [(self.on[q] if q in self.on and self.on[q].text == m.text else m, q) for m, q in pairs]


class Some(list[Memory]):
    "Sentences at hand."

    def __call__(self, question: str) -> list[Memory]:
        return [*self]

    def newest(self) -> list[Memory]:
        return []

    def nearest(self, question: str, most: int) -> list[Memory]:
        return []

    def without(self, turns: Collection[Cite]) -> Some:
        return Some(m for m in self if not set(m.cites) & set(turns))


def said(journal: Journal, name: str, *texts: str, at: str = "2026-03-04T12:00:00+00:00", **turn: object) -> None:
    turns = [Turn(role, text, said_at=at, **turn)  # type: ignore[arg-type]
             for one in texts for role, text in (("user", one), ("assistant", "I see, the band and the shed."))]
    journal.record(Episode(name, tuple(turns), at, "chat"))


class Lying(list[Memory]):
    "Sentences that share no word with a question, and lie near it."

    def __call__(self, question: str) -> list[Memory]:
        return []

    def newest(self) -> list[Memory]:
        return []

    def nearest(self, question: str, most: int) -> list[Memory]:
        return [*self]

    def without(self, turns: Collection[Cite]) -> Lying:
        return Lying(m for m in self if not set(m.cites) & set(turns))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def test_a_message_is_found_by_another_form_of_its_verb(journal):
    said(journal, "a", "I grew up in Amlwch, where my father taught.", "We keep three ponies.")
    assert [c.turn for c in journal.sayings("Where did I grow up?")] == [0]
    assert [c.turn for c in journal.sayings("What did my father teach?")] == [0]

def test_the_users_own_turns_are_found_by_any_telling_word_the_best_first(journal: Journal) -> None:
    said(journal, "c-1", "The band rehearses.", "We have a shed.", "Our band plays in the shed.")
    assert journal.sayings("Is my band in the shed?") == [Cite("c-1", 4), Cite("c-1", 0), Cite("c-1", 2)]
    assert journal.sayings("Is my band in the shed?", 1) == [Cite("c-1", 4)]
    assert journal.sayings("Which goat is it?") == journal.sayings("Who am I?") == journal.sayings('"*(') == []


def test_of_the_same_words_the_newest_come_first(journal: Journal) -> None:
    for name in ("c-1", "c-2"):
        said(journal, name, "Our band plays here.", at=f"2026-03-0{name[-1]}T12:00:00+00:00")
    assert journal.sayings("Where does the band play?") == [Cite("c-2", 0), Cite("c-1", 0)]


@pytest.mark.parametrize("turn", [{"private": True}, {"taint": "pasted"}, {"taint": "after_tool"}])
def test_what_is_private_or_not_theirs_is_not_found(journal: Journal, turn: dict[str, object]) -> None:
    said(journal, "c-1", BAND, **turn)
    assert journal.sayings("What is the band called?") == []


def test_what_was_left_out_or_forgotten_is_not_found(journal: Journal) -> None:
    said(journal, "c-1", BAND)
    said(journal, "c-2", "Our band has a drummer.")
    sayings = Sayings(journal)
    assert {m.text for m in sayings("Which band?")} == {BAND, "Our band has a drummer."}
    journal.exclude("pattern", "clatter*")
    assert {m.text for m in sayings("Which band?")} == {"Our band has a drummer."}
    journal.forget("c-2")
    assert sayings("Which band?") == []


def test_the_newest_that_no_night_has_heard_need_no_word_of_the_question(journal: Journal) -> None:
    for n in range(1, 5):
        said(journal, f"c-{n}", f"We saw film {n}. Was it good?", at=f"2026-03-0{n}T12:00:00+00:00")
    said(journal, "c-5", BAND, private=True)
    sayings = Sayings(journal)
    assert [m.text for m in sayings.newest()] == ["We saw film 4.", "We saw film 3.", "We saw film 2.", "We saw film 1."]
    night = journal.begin(Night("", "2026-03-04", 0, "tiny", {}))
    journal.settle(night.id, Verdict("nothing"), None, journal.unslept()[:6])
    assert [m.text for m in sayings.newest()] == ["We saw film 4."]


def test_an_answer_tells_which_message_it_quotes(journal: Journal) -> None:
    said(journal, "c-1", "We rehearse with the band.", f"Morning. {BAND}")
    said(journal, "c-2", f"Again: {BAND}", at="2026-03-05T12:00:00+00:00")
    quote = f'On 4 March 2026 you said: "{BAND}"'
    journal.record(Episode("c-3", (Turn("user", ASKED), Turn("assistant", quote), Turn("user", "Who?")), "2026-03-06", "chat"))
    assert journal.quoted_in(Cite("c-3", 1)) == [Cite("c-1", 2), Cite("c-2", 0)]
    assert journal.quoted_in(Cite("c-3", 2)) == journal.quoted_in(Cite("c-3", 0)) == journal.quoted_in(Cite("none", 0)) == []
    journal.hide(Cite("c-1", 2))
    assert Cite("c-1", 2) not in journal.quoted_in(Cite("c-3", 1))
    journal.forget("c-2")
    assert journal.quoted_in(Cite("c-3", 1)) == []


def test_they_are_read_where_nothing_with_words_of_the_question_answers(journal: Journal) -> None:
    said(journal, "c-1", "We moved to Stromness in May.", "I live for music.")
    home, asked = Memory("We moved to Stromness in May."), "Where do I live?"
    assert [m and m.text for m in seek_said(Reads({asked: home}), Sayings(journal), [asked, "Where?"])] == [home.text, None]


@pytest.mark.parametrize(("asked", "sentence", "told"), [
    ("Where did I grow up?", "She's lived in Ulverstone since she married.", False),
    ("What do I do?", "And they wash pots.", False),
    ("Where did I grow up?", "Sheep were all we had in Amlwch.", True),
    ("Where does my sister live?", "She's lived in Ulverstone since she married.", True),
    ("Where does Gwen live?", "She's lived in Ulverstone since she married.", True),
])
def test_a_sentence_on_somebody_it_does_not_name_answers_nothing_on_its_user(asked: str, sentence: str, told: bool) -> None:
    nearest = seek_said(Reads({asked: Memory(sentence)}), Lying([Memory(sentence)]), [asked])
    assert [m is not None for m in nearest] == [told]


def test_what_is_forgotten_in_this_very_moment_is_left_out(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    said(journal, "c-1", BAND)

    def gone(name: str) -> Episode:
        raise NotFound(name)

    monkeypatch.setattr(journal, "episode", gone)
    assert Sayings(journal)("Which band?") == []


def test_sentences_come_with_their_turn_and_date(journal: Journal) -> None:
    said(journal, "c-1", f"Fine day. {BAND} How do I tune it?", "Thanks.")
    found = Sayings(journal)("What is the band called?")
    assert [(m.text, m.cites, m.since) for m in found] == [
        ("Fine day.", (Cite("c-1", 0),), "2026-03-04T12:00:00+00:00"), (BAND, (Cite("c-1", 0),), "2026-03-04T12:00:00+00:00")]


@pytest.mark.parametrize("text", [
    "Is the band called Clatter Lane?", "What would you call the band",
    "Imagine I'm in a band called Clatter Lane.", "If I had a band I would call it Clatter Lane.",
    "Translate this: \"I play in a band that is called Clatter Lane and we play on Sundays in the hall.\"",
    "The band is called Clatter Lane, just kidding.", "My password for the band is clatterlane99.",
    "Someone said that the band is called Clatter Lane.",
])
def test_what_was_asked_pretended_supposed_joked_or_said_by_others_is_not_quoted(text: str) -> None:
    assert "latter" not in "".join(s.text for _, s in meant(Episode("c-1", (Turn("user", text),))))


def test_a_pretended_world_lasts_until_it_is_left() -> None:
    turns = [Turn(role, text) for text in ("Let's pretend that I am a pirate.", "I have a parrot.", "Back to reality: I have a cat.")
             for role, text in (("user", text), ("assistant", "Aye."))]
    assert "parrot" not in " ".join(s.text for _, s in meant(Episode("c-1", tuple(turns))))


@pytest.mark.parametrize(("answer", "left"), [("Clatter Lane", ["We rehearse on Sundays with the band."]), ("", [])])
def test_what_was_replaced_since_is_not_quoted(journal: Journal, answer: str, left: list[str]) -> None:
    said(journal, "c-1", f"{BAND} We rehearse on Sundays with the band.")
    old = Memory("The user's band is called Clatter Lane.", (Cite("c-1", 0),), answer=answer)
    journal.learn(old)
    assert len(Sayings(journal)("What is the band called?")) == 2
    journal.learn(Memory("The user's band is called Gravel.", answer="Gravel", supersedes=old.id))
    said(journal, "c-2", "Our band is loud.", f"{BAND} We rehearse on Sundays with the band.")  # the same talk, told again
    found = [m.text for m in Sayings(journal)("What is the band called?")]
    assert sorted(found) == sorted(["Our band is loud.", *left, *(["We rehearse on Sundays with the band."] if left else [])])


def test_it_is_quoted_with_its_date() -> None:
    def told(since: str, answers: float = 0.1) -> str | None:
        reader = Reads({ASKED: Memory(BAND)}, {ASKED: {Memory(BAND): answers}})
        sayings = Some([Memory("We have a band hall.", since=since), Memory(BAND, since=since)])
        looked = Looked(None, None, None, reader, sayings=sayings)  # type: ignore[arg-type]
        (one,) = looked.told([ASKED])
        assert one is None or (one.memory, one.said) == (None, True)
        return one and one.text

    assert told("2026-03-04T12:00:00+00:00") == f'On 4 March 2026 you said: "{BAND}"'
    assert told("") == f'You said: "{BAND}"'
    assert told("2026-03-04T12:00:00+00:00", 0.6) is None


@pytest.fixture(params=["before a night", "after one"])
def day(request: pytest.FixtureRequest, journal: Journal, tmp_path: Path) -> Day:
    for memory in (CAT, JOB):
        journal.learn(memory)
    said(journal, "c-1", f"Morning. {BAND}")
    if request.param == "after one":
        night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
        journal.keep_dreams(night.id, [Dream("What is my cat called?", "Your cat is called Gus.", "direct", (CAT.id,))])
        journal.settle(night.id, Verdict("worn"), Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (CAT.id,)), [])
    declined = "Your band is... you haven't told me that."
    by = {"What is my cat called?": "Your cat is called Gus.", ASKED: declined, "What is my boat called?": "Your boat is... you haven't told me that."}
    here = {ASKED: {Memory("Our band is Gravel now."): 0.2}}
    reader = Reads({ASKED: Memory(BAND), "What is my cat called?": CAT}, here)
    return Day(journal, Says(by if request.param == "after one" else {}, {}), lambda one: tmp_path / one, reader=reader,
               sayings=Sayings(journal))


def test_what_no_note_says_is_quoted_from_what_was_said(day: Day) -> None:
    quote = f'On 4 March 2026 you said: "{BAND}"'
    assert day.answers([ASKED], "both") == [quote]
    assert "".join(day.reply(talk(ASKED), Sampling())).strip() == quote
    assert (day.receipt.source, day.receipt.notes) == ("said", [])


@pytest.mark.parametrize(("chance", "quoted"), [(0.3, False), (0.7, True), (0.99, True)])
def test_an_answer_that_a_note_hardly_backs_gives_way_to_what_was_said(journal: Journal, tmp_path: Path, chance: float, quoted: bool) -> None:
    journal.learn(CAT)
    said(journal, "c-1", f"Morning. {BAND}")
    night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
    journal.settle(night.id, Verdict("worn"), Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (CAT.id,)), [])
    reader = Reads({ASKED: Memory(BAND)}, {ASKED: {CAT: chance, Memory(BAND): 0.1}})
    wrong = "Your cat is called Gus."
    today = Day(journal, Says({ASKED: wrong}, {}), lambda one: tmp_path / one, reader=reader, sayings=Sayings(journal))
    assert today.answers([ASKED], "both") == [f'On 4 March 2026 you said: "{BAND}"' if quoted else wrong]


@pytest.mark.parametrize(("nats", "quoted"), [(4.9, False), (5.1, True)])
@pytest.mark.parametrize("question", [ASKED, "Is my band called Clatter Lane?"])
def test_an_answer_gives_way_to_words_that_the_question_is_far_likelier_on(
        journal: Journal, tmp_path: Path, nats: float, quoted: bool, question: str) -> None:
    "A note that seems to answer is not enough, where a few words that lie near say it outright. Yes and no stay the weights'."
    journal.learn(CAT)
    said(journal, "c-1", f"Morning. {BAND}")
    night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
    journal.settle(night.id, Verdict("worn"), Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (CAT.id,)), [])

    class Sure(Reads):
        def asked(self, pairs: list[Pair]) -> list[float]:
            return [nats - 9 if m.text == BAND else -9.0 for m, _ in pairs]

    class Near(Sayings):
        def nearest(self, question: str, most: int) -> list[Memory]:
            return self(question)

    reader = Sure({question: Memory(BAND)}, {question: {CAT: 0.1, Memory(BAND): 0.1}})
    wrong = "Your cat is called Gus." if question == ASKED else "No, Gus."
    today = Day(journal, Says({question: wrong}, {}), lambda one: tmp_path / one, reader=reader, sayings=Near(journal))
    changed = quoted and question == ASKED
    assert today.answers([question], "both") == [f'On 4 March 2026 you said: "{BAND}"' if changed else wrong]
    if changed:  # what this talk says comes before what another one said, whether it is asked with a question mark or not
        plainly = question.rstrip("?")
        today.runtime.by[plainly] = wrong  # type: ignore[attr-defined]
        for one in (question, plainly):
            reader.on[one] = Memory(BAND)
            reader.chance[one] = {CAT: 0.1, Memory(BAND): 0.1}
            assert "you said" in "".join(today.reply(talk(one), Sampling()))
            reader.chance[one][Memory("It is Gravel.")] = 0.1
            assert "you said" not in "".join(today.reply(talk("It is Gravel.", one), Sampling()))


def test_an_answer_gives_way_to_another_note_that_the_question_is_far_likelier_on(journal: Journal, tmp_path: Path) -> None:
    for note in (CAT, JOB):
        journal.learn(note)
    night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
    journal.settle(night.id, Verdict("worn"), Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (CAT.id,)), [])
    asked = "What do I do all day?"
    reader = Knows({asked: JOB}, {asked: {CAT: 0.1}})
    today = Day(journal, Says({asked: "Your cat is called Gus."}, {}), lambda one: tmp_path / one, reader=reader)
    assert today.answers([asked], "both") == ["Your cat is called Gus."], "no night has placed it"
    reader.placed = [CAT.id, JOB.id]
    assert today.answers([asked], "both") == ["You are a dentist in Sligo."]
    reader.chance[asked] = {CAT: 0.1, JOB: 0.6}
    assert today.answers([asked], "both") == ["Your cat is called Gus."]


def test_a_note_comes_first_and_what_nobody_said_is_not_answered(day: Day) -> None:
    assert "".join(day.reply(talk("What is my cat called?"), Sampling())).strip() == "Your cat is called Gus."
    assert day.receipt.notes == [CAT]
    assert "you said" not in day.answers(["What is my boat called?"], "both")[0]


def test_what_this_talk_says_comes_before_what_another_one_said(day: Day) -> None:
    heard = "".join(day.reply(talk("Our band is Gravel now.", ASKED), Sampling()))
    assert "Clatter Lane" not in heard


def test_it_takes_a_reader_and_no_plugin_that_chooses(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    choosing(monkeypatch, [])
    assert "Clatter Lane" not in day.answers([ASKED], "both")[0]
    monkeypatch.undo()
    day.reader = None
    assert "Clatter Lane" not in day.answers([ASKED], "both")[0]


def test_other_arms_and_the_weights_alone_do_not_quote(day: Day) -> None:
    for arm in ("base", "weights", "recall"):
        assert "you said" not in day.answers([ASKED], arm)[0]  # type: ignore[arg-type]


def test_a_statement_is_not_answered_with_a_quotation(day: Day) -> None:
    day.runtime.by["My band plays tonight."] = UNKNOWN  # type: ignore[attr-defined]
    assert "Clatter" not in "".join(day.reply([Message("user", "My band plays tonight.")], Sampling()))


def test_the_real_reader_finds_what_was_said_and_nothing_else(tmp_path: Path) -> None:
    with Pocket(Home(tmp_path)) as pocket:
        said(pocket.journal, "c-1", "We need a poster for the ceilidh: the band's called Clatter Lane, Saturday, the chapel hall.")
        answers = pocket.day().answers(["What is my band called?", "What is my boat called?"], "both")
        assert "Clatter Lane" in answers[0]
        assert "Clatter Lane" not in answers[1]


@pytest.mark.parametrize("text", [
    "### Task: name this chat\n<chat_history>\nUSER: I live in Oslo.\nASSISTANT: My band is called Clatter Lane.\n</chat_history>",
    "Here is my friend's bio, proofread it please.\n\nI am a nurse from Cork. My band is called Clatter Lane.",
    "The patient is a man of 45. His band is called Clatter Lane.",
])
def test_what_is_not_surely_theirs_is_not_quoted(text: str) -> None:
    assert "Clatter" not in "".join(s.text for _, s in meant(Episode("c-1", (Turn("user", text),))))


def test_what_stands_before_what_was_pasted_is_theirs() -> None:
    text = "My band is called Clatter Lane. Proofread our bio please.\n\nWe are four nurses from Cork."
    assert [s.text for _, s in meant(Episode("c-1", (Turn("user", text),)))] == ["My band is called Clatter Lane.", "Proofread our bio please."]


def test_what_was_forgotten_is_not_quoted_from_what_no_night_has_heard(journal: Journal) -> None:
    dog = journal.learn(Memory("The user's dog is called Biscuit.", answer="Biscuit", told=True))
    said(journal, "c-1", "By the way, my dog is called Biscuit.", "My dog is called Biscuit.", "My dog is old.")
    assert dog is not None
    assert len(Sayings(journal)("What is my dog called?")) == 3
    journal.forget(dog.id)
    assert [m.text for m in Sayings(journal)("What is my dog called?")] == ["My dog is old."]
    assert [m.text for m in Sayings(journal).newest()] == ["My dog is old."]


@pytest.mark.parametrize("how", ["forget", "hide", "a memory"])
def test_a_quotation_goes_with_what_it_quotes(journal: Journal, how: str) -> None:
    said(journal, "c-1", BAND, "We have a shed.")
    note = journal.learn(Memory("The user's band is called Clatter Lane.", (Cite("c-1", 0),), answer="Clatter Lane"))
    quote = f'On 4 March 2026 you said: "{BAND}"'
    journal.record(Episode("c-2", (Turn("user", "And our group?"), Turn("assistant", quote), Turn("user", "Right."),
                                   Turn("assistant", 'You said: "Right."')), "2026-03-05", "chat"))
    assert note is not None
    if how == "hide":
        journal.hide("c-1")
    else:
        assert Cite("c-2", 1) in {cite for cite, _ in journal.goes_with(note.id if how == "a memory" else "c-1")}
        journal.forget(note.id if how == "a memory" else "c-1")
    assert [turn.text or "" for turn in journal.episode("c-2").turns] == ["And our group?", "", "Right.", 'You said: "Right."']
    assert journal.search_turns("Clatter Lane") == []
    assert journal.verify().findings == ()
    if how == "hide":
        journal.unhide("c-1")
        assert journal.episode("c-2").turns[1].text == quote


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-11:00", "never"])
def test_a_day_that_no_calendar_has_is_left_out(since: str) -> None:
    assert _when(Memory(BAND, since=since)).startswith(("You said", "On "))
