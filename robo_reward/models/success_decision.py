"""From probabilities of success to a decision: a threshold with a stated bound, and a latch against flicker."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessThreshold:
    """A threshold and what is known of it."""

    threshold: float
    """Success is where a score lies above, not at it."""
    false_positive_bound: float
    """Upper end of the one-sided interval for the false-positive rate; it holds with probability `confidence`."""
    confidence: float
    false_positives: int
    """Negatives above the threshold."""
    negatives: int
    recall: float
    """Fraction of the positives above the threshold; NaN without positives."""


def choose_threshold(
    scores: Float[Tensor, " score"],
    labels: Bool[Tensor, " score"],
    *,
    max_false_positive_rate: float,
    confidence: float,
) -> SuccessThreshold:
    """Give the lowest threshold whose false-positive rate is certified.

    Of n negatives, k may lie above, k the largest number whose exact (Clopper–Pearson) upper bound keeps the limit:

        bound(k, n) = Beta⁻¹(confidence; k + 1, n − k) ≤ max_false_positive_rate

    and the threshold is the (k + 1)-th largest negative. As k depends on n alone, not on the scores, the bound stays
    exact although the threshold was chosen on them (it is a one-sided tolerance limit). Scores must be independent:
    frames of one episode are not. Give one score per episode, the largest that its latch would have seen.

    Args:
        scores: Probabilities, or any score; NaN is not allowed: an abstention never fires, leave it out.
        labels: True where it was a success.
        max_false_positive_rate: In (0, 1).
        confidence: In (0, 1).

    Raises:
        ValueError: Too few negatives to certify the rate (how many are needed is said), numbers outside (0, 1), NaN.

    Source:
        Clopper & Pearson 1934; Wilks 1941 (tolerance limits).
    """
    if not (0 < max_false_positive_rate < 1 and 0 < confidence < 1):
        raise ValueError(
            "max_false_positive_rate and confidence must be in (0, 1), got "
            f"{max_false_positive_rate:g} and {confidence:g}"
        )
    if bool(scores.isnan().any()):
        raise ValueError("scores must not be NaN: leave abstentions out, they never count as success")
    negatives, positives = scores[~labels].sort(descending=True).values, scores[labels]
    needed = negatives_needed(max_false_positive_rate, confidence=confidence)
    if len(negatives) < needed:
        raise ValueError(
            f"{len(negatives)} negatives cannot certify a false-positive rate of {max_false_positive_rate:g} with "
            f"confidence {confidence:g}; at least {needed} are needed"
        )
    allowed = 0
    while false_positive_bound(allowed + 1, len(negatives), confidence=confidence) <= max_false_positive_rate:
        allowed += 1
    threshold = float(negatives[allowed])
    return SuccessThreshold(
        threshold=threshold,
        false_positive_bound=false_positive_bound(allowed, len(negatives), confidence=confidence),
        confidence=confidence,
        false_positives=int((negatives > threshold).sum()),
        negatives=len(negatives),
        recall=float((positives > threshold).double().mean()) if len(positives) else math.nan,
    )


def false_positive_bound(false_positives: int, negatives: int, *, confidence: float) -> float:
    """Give the exact (Clopper–Pearson) upper bound of a rate of which so many of so many were seen.

    Example:
        >>> round(false_positive_bound(0, 29, confidence=0.95), 4)
        0.0981
    """
    if false_positives >= negatives:
        return 1.0
    from scipy.stats import beta  # noqa: PLC0415  (a second of start-up, for fits only)

    return float(beta.ppf(confidence, false_positives + 1, negatives - false_positives))


def negatives_needed(max_false_positive_rate: float, *, confidence: float) -> int:
    """Give how many negatives, none of them above the threshold, certify a rate: ⌈log(1 − c) / log(1 − rate)⌉.

    Example:
        >>> negatives_needed(0.01, confidence=0.95)
        299
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-max_false_positive_rate) - 1e-9)


@final
class SuccessLatch:
    """Turns probabilities into a decision that one false positive never makes, and one doubtful frame never unmakes.

    On when at least `votes` of the last `window` frames lie above `on`; off, with all votes forgotten, when one lies
    below `off`. An abstention (NaN) is no vote and changes nothing. Where the caller's gate is closed (the gripper is
    not open, the arm still moves) there is no success whatever the pictures show, and votes start anew. Owns the state
    of one episode.

    Args:
        on: Threshold of a vote, in [off, 1).
        off: Threshold below which success is taken back, in [0, on].
        votes: k ≥ 2.
        window: n ≥ k frames.

    Raises:
        ValueError: Thresholds or counts outside their ranges.
    """

    def __init__(self, *, on: float, off: float, votes: int, window: int) -> None:
        if not 0 <= off <= on < 1:
            raise ValueError(f"0 <= off <= on < 1 must hold, got off {off:g} and on {on:g}")
        if not 2 <= votes <= window:
            raise ValueError(f"2 <= votes <= window must hold (one vote may be an error), got {votes} of {window}")
        self._on, self._off, self._votes = on, off, votes
        self._recent: deque[bool] = deque(maxlen=window)
        self._latched = False

    def reset(self) -> None:
        """Forget the episode."""
        self._recent.clear()
        self._latched = False

    def step(self, probability: float, *, gate: bool = True) -> bool:
        """Take the next frame and give the decision there.

        Args:
            probability: Of success, in [0, 1]; NaN = unknown.
            gate: What other senses allow: False = no success here.

        Raises:
            ValueError: A probability outside [0, 1].
        """
        if not (math.isnan(probability) or 0 <= probability <= 1):
            raise ValueError(f"probability must be in [0, 1] or NaN, got {probability:g}")
        if not gate or (self._latched and probability < self._off):
            self.reset()
            return False
        self._recent.append(probability > self._on)
        self._latched = self._latched or sum(self._recent) >= self._votes
        return self._latched

    def over(self, probability: Float[Tensor, " time"], *, gate: Bool[Tensor, " _time"] | None = None) -> list[bool]:
        """Give the decision at each frame of one whole episode; the latch is as new before and after.

        Raises:
            ValueError: A gate of another length, a probability outside [0, 1].
        """
        gates: Sequence[bool] = [True] * len(probability) if gate is None else gate.tolist()
        if len(gates) != len(probability):
            raise ValueError(f"gate must be (time={len(probability)},), got {len(gates)} frames")
        self.reset()
        decisions = [self.step(each, gate=allowed) for each, allowed in zip(probability.tolist(), gates, strict=True)]
        self.reset()
        return decisions
