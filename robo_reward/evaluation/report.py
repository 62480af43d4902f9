"""The report for people: one HTML file that needs nothing else, and overlay videos beside it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from robo_reward.durable import atomic_file
from robo_reward.episodes.source import EpisodeSource
from robo_reward.evaluation.curves import HEIGHT, REWARD_HEIGHT, WIDTH, Curves, episode_curves
from robo_reward.evaluation.episode_evaluation import FINAL_FRAMES, EpisodeEvaluation
from robo_reward.evaluation.evaluation import Evaluation
from robo_reward.evaluation.figures import calibration_figure, final_progress_figure
from robo_reward.evaluation.film_strip import FilmStrip
from robo_reward.evaluation.metrics_file import overall
from robo_reward.evaluation.overlay import overlay_video
from robo_reward.evaluation.task_evaluation import TaskEvaluation
from robo_reward.evaluation.verdicts import Thresholds, Verdict, verdicts

CHUNK_FRAMES = 32
OPEN_EPISODES = 3
"""So many of each task's worst episodes are unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeView:
    """One episode as the page shows it."""

    evaluation: EpisodeEvaluation
    outcome: str | None
    strips: Mapping[str, str]
    """Camera to `data:` address."""
    curves: Curves
    video: str | None
    """Address of the overlay video relative to the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task as the page shows it."""

    task: TaskEvaluation
    verdicts: Sequence[Verdict]
    episodes: Sequence[EpisodeView]
    """Worst first."""


def write_report(
    evaluation: Evaluation,
    path: Path,
    *,
    source: EpisodeSource,
    title: str = "Reward report",
    overlays: int | None = None,
    thresholds: Thresholds | None = None,
    on_episode: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page and the overlay videos; every episode is decoded once for both.

    Args:
        evaluation: What is reported.
        path: The HTML file; videos go to the folder `overlays` beside it.
        source: The data set that was evaluated; its pictures are shown.
        title: Headline.
        overlays: How many of the worst episodes get a video; None = all.
        thresholds: Where figures pass.
        on_episode: Called with the number of finished episodes and of all, after each.

    Returns:
        `path`.

    Raises:
        OutputError: A file cannot be written.
        ValueError: A negative number of videos.
    """
    if overlays is not None and overlays < 0:
        raise ValueError(f"overlays must be >= 0, or None for all, got {overlays}")
    worst_first = sorted(evaluation.episodes, key=lambda episode: -episode.badness)
    filmed = {episode.episode.index for episode in worst_first[:overlays]}
    views: dict[int, EpisodeView] = {}
    for episode in evaluation.episodes:
        video = f"overlays/episode_{episode.episode.index:06d}.mp4" if episode.episode.index in filmed else None
        views[episode.episode.index] = _view(evaluation, source, episode, folder=path.parent, video=video)
        if on_episode is not None:
            on_episode(len(views), len(evaluation.episodes))
    limits = thresholds or Thresholds()
    ordered = [views[episode.episode.index] for episode in worst_first]
    tasks = [
        TaskView(
            task=task,
            verdicts=verdicts(task, thresholds=limits),
            episodes=[view for view in ordered if view.evaluation.task == task.name],
        )
        for task in evaluation.tasks
    ]
    text = _render(evaluation, tasks, title=title)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _view(
    evaluation: Evaluation, source: EpisodeSource, episode: EpisodeEvaluation, *, folder: Path, video: str | None
) -> EpisodeView:
    strip = FilmStrip(episode.episode)
    outcome = evaluation.outcome(episode)
    with ExitStack() as stack:
        takers: list[Callable] = [strip.add]
        if video is not None:
            film = overlay_video(folder / video, episode, outcome=outcome, fps=source.fps)
            takers.append(stack.enter_context(film))
        for clip in source.clips(episode.episode, num_frames=CHUNK_FRAMES):
            for take in takers:
                take(clip)
    return EpisodeView(
        evaluation=episode,
        outcome=outcome,
        strips=strip.data_uris(),
        curves=episode_curves(episode.recording),
        video=video,
    )


def _render(evaluation: Evaluation, tasks: Sequence[TaskView], *, title: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    calibration = calibration_figure(evaluation)
    return environment.get_template("report.html.j2").render(
        title=title,
        tasks=tasks,
        overall=overall(evaluation.tasks),
        checks=_by_check(tasks),
        # drawn by matplotlib from numbers and escaped names: markup of our own
        final_progress=Markup(final_progress_figure(evaluation)),
        calibration=None if calibration is None else Markup(calibration),
        provenance=_flat(evaluation.provenance),
        size={"width": WIDTH, "height": HEIGHT, "reward_height": REWARD_HEIGHT},
        final_frames=FINAL_FRAMES,
        open_episodes=OPEN_EPISODES,
    )


def _by_check(tasks: Sequence[TaskView]) -> Mapping[str, Mapping[str, Verdict]]:
    """Turn the verdicts of tasks into rows of a table: check, then task."""
    rows: dict[str, dict[str, Verdict]] = {}
    for view in tasks:
        for verdict in view.verdicts:
            rows.setdefault(verdict.name, {})[view.task.name] = verdict
    return rows


def _figure(value: float, decimals: int = 2) -> str:
    """Write a number for people: a real minus sign, a dash for what is not defined."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def _flat(provenance: Mapping[str, object], prefix: str = "") -> Mapping[str, str]:
    """Spell nested facts as `outer.inner`."""
    rows: dict[str, str] = {}
    for key, value in provenance.items():
        if isinstance(value, Mapping):
            rows.update(_flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return rows
