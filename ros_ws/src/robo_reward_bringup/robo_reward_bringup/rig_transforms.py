"""Where a rig's cameras stand, for everybody who listens to /tf_static: through tf2's own publisher. No ROS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robo_reward.camera.rig_file import read_rig
from robo_reward.errors import DataSetError
from robo_reward_bringup.launch_arguments import short
from robo_reward_bringup.node_description import NodeDescription


def transforms_of_rig(path: Path, common: Mapping[str, Any]) -> list[NodeDescription]:
    """Describe one `static_transform_publisher` for each camera of a rig.

    A camera's frame is `<last word of its name>_rig_optical_frame`: the driver's own frame has a parent already.

    Args:
        path: The rig's YAML.
        common: What all nodes have in common; namespace, respawn, log level.

    Raises:
        ValueError: The rig cannot be read.
    """
    try:
        rig = read_rig(path)
    except DataSetError as error:
        raise ValueError(str(error)) from error
    found = []
    for name, camera in rig.cameras.items():
        x, y, z = camera.T_base_camera.translation
        qw, qx, qy, qz = camera.T_base_camera.quaternion_wxyz
        numbers = {"x": x, "y": y, "z": z, "qx": qx, "qy": qy, "qz": qz, "qw": qw}
        words = [word for key, value in numbers.items() for word in (f"--{key}", repr(float(value)))]
        frames = ("--frame-id", rig.base_frame, "--child-frame-id", f"{short(name)}_rig_optical_frame")
        found.append(
            NodeDescription(
                package="tf2_ros",
                executable="static_transform_publisher",
                name=f"transform_of_{short(name)}",
                arguments=(*words, *frames),
                **{**common, "remappings": {}},
            )
        )
    return found
