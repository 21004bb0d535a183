"""What the journal keeps to itself: the one place that decides it.

Hidden are turns said off the record (their own flag, or their conversation's), those that a person hid afterwards,
those of an excluded app, those in which an excluded pattern stands, and the answers to all of these. A hidden turn
stays in its place in the chain; nothing that reads the journal is given its text.

A pattern is words with `*` (anything) and `?` (one character), wherever they stand in a message, whatever their
case: `falcon` is a whole word, `falcon*` begins one. No regular expressions: a match costs time in
proportion to the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

from pocketsleep.errors import BadInput
from pocketsleep.nouns import Cite

What = Literal["app", "pattern", "conversation", "turn"]
KINDS: tuple[What, ...] = get_args(What)
LONGEST, LEAST = 200, 2  # characters of a pattern, and those that are no * or ?
_REGEX = re.compile(r"\\\w|\.[*+]|\[[^\]]*\]|\(\?|^\^|\$$|\{\d|[)\]][*+]|\|")
OFF_THE_RECORD = ("private", "conversation", "turn")  # reasons that go with the words when a conversation is sent again
ANSWER, AGAIN = "answer", "again"


@dataclass(frozen=True, slots=True)
class Exclusion:
    "One thing a person keeps out: an app's name, a pattern, a conversation's id, or a turn as `id#index`."

    kind: What
    value: str
    since: str = ""  # ISO 8601

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def cite(self) -> Cite:
        "The turn that is meant, of kind `turn`."
        episode, _, index = self.value.rpartition("#")
        return Cite(episode, int(index))


def checked(kind: str, value: str) -> Exclusion:
    "An exclusion as it is kept. BadInput when it is nothing that could be kept out."
    if kind not in KINDS:
        raise BadInput(f"nothing can be excluded by `{kind}`", hint=f"one of: {', '.join(KINDS)}")
    text = plain(value) if kind == "pattern" else value.strip()
    if kind == "pattern":
        _check_pattern(text)
    elif not text or (kind == "app" and not re.search(r"\w", text)):
        raise BadInput(f"the {kind} to exclude has no name", hint="pocketsleep exclude add --app chatgpt")
    elif kind == "turn" and not re.fullmatch(r".+#\d{1,9}", text, re.DOTALL):
        raise BadInput(f"`{text}` is no turn", hint="a turn is `id#index`, counted from 0")
    return Exclusion(kind, text.casefold() if kind == "app" else text)


def _check_pattern(text: str) -> None:
    hint = "words with * (anything) and ? (one character): `pocketsleep exclude add --pattern 'falcon*'`"
    if len(re.findall(r"[^\s*?]", text)) < LEAST or not re.search(r"\w", text):
        raise BadInput(f"the pattern `{text}` is too short, and would hide nearly everything", hint=hint)
    if len(text) > LONGEST:
        raise BadInput(f"the pattern has {len(text)} characters, and at most {LONGEST} are taken", hint=hint)
    if found := _REGEX.search(text):
        raise BadInput(f"the pattern `{text}` has `{found.group()}` in it, as regular expressions do", hint=hint)


def plain(text: str) -> str:
    "A text as patterns are held against it: compatible letters, no case, single spaces."
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(folded.split())


@lru_cache(maxsize=1024)
def _pieces(pattern: str) -> tuple[re.Pattern[str], ...]:
    "What stands between the stars, in order. No piece can match in more than one way from one place."
    parts = pattern.split("*")
    made = []
    for number, part in enumerate(parts):
        if not part:
            continue
        body = "".join("." if c == "?" else re.escape(c) for c in part)
        before = r"(?<!\w)" if number == 0 and re.match(r"[\w?]", part) else ""
        after = r"(?!\w)" if number == len(parts) - 1 and re.search(r"[\w?]$", part) else ""
        made.append(re.compile(before + body + after, re.DOTALL))
    return tuple(made)


def matches(pattern: str, text: str) -> bool:
    "Whether a pattern stands in a text; both `plain`. The first place of each piece will do: stars take the rest."
    at = 0
    for piece in _pieces(pattern):
        if (found := piece.search(text, at)) is None:
            return False
        at = found.end()
    return True


def is_app(name: str, source: str) -> bool:
    "Whether a conversation's source is this app: `proxy:jan` is `jan`, `proxy` and `proxy:jan`. Stars may stand in the name."
    plainly, literal = source.casefold(), name.replace("[", "[[]")
    return any(fnmatchcase(one, literal) for one in {plainly, *plainly.split(":")})


@dataclass(frozen=True)
class Rules:
    "All exclusions of a journal."

    exclusions: tuple[Exclusion, ...] = field(default=())

    @cached_property
    def apps(self) -> list[str]:
        return [one.value for one in self.exclusions if one.kind == "app"]

    @cached_property
    def patterns(self) -> list[str]:
        return [one.value for one in self.exclusions if one.kind == "pattern"]

    @cached_property
    def by_hand(self) -> frozenset[str]:
        return frozenset(one.id for one in self.exclusions)

    def of_text(self, text: str) -> str:
        "The exclusion that a text falls under, '' for none."
        if not self.patterns or not text:
            return ""
        folded = plain(text)
        return next((f"pattern:{one}" for one in self.patterns if matches(one, folded)), "")

    def of_app(self, source: str) -> str:
        return next((f"app:{one}" for one in self.apps if is_app(one, source)), "")


def reasons(episode: Mapping[str, Any], turns: Sequence[Mapping[str, Any]], rules: Rules) -> list[str]:
    """Why each turn of a conversation is hidden, '' where it may be heard. The rule.

    episode: id, source, private; turns: idx, role, text, private, all of one conversation in order.
    """
    whole = "private" if episode["private"] else ""
    if f"conversation:{episode['id']}" in rules.by_hand:
        whole = whole or "conversation"
    whole = whole or rules.of_app(episode["source"] or "")
    found: list[str] = []
    answering = False  # a hidden turn: until its author speaks again
    for turn in turns:
        why = whole or ("private" if turn["private"] else "")
        if not why and f"turn:{episode['id']}#{turn['idx']}" in rules.by_hand:
            why = "turn"
        why = why or rules.of_text(turn["text"] or "")
        if turn["role"] in ("user", "system"):
            answering = bool(why)
        found.append(why or (ANSWER if answering else ""))
    return found


def may_be_told(text: str, hidden: int, heard: int, rules: Rules) -> bool:
    "Whether a memory may be: nothing excluded stands in it, and not all that is left of the turns that said it is hidden."
    return not rules.of_text(text) and (heard > 0 or hidden == 0)
