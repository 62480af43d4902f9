"""Objects and goals that are shown in pictures of the rig's own cameras, instead of measured and typed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import read_rig
from robo_reward.models.object_pose_fit import key_points_from_views, locate_object
from robo_reward.models.object_pose_goal import GoalPose, box_corners, symmetry_group
from robo_reward.models.object_pose_sight import KeyPointSight, ObjectSight
from robo_reward.perception.point_tracker import PointTracker
from robo_reward.perception.vlm_pictures import read_pictures


def key_point_sight(
    rig: Rig | str | Path,
    *,
    pictures: Mapping[str, Mapping[str, Any]],
    points: Sequence[Sequence[float]] | None = None,
    pixel_std: float = 1.0,
    window: int = 21,
    min_likeness: float = 0.7,
) -> KeyPointSight:
    """Give a sight of key points that a person marked in one picture per camera, all of the same moment.

    Args:
        rig: Measured cameras, or their YAML file.
        pictures: Camera to {picture: file, pixels: [[column, row], ...]}, the points in one order; null = not seen.
        points: The key points in the object's frame [m]; None = triangulated: the object's frame is then the base frame
            at the moment of the pictures, and its pose there the identity.
        pixel_std: How exactly the points were marked [px]; for the triangulation alone.
        window: Side of the square that is followed [px]; see `PointTracker`.
        min_likeness: Correlation with the picture below which a point is lost.

    Raises:
        ValueError: A camera that the rig does not have, points of different number, without texture, or that fewer
            than two cameras agree on where none are given.
        FileNotFoundError: No such picture.
    """
    known = rig if isinstance(rig, Rig) else read_rig(Path(rig))
    pixels = {name: _marked(each["pixels"]) for name, each in pictures.items()}
    if len({len(each) for each in pixels.values()}) != 1:
        raise ValueError(
            "each picture must mark the same points, null where it does not show one; got "
            f"{ {name: len(each) for name, each in pixels.items()} }"
        )
    shown = read_pictures({name: each["picture"] for name, each in pictures.items()})
    trackers = {
        name: PointTracker(shown[name], pixels[name], window=window, min_likeness=min_likeness) for name in pictures
    }
    if points is None:
        return KeyPointSight(points=key_points_from_views(known, pixels, pixel_std=pixel_std), trackers=trackers)
    return KeyPointSight(points=np.array(points, np.float64), trackers=trackers)


def goal_in_pictures(
    rig: Rig | str | Path,
    *,
    sight: ObjectSight,
    pictures: Mapping[str, str | Path],
    key_points: Sequence[Sequence[float]] | None = None,
    box: Sequence[float] | None = None,
    symmetry: Sequence[Mapping[str, Any]] = (),
) -> GoalPose:
    """Give the goal that pictures of the finished task show: the object's pose in them.

    Args:
        rig: Measured cameras, or their YAML file.
        sight: What finds the object's points.
        pictures: Camera to a picture file of the same moment.
        key_points: In the object's frame [m]; None with no box either = the points that the sight finds.
        box: Or the object's extent along its axes [m].
        symmetry: As of `goal_pose`.

    Raises:
        ValueError: A camera that the rig does not have, or an object that the pictures do not place.
        FileNotFoundError: No such picture.
    """
    pose = pose_in_pictures(rig, sight=sight, pictures=read_pictures(pictures))
    counted = sight.points if key_points is None else np.array(key_points, np.float64)
    return GoalPose(
        T_base_goal=pose,
        key_points=counted if box is None else box_corners(box),
        symmetry=symmetry_group([(each["axis"], int(each["order"])) for each in symmetry]),
    )


def pose_in_pictures(
    rig: Rig | str | Path, *, sight: ObjectSight, pictures: Mapping[str, UInt8[Tensor, "3 _h _w"]]
) -> Pose:
    """Give the object's pose in the base frame that pictures of one moment show: `T_base_object`.

    Raises:
        ValueError: A camera that the rig does not have, too few points to place the object, or two poses that the
            pictures do not tell apart.
    """
    known = rig if isinstance(rig, Rig) else read_rig(Path(rig))
    cameras = [known.camera(name) for name in pictures]
    here = torch.ones(1, dtype=torch.bool)
    seen = [sight.see(name, picture[None], here, None)[0] for name, picture in pictures.items()]
    found = locate_object(
        sight.points, np.stack([each.pixels[0] for each in seen]), np.stack([each.std[0] for each in seen]), cameras
    )
    counts = {name: int(np.isfinite(each.std).sum()) for name, each in zip(pictures, seen, strict=True)}
    if found is None:
        raise ValueError(f"the pictures do not place the object; points that each shows: {counts}")
    if found.rival is not None:
        raise ValueError(f"two poses explain the pictures; show the object to one more camera than {list(pictures)}")
    return found.T_base_object


def _marked(pixels: Sequence[Sequence[float] | None]) -> Float64[np.ndarray, "point 2"]:
    return np.array([(np.nan, np.nan) if each is None else each for each in pixels], np.float64).reshape(-1, 2)
