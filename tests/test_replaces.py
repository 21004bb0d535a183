"""Which older note a new one replaces, and which it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pocketsleep.bench import replaced as replacing
from pocketsleep.errors import BadInput
from pocketsleep.night.listen import replaces
from pocketsleep.night.listen.replaces import superseded
from pocketsleep.night.listen.tell import told


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
