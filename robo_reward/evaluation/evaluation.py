"""Is the reward of a relabelled data set to be trusted: all figures and controls, task by task."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import count

import torch

from robo_reward.clip import Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.errors import DataSetError
from robo_reward.evaluation.controls import SensorNoise, run_controls
from robo_reward.evaluation.episode_evaluation import EpisodeEvaluation, evaluate_episode
from robo_reward.evaluation.footage import Footage, read_footage
from robo_reward.evaluation.recording import Recording, read_recording
from robo_reward.evaluation.task_evaluation import TaskEvaluation, evaluate_task
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.reward_model import RewardModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """What the figures depend on beside data set and models.

    Raises:
        ValueError: A negative number of wrong instructions.
    """

    seed: int = 0
    """Seed of noise, shuffling and bootstrap."""
    noise: SensorNoise = field(default_factory=SensorNoise)
    """Camera noise of the static control."""
    num_wrong_instructions: int = 4
    """At most so many other tasks' models look at each episode."""
    fitted_on: Collection[int] = ()
    """Indices of the episodes that models were fitted on; counted in no figure."""
    task_names: Mapping[str, str] = field(default_factory=dict)
    """Instruction to short name of the task; others get one made of their words."""
    outcomes: Sequence[str] = ()
    """What the numbers of `truth.outcome` mean, for people."""

    def __post_init__(self) -> None:
        if self.num_wrong_instructions < 0:
            raise ValueError(f"num_wrong_instructions must be >= 0, got {self.num_wrong_instructions}")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Evaluation:
    """Everything that was found out; `write_metrics` and `write_report` put it into files."""

    tasks: Sequence[TaskEvaluation]
    episodes: Sequence[EpisodeEvaluation]
    """In the order of the data set."""
    outcomes: Sequence[str]
    provenance: Mapping[str, object]

    def outcome(self, episode: EpisodeEvaluation) -> str | None:
        """Say how the episode was made, where the recorder told; None = it did not."""
        index = episode.recording.outcome
        return self.outcomes[index] if index is not None and 0 <= index < len(self.outcomes) else None


def evaluate(
    source: EpisodeSource,
    models: Callable[[str], RewardModel],
    *,
    embed: Callable[[Episode], EmbeddedClip] | None = None,
    settings: EvaluationSettings | None = None,
    provenance: Mapping[str, object] | None = None,
    on_episode: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Judge the rewards that a data set holds, and the models that wrote them.

    Figures come from the recorded columns, which users train on; controls from the models. The two must belong
    together: on the first episode of each task the model must give the recorded progress bit for bit.

    Args:
        source: A data set with `reward.progress` and `reward.spread`, and `truth.*` where known.
        models: Builds the model of an instruction; called once for each.
        embed: Gives an episode's embeddings from a cache, for models that look through an encoder; None = encode.
        settings: Seeds, noise, names, and which episodes models were fitted on.
        provenance: How the rewards were made, as recorded beside them.
        on_episode: Called with the number of finished episodes and of all, after each.

    Raises:
        DataSetError: No episode, no reward columns, or recorded rewards that the model does not give.
    """
    settings = settings or EvaluationSettings()
    if not source.episodes:
        raise DataSetError(f"{source.description} has no episode to evaluate")
    instructions = list(dict.fromkeys(episode.instruction for episode in source.episodes))
    bench = _Bench(
        source=source,
        models={instruction: models(instruction) for instruction in instructions},
        names=name_tasks(instructions, given=settings.task_names),
        embed=embed,
        settings=settings,
    )
    episodes: list[EpisodeEvaluation] = []
    for episode in source.episodes:
        episodes.append(_examine(bench, episode, first=all(bench.task(episode) != other.task for other in episodes)))
        if on_episode is not None:
            on_episode(len(episodes), len(source.episodes))
    return Evaluation(
        tasks=[
            evaluate_task(name, [episode for episode in episodes if episode.task == name], seed=settings.seed)
            for name in bench.names.values()
        ],
        episodes=episodes,
        outcomes=settings.outcomes,
        provenance=_provenance(bench, provenance or {}),
    )


def name_tasks(instructions: Sequence[str], *, given: Mapping[str, str]) -> Mapping[str, str]:
    """Give each instruction a short name that fits a file name: the given one, or its words joined by `-`.

    Raises:
        ValueError: One name is given to two instructions.

    Example:
        >>> name_tasks(["Open the drawer!", "open the drawer", "reach"], given={"reach": "reach-v3"})
        {'Open the drawer!': 'open-the-drawer', 'open the drawer': 'open-the-drawer-2', 'reach': 'reach-v3'}
    """
    names: dict[str, str] = {}
    for instruction in instructions:
        if instruction in given:
            if given[instruction] in names.values():
                raise ValueError(f"task name '{given[instruction]}' stands for two instructions")
            names[instruction] = given[instruction]
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", instruction.lower()).strip("-") or "task"
        taken = {*names.values(), *given.values()}
        numbered = (slug if number == 1 else f"{slug}-{number}" for number in count(1))
        names[instruction] = next(name for name in numbered if name not in taken)
    return names


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Bench:
    """What the examinations of all episodes share."""

    source: EpisodeSource
    models: Mapping[str, RewardModel]
    names: Mapping[str, str]
    embed: Callable[[Episode], EmbeddedClip] | None
    settings: EvaluationSettings

    def task(self, episode: Episode) -> str:
        return self.names[episode.instruction]

    def others(self, episode: Episode) -> Sequence[RewardModel]:
        """Models of the tasks that follow the episode's own, beginning anew after the last."""
        instructions = list(self.models)
        own = instructions.index(episode.instruction)
        following = instructions[own + 1 :] + instructions[:own]
        return [self.models[instruction] for instruction in following[: self.settings.num_wrong_instructions]]


def _examine(bench: _Bench, episode: Episode, *, first: bool) -> EpisodeEvaluation:
    recording = read_recording(bench.source, episode)
    model = bench.models[episode.instruction]
    footage = read_footage(bench.source, episode, model=model, embed=bench.embed)
    if first:
        _check_model_wrote(bench.source, episode, recording=recording, model=model, footage=footage)
    return evaluate_episode(
        episode,
        recording,
        task=bench.task(episode),
        fitted=episode.index in bench.settings.fitted_on,
        controls=run_controls(
            bench.source,
            episode,
            footage=footage,
            model=model,
            progress=recording.progress,
            noise=bench.settings.noise,
            seed=bench.settings.seed,
            others=bench.others(episode),
        ),
    )


def _check_model_wrote(
    source: EpisodeSource, episode: Episode, *, recording: Recording, model: RewardModel, footage: Footage
) -> None:
    recorded = recording.progress
    given = footage.estimate(model).progress[0].to(recorded.dtype)
    differs = (given != recorded) & ~(given.isnan() & recorded.isnan())
    if bool(differs.any()):
        frame = int(differs.to(torch.int64).argmax())
        raise DataSetError(
            f"{source.description}: the model of '{episode.instruction}' is not the one that wrote reward.progress: "
            f"they differ in {int(differs.sum())} of {len(recorded)} frames of episode {episode.index}, first in frame "
            f"{frame} (recorded {recorded[frame]:.9g}, model {given[frame]:.9g}); evaluate with the settings in "
            "meta/robo_reward/provenance.json, or relabel"
        )


def _provenance(bench: _Bench, given: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "data": bench.source.description,
        "software": f"robo_reward {version('robo-reward')}",
        "model_versions": {bench.names[instruction]: model.version for instruction, model in bench.models.items()},
        "seed": bench.settings.seed,
        "noise": asdict(bench.settings.noise),
        "fitted_on": sorted(bench.settings.fitted_on),
        **given,
    }
