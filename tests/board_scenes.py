"""Boards before cameras whose poses are known: corners projected with noise, or pictures really rendered."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from robo_reward.calibration.board_picture import board_picture
from robo_reward.calibration.boards import Board, CharucoBoard
from robo_reward.calibration.corners import Corners
from robo_reward.calibration.rig_adjustment import RigView
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera

BOARD = CharucoBoard(columns=7, rows=5, square=0.04, marker=0.03, dictionary="DICT_4X4_50")
LENS = Intrinsics(
    width=640,
    height=480,
    focal_x=600.0,
    focal_y=602.0,
    centre_x=322.0,
    centre_y=236.0,
    distortion=np.array([-0.1, 0.05, 0.001, -0.0005, 0.0]),
)
CENTRE = np.array([0.5, 0.0, 0.1])
"""What all cameras look at [m]."""


def looking_at(place: Sequence[float] | np.ndarray, target: np.ndarray = CENTRE) -> Pose:
    """T_base_camera of a camera at a place whose optical axis goes through the target, its x axis horizontal."""
    forward = target - np.array(place, np.float64)
    forward /= np.linalg.norm(forward)
    across = np.cross(forward, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    rotation = np.stack([across, np.cross(forward, across), forward], axis=1)
    return Pose(rotation=rotation, translation=np.array(place, np.float64))


def rig_of(number: int = 3, lens: Intrinsics = LENS, *, nearness: float = 1.0) -> Rig:
    """Cameras around the centre, at about a metre times `nearness`."""
    places = [(1.3, 0.5, 0.7), (1.3, -0.5, 0.7), (0.5, -0.9, 0.8), (0.4, 0.9, 0.6)]
    moved = [CENTRE + nearness * (np.array(place) - CENTRE) for place in places[:number]]
    cameras = {
        f"camera_{i}": RigCamera(intrinsics=lens, T_base_camera=looking_at(place)) for i, place in enumerate(moved)
    }
    return Rig(cameras=cameras, base_frame="base_link")


def board_before(
    rng: np.random.Generator, cameras: Sequence[Pose], board: Board = BOARD, *, tilt: float = 35.0
) -> Pose:
    """T_base_board near the centre, its face towards the cameras on average, tilted by chance."""
    middle = np.mean([pose.translation for pose in cameras], axis=0) - CENTRE
    into = -middle / np.linalg.norm(middle)  # z goes into the paper, away from the cameras
    across = np.cross((0.0, 0.0, 1.0), into)
    across /= np.linalg.norm(across)
    facing = Pose(rotation=np.stack([across, np.cross(into, across), into], axis=1), translation=CENTRE)
    axis = rng.normal(size=3)
    turned = Pose.from_rotation_vector(
        rng.uniform(-0.12, 0.12, 3), np.radians(rng.uniform(5, tilt)) * axis / np.linalg.norm(axis)
    )
    to_middle = Pose.from_rotation_vector(np.array([-board.size[0] / 2, -board.size[1] / 2, 0.0]), np.zeros(3))
    return facing @ turned @ to_middle


def seen_corners(
    camera: RigCamera, board_pose: Pose, rng: np.random.Generator, board: Board = BOARD, *, noise: float, name: str
) -> Corners | None:
    """What a detector with noise [px] would find; None where fewer than six corners are in the picture."""
    pixels = camera.project(board_pose.apply(board.points))
    seen = camera.intrinsics.contains(pixels)
    facing = (camera.T_base_camera.inverse() @ board_pose).rotation[2, 2] > 0.2
    if seen.sum() < 6 or not facing:
        return None
    return Corners(
        picture=name,
        points=board.points[seen],
        pixels=pixels[seen] + rng.normal(0, noise, (int(seen.sum()), 2)),
        ids=np.flatnonzero(seen),
        image_size=(camera.intrinsics.width, camera.intrinsics.height),
    )


def rig_views(
    rig: Rig, rng: np.random.Generator, *, moments: int, noise: float, board: Board = BOARD, shared: bool = True
) -> list[RigView]:
    """A board held before the rig at several moments, as each camera sees it."""
    views, poses = [], [camera.T_base_camera for camera in rig.cameras.values()]
    moment = 0
    while moment < moments:
        T_base_board = board_before(rng, poses, board)
        found = {
            name: seen_corners(camera, T_base_board, rng, board, noise=noise, name=f"moment {moment}")
            for name, camera in rig.cameras.items()
        }
        seen = {name: corners for name, corners in found.items() if corners is not None}
        if len(seen) >= (len(rig.cameras) if shared else 2):
            views += [RigView(camera=n, moment=f"moment {moment}", corners=c) for n, c in seen.items()]
            moment += 1
    return views


@cache
def _rays(camera_number: int, scale: int) -> np.ndarray:
    """Points on the plane z = 1 that several places of every pixel show; every lens is undistorted once."""
    lens = _LENSES[camera_number]
    step = (np.arange(scale) + 0.5) / scale - 0.5
    across = (np.arange(lens.width)[:, None] + step).ravel()
    down = (np.arange(lens.height)[:, None] + step).ravel()
    pixels = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_COUNT, 10, 0.0)
    flat = cv2.undistortPointsIter(pixels, lens.matrix, lens.distortion, None, None, stop)[:, 0]
    return np.hstack([flat, np.ones((len(flat), 1))])


_LENSES: list[Intrinsics] = []


def rendered(camera: RigCamera, board_pose: Pose, board: Board = BOARD, *, scale: int = 3) -> np.ndarray:
    """The picture that the camera takes of the printed board: several rays of each pixel meet the paper."""
    lens = camera.intrinsics
    if lens not in _LENSES:
        _LENSES.append(lens)
    rays = _rays(_LENSES.index(lens), scale)
    margin, density = 0.02, 6000.0
    T_camera_board = camera.T_base_camera.inverse() @ board_pose
    normal = T_camera_board.rotation[:, 2]
    depth = float(normal @ T_camera_board.translation) / (rays @ normal)
    hit = T_camera_board.inverse().apply(rays * depth[:, None])
    where = ((hit[:, :2] + margin) * density - 0.5).astype(np.float32)
    shape = (lens.height * scale, lens.width * scale)
    across, down = where[:, 0].reshape(shape), where[:, 1].reshape(shape)
    fine = cv2.remap(_paper(board, margin, density), across, down, cv2.INTER_LINEAR, borderValue=(110,))
    return cv2.resize(fine, (lens.width, lens.height), interpolation=cv2.INTER_AREA)


@cache
def _paper(board: Board, margin: float, density: float) -> np.ndarray:
    return board_picture(board, pixels_per_metre=density, margin=margin)
