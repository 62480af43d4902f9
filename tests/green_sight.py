"""An object that stands where the frames are green, for tests of object-pose rewards."""

import numpy as np
from looking_cameras import looking

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.models.object_pose_goal import box_corners
from robo_reward.models.object_pose_sight import Seen

SIZES = {"front": (20, 28), "wrist": (24, 28)}
"""Height and width [px] of the frames of the contract's random clips."""


def small_rig() -> Rig:
    places = {"front": (1.0, -0.2, 0.6), "wrist": (0.1, 1.0, 0.7)}
    return Rig(
        cameras={
            name: RigCamera(
                intrinsics=intrinsics_from_field_of_view(1.0, width, height),
                T_base_camera=looking(places[name], (0.0, 0.0, 0.1)),
            )
            for name, (height, width) in SIZES.items()
        },
        base_frame="world",
    )


class GreenSight:
    """A box at x = 0.3 m times the frames' mean green: each camera shows it there, as blurred as its frames are."""

    version = "green"

    def __init__(self, rig: Rig, *, std: float = 8.0) -> None:
        self._rig, self._std = rig, std

    @property
    def points(self):
        return box_corners((0.2, 0.16, 0.12))

    def see(self, camera, frames, present, memory):
        pixels = np.full((len(frames), 8, 2), np.nan)
        for t, (frame, shown) in enumerate(zip(frames, present.tolist(), strict=True)):
            if shown:
                pixels[t] = self._rig.cameras[camera].project(green_pose(frame).apply(self.points))
        return Seen(pixels=pixels, std=np.where(np.isnan(pixels[..., 0]), np.nan, self._std)), None


def green_pose(frame) -> Pose:
    x = 0.3 * float(frame[1].double().mean()) / 255
    return Pose.from_rotation_vector(np.array([x, 0.0, 0.1]), np.array([0.0, 0.0, 0.4]))
