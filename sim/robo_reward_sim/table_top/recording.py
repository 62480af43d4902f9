"""Records the table-top experts and their failures, with the truth beside the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float, UInt8

from robo_reward.episodes.lerobot_format import Feature
from robo_reward_sim.failures import FAILURES
from robo_reward_sim.playing import Observation, PlayedTask, Policy, Step
from robo_reward_sim.record import check_workers, plan_episodes, record
from robo_reward_sim.rollout import EpisodePlan, outcome_features
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.scene import CAMERAS, check_cameras, num_physics_steps
from robo_reward_sim.table_top.task import SHUT, TOOL, TOOL_NAMES, TOOL_SPEED, TableTopTask
from robo_reward_sim.table_top.tasks import table_top_task

SETTLE = 0.3
"""How long the task must be done before an episode counts as a success and ends [s]."""

_LOW, _HIGH = np.array([0.30, -0.22, 0.03]), np.array([0.60, 0.22, 0.34])  # where the tool may begin [m]
_REACHED, _LONGEST = 0.01, 3.0  # how near that it is there [m], and how long it may take [s]
_AT_HOME = 4  # one in so many episodes begins where the task has the tool begin


@final
class TableTopStage:
    """A table-top task as recordings play it."""

    def __init__(
        self,
        task: TableTopTask,
        *,
        cameras: tuple[str, ...],
        image_size: int,
        step_duration: float,
        everywhere: bool = False,
    ) -> None:
        """Load the task; `image_size` is height and width [px], `step_duration` is in [s]."""
        self.task, self.cameras, self.image_size, self._everywhere = task, cameras, image_size, everywhere
        self._environment = TableTopEnvironment(
            task.name, step_duration=step_duration, reward="dense", height=image_size, width=image_size
        )

    def reset(self, seed: int) -> Observation:
        """Begin the episode that `seed` stands for, and return its first observation."""
        observation = self._environment.reset(seed=seed)[0]
        return self._moved(observation, seed) if self._everywhere and seed % _AT_HOME else observation

    def _moved(self, observation: Observation, seed: int) -> Observation:
        """Move the tool to a random place with shut fingers."""
        place, duration = np.random.default_rng(seed).uniform(_LOW, _HIGH), self._environment.step_duration
        for _ in range(round(_LONGEST / duration)):
            away = place - observation[TOOL]
            if np.abs(away).max() < _REACHED:
                break
            action = np.append(np.clip(away / (TOOL_SPEED * duration), -1.0, 1.0), SHUT)
            observation = self._environment.step(action)[0]
        return observation

    def step(self, action: Float[np.ndarray, "4"]) -> Step:
        """Act for one step."""
        observation, reward, _, _, info = self._environment.step(action)
        return Step(observation=observation, reward=reward, success=info["success"])

    def expert(self) -> Policy:
        """Return the scripted expert."""
        return self.task.expert

    def frames(self) -> Mapping[str, UInt8[np.ndarray, "3 height width"]]:
        """Render the present state: a new RGB picture per camera."""
        pictures = self._environment.frames(self.cameras)
        return {name: np.ascontiguousarray(picture.transpose(2, 0, 1)) for name, picture in pictures.items()}

    def close(self) -> None:
        """Free the OpenGL context."""
        self._environment.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTopSettings:
    """How an episode on the table top is seen and sampled.

    Raises:
        ValueError: No or an unknown camera, one named twice, an image size that is not even and positive, or a step
            that is no multiple of 5 ms.
    """

    cameras: tuple[str, ...]
    """Names out of `robo_reward_sim.table_top.scene.CAMERAS`."""
    image_size: int
    """Height and width of the pictures [px]; even, as video needs it."""
    step_duration: float
    """Time from one row to the next, for which an action is held [s]."""
    everywhere: bool = False
    """Three in four episodes begin with the tool moved to a random place."""

    def __post_init__(self) -> None:
        check_cameras(self.cameras)
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ValueError(
                f"cameras must be of {', '.join(CAMERAS)}, one at least and none twice; got {self.cameras}"
            )
        if self.image_size <= 0 or self.image_size % 2:
            raise ValueError(f"image_size must be even and > 0 px, got {self.image_size}")
        num_physics_steps(self.step_duration)

    @property
    def action_repeat(self) -> int:
        """Every step is a row."""
        return 1

    @property
    def fps(self) -> float:
        """Recorded rows per second of simulated time [1/s]."""
        return 1.0 / self.step_duration

    @property
    def max_steps(self) -> int:
        """Steps of 10 s: twice what the slowest expert takes."""
        return round(10.0 / self.step_duration)

    @property
    def settle_steps(self) -> int:
        """`SETTLE` in steps."""
        return max(1, round(SETTLE / self.step_duration))

    @property
    def robot_type(self) -> str:
        """The table-top arm."""
        return "table_top_arm"

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every column besides the pictures."""
        axis_speed = f"[{TOOL_SPEED:g} m/s]"
        return {
            "observation.state": Feature(dtype="float32", shape=(len(TOOL_NAMES),), names=list(TOOL_NAMES)),
            "action": Feature(
                dtype="float32",
                shape=(4,),
                names=[f"tool_velocity_{axis} {axis_speed}" for axis in "xyz"] + ["gripper [-1 open, 1 shut]"],
            ),
            "truth.reward": Feature(dtype="float32", names=["dense_reward [0 to 1]"]),
            "truth.progress": Feature(dtype="float32", names=["progress [0 to 1]"]),
            "truth.goal": Feature(
                dtype="float32", shape=(3,), names=[f"goal_{axis} [m]: ball, puck, cube or handle" for axis in "xyz"]
            ),
        } | outcome_features()

    def open_scene(self, task: PlayedTask) -> TableTopStage:
        """Load a table-top task with these cameras."""
        return TableTopStage(
            table_top_task(task.name),
            cameras=self.cameras,
            image_size=self.image_size,
            step_duration=self.step_duration,
            everywhere=self.everywhere,
        )

    def truth(self, task: PlayedTask, observations: Sequence[Observation]) -> Mapping[str, np.ndarray]:
        """Give progress, and the point that the task is about."""
        played = table_top_task(task.name)
        progress = [played.progress(each, observations[0]) for each in observations]
        return {
            "truth.progress": np.array(progress, np.float32),
            "truth.goal": np.array([played.goal(each) for each in observations], np.float32),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTopRecording:
    """A recording as it is configured: demonstrations to fit a reward model to, other episodes to judge it by.

    Raises:
        ValueError: A setting out of its range, no task, a task named twice, an unknown task or camera.
    """

    tasks: Sequence[str]
    """Out of reach, push, pick, open."""
    demonstrations: int
    """Successes per task to fit to."""
    successes: int
    """Successes per task to judge by."""
    failures: int
    """Failures per task and kind (noise, early_stop, wrong_object) to judge by."""
    cameras: Sequence[str]
    """Names out of `robo_reward_sim.table_top.scene.CAMERAS`."""
    image_size: int
    """Height and width of the pictures [px]; even."""
    step_duration: float
    """Time from one row to the next [s]."""
    seed: int
    """Decides every layout and random choice."""
    num_workers: int
    """Processes that play."""
    everywhere: bool = False
    """Three in four episodes begin with the tool moved to a random place: a learner goes everywhere."""

    def __post_init__(self) -> None:
        self.settings()
        self.demonstration_plans()
        self.episode_plans()
        check_workers(self.num_workers)

    def settings(self) -> TableTopSettings:
        """How the episodes are seen and sampled."""
        return TableTopSettings(
            cameras=tuple(self.cameras),
            image_size=self.image_size,
            step_duration=self.step_duration,
            everywhere=self.everywhere,
        )

    def demonstration_plans(self) -> tuple[EpisodePlan, ...]:
        """Successes to fit a reward model to."""
        return self._plans({"success": self.demonstrations}, part="table-top demonstrations")

    def episode_plans(self) -> tuple[EpisodePlan, ...]:
        """Successes and failures to judge a reward model by; none of them is a demonstration."""
        counts = {"success": self.successes} | dict.fromkeys(FAILURES, self.failures)
        return self._plans(counts, part="table-top episodes")

    def record_demonstrations(self, folder: Path) -> Path:
        """Write the demonstrations; see `record`."""
        return record(self.demonstration_plans(), folder, settings=self.settings(), num_workers=self.num_workers)

    def record_episodes(self, folder: Path) -> Path:
        """Write the episodes to judge by; see `record`."""
        return record(self.episode_plans(), folder, settings=self.settings(), num_workers=self.num_workers)

    def _plans(self, counts: Mapping[str, int], *, part: str) -> tuple[EpisodePlan, ...]:
        return plan_episodes(self.tasks, counts, seed=self.seed, part=part, named=table_top_task)
