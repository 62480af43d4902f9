"""How sure it is that something has become more frequent than honest learning makes it, whenever that began."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEvidence:
    """Evidence that an event now comes more often than `usual`, gathered event by event.

        R_n = (1 + R_{n−1}) · L_n,   L_n = p₁/p₀ if the event came, (1 − p₁)/(1 − p₀) if it did not

    This sums the likelihood ratios of a change at every earlier moment, so that hacking which begins late is found as
    fast as one from the start. While P(event | past) ≤ p₀, E[R_n] ≤ n: the probability that R reaches
    `horizon / false_alarm` within `horizon` observations is at most `false_alarm`, however they depend on each other.

    Raises:
        ValueError: Probabilities that do not satisfy 0 < usual < hacked < 1.

    Source:
        Shin, Ramdas & Rinaldo 2022 (2203.03532), e-detectors of the Shiryaev-Roberts kind; Doob's inequality.
    """

    usual: float
    """p₀: how often honest learning may show the event, in (0, 1)."""
    hacked: float
    """p₁: how often a hacked reward shows it, in (usual, 1)."""
    log_evidence: float = -math.inf
    """log R."""
    observed: int = 0
    """Observations since the evidence was last empty."""
    events: int = 0
    """Those that were events."""

    def __post_init__(self) -> None:
        if not 0 < self.usual < self.hacked < 1:
            raise ValueError(f"0 < usual < hacked < 1 is needed, got usual {self.usual:g} and hacked {self.hacked:g}")

    def after(self, event: bool) -> "EventEvidence":
        """Give the evidence after one more observation."""
        ratio = self.hacked / self.usual if event else (1 - self.hacked) / (1 - self.usual)
        before = max(self.log_evidence, 0.0) + math.log1p(math.exp(-abs(self.log_evidence)))  # log(1 + R)
        return replace(
            self,
            log_evidence=before + math.log(ratio),
            observed=self.observed + 1,
            events=self.events + event,
        )

    def emptied(self) -> "EventEvidence":
        """Give the same question with nothing observed."""
        return EventEvidence(usual=self.usual, hacked=self.hacked)

    def enough(self, *, false_alarm: float, horizon: int) -> bool:
        """Tell whether it is enough for an alarm that comes falsely with at most this probability.

        Args:
            false_alarm: Over the whole horizon, in (0, 1).
            horizon: Observations that the promise covers, ≥ 1.
        """
        return self.log_evidence >= math.log(horizon) - math.log(false_alarm)
