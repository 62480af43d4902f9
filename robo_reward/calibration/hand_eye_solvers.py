"""OpenCV's hand-eye solvers, and which of them agree."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose, pose_difference

HAND_EYE: Mapping[str, int] = {
    "TSAI": cv2.CALIB_HAND_EYE_TSAI,
    "PARK": cv2.CALIB_HAND_EYE_PARK,
    "HORAUD": cv2.CALIB_HAND_EYE_HORAUD,
    "ANDREFF": cv2.CALIB_HAND_EYE_ANDREFF,
    "DANIILIDIS": cv2.CALIB_HAND_EYE_DANIILIDIS,
}
"""Solvers of A X = X B."""
ROBOT_WORLD: Mapping[str, int] = {
    "SHAH": cv2.CALIB_ROBOT_WORLD_HAND_EYE_SHAH,
    "LI": cv2.CALIB_ROBOT_WORLD_HAND_EYE_LI,
}
"""Solvers of A X = Z B, which give the board's pose along with the camera's."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SolverAnswer:
    """What one solver says."""

    solver: str
    T_hand_camera: Pose | None
    """None = it gave no rigid motion at all."""
    distance: float
    """From the solver that is nearest to all [m]; NaN without an answer."""
    angle: float
    """The same of its attitude [rad]."""
    agrees: bool
    """Whether it belongs to the largest group of hand-eye solvers that agree with each other, or is near its middle."""
    votes: bool
    """Robot-world solvers are told, not counted: they answer two questions at once, and less exactly."""


def solve_all(T_base_hand: Sequence[Pose], T_camera_board: Sequence[Pose]) -> dict[str, Pose | None]:  # noqa: N803
    """Ask the five hand-eye and the two robot-world solvers for T_hand_camera; None where one gives no rigid motion."""
    hand = [pose.rotation for pose in T_base_hand], [pose.translation for pose in T_base_hand]
    board = [pose.rotation for pose in T_camera_board], [pose.translation for pose in T_camera_board]
    answers: dict[str, Pose | None] = dict.fromkeys((*HAND_EYE, *ROBOT_WORLD))
    for name, method in HAND_EYE.items():
        with suppress(cv2.error):  # some say in words that they fail, some by what they return
            answers[name] = _rigid(*cv2.calibrateHandEye(*hand, *board, method=method))
    back = [pose.inverse() for pose in T_base_hand]
    base = [pose.rotation for pose in back], [pose.translation for pose in back]
    for name, method in ROBOT_WORLD.items():
        # OpenCV names the board "world" here, and gives the pose of the hand in the camera
        with suppress(cv2.error):
            *_, rotation, translation = cv2.calibrateRobotWorldHandEye(*board, *base, method=method)
            found = _rigid(rotation, translation)
            answers[name] = None if found is None else found.inverse()
    return answers


def judge(answers: Mapping[str, Pose | None], *, distance: float, angle: float) -> tuple[SolverAnswer, ...]:
    """Find the largest group of hand-eye solvers of which each is within the limits of the group's middle.

    Args:
        answers: By solver.
        distance: Largest distance from the middle [m].
        angle: Largest angle from it [rad].
    """
    given = {name: pose for name, pose in answers.items() if pose is not None and name in HAND_EYE}
    if not given:
        return tuple(_answer(name, None, None, agrees=False) for name in answers)
    groups = {name: _near(pose, given, distance, angle) for name, pose in given.items()}
    # the largest group; among equals the one that lies closest together
    middle = max(groups, key=lambda name: (len(groups[name]), -_looseness(given[name], given, groups[name])))
    agreeing = _near(given[middle], {name: pose for name, pose in answers.items() if pose}, distance, angle)
    return tuple(_answer(name, pose, given[middle], agrees=name in agreeing) for name, pose in answers.items())


def disagreement(answers: Sequence[SolverAnswer]) -> tuple[float, float]:
    """Give the largest distance [m] and angle [rad] between any two hand-eye solvers that agree."""
    poses = [each.T_hand_camera for each in answers if each.agrees and each.votes and each.T_hand_camera is not None]
    apart = [pose_difference(one, other) for one in poses for other in poses]
    return max(each[0] for each in apart), max(each[1] for each in apart)


def _near(pose: Pose, given: Mapping[str, Pose], distance: float, angle: float) -> set[str]:
    apart = {name: pose_difference(pose, other) for name, other in given.items()}
    return {name for name, (far, turned) in apart.items() if far <= distance and turned <= angle}


def _looseness(pose: Pose, given: Mapping[str, Pose], group: set[str]) -> float:
    return sum(pose_difference(pose, given[name])[0] for name in group)


def _answer(name: str, pose: Pose | None, middle: Pose | None, *, agrees: bool) -> SolverAnswer:
    far, turned = (float("nan"),) * 2 if pose is None or middle is None else pose_difference(pose, middle)
    return SolverAnswer(
        solver=name, T_hand_camera=pose, distance=far, angle=turned, agrees=agrees, votes=name in HAND_EYE
    )


def _rigid(rotation: np.ndarray, translation: np.ndarray) -> Pose | None:
    finite = np.isfinite(rotation).all() and np.isfinite(translation).all()
    # some solvers fail without a word, by a matrix that is none: NaN, mirrored or not orthogonal
    if not finite or np.linalg.det(rotation) < 0 or np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-2:
        return None
    proper = Rotation.from_matrix(rotation).as_matrix()
    return Pose(rotation=proper, translation=np.array(translation, np.float64).ravel())
