"""The choices of one night in one frozen value, each with its reason.

`derive` turns what is to be held (how many memories, what base) into numbers; nothing else decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pocketsleep.nouns import Plan

SMALL, MIDDLE = 500_000_000, 1_000_000_000  # parameters


@dataclass(frozen=True, slots=True)
class Recipe:
    "What a night trains, on what, for how long."

    rank: int
    scale: float
    keys: tuple[str, ...]
    first_layer: int  # everything below stays as it is
    layers: int
    learning_rate: float
    epochs: int
    batch: int
    seed: int
    per_memory: int  # study items a memory
    skilled: int  # of these, most that the trained dreamer makes
    anchors: int  # general prompts whose answers must not move
    passages: int  # of plain prose that must stay as likely as it was
    anchor_weight: float
    anchor_turns: int  # each anchor is taken in one pass out of so many
    whiten: float  # share of the anchors' input energy whose directions are evened out
    decline_share: float  # most of the study items that may decline
    decline_weight: float  # of a lesson that declines: its first word decides, and is one of many
    declines: int  # general questions about the person that nobody answered
    distil: float  # weight of soft targets from the base with the note in its context
    self_asked: bool  # may the base propose questions of its own
    enough: float  # share of held-out answers at which training stops
    level: int  # most memories that one adapter holds; beyond, they are held in slices (levels.py)
    slices: int  # most slices that are trained in one night, unless what is worn would be taken off
    reasons: tuple[tuple[str, str], ...] = ()

    def plan(self) -> Plan:
        return Plan(
            rank=self.rank, scale=self.scale, keys=self.keys, layers=tuple(range(self.first_layer, self.layers)),
            learning_rate=self.learning_rate, epochs=self.epochs, batch=self.batch, seed=self.seed,
            enough=self.enough, whiten=self.whiten,
        )

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Depth:
    "What a person may ask for without knowing what a recipe is."

    per_memory: float  # of the study items of a night
    passes: int  # more or fewer
    because: str


DEPTHS: Mapping[str, Depth] = {
    "nap": Depth(0.6, -1, "about 40% of a night's time; what is learnt answers to fewer wordings"),
    "night": Depth(1.0, 0, "the default: everything below was chosen for it"),
    "deep": Depth(1.6, 1, "about twice a night's time: more wordings of each memory, and one pass more"),
}


def derive(memories: int, parameters: int, layers: int, seed: int = 0, epochs: int = 0,
           changes: Mapping[str, Any] | None = None, depth: str = "night") -> Recipe:
    """A recipe for so many live memories on a base of so many parameters and blocks.

    Ranks by size follow 2606.02437 (MLP-only LoRA, alpha = 2 rank; it adapts the upper two thirds) and grow
    with what must be held: about 1e-3 memorised tokens a trainable parameter is the ceiling it reports.
    """
    floor = 16 if parameters < SMALL else 16 if parameters < MIDDLE else 32
    rank = min(64, max(floor, 8 * -(-memories // 60)))
    dial = DEPTHS[depth]
    asked_for, small = changes or {}, parameters < SMALL
    per_memory = asked_for.get("per_memory", round((44 if memories <= 200 else 16) * dial.per_memory))
    skilled = asked_for.get("skilled", round(0.6 * per_memory))
    reasons = (
        ("depth", f"{depth}: {dial.because}"),
        ("rank", f"{rank}: {floor} is the least for {parameters / 1e6:.0f}M parameters, 8 more for every 60 memories"),
        ("keys", "MLPs of the upper half: with a third more as much is learnt, general answers move more, and passes are longer"),
        ("per_memory", f"{per_memory} study items a memory: breadth of phrasing is what makes a fact answerable"),
        ("skilled", f"{skilled} of them by the trained dreamer, for notes that no hand-written questions fit: where grammar asks "
         "the same again, it asks in other words"),
        ("distil", "0: a teacher under 500M reads its notes worse than the notes are written" if small
         else "0.5: the teacher answers with the note in its context"),
        ("self_asked", "no: under 1B the base repeats its examples when asked for questions" if parameters < MIDDLE
         else "yes: the base proposes questions, kept only if it can answer them with the note and not without"),
        ("anchors", "the base's own answers to general prompts hold it in place (KL on its 20 likeliest tokens): many prompts "
         + ("with short answers, a third of them in each pass; with a third as many, answers to other general questions moved more"
            if small else "with short answers, half of them in each pass; three times as many help bases under 500M, and a larger "
            "one would take long to answer them first")),
        ("passages", "a model held at its own answers alone finds the prose of others less likely every night (5%)"),
        ("level", "a hundred memories are rebuilt in five minutes on two fast cores; beyond 128, the levels that changed"),
        ("whiten", "0.9: inputs are whitened by their moment on the anchors; what is learnt then answers less to general prompts"),
        ("epochs", "3; 5 below ten memories, whose passes are short" if not epochs else f"{epochs}, as asked for"),
        ("learning_rate", "6e-4 in batches of 4, warmed up over a twentieth, then a cosine down to a tenth; at 5e-4 less was "
         "learnt in three passes, at 1e-3 the phrasings were learnt instead of the facts"),
    )
    recipe = Recipe(
        rank=rank, scale=2.0, keys=("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
        first_layer=layers // 2, layers=layers, learning_rate=6e-4, batch=4,
        epochs=epochs or (3 if memories >= 10 else 5) + dial.passes,
        seed=seed,
        per_memory=per_memory, skilled=skilled, anchors=1935 if small else 640, passages=160,
        anchor_weight=2.0, anchor_turns=3 if small else 2, whiten=0.9,
        decline_share=0.4, decline_weight=1.0, declines=max(320, memories),
        distil=0.0 if small else 0.5, self_asked=parameters >= MIDDLE, enough=0.97, level=128, slices=2,
        reasons=reasons,
    )
    if not changes:
        return recipe
    return Recipe(**{**{f: getattr(recipe, f) for f in Recipe.__slots__}, **changes})
