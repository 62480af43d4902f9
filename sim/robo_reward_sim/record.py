"""Records scripted experts and their failures into a LeRobot v3 data set, with the truth beside the pictures."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.errors import OutputError
from robo_reward_sim.failures import FAILURES
from robo_reward_sim.playing import HowRecorded, PlayedTask
from robo_reward_sim.rollout import EpisodePlan, RecordingSettings, seed_of
from robo_reward_sim.tasks import task_named
from robo_reward_sim.workers import play_here, play_in_processes

_CAMERA_PREFIX = "observation.images."


def plan_episodes(
    tasks: Sequence[str],
    counts: Mapping[str, int],
    *,
    seed: int,
    part: str,
    named: Callable[[str], PlayedTask] = task_named,
) -> tuple[EpisodePlan, ...]:
    """Plan `counts[outcome]` episodes of every task, task by task.

    An episode's seed comes from (seed, part, task, outcome, number) alone: with other counts or tasks the episodes that
    both plans have are the same ones, and two parts have none in common.

    Args:
        tasks: Names of tasks.
        counts: Number of episodes by outcome: `success`, `noise`, `early_stop`, `wrong_object`.
        seed: Of the whole recording.
        part: Name of the data set within the recording, such as `demonstrations`.
        named: Gives a task by its name; those of Meta-World have no version.

    Raises:
        ValueError: No task, a task twice, an unknown task or outcome, a negative number or seed.
    """
    if not tasks or len(set(tasks)) != len(tasks):
        raise ValueError(f"tasks must be named, and none twice; got {list(tasks)}")
    for outcome, count in counts.items():
        if count < 0:
            raise ValueError(f"the number of '{outcome}' episodes must be >= 0, got {count}")
    if seed < 0:
        raise ValueError(f"seed must be >= 0, got {seed}")
    return tuple(
        EpisodePlan(task=named(name), outcome=outcome, seed=seed_of(seed, part, name, outcome, number))
        for name in tasks
        for outcome, count in counts.items()
        for number in range(count)
    )


def record(
    plans: Sequence[EpisodePlan],
    folder: Path,
    *,
    settings: HowRecorded,
    num_workers: int,
) -> Path:
    """Play the planned episodes and write them as one LeRobot v3 data set, in the order of the plans.

    The same plans and settings give the same data set, with however many processes. Row t holds what was seen and the
    action held until row t + 1. A success ends (`next.terminated`) when the task has been done for `settle_steps`
    steps; only that last row has `truth.success`. A failure is cut (`next.truncated`) and has no moment of success.
    Until all is written it lies in `<folder>.partial`.

    Args:
        plans: Which episodes.
        folder: The new data set; must not exist.
        settings: How they are seen and sampled; cameras are recorded as `observation.images.<name>`.
        num_workers: Processes that play; 1 plays in this one.

    Returns:
        `folder`.

    Raises:
        ValueError: No plan, `num_workers` < 1, or a task whose expert cannot give the planned outcome.
        OutputError: `folder` exists, the disk is full, or a process that plays was killed.
    """
    if not plans:
        raise ValueError("nothing to record: the plan has no episode")
    check_workers(num_workers)
    played = (
        play_here(plans, settings) if num_workers == 1 else play_in_processes(plans, settings, num_workers=num_workers)
    )
    writer = LeRobotWriter(folder, _features(settings), fps=settings.fps, robot_type=settings.robot_type)
    try:
        with closing(played), writer, _progress() as progress:
            for episode in progress.track(played, total=len(plans), description=f"recording {folder.name}"):
                views = {_CAMERA_PREFIX + camera: frames for camera, frames in episode.views.items()}
                writer.add_episode(episode.instruction, views=views, columns=episode.columns)
    except BrokenProcessPool as error:
        raise OutputError(
            f"{folder} is not recorded: one of the {num_workers} processes that play was killed from outside, "
            "most often for want of memory; num_workers=1 needs least"
        ) from error
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaWorldRecording:
    """A recording as it is configured: demonstrations to fit a reward model to, other episodes to judge it by.

    Raises:
        ValueError: A setting out of its range, no task, a task named twice, an unknown task or camera.
    """

    tasks: Sequence[str]
    """Names of Meta-World tasks, without the version."""
    demonstrations: int
    """Successes per task to fit to."""
    successes: int
    """Successes per task to judge by."""
    failures: int
    """Failures per task and kind (noise, early_stop, wrong_object) to judge by."""
    cameras: Sequence[str]
    """Names out of `robo_reward_sim.cameras.CAMERAS`."""
    image_size: int
    """Height and width of the pictures [px]; even."""
    action_repeat: int
    """Environment steps (of 1 / 80 s) from one row to the next."""
    seed: int
    """Decides every layout and random choice."""
    num_workers: int
    """Processes that play."""
    everywhere: bool = False
    """Three in four episodes begin with the hand moved to a random place: a learner goes everywhere."""

    def __post_init__(self) -> None:
        self.settings()
        self.demonstration_plans()
        self.episode_plans()
        check_workers(self.num_workers)

    def settings(self) -> RecordingSettings:
        """How the episodes are seen and sampled."""
        return RecordingSettings(
            cameras=tuple(self.cameras),
            image_size=self.image_size,
            action_repeat=self.action_repeat,
            everywhere=self.everywhere,
        )

    def demonstration_plans(self) -> tuple[EpisodePlan, ...]:
        """Successes to fit a reward model to."""
        return plan_episodes(self.tasks, {"success": self.demonstrations}, seed=self.seed, part="demonstrations")

    def episode_plans(self) -> tuple[EpisodePlan, ...]:
        """Successes and failures to judge a reward model by; none of them is a demonstration."""
        counts = {"success": self.successes} | dict.fromkeys(FAILURES, self.failures)
        return plan_episodes(self.tasks, counts, seed=self.seed, part="episodes")

    def record_demonstrations(self, folder: Path) -> Path:
        """Write the demonstrations; see `record`."""
        return record(self.demonstration_plans(), folder, settings=self.settings(), num_workers=self.num_workers)

    def record_episodes(self, folder: Path) -> Path:
        """Write the episodes to judge by; see `record`."""
        return record(self.episode_plans(), folder, settings=self.settings(), num_workers=self.num_workers)


def _features(settings: HowRecorded) -> dict[str, Feature]:
    shape = (settings.image_size, settings.image_size, 3)
    pictures = Feature(dtype="video", shape=shape, names=["height", "width", "channels"])
    return {_CAMERA_PREFIX + camera: pictures for camera in settings.cameras} | dict(settings.features)


def check_workers(num_workers: int) -> None:
    """Raise ValueError unless at least one process plays."""
    if num_workers < 1:
        raise ValueError(f"num_workers must be >= 1, got {num_workers}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("episodes"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
