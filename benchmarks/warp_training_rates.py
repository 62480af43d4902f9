"""What `warp_training.py` measures, for one encoder and one number of worlds."""

import statistics
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.perception.embedded_encoder import embedded_encoder
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward_sim.warp_table_top.ppo import Ppo, PpoSettings
from robo_reward_sim.warp_table_top.rewarded import RewardedWorlds
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds


class Stopwatch:
    """Adds up the time of named parts, the device waited for at both ends of each."""

    def __init__(self, device: str) -> None:
        self._device, self.seconds = device, defaultdict[str, float](float)

    def now(self) -> float:
        """Give the time when the device has done all that it was asked for [s]."""
        if self._device != "cpu":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Count a method's time for a part."""
        plain = getattr(owner, method)

        def timed(*given: Any, **named: Any) -> Any:
            began = self.now()
            result = plain(*given, **named)
            self.seconds[part] += self.now() - began
            return result

        setattr(owner, method, timed)

    def medians(self, work: Callable[[], object], rounds: int) -> float:
        """Give the median time of some work [s], after once without counting."""
        work()
        times = []
        for _ in range(rounds):
            began = self.now()
            work()
            times.append(self.now() - began)
        return statistics.median(times)


def rates(given: Namespace, encoder_name: str, num_worlds: int) -> dict[str, Any]:
    """Measure one setting."""
    encoder, watch = _encoder(encoder_name, given), Stopwatch(given.device)
    model = PromptSimilarity(
        encoder, goal=["the gripper is at the red ball"], baseline=["the gripper is far away"], alpha=0.5
    )
    worlds = TableTopWorlds(
        given.task, num_worlds=num_worlds, device=given.device, deterministic=not given.not_deterministic
    )
    rewarded = RewardedWorlds(
        worlds, discount=0.98, model=model, cameras=given.cameras, height=given.size, width=given.size
    )
    learner = Ppo(rewarded, settings=PpoSettings(steps_per_world=given.steps), seed=0)
    taken = given.steps * num_worlds
    learner.learn()  # compiles, and records graphs
    path, rollout = watch.medians(learner.learn, given.rounds), watch.medians(learner.collect, given.rounds)
    ceiling = _ceiling(encoder, num_worlds, given, watch)
    return {
        "encoder": encoder_name,
        "worlds": num_worlds,
        "steps_per_second": round(taken / path, 1),
        "steps_per_second_without_updates": round(taken / rollout, 1),
        "encoder_only_steps_per_second": round(ceiling, 1),
        "share_of_the_ceiling": round(taken / path / ceiling, 3),
        "share_of_the_ceiling_without_updates": round(taken / rollout / ceiling, 3),
        "shares_of_time": _shares(learner, rewarded, encoder, watch),
    }


def device_name(device: str) -> str:
    """Give what the device calls itself."""
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device)


def _encoder(name: str, given: Namespace) -> OpenClipEncoder:
    how = {"runtime": "torch", "precision": given.precision, "batch_size": given.batch_size}
    if name == "embedded":
        return embedded_encoder(device=given.device, **how)
    return OpenClipEncoder("ViT-B-32", pretrained="random", seed=0, device=given.device, **how)


def _ceiling(encoder: OpenClipEncoder, num_worlds: int, given: Namespace, watch: Stopwatch) -> float:
    """Give steps per second of an encoder that does nothing but encode."""
    generator = torch.Generator().manual_seed(0)
    shape = (num_worlds * len(given.cameras), 3, given.size, given.size)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(given.device)
    return num_worlds / watch.medians(lambda: encoder.embed(encoder.prepare(frames)), max(3, given.rounds))


def _shares(learner: Ppo, rewarded: RewardedWorlds, encoder: OpenClipEncoder, watch: Stopwatch) -> dict[str, float]:
    """Time the parts of one more rollout with its updates."""
    watch.watch(rewarded.worlds, "step", "physics")
    watch.watch(rewarded._cameras, "frames", "rendering")
    watch.watch(encoder, "prepare", "encoding")
    watch.watch(encoder, "embed", "encoding")
    watch.watch(rewarded, "_shaping", "seen")
    began = watch.now()
    learner.learn()
    whole, parts = watch.now() - began, watch.seconds
    potentials = parts["seen"] - parts["rendering"] - parts["encoding"]
    named = {name: parts[name] for name in ("physics", "rendering", "encoding")} | {"potentials": potentials}
    shares = {name: round(seconds / whole, 3) for name, seconds in named.items()}
    return shares | {"learning": round(1.0 - sum(shares.values()), 3)}
