"""The recipe, and what a training run is made of between two steps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robo_reward_sim.captioned_scenes.checkpoint import new_model
from robo_reward_sim.captioned_scenes.targets import NUM_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the encoder is trained; the defaults are those that the shipped weights were finished with.

    Raises:
        ValueError: A number that is not positive.
    """

    seed: int = 0
    """Of the weights, the batches and the augmentation."""
    workers: int = 2
    """Processes of one thread each that average their gradients; each has a batch of its own."""
    steps: int = 5500
    """Optimiser steps."""
    shares: Mapping[str, float] = field(default_factory=lambda: {"table": 0.7, "wide": 0.06, "tabletop": 0.24})
    """Share of each source in a batch: Meta-World's table from about the demo's cameras and from others, our own."""
    groups: int = 12
    """Scenes in a batch."""
    pictures: int = 4
    """Pictures of each scene in a batch."""
    learning_rate: float = 2e-3
    """At its highest; warmed up over 200 steps, then a cosine down to a fiftieth."""
    weight_decay: float = 0.05
    """Of matrices and kernels."""
    captions: int = 1
    """Captions of each picture."""
    quantities: int = 28
    """Quantities taught in a step."""
    quantity_weight: float = 40.0
    """Of the quantity loss beside the matching loss."""
    combined_weight: float = 8.0
    """Of the quantity loss of two prompts a side."""
    landmark_weight: float = 3.0
    """Of finding the gripper, what it goes for and the goal in the feature map; only training does that."""
    state_weight: float = 150.0
    """Of reading quantities off the features without words; only training does that."""
    averaging: float = 0.995
    """Decay of the running average of the weights, which is what is shipped."""

    def __post_init__(self) -> None:
        counts = (self.workers, self.steps, self.groups, self.pictures, self.captions)
        if min(*counts, self.learning_rate) <= 0:
            raise ValueError(f"workers, steps, groups, pictures, captions, learning_rate must be > 0, got {self}")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / 200)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.learning_rate * warm * (0.02 + 0.98 * cosine)


@dataclass(eq=False, slots=True, kw_only=True)
class TrainingState:
    """Everything that changes from step to step."""

    model: Any
    """The encoder."""
    heads: torch.nn.ModuleDict
    """`landmark` on the third stage's map and `state` on the fourth's mean; they are not shipped."""
    average: dict[str, Tensor]
    """Running average of the encoder's weights."""
    optimiser: torch.optim.Optimizer
    seen: Tensor
    """Which tokens occurred."""
    step: int = 0

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return everything that is trained."""
        return [*self.model.parameters(), *self.heads.parameters()]

    def follow(self, averaging: float) -> None:
        """Move the average towards the weights; faster in the first steps, so that it forgets the random start."""
        keep = min(averaging, (self.step + 1) / (self.step + 10))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash leaves the one before."""
        parts = {"model": self.model, "heads": self.heads, "optimiser": self.optimiser}
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save(state | {"average": self.average, "seen": self.seen, "step": self.step}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.seen, self.step = state["average"], state["seen"], state["step"]


def new_state(recipe: Recipe) -> TrainingState:
    """Return the random start that the recipe's seed stands for."""
    torch.manual_seed(recipe.seed)
    model = new_model().to(memory_format=torch.channels_last)
    with torch.no_grad():  # of a size with the features, so that where something is counts from the start
        model.visual.attnpool.positional_embedding.normal_(std=0.3)
    last = model.visual.layer4[0]
    heads = torch.nn.ModuleDict(
        {
            "landmark": torch.nn.Conv2d(last.conv1.in_channels, 3, 1),
            "state": torch.nn.Linear(last.conv3.out_channels, NUM_STATES),
        }
    )
    decayed = [each for part in (model.visual, model.transformer) for each in part.parameters() if each.ndim > 1]
    chosen = {id(each) for each in decayed}
    rest = [*(each for each in model.parameters() if id(each) not in chosen), *heads.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    seen = torch.zeros(model.vocab_size, dtype=torch.bool)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    return TrainingState(model=model, heads=heads, average=average, optimiser=optimiser, seen=seen)
