"""Where a camera sits on a robot's hand, or stands beside its base, from the robot's poses and a board's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robo_reward.calibration.hand_eye_refinement import PoseSpread, Refined, pose_spread, refine_on_poses
from robo_reward.calibration.hand_eye_solvers import SolverAnswer, disagreement, judge, solve_all
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import PoseStd
from robo_reward.camera.pose import Pose, pose_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class HandEyeSettings:
    """What is refused.

    Raises:
        ValueError: A value outside what its line allows.
    """

    min_pairs: int = 8
    """Fewer poses are refused; at least 3."""
    min_turn: float = 20.0
    """The two most different attitudes of the hand must differ by that much [degrees]."""
    min_across: float = 5.0
    """Turn across the commonest axis, root mean square over all pairs of poses [degrees]; less = parallel axes."""
    max_distance: float = 0.005
    """Solvers further from the middle of the others disagree [m]."""
    max_angle: float = 0.5
    """The same of the attitude [degrees]."""
    min_agreeing: int = 3
    """So many of the five hand-eye solvers must agree; at least 2."""
    outlier_ratio: float = 4.0
    """A pair whose error is so many times the median, and above max_distance or max_angle, is left out."""
    max_outliers: float = 0.25
    """Largest share of pairs that may be left out."""
    max_spread: float = 0.02
    """Largest held-out error of the board's place [m]."""
    max_refinement: float = 0.015
    """Furthest that refinement may take the camera from the solvers' common answer [m]."""
    folds: int = 5
    """Parts of the pairs, each held out once; at least 2."""

    def __post_init__(self) -> None:
        if self.min_pairs < 3 or self.min_agreeing < 2 or self.folds < 2:
            raise ValueError(
                "min_pairs must be >= 3, min_agreeing >= 2 and folds >= 2, got "
                f"{self.min_pairs}, {self.min_agreeing}, {self.folds}"
            )
        positive = (self.max_distance, self.max_angle, self.max_spread, self.max_refinement)
        if min(positive) <= 0 or min(self.min_turn, self.min_across) < 0:
            raise ValueError(
                "max_distance, max_angle, max_spread and max_refinement must be > 0, min_turn and min_across >= 0, got "
                f"{positive}, {self.min_turn}, {self.min_across}"
            )
        if self.outlier_ratio <= 1 or not 0 <= self.max_outliers < 1:
            raise ValueError(
                "outlier_ratio must be > 1 and max_outliers in [0, 1), got "
                f"{self.outlier_ratio} and {self.max_outliers}"
            )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class HandEye:
    """The pose of a camera, refined from solvers that agree, with what is known about its error."""

    T_mount_camera: Pose
    """In the hand (eye in hand) or in the base (eye to hand)."""
    T_other_board: Pose
    """Of the board in the other of the two."""
    std: PoseStd
    """One standard deviation of the camera's pose, of the noise of the poses as it was."""
    answers: tuple[SolverAnswer, ...]
    """What each solver says, of the pairs that were kept."""
    disagreement: tuple[float, float]
    """Largest distance [m] and angle [rad] between two solvers that agree."""
    held_out: PoseSpread
    """Error of the board's pose in pairs that were not fitted."""
    kept: tuple[int, ...]
    """Pairs that were used; the others did not fit."""

    @property
    def diverging(self) -> tuple[str, ...]:
        """Hand-eye solvers that were left out."""
        return tuple(each.solver for each in self.answers if each.votes and not each.agrees)


def eye_in_hand(
    T_base_hand: Sequence[Pose],  # noqa: N803 (frames)
    T_camera_board: Sequence[Pose],  # noqa: N803
    settings: HandEyeSettings,
) -> HandEye:
    """Find T_hand_camera of a camera that the hand carries past a board that lies still.

        T_base_hand,i · T_hand_camera · T_camera_board,i = T_base_board     for all i

    OpenCV's solvers answer; those that agree start a least-squares refinement of both unknown poses with a robust loss.

    Raises:
        ValueError: Lists of different length.
        CalibrationError: Too few poses, motion that leaves the answer open, no clear majority of solvers, or poses that
            do not belong together; the message says what to do.

    Source:
        Tsai & Lenz 1989; Park & Martin 1994; Horaud & Dornaika 1995; Daniilidis 1999; Andreff et al. 2001; Shah 2013;
        Li et al. 2010.
    """
    return _solved(T_base_hand, T_camera_board, settings, frame="hand")


def _solved(hand: Sequence[Pose], board: Sequence[Pose], settings: HandEyeSettings, *, frame: str) -> HandEye:
    if len(hand) != len(board):
        raise ValueError(f"as many poses of hand and board are needed, got {len(hand)} and {len(board)}")
    if len(hand) < settings.min_pairs:
        raise CalibrationError(f"{len(hand)} poses were given, {settings.min_pairs} are needed: record more")
    _check_turns(hand, _judged(hand, board, settings), settings, frame=frame)
    kept = _without_outliers(hand, board, settings)
    hand, board = [hand[i] for i in kept], [board[i] for i in kept]
    answers = _judged(hand, board, settings)
    _check_turns(hand, answers, settings, frame=frame)
    _check_agreement(answers, settings)
    refined = _refined(hand, board, answers)
    held_out = pose_spread(hand, board, refined, folds=settings.folds)
    _check_fit(refined, answers, held_out, settings)
    return HandEye(
        T_mount_camera=refined.T_hand_camera,
        T_other_board=refined.T_base_board,
        std=refined.std,
        answers=answers,
        disagreement=disagreement(answers),
        held_out=held_out,
        kept=kept,
    )


def eye_to_hand(
    T_base_hand: Sequence[Pose],  # noqa: N803
    T_camera_board: Sequence[Pose],  # noqa: N803
    settings: HandEyeSettings,
) -> HandEye:
    """Find T_base_camera of a camera that stands still while the hand carries a board past it.

        T_hand_base,i · T_base_camera · T_camera_board,i = T_hand_board     for all i

    The same equation as `eye_in_hand` with the hand's poses the other way round; `T_mount_camera` is in the base and
    `T_other_board` in the hand.
    """
    return _solved([pose.inverse() for pose in T_base_hand], T_camera_board, settings, frame="base")


def turn_across(T_base_hand: Sequence[Pose]) -> tuple[float, float, Float64[np.ndarray, "3"]]:  # noqa: N803
    """Say how far a hand turned, and how far across the axis that it turned about most.

    With A the hand's motion between two poses, ‖(R_A − I) v‖ is what this motion tells about the camera's place along
    v; the v of which all pairs tell least is the commonest axis.

    Returns:
        Largest angle between two attitudes [degrees], root mean square turn across the commonest axis [degrees], and
        that axis in the hand's frame.
    """
    rotation = np.array([pose.rotation for pose in T_base_hand])
    first, second = np.triu_indices(len(rotation), k=1)
    between = rotation[first].transpose(0, 2, 1) @ rotation[second]
    cosine = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    told = between - np.eye(3)
    values, axes = np.linalg.eigh(np.einsum("kji,kjl->il", told, told) / len(told))
    across = np.sqrt(max(values[0], 0.0))
    return float(np.degrees(np.arccos(np.clip(cosine.min(), -1, 1)))), float(np.degrees(across)), axes[:, 0]


def _without_outliers(hand: Sequence[Pose], board: Sequence[Pose], settings: HandEyeSettings) -> tuple[int, ...]:
    fit = _refined(hand, board, _judged(hand, board, settings))
    far = fit.error > settings.outlier_ratio * np.median(fit.error)
    far &= (fit.distance > settings.max_distance) | (fit.angle > np.radians(settings.max_angle))
    if far.mean() > settings.max_outliers:
        raise CalibrationError(
            f"{far.mean():.0%} of the poses do not fit the others, {settings.max_outliers:.0%} is allowed: do the "
            "poses of hand and board belong to the same moments?"
        )
    return tuple(np.flatnonzero(~far).tolist())


def _check_fit(
    refined: Refined, answers: Sequence[SolverAnswer], held_out: PoseSpread, settings: HandEyeSettings
) -> None:
    if not held_out.distance <= settings.max_spread:
        raise CalibrationError(
            f"the board, seen through the hand, wanders by {1e3 * held_out.distance:.1f} mm, "
            f"{1e3 * settings.max_spread:g} mm is allowed: is it fixed, are the units metres, the intrinsics right?"
        )
    moved, _ = pose_difference(refined.T_hand_camera, _middle(answers))
    if moved > settings.max_refinement:
        raise CalibrationError(
            f"the least-squares answer lies {1e3 * moved:.1f} mm from the solvers' common one, "
            f"{1e3 * settings.max_refinement:g} mm is allowed: the motion hardly tells where the camera is; record "
            "more and larger turns about different axes"
        )


def _check_turns(
    hand: Sequence[Pose], answers: Sequence[SolverAnswer], settings: HandEyeSettings, *, frame: str
) -> None:
    largest, across, axis = turn_across(hand)
    if largest < settings.min_turn:
        raise CalibrationError(
            f"the hand turned by at most {largest:.1f}°, {settings.min_turn:g}° are needed: turn it more between "
            "poses, about at least two axes"
        )
    if across < settings.min_across:
        named = [each.solver for each in answers if each.votes and not each.agrees]
        said = f" ({', '.join(named)} diverge{'s' if len(named) == 1 else ''} already)" if named else ""
        raise CalibrationError(
            f"nearly all turns are about one axis, ({axis[0]:.2f}, {axis[1]:.2f}, {axis[2]:.2f}) of the {frame}, and "
            f"only {across:.1f}° across it, {settings.min_across:g}° are needed: the camera's place along that axis "
            f"stays open{said}. Tilt the hand about a second axis, too"
        )


def _check_agreement(answers: Sequence[SolverAnswer], settings: HandEyeSettings) -> None:
    voting = [each for each in answers if each.votes]
    agreeing = sum(each.agrees for each in voting)
    if agreeing < settings.min_agreeing:
        raise CalibrationError(
            f"the solvers disagree; only {agreeing} of {len(voting)} are within {1e3 * settings.max_distance:g} mm and "
            f"{settings.max_angle:g}° of each other, {settings.min_agreeing} are needed (distance from the middle: "
            f"{', '.join(map(_told, voting))}): record more and larger turns about different axes, with sharp views of "
            "the board"
        )


def _told(answer: SolverAnswer) -> str:
    return f"{answer.solver} {'nothing' if answer.T_hand_camera is None else f'{1e3 * answer.distance:.1f} mm'}"


def _judged(hand: Sequence[Pose], board: Sequence[Pose], settings: HandEyeSettings) -> tuple[SolverAnswer, ...]:
    angle = float(np.radians(settings.max_angle))
    return judge(solve_all(hand, board), distance=settings.max_distance, angle=angle)


def _refined(hand: Sequence[Pose], board: Sequence[Pose], answers: Sequence[SolverAnswer]) -> Refined:
    return refine_on_poses(hand, board, _middle(answers))


def _middle(answers: Sequence[SolverAnswer]) -> Pose:
    agreeing = [(each.distance, each.T_hand_camera) for each in answers if each.agrees and each.T_hand_camera]
    if not agreeing:
        raise CalibrationError("no solver gives a rigid motion: record more and larger turns about different axes")
    return min(agreeing, key=lambda each: each[0])[1]
