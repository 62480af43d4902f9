"""One batch: its pictures, its words, and the losses."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from robo_reward_sim.captioned_scenes.augmentation import augment
from robo_reward_sim.captioned_scenes.checkpoint import encode_text, encode_with_features, tokenize
from robo_reward_sim.captioned_scenes.objectives import (
    landmark_loss,
    matching_loss,
    progress_along,
    quantity_loss,
    state_loss,
)
from robo_reward_sim.captioned_scenes.pictures import Album
from robo_reward_sim.captioned_scenes.targets import (
    Captions,
    Quantities,
    draw_quantities,
    states,
    write_captions,
)
from robo_reward_sim.captioned_scenes.training_state import Recipe, TrainingState

_PAIRS = 24  # pairs of quantities in a step


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Lesson:
    """A batch and what it is taught.

    Raises:
        ValueError: Pictures that are not whole scenes.
    """

    pixels: Float[Tensor, "batch 3 size size"]
    """Augmented pictures in [0, 1], scene after scene."""
    places: Float[Tensor, "batch 3 2"]
    """Where the landmarks are in them."""
    fractions: Float[Tensor, "batch state"]
    """The quantities that are read off without words."""
    captions: Captions
    quantities: Quantities
    scene: int
    """Pictures of each scene."""

    def __post_init__(self) -> None:
        if len(self.pixels) % self.scene:
            raise ValueError(f"{len(self.pixels)} pictures are no whole number of scenes of {self.scene}")


def draw_lesson(album: Album, recipe: Recipe, rng: np.random.Generator) -> Lesson:
    """Draw pictures, crop and disturb them, and write about them."""
    images, facts, places = album.draw(rng, groups=recipe.groups, pictures=recipe.pictures)
    pixels, places = augment(images, places, torch.Generator().manual_seed(int(rng.integers(2**40))))
    return Lesson(
        pixels=pixels,
        places=places,
        fractions=states(facts),
        captions=write_captions(facts, rng, per_picture=recipe.captions),
        quantities=draw_quantities(facts, rng, number=recipe.quantities),
        scene=recipe.pictures,
    )


def losses(state: TrainingState, lesson: Lesson, recipe: Recipe) -> dict[str, Tensor]:
    """Return the weighted losses by name; their sum is what is minimised."""
    # so few tokens: plain attention is faster than the fused kernel
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        pixels = lesson.pixels.to(memory_format=torch.channels_last)
        image, third, fourth = encode_with_features(state.model, pixels)
    quantities = lesson.quantities
    texts = list(dict.fromkeys(lesson.captions.texts + quantities.goal + quantities.baseline))
    tokens = tokenize(texts)
    state.seen[tokens.unique()] = True
    embedded = dict(zip(texts, encode_text(state.model, tokens), strict=True))
    captions, goal, baseline = (
        torch.stack([embedded[each] for each in side])
        for side in (lesson.captions.texts, quantities.goal, quantities.baseline)
    )
    progress = progress_along(image, goal, baseline)
    alone = quantity_loss(progress, quantities.value, quantities.weight, scene=lesson.scene)
    return {
        "matching": matching_loss(image, captions, lesson.captions.true, state.model.logit_scale.exp()),
        "quantity": recipe.quantity_weight * alone,
        "combined": recipe.combined_weight * _combined(image, goal, baseline, lesson),
        "landmark": recipe.landmark_weight * landmark_loss(state.heads["landmark"](third), lesson.places),
        "state": recipe.state_weight * state_loss(state.heads["state"](fourth), lesson.fractions),
    }


def _combined(image: Tensor, goal: Tensor, baseline: Tensor, lesson: Lesson) -> Tensor:
    """Teach the mean of two prompts a side: the mean of the two fractions, where the picture shows both things."""
    quantities = lesson.quantities
    first, second = torch.triu_indices(len(goal), len(goal), offset=1)
    chosen = torch.randperm(len(first))[:_PAIRS]
    first, second = first[chosen], second[chosen]
    above, below = (torch.nn.functional.normalize(side[first] + side[second], dim=-1) for side in (goal, baseline))
    value = (quantities.value[:, first] + quantities.value[:, second]) / 2
    weight = quantities.weight[:, first] * quantities.weight[:, second]
    weight = weight * ~(quantities.absent[:, first] | quantities.absent[:, second])
    return quantity_loss(progress_along(image, above, below), value, weight, scene=lesson.scene)
