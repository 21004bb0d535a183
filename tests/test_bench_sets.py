"Public sets as lives: what is read, how answers are marked, and every arm over a tiny base. The files here are made up, in the sets' form."

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketsleep import cards
from pocketsleep.bench import arms, marks, plot, sets
from pocketsleep.bench.planted import Altered
from pocketsleep.cli import app
from pocketsleep.errors import BadInput
from tests import short

AUTHORS = [{"question": f"Where does Ilva Marn{n} live, {i}?", "answer": f"Ilva Marn{n} lives in Tuvik{i}."} for n in range(3) for i in range(20)]
PASSAGES = [{"title": f"Lake {n}", "context": f"Lake Oss{n} is deep. It is fed by the Vell. Its fish are blue.",
             "questions": [{"question": f"What feeds Lake Oss{n}?", "answer": "the Vell"}, {"question": "Its fish?", "answer": "blue"}]} for n in range(5)]
PREFERENCE = {"preference": "I never eat anything with fennel.", "question": "What shall I have for lunch?",
              "classification_task_options": ["Leek soup.", "Fennel soup.", "Fennel salad.", "Fennel pie."]}
TALK = {
    "sample_id": "talk-1",
    "conversation": {
        "speaker_a": "Odile", "speaker_b": "Bram", "session_1_date_time": "noon on 3 May", "session_2_date_time": "noon on 9 May",
        "session_1": [{"speaker": "Odile", "dia_id": "D1:1", "text": "I moved to Tuvik."}, {"speaker": "Bram", "dia_id": "D1:2", "text": "I got a dog."}],
        "session_2": [{"speaker": "Bram", "dia_id": "D2:1", "text": "And?"}, {"speaker": "Odile", "dia_id": "D2:2", "text": "I now row."}],
    },
    "observation": {"session_1_observation": {"Odile": [["Odile moved to Tuvik.", "D1:1"]], "Bram": [["Bram got a dog.", "D1:2"]]},
                    "session_2_observation": {"Odile": [["Rowing is what Odile does now.", "D2:2"]]}},
    "qa": [
        {"question": "Where did Odile move?", "answer": "Tuvik", "evidence": ["D1:1"], "category": 1},
        {"question": "What is Odile's sport, and has Odile moved?", "answer": "rowing", "evidence": ["D1:1; D2:2"], "category": 1},
        {"question": "What did Bram get?", "answer": "a dog", "evidence": ["D1:2"], "category": 1},
        {"question": "What did Odile paint?", "answer": "nothing", "evidence": ["D2:2"], "category": 5},
        {"question": "What will Odile do?", "answer": "sail", "evidence": ["D3:1"], "category": 3},
    ],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "mcq_options").mkdir()
    (tmp_path / "full.jsonl").write_text("".join(json.dumps(row) + "\n" for row in AUTHORS))
    for name, rows in (("passages", PASSAGES), ("locomo", [TALK]), ("mcq_options/food", [PREFERENCE] * 2), ("mcq_options/shoes", [PREFERENCE])):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    return tmp_path


def read(name: str, data: Path, *size: int) -> sets.Life:
    (life,) = sets.lives(name, data, sets.Size(*size))
    return life


def test_an_author_a_night(data: Path) -> None:
    life = read("tofu", data, 2, 3, 2)
    assert [len(day.notes) for day in life.days] == [3, 3]
    assert [(q.unit, q.night) for q in life.asked] == [("author 1", 1)] * 3 + [("author 2", 2)] * 3
    assert life.asked[0].golds == life.asked[0].context == ("Ilva Marn0 lives in Tuvik0.",)


def test_passages_are_spread_and_told_by_sentence(data: Path) -> None:
    life = read("squad", data, 2, 1, 2)
    assert [q.unit for q in life.asked] == ["1 Lake 0", "2 Lake 2"]
    assert life.days[1].notes == ("Lake Oss2 is deep.", "It is fed by the Vell.", "Its fish are blue.")
    assert life.asked[1].context == (PASSAGES[2]["context"],)
    assert len(read("squad", data, 5, 2, 1).days) == 1


def test_the_right_option_is_not_always_the_first(data: Path) -> None:
    life = read("prefeval", data, 3, 1, 1)
    assert [q.id for q in life.asked] == ["food-0", "shoes-0", "food-1"], "a preference of each topic before a second of one"
    assert {q.golds for q in life.asked} == {("Leek soup.",)}
    assert all(sorted(q.options) == sorted(PREFERENCE["classification_task_options"]) for q in life.asked)
    assert len({q.options.index("Leek soup.") for q in life.asked}) > 1
    assert read("prefeval", data, 3, 1, 1) == life


def test_a_talk_is_told_and_asked_by_its_first_speaker(data: Path) -> None:
    life = read("locomo", data, 1, 2, 2)
    assert [day.notes for day in life.days] == [("The user moved to Tuvik.",), ("Rowing is what the user does now.",)]
    assert life.days[0].raw == (("I moved to Tuvik.", "I got a dog."),)
    assert [(q.question, q.night, q.golds) for q in life.asked] == [
        ("Where did I move?", 1, ("Tuvik",)), ("What is my sport, and have I moved?", 2, ("rowing",))]
    assert life.asked[0].context == ("On noon on 3 May the user said: I moved to Tuvik.",)
    assert [q.id for q in read("locomo", data, 1, 1, 1).asked] == ["talk-1-0"], "not what rests on a later session"


def test_a_writers_notes_are_told_and_asked_in_their_own_words(tmp_path: Path) -> None:
    items = {"questions": [["Who purrs?", "Zeb"]], "reverse": [["Who is Zeb?", "your cat"]], "use": [["A bowl for?", "Zeb"]]}
    noted = {"text": "The user's cat is called Zeb.", "study": items}
    for writer, notes in (("w1", [[{"text": "The user rows."}]]), ("w2", [[noted], [], [{**noted, "text": "Zeb is fat."}]])):
        (tmp_path / f"{writer}.jsonl").write_text("".join(json.dumps({"memories": n}) + "\n" for n in notes))
    life = read("study", tmp_path, 2, 5, 1)
    assert life.days[0].notes == ("The user's cat is called Zeb.", "Zeb is fat."), "nobody asked anything of the first writer's notes"
    assert [(q.id, q.question, q.golds) for q in life.asked][:3] == [
        ("w2-0-questions-0", "Who purrs?", ("Zeb",)), ("w2-0-reverse-0", "Who is Zeb?", ("your cat",)), ("w2-0-use-0", "A bowl for?", ("Zeb",))]
    assert life.asked[0].context == ("The user's cat is called Zeb.",)
    assert read("study", tmp_path / "w2.jsonl", 1, 1, 1).asked == life.asked[:3]


@pytest.mark.parametrize(("name", "said"), [("hotpot", "no set is called"), ("squad", "cannot be read as squad")])
def test_what_is_no_set_says_so(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "passages.json").write_text('[{"title": "x"}]')
    with pytest.raises(BadInput, match=said):
        sets.lives(name, tmp_path, sets.Size())


@pytest.mark.parametrize(("answer", "gold", "f1", "rouge", "holds"), [
    ("the Vell", "Vell", 1, 1, 1), ("It is the Vell.", "the Vell", 2 * 1 / 4, 1, 1), ("blue", "the Vell", 0, 0, 0), ("", "Vell", 0, 0, 0),
    ("d c b", "b c d", 1, 1 / 3, 0), ("lives in Tuvik now", "Ilva lives in Tuvik", 2 * 3 / 8, 3 / 4, 0),
])
def test_marks(answer: str, gold: str, f1: float, rouge: float, holds: float) -> None:
    assert marks.marked(answer, [gold]) == pytest.approx({"f1": f1, "rouge": rouge, "holds": holds})
    assert marks.marked(answer, ["zzz", gold]) == pytest.approx({"f1": f1, "rouge": rouge, "holds": holds})


def test_intervals_are_over_units() -> None:
    "Two passages that agree in themselves: six questions more tell next to nothing about a third passage."
    apart, mixed = {"a": [1.0] * 6, "b": [0.0] * 6}, {"a": [1.0, 0.0] * 3, "b": [0.0, 1.0] * 3}
    assert marks.interval(apart) == {"share": 50.0, "low": 0.0, "high": 100.0, "n": 12, "units": 2}
    assert marks.interval(mixed) == {"share": 50.0, "low": 50.0, "high": 50.0, "n": 12, "units": 2}
    alone = marks.interval({"a": [1.0] * 30 + [0.0] * 30})
    assert alone["units"] == 1
    assert 35 < alone["low"] < 45 < 55 < alone["high"] < 65


def test_the_gap_that_is_recovered_is_paired() -> None:
    base, oracle = {"a": [0.0, 0.2], "b": [0.2, 0.0]}, {"a": [0.8, 1.0], "b": [1.0, 0.8]}
    assert marks.recovered(base, {"a": [0.4, 0.6], "b": [0.6, 0.4]}, oracle) == {"share": 50.0, "low": 50.0, "high": 50.0}
    assert marks.recovered(base, base, oracle)["share"] == 0
    assert marks.recovered(base, oracle, base) == {}, "no gap, nothing to recover"


def test_arms_are_drawn(tmp_path: Path) -> None:
    plot.lines({"ours": [90.0, 80.0], "stacked <x>": [90.0, None, 10.0]}, tmp_path / "arms.svg")
    drawn = (tmp_path / "arms.svg").read_text()
    assert drawn.count("<polyline") == 2
    assert "stacked &lt;x&gt;" in drawn


@pytest.fixture(scope="module")
def small() -> Any:
    "Nights of a second."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arms, "SMALL", {"epochs": 1, "anchors": 6, "passages": 2, "declines": 6, "per_memory": 8, "rank": 4})
        short.exam(patch, 2, 2, 2)
        yield


ALL = tuple(arm for arm in arms.ARMS if arm != "transcripts")  # trained as `ours` is, on these lessons:


def test_transcripts_are_the_days_so_far_as_they_stood(data: Path) -> None:
    life = read("locomo", data, 1, 2, 2)
    assert [(x.prompt[0].content, x.answer) for x in arms._as_it_stood(life.days[:1])([])] == [("I moved to Tuvik.", "I got a dog.")]


def test_every_arm_from_end_to_end(data: Path, tiny: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    nights: dict[str, list[tuple[set[str], str, str]]] = {}
    night = Altered.night

    def watched(self: Altered, *given: Any) -> Any:
        ended, verdict = night(self, *given)
        told = {m.text for m in self.journal.memories()}
        nights.setdefault(self.planted.name, []).append((told, self.below.name if self.below else "", self.journal.stage("n1", "seed")["adapter"]))
        return ended, verdict

    monkeypatch.setattr(Altered, "night", watched)
    wanted = arms.Wanted("tofu", data, sets.Size(2, 2, 2), ALL, str(tiny), True)
    rows = {row["arm"]: row for row in arms.arms(wanted, lambda _: None, data / "kept.jsonl")}
    assert tuple(rows) == ALL
    assert all(row["measures"]["f1"]["n"] == 4 and row["measures"]["f1"]["units"] == 2 for row in rows.values())
    assert all(len(row["answers"]) == 4 for row in rows.values())
    for name in ("stacked", "ours"):
        assert [sorted(night["by_night"]) for night in rows[name]["curve"]] == [["1"], ["1", "2"]]
        assert len(rows[name]["verdicts"]) == 2
    assert rows["both"]["curve"] == []
    assert len({json.dumps(rows[name]["answers"]) for name in ("base", "oracle", "stacked", "ours")}) == 4, "each is an arm of its own"
    (first, bare, made), (second, below, _) = nights["stacked"]
    assert (bare, below) == ("", made), "the second rests on the first"
    assert not first & second, "and is of its own notes alone"
    assert nights["ours"][0][0] < nights["ours"][1][0]
    again = list(arms.arms(wanted, _never, data / "kept.jsonl"))
    assert [row["answers"] for row in again] == [row["answers"] for row in rows.values()], "what is kept is not run again"


def test_what_is_kept_of_one_set_is_not_given_out_as_anothers(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(wanted: arms.Wanted, homes: arms.Homes, some: list[sets.Life], arm: str, say: arms.Say) -> list[arms.Row]:
        ran.append(arm)
        asked = [q for life in some for q in life.asked]
        answers = {q.id: q.golds[0] for q in asked}
        return [{**wanted.key(arm), "marks": arms._marks(asked, answers), "answers": answers}]

    def answers() -> list[str]:
        wanted = arms.Wanted("tofu", data, sets.Size(1, 2, 1), ("base",), str(base))
        (row,) = arms.arms(wanted, print, data / "rows.jsonl")
        return list(row["answers"].values())

    monkeypatch.setattr(arms, "_run", run)
    base = data / "base"
    base.mkdir()
    for name in ("config.json", "model.safetensors"):
        (base / name).write_text("one")
    first = answers()
    assert (answers(), ran) == (first, ["base"])
    (data / "full.jsonl").write_text((data / "full.jsonl").read_text().replace("Tuvik", "Oslo"))
    assert answers() == [one.replace("Tuvik", "Oslo") for one in first]
    assert len(ran) == 2
    (base / "model.safetensors").write_text("another")
    answers()
    assert len(ran) == 3, "nor of one base as another's"
    skills = data / "skills"
    skills.mkdir()
    (skills / "ear.npz").write_text("-")
    monkeypatch.setattr(cards, "skills", lambda: skills)
    answers()
    assert len(ran) == 4, "nor of other skills"


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    "Every arm is answered rightly, at once; which were asked."
    ran: list[str] = []

    def run(wanted: arms.Wanted, homes: arms.Homes, some: list[sets.Life], arm: str, say: arms.Say) -> list[arms.Row]:
        ran.append(arm)
        asked = [q for life in some for q in life.asked]
        answers = {q.id: q.golds[0] + " \u2028" for q in asked}
        return [{**wanted.key(arm), "marks": arms._marks(asked, answers), "answers": answers}]

    monkeypatch.setattr(arms, "_run", run)
    return ran


def test_results_that_were_cut_short_go_on(data: Path, answered: list[str]) -> None:
    kept, wanted = data / "rows.jsonl", arms.Wanted("tofu", data, sets.Size(1, 2, 1), ("base", "oracle"))
    first = list(arms.arms(wanted, print, kept))
    whole = kept.read_bytes()
    for cut in (5, 40, len(whole.splitlines()[-1]) // 2):
        kept.write_bytes(whole[:-cut])
        answered.clear()
        assert list(arms.arms(wanted, print, kept)) == first
        assert (answered, kept.read_bytes()) == (["oracle"], whole), "what was whole is not run again, nor lost"


def test_results_that_cannot_be_kept_are_refused_before_anything_is_run(data: Path, answered: list[str]) -> None:
    (data / "mine.txt").write_text("Buy bread")
    wanted = arms.Wanted("tofu", data, sets.Size(1, 2, 1), ("base",))
    for name in ("nowhere/rows.jsonl", "mine.txt", "mcq_options"):
        with pytest.raises(BadInput, match="results cannot be kept"):
            list(arms.arms(wanted, print, data / name))
    assert (data / "mine.txt").read_text() == "Buy bread"
    assert answered == []


def test_a_night_before_the_first_question_is_no_number(tmp_path: Path) -> None:
    "A session on which nothing is asked: there is nothing to take a share of, and JSON knows no NaN."
    curve = arms._joined([[{"night": 1, "marks": {}, "of": {}}, {"night": 2, "marks": {"u": {"q": {"f1": 0.5}}}, "of": {"q": 2}}]])
    assert json.dumps(curve, allow_nan=False)
    assert [row["known"]["share"] for row in curve] == [None, 50.0]
    plot.lines({"ours": [row["known"]["share"] for row in curve]}, tmp_path / "a.svg")


def _never(said: str) -> None:
    raise AssertionError(said)


def test_the_command_line(data: Path, tiny: Path) -> None:
    line = ["bench", "learn", "--set", "prefeval", "--data", str(data), "--limit", "3", "--arms", "base,oracle", "--base", str(tiny), "--json"]
    done = CliRunner().invoke(app, line)
    rows = [json.loads(x) for x in done.stdout.splitlines()]
    assert [(row["arm"], row["measures"]["right"]["n"]) for row in rows] == [("base", 3), ("oracle", 3)]
    assert set(rows[0]["answers"].values()) <= set(PREFERENCE["classification_task_options"])
    for wrong in (["--set", "tofu"], [], [*line[2:6], "--arms", "magic"]):
        assert CliRunner().invoke(app, ["bench", "learn", *wrong]).exit_code != 0
