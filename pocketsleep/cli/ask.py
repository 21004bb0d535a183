"""Commands that talk: chat, serve, exam."""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from pocketsleep.cli import BaseName, Json, Stopped, app, opened, out
from pocketsleep.cli.watch import Log, Watch, told
from pocketsleep.errors import BadInput, NotFound, PocketError
from pocketsleep.nouns import Message, Sampling
from pocketsleep.pocket import Pocket
from pocketsleep.serve.day import ARMS, Arm, Day


@app.command()
def chat(
    text: Annotated[Optional[str], typer.Argument(help="Say one thing; without it, a conversation starts.")] = None,  # noqa: UP045
    private: Annotated[bool, typer.Option("--private", help="Kept out of every night, recall and search.")] = False,
    arm: Annotated[str, typer.Option(help="Answer with: base, weights, recall or both.")] = "both",
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0)] = 0.0,
    dry: Annotated[bool, typer.Option("--dry", help="An echo instead of a model: tries the terminal, not the answers.")] = False,
    conversation: Annotated[str, typer.Option(help="Go on with this conversation; `last` is the newest.")] = "",
    base: BaseName = "", json_: Json = False,
) -> None:
    """Talk to it in the terminal; what you say is recorded for the night.

    Example: pocketsleep chat "Good morning. My dog is called Biscuit."
    """
    chosen = _arm(arm)
    with opened(base) as pocket:
        day = _dry(pocket) if dry else pocket.day(private)
        day.private = private
        day.watch = watch = Watch()
        talk = _Talk(day, Sampling(temperature=temperature), chosen, json_, watch)
        if conversation:
            talk.take_up(conversation)
        try:
            if text is None:
                _converse(talk)
            else:
                talk.say(text)
        except KeyboardInterrupt:
            raise Stopped(talk.stopped) from None


def _arm(name: str) -> Arm:
    for arm in ARMS:
        if arm == name:
            return arm
    raise BadInput(f"there is no arm `{name}`", hint=f"one of: {', '.join(ARMS)}")


def _dry(pocket: Any) -> Day:
    from pocketsleep.runtime.scripted import Scripted

    return Day(pocket.journal, Scripted(*["I hear you."] * 1000), pocket.registry.path)


class _Talk:
    "One conversation: its messages so far."

    def __init__(self, day: Day, sampling: Sampling, arm: Arm, json_: bool, watch: Watch) -> None:
        self.day, self.sampling, self.arm, self.json, self.watch = day, sampling, arm, json_, watch
        self.messages: list[Message] = []
        self.name = f"chat-{uuid.uuid4().hex[:12]}"

    def take_up(self, name: str) -> None:
        "Go on where a conversation was left. What is forgotten or hidden of it has no words, and is not read again."
        journal = self.day.journal
        found = journal.tellings(1) if name == "last" else []
        if name == "last" and not found:
            raise NotFound("there is no conversation yet", hint="pocketsleep chat")
        episode = journal.episode(found[0]["id"] if found else name)
        self.name, self.day.private = episode.id, self.day.private or episode.private
        self.messages = [Message(turn.role, turn.text) for turn in episode.turns if turn.text]

    def say(self, text: str) -> None:
        self.messages.append(Message("user", text))
        pieces: list[str] = []
        try:
            with self.watch.stoppable():
                self._hear(pieces)
        except (KeyboardInterrupt, BrokenPipeError):
            with suppress(PocketError):  # what was said until then is kept, as it is in the page
                self.day.record(self.messages, "".join(pieces), self.name)
            raise
        answer = "".join(pieces)
        self.messages.append(Message("assistant", answer))
        receipt = self.day.receipt
        if self.json:
            out.one({"answer": answer, "conversation": self.name, "adapter": receipt.adapter or None, "source": receipt.source,
                     "notes": [{"id": m.id, "text": m.text} for m in receipt.notes], "window": told(self.day.window)})
            return
        out.data()
        if receipt.notes:
            out.talk.print("  from memory: " + " | ".join(m.text for m in receipt.notes), style="dim", markup=False)


    def _hear(self, pieces: list[str]) -> None:
        for piece in self.day.reply(self.messages, self.sampling, conversation=self.name, arm=self.arm):
            pieces.append(piece)
            if not self.json:
                out.flow(piece)

    @property
    def stopped(self) -> str:
        "What is told of a talk that was interrupted."
        if not self.messages:
            return "stopped; nothing was said yet. hint: `pocketsleep chat` begins again"
        if self.day.private:
            return "stopped; what was said stays off the record"
        return f"stopped; what was said is kept. hint: `pocketsleep chat --conversation {self.name}` goes on from here"


def _converse(talk: _Talk) -> None:
    memory = ", with memory layers" if talk.day.windows.remembers else ""
    out.talk.print(f"{talk.day.runtime.card.title}{memory}, {_worn(talk.day)}. An empty line ends the conversation.", markup=False)
    while True:
        try:
            said = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if not said.strip():
            return
        talk.say(said)


def _worn(day: Day) -> str:
    current = day.journal.current()
    return f"wearing {current}" if current else "the bare base"


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port on the loopback address.")] = 8765,
    upstream: Annotated[str, typer.Option(help="Instead: pass everything on to this server, and record what is said.")] = "",
    inject: Annotated[bool, typer.Option("--inject", help="With --upstream: notes that a question calls for go in front.")] = False,
    key: Annotated[str, typer.Option(envvar="POCKETSLEEP_UPSTREAM_KEY", help="With --upstream: its key.", show_envvar=True)] = "",
    base: BaseName = "",
) -> None:
    """Serve the OpenAI dialect on this machine alone, or record what passes on its way to another server.

    Example: pocketsleep serve --port 8765
    """
    from pocketsleep.asleep import Sleeper
    from pocketsleep.serve import api, beside, page

    if inject and not upstream:
        raise BadInput("--inject goes with --upstream", hint="pocketsleep serve --upstream http://127.0.0.1:11434 --inject")
    with opened(base) as pocket:
        if upstream:
            _pass_on(pocket, upstream, inject, key, port)
            return
        token, sleeper = pocket.token(), Sleeper(pocket.home, pocket.named)
        out.talk.print(f"http://127.0.0.1:{port}/v1   token: {pocket.home.token}", markup=False)
        try:
            day = pocket.day()
            day.watch = Log()
            api.serve(day, token, port=port, routes=[*page.routes(pocket, sleeper), *beside.routes(pocket.journal)])
        finally:
            sleeper.close()


def _pass_on(pocket: Pocket, url: str, inject: bool, key: str, port: int) -> None:
    from pocketsleep.serve import proxy
    from pocketsleep.serve.api_recorder import Recorder

    recorder = Recorder(pocket.journal, lambda told: out.talk.print(told, markup=False))
    made = proxy.Proxy(proxy.Upstream(url, key), pocket.token(), port, recorder.heard, recorder.inject if inject else None)
    out.talk.print(f"http://127.0.0.1:{port}/v1 to {made.upstream.named}   token: {pocket.home.token}", markup=False)
    try:
        proxy.run(made)
    finally:
        recorder.close()


@app.command()
def exam(
    file: Annotated[Path, typer.Argument(help='JSON Lines: {"id", "question"}.')],
    arm: Annotated[str, typer.Option(help="base (no adapter, no notes), weights, recall, or both.")] = "both",
    base: BaseName = "", json_: Json = False,
) -> None:
    """Ask a file of questions, each on its own, and print the answers. Nothing is recorded.

    Example: pocketsleep exam questions.jsonl --arm weights --json
    """
    chosen, questions = _arm(arm), _questions(file)
    with opened(base) as pocket:
        answers = pocket.day().answers([q["question"] for q in questions], chosen)
    rows = [{"id": q["id"], "arm": chosen, "answer": a} for q, a in zip(questions, answers, strict=True)]
    if json_:
        out.lines(rows)
        return
    out.table(("id", "question", "answer"),
              ((q["id"], q["question"], r["answer"]) for q, r in zip(questions, rows, strict=True)))


def _questions(file: Path) -> list[dict[str, Any]]:
    try:
        raw = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"`{file}` cannot be read ({error})", hint="pocketsleep exam questions.jsonl") from None
    found = []
    for number, line in enumerate(raw, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append({"id": row.get("id", number), "question": str(row["question"])})
        except (ValueError, KeyError, AttributeError):
            raise BadInput(f'{file}:{number}: not {{"id": ..., "question": ...}}', hint="mend the line") from None
    return found
