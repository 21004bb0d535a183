"""Exports of other programs: each read as it is known to look, once, in order, with its dates, and nobody else's words as the user's."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pocketsleep.bench.imports import export, imports
from pocketsleep.cli import importing as command
from pocketsleep.cli import out
from pocketsleep.errors import BadInput
from pocketsleep.home import Home
from pocketsleep.journal import importing
from pocketsleep.journal.importing import FORMATS, BadLine, Format, register
from pocketsleep.journal.importing.form import date
from pocketsleep.nouns import Episode, Feedback, Turn
from pocketsleep.pocket import Pocket

DAY = "2023-11-14T22:13:20+00:00"  # 1,700,000,000 seconds
TOLD, ANSWER = "My dog is called Biscuit.", "A good name."


def node(parent: str | None, role: str = "", content: Any = None, **more: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
    message = {"author": {"role": role}, "content": content, "create_time": 1700000000.5, "recipient": "all", "weight": 1.0, "metadata": {}} | more
    return {"message": message if role else None, "parent": parent, "children": []}


CHATGPT = {"conversation_id": "abc", "title": "Dogs", "create_time": 1700000000.25, "current_node": "i", "mapping": {
    "root": node(None),
    "a": node("root", "system", "", weight=0.0),
    "b": node("a", "user", {"content_type": "user_editable_context", "user_profile": "I am a wizard."},
              metadata={"is_visually_hidden_from_conversation": True}),
    "c": node("b", "user", {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "x"}, TOLD]}),
    "left": node("c", "assistant", "An answer that was made anew."),
    "d": node("c", "assistant", {"content_type": "thoughts", "thoughts": [{"content": "hmm"}]}),
    "e": node("d", "assistant", {"content_type": "code", "text": "search('dogs')"}, recipient="browser"),
    "f": node("e", "tool", {"content_type": "tether_quote", "text": "Dogs are animals."}),
    "g": node("f", "assistant", ANSWER),
    "h": node("g", "user", {"content_type": "multimodal_text", "parts": [{"content_type": "audio_transcription", "text": "He is a terrier."}]}),
    "i": node("h", "assistant", "I see."), "after": node("i", "user", "Left out: not on the path.")}}
CLAUDE = {"uuid": "abc", "name": "Dogs", "created_at": "2023-11-14T22:13:20.123456Z", "chat_messages": [
    {"uuid": "1", "sender": "human", "text": TOLD, "content": [{"type": "text", "text": TOLD}], "created_at": "2023-11-14T22:13:20Z",
     "attachments": [{"file_name": "page.txt", "extracted_content": "My cat is called Mog."}], "parent_message_uuid": "00000000-0000-4000-8000-000000000000"},
    {"uuid": "x", "sender": "assistant", "text": "Another answer.", "created_at": "2023-11-14T22:13:21Z", "parent_message_uuid": "1"},
    {"uuid": "2", "sender": "assistant", "text": "", "created_at": "2023-11-14T22:13:22Z", "parent_message_uuid": "1", "content": [
        {"type": "thinking", "thinking": "hmm"}, {"type": "tool_use", "name": "search", "input": {}},
        {"type": "tool_result", "content": [{"type": "text", "text": "Dogs are animals."}]}, {"type": "text", "text": ANSWER}]}]}
OPENWEBUI = {"id": "abc", "title": "Dogs", "created_at": 1700000000, "chat": {"title": "Dogs", "history": {"currentId": "2", "messages": {
    "1": {"id": "1", "parentId": None, "childrenIds": ["x", "2"], "role": "user", "content": TOLD, "timestamp": 1700000000},
    "x": {"id": "x", "parentId": "1", "role": "assistant", "content": "Another answer.", "timestamp": 1700000001},
    "2": {"id": "2", "parentId": "1", "role": "assistant", "timestamp": 1700000002, "annotation": {"rating": 1}, "sources": [{"document": ["Dogs are animals."]}],
          "content": f'<details type="reasoning" done="true">\n<summary>Thought</summary>\nhmm</details>\n{ANSWER}'}}}}}
TEXT = f"# Dogs\n\n**User:** {TOLD}\n\n## Assistant\n{ANSWER}\n```\nUser: in a fence\n```\n__User__:\nHe is a terrier.\n"


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def zipped(path: Path, **members: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name.replace("__", "."), json.dumps(value))
    return path


def read(path: Path, form: str = "auto") -> list[Episode | BadLine]:
    return list(importing.read(path, form))


def one(path: Path) -> Episode:
    (found,) = read(path)
    assert isinstance(found, Episode)
    return found


def said(episode: Episode) -> list[tuple[str, str, str]]:
    return [(turn.role, turn.text, turn.taint) for turn in episode.turns]


def test_chatgpt_the_path_that_was_shown_last(tmp_path: Path) -> None:
    found = one(write(tmp_path / "conversations.json", [CHATGPT]))
    assert (found.id, found.source, found.started_at, found.turns[0].said_at) == ("chatgpt-abc", "chatgpt", DAY, DAY)
    assert said(found) == [("user", f"[image]\n{TOLD}", ""), ("tool", "Dogs are animals.", "tool"), ("assistant", ANSWER, "after_tool"),
                           ("user", "He is a terrier.", ""), ("assistant", "I see.", "after_tool")]


def test_chatgpt_without_a_current_node_the_newest_leaf(tmp_path: Path) -> None:
    tree = {"r": node(None) | {"children": ["a"]}, "a": node("r", "user", TOLD) | {"children": ["b", "c"]},
            "b": node("a", "assistant", "Old.", create_time=5.0), "c": node("a", "assistant", "New.", create_time=9.0)}
    tree["r"]["parent"] = "c"  # a circle ends where it closes
    assert [t.text for t in one(write(tmp_path / "c.json", {"id": "x", "mapping": tree})).turns] == [TOLD, "New."]


def test_claude_with_attachments_tools_and_branches(tmp_path: Path) -> None:
    found = one(write(tmp_path / "conversations.json", [CLAUDE]))
    assert (found.id, found.started_at) == ("claude-abc", DAY)
    assert said(found) == [("tool", "My cat is called Mog.", "tool"), ("user", TOLD, ""), ("tool", "Dogs are animals.", "tool"),
                           ("assistant", ANSWER, "after_tool")]


def test_openwebui_with_sources_and_thumbs(tmp_path: Path) -> None:
    found = one(write(tmp_path / "chats.json", [OPENWEBUI]))
    assert (found.id, found.started_at, found.turns[0].said_at) == ("openwebui-abc", DAY, DAY)
    assert said(found) == [("user", TOLD, ""), ("tool", "Dogs are animals.", "tool"), ("assistant", ANSWER, "after_tool")]
    assert found.feedback == (Feedback(2, "up"),)


def test_text_headings_bold_and_fences(tmp_path: Path) -> None:
    found = one(write(tmp_path / "talk.md", TEXT))
    assert said(found) == [("user", TOLD, ""), ("assistant", f"{ANSWER}\n```\nUser: in a fence\n```", ""), ("user", "He is a terrier.", "")]


TICKS = "```"


@pytest.mark.parametrize("fenced", [
    f"{TICKS}python\nprint(1)\n{TICKS}", f"Look:\n{TICKS}print(1){TICKS}", f"{TICKS}print(1){TICKS}", f"{TICKS}python\nprint(1)",
    f"{TICKS}\nprint(1){TICKS}", "~~~~\nprint(1)\n~~~\nAssistant: no\n```\n~~~~", f"`{TICKS}\n{TICKS}\nUser: no\n{TICKS}`  ", f"{TICKS}\n~~~",
], ids=["behind the name", "in one line", "in one line behind the name", "never closed", "closed behind code", "tildes", "long", "of two kinds"])
def test_a_fence_in_what_the_user_says_makes_no_answer_theirs(fenced: str, tmp_path: Path) -> None:
    answer = "It prints 1. My name is Bob and I live in Rome."
    found = one(write(tmp_path / "talk.txt", f"User: {fenced}\nAssistant: {answer}\nUser: {TOLD}\n"))
    assert [(turn.role, turn.text) for turn in found.turns] == [("user", fenced.strip()), ("assistant", answer), ("user", TOLD)]


@pytest.mark.parametrize(("user", "assistant"), [("User:", "Assistant:"), ("**You:**", "**ChatGPT:**"), ("## Human", "## Claude"), ("You said:", "ChatGPT said:")])
def test_another_label_in_an_answer_is_the_answers_text(user: str, assistant: str, tmp_path: Path) -> None:
    own = user.strip("*:#").lower().split()
    answer = "\n".join(["A scene:", *(f"{name}: My name is Carla and I am a nurse in Oslo." for name in ("You", "Me", "Question", "> User", "**Human**", "Bot")
                                      if [name.lower()] != own), "### Prompt", "I am a nurse."])
    found = one(write(tmp_path / "talk.txt", f"{user} {TOLD}\n{assistant}\n{answer}\n{user}\nHe is a terrier.\n".replace(f"## Human {TOLD}", f"## Human\n{TOLD}")))
    assert said(found) == [("user", TOLD, ""), ("assistant", answer, ""), ("user", "He is a terrier.", "")]


def test_whoever_answers_ends_what_the_user_says(tmp_path: Path) -> None:
    "Two models in one file, and a head before it: nothing of theirs is the user's, and the user's label is the one that comes back."
    found = one(write(tmp_path / "talk.txt", f"Model: two\nPrompt: a test\nUser: {TOLD}\nChatGPT: {ANSWER}\nUser: And you?\nClaude: I live in Rome.\nUser: I see.\n"))
    assert [(r, t) for r, t, _ in said(found)] == [("assistant", "two\nPrompt: a test"), ("user", TOLD), ("assistant", ANSWER), ("user", "And you?"),
                                                   ("assistant", "I live in Rome."), ("user", "I see.")]


def test_fences_that_nothing_closes_are_read_in_one_pass(tmp_path: Path) -> None:
    lines = [f"{TICKS}a"] * 30_000
    assert said(one(write(tmp_path / "talk.txt", "\n".join(["User: hi", *lines, f"Assistant: {ANSWER}"]))))[1] == ("assistant", ANSWER, "")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    "Written by the real `llm`: threads by its own logger, and rows as its older versions left them."
    llm = pytest.importorskip("llm")
    import sqlite_utils
    from llm.migrations import migrate

    class Echo(llm.Model):  # type: ignore[name-defined,misc]
        model_id, can_stream = "echo", False

        def execute(self, prompt: Any, stream: Any, response: Any, conversation: Any) -> Any:
            yield ANSWER

    db = sqlite_utils.Database(tmp_path / "logs.db")
    migrate(db)
    talk = llm.Conversation(model=Echo())
    for prompt, fragments in ((TOLD, ["My cat is called Mog."]), ("He is a terrier.", [])):
        response = talk.prompt(prompt, system="Be kind.", fragments=fragments)
        response.text()
        response.log_to_db(db)
    db["conversations"].insert({"id": "old", "name": "Dogs", "model": "echo"})
    db["fragments"].insert({"id": 77, "hash": "h", "content": "A pasted page."})
    db["prompt_fragments"].insert({"response_id": "r1", "fragment_id": 77, "order": 0})
    for n, prompt in enumerate(("I live in Hull.", "I keep bees.")):
        db["responses"].insert({"id": f"r{n}", "model": "echo", "prompt": prompt, "response": "Good.", "conversation_id": "old",
                                "datetime_utc": f"2023-11-14T22:13:2{n}"})
    db["responses"].insert({"id": "alone", "model": "echo", "prompt": "I own a kiln.", "response": "Good.", "datetime_utc": "2023-11-14T22:13:20"})
    db.conn.close()
    return tmp_path / "logs.db"


def test_llm_threads_and_older_rows(logs: Path) -> None:
    found = {e.id: e for e in read(logs) if isinstance(e, Episode)}
    assert len(found) == 3
    assert said(found["llm-old"]) == [("user", "I live in Hull.", ""), ("assistant", "Good.", ""), ("tool", "A pasted page.", "tool"),
                                      ("user", "I keep bees.", ""), ("assistant", "Good.", "after_tool")]
    assert found["llm-old"].started_at == found["llm-alone"].started_at == DAY
    (thread,) = [e for name, e in found.items() if name not in ("llm-old", "llm-alone")]
    assert [(r, t) for r, t, _ in said(thread) if r == "user"] == [("user", TOLD), ("user", "He is a terrier.")]
    assert ("tool", "My cat is called Mog.", "tool") in said(thread)
    assert all(turn.said_at.startswith("20") for turn in thread.turns if turn.role != "system")


SHAPES = {"chatgpt": CHATGPT, "claude": CLAUDE, "openwebui": OPENWEBUI}


@pytest.mark.parametrize("name", SHAPES)
def test_alone_in_a_list_under_a_name_and_zipped_it_is_the_same(name: str, tmp_path: Path) -> None:
    plain = SHAPES[name]
    files = [write(tmp_path / "a.json", plain), write(tmp_path / "b.json", [plain]), write(tmp_path / "c.json", {"conversations": [plain]}),
             zipped(tmp_path / "d.zip", user__json={}, conversations__json=[plain]), write(tmp_path / "e.json", "\ufeff" + json.dumps([plain], indent=1))]
    assert {importing.detect(file) for file in files} == {name}
    assert len({one(file) for file in files}) == 1
    two = zipped(tmp_path / "f.zip", **{"conversations-000__json": [plain], "conversations-001__json": [plain | {"id": "2", "uuid": "2", "conversation_id": "2"}]})
    assert len(read(two)) == 2


def test_the_flat_form_of_chatgpt(tmp_path: Path) -> None:
    flat = [{"id": "f", "create_time": 1700000000, "messages": [{"role": "user", "content": TOLD}, {"role": "assistant", "content": ANSWER}]}]
    assert said(one(write(tmp_path / "flat.json", flat))) == [("user", TOLD, ""), ("assistant", ANSWER, "")]


def test_what_is_of_no_format_is_told(tmp_path: Path, logs: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("create table things (id)")
    odd = [write(tmp_path / "a", "just words"), write(tmp_path / "b", [{"colour": 1}]), write(tmp_path / "c", []), write(tmp_path / "d", ""),
           zipped(tmp_path / "e.zip", one__json={}, two__json={}), tmp_path / "other.db", tmp_path / "nowhere", write(tmp_path / "f", '[{"mapping": {"a"')]
    (tmp_path / "g.zip").write_bytes(b"PK\x03\x04 and nothing more")
    for path in (*odd, tmp_path / "g.zip"):
        with pytest.raises(BadInput) as told:
            read(path)
        assert told.value.hint
    with pytest.raises(BadInput, match="no format `word`"):
        read(logs, "word")


OUTSIDE = ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"]  # of the years that there are in UTC


@pytest.mark.parametrize("when", [*OUTSIDE, "long ago", "", None, True, -1, 0, float("inf"), 10**400, [5]], ids=lambda when: str(when)[:30])
def test_a_date_that_is_none_is_unknown(when: Any) -> None:
    assert date(when) == ""


@pytest.mark.parametrize("when", OUTSIDE)
def test_a_date_outside_of_time_ends_no_import(when: str, tmp_path: Path) -> None:
    odd = CLAUDE | {"uuid": "odd", "created_at": when, "chat_messages": [{"sender": "human", "text": TOLD, "created_at": when}]}
    assert [e.id for e in read(write(tmp_path / "c.json", [odd, CLAUDE])) if isinstance(e, Episode)] == ["claude-odd", "claude-abc"]


PACKED = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("kind", PACKED)
def test_a_zip_that_is_damaged_anywhere_is_told_with_a_hint(kind: int, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("conversations.json", json.dumps([CLAUDE | {"uuid": str(n)} for n in range(40)]))
    whole, damaged = path.read_bytes(), 0
    for at in range(4, len(whole), 1 + len(whole) // 150):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1:])
        try:
            read(path)
        except BadInput as told:
            damaged += bool(told.hint)
    assert damaged > 20


@pytest.mark.parametrize(("flag", "method", "said"), [(1, 8, "is encrypted"), (0, 97, "packed as cannot be read here")])
def test_a_zip_that_is_locked_or_packed_in_an_unknown_way_is_told(flag: int, method: int, said: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", conversations__json=[CLAUDE])
    raw = bytearray(path.read_bytes())
    for start in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        raw[start], raw[start + 2] = flag, method
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=said) as told:
        read(path)
    assert "unpack it" in told.value.hint


def test_a_bad_conversation_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    found = read(write(tmp_path / "c.json", [CHATGPT, 5, {"id": "x"}, {"mapping": {"a": {"message": {"author": {"role": "user"}, "content": 5, "metadata": []}}}},
                                             CHATGPT | {"conversation_id": "def"}]))
    assert [e.id for e in found if isinstance(e, Episode)] == ["chatgpt-abc", "chatgpt-def"]
    assert [b.number for b in found if isinstance(b, BadLine)] == [2, 3]


def into(pocket: Pocket, file: Path, preview: bool = False) -> dict[str, Any]:
    reading = command._Reading(file, "auto", out.Tell(quiet=True))
    return reading.preview(pocket) if preview else reading.into(pocket)


def test_twice_gives_nothing_new_a_longer_one_its_rest_and_the_forgotten_stays_so(tmp_path: Path) -> None:
    file = write(tmp_path / "conversations.json", [CHATGPT])
    with Pocket(Home(tmp_path / "home")) as pocket:
        assert into(pocket, file)["added_turns"] == 5
        assert into(pocket, file)["added_turns"] == 0
        longer = {**CHATGPT, "current_node": "after"}
        assert into(pocket, write(file, [longer]))["added_turns"] == 1
        pocket.forget("chatgpt-abc")
        assert into(pocket, write(file, [CHATGPT]))["added_turns"] == into(pocket, write(file, [longer]))["added_turns"] == 0
        into(pocket, write(file, [CHATGPT | {"conversation_id": "again"}]))
        assert pocket.journal.search_turns("terrier") == []
        assert pocket.journal.verify().ok


def test_a_preview_says_what_would_be_learnt_and_writes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "conversations.json", [CLAUDE, CLAUDE | {"uuid": "2", "chat_messages": [
        {"sender": "human", "text": "My boat is called Falcon. The wifi password is tr0ub4dor&3."}]}])
    with Pocket(Home(tmp_path / "home")) as pocket:
        before = {table: pocket.journal.rows(f"select * from {table}") for table in ("turns", "episodes", "memories", "imported", "tallies", "settings")}
        texts = [m["text"] for m in into(pocket, file, preview=True)["would_learn"]]
        assert texts == ["The user's dog is called Biscuit.", "The user's boat is called Falcon."], "nothing of the attachment, no secret"
        assert {table: pocket.journal.rows(f"select * from {table}") for table in before} == before
        assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file() and b"Biscuit" in p.read_bytes()]
        pocket.exclude("pattern", "falcon")
        assert [m["text"] for m in into(pocket, file, preview=True)["would_learn"]] == texts[:1]
        into(pocket, file)
        assert into(pocket, file, preview=True)["would_learn"] == []
        assert [m.text for m in pocket.would_learn()["memories"]] == texts[:1]


def test_cut_off_in_the_middle_what_was_read_is_kept_and_the_next_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "conversations.json"
    conversations = export(file, 300_000)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with Pocket(Home(tmp_path / "home")) as pocket:
        with pytest.raises(BadInput, match="breaks off"):
            into(pocket, file)
        kept = len(pocket.journal.episodes())
        assert 0 < kept < conversations
        file.write_bytes(whole)
        into(pocket, file)
        assert len(pocket.journal.episodes()) == conversations
        assert into(pocket, file)["added_turns"] == 0


def test_a_format_of_somebody_elses(tmp_path: Path) -> None:
    mine = Format("mine", "my own", lambda path, seen: iter([Episode("m", (Turn("user", path.read_text()),))]), lambda first: "mine" in first)
    register(mine)
    try:
        assert one(write(tmp_path / "x.json", {"mine": 1})).id == "m"
    finally:
        del FORMATS["mine"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    "What is held at once while reading and batching, in bytes; zipped as well."
    peaks = []
    for size in (1_000_000, 4_000_000):
        export(tmp_path / "conversations.json", size)
        with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(tmp_path / "conversations.json", "conversations.json")
        for file in ("conversations.json", "export.zip"):
            tracemalloc.start()
            for batch in command._Reading(tmp_path / file, "chatgpt", out.Tell(quiet=True)).batches(16):
                assert batch
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert max(peaks[2:]) < max(peaks[:2]) + 500_000, peaks


def test_the_bench_reads_once_and_sees_a_second_reading_add_nothing() -> None:
    (row,) = imports([1], lambda said: None).values()
    assert row["turns"] > 500
    assert row["again new"] == 0
    assert row["peak"] > 20
