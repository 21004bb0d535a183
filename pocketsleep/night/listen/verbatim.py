"""A clause as it was said, of the user: for sentences that the trained ear chose and no rule reads.

Nothing is reworded but the person, so nothing can be invented: "We've gone over to oat milk" becomes "The user
has gone over to oat milk." A pronoun is put down to the one person or thing that was spoken of last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pocketsleep.night.listen import frames, words
from pocketsleep.night.listen.grounding import content, long_number
from pocketsleep.night.listen.heart import heart
from pocketsleep.night.listen.people import Candidate, People, proper
from pocketsleep.night.listen.sentences import clauses, expand
from pocketsleep.night.listen.voice import about_user, sentence, trim

LEAST, MOST = 3, 18  # words of a note
_LINKS = words.bag("if unless whether than like until till because cos as although though while")
_OPENER = re.compile(
    r"^(?:(?:and|but|so|anyway|oh|well|yes|no|ok|okay|also|besides|actually|by the way|btw|for the record|good news|change of plan|"
    r"ta|thanks|right|now|then)[,:.! ]+)+", re.IGNORECASE)  # fmt: skip
_FINITE = (
    r"(?:is|are|am|was|were|has|have|had|does|do|did|will|can|goes|went|came|comes|got|gets|made|makes|lives|lived|works|worked|"
    r"keeps|kept|plays|played|grew|sold|sells|bought|buys|built|runs|ran|[a-z]{3,}(?:ed|s))"
)
_MINE = re.compile(rf"^(?:I|we|my|our)\b.*?\b{_FINITE}\b|^(?:I|we) [a-z]+", re.IGNORECASE)
_NAMED = re.compile(
    rf"^(?P<name>[A-ZÀ-Þ][\w'’À-ÿ-]+(?: [A-ZÀ-Þ][\w'’À-ÿ-]+)?) (?P<rest>(?:now |still |always |never |only )?{_FINITE}\b.+)$"
)
_PRONOUN = re.compile(r"^(?P<who>he|she)\b (?P<rest>.+)$", re.IGNORECASE)
_THING = re.compile(rf"^(?:the |our |my )(?P<noun>[\w' -]{{3,50}}?) (?P<verb>{_FINITE})\b (?P<rest>.+)$", re.IGNORECASE)
_WISH = re.compile(r"^(?:please |so |and |also )*(?P<what>(?:never|always|no|do not ever|from now on,?) .+)$", re.IGNORECASE)
_THEREFORE = re.compile(r",? (?:so|and|but) (?=(?:please )?(?:never|always|no) )", re.IGNORECASE)  # before a wish
_LASTS = re.compile(
    r"\b(?:for me|to me|my|me|from now on|until further notice|any ?more|in future|ever|always|(?:every|each) time)\b", re.I)
_FLEETING = re.compile(
    r"\b(?:going to|about to|just|trying|wondering|thinking|looking|hoping|stuck|off to bed|home for|here it is)\b", re.IGNORECASE)


def verbatim(text: str, people: People) -> Iterator[Candidate]:
    "Candidates of one sentence, its clauses in order."
    plain = expand(text)
    if frames.hypothetical(plain) or frames.joke(plain) or text.rstrip("\"'”’) ").endswith("?"):
        return
    for clause in clauses(plain):
        said = _OPENER.sub("", clause.text)
        if clause.link in _LINKS or frames.reported(said) or frames.belief(said) or _FLEETING.search(said):
            continue
        if frames.passing(said) and not frames.dated(said):
            continue
        for part in _THEREFORE.split(said):
            if note := _note(part, people):
                yield note


def _note(said: str, people: People) -> Candidate | None:
    if wish := _wish(said):
        return wish
    if frames.command(said):
        return None
    return _fitting(_of_user(said) or _of_person(said, people) or _of_thing(said), said)


def _wish(said: str) -> Candidate | None:
    "'never ring after nine for me', 'no meetings on Fridays until further notice'."
    hit = _WISH.match(said)
    if not hit or not _LASTS.search(said):
        return None
    what = about_user(hit["what"])
    text = f"The user wants {what}" if what.lower().startswith("no ") else f"The assistant should {what}"
    return _fitting(text, said, "preference")


def _of_user(said: str) -> str:
    return about_user(said) if _MINE.match(said) else ""


def _of_person(said: str, people: People) -> str:
    "A sentence about somebody the user has spoken of as theirs."
    if (hit := _PRONOUN.match(said)) and len(people.last) >= 1:
        return f"{people.last[-1][0]} {about_user(hit['rest'])}"
    if (hit := _NAMED.match(said)) and proper(hit["name"]):
        return f"{people.by_name.get(hit['name'], hit['name'])} {about_user(hit['rest'])}"
    return ""


def _of_thing(said: str) -> str:
    "A sentence about a thing of the user's, or about something with a name of its own."
    hit = _THING.match(said)
    if hit is None or not (re.match(r"(?:our|my)\b", said, re.IGNORECASE) or re.search(r"\b[A-ZÀ-Þ][a-zà-ÿ]{2,}", said[4:])):
        return ""
    return about_user(said)


def _fitting(text: str, said: str, kind: str = "fact") -> Candidate | None:
    if not text:
        return None
    note = sentence("", trim(text))
    size = len(note.split())
    core = heart(note)
    if not LEAST <= size <= MOST or not core or _VAGUE.search(note) or long_number(note):
        return None
    return Candidate(note, "preference" if kind == "preference" else "fact", core, bool(_UPDATE.search(said)))


_VAGUE = re.compile(r"\b(?:you|your|this|that|these|those|there|it|they)\b", re.IGNORECASE)
_UPDATE = re.compile(
    r"\b(?:now|no longer|any ?more|instead|after all|these days|switched|moved|changed|from now|new|settled)\b", re.IGNORECASE)


def pointed(candidates: Iterable[Candidate], written: str) -> Candidate | None:
    "The clause that shares most with what a writer made of the sentence, invented words and all; None where none shares much."
    wanted = content(written)
    best = max(candidates, key=lambda c: len(content(c.text) & wanted), default=None)
    shared = len(content(best.text) & wanted) if best else 0
    return best if best and (2 * shared >= len(wanted) or shared >= 3) else None


def contradicted(note: str, answering: str) -> bool:
    "A bare denial of what the assistant said: the user is not what nobody but the assistant thought."
    return bool(re.search(r"\b(?:not|never|no)\b", note)) and bool(content(heart(note)) & content(answering))


__all__ = ["contradicted", "pointed", "verbatim"]
