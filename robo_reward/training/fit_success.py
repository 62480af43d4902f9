"""Fit success beside progress: a classifier, and the latch that decides by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.models.success import SuccessClassifier
from robo_reward.models.success_decision import SuccessLatch, SuccessThreshold, choose_threshold, negatives_needed
from robo_reward.perception.fitting import LabelledClip

FOLDS = 5
"""Parts of the recordings that are left out in turn to choose a threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """How probabilities of success become a decision; see `SuccessLatch` and `choose_threshold`.

    Raises:
        ValueError: Thresholds or counts outside their ranges, a rate or confidence outside (0, 1).
    """

    votes: int = 5
    """Of the last `window` frames, so many must lie above the threshold."""
    window: int = 8
    threshold: float = 0.5
    """Probability above which a frame votes, where too few failures were recorded to certify one."""
    release: float = 0.3
    """Probability below which success is taken back; never above the threshold."""
    max_false_positive_rate: float = 0.05
    """Of failed episodes, the share that may ever be called a success."""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        SuccessLatch(on=self.threshold, off=self.release, votes=self.votes, window=self.window)
        if not (0 < self.max_false_positive_rate < 1 and 0 < self.confidence < 1):
            raise ValueError(
                "max_false_positive_rate and confidence must be in (0, 1), got "
                f"{self.max_false_positive_rate:g} and {self.confidence:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSuccess:
    """A fitted classifier with the latch that belongs to it.

    Raises:
        ValueError: Thresholds or counts outside their ranges.
    """

    classifier: SuccessClassifier
    threshold: float
    release: float
    votes: int
    window: int
    certified: SuccessThreshold | None
    """What is known of `threshold`; None = it is the stated default, of which nothing is known."""

    def __post_init__(self) -> None:
        self.latch()

    def latch(self) -> SuccessLatch:
        """Give a latch for one episode."""
        return SuccessLatch(on=self.threshold, off=self.release, votes=self.votes, window=self.window)


def fit_success(
    classifier: SuccessClassifier, clips: Sequence[LabelledClip], settings: DecisionSettings
) -> FittedSuccess:
    """Fit a classifier to recorded episodes, and choose the threshold of its latch.

    With failures enough to certify the rate, the threshold comes from episodes that were left out of the fit in turn;
    the certificate is then one of classifiers that never saw the episode which they judge. Else it is the stated one.

    Args:
        classifier: To be fitted.
        clips: Recordings; those of which nobody said whether they succeeded are not looked at.
        settings: Of the decision.

    Raises:
        ValueError: Recordings that the classifier cannot learn from.
    """
    certified = _certified(classifier, [clip for clip in clips if clip.success is not None], settings)
    threshold = settings.threshold if certified is None else certified.threshold
    return FittedSuccess(
        classifier=classifier.fitted_to(clips),
        threshold=threshold,
        release=min(settings.release, threshold),
        votes=settings.votes,
        window=settings.window,
        certified=certified,
    )


def latch_score(probability: Float[Tensor, " time"], *, votes: int, window: int) -> float:
    """Give the threshold below which a latch would have called this episode a success.

        max_t  the `votes`-th largest of p_{t−window+1}, …, p_t;   0 where there were never so many

    Args:
        probability: Of success, at each frame; NaN = unknown, no vote.
        votes: As of `SuccessLatch`.
        window: As of `SuccessLatch`.

    Example:
        >>> import torch
        >>> round(latch_score(torch.tensor([0.9, 0.1, 0.8, 0.7]), votes=2, window=2), 2)
        0.7
    """
    padded = torch.cat([torch.zeros(window - 1), probability.nan_to_num(0.0).float()])
    return float(padded.unfold(0, window, 1).sort(dim=-1, descending=True).values[:, votes - 1].max())


def _certified(
    classifier: SuccessClassifier, judged: Sequence[LabelledClip], settings: DecisionSettings
) -> SuccessThreshold | None:
    failures = [clip for clip in judged if not clip.success]
    if len(failures) < negatives_needed(settings.max_false_positive_rate, confidence=settings.confidence):
        return None
    successes = [clip for clip in judged if clip.success]
    tested = failures + (successes if len(successes) > 2 else [])  # two must remain to learn from
    scores: dict[int, float] = {}
    for fold in range(FOLDS):
        left_out = [clip for clip in (*failures[fold::FOLDS], *successes[fold::FOLDS]) if clip in tested]
        away = {id(clip) for clip in left_out}
        fitted = classifier.fitted_to([clip for clip in judged if id(clip) not in away])
        for clip in left_out:
            probability = fitted.probability(clip.clip)[0]
            scores[id(clip)] = latch_score(probability, votes=settings.votes, window=settings.window)
    found = choose_threshold(
        torch.tensor([scores[id(clip)] for clip in tested]),
        torch.tensor([bool(clip.success) for clip in tested]),
        max_false_positive_rate=settings.max_false_positive_rate,
        confidence=settings.confidence,
    )
    return found if found.threshold < 1 else None  # nothing lies above 1: no threshold keeps such failures out
