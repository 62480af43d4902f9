"""What a batch is taught: captions with the pictures they are true of, and quantities between two prompts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robo_reward_sim.captioned_scenes.facts import QUANTITIES, Fact
from robo_reward_sim.captioned_scenes.phrases import phrase

_ABSENT_WEIGHT = 0.15  # of a picture that lacks the thing: the goal is not reached in it, however far it shows nothing


def variants(fact: Fact) -> list[Fact]:
    """Return the fact with and without the colours it names."""
    colours = {fact.colour, ""}
    others = {fact.other, ""} if fact.kind == "at_goal" else {fact.other}
    return [replace(fact, colour=colour, other=other) for colour in sorted(colours) for other in sorted(others)]


def _known(stated: list[Fact]) -> set[tuple[str, ...] | None]:
    """Return everything that can be said of a picture; of a top drawer, what can be said of a drawer too."""
    wider = [replace(fact, noun="drawer") for fact in stated if fact.noun.endswith(" drawer")]
    return {_atom(each) for fact in [*stated, *wider] for each in variants(fact)}


def _atom(fact: Fact) -> tuple[str, ...] | None:
    level = fact.level
    return None if level is None else (fact.kind, fact.noun, fact.colour, fact.other, level)


def _concept(fact: Fact) -> Fact:
    return replace(fact, value=1.0)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Captions:
    """Captions of a batch.

    Raises:
        ValueError: A truth table that does not have a column per text.
    """

    texts: list[str]
    """The captions; none twice."""
    true: Bool[Tensor, "batch text"]
    """Whether the caption is true of the picture: not only of the one it was written for."""

    def __post_init__(self) -> None:
        if self.true.shape[1] != len(self.texts):
            raise ValueError(f"{len(self.texts)} texts, but a truth table of shape {tuple(self.true.shape)}")


def _draw_fact(facts: list[Fact], rng: np.random.Generator) -> Fact:
    weight = np.array([0.35 if fact.kind == "present" else 0.6 if fact.value == 0.0 else 1.0 for fact in facts])
    return facts[int(rng.choice(len(facts), p=weight / weight.sum()))]


def write_captions(facts: list[list[Fact]], rng: np.random.Generator, *, per_picture: int) -> Captions:
    """Write captions of one or two facts for each picture, and look up which pictures each is true of."""
    atoms = [_known(stated) for stated in facts]
    texts: dict[str, set[tuple[str, ...]]] = {}
    for stated in facts:
        sayable = [fact for fact in stated if fact.level is not None]
        for _ in range(per_picture if sayable else 0):
            text, needed = [], set()
            for _ in range(int(rng.choice((1, 2), p=(0.7, 0.3)))):
                drawn = variants(_draw_fact(sayable, rng))
                fact = drawn[int(rng.integers(len(drawn)))]
                words = phrase(fact, str(fact.level), rng)
                atom = _atom(fact)
                if words is not None and atom is not None and atom not in needed:
                    text.append(words)
                    needed.add(atom)
            if text:
                texts[str(rng.choice((" and ", ", "))).join(text)] = needed
    true = torch.tensor([[needed <= known for needed in texts.values()] for known in atoms])
    return Captions(texts=list(texts), true=true)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Quantities:
    """Quantities that lie between a goal prompt and a baseline prompt.

    Raises:
        ValueError: Targets that do not have a column per quantity.
    """

    goal: list[str]
    """Prompt of each quantity's end."""
    baseline: list[str]
    """Prompt of its beginning."""
    value: Float[Tensor, "batch quantity"]
    """How far each picture is, in [0, 1]."""
    weight: Float[Tensor, "batch quantity"]
    """How much it counts; 0 where the picture leaves it open."""
    absent: Bool[Tensor, "batch quantity"]
    """Where the picture shows no such thing."""

    def __post_init__(self) -> None:
        if self.value.shape[1] != len(self.goal) or len(self.goal) != len(self.baseline):
            raise ValueError(
                f"{len(self.goal)} goals, {len(self.baseline)} baselines, values {tuple(self.value.shape)}"
            )


def _value(concept: Fact, stated: Iterable[Fact]) -> float | None:
    """Return a concept's value in a picture: None where two things of the name disagree, -1 without such a thing."""
    values = {
        fact.value
        for fact in stated
        if fact.kind == concept.kind
        and (fact.noun == concept.noun or fact.noun.endswith(f" {concept.noun}"))
        and concept.colour in ("", fact.colour)
        and concept.other in ("", fact.other)
    }
    if not values:
        return -1.0
    return values.pop() if len(values) == 1 else None


def draw_quantities(facts: list[list[Fact]], rng: np.random.Generator, *, number: int) -> Quantities:
    """Draw quantities, the more often the more pictures of the batch have them, and two paraphrases for each."""
    counts = Counter(
        _concept(each) for stated in facts for fact in stated if fact.kind in QUANTITIES for each in set(variants(fact))
    )
    concepts = list(counts)
    weight = np.array([counts[each] for each in concepts], float) ** 2
    chosen = rng.choice(len(concepts), size=min(number, len(concepts)), replace=False, p=weight / weight.sum())
    goal, baseline, value, weights = [], [], [], []
    for index in chosen:
        concept = concepts[int(index)]
        above, below = phrase(concept, "full", rng), phrase(concept, "none", rng)
        if above is None or below is None:
            continue
        goal.append(above)
        baseline.append(below)
        found = [_value(concept, stated) for stated in facts]
        value.append([max(each or 0.0, 0.0) for each in found])
        weights.append([0.0 if each is None else _ABSENT_WEIGHT if each < 0 else 1.0 for each in found])
    targets = torch.tensor(weights).T
    return Quantities(
        goal=goal, baseline=baseline, value=torch.tensor(value).T, weight=targets, absent=targets == _ABSENT_WEIGHT
    )


_STATES = (
    ("open", "drawer"), ("near", "drawer handle"), ("open", "door"), ("near", "door handle"), ("open", "box"),
    ("pressed", "button"), ("near", "button"), ("at_goal", "gripper"), ("at_goal", "puck"), ("near", "puck"),
    ("held", "puck"), ("lifted", "puck"),
)  # fmt: skip

NUM_STATES = len(_STATES)
"""Quantities that training also reads off the features without words."""


def states(facts: list[list[Fact]]) -> Float[Tensor, "batch state"]:
    """Return the fraction of each quantity that is read off without words; NaN where a picture does not show it."""
    rows = []
    for stated in facts:
        values = [[fact.value for fact in stated if (fact.kind, fact.noun) == each] for each in _STATES]
        rows.append([value[0] if len(value) == 1 else float("nan") for value in values])
    return torch.tensor(rows)
