"Dream sets chosen by what they teach."

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pocketsleep.bench import chosen
from pocketsleep.errors import BadInput
from pocketsleep.night import skill
from pocketsleep.nouns import Dream, Memory

pytestmark = pytest.mark.skilled

CAT, JOB = "The user's cat is called Zebulon.", "The user works as a bookbinder."


def note(text: str, answer: str, *asks: tuple[str, str]) -> dict[str, object]:
    return {"text": text, "answer": answer, "study": {"questions": [list(one) for one in asks]}}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    cat = note(CAT, "Zebulon", ("What is my cat called?", "Zebulon"), ("Who is Zebulon?", "your cat"), ("Who purrs here?", "Zebulon"),
               ("My tomcat's name?", "Zebulon"))
    job = note(JOB, "bookbinder", ("What do I do for a living?", "a bookbinder"), ("What is my trade?", "bookbinder"))
    rows = [{"memories": [cat]}, {"memories": [note("The user rows.", "rows", ("Do I row?", "yes")), job, {"text": "None."}]}]
    (tmp_path / "s1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "s1.jsonl"


def test_what_chooses_does_not_measure(written: Path) -> None:
    cat, job = chosen.noted(written, 9)
    assert cat.choosing == ("What is my cat called?", "My tomcat's name?")
    assert cat.asked == ("Who purrs here?",), "who Zebulon is asks for something else than the note's core"
    assert (job.memory.text, len(job.choosing), len(job.asked)) == (JOB, 1, 1)
    assert len(chosen.noted(written, 1)) == 1


def test_what_was_replaced_is_not_dreamt_of_beside_what_replaced_it(written: Path) -> None:
    new = {**note("The user's cat is called Gus.", "Gus", ("My cat's name?", "Gus"), ("Who mews?", "Gus")), "supersedes": CAT}
    with written.open("a") as file:
        file.write(json.dumps({"memories": [new]}) + "\n")
    assert [n.memory.answer for n in chosen.noted(written, 9)] == ["bookbinder", "Gus"]


class Told:
    "A learner that knows what it was taught, word for word, and is asked."

    def __init__(self) -> None:
        self.now: list[str] = []
        self.asked: list[list[str]] = []

    def taught(self, dreams: list[Dream], asked: list[tuple[Memory, str]]) -> dict[str, object]:
        self.now = [d.question for d in dreams]
        self.asked.append([q for _, q in asked])
        return {"taught": self.now}

    def by_note(self, asked: list[tuple[Memory, str]]) -> dict[str, float]:
        return {m.id: float(q in self.now) for m, q in asked}


def test_the_rewarded_sets_are_learnt_together_and_asked_what_chose_nothing() -> None:
    cat, job = Memory(CAT, answer="Zebulon"), Memory(JOB, answer="bookbinder")
    notes = [chosen.Noted(cat, ("Cat?",), ("Puss?",)), chosen.Noted(job, ("Job?",), ("Trade?",))]

    def of(*questions: str) -> dict[str, list[Dream]]:
        return {m.id: [Dream(q, m.answer, "paraphrase", (m.id,))] for m, q in zip((cat, job), questions, strict=True)}

    learner = Told()
    found = chosen._measured(learner, notes, [of("Tom?", "Job?"), of("Cat?", "Work?")], of("Mouser?", "Calling?"), lambda said: None)  # type: ignore[arg-type]
    assert found["arms"]["people"]["taught"] == ["Cat?", "Job?"], "each note's best set, from different draws"
    assert found["arms"]["own"]["taught"] == ["Tom?", "Job?"], "nothing speaks for any: the first draw"
    assert learner.asked == [["Puss?", "Trade?"]] * 5
    assert (found["chosen alike"], found["without own questions"]) == (0.5, 0)


def test_a_file_without_questions_says_so(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps({"memories": [{"text": CAT}]}))
    with pytest.raises(BadInput, match="no notes with questions"):
        chosen.noted(tmp_path / "s.jsonl", 9)
    with pytest.raises(BadInput, match="cannot be read as notes"):
        chosen.noted(tmp_path / "none.jsonl", 9)


def test_what_rewards_is_in_no_set() -> None:
    cat = Memory(CAT, answer="Zebulon")
    held = {cat.id: [Dream("What is my cat called?", "Zebulon.", "paraphrase", (cat.id,))]}
    asks = [("What is my cat called?", "paraphrase"), ("Who purrs at my place?", "paraphrase"), ("When was it born?", "unstated")]
    further = {cat.id: [Dream(q, "Zebulon.", form, (cat.id,)) for q, form in asks]}  # type: ignore[arg-type]
    assert list(chosen._unheld(cat, further, [{}, held])) == ["Who purrs at my place?"]
    assert list(chosen._unheld(cat, {}, [held])) == []


def test_the_best_rewarded_draw_is_chosen_and_the_first_where_none_is() -> None:
    assert chosen._best("a", [{"a": -3.0}, {"a": -1.0}, {"a": -2.0}]) == 1
    assert chosen._best("b", [{"a": -3.0}, {"a": -1.0}]) == 0


def test_sets_are_dreamt_learnt_and_asked_on_the_real_base(written: Path) -> None:
    said: list[str] = []
    found = chosen.chosen(written, "", 2, 2, said.append)
    assert (found["notes"], found["asked"], found["draws"]) == (2, 2, 2)
    assert list(found["arms"]) == ["untaught", "set 1", "set 2", "own", "people"]
    arms = found["arms"]
    assert all(arms[name]["nats"] < arms["untaught"]["nats"] for name in ("set 1", "set 2", "own", "people")), "nothing was learnt"
    assert arms["untaught"]["right"]["share"] == 0
    assert found["taught by"] == [skill.DREAMER, skill.MANNER], "the file is called as one that both were taught with"
    assert said[-1] == "learning what `people` chose"
