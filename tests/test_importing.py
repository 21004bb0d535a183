"""Reading conversations from files as people have them."""

import codecs
import json

import pytest

from pocketsleep.errors import BadInput
from pocketsleep.journal.importing import BadLine, read_jsonl
from pocketsleep.journal.taint import taint, wholly_pasted
from pocketsleep.nouns import Episode, Feedback, Turn

TALK = {
    "id": "c1", "started_at": "2026-05-01T08:00:00+00:00", "private": False,
    "messages": [{"role": "user", "content": "My dog is called Biscuit."},
                 {"role": "assistant", "content": "A good name."}],
    "feedback": [{"message": 1, "rating": "down", "correction": "He is called Crumpet."}],
}


def read(tmp_path, *lines, encoding="utf-8"):
    path = tmp_path / "talk.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_bytes("\n".join(texts).encode(encoding))
    return list(read_jsonl(path))


def one_message(**message):
    return {"id": "m", "messages": [{"role": "user", "content": "hello"}, message]}


def test_a_conversation_arrives_whole(tmp_path):
    (episode,) = read(tmp_path, TALK)
    assert episode == Episode(
        "c1", (Turn("user", "My dog is called Biscuit.", said_at=TALK["started_at"]),
               Turn("assistant", "A good name.", said_at=TALK["started_at"])),
        TALK["started_at"], "import", False, (Feedback(1, "down", "He is called Crumpet."),))


def test_private_conversations_are_private_in_every_turn(tmp_path):
    yes, odd, no = read(tmp_path, *(TALK | {"private": flag} for flag in (True, "incognito", None)))
    assert [e.private for e in (yes, odd, no)] == [True, True, False]
    assert all(turn.private for turn in yes.turns)


@pytest.mark.parametrize(("line", "told"), [
    ('{"id": "x", "messages": [', "is not JSON"),
    ("just words", "is not JSON"),
    ("17", "holds a number"),
    ({"id": "x"}, "has no `messages`"),
    ({"id": "x", "messages": []}, "has no `messages`"),
    ({"id": "x", "messages": "hi"}, "has no `messages`"),
    ({"id": "x", "messages": ["hi"]}, "message 0 is a text"),
    (one_message(content="no role"), "message 1 has no `role`"),
    (one_message(role="oracle", content="?"), "message 1 has an unknown role 'oracle'"),
    (one_message(role="user"), "message 1 has no `content`"),
    (one_message(role="user", content=5), "message 1 has a number as its `content`"),
    (one_message(role="user", content=[7]), "message 1 has a number among its parts"),
    ('{"messages":' + "[" * 100_000, "is not JSON"),
])
def test_a_broken_line_is_told_and_the_rest_is_read(tmp_path, line, told):
    first, bad, last = read(tmp_path, TALK, line, TALK)
    assert isinstance(first, Episode)
    assert isinstance(last, Episode)
    assert isinstance(bad, BadLine)
    assert bad.number == 2
    assert told in bad.what
    assert str(bad).startswith("line 2: ")


def test_content_in_parts(tmp_path):
    parts = [{"type": "text", "text": "Look at"}, {"type": "image_url", "image_url": {"url": "x"}}, "this",
             {"type": "input_text", "text": "please"}]
    (episode,) = read(tmp_path, one_message(role="user", content=parts))
    assert episode.turns[1].text == "Look at\n[image_url]\nthis\nplease"


def test_null_content_and_tool_calls_keep_their_place(tmp_path):
    (episode,) = read(tmp_path, {"messages": [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}]},
        {"role": "tool", "tool_call_id": "t1", "content": "The user lives in Ely."},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "I live in York."},
        {"role": "assistant", "content": "Noted."}]})
    assert [(t.role, t.taint) for t in episode.turns] == [
        ("user", ""), ("assistant", ""), ("tool", "tool"), ("assistant", "after_tool"), ("user", ""),
        ("assistant", "after_tool")]
    assert episode.turns[1].text == ""
    assert episode.id.startswith("b2-")


def test_other_names_for_roles(tmp_path):
    (episode,) = read(tmp_path, {"messages": [{"role": role, "content": "x"} for role in
                                              ("developer", "Human", "model", "function")]})
    assert [turn.role for turn in episode.turns] == ["system", "user", "assistant", "tool"]


def test_bare_messages_and_numbers_as_ids(tmp_path):
    bare, numbered = read(tmp_path, TALK["messages"], TALK | {"id": 7})
    assert bare.turns[0].text == "My dog is called Biscuit."
    assert numbered.id == "7"


def test_feedback_that_points_nowhere_is_told_and_the_conversation_comes(tmp_path):
    episode, nowhere, odd = read(tmp_path, TALK | {"feedback": [
        {"message": 9, "rating": "up"}, {"message": 0, "rating": "meh"}, {"message": 1, "rating": "up"}]})
    assert episode.feedback == (Feedback(1, "up"),)
    assert "message 9" in nowhere.what
    assert "'meh'" in odd.what


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, b""])
def test_utf8_with_and_without_its_mark(tmp_path, mark):
    path = tmp_path / "talk.jsonl"
    path.write_bytes(mark + json.dumps(TALK).encode() + b"\r\n\r\n" + json.dumps(TALK).encode())
    assert [e.id for e in read_jsonl(path)] == ["c1", "c1"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_recovered(tmp_path, encoding):
    talk = {"id": "ă", "messages": [{"role": "user", "content": "Ċ ਊ 茶 🦊: mine is called Žofka."}]}
    first, second = read(tmp_path, talk, talk, encoding=encoding)
    assert first.turns[0].text == second.turns[0].text == talk["messages"][0]["content"]


def test_latin1_is_told_with_the_way_out(tmp_path):
    path = tmp_path / "talk.jsonl"
    path.write_bytes('{"messages": [{"role": "user", "content": "café"}]}\n'.encode("latin-1")
                     + json.dumps(TALK).encode())
    bad, good = read_jsonl(path)
    assert "is not UTF-8 (byte 0xe9" in bad.what
    assert "iconv" in bad.hint
    assert good.id == "c1"


def test_a_long_message(tmp_path):
    text = "word " * 200_000
    (episode,) = read(tmp_path, one_message(role="assistant", content=text))
    assert episode.turns[1].text == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_endless_line_is_cut_off_and_the_next_is_read(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr("pocketsleep.journal.importing.messages.LONGEST", 1000)
    bad, good = read(tmp_path, one_message(role="user", content="x" * 5000), TALK, encoding=encoding)
    assert "is longer than" in bad.what
    assert good.id == "c1"


@pytest.mark.parametrize("content", [b"", b"\n\n", codecs.BOM_UTF8])
def test_an_empty_file_holds_nothing(tmp_path, content):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert list(read_jsonl(path)) == []


def test_what_is_no_json_lines_file(tmp_path):
    with pytest.raises(BadInput, match="cannot be read") as missing:
        list(read_jsonl(tmp_path / "none.jsonl"))
    assert missing.value.hint
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_jsonl(tmp_path))
    for text in (json.dumps([TALK, TALK]), json.dumps([TALK], indent=2)):
        with pytest.raises(BadInput, match="JSON array") as array:
            read(tmp_path, text)
        assert "jq" in array.value.hint


@pytest.mark.parametrize("text", [
    "> I live in Ely.\n> I have a boat.",
    "On Mon, 3 May 2026, Ana Silva wrote:\n> I live in Ely.",
    "```\nI live in Ely.\n```",
    "```text\nI live in Ely.",
    "---------- Forwarded message ---------\nFrom: Ana\nI live in Ely.",
    "Begin forwarded message:\n\nI live in Ely.",
    "From: Ana Silva\nTo: all\nSubject: moving\n\nI live in Ely.",
    "“I live in Ely with my boat and two cats and nobody else.”",
    "<html><body>I live in Ely.</body></html>",
    '{"user": {"lives_in": "Ely"}}',
])
def test_what_is_wholly_pasted(text):
    assert wholly_pasted(text)
    assert taint([], "user", text) == "pasted"
    assert taint([], "assistant", text) == ""


@pytest.mark.parametrize("text", [
    "", "I live in Ely.", "She says:\n> I live in Ely.\nIs that far?", "What does `cd` do?",
    "Fix this, it is mine:\n```\nprint(1)\n```", "From: York to Ely, how far is it?", '"Ely", I said.',
    "“Yes.”", "I like > signs", "{not json}", "[sic] I live in Ely.", "On Monday Ana wrote: hello",
])
def test_what_has_own_words(text):
    assert not wholly_pasted(text)
    assert taint([], "user", text) == ""
