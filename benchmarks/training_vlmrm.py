"""VLM-RM's scheme of rewards, built anew from its published description and code (2310.12921, 811d820).

Every environment runs in a process. After each step all of them are asked for their picture through pipes, which are
polled until all have answered; the pictures of a step go into a list. When a rollout is complete the list becomes one
array, whose pictures are turned into floats, resized as floats, normalised, embedded in float32 (under automatic mixed
precision on CUDA), and rewarded with a projection matrix; the rewards are written over those in the replay buffer, and
the list is emptied. What the published code adds for several GPUs (scatter and gather) is left out, in its favour.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv
from torch import nn
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize
from training_scenes import ALPHA, ENCODERS, SCENES, pictured, schedule

from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.perception.open_clip_checkpoint import load_checkpoint

PHASES = ("simulation", "rendering", "encoding", "learning")


class Clock:
    """Adds up wall time by phase."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count what is done inside."""
        began = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - began


class PolledPictures(SubprocVecEnv):
    """Asks every process for its picture after each step, and polls until all have come."""

    clock = Clock()

    def step_wait(self) -> Any:
        """Step, then render."""
        with self.clock.of("simulation"):
            observation, reward, done, infos = super().step_wait()
        with self.clock.of("rendering"):
            infos[0]["render_array"] = self._pictures()
        return observation, reward, done, infos

    def _pictures(self) -> np.ndarray:
        for remote in self.remotes:
            remote.send(("render", None))
        pictures: list[Any] = [None] * self.num_envs
        waiting = set(range(self.num_envs))
        while waiting:
            for index in sorted(waiting):
                if self.remotes[index].poll():
                    pictures[index] = self.remotes[index].recv()
                    waiting.discard(index)
        return np.stack(pictures)


class KeptPictures(ReplayBuffer):
    """Keeps the pictures of a rollout beside the transitions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pictures: list[np.ndarray] = []

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Keep a step."""
        super().add(*args, **kwargs)
        infos: Sequence[dict[str, Any]] = args[-1] if args else kwargs["infos"]
        self.pictures.append(infos[0]["render_array"])


class ClipReward(nn.Module):
    """Pictures to rewards, in floats from the first step on."""

    def __init__(self, encoder: str, *, goal: str, baseline: str, device: str) -> None:
        super().__init__()
        checkpoint = load_checkpoint(**({"pretrained": None, "seed": None} | dict(ENCODERS[encoder])))
        self._visual = checkpoint.visual.eval().to(device)
        like = OpenClipEncoder(**ENCODERS[encoder], device="cpu", runtime="torch", precision="float32", batch_size=None)
        texts = like.encode_text([goal, baseline])
        target, direction = texts[:1], texts[:1] - texts[1:]
        line = direction.T @ direction / torch.norm(direction) ** 2
        self._projection = (ALPHA * line + (1 - ALPHA) * torch.eye(len(line))).to(device)
        self._target, self._device = target.to(device), device
        size = like.image_size
        self._transform = Compose(
            [
                lambda pictures: pictures.to(torch.float32) / 255.0,
                Resize((size, size), interpolation=InterpolationMode.BICUBIC),
                CenterCrop(size),
                Normalize(mean=like.transform.mean, std=like.transform.std),
            ]
        )

    @torch.inference_mode()
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Reward pictures (batch, height, width, 3)."""
        channels_first = pictures.to(self._device).permute(0, 3, 1, 2)
        with torch.autocast("cuda", enabled=torch.cuda.is_available()):
            seen = self._visual(self._transform(channels_first)).float()
        seen = seen / torch.norm(seen, dim=-1, keepdim=True)
        return (1 - torch.norm((seen - self._target) @ self._projection, dim=-1) ** 2 / 2).cpu()


class VlmRmSac(SAC):
    """Writes rewards into the buffer when a rollout is complete."""

    reward: ClipReward
    clock: Clock
    chunk: int

    def collect_rollouts(self, *args: Any, **kwargs: Any) -> Any:
        """Collect, then look at all pictures."""
        rollout = super().collect_rollouts(*args, **kwargs)
        with self.clock.of("encoding"):
            self._write_rewards()
        return rollout

    def train(self, *args: Any, **kwargs: Any) -> None:
        """Learn."""
        with self.clock.of("learning"):
            super().train(*args, **kwargs)

    def _write_rewards(self) -> None:
        buffer: Any = self.replay_buffer
        frames = torch.from_numpy(np.array(buffer.pictures))
        steps, envs = frames.shape[:2]
        flat = frames.reshape(steps * envs, *frames.shape[2:])
        rewards = torch.cat([self.reward(part) for part in flat.split(self.chunk)]).reshape(steps, envs).numpy()
        places = np.arange(buffer.pos - steps, buffer.pos) % buffer.buffer_size
        buffer.rewards[places] = rewards
        buffer.pictures = []


class TheirScheme:
    """A learner rewarded as VLM-RM does it.

    Args:
        scene: Name of what is learnt.
        encoder: Name of the encoder.
        num_envs: Processes.
        device: Where encoder and learner run.
        chunk: Pictures in one pass of the encoder.
    """

    def __init__(self, scene: str, encoder: str, *, num_envs: int, device: str, chunk: int) -> None:
        settings, asked = schedule(num_envs=num_envs, device=device), SCENES[scene]
        self._env = PolledPictures([lambda: Monitor(pictured(scene)())] * num_envs, start_method="spawn")
        self.clock = self._env.clock = Clock()
        self.rollout_steps = settings.rollout_steps
        self._sac = VlmRmSac(
            "MlpPolicy",
            self._env,
            learning_rate=settings.learning_rate,
            buffer_size=settings.buffer_size,
            learning_starts=settings.learning_starts,
            batch_size=settings.batch_size,
            tau=settings.tau,
            gamma=settings.discount,
            train_freq=settings.train_every,
            gradient_steps=round(settings.updates_per_step * settings.rollout_steps),
            ent_coef="auto",
            replay_buffer_class=KeptPictures,
            policy_kwargs={"net_arch": list(settings.hidden)},
            device=device,
        )
        self._sac.reward = ClipReward(encoder, goal=asked.goal, baseline=asked.baseline, device=device)
        self._sac.clock, self._sac.chunk = self.clock, chunk

    def run(self) -> float:
        """Collect a rollout, reward it, learn from it; give the seconds."""
        began = time.perf_counter()
        self._sac.learn(self.rollout_steps, log_interval=None, reset_num_timesteps=False)
        return time.perf_counter() - began

    def rewards(self, pictures: np.ndarray) -> np.ndarray:
        """Reward pictures (batch, height, width, 3), for a comparison."""
        return self._sac.reward(torch.from_numpy(pictures)).numpy()

    def close(self) -> None:
        """End the processes."""
        self._env.close()
