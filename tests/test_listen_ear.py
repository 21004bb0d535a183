"The trained ear: what it is shown, what it chooses, what it may write."

from __future__ import annotations

import contextlib
from typing import ClassVar

import numpy as np
import pytest

from pocketsleep import cards
from pocketsleep.night.extract import extract
from pocketsleep.night.gather import Gathered
from pocketsleep.night.listen import ear
from pocketsleep.night.listen import said as shown
from pocketsleep.night.listen.ear import DOUBTED, LIKELY, Heard, Note, _written, likeliest, written
from pocketsleep.night.listen.hear import span
from pocketsleep.night.listen.heart import heart
from pocketsleep.night.listen.naming import naming
from pocketsleep.night.listen.people import Candidate, People
from pocketsleep.night.listen.probe import Probe, average_precision, features, fit, recall_at
from pocketsleep.night.listen.said import Said, laid_out, writing
from pocketsleep.night.listen.sentences import sentences
from pocketsleep.night.listen.tell import as_candidate
from pocketsleep.nouns import Cite, Episode, Memory, Turn


def said(text: str, before: str = "", known: tuple[str, ...] = ()) -> Said:
    return Said(text, tuple(sentences(text, 0, len(text))), before, known)


def letters(text: str) -> list[int]:
    return [ord(c) for c in text]


def test_a_message_is_shown_twice_and_read_the_second_time():
    one = said("I keep goats. What is hay?", "Hello.")
    ids, spans = laid_out(one, letters)
    text = "".join(map(chr, ids))
    assert text.count("I keep goats.") == 2
    assert [text[a:b] for a, b in spans] == ["I keep goats.", "What is hay?"]
    assert spans[0][0] > text.index(shown.AGAIN)


def test_a_sentence_that_does_not_fit_is_not_read():
    one = said("A short one. " + "b" * 2 * shown.LONGEST + ".")
    _, spans = laid_out(one, letters)
    assert spans[0] != (0, 0)
    assert spans[1] == (0, 0)
    state = np.ones((len(laid_out(one, letters)[0]), 2, 3), np.float32)
    rows = list(features([one], iter([state]), [spans]))
    assert len(rows) == 2
    assert rows[0][:12].all()
    assert not rows[1][:12].any()
    assert len(rows[0]) == len(rows[1])


def test_the_writer_sees_the_sentence_what_led_up_to_it_and_whom_it_names():
    one = said("Nice day. Maud moved to Hull.", "Hi.", ("The user's sister is called Maud.", "The user's cat is called Ox."))
    (message,) = writing(one, one.sentences[1])
    assert "Sentence: Maud moved to Hull." in message.content
    assert "Before: Nice day." in message.content
    assert "sister is called Maud" in message.content
    assert "Ox" not in message.content


def test_only_whole_lines_whose_answer_stands_in_them_are_notes():
    told = "The user has a cat called Ox. | Ox\nnone\nThe user is tall. | short\nThe sky is blue. | blue\nThe user ha"
    assert written(told) == [Note("The user has a cat called Ox.", "Ox")]


def test_the_probe_finds_a_direction_and_survives_a_file(tmp_path):
    chance = np.random.default_rng(0)
    x = chance.normal(size=(400, 12))
    y = (x[:, 3] - 0.5 * x[:, 11] > 0).astype(float)
    probe = fit(x, y, 0.01, 1.0, 2, "base")
    assert average_precision(y, probe.chances(x)) > 0.97
    assert recall_at(y, probe.chances(x), 0.9)[0] > 0.8
    probe.write(tmp_path / "ear.npz")
    again = Probe.read(tmp_path / "ear.npz")
    assert again.of == "base"
    assert np.allclose(again.chances(x), probe.chances(x), atol=1e-4)


def test_precision_and_recall_by_hand():
    y, scores = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(y, scores) == pytest.approx((1 + 2 / 3) / 2)
    assert recall_at(y, scores, 0.6) == (1.0, 0.7)
    assert recall_at(y, scores, 1.0) == (0.5, 0.9)


def heard_by(text: str, *heard: Heard, live: tuple[Memory, ...] = ()):
    episode = Episode("e", (Turn("user", text),), "2026-01-01T00:00:00+00:00")
    return extract(Gathered((episode,), (Cite("e", 0),), ()), live, lambda messages: [list(heard) for _ in messages])


def test_what_rules_miss_the_ear_writes_down_and_cites():
    found = heard_by("Ludlow again for the stall, every Friday of the year.", Heard(0.9, (Note("The user's stall is at Ludlow.", "Ludlow"),), "The user's stall is at Ludlow."))
    assert [(m.text, m.answer, m.cites) for m in found.memories] == [("The user's stall is at Ludlow.", "Ludlow", (Cite("e", 0),))]


def test_beside_what_rules_read_stands_what_the_ear_wrote_of_something_else():
    name, place = "The user's sister is called Cicely.", "The user's sister is at Sheringham."
    notes = Note(place, "Sheringham"), Note("The user's Cicely is a sister.", "Cicely")
    said = "My sister is called Cicely, Sheringham these days."
    assert [m.text for m in heard_by(said, Heard(0.9, notes, place)).memories] == [name, place]
    assert [m.text for m in heard_by(said, Heard(DOUBTED / 2, notes, place)).memories] == []


def test_a_note_is_believed_before_the_clause_as_it_was_said():
    said, note, clause = "Since the flood, my stall runs out of Ludlow.", "The user's stall is in Ludlow.", "The user's stall runs out of Ludlow."
    assert [m.text for m in heard_by(said, Heard(0.9, (Note(note, "Ludlow"),), note)).memories] == [note]
    assert [m.text for m in heard_by(said, Heard(0.9, (), note)).memories] == [clause]


def test_a_note_that_only_denies_what_the_assistant_said_is_none():
    note = "The user is not in Herefordshire."
    for answering, kept in (("How lovely that you live in Herefordshire!", 0), ("How lovely!", 1)):
        turns = Turn("assistant", answering), Turn("user", "not in Herefordshire, mind, whatever the map says")
        episode = Episode("e", turns, "2026-01-01T00:00:00+00:00")
        ear = lambda messages: [[Heard(0.9, (Note(note, "Herefordshire"),), note)] for _ in messages]  # noqa: E731
        assert len(extract(Gathered((episode,), (Cite("e", 1),), ()), (), ear).memories) == kept


class Writer:
    "Drafts by heart; `begins` and seeds as they came."

    drafts = ("The user's stall is at Ludlow. | Ludlow", "The user is at Ludlow. | Ludlow\nThe user's stall is in Rome. | Rome", "nothing", "The user is a stall. | stall")
    likely: ClassVar = {"The user's stall is at Ludlow.": -0.3, "The user is at Ludlow.": -0.2, "The user is a stall.": -0.6}

    def __init__(self):
        self.asked = []

    def answer(self, prompts, max_tokens, temperature, seed, begins):
        self.asked.append((temperature > 0, seed, begins))
        return [self.drafts[seed]] * len(prompts)

    def score(self, pairs):
        return [[self.likely[text.split(" | ")[0]]] * 3 for _, text in pairs]


class Skilled:
    def __init__(self):
        self.runtime = Writer()

    def wearing(self, name):
        return contextlib.nullcontext(self.runtime)


def test_the_likeliest_draft_that_holds_is_kept_and_all_are_spelled_from_what_was_said():
    skills, message = Skilled(), said("the stall is at Ludlow every Friday")
    notes, greedy = _written(skills, [message], [(0, 0)])[0, 0]
    assert [n.text for n in notes] == ["The user is at Ludlow."]
    assert greedy == Writer.drafts[0]
    assert [(warm, seed) for warm, seed, _ in skills.runtime.asked] == [(False, 0), (True, 1), (True, 2), (True, 3)]
    for _, _, (may,) in skills.runtime.asked:
        assert may("The user's stall is at Lud")
        assert not may("The user's stall is in R")
    assert _written(skills, [message], []) == {}


def test_what_an_open_question_asked_for_may_be_said_of_its_answer():
    note, core = "The user's pump is a Honda.", "Honda"
    for question, kept in (("Sure. Which pump do you have?", True), ("Is it a pump?", False), ("Shall I ask when your pump comes?", False), ("Sure. And for which pump?", True), ("What a pump! Anything else?", False)):
        before = Said("an old Honda. why", said("an old Honda. why").sentences, question)
        assert ear._holds(Note(note, core), before, 0) is kept
        assert ear._holds(Note(note, "pump"), before, 0) is False, "the core is the person's own"
        turns = Turn("assistant", question), Turn("user", "an old Honda")
        listen = lambda messages: [[Heard(0.9, (Note(note, core),), note)] for _ in messages]  # noqa: E731
        episode = Episode("e", turns, "2026-01-01T00:00:00+00:00")
        assert [m.text for m in extract(Gathered((episode,), (Cite("e", 1),), ()), (), listen).memories] == [note] * kept


def test_the_words_of_a_note_stand_in_its_sentence_or_the_one_before():
    message, note = said("My Garmin died in the pool. Forerunner 245, four years old. I still swim."), Note("The user's Garmin is a Forerunner 245.", "Forerunner 245")
    assert [ear._holds(note, message, n) for n in range(3)] == [False, True, False]


def test_what_says_nothing_is_no_core():
    note = 'When the user says "SHEET", the assistant should turn whatever the user has pasted into a table.'
    for answer, core in (("whatever the user has pasted into", "table"), ("a table", "a table"), ("the user has pasted", "table")):
        assert span(Candidate(note, "procedure", answer)) == core


def test_a_draft_that_is_not_likely_is_none():
    a, b = Note("a", "a"), Note("b", "b")
    assert likeliest([[(-0.3, a), (-0.9, b)], [(-0.2, b)], []]) == (b,)
    assert likeliest([[(-0.3, a), (-0.4, b)], [(-0.45, b)]]) == (a, b)
    assert likeliest([[(LIKELY - 0.01, a)], []]) == ()


def test_a_note_with_a_word_that_was_not_said_is_dropped():
    found = heard_by("Friday again for the stall, every week of the year.", Heard(0.9, (Note("The user's stall is at Ludlow.", "Ludlow"),), "The user's stall is at Ludlow."))
    assert not found.memories
    assert "ludlow" in found.dropped[-1].reason


def test_a_doubted_rule_is_not_believed():
    believed = heard_by("My dog is called Rex.", Heard(0.9))
    assert [m.text for m in believed.memories] == ["The user's dog is called Rex."]
    doubted = heard_by("My dog is called Rex.", Heard(DOUBTED / 2))
    assert not doubted.memories
    assert doubted.dropped[-1].reason.startswith("doubted")


def test_a_secret_is_not_written_down_by_the_ear():
    found = heard_by("the wifi password is heron77", Heard(0.9, (Note("The user's wifi password is heron77.", "heron77"),), "heron77"))
    assert not found.memories


def test_pretence_and_quotations_are_not_shown_to_the_ear():
    shown_to: list[Said] = []

    def ear(messages):
        shown_to.extend(messages)
        return [[Heard(0.0) for _ in m.sentences] for m in messages]

    turns = (Turn("user", 'Shorten this: "I live in Hay and keep three parrots in the attic of my house."'),
             Turn("assistant", "Done."), Turn("user", "Pretend I am a lighthouse keeper. I live on Skomer."),
             Turn("assistant", "Aye."), Turn("user", "My dog is called Rex.", taint="pasted"))
    extract(Gathered((Episode("e", turns),), tuple(Cite("e", i) for i in (0, 2, 4)), ()), (), ear)
    assert not any("parrots" in s.text for m in shown_to for s in m.sentences)
    assert not any("Skomer" in s.text for m in shown_to for s in m.sentences)
    assert not any("Rex" in m.text for m in shown_to)


@pytest.mark.parametrize(("note", "span"), [
    ("The user is allergic to peanuts.", "peanuts"),
    ("The user wants distances in miles.", "miles"),
    ("The user's website launches on 3 June.", "3 June"),
    ("The user keeps six alpacas.", "six alpacas"),
    ("When the user says 'boil it', the text must be cut down to two lines.", "two lines"),
    ("Anwen helps the user to paint the boat.", "Anwen"),
    ("Petra, the user's sister, studies botany.", "botany"),
    ("The user does not want semicolons in mails written for them.", "semicolons"),
    ("The user's bow was made by Tubbs.", "Tubbs"),
    ("The user's tea is gunpowder green.", "gunpowder green"),
    ("The user goes to Vigo in Galicia.", "Vigo"),
    ("The user's vat holds 5,300 litres all told.", "5,300 litres"),
    ("The user takes 300 grams of oats.", "300 grams"),
    ("The user's tank holds 40 l.", "40 l"),
    ("The user's shift begins at 6 am.", "6 am"),
    ("The user charges £40 an hour.", "£40"),
])
def test_the_heart_of_a_note(note, span):
    assert heart(note) == span


def test_the_shipped_probe_is_of_the_default_base():
    probe = Probe.read(cards.skills() / "ear.npz")
    assert probe.of == cards.find(cards.DEFAULT).sha256
    assert len(probe.mean) == len(probe.weights)


@pytest.mark.parametrize(("before", "said", "notes"), [
    ("", "that was for tamsin, my eldest, she starts on saturday", ["The user's eldest is called Tamsin."]),
    ("", "do a little card for Jolanta, my saturday girl", ["The user's saturday girl is called Jolanta."]),
    ("", "Ring Yewande, our electrician.", ["The user's electrician is called Yewande."]),
    ("", "my hometown, Amlwch, is dull", ["The user's hometown is called Amlwch."]),
    ("", "We went to London, my favourite city.", ["The user's favourite city is London."]),
    ("", "not till 19 November, that's my birthday, so wait", ["The user's birthday is on 19 November."]),
    ("Bonaparte has bitten the postman.", "He's our gander and he's got views.", ["The user's gander is called Bonaparte."]),
    ("Gubbins has had a mouse.", "He's a good cat but can mice get in?", ["The user's cat is called Gubbins."]),
    ("Gubbins has met Bonaparte. Bonaparte was cross.", "He's a good cat.", []),
    ("", "Thanks, my friend.", []),
    ("", "Yes, my fault.", []),
    ("", "Not on Monday, my day off.", []),
    ("Tom has written.", "He's a good plumber.", []),
])
def test_names_in_passing(before, said, notes):
    assert [c.text for c in naming(said, before, People())] == notes


def test_names_are_taken_from_chosen_sentences_alone():
    for chance, found in ((0.9, 1), (0.3, 0)):
        heard = heard_by("Gubbins has caught a mouse. He's a good cat.", Heard(0.3), Heard(chance))
        assert [m.text for m in heard.memories].count("The user's cat is called Gubbins.") == found


def test_a_wish_beside_what_rules_read_is_kept():
    text = "I've got nine hives, so no phone calls before 1 pm until further notice."
    found = heard_by(text, Heard(0.9, (), "The user does not want phone calls before 1 pm."))
    assert {m.kind for m in found.memories} == {"fact", "preference"} or {m.kind for m in found.memories} == {"relation", "preference"}
    assert any("no phone calls before 1 pm" in m.text for m in found.memories)


def test_a_joke_that_is_asked_for_is_not_heard():
    text = "Make me a joke for the programme: as the reigning Queen of Norway I have played before larger crowds."
    written_down = Note("The user has a reigning Queen of Norway.", "reigning Queen of Norway")
    assert not heard_by(text, Heard(0.9, (written_down,), written_down.text)).memories


def test_who_somebody_is_to_the_user_is_said_once() -> None:
    note = "The user's son Macsen is the user's son."
    heard = heard_by("Macsen needs a note for the dentist, he's my son.", Heard(0.9, (Note(note, "Macsen"),), note))
    assert [(m.text, m.answer, m.kind) for m in heard.memories] == [("The user's son is called Macsen.", "Macsen", "relation")]
    assert [c.answer for c in naming("ring the dentist, he's my brother", "", People())] == [], "who goes by a trade has no name yet"
    kept = Note("The user's son Macsen is the user's heir.", "heir")
    assert as_candidate(kept, "He's my heir.").text == kept.text
