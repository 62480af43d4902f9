"""Renders scenes, trains the encoder on them and writes the folder that open_clip loads.

    python -m robo_reward_sim.captioned_scenes.train --output DIR --data DIR

About 2 GB of pictures. Every part resumes where it was stopped.
"""

import argparse
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from robo_reward_sim.captioned_scenes.checkpoint import write_checkpoint
from robo_reward_sim.captioned_scenes.collection import render_shard
from robo_reward_sim.captioned_scenes.lesson import draw_lesson, losses
from robo_reward_sim.captioned_scenes.pictures import Album
from robo_reward_sim.captioned_scenes.training_state import Recipe, TrainingState, new_state

_LOG = logging.getLogger(__name__)

SHARDS: Mapping[str, int] = MappingProxyType({"table": 10, "wide": 20, "tabletop": 15})
"""Shards of each source that are rendered for training."""

HELD_OUT = 9000
"""Shards with this number and higher ones are for evaluation."""

_EVERY = 125  # steps between checkpoints


def train(data: Path, folder: Path, recipe: Recipe) -> None:
    """Train to the recipe's last step, from the checkpoint in `folder` if there is one.

    A new checkpoint and the averaged weights, as open_clip loads them, are kept there on the way.

    Args:
        data: Folder of the shards.
        folder: Where the encoder and the checkpoint go.
        recipe: How to train.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("meeting").unlink(missing_ok=True)  # of workers that were killed
    spawn(_work, args=(data, folder, recipe), nprocs=recipe.workers)


def _work(worker: int, data: Path, folder: Path, recipe: Recipe) -> None:
    logging.basicConfig(level=logging.INFO if worker == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    meeting = f"file://{folder.resolve() / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=worker, world_size=recipe.workers)
    album = Album(data, shares=dict(recipe.shares), shards=range(HELD_OUT))
    _LOG.info("%d pictures", len(album))
    state, kept = new_state(recipe), folder / "training.pt"
    if kept.exists():
        state.load(kept)
    state.model.train()
    began, recent = time.monotonic(), []
    while state.step < recipe.steps:
        recent.append(_step(state, album, recipe, worker))
        if len(recent) == 50:
            means = ", ".join(f"{name} {np.mean([each[name] for each in recent]):.3f}" for name in recent[0])
            _LOG.info("step %d: %s, %.2f s", state.step, means, (time.monotonic() - began) / 50)
            began, recent = time.monotonic(), []
        if worker == 0 and (state.step % _EVERY == 0 or state.step == recipe.steps):
            state.save(kept)
            write_checkpoint(state.average, folder, seen=state.seen.nonzero()[:, 0])
    dist.destroy_process_group()


def _step(state: TrainingState, album: Album, recipe: Recipe, worker: int) -> dict[str, float]:
    rng = np.random.default_rng([recipe.seed, state.step, worker])
    torch.manual_seed(int(rng.integers(2**40)))
    parts = losses(state, draw_lesson(album, recipe, rng), recipe)
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.rate(state.step)
    state.optimiser.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    _average_gradients(state, recipe.workers)
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 5.0)
    state.optimiser.step()
    with torch.no_grad():
        state.model.logit_scale.clamp_(max=math.log(50.0))
        state.follow(recipe.averaging)
    state.step += 1
    return {name: loss.item() for name, loss in parts.items()}


def _average_gradients(state: TrainingState, workers: int) -> None:
    gradients = [each.grad for each in state.parameters() if each.grad is not None]
    flat = torch.cat([each.reshape(-1) for each in gradients]) / workers
    dist.all_reduce(flat)
    for gradient, mean in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def main() -> None:
    """Render what is missing, train, and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the encoder and of its checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder of the rendered pictures")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for source, shards in SHARDS.items():
        for number in range(shards):
            _LOG.info("rendered %s", render_shard(source, number, arguments.data))
    train(arguments.data, arguments.output, Recipe())


if __name__ == "__main__":
    main()
