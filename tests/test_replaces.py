"""Which older note a new one replaces, and which it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pocketsleep.bench import replaced as replacing
from pocketsleep.errors import BadInput
from pocketsleep.night.listen import replaces
from pocketsleep.night.listen.replaces import GLANCE, LIKELY, Standing, chance, superseded
from pocketsleep.night.listen.slots import SINGLE, slot
from pocketsleep.night.listen.tell import told
from pocketsleep.nouns import Memory


@pytest.mark.parametrize(("old", "new", "said", "replaced"), [
    ("The user's shed will have a zinc roof.", "The user's shed is called the Wheelhouse.", "We call the shed the Wheelhouse.", False),
    ("The user's shed will have a sedum roof.", "The user's shed will have a zinc roof.", "The roof's going to be zinc now.", True),
    ("The user's team is called the Bruisers.", "The user's team is black and lime.", "we're black and lime", False),
    ("The user's coach is called Adaeze.", "The user's coach Adaeze is a WFM.", "Adaeze's a WFM, way less scary now", False),
    ("The user's coach is called Yevhen.", "The user's coach is called Adaeze.", "ive got adaeze", True),
    ("The user's website launches on 17 April.", "The user's website now launches on 8 May.", "the launch has slipped to 8 May now", True),
    ("The user plays the fiddle on Wednesdays.", "The user plays football on Wednesdays.", "it's Wednesdays now", False),
    ("The user charges 60 for a cut.", "The user has twelve hens.", "I've got twelve hens now", False),
    ("The user's van is a Vivaro.", "The user's van is a Transit Custom.", "the van's a Transit Custom now", True),
    ("The user's van is a Vivaro.", "The user's van is long wheelbase.", "it's the long wheelbase", False),
    ("The user goes to the gym on Mondays.", "The user goes to the gym on Thursdays.", "gym is on Thursdays now, not Mondays", True),
    ("The user eats meat.", "The user does not eat meat.", "I don't eat meat any more", True),
    ("The user's brother eats fish.", "The user eats chips.", "I eat chips, not fish", False),
    ("The user plays go.", "The user plays chess.", "I play not only go but also chess", False),
    ("The user takes ramipril.", "The user takes metformin.", "I also take metformin now", False),
    ("The user's mum lives in York.", "The user's mum works in Leeds.", "mum moved from York and works in Leeds", False),
    ("The user likes techno.", "The user likes jazz.", "I like jazz too", False),
])
def test_a_note_replaces_another_value_of_the_same_thing_and_nothing_else(old: str, new: str, said: str, replaced: bool) -> None:
    before, after = (told(text, None, []) for text in (old, new))
    assert bool(superseded(after, [before, told("The user lives in Hay.", None, [])], said)) is replaced


def test_looking_among_notes_with_a_word_in_common_finds_what_looking_at_all_does() -> None:
    "Notes of the study, one after another, against all that stand: the same ones are replaced, and in the same turn."
    lines = [json.loads(line) for line in (Path(__file__).parent.parent / "models/study/g1.jsonl").read_text("utf-8").splitlines()]
    told_so = [(Memory(m["text"], (), m["kind"], m["answer"]), line["message"]) for line in lines for m in line["memories"]]
    standing, notes, found = Standing(), list[Memory](), []
    for new, said in told_so[:150]:
        if all(note.text != new.text for note in notes):
            old = standing.replaced(new, said)
            assert (old.id if old else "") == _by_looking_at_all(new, notes, said)
            standing.add(new, old.id if old else "")
            found += [old] if old else []
            notes = [*(note for note in notes if note is not old), new]
    assert len(found) > 2


def _by_looking_at_all(new: Memory, notes: list[Memory], said: str) -> str:
    if (key := slot(new)) in SINGLE and (same := [m for m in notes if slot(m) == key]):
        return same[-1].id
    likely, place = max(((chance(new, m, said), n) for n, m in enumerate(notes)), default=(0.0, 0))
    return notes[place].id if likely >= LIKELY else ""


def test_a_note_meets_only_those_it_shares_a_word_with(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(replaces, "_chance", lambda new, old, said: asked.append(old.memory.text) or 0.0)
    many = [Memory(f"The user collects things of kind{n}.", (), "fact", f"kind{n}") for n in range(300)]
    standing = Standing([*many, Memory("The user's shed is green.")])
    assert standing.replaced(Memory("The user's shed is red."), "the shed is red now") is None
    assert asked == ["The user's shed is green."]


def test_replacing_is_measured_and_fitted_on_notes_that_say_what_they_replace(tmp_path: Path) -> None:
    day = {"message": "Choir is on Fridays now.", "known": ["The user's choir is on Tuesdays.", "The user's vet is Ann."], "memories": [
        {"text": "The user's choir is on Fridays.", "answer": "Fridays", "span": "Fridays", "supersedes": "The user's choir is on Tuesdays."}]}
    other = {"message": "We sing Tallis.", "memories": [{"text": "The user's choir sings Tallis.", "answer": "Tallis", "span": "Tallis"}]}
    (tmp_path / "w.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (day, other)))
    cases = replacing.cases(tmp_path)
    assert list(replacing.replaced(cases)) == [{"file": "w.jsonl", "notes": 2, "should": 1, "right": 1, "wrong": 0}]
    assert replacing.fit(cases).keys() == replaces.WEIGHTS.keys()
    with pytest.raises(BadInput, match="has no notes"):
        replacing.cases(tmp_path / "nothing")


SHED = Memory("The user's shed is white.", (), "fact", "white")
GREEN = Memory("The user's shed is green.", (), "fact", "green")


@pytest.mark.parametrize(("cosine", "replaced"), [(0.95, True), (0.2, False)])
def test_what_words_leave_open_is_judged_with_how_near_the_notes_are(cosine: float, replaced: bool) -> None:
    compared: list[tuple[str, list[str]]] = []

    def alike(new: str, olds: Sequence[str]) -> list[float]:
        compared.append((new, list(olds)))
        return [cosine] * len(olds)

    apart = Memory("The user's brother has a shed full of old green bicycles in Hull.", (), "relation", "Hull")
    other = Memory("The user plays the tuba.", (), "fact", "the tuba")
    assert GLANCE <= chance(GREEN, SHED, "My shed is green.") < LIKELY
    assert chance(GREEN, apart, "My shed is green.") < GLANCE
    assert superseded(GREEN, [SHED, apart, other], "My shed is green.") == ""
    assert superseded(GREEN, [SHED, apart, other], "My shed is green.", alike) == (SHED.id if replaced else "")
    assert compared == [(GREEN.text, [SHED.text])], "neither what shares no word nor what words rule out is compared"


def test_what_is_certain_by_words_stays_so_however_far_apart_notes_are() -> None:
    old, new = told("The user's coach is called Yevhen.", None, []), told("The user's coach is called Adaeze.", None, [])
    far = lambda new, olds: [-1.0] * len(olds)  # noqa: E731
    assert chance(new, old, "ive got adaeze") == 1
    assert superseded(new, [old], "ive got adaeze", far) == old.id
    assert superseded(new, [GREEN], "ive got adaeze", far) == ""


def test_weights_of_both_are_fitted_on_what_words_leave_open(tmp_path: Path) -> None:
    day = {"message": "My shed is green.", "known": [SHED.text, "The user's shed is at Hull."], "memories": [
        {"text": GREEN.text, "answer": "green", "span": "My shed", "supersedes": SHED.text}]}
    (tmp_path / "w.jsonl").write_text(json.dumps(day) + "\n")
    fitted = replacing.fit(replacing.cases(tmp_path), lambda new, olds: [0.9 if old == SHED.text else 0.1 for old in olds])
    assert fitted.keys() == replaces.NEAR_WEIGHTS.keys()
    assert fitted["alike"] > 0
