"""`robo-reward fit`: reward models from demonstrations, kept in a folder."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import build, plain, takes_encoder
from robo_reward.cli.choose_models import calibrated, choose_models, watched
from robo_reward.cli.fitting import embed_recordings, fit_with_bar
from robo_reward.cli.own_encoder import own_encoder
from robo_reward.durable import check_absent
from robo_reward.episodes.source import EpisodeSource
from robo_reward.fusion.conformal import ConformalProgress
from robo_reward.models.calibrated_spread import CalibratedSpread
from robo_reward.models.success import SuccessClassifier
from robo_reward.models.success_decision import negatives_needed
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.training.fit import FittedModels, save_models
from robo_reward.training.fit_success import DecisionSettings, FittedSuccess, fit_success
from robo_reward.training.recordings import labelled_by_time_left

TIME_PASSED, TIME_LEFT = LABELS = ("time_passed", "time_left")
"""What progress of a demonstration is taken from, where no column tells its steps."""


def run(config: DictConfig) -> None:
    """Fit as configured and say where the models are."""
    output = Path(config.output)
    check_absent(output)
    decision = DecisionSettings(**plain(config.success_decision))
    by_time_left = _by_time_left(config)
    source = build(config.episodes)
    with own_encoder(config, source) as own:
        fitted = _fitted(own.config, source, decision, by_time_left=by_time_left)
        save_models(replace(fitted, encoder_file=own.file), output)
    console = Console(stderr=True, soft_wrap=True)
    for text, success in fitted.success.items():
        console.print(f"success of '{text}': {_said_of(success, decision)}", markup=False)
    for text, model in fitted.models.items():
        if isinstance(model, CalibratedSpread) and model.conformal is not None:
            console.print(f"spread of '{text}': {_said_of_spread(model.conformal, width=model.width)}", markup=False)
    count = len(fitted.models)
    console.print(
        f"{count} fitted model{'s' if count > 1 else ''} in {output}; "
        f"robo-reward relabel reward_model={output} episodes.path=… output=… puts its rewards into a data set",
        markup=False,
    )


def _fitted(
    config: DictConfig, source: EpisodeSource, decision: DecisionSettings, *, by_time_left: bool
) -> FittedModels:
    chosen = choose_models(config, list(dict.fromkeys(episode.instruction for episode in source.episodes)))
    if config.watch_cameras:
        chosen = watched(chosen)
    if config.conformal is not None:
        chosen = calibrated(chosen, coverage=config.conformal)
    classifier = _classifier(config.success, chosen.encoder)
    clips = embed_recordings(
        chosen.models,
        source,
        store=build(config.embeddings),
        batch_size=config.batch_size,
        steps_column=config.steps_column,
        unknown_success=config.unknown_success,
    )
    if by_time_left:
        clips = {text: labelled_by_time_left(each) for text, each in clips.items()}
    models, curves = fit_with_bar(chosen.models, clips)
    return FittedModels(
        encoder=chosen.encoder_config,
        models=models,
        fitted_on={"software": f"robo_reward {version('robo-reward')}", "episodes": plain(config.episodes)},
        curves=curves,
        success={} if classifier is None else {text: fit_success(classifier, clips[text], decision) for text in models},
    )


def _by_time_left(config: DictConfig) -> bool:
    """Tell whether demonstrations are labelled by how long they still take.

    Raises:
        ValueError: Labels that there are not, or two kinds of them.
    """
    if config.labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got '{config.labels}'")
    if config.labels == TIME_LEFT and config.steps_column is not None:
        raise ValueError(f"labels={TIME_LEFT} and steps_column={config.steps_column} both label progress: give one")
    return config.labels == TIME_LEFT


def _classifier(config: DictConfig, encoder: ImageEncoder | None) -> SuccessClassifier | None:
    """Build what is to tell success; None = nothing is to.

    Raises:
        ValueError: It cannot be fitted.
    """
    if not takes_encoder(config):
        if (told := build(config)) is not None:
            raise ValueError(f"{type(told).__name__} is not fitted: fit with success=classifier or success=none")
        return None
    if encoder is None:
        raise ValueError("a success classifier looks through the reward models' encoder, and these have none")
    return build(config, encoder=encoder)


def _said_of_spread(conformal: ConformalProgress, *, width: float) -> str:
    return (
        f"± {width:.2f} of it hold {conformal.frames_within:.0%} of an episode's frames with probability "
        f"{conformal.coverage:.0%}; it is {conformal.scale / width:.2f} times the model's own"
    )


def _said_of(success: FittedSuccess, settings: DecisionSettings) -> str:
    if success.certified is None:
        needed = negatives_needed(settings.max_false_positive_rate, confidence=settings.confidence)
        return f"threshold {success.threshold:g} as stated; {needed} failures would be needed to certify one"
    bound, confidence = success.certified.false_positive_bound, success.certified.confidence
    return (
        f"threshold {success.threshold:.3f}; at most {bound:.1%} of failures are called a success, with confidence "
        f"{confidence:.0%}"
    )
