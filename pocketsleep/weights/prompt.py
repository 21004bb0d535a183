"""Messages to token ids through a chat template, so that content can never forge a turn.

The template is rendered around placeholders, never around the content itself. Its own text is encoded
with special tokens on, each content with special tokens off, and the ids are joined. Of tools and their calls, which templates
look into, only strings with the text of a special token are held apart in this way.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pocketsleep.errors import BadInput, ModelError
from pocketsleep.nouns import Message
from pocketsleep.weights import tools
from pocketsleep.weights.tokenizer import Tokenizer

_EDGE = "\u2003"  # white space that no template writes: gone when a template trims its content


class Prompter:
    "A chat template that is bound to its tokenizer."

    def __init__(self, tokenizer: Tokenizer, template: str) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self._nonce = secrets.token_hex(8)
        self._hole = re.compile(f"({_EDGE}?){self._nonce}x([0-9]+)x({_EDGE}?)")
        self._leaf = re.compile(f"{self._nonce}y([0-9]+)y")
        self._text_ids = lru_cache(maxsize=256)(lambda text: tuple(tokenizer.encode(text, specials=True)))
        self._compiled = self._compile(template)
        self.knows_tools = "tools" in jinja2.meta.find_undeclared_variables(self._compiled.environment.parse(template))
        self._blank_system = self._injects_system()
        self.turn_start = self._find_turn_start()

    def ids(self, messages: Sequence[Message], generate: bool = True) -> list[int]:
        """Token ids of a prompt; with `generate` it ends where the assistant begins to speak.

        BOS comes once where the model wants it. A system message with no content counts as none, and
        no template gets to put in its own: when it would, an empty system turn takes that place. An
        invented persona costs some twenty tokens in every prompt and contradicts what the person set up.
        """
        if not messages:
            raise BadInput("a prompt needs at least one message", hint="give it a user message")
        given = "".join(m.tools for m in messages)
        if not self.knows_tools and any(m.tools or m.calls or m.role == "tool" for m in messages):
            messages, given = tools.as_text(messages), ""
        asked = [m for m in messages if m.role != "system" or m.content.strip()]
        if self._blank_system and (not asked or asked[0].role != "system"):
            asked.insert(0, Message("system", ""))
        leaves: list[str] = []
        ids = self._join(asked, self._render(asked, generate, given, leaves), leaves)
        bos = self.tokenizer.bos
        if self.tokenizer.adds_bos and bos is not None and ids[:1] != [bos]:
            ids.insert(0, bos)
        return ids

    def answer_ids(self, text: str) -> list[int]:
        "Token ids of an assistant's whole answer, as they follow a prompt: the text, then the end of the turn."
        ids = self.tokenizer.encode(text)
        return ids if self.tokenizer.eot is None else [*ids, self.tokenizer.eot]

    def turns(self, ids: Sequence[int]) -> int:
        "How many turns are opened in these ids, the one to be generated included."
        return sum(number == self.turn_start for number in ids)

    def _join(self, messages: Sequence[Message], text: str, leaves: Sequence[str] = ()) -> list[int]:
        "Ids of a rendered template: its own text and, at each placeholder, the content."
        ids: list[int] = []
        at = 0
        for hole in self._hole.finditer(text):
            ids += self._own(text[at : hole.start()], leaves)
            content = messages[int(hole.group(2))].content
            content = content if hole.group(1) else content.lstrip()
            content = content if hole.group(3) else content.rstrip()
            ids += self.tokenizer.encode(content)
            at = hole.end()
        return [*ids, *self._own(text[at:], leaves)]

    def _own(self, text: str, leaves: Sequence[str]) -> list[int]:
        "Ids of the template's own text, and of what was held apart in it, as JSON spells it."
        parts = self._leaf.split(text)
        ids = list(self._text_ids(parts[0]))
        for number, after in zip(parts[1::2], parts[2::2], strict=True):
            ids += [*self.tokenizer.encode(json.dumps(leaves[int(number)], ensure_ascii=False)[1:-1]), *self._text_ids(after)]
        return ids

    def _hollow(self, index: int, message: Message, leaves: list[str]) -> dict[str, Any]:
        "A message as the template sees it."
        made: dict[str, Any] = {"role": message.role, "content": f"{_EDGE}{self._nonce}x{index}x{_EDGE}"}
        if message.calls:
            calls = self._apart(json.loads(message.calls), leaves)
            made |= {"tool_calls": [{"type": "function", "function": call} for call in calls]}
            made |= {} if message.content.strip() else {"content": ""}
        return made

    def _apart(self, value: Any, leaves: list[str]) -> Any:
        "JSON with a placeholder for each string that could forge a turn."
        if isinstance(value, dict):
            return {self._apart(k, leaves): self._apart(v, leaves) for k, v in value.items()}
        if isinstance(value, list):
            return [self._apart(one, leaves) for one in value]
        if not isinstance(value, str) or not any(special in value for special in self.tokenizer.special_ids):
            return value
        leaves.append(value)
        return f"{self._nonce}y{len(leaves) - 1}y"

    def _render(self, messages: Sequence[Message], generate: bool, given: str = "", leaves: list[str] | None = None) -> str:
        "The template around placeholders. A content that the template drops is an error, not a silence."
        leaves = [] if leaves is None else leaves
        holes = [self._hollow(index, m, leaves) for index, m in enumerate(messages)]
        words = self._words() | ({"tools": self._apart(json.loads(given), leaves)} if given else {})
        try:
            text = self._compiled.render(messages=holes, add_generation_prompt=generate, **words)
        except jinja2.TemplateError as error:
            raise ModelError(
                f"the chat template cannot write this conversation ({error})",
                hint="most templates want user and assistant to alternate, and end on a user message",
            ) from error
        full = {index for index, m in enumerate(messages) if not m.calls or m.content.strip()}
        lost = full - {int(hole.group(2)) for hole in self._hole.finditer(text)}
        if lost:
            roles = ", ".join(messages[index].role for index in sorted(lost))
            raise ModelError(
                f"the chat template leaves out messages ({roles})", hint="use a base whose template has them"
            )
        return text

    def _words(self) -> dict[str, Any]:
        names = {"bos_token": self.tokenizer.bos, "eos_token": self.tokenizer.eos}
        return {
            name: "" if number is None else self.tokenizer.engine.id_to_token(number) for name, number in names.items()
        }

    def _compile(self, template: str) -> jinja2.Template:
        "Templates are code from outside: sandboxed, and with nothing to call but `raise_exception`."
        world = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], keep_trailing_newline=True
        )
        world.globals["raise_exception"] = _refuse
        world.filters["tojson"] = _json  # Jinja's own escapes for HTML
        try:
            return world.from_string(template)
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template is not valid Jinja ({error})", hint="use another base") from error

    def _injects_system(self) -> bool:
        "Whether the template writes a system turn of its own when there is none: it then grows without one."
        ask = Message("user", "?")
        try:
            blank = self._render([Message("system", ""), ask], True)
        except ModelError:
            return False  # a template without a system role has none to inject
        return len(self._hole.sub("", self._render([ask], True))) > len(self._hole.sub("", blank))

    def _find_turn_start(self) -> int:
        "The last special token of the text that a user's message follows."
        text = self._render([Message("user", "?"), Message("assistant", "?"), Message("user", "?")], False)
        between = self._hole.split(text)[8]  # what stands between the second and the third content
        found = [number for number in self._text_ids(between) if number in self.tokenizer.special_ids.values()]
        if not found:
            raise ModelError("the chat template opens turns without a special token", hint="use another base")
        return found[-1]


def _json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(reason: str) -> None:
    raise jinja2.TemplateError(reason)
