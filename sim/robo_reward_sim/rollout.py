"""One episode: what is planned, how it is played, and what is recorded of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from robo_reward.episodes.lerobot_format import Feature
from robo_reward_sim.cameras import check_cameras
from robo_reward_sim.failures import FAILURES, OUTCOMES, Reference
from robo_reward_sim.meta_world import CONTROL_RATE, MAX_STEPS, MetaWorldScene
from robo_reward_sim.playing import HowRecorded, Observation, PlayedScene, PlayedTask, Policy
from robo_reward_sim.tasks import Task
from robo_reward_sim.wandered_scene import LONGEST_WANDERING, WanderedScene

SETTLE_STEPS = 10
"""Environment steps for which Meta-World must say success before an episode counts as one and ends.

Its thresholds are wide (a puck 7 cm from its goal): after these 0.125 s of the expert going on one sees it, too.
"""

MAX_ATTEMPTS = 30
"""Layouts that are tried until the expert succeeds and the failing one fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePlan:
    """Which episode is to be played; two equal plans give two equal episodes.

    Raises:
        ValueError: An unknown outcome or a negative seed.
    """

    task: PlayedTask
    outcome: str
    """`success`, or the kind of failure."""
    seed: int
    """Decides the layout of the table and every random choice."""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome '{self.outcome}'; available: {', '.join(OUTCOMES)}")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """How an episode of Meta-World is seen and sampled.

    Raises:
        ValueError: No or an unknown camera, an image size that is not even and positive, an action held for less than
            one step or more than 20.
    """

    cameras: tuple[str, ...]
    """Names out of `robo_reward_sim.cameras.CAMERAS`."""
    image_size: int
    """Height and width of the pictures [px]; even, as video needs it."""
    action_repeat: int
    """Environment steps that each recorded action is held for."""
    everywhere: bool = False
    """Three in four episodes begin with the hand moved to a random place."""

    def __post_init__(self) -> None:
        check_cameras(self.cameras)
        if self.image_size <= 0 or self.image_size % 2:
            raise ValueError(f"image_size must be even and > 0 px, got {self.image_size}")
        if not 1 <= self.action_repeat <= 20:
            raise ValueError(f"action_repeat must be in [1, 20] environment steps, got {self.action_repeat}")

    @property
    def fps(self) -> float:
        """Recorded rows per second of simulated time [1/s]."""
        return CONTROL_RATE / self.action_repeat

    @property
    def max_steps(self) -> int:
        """Environment steps after which an expert is given up."""
        return MAX_STEPS - (LONGEST_WANDERING if self.everywhere else 0)

    @property
    def settle_steps(self) -> int:
        """`SETTLE_STEPS`."""
        return SETTLE_STEPS

    @property
    def robot_type(self) -> str:
        """The arm of Meta-World."""
        return "sawyer"

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every column besides the pictures."""
        return _META_WORLD_COLUMNS | outcome_features()

    def open_scene(self, task: PlayedTask) -> PlayedScene:
        """Load a task of Meta-World with these cameras."""
        if not isinstance(task, Task):
            raise ValueError(f"'{task.name}' is no task of Meta-World: {task}")
        scene = MetaWorldScene(task, cameras=self.cameras, image_size=self.image_size)
        return WanderedScene(scene) if self.everywhere else scene

    def truth(self, task: PlayedTask, observations: Sequence[Observation]) -> Mapping[str, np.ndarray]:
        """Give nothing more: Meta-World does not tell how far a task is done."""
        return {}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RecordedEpisode:
    """What a data set gets to know of one episode."""

    instruction: str
    views: Mapping[str, UInt8[np.ndarray, "time 3 height width"]]
    """RGB frames by camera, oldest first."""
    columns: Mapping[str, np.ndarray]
    """Everything else, one row a frame."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Row:
    observation: Observation
    action: Float[np.ndarray, "4"]
    reward: float
    """Of the state that the row's transition reached."""
    success: bool
    """The task was done at some step of this row's transition."""
    settled: bool
    """It has been done for long enough, without a break."""


def outcome_features() -> dict[str, Feature]:
    """Give the columns that say how an episode went."""
    outcomes = ", ".join(f"{index} {name}" for index, name in enumerate(OUTCOMES))
    return {
        "truth.success": Feature(dtype="bool", names=["task_success"]),
        "truth.outcome": Feature(dtype="int64", names=[f"outcome [{outcomes}]"]),
        "next.terminated": Feature(dtype="bool", names=["terminated"]),
        "next.truncated": Feature(dtype="bool", names=["truncated"]),
    }


_META_WORLD_COLUMNS: dict[str, Feature] = {
    "observation.state": Feature(
        dtype="float32",
        shape=(4,),
        names=["hand_x [m]", "hand_y [m]", "hand_z [m]", "gripper_opening [0 shut, 1 open]"],
    ),
    "action": Feature(
        dtype="float32",
        shape=(4,),
        names=[f"hand_velocity_{axis} [0.8 m/s]" for axis in "xyz"] + ["gripper_effort [-1 opens, 1 shuts]"],
    ),
    "truth.reward": Feature(dtype="float32", names=["meta_world_dense_reward [0 to 10]"]),
}


def seed_of(*words: object) -> int:
    """Return the seed in [0, 2^63) that stands for `words`: unrelated for any two different lists of them."""
    digest = hashlib.sha256("\0".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def play(scene: PlayedScene, plan: EpisodePlan, *, settings: HowRecorded) -> RecordedEpisode:
    """Play the planned episode and take its pictures.

    Layouts are drawn until the expert succeeds from one and, where a failure is planned, the failing one has no moment
    of success in it. A failure lasts as long as the expert takes from the same layout, so length tells nothing.

    Args:
        scene: The planned task's scene, with the cameras and image size of `settings`.
        plan: Which episode.
        settings: How it is sampled.

    Raises:
        ValueError: The scene is of another task, or no such episode in `MAX_ATTEMPTS`
            layouts.
    """
    if scene.task != plan.task:
        raise ValueError(f"the plan is for task '{plan.task.name}', the scene shows '{scene.task.name}'")
    for attempt in range(MAX_ATTEMPTS):
        seed = seed_of(plan.seed, attempt)
        rows = _attempt(scene, plan.outcome, seed=seed, settings=settings)
        if rows is not None:
            actions = [row.action for row in rows]
            views = _pictures(scene, actions, seed=seed, action_repeat=settings.action_repeat)
            truth = settings.truth(plan.task, [row.observation for row in rows])
            columns = _columns(rows, outcome=plan.outcome) | dict(truth)
            return RecordedEpisode(instruction=plan.task.instruction, views=views, columns=columns)
    raise ValueError(f"task '{plan.task.name}': no '{plan.outcome}' in {MAX_ATTEMPTS} layouts from seed {plan.seed}")


def _attempt(scene: PlayedScene, outcome: str, *, seed: int, settings: HowRecorded) -> list[_Row] | None:
    """Play one layout; None where it did not come out as planned."""
    max_rows = settings.max_steps // settings.action_repeat
    expert = _roll_out(scene, scene.expert(), seed=seed, settings=settings, max_rows=max_rows)
    if not expert[-1].settled:
        return None
    if outcome == "success":
        return expert
    first_success = next(index for index, row in enumerate(expert) if row.success)
    reference = Reference(
        task=scene.task, expert=scene.expert(), start=expert[0].observation, num_rows_to_success=first_success
    )
    policy = FAILURES[outcome](reference, np.random.default_rng(seed))
    failure = _roll_out(scene, policy, seed=seed, settings=settings, max_rows=len(expert))
    return None if any(row.success for row in failure) else failure


def _roll_out(scene: PlayedScene, policy: Policy, *, seed: int, settings: HowRecorded, max_rows: int) -> list[_Row]:
    """Act until success has settled, or for `max_rows`."""
    observation, rows, num_success = scene.reset(seed), [], 0
    while len(rows) < max_rows and num_success < settings.settle_steps:
        action = policy(observation).astype(np.float32)  # as recorded, so that who replays it gets the same
        steps = [scene.step(action) for _ in range(settings.action_repeat)]
        for step in steps:
            num_success = num_success + 1 if step.success else 0
        rows.append(
            _Row(
                observation=observation,
                action=action,
                reward=steps[-1].reward,
                success=any(step.success for step in steps),
                settled=num_success >= settings.settle_steps,
            )
        )
        observation = steps[-1].observation
    return rows


def _pictures(
    scene: PlayedScene, actions: Sequence[Float[np.ndarray, "4"]], *, seed: int, action_repeat: int
) -> dict[str, UInt8[np.ndarray, "time 3 height width"]]:
    """Play the same actions once more, now with cameras: layouts that were dropped cost no picture."""
    scene.reset(seed)
    size = scene.image_size
    views = {camera: np.empty((len(actions), 3, size, size), np.uint8) for camera in scene.cameras}
    for index, action in enumerate(actions):
        for camera, frame in scene.frames().items():
            views[camera][index] = frame
        for _ in range(action_repeat):
            scene.step(action)
    return views


def _columns(rows: Sequence[_Row], *, outcome: str) -> dict[str, np.ndarray]:
    last = np.arange(len(rows)) == len(rows) - 1
    succeeded = outcome == "success"
    return {
        "observation.state": np.stack([row.observation[:4] for row in rows]).astype(np.float32),
        "action": np.stack([row.action for row in rows]).astype(np.float32),
        "truth.success": last & succeeded,
        "truth.reward": np.array([row.reward for row in rows], np.float32),
        "truth.outcome": np.full(len(rows), OUTCOMES.index(outcome), np.int64),
        "next.terminated": last & succeeded,
        "next.truncated": last & (not succeeded),
    }
