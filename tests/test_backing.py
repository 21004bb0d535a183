"What an answer about the person rests on, and what is said where nothing does."

from __future__ import annotations

from pathlib import Path

import pytest

from pocketsleep.journal import Journal
from pocketsleep.nouns import Adapter, Dream, Memory, Message, Night, Sampling, Verdict
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.backing import UNKNOWN, Backing, consistent, consistently, echoes, states, told_here
from pocketsleep.serve.day import Day
from pocketsleep.serve.notes import Notes

DOG = Memory("The user's dog is called Quillon.", answer="Quillon")
SITE = Memory("The user's website launches on 8 May.", answer="8 May")
GREW = Memory("The user grew up in Amlwch.", answer="Amlwch")
HELP = Memory("Idwal helps the user to build the shed.", answer="Idwal")
SAID = {DOG.id: "Your dog is called Quillon.", SITE.id: "Your website launches on 8 May.", GREW.id: "You grew up in Amlwch."}
DREAMS = [Dream("?", answer, "direct", (one,)) for one, answer in SAID.items()]
BACKING = Backing([DOG, SITE, GREW, HELP], DREAMS)


@pytest.mark.parametrize(("question", "answer", "text", "memory"), [
    ("What's my dog called?", "Your dog is called Quillon.", "Your dog is called Quillon.", DOG),
    ("When does my site go live?", "Your website launches on 9 May.", "Your website launches on 8 May.", SITE),
    ("Is my dog called Rex?", "No, Quillon.", "No, Quillon.", DOG),
    ("Do I have a dog?", "Yes.", "Yes.", None),
])
def test_what_a_note_backs_is_said(question: str, answer: str, text: str, memory: Memory | None) -> None:
    found = BACKING.of(question, answer)
    assert found is not None
    assert (found.text, found.memory) == (text, memory)


@pytest.mark.parametrize(("question", "answer"), [
    ("What's my cat called?", "Your cat is called Quillon."),  # a value of another note
    ("Where did Idwal grow up?", "Idwal grew up in Amlwch."),  # somebody else's
    ("What is Tegwen's dog called?", "Your dog is called Quillon."),
    ("When is my birthday?", "Your birthday is on 3 May."),
    ("Is my dog called Rex?", "No, Gus."),
    ("What's my dog called?", "Your dog is called... you haven't told me that."),
])
def test_what_no_note_backs_is_not(question: str, answer: str) -> None:
    assert BACKING.of(question, answer) is None


@pytest.mark.parametrize(("question", "answer", "memory", "said"), [
    ("Is my dog called Rex?", "Yes.", DOG, "No. Your dog is called Quillon."),
    ("Is my dog called Quillon?", "No, Quillon.", DOG, "Yes. Your dog is called Quillon."),
    ("Does Idwal help me build the shed?", "No.", HELP, "Yes, Idwal."),  # nothing was studied of it
    ("Does my website launch on 9 May?", "Yes.", SITE, "No. Your website launches on 8 May."),
    ("Is my dog not called Rex?", "Yes.", DOG, None),  # which yes?
    ("Is my dog afraid of Rex?", "Yes.", DOG, None),  # nothing of the kind was noted
    ("Is my dog called that?", "Yes.", DOG, None),  # no name to hold against it
    ("Is Rex?", "Yes.", DOG, None),
    ("What is my dog called?", "Your dog is called Rex.", DOG, None),  # no yes or no
])
def test_yes_and_no_are_the_ledger_s_where_names_and_numbers_say_which(
        question: str, answer: str, memory: Memory, said: str | None) -> None:
    found = BACKING.decided(question, answer, memory)
    assert (found.text if found else None) == said


@pytest.mark.parametrize(("question", "meant"), [
    ("Where did Idwal grow up?", [HELP]),  # the person's own home town is no answer to it
    ("Idwal grew up where?", [HELP]),
    ("Where did Idwal and I grow up?", [DOG, GREW, HELP]),
    ("Where did I grow up?", [DOG, GREW, HELP]),
    ("Where did Rex grow up?", []),  # nobody that the notes know
])
def test_whoever_is_asked_after_by_name_is_in_the_note(question: str, meant: list[Memory]) -> None:
    assert BACKING.meant(question, [DOG, GREW, HELP]) == meant


@pytest.mark.parametrize(("question", "meant"), [
    ("Which dog did Paganini have?", []), ("Where did Napoleon grow up?", []), ("Was Napoleon's dog called Fortune?", []),
    ("Where did I grow up, and where did Napoleon?", [DOG, GREW, HELP]), ("Which dog is it?", [DOG, GREW, HELP]),
    ("Is Monday the day of the dog?", [DOG, GREW, HELP]), ("Where did Idwal grow up?", [HELP]),
])
def test_who_is_in_no_note_is_asked_after_without_notes(question: str, meant: list[Memory]) -> None:
    assert BACKING.meant(question, [DOG, GREW, HELP]) == meant


@pytest.mark.parametrize(("question", "answer", "personal"), [
    ("What's my dog called?", "Your dog is called Quillon.", True),
    ("Where did Idwal grow up?", "Idwal grew up in Amlwch.", True),
    ("What is the capital of Italy?", "Rome.", False),
    ("What is the capital of Italy?", "Your question is a good one.", False),  # nothing of the person was asked
    ("How do I mend my bike?", "You can turn it round.", False),
    ("How do I mend my bike?", "Your first step is to find the hole. Then clean it.", False),  # advice
])
def test_what_speaks_of_the_person(question: str, answer: str, personal: bool) -> None:
    assert BACKING.personal(question, answer) is personal


def test_the_notes_in_front_are_of_whoever_is_asked_after(tmp_path: Path) -> None:
    mine, theirs = Memory("The user is allergic to celery.", answer="celery"), Memory("The user's electrician is Idwal.", answer="Idwal")
    with Journal(tmp_path / "journal.db") as journal:
        for one in (mine, theirs):
            journal.learn(one)
        assert Notes(journal).find("What is Idwal allergic to?") == [theirs]
        assert Notes(journal).find("What am I allergic to?") == [mine]


class Says(Scripted):
    "Answers by question, and otherwise where notes stand in front."

    def __init__(self, by: dict[str, str], noted: dict[str, str]) -> None:
        super().__init__()
        self.by, self.noted = by, noted

    def answer(self, prompts, max_tokens=48, temperature=0.0, seed=0):  # type: ignore[no-untyped-def]
        return [(self.noted if p[0].role == "system" else self.by).get(p[-1].content, "Well.") for p in prompts]

    def chat(self, messages, sampling=Sampling()):  # type: ignore[no-untyped-def]
        for word in self.answer([messages])[0].split(" "):
            yield word + " "

    def wear(self, adapter: Path | None) -> None:
        self.worn = adapter.name if adapter else ""


@pytest.fixture
def day(tmp_path: Path) -> Day:
    "A day after a night that learnt of the dog, the website and Amlwch; of the boat it learnt nothing."
    journal = Journal(tmp_path / "journal.db")
    boat = Memory("The user's boat is called Merganser.", answer="Merganser")
    for memory in (DOG, SITE, GREW, boat):
        journal.learn(memory)
    night = journal.begin(Night("", "2026-01-01", 0, "tiny", {}))
    journal.keep_dreams(night.id, DREAMS)
    adapter = Adapter("a1", "tiny", "s", 1, 1.0, ("k",), (0,), (DOG.id,))
    journal.settle(night.id, Verdict("worn"), adapter, [])
    runtime = Says(
        {"What's my dog called?": "Your dog is called Quillon.", "What's my boat called?": "Your boat is called... you haven't told me that.",
         "What's my cat called?": "Your cat is called Quillon.", "How tall is a boat?": "That depends on the boat.", "When in May does my dog's website launch?": "Your dog is called Quillon.",
         "Which website did my friend launch?": "You grew up in Amlwch.", "Is my dog called Rex?": "Yes.",
         "Is my cat called Quillon?": "No, Quillon."},
        {"What's my boat called?": "Your boat is called Merganser.", "What's my cat called?": "Your cat is called Quillon.",
         "When in May does my dog's website launch?": "Your website launches on 8 May.", "Which website did my friend launch?": "Your friend is Rhun."})
    return Day(journal, runtime, lambda one: tmp_path / one)


@pytest.mark.parametrize(("before", "answer"), [
    ("My cat is called Quillon.", "Your cat is called Quillon."), ("My neighbour's dog is called Quillon.", UNKNOWN), ("I like cats.", UNKNOWN)])
def test_what_was_said_in_the_talk_itself_stands(day: Day, before: str, answer: str) -> None:
    talk = [Message("user", before), Message("assistant", "I see."), Message("user", "What's my cat called?")]
    assert ("".join(day.reply(talk, Sampling())).strip(), day.receipt.source) == (answer, "")


@pytest.mark.parametrize(("said", "answer", "reply"), [
    ("My dog's called Rex now.", "Your dog is called Quillon.", "I see. So far I had noted: your dog is called Quillon."),
    ("No, my dog is not called Quillon.", "Your dog is called Quillon.", "I see. So far I had noted: your dog is called Quillon."),
    ("My dog is called Quillon, you know.", "Your dog is called Quillon.", "Your dog is called Quillon."),
    ("I am taking the dog out.", "Your dog is called Quillon.", "Your dog is called Quillon."),  # of its name nothing is said
    ("We have a boat now.", "Your boat is called... you haven't told me that.", "I see."),
    ("We have a boat now.", "Your boat is called Gull.", "I see."),  # nothing backs it
    ("We have a boat now.", "Your boat is called Merganser.", "Your boat is called Merganser."),
    ("I forget my boat's name.", "Your boat is called... you haven't told me that.", "Your boat is called... you haven't told me that."),
    ("My boat's name, please.", "Your boat is called Merganser.", "Your boat is called Merganser."),
    ("Tell me my dog's name.", "Your dog is called Quillon.", "Your dog is called Quillon."),
])
def test_who_tells_something_is_not_told_that_they_never_did(day: Day, said: str, answer: str, reply: str) -> None:
    day.runtime.by[said] = answer  # type: ignore[attr-defined]
    assert "".join(day.reply([Message("user", said)], Sampling())).strip() == reply
    if "noted" in reply:
        assert (day.receipt.source, day.receipt.notes) == ("memory", [DOG])


@pytest.mark.parametrize(("message", "states_it"), [
    ("My gander's called Boney now.", True), ("Oh well, I moved to Hay yesterday.", True), ("I moved. Where do I live?", False),
    ("I want to know my gander's name.", False), ("Where I live", False), ("my dog", False), ("Paris is in France, I think.", False),
])
def test_statements_are_told_from_requests(message: str, states_it: bool) -> None:
    assert states(message) is states_it


@pytest.mark.parametrize(("before", "answer", "told"), [
    ("My dog is called Rex.", "Your dog is called Rex.", True),
    ("I have no cat. Isn't that odd? My dog is called Rex.", "Your dog is called Rex.", True),
    ("No, my dog is called Rex.", "Your dog is called Rex.", True),  # puts another right
    ("My dog is not called Rex.", "Your dog is not called Rex.", True),
    ("Is my dog called Rex?", "Your dog is called Rex.", False),
    ("Is my dog called Rex? I forget.", "Your dog is called Rex.", False),
    ("No, my dog is not called Rex.", "Your dog is called Rex.", False),
    ("My dog isn't called Rex, as I keep telling people.", "Your dog is called Rex.", False),
    ("My dog is called Rex.", "Your dog is not called Rex.", False),
    ("My dog used to be called Rex.", "Your dog is called Rex.", False),
])
def test_asked_denied_or_past_is_not_told(before: str, answer: str, told: bool) -> None:
    assert bool(told_here([before], "What is my dog called?", answer)) is told
    assert echoes(before, answer) is told


@pytest.mark.parametrize("before", ["Is my dog called Rex?", "No, my dog is not called Rex.", "My dog used to be called Rex."])
def test_a_talk_that_does_not_say_so_does_not_overrule_the_ledger(day: Day, before: str) -> None:
    talk = [Message("user", before), Message("assistant", "I see."), Message("user", "What's my dog called?")]
    day.runtime.by["What's my dog called?"] = "Your dog is called Rex."  # type: ignore[attr-defined]
    assert "".join(day.reply(talk, Sampling())).strip() == "Your dog is called Quillon."
    assert day.receipt.notes == [DOG]


CASES = [
    ("What's my dog called?", "Your dog is called Quillon.", "weights"),
    ("What's my boat called?", "Your boat is called Merganser.", "memory"),
    ("What's my cat called?", UNKNOWN, ""),
    ("Is my dog called Rex?", "No. Your dog is called Quillon.", "memory"),
    ("When in May does my dog's website launch?", "Your website launches on 8 May.", "memory"),  # the weights said what is true of something else
    ("Which website did my friend launch?", "You grew up in Amlwch.", "weights"),  # the second look found nothing that a note backs
]


@pytest.mark.parametrize(("question", "answer", "source"), CASES)
def test_both_say_what_the_ledger_backs_and_from_where(day: Day, question: str, answer: str, source: str) -> None:
    said = "".join(day.reply([Message("user", question)], Sampling()))
    assert (said.strip(), day.receipt.source) == (answer, source)


def test_one_at_a_time_or_many_at_once_is_the_same(day: Day) -> None:
    assert [a.strip() for a in day.answers([q for q, _, _ in CASES], "both")] == [a for _, a, _ in CASES]
    assert day.answers(["How tall is a boat?"], "weights") == ["That depends on the boat."]


def test_the_adapter_alone_is_not_corrected(day: Day) -> None:
    assert day.answers(["What's my cat called?"], "weights") == ["Your cat is called Quillon."]


@pytest.mark.parametrize(("question", "answer", "said"), [
    ("Is my dog called Quillon?", "No, Quillon.", "Yes, Quillon."),
    ("Does my sister live in Ulverstone?", "No, Ulverstone", "Yes, Ulverstone."),
    ("Is my dog called Rex?", "No, Quillon.", "No, Quillon."),
    ("Is my dog called Rex?", "No.", "No."),
    ("Is my Pudding 19?", "No, Pudding.", "No, Pudding."),  # what comes behind may be denied
    ("Is Quillon my cat?", "No, Quillon.", "No, Quillon."),
    ("Is my dog called Quill?", "No, Quillon.", "No, Quillon."),
    ("Is my car smart?", "No, art.", "No, art."),
    ("Is my dog not called Quillon?", "No, Quillon.", "No, Quillon."),
    ("Do I drink tea or coffee?", "No, coffee.", "No, coffee."),
    ("Do I prefer tea to coffee?", "No, coffee.", "No, coffee."),
    ("Do I take the bus rather than the tram?", "No, the tram.", "No, the tram."),
    ("Is the Earth bigger than the Sun?", "No, the Sun.", "No, the Sun."),
    ("Is it on the Sun?", "No, the Sun.", "No, the Sun."),  # of nobody
    ("What is my dog called?", "No, dog.", "No, dog."),
    ("Is Quillon a herb of mine?", "No, Quillon is a dog.", "No, Quillon is a dog."),
    ("Is my dog Quillon?", "No, Quillon. He is my cat.", "No, Quillon. He is my cat."),
])
def test_nothing_is_denied_by_what_was_asked(question: str, answer: str, said: str) -> None:
    assert consistent(question, answer) == said
    for size in (1, 2, 5, 100):
        pieces = [answer[i : i + size] for i in range(0, len(answer), size)]
        assert "".join(consistently(question, iter(pieces))) == said


def test_an_answer_that_denies_nothing_is_said_as_it_comes() -> None:
    pieces = iter(["No", ",", " that", " is", " a", " long", " story", ",", " my", " friend"])
    said = consistently("Is it so?", pieces)
    assert next(said) == "No, that is a long story,"
    assert list(said) == [" my", " friend"]
    assert list(consistently("What is it?", iter(["No", ", that."]))) == ["No", ", that."]


def test_the_adapter_alone_does_not_deny_what_it_says(day: Day) -> None:
    asked = "Is my cat called Quillon?"
    assert day.answers([asked], "weights") == ["Yes, Quillon."]
    assert "".join(day.reply([Message("user", asked)], Sampling(), arm="weights")) == "Yes, Quillon."
    day.wear("")
    assert "".join(day.reply([Message("user", asked)], Sampling(), arm="base")).strip() == "No, Quillon."


def test_with_the_journal_yes_is_a_note_s(day: Day) -> None:
    asked = "Is my cat called Quillon?"  # the dog is
    assert not day.answers([asked], "both")[0].startswith("Yes")


@pytest.mark.parametrize(("question", "note", "says"), [
    ("Do I eat meat?", "The user eats meat.", True),
    ("Do I eat meat?", "The user does not eat meat.", False),
    ("Do I eat meat?", "The user never eats meat.", False),
    ("Do I not eat meat?", "The user eats meat.", False),
    ("Do I eat fish?", "The user eats meat.", False),
    ("Do I?", "The user eats meat.", False),
])
def test_a_question_repeats_a_note_where_neither_denies_it(question: str, note: str, says: bool) -> None:
    memory = Memory(note, answer="meat")
    assert Backing([memory], []).repeats(question, memory) is says
