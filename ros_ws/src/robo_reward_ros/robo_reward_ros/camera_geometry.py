"""Where the cameras of a rig stand and how they see, and whether what they say of themselves agrees. No ROS."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from robo_reward.camera.camera_info import intrinsics_from_camera_info
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Measurement, Rig, RigCamera
from robo_reward.camera.rig_file import read_rig, write_rig
from robo_reward.perception.cache_folder import cache_folder

TOLERANCE = 0.05
"""Share by which a focal length, or of the width by which the principal point, may differ from the rig's: a driver may
tell the maker's numbers, which are less exact than measured ones."""
_INFO = ("width", "height", "distortion_model", "d", "k", "p", "binning_x", "binning_y")
_ROI = ("x_offset", "y_offset", "width", "height")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Geometry:
    """A rig of cameras, and what it was read from."""

    rig: Rig
    file: str
    poses: str = "rig"
    """Whose poses of the cameras count: the file's, or tf."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Give camera to (height, width) [px] that it was measured with."""
        lenses = {name: camera.intrinsics for name, camera in self.rig.cameras.items()}
        return {name: (lens.height, lens.width) for name, lens in lenses.items()}

    def problem(self, camera: str, info: Any, *, rectified: bool = False) -> str:
        """Say what is wrong with what a camera says of itself; empty = it agrees with the rig.

        Args:
            camera: One of the rig's.
            info: With the fields of `sensor_msgs/CameraInfo`.
            rectified: Its pictures are rectified.
        """
        fields = {name: getattr(info, name) for name in _INFO}
        fields["roi"] = {name: getattr(info.roi, name) for name in _ROI}
        try:
            said = intrinsics_from_camera_info(fields, rectified=rectified)
        except ValueError as error:
            return str(error)
        lens = self.rig.camera(camera).intrinsics
        if (said.width, said.height) != (lens.width, lens.height):
            return (
                f"its pictures are {said.width} x {said.height} px, the rig {self.file} was measured with "
                f"{lens.width} x {lens.height}"
            )
        for what, one, other, scale in (
            ("focal_x", said.focal_x, lens.focal_x, lens.focal_x),
            ("focal_y", said.focal_y, lens.focal_y, lens.focal_y),
            ("centre_x", said.centre_x, lens.centre_x, lens.width),
            ("centre_y", said.centre_y, lens.centre_y, lens.height),
        ):
            if not abs(one - other) <= TOLERANCE * scale:
                return f"its {what} is {one:.1f} px, the rig {self.file} was measured with {other:.1f} px"
        return ""


def read_geometry(file: str) -> Geometry:
    """Read a rig's YAML file.

    Raises:
        DataSetError: No such file, or none that can be read.
    """
    path = Path(file).expanduser()
    return Geometry(rig=read_rig(path), file=str(path))


def with_poses(geometry: Geometry, poses: Mapping[str, Pose]) -> Geometry:
    """Give the rig with other poses of some cameras, `T_base_camera`, in a file of its own named by its content."""
    rig, measured = geometry.rig, geometry.rig.measured
    cameras = {name: _placed(camera, poses.get(name)) for name, camera in rig.cameras.items()}
    how = f"lenses: {measured.how}; poses: TF"
    told = replace(rig, cameras=cameras, measured=Measurement(date=measured.date, how=how, residual_px=math.nan))
    plain = [[name, camera.T_base_camera.matrix.tolist()] for name, camera in sorted(cameras.items())]
    digest = hashlib.sha256((Path(geometry.file).read_text() + yaml.safe_dump(plain)).encode()).hexdigest()
    file = cache_folder("rigs") / f"{digest}.yaml"
    write_rig(told, file)
    return Geometry(rig=told, file=str(file), poses="tf")


def _placed(camera: RigCamera, pose: Pose | None) -> RigCamera:
    return camera if pose is None else replace(camera, T_base_camera=pose)
