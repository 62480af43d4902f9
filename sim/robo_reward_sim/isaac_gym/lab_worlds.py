"""An environment of Isaac Lab, with what its cameras see, also in the states in which episodes end."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final

import torch
from jaxtyping import UInt8
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.episode_rows import join_rows, take_rows
from robo_reward_sim.isaac_gym.worlds_step import WorldsStep


class CameraData(Protocol):
    """What an Isaac Lab camera has seen."""

    @property
    def output(self) -> Mapping[str, Tensor]:
        """By data type; `rgb` is (world, height, width, 3 or more), uint8."""
        ...


class LabCamera(Protocol):
    """A `TiledCamera` or `Camera` sensor."""

    @property
    def data(self) -> CameraData:
        """The newest pictures."""
        ...


class LabScene(Protocol):
    """An `InteractiveScene`."""

    @property
    def sensors(self) -> Mapping[str, Any]:
        """By name."""
        ...


class LabEnvironment(Protocol):
    """What `DirectRLEnv` and `ManagerBasedRLEnv` of Isaac Lab 2 give."""

    scene: LabScene
    num_envs: int
    step_dt: float

    def reset(self) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every world."""
        ...

    def step(self, action: Tensor) -> tuple[Any, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Give observations, rewards, terminated, truncated, extras; worlds that ended have been reset already."""
        ...

    def _reset_idx(self, env_ids: Sequence[int]) -> None:
        """Reset these worlds; called within `step`."""
        ...


@final
class IsaacLabWorlds:
    """Steps an Isaac Lab environment, and shows every world after every step.

    Isaac Lab resets a world within the step that ends its episode, and gives the picture of the new one. The picture of
    the state that it ended in is taken here just before, by stepping between the environment and its `_reset_idx`. For
    first pictures that show the new state let the environment render again after a reset (its configuration has
    `rerender_on_reset` or `num_rerenders_on_reset`).

    Args:
        env: The environment.
        cameras: Camera name to the name of a sensor in `env.scene.sensors` with data type `rgb`.

    Raises:
        ValueError: No camera, or a sensor that is not there.
    """

    def __init__(self, env: LabEnvironment, *, cameras: Mapping[str, str]) -> None:
        missing = sorted(set(cameras.values()) - set(env.scene.sensors))
        if not cameras or missing:
            raise ValueError(
                f"cameras must name sensors of the scene, which has {sorted(env.scene.sensors)}; got {dict(cameras)}"
            )
        self._env = env
        self._sensors: dict[str, LabCamera] = {name: env.scene.sensors[sensor] for name, sensor in cameras.items()}
        self._final: list[tuple[list[int], Clip]] = []
        self._num_steps, self._stepping = 0, False
        self._reset_worlds, env._reset_idx = env._reset_idx, self._look_and_reset

    def reset(self) -> WorldsStep:
        """Begin an episode in every world."""
        observation, _ = self._env.reset()
        none = torch.zeros(self._env.num_envs, dtype=torch.bool)
        self._num_steps += 1
        return WorldsStep(
            observation=observation,
            clip=self._clip(),
            task_reward=none.to(torch.float32),
            terminated=none,
            truncated=none,
            begins=~none,
        )

    def step(self, action: Tensor) -> WorldsStep:
        """Act in every world.

        Raises:
            ValueError: Worlds ended that were not reset by `_reset_idx`.
        """
        self._final, self._num_steps, self._stepping = [], self._num_steps + 1, True
        observation, reward, terminated, time_out, _ = self._env.step(action)
        self._stepping = False
        terminated, truncated = terminated.clone(), time_out & ~terminated
        ended = terminated | truncated
        return WorldsStep(
            observation=observation,
            clip=self._clip(),
            task_reward=reward.clone(),
            terminated=terminated,
            truncated=truncated,
            begins=ended,
            final=self._final_clip(ended.cpu().nonzero()[:, 0].tolist()),
        )

    def _look_and_reset(self, env_ids: Sequence[int]) -> None:
        if self._stepping:  # reset() comes here, too, when there is nothing to look at yet
            rows = [int(each) for each in env_ids]
            self._final.append((rows, take_rows(self._clip(), rows)))
        self._reset_worlds(env_ids)

    def _final_clip(self, ended: list[int]) -> Clip | None:
        rows = [row for part, _ in self._final for row in part]
        if sorted(rows) != ended:
            raise ValueError(f"worlds {ended} ended, but {sorted(rows)} went through _reset_idx in this step")
        if not rows:
            return None
        places = sorted(range(len(rows)), key=rows.__getitem__)
        return take_rows(join_rows([clip for _, clip in self._final]), places)

    def _clip(self) -> Clip:
        views = {name: _frames(name, sensor)[:, None] for name, sensor in self._sensors.items()}
        shape = (self._env.num_envs, 1)
        return Clip(
            views=views,
            present=torch.ones(*shape, len(views), dtype=torch.bool),
            stamp=torch.full(shape, self._num_steps * self._env.step_dt, dtype=torch.float64),
        )


def _frames(name: str, sensor: LabCamera) -> UInt8[Tensor, "world 3 height width"]:
    seen = sensor.data.output
    if "rgb" not in seen:
        raise ValueError(f"camera '{name}' has no data type rgb, only {sorted(seen)}: add it to its data_types")
    # a copy in any case: the sensor writes into its buffer
    return seen["rgb"][..., :3].permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
