"""Private by one rule: what is off the record, of an excluded app or under an excluded pattern is given to no reader.

Readers are found, not listed: a public method of the journal, a view or a raw read of a table that is new fails here
until it is put in its place.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketsleep import journal as package
from pocketsleep.errors import AdapterError, BadInput, NotFound
from pocketsleep.home import Home
from pocketsleep.journal import Journal, privacy
from pocketsleep.journal.privacy import checked, is_app, matches, plain
from pocketsleep.nouns import (
    Adapter,
    Cite,
    Dream,
    Dropped,
    Episode,
    Feedback,
    Knack,
    Memory,
    Message,
    Night,
    Sampling,
    Turn,
    Verdict,
)
from pocketsleep.pocket import Pocket
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day, NoModel

NOW = "2026-05-01T08:00:00+00:00"
SECRETS = {"private": "zanzibar", "app": "quokka", "pattern": "falconer", "hand": "marmalade", "whole": "tangerine"}
OPEN = "lighthouse"


def talk(word: str) -> tuple[Turn, ...]:
    return (Turn("user", f"My boat is called {word.title()}.", said_at=NOW), Turn("assistant", f"What a name, {word}!", said_at=NOW))


def fill(journal: Journal) -> None:
    "Everything a journal can hold, about things to hide and one thing that stays."
    off = tuple(dataclasses.replace(turn, private=True) for turn in talk(SECRETS["private"]))
    journal.record(Episode("e-open", talk(OPEN), NOW, "chat", feedback=(Feedback(1, "down", f"I call it {OPEN}."),)))
    journal.record(Episode("e-private", (*talk(OPEN), *off), NOW, "chat", feedback=(Feedback(3, "up", f"It is {SECRETS['private']}."),)))
    journal.record(Episode("e-app", talk(SECRETS["app"]), NOW, "proxy:Jan", feedback=(Feedback(1, "", f"No, {SECRETS['app']}."),)))
    for name in ("pattern", "hand", "whole"):
        journal.record(Episode(f"e-{name}", talk(SECRETS[name]), NOW, "chat"))
    for name in (*SECRETS, "open"):
        journal.keep_receipt(f"e-{name}", 1, "", "", ())
        journal.add_feedback(f"e-{name}", Feedback(1, "up"))
    journal.begin(Night("", NOW, 7, "smollm2"))
    told = {}
    for name, word in {**SECRETS, "open": OPEN}.items():
        cite = Cite(f"e-{name}", 2 if name == "private" else 0)
        memory = Memory(f"The user's boat is called {word.title()}.", (cite,), "relation", word.title(), since=NOW)
        if (kept := journal.learn(memory)) is not None:
            told[name] = kept.id
            journal.put_vector(kept.id, "small", np.arange(4.0))
        journal.put_said_vectors(cite, "small", np.ones((1, 4)))
        journal.drop("n1", [Dropped(f"a {word} is not kept", "small talk", cite)])
        journal.keep_knacks("n1", [Knack(word, "amount", "number", "text", cite.episode, cite.turn, cite.turn + 1)])
    journal.drop("n1", [Dropped(f"cited to nobody: {SECRETS['pattern']}", "small talk")])
    journal.keep_dreams("n1", [
        *(Dream(f"What of {SECRETS.get(n, OPEN)}?", SECRETS.get(n, OPEN), "direct", (one,)) for n, one in told.items()),
        *(Dream(f"With a note {n}?", "It depends.", "context", (), (journal.memory(one).text,)) for n, one in told.items())])
    said = [f"learnt: The user's boat is called {word.title()}." for word in (*SECRETS.values(), OPEN)]
    journal.finish("n1", "examine", {"reasons": said, "ids": list(told.values())})
    adapter = Adapter("a1", "smollm2", "ab", 8, 2.0, ("k",), (1,), tuple(told.values()))
    journal.settle("n1", Verdict("worn", (), tuple(said), {"notes": said}), adapter, [])


def hide(journal: Journal) -> None:
    journal.exclude("app", "Jan")
    journal.exclude("pattern", "falconer*")
    journal.hide(Cite("e-hand", 0))
    journal.hide("e-whole")


def unhide(journal: Journal) -> None:
    journal.include("app", "jan")
    journal.include("pattern", "falconer*")
    journal.unhide(Cite("e-hand", 0))
    journal.unhide("e-whole")


class Dressed(Scripted):
    "Says what it wears."

    def chat(self, messages, sampling=Sampling()):  # type: ignore[no-untyped-def]
        yield f"I wear {self.worn}"

    def wear(self, adapter: Path | None) -> None:
        self.worn = adapter.name if adapter else ""


@pytest.fixture
def journal(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def everything(journal: Journal, read: Callable[[Any], Any]) -> list[str]:
    "A reader asked for each conversation, turn or memory there is; what is not shown is no answer."
    names = [r["id"] for r in journal.rows("select id from episodes")]
    cites = [Cite(r["episode"], r["idx"]) for r in journal.rows("select episode, idx from turns")]
    ids = [r["id"] for r in journal.rows("select id from memories")]
    kinds = {"episode": names, "turn": cites, "memory": ids}
    return [repr(shown(read, one)) for one in kinds[read.__name__]]


def shown(read: Callable[[Any], Any], one: Any) -> Any:
    try:
        return read(one)
    except NotFound as told:
        return (str(told), told.hint)


def said_at(journal: Journal, cites: list[Cite]) -> list[Any]:
    "What stands at these places, whether it may be shown or not."
    return [journal.rows("select text from turns where episode = ? and idx = ?", c.episode, c.turn)[0]["text"] for c in cites]


WORDS = " ".join((*SECRETS.values(), OPEN, "boat"))
READERS: dict[str, Callable[[Journal], Any]] = {
    "adapter": lambda j: j.adapter("a1"),
    "as_read": lambda j: [t for r in j.rows("select * from episodes") for t in j.as_read(Episode(r["id"], tuple(
        Turn(t["role"], t["text"]) for t in j.rows("select * from turns where episode = ? order by idx", r["id"])), NOW, r["source"]))],
    "current": lambda j: j.current(),
    "dreams": lambda j: [j.dreams(), j.dreams("n1"), [j.dreams(memory=r["id"]) for r in j.rows("select id from memories")]],
    "dropped": lambda j: j.dropped("n1"),
    "episode": lambda j: everything(j, j.episode),
    "episodes": lambda j: [j.episodes(), j.episodes(unslept=True)],
    "goes_with": lambda j: [j.goes_with(r["id"]) for r in (*j.rows("select id from memories"), *j.rows("select id from episodes"))],
    "hidden": lambda j: {key for key in j.hidden() if not key.startswith("pattern:")},  # a person's own pattern is shown to them
    "holds": lambda j: j.holds("a1"),
    "knacks": lambda j: [[(k.text, k.episode) for k in found] for found in (j.knacks(), j.knacks(night="n1"), j.knacks(WORDS.split()))],
    "memories": lambda j: [j.memories(), j.memories(status=None), [j.memories(w) for w in WORDS.split()]],
    "memory": lambda j: everything(j, j.memory),
    "night": lambda j: j.night("n1"),
    "nights": lambda j: j.nights(),
    "open_night": lambda j: j.open_night(),
    "place": lambda j: [j.place(j.episode(one.id)) for one in j.episodes()],
    "places": lambda j: j.places(),
    "rated": lambda j: j.rated("up"),
    "recall": lambda j: [j.recall(w, 9) for w in (WORDS, *WORDS.split())],
    "rehearse": lambda j: j.rehearse(
        Episode(f"file-{n}", tuple(dataclasses.replace(t, private=n == "private") for t in talk(w)), NOW, "jan" if n == "app" else "text")
        for n, w in {**SECRETS, "open": OPEN}.items()),
    "quoted_in": lambda j: [said_at(j, j.quoted_in(Cite(r["episode"], r["idx"]))) for r in j.rows("select * from turns")],
    "said_vectors": lambda j: [said_at(j, [cite for cite, _ in j.said_vectors("small")[0]])],
    "unplaced": lambda j: j.unplaced("other"),
    "unplaced_sayings": lambda j: said_at(j, j.unplaced_sayings("other", 99)),
    "scores": lambda j: [j.scores("n1"), j.scores("a1")],
    "newest_sayings": lambda j: said_at(j, j.newest_sayings(99)),
    "sayings": lambda j: [said_at(j, j.sayings(w, 99)) for w in (WORDS, *WORDS.split())],
    "search_turns": lambda j: [j.search_turns(w) for w in (WORDS, *WORDS.split())],
    "stage": lambda j: j.stage("n1", "examine"),
    "stages": lambda j: j.stages("n1"),
    "tellings": lambda j: j.tellings(99),
    "turn": lambda j: everything(j, j.turn),
    "unslept": lambda j: j.unslept(),
    "vectors": lambda j: [names for names, _ in [j.vectors("small")]],
    "verify": lambda j: j.verify(),
}
"What a person keeps out is told to them, and to nobody else; the rest gives no text of conversations or memories back."
OWN_WORDS = {"exclusions", "excluded", "hidden_traces"}
PLUMBING = {"rows", "row", "setting", "set_setting", "atomic", "snapshot", "vital", "close", "sweep", "put", "remove", "bury", "buried", "was_forgotten", "receipts",
            "draw_veil", "forgotten_in", "withheld_in", "check_wearable", "forgotten_turn", "excludable", "heirs", "new_knacks"}
WRITERS = {"record", "record_all", "extend", "add_feedback", "learn", "cite", "put_vector", "put_said_vectors", "begin", "restart", "finish", "drop", "keep_dreams", "keep_knacks", "let_go", "settle",
           "use", "undo", "forget", "exclude", "include", "hide", "unhide", "keep_receipt", "import_all"}


def public() -> set[str]:
    members = inspect.getmembers(Journal, predicate=inspect.isfunction)
    return {name for name, _ in members if not name.startswith("_")}


def test_every_method_of_the_journal_has_its_place() -> None:
    "A new one belongs into the walk, unless it gives nothing back that was said."
    assert public() == set(READERS) | OWN_WORDS | PLUMBING | WRITERS


RAW = ("turns", "memories", "feedback", "cites", "vectors", "said_vectors", "dreams", "dropped", "episodes", "stages", "nights", "knacks")
RAW_READERS = {
    # writing, and finding out what is there already
    "turns.Turns._place_for", "turns.Turns.extend", "turns.Turns._put_episode", "turns.Turns._tail", "turns.Turns._drop_from_mind", "turns.Turns._reaches", "turns.Turns.add_feedback",
    "turns.Turns._merge_feedback", "memories.Memories.learn", "memories.Memories.cite", "memories.Memories._heard_before", "memories.Memories._standing_cites",
    "memories.Memories._put_memory", "memories.Memories._supersede", "vectors.Vectors.put_vector", "nights.Nights.begin", "nights.Nights.forgotten_turn",
    "nights.Nights.restart", "nights.Nights.let_go", "wearing.Wearing._mark_slept", "wearing.Wearing._check_there", "store.Store._furnish",
    # names and dates alone
    "receipts.Receipts.keep_receipt",  # whether the turn is there
    "turns.Turns.episodes", "turns.Turns.episode", "turns.Turns.tellings", "turns.Turns.rehearse", "before.Before.as_read", "memories.Memories._memory_row",
    # given through `_clear`
    "nights.Nights.open_night", "nights.Nights.nights", "nights.Nights._night_row", "nights.Nights.stage", "nights.Nights.stages",
    "wearing.Wearing.scores", "wearing.Wearing._predecessor",
    # the rule itself
    "veil.Veil.draw_veil", "veil.Veil.hidden_traces", "veil.Veil._read_traces", "veil.Veil._touched", "veil.Veil._veil",
    "veil.Veil._with_repeated", "veil.Veil._veil_memories", "veil.Veil._with_quotations", "veil.Veil._quotations",
    # whether the same was said elsewhere
    "again.Again._copies", "again.Again._opened_alike", "again.Again._beginning", "again.Again._opened_by",
    "knacks.Knacks._kept", "knacks.Knacks._gone",
    # forgetting and verifying see everything, and tell ids
    "knacks.Knacks._knacks_named", "knacks.Knacks._knacks_of", "knacks.Knacks._erase_knacks",
    *(f"forget.Forgetting.{name}" for name in ("_doomed", "_said_otherwise", "_places_said", "heirs", "_turns_of", "_cited", "_other_tellings", "_only_said_in", "_turns_saying", "_erase_turn", "_erase_memory", "_clear_notes", "_still_said")),
    *(f"verify.Verifying.{name}" for name in ("_check_chain", "_check_memories", "_check_adapters", "_each")),
}


def raw_readers() -> set[str]:
    "module.Class.function of every function of the journal in which a table is read that has things to hide."
    import re

    reads = re.compile(rf"\b(?:from|join) (?:{'|'.join(RAW)})\b")
    found = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for function in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(function, ast.FunctionDef):
                    texts = [n.value for n in ast.walk(function) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                    if any("select" in text and reads.search(text) for text in texts):
                        found.add(f"{path.stem}.{node.name}.{function.name}")
    return found


def test_tables_with_things_to_hide_are_read_where_it_is_known() -> None:
    "A reader reads the views. One that does not is put on the list above by somebody who looked at it."
    assert raw_readers() - RAW_READERS == set()
    assert "turns.Turns.search_turns" not in raw_readers()


def leaks(journal: Journal, words: Any = SECRETS.values()) -> list[str]:
    return [f"{name} tells {word}" for name, read in READERS.items() for word in words if word in repr(read(journal)).casefold()]


def test_what_is_hidden_appears_in_no_reader(journal: Journal) -> None:
    fill(journal)
    hide(journal)
    assert leaks(journal) == []
    silent = {"adapter", "current", "hidden", "holds", "open_night", "place", "places", "quoted_in", "stages", "unslept", "vectors", "verify"}
    assert {name for name, read in READERS.items() if OPEN not in repr(read(journal)).casefold()} == silent, "the rest is told"
    assert journal.verify().ok


def test_hidden_before_it_was_said_is_the_same(journal: Journal, tmp_path: Path) -> None:
    journal.exclude("app", "jan")
    journal.exclude("pattern", "FALCONER*")
    fill(journal)
    assert leaks(journal, [SECRETS["private"], SECRETS["app"], SECRETS["pattern"]]) == []
    assert journal.memories()


def test_the_walk_sees_a_leak(journal: Journal) -> None:
    "Without exclusions every reader that tells anything tells of all but what was private."
    fill(journal)
    telling = {leak.split()[0] for leak in leaks(journal, [SECRETS["app"]])}
    assert telling >= {"dreams", "dropped", "episode", "episodes", "knacks", "memories", "memory", "night", "nights", "recall", "scores",
                       "search_turns", "stage", "turn"}
    assert [leak for leak in leaks(journal, [SECRETS["private"]]) if leak.split()[0] in ("episodes", "turn", "memories")] == []


def snapshot(journal: Journal) -> dict[str, str]:
    return {name: repr(read(journal)) for name, read in READERS.items() if name not in ("hidden",)}


def test_taken_back_everything_is_as_it_was(journal: Journal) -> None:
    fill(journal)
    before = snapshot(journal)
    hide(journal)
    assert journal.current() == "", "an adapter that holds what is hidden is taken off"
    with pytest.raises(AdapterError, match="hidden now"):
        journal.use("a1")
    unhide(journal)
    assert snapshot(journal) == before
    assert journal.current() == "a1"
    assert journal.verify().ok


def test_what_was_chosen_by_hand_meanwhile_stays(journal: Journal) -> None:
    fill(journal)
    journal.exclude("app", "jan")
    journal.use("")
    journal.include("app", "jan")
    assert journal.current() == ""


def test_what_is_shown_again_is_listened_to_again(journal: Journal) -> None:
    journal.exclude("app", "jan")
    fill(journal)
    assert not journal.episode("e-app").turns[0].text
    journal.begin(Night("", NOW, 8, "smollm2"))
    journal.settle("n2", Verdict("nothing"), None, journal.unslept())
    assert journal.unslept() == []
    assert journal.include("app", "jan").turns == 2
    assert journal.unslept() == [Cite("e-app", 0), Cite("e-app", 1)]


def test_a_memory_that_was_said_elsewhere_too_stays(journal: Journal) -> None:
    fill(journal)
    text = f"The user's boat is called {SECRETS['whole'].title()}."
    journal.learn(Memory(text, (Cite("e-open", 0),), "relation"))
    journal.hide("e-whole")
    (memory,) = [m for m in journal.memories() if m.text == text]
    assert memory.cites == (Cite("e-open", 0),)
    journal.hide("e-open")
    assert text not in {m.text for m in journal.memories()}


def test_nothing_under_a_pattern_is_learnt_outright(journal: Journal) -> None:
    journal.exclude("pattern", "falcon*")
    assert journal.learn(Memory("The user flies a Falconer kite.", told=True)) is None
    assert journal.rows("select * from memories") == []


def test_a_night_under_way_does_not_wear_what_was_hidden_meanwhile(journal: Journal) -> None:
    fill(journal)
    journal.begin(Night("", NOW, 8, "smollm2"))
    (hidden,) = [m.id for m in journal.memories() if SECRETS["app"].title() in m.text]
    journal.exclude("app", "jan")
    made = Adapter("a2", "smollm2", "ab", 8, 2.0, ("k",), (1,), (hidden,))
    assert journal.settle("n2", Verdict("worn"), made, []).failed == ("nothing hidden",)


def test_sent_again_under_another_id_it_stays_off_the_record(journal: Journal) -> None:
    "Programs without ids send the whole conversation each time: tomorrow under another name, after an edit as a branch."
    off = tuple(dataclasses.replace(turn, private=True) for turn in talk("zanzibar"))
    journal.record(Episode("today", off, NOW, "serve"))
    journal.record(Episode("tomorrow", (*talk("zanzibar"), *talk("lighthouse")), NOW, "serve"))
    assert [turn.text for turn in journal.episode("tomorrow").turns[:2]] == ["", ""]
    assert journal.episode("tomorrow").turns[2].text
    journal.record(Episode("chat", talk("marmalade"), NOW, "chat"))
    journal.hide(Cite("chat", 0))
    journal.record(Episode("chat", (talk("marmalade")[0], Turn("assistant", "Another answer.")), NOW, "chat"))
    branch = next(e for e in journal.episodes() if e.id.startswith("chat~"))
    assert branch.turns[0].text == ""
    journal.record(Episode("fresh", (Turn("user", talk("zanzibar")[0].text), Turn("assistant", "Ahoy.")), NOW, "chat"))
    assert journal.episode("fresh").turns[0].text, "said again, on purpose, to somebody else"


def test_hidden_afterwards_its_copies_are_too(journal: Journal) -> None:
    for name in ("monday", "tuesday"):
        journal.record(Episode(name, talk("marmalade"), NOW, "serve"))
    assert journal.hide(Cite("monday", 0)).turns == 4
    assert journal.search_turns("marmalade") == []
    assert journal.unhide(Cite("monday", 0)).turns == 4
    assert len(journal.search_turns("marmalade")) == 4


def test_a_journal_from_before_is_hidden_when_it_is_opened(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        fill(journal)
        journal.db.execute("delete from veiled")
        journal.db.execute("delete from tallies where name = 'veiled'")
        journal.set_setting("veil", "")
    with Journal(tmp_path / "journal.db") as journal:
        assert journal.turn(Cite("e-private", 2)).text == ""
        assert leaks(journal, [SECRETS["private"]]) == []
        assert journal.verify().ok


def test_what_is_hidden_can_be_forgotten(journal: Journal) -> None:
    fill(journal)
    hide(journal)
    (hidden,) = journal.rows("select id from memories where text like '%Quokka%'")
    assert journal.forget(hidden["id"]).memories == (hidden["id"],)
    journal.forget("e-whole")
    assert journal.verify().ok
    assert b"uokka" not in (journal.path.read_bytes())


PATTERNS = [
    ("falcon", "Project Falcon starts", True), ("falcon", "falconry", False), ("falcon*", "a falconry", True), ("*falcon", "gyrfalcon", True),
    ("project falcon", "project\n  FALCON", True), ("falcon*budget", "the falcon has no budget", True),
    ("falcon*budget", "a budget for the falcon", False), ("b?t", "a bat", True), ("b?t", "a boat", False), ("c++", "I write C++ at night", True),
    ("straße", "STRASSE", True), ("o'neill", "Mrs O’Neill rang", True), ("at&t", "AT&T sent a bill", True), ("ﬁling", "the filing", True),
    ("a*b*c", "c b a", False), ("(555)", "call (555) 1", True), ("[x]", "a [x] b", None), ("a.*b", "", None), (r"\d+", "", None),
    ("(a+)+$", "", None), ("*", "", None), ("a", "", None), ("  ", "", None), ("x" * 201, "", None), ("cat|dog", "", None), ("^who", "", None),
]


@pytest.mark.parametrize(("pattern", "text", "hit"), PATTERNS)
def test_patterns(pattern: str, text: str, hit: bool | None) -> None:
    if hit is None:
        with pytest.raises(BadInput) as told:
            checked("pattern", pattern)
        assert "pocketsleep exclude add" in told.value.hint
        return
    assert matches(checked("pattern", pattern).value, plain(text)) is hit


def test_no_pattern_takes_long() -> None:
    "A regular expression of this form takes longer than the universe is old."
    started = time.monotonic()
    assert not matches(plain("a*" * 90 + "b"), "a" * 100_000)
    assert not matches(plain("a?" * 90 + "b"), "a" * 100_000)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(("name", "source", "hit"), [
    ("jan", "Jan", True), ("jan", "proxy:Jan", True), ("proxy", "proxy:Jan", True), ("proxy:jan", "proxy:Jan", True), ("ja", "Jan", False),
    ("open*", "Open WebUI", True), ("jan", "", False), ("import", "import", True),
])
def test_apps(name: str, source: str, hit: bool) -> None:
    assert is_app(checked("app", name).value, source) is hit


def test_nothing_unknown_is_excluded_or_taken_back(journal: Journal) -> None:
    for ask in (lambda: journal.hide("nowhere"), lambda: journal.hide(Cite("nowhere", 0)), lambda: journal.include("app", "jan")):
        with pytest.raises(NotFound) as told:
            ask()
        assert told.value.hint
    for kind, value in (("colour", "red"), ("app", " "), ("turn", "no-number")):
        with pytest.raises(BadInput):
            journal.exclude(kind, value)


def test_the_rule_is_told_in_one_place() -> None:
    "`private` is read by nobody but the rule, and written by whoever records."
    assert list(inspect.signature(privacy.reasons).parameters) == ["episode", "turns", "rules"]


def test_from_gathering_to_answers_nothing_hidden_passes(tmp_path: Path) -> None:
    "The pocket's own readers: what a night would learn, what is recalled, what backs an answer, what is exported."
    from pocketsleep.serve.notes import Notes

    with Pocket(Home(tmp_path / "home")) as pocket:
        fill(pocket.journal)
        done = [pocket.exclude("app", "jan"), pocket.exclude("pattern", "falconer*"), pocket.exclude("turn", "e-hand#0"),
                pocket.exclude("conversation", "e-whole")]
        assert [len(one.memories) for one in done] == [1, 1, 1, 1]
        assert done[0].taken_off == "a1"
        notes = Notes(pocket.journal)
        backing = notes.ledger()[1]
        told = repr((pocket.would_learn(), [notes.find(f"What is my {w} boat called?") for w in WORDS.split()], backing.memories,
                     backing._said, backing._names)).casefold()
        assert [word for word in SECRETS.values() if word in told] == []
        assert OPEN in told
        with pytest.raises(NotFound, match="no adapter is worn"):
            pocket.export("gguf", tmp_path / "out")


def test_a_night_asked_for_by_name_says_nothing_that_was_hidden_or_forgotten(tmp_path: Path) -> None:
    "Whether its adapter is still on or not: another process may have taken its memory away."
    with Pocket(Home(tmp_path / "home")) as pocket, Pocket(Home(tmp_path / "home")) as other:
        fill(pocket.journal)
        day = Day(pocket.journal, Dressed(), lambda name: tmp_path / name)
        names = ["pocketsleep", "pocketsleep:base"]

        def ask() -> str:
            return "".join(day.speak([Message("user", "What is my boat called?")], Sampling(), model="pocketsleep:n1", arm="weights"))

        assert (ask(), day.models()) == ("I wear a1", [*names, "pocketsleep:n1"])
        other.exclude("pattern", "falconer*")
        with pytest.raises(NoModel, match=r"n1` cannot be asked.*hidden now") as hidden:
            ask()
        assert "exclude list" in hidden.value.hint
        assert day.models() == names
        other.include("pattern", "falconer*")
        assert (ask(), day.models()) == ("I wear a1", [*names, "pocketsleep:n1"])
        other.journal.forget(other.journal.memories()[0].id)
        with pytest.raises(NoModel, match="forgotten"):
            ask()
        assert day.models() == names
