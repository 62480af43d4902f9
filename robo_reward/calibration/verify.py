"""Tells from a few pictures whether a camera of a rig has moved since the rig was measured.

What is compared. Every camera that sees the board says where it is; if all cameras stand where the rig says, they all
mean one board. Two hypotheses are fitted to all corners at once: H0, cameras stand where the rig says, to the precision
with which the rig is known; H1, each camera stands wherever its corners fit best. The drop of the sum of squares from
H0 to H1 is a likelihood ratio; under H0 it follows a chi-square law with six degrees of freedom for each camera but
one, whatever the board's size and place, and whatever errors of the lens both hypotheses share. The alarm is that law's
quantile, so false alarms come at the rate that was asked for. Where corners scatter more than was stated, the scatter
that H1 leaves is taken instead.

What would be missed. Few corners, or ones that scatter, tell little: a rig that is called in place on their word may
well have moved. The smallest move that would be caught with 99 % is therefore told with every verdict, and above 2 cm
or 2° the rig is not called in place.

What cannot be told. Between two cameras, which one moved; a move of all cameras together; a camera that shares no board
with another. A board that still lies where it was measured tells all three: then it is a witness, too (`known_board`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import Adjustment, PoseStd, RigView
from robo_reward.calibration.rig_hypotheses import KnownBoard, RigHypotheses
from robo_reward.calibration.verify_power import SmallestMove, smallest_move
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.rig import Rig

_LEAST_STD = 0.3
"""What corners scatter on good pictures, and a little more [px]."""
Standing = Literal["in place", "moved", "suspect", "not compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySettings:
    """How sure an alarm must be, and how well everything is known.

    Raises:
        ValueError: A probability outside its range, or a standard deviation or a bound that is not positive.
    """

    false_alarm: float = 0.005
    """Probability of an alarm although nothing moved, for the whole rig, in (0, 0.5)."""
    translation_std: float = 0.001
    """How well each camera's place in the rig is known, per axis [m]; smaller moves are not told from it."""
    rotation_std: float = 0.1
    """The same of its attitude [degrees]."""
    pixel_std: float | None = None
    """Standard deviation of a corner along each axis [px]; None = what the rig's residual says, at least 0.3.

    Where corners scatter more than that, their own scatter counts.
    """
    max_scatter: float = 10.0
    """So many times that is no scatter but another lens, another board or another camera's picture."""
    caught: float = 0.99
    """Probability with which a move of `max_distance` or `max_angle` must be caught, in [0.5, 1)."""
    max_distance: float = 0.02
    """Where only larger moves would be caught [m], no rig is called in place."""
    max_angle: float = 2.0
    """The same of turns [degrees]."""

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm < 0.5:
            raise ValueError(f"false_alarm must be in (0, 0.5), got {self.false_alarm}")
        if not 0.5 <= self.caught < 1 or min(self.max_distance, self.max_angle) <= 0:
            raise ValueError(
                "caught must be in [0.5, 1), max_distance and max_angle must be > 0, got "
                f"{self.caught}, {self.max_distance}, {self.max_angle}"
            )
        positive = (self.translation_std, self.rotation_std, self.max_scatter, self.pixel_std or 1.0)
        if min(positive) <= 0 or self.pixel_std == 0:
            raise ValueError(
                "translation_std, rotation_std, max_scatter and pixel_std must be > 0, got "
                f"{self.translation_std}, {self.rotation_std}, {self.max_scatter}, {self.pixel_std}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraVerdict:
    """What became of one camera."""

    standing: Standing
    """`suspect`: it or another one moved, which one cannot be told."""
    distance: float
    """How far it stands from where the rig says [m]; NaN where not compared."""
    angle: float
    """How far it is turned [rad]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RigVerdict:
    """Whether a rig is as it was measured."""

    moved: bool
    """The alarm."""
    statistic: float
    """Chi-square of the comparison."""
    threshold: float
    """Above it is an alarm."""
    p_value: float
    """Probability of so large a statistic although nothing moved."""
    scatter_px: float
    """Standard deviation of corners along each axis that the best fit leaves [px]."""
    smallest: SmallestMove
    """What would be caught with the probability asked for, of the cameras that were compared."""
    weak: bool
    """Whether that is more than is allowed."""
    cameras: Mapping[str, CameraVerdict]
    T_base_board: Mapping[str, Pose]
    """Where the board is, by moment, as the cameras in place see it: to be kept as a witness."""

    @property
    def not_compared(self) -> tuple[str, ...]:
        """Cameras of which nothing is known."""
        return tuple(name for name, each in self.cameras.items() if each.standing == "not compared")

    @property
    def in_place(self) -> bool:
        """Whether every camera of the rig was compared, none moved, and a move would have been caught."""
        return not (self.moved or self.not_compared or self.weak)


def verify_rig(
    rig: Rig, views: Sequence[RigView], settings: VerifySettings, *, known_board: KnownBoard | None = None
) -> RigVerdict:
    """Compare where cameras stand with where the rig says, from a board that several of them see at once.

    Args:
        rig: As it was measured.
        views: The board's corners by camera and moment; one moment is enough, more tell smaller moves.
        settings: How sure an alarm must be.
        known_board: The board lies where it was measured, at all moments; then one camera alone can be checked, too.

    Raises:
        ValueError: A camera that the rig does not have.
        CalibrationError: Nothing can be compared, or pictures do not fit the rig's lenses at all.
    """
    rigid = PoseStd(translation=settings.translation_std, rotation=float(np.radians(settings.rotation_std)))
    stated = RigHypotheses.comparable(
        rig, views, camera_known=rigid, known_board=known_board, pixel_std=_stated(rig, settings)
    )
    scatter = _scatter(stated, settings)
    check = stated.with_pixel_std(scatter)
    best, still = check.fitted(set(check.cameras)), check.fitted(set())
    statistic = max(0.0, still.chi_square - best.chi_square)
    threshold = _threshold(check, 0, settings)
    moved = statistic > threshold
    smallest = smallest_move(check, still, threshold=threshold, caught=settings.caught)
    freed, found = _culprits(check, best, still, settings) if moved else (set(), still)
    return RigVerdict(
        moved=moved,
        statistic=statistic,
        threshold=threshold,
        p_value=float(stats.chi2.sf(statistic, check.comparisons(0))),
        scatter_px=scatter,
        smallest=smallest,
        weak=bool(smallest.distance > settings.max_distance or np.degrees(smallest.angle) > settings.max_angle),
        cameras={name: _verdict(rig, name, check, freed, found, suspect=moved and not freed) for name in rig.cameras},
        T_base_board=found.T_base_board,
    )


def _stated(rig: Rig, settings: VerifySettings) -> float:
    if settings.pixel_std is not None:
        return settings.pixel_std
    residual = rig.measured.residual_px / np.sqrt(2)  # of both axes together, or NaN where nobody measured it
    return float(np.fmax(_LEAST_STD, residual))


def _scatter(stated: RigHypotheses, settings: VerifySettings) -> float:
    """Standard deviation of corners [px]: what was stated, or what the best fit leaves where that is more."""
    if stated.freedom <= 0:
        return stated.pixel_std
    ratio = float(np.sqrt(stated.fitted(set(stated.cameras)).chi_square / stated.freedom))
    if ratio > settings.max_scatter:
        raise CalibrationError(
            f"corners scatter by {ratio * stated.pixel_std:.2f} px about the best fit, {stated.pixel_std:g} px was "
            "stated: is this the board, are these the cameras, with the zoom and focus they were measured with?"
        )
    return stated.pixel_std * max(1.0, ratio)


def _threshold(check: RigHypotheses, free: int, settings: VerifySettings) -> float:
    return float(stats.chi2.isf(settings.false_alarm, check.comparisons(free)))


def _culprits(
    check: RigHypotheses, best: Adjustment, still: Adjustment, settings: VerifySettings
) -> tuple[set[str], Adjustment]:
    """Free one camera after the other, each time the one that explains most, until the rest agrees with the rig.

    None, where only one camera would be left, which agrees with anything; with a known board it need not be left.
    """
    freed: set[str] = set()
    while len(check.cameras) - len(freed) > (1 if check.known_board else 2):
        tried = {name: check.fitted(freed | {name}) for name in check.cameras if name not in freed}
        name = min(tried, key=lambda each: tried[each].chi_square)
        freed |= {name}
        if tried[name].chi_square - best.chi_square <= _threshold(check, len(freed), settings):
            return freed, tried[name]
    return (set(check.cameras), best) if check.known_board else (set(), still)


def _verdict(
    rig: Rig, name: str, check: RigHypotheses, freed: set[str], fit: Adjustment, *, suspect: bool
) -> CameraVerdict:
    if name not in check.cameras:
        return CameraVerdict(standing="not compared", distance=float("nan"), angle=float("nan"))
    standing: Standing = "moved" if name in freed else "suspect" if suspect else "in place"
    fit = check.fitted({name}) if suspect else fit  # by how much, if it was this one
    distance, angle = pose_difference(fit.T_base_camera[name], rig.cameras[name].T_base_camera)
    return CameraVerdict(standing=standing, distance=distance, angle=angle)
