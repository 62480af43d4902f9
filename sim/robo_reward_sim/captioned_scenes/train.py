"""Renders scenes, trains the encoder on them and writes the folder that open_clip loads."""

import argparse
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from robo_reward_sim.captioned_scenes.augmentation import augment
from robo_reward_sim.captioned_scenes.checkpoint import (
    encode_with_features,
    encode_text,
    new_model,
    tokenize,
    write_checkpoint,
)
from robo_reward_sim.captioned_scenes.facts import Fact
from robo_reward_sim.captioned_scenes.objectives import (
    landmark_loss,
    matching_loss,
    progress_along,
    quantity_loss,
    state_loss,
)
from robo_reward_sim.captioned_scenes.pictures import Album
from robo_reward_sim.captioned_scenes.targets import NUM_STATES, Captions, Quantities, draw_quantities, states, write_captions

SHARES = {"table": 0.7, "wide": 0.06, "tabletop": 0.24}
"""Share of each source in a batch: Meta-World's table from about the demo's cameras and from anywhere, our own tables."""

TRAINING_SHARDS = range(9000)
"""Shards with higher numbers are held out."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the shipped encoder was trained.

    Raises:
        ValueError: A number that is not positive.
    """

    seed: int = 0
    """Of the weights, the batches and the augmentation."""
    workers: int = 2
    """Processes of one thread each that average their gradients; each has a batch of its own."""
    steps: int = 6000
    """Optimiser steps."""
    groups: int = 12
    """Scenes in a batch."""
    pictures: int = 4
    """Pictures of each scene in a batch."""
    learning_rate: float = 2e-3
    """At its highest."""
    weight_decay: float = 0.05
    """Of matrices and kernels."""
    quantities: int = 28
    """Quantities taught in a step."""
    quantity_weight: float = 40.0
    """Of the quantity loss beside the matching loss."""
    landmark_weight: float = 3.0
    """Of finding the gripper, what it goes for and the goal in the feature map; only training does that."""
    state_weight: float = 30.0
    """Of reading quantities off the features without words; only training does that."""
    averaging: float = 0.995
    """Decay of the running average of the weights, which is what is shipped."""

    def __post_init__(self) -> None:
        if min(self.steps, self.groups, self.pictures, self.learning_rate) <= 0:
            raise ValueError(f"steps, groups, pictures and learning_rate must be > 0, got {self}")


@dataclass(slots=True, kw_only=True)
class _State:
    model: Any
    heads: torch.nn.ModuleDict
    average: dict[str, Tensor]
    optimiser: torch.optim.Optimizer
    seen: Tensor
    step: int = 0

    def save(self, path: Path) -> None:
        state = {
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(), "average": self.average, "optimiser": self.optimiser.state_dict(),
            "seen": self.seen, "step": self.step,
        }  # fmt: skip
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        if "heads" in state:
            self.heads.load_state_dict(state["heads"])
            self.optimiser.load_state_dict(state["optimiser"])
        else:
            self.heads["landmark"].load_state_dict(state["head"])
            new = self.optimiser.state_dict(); new["state"] = state["optimiser"]["state"]; self.optimiser.load_state_dict(new)
        self.average, self.seen, self.step = state["average"], state["seen"], state["step"]


def _new_state(recipe: Recipe) -> _State:
    torch.manual_seed(recipe.seed)
    model = new_model().to(memory_format=torch.channels_last)
    decayed = [each for each in model.visual.parameters() if each.ndim > 1]
    decayed += [each for each in model.transformer.parameters() if each.ndim > 1]
    chosen = {id(each) for each in decayed}
    stage = model.visual.layer4[0]
    landmark = torch.nn.Conv2d(stage.conv1.in_channels, 3, 1)
    heads = torch.nn.ModuleDict(
        {"landmark": landmark, "state": torch.nn.Linear(stage.conv3.out_channels, NUM_STATES)}
    )
    rest = [*(each for each in model.parameters() if id(each) not in chosen), *heads.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}],
        lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    average = {name: value.clone() for name, value in model.state_dict().items()}
    return _State(model=model, heads=heads, average=average, optimiser=optimiser, seen=torch.zeros(49408, dtype=torch.bool))


def _rate(step: int, recipe: Recipe) -> float:
    warm = min(1.0, (step + 1) / 200)
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / recipe.steps))))


def _losses(
    state: _State,
    pixels: Float[Tensor, "batch 3 size size"],
    captions: Captions,
    quantities: Quantities,
    scene: int,
    places: Tensor,
    fractions: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    texts = list(dict.fromkeys(captions.texts + quantities.goal + quantities.baseline))
    tokens = tokenize(texts)
    state.seen[tokens.unique()] = True
    # so few tokens: plain attention is faster than the fused kernel
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        image, third, fourth = encode_with_features(state.model, pixels.to(memory_format=torch.channels_last))
    text = encode_text(state.model, tokens)
    place = {each: index for index, each in enumerate(texts)}
    matching = matching_loss(
        image, text[[place[each] for each in captions.texts]], captions.true, state.model.logit_scale.exp()
    )
    goal, baseline = (text[[place[each] for each in side]] for side in (quantities.goal, quantities.baseline))
    alone = quantity_loss(progress_along(image, goal, baseline), quantities.value, quantities.weight, scene=scene)
    found = landmark_loss(state.heads["landmark"](third), places)
    read = state_loss(state.heads["state"](fourth), fractions)
    return matching, alone, _combined(image, goal, baseline, quantities, scene), found, read


def _combined(image: Tensor, goal: Tensor, baseline: Tensor, quantities: Quantities, scene: int) -> Tensor:
    """Teach the mean of two prompts a side: the mean of the two fractions, where the picture shows both things."""
    first, second = torch.triu_indices(len(goal), len(goal), offset=1)
    chosen = torch.randperm(len(first))[:24]
    first, second = first[chosen], second[chosen]
    both = [torch.nn.functional.normalize(side[first] + side[second], dim=-1) for side in (goal, baseline)]
    value = (quantities.value[:, first] + quantities.value[:, second]) / 2
    weight = quantities.weight[:, first] * quantities.weight[:, second]
    weight = weight * ~(quantities.absent[:, first] | quantities.absent[:, second])
    return quantity_loss(progress_along(image, *both), value, weight, scene=scene)


def _average_gradients(parameters: list[torch.nn.Parameter], workers: int) -> None:
    gradients = [each.grad for each in parameters if each.grad is not None]
    flat = torch.cat([each.reshape(-1) for each in gradients]) / workers
    dist.all_reduce(flat)
    for gradient, mean in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _step(state: _State, album: Album, recipe: Recipe, worker: int) -> list[float]:
    rng = np.random.default_rng([recipe.seed, state.step, worker])
    seed = int(rng.integers(2**40))
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    images, facts, places = album.draw(rng, groups=recipe.groups, pictures=recipe.pictures)
    captions, quantities = _teach(facts, rng, recipe)
    pixels, places = augment(images, places, generator)
    losses = _losses(state, pixels, captions, quantities, recipe.pictures, places, states(facts))
    total = losses[0] + recipe.quantity_weight * (losses[1] + losses[2]) + recipe.landmark_weight * losses[3]
    total = total + recipe.state_weight * losses[4]
    for group in state.optimiser.param_groups:
        group["lr"] = _rate(state.step, recipe)
    state.optimiser.zero_grad(set_to_none=True)
    total.backward()
    if recipe.workers > 1:
        _average_gradients([*state.model.parameters(), *state.heads.parameters()], recipe.workers)
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 5.0)
    state.optimiser.step()
    with torch.no_grad():
        state.model.logit_scale.clamp_(max=math.log(50.0))
        keep = min(recipe.averaging, (state.step + 1) / (state.step + 10))
        for name, value in state.model.state_dict().items():
            if value.is_floating_point():
                state.average[name].lerp_(value, 1 - keep)
    state.step += 1
    return [each.item() for each in losses]


def _teach(facts: list[list[Fact]], rng: np.random.Generator, recipe: Recipe) -> tuple[Captions, Quantities]:
    return write_captions(facts, rng, per_picture=1), draw_quantities(facts, rng, number=recipe.quantities)


def train(data: Path, folder: Path, recipe: Recipe, *, every: int = 125) -> None:
    """Train, keeping a checkpoint and an export of the averaged weights in `folder`; resumes where it was stopped.

    Args:
        data: Folder of the shards.
        folder: Where the encoder and the checkpoint go.
        recipe: How to train.
        every: Steps between checkpoints.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.workers == 1:
        _work(0, data, folder, recipe, every)
        return
    torch.multiprocessing.spawn(_work, args=(data, folder, recipe, every), nprocs=recipe.workers)


def _work(worker: int, data: Path, folder: Path, recipe: Recipe, every: int) -> None:
    logging.basicConfig(level=logging.INFO if worker == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    if recipe.workers > 1:
        meeting = folder / "meeting"
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=worker, world_size=recipe.workers)
    album = Album(data, shares=SHARES, shards=TRAINING_SHARDS)
    _LOG.info("%d pictures", len(album))
    state, kept = _new_state(recipe), folder / "training.pt"
    if kept.exists():
        state.load(kept)
    state.model.train()
    began, recent = time.monotonic(), []
    while state.step < recipe.steps:
        recent.append(_step(state, album, recipe, worker))
        if len(recent) == 50:
            means, seconds = np.mean(recent, axis=0), (time.monotonic() - began) / 50
            _LOG.info("step %d: matching %.3f, quantity %.4f, both %.4f, landmark %.3f, state %.4f, %.2f s", state.step, *means, seconds)
            began, recent = time.monotonic(), []
        if worker == 0 and (state.step % every == 0 or state.step == recipe.steps):
            state.save(kept)
            write_checkpoint(state.average, folder, seen=state.seen.nonzero()[:, 0])
    if recipe.workers > 1:
        dist.destroy_process_group()


def main() -> None:
    """Render what is missing, train, and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the encoder and of its checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder of the rendered pictures")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--workers", type=int, default=Recipe().workers)
    arguments = parser.parse_args()
    arguments.output.joinpath("meeting").unlink(missing_ok=True)
    train(arguments.data, arguments.output, Recipe(steps=arguments.steps, workers=arguments.workers))


if __name__ == "__main__":
    main()
