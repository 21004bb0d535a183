"""What the user asks for in so many words (`pocketsleep remember`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pocketsleep.errors import BadInput
from pocketsleep.night.listen import frames
from pocketsleep.night.listen.ear import Note
from pocketsleep.night.listen.hear import candidates, span
from pocketsleep.night.listen.heart import heart
from pocketsleep.night.listen.people import HEADS, Candidate, People
from pocketsleep.night.listen.replaces import superseded
from pocketsleep.night.listen.sentences import Sentence, expand
from pocketsleep.night.listen.statements import NO_BASE, UPDATE
from pocketsleep.night.listen.voice import MODALS, about_user, third_person
from pocketsleep.nouns import Kind, Memory

_NAMING = re.compile(r"\b((?:is|are) (?:called|named)|name is) ([a-zà-ÿ][\w'-]*)", re.IGNORECASE)


def told(text: str, supersedes: str | None, live: Sequence[Memory], since: str = "") -> Memory:
    """A memory that the user asks for: "The user's X is Y." as it is, the first person rewritten.
    `supersedes` is the text of a live memory; without it what it says decides (replaces.py). Raises BadInput."""
    said = re.sub(r"\s+", " ", text).strip()
    if not said:
        raise BadInput(
            "there is nothing to remember in an empty text",
            hint='`pocketsleep remember "my dog is called Rex"`',
        )
    candidate = _as_told(said)
    memory = Memory(candidate.text, (), candidate.kind, span(candidate), told=True, since=since)
    return replace(memory, supersedes=_replaced(memory, supersedes, live, said))


def _replaced(memory: Memory, supersedes: str | None, live: Sequence[Memory], said: str) -> str:
    if supersedes is None:
        return superseded(memory, live, said)
    for other in live:
        if (
            supersedes in (other.text, other.id)
            or other.text.rstrip(".").lower() == supersedes.strip().rstrip(".").lower()
        ):
            return other.id
    raise BadInput(f"no live memory says `{supersedes}`", hint="`pocketsleep memories` lists them")


_WHO = re.compile(r"The user's (?P<who>[\w' -]+?) (?P<name>[A-ZÀ-Þ][\w'À-ÿ-]*(?: [A-ZÀ-Þ][\w'À-ÿ-]*)*) is the user's (?P=who)\.")


def as_candidate(note: Note, said: str) -> Candidate:
    "A note that the trained ear wrote. Who somebody is to the user is said once."
    text = note.text if note.text.endswith(".") else note.text + "."
    if who := _WHO.fullmatch(text):
        return Candidate(f"The user's {who['who']} is called {who['name']}.", "relation", who["name"], bool(UPDATE.search(said)))
    return Candidate(text, _kind_of(text), note.answer, bool(UPDATE.search(said)))


def _as_told(said: str) -> Candidate:
    "As typed when it speaks of the user or of nobody; else by the rules of listening; else by person change."
    if re.search(r"\bthe user\b", said, re.IGNORECASE) or not frames.speaks_of_self(said):
        return _as_typed(said)
    said = _NAMING.sub(lambda m: f"{m[1]} {m[2][0].upper()}{m[2][1:]}", expand(said))
    heard = candidates(Sentence(said, 0, len(said)), "", People(), (), said)
    if heard.kept:
        return heard.kept[0]
    return _as_typed(_agreeing(about_user(said).rstrip(" .!")))


def _as_typed(said: str) -> Candidate:
    "A note as it stands: whoever asks for it knows whom it is about."
    text = said.rstrip(" .!")
    if len(text.split()) < 2:
        raise BadInput(f"`{said}` is no sentence", hint='`pocketsleep remember "my dog is called Rex"`')
    text = text[0].upper() + text[1:] + "."
    return Candidate(text, _kind_of(text), heart(text))


def _agreeing(text: str) -> str:
    '"the user think" -> "the user thinks": here any word may be the verb, for the person asked for it.'
    hit = re.match(r"(the user) ([a-z]+)\b(?! user)", text)
    if not hit or hit[2] in MODALS or NO_BASE.fullmatch(hit[2]) or re.search(r"[^s]s$", hit[2]):
        return text
    return f"{hit[1]} {third_person(hit[2])}{text[hit.end() :]}"


_RELATION = re.compile(rf"\b(?:{HEADS})\b")


def _kind_of(text: str) -> Kind:
    if text.startswith("When the user"):
        return "procedure"
    if re.match(
        r"The user (?:always )?(?:wants|prefers|likes|loves|hates|dislikes|does not (?:want|"
        r"like)|would like|enjoys)\b",
        text,
    ):
        return "preference"
    return "relation" if _RELATION.search(text) else "fact"
