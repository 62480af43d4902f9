"""Which pictures of several cameras were taken at the same moment."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from robo_reward.calibration.chosen_views import BoardViews
from robo_reward.calibration.rig_adjustment import RigView
from robo_reward.errors import DataSetError

_CAMERA, _STAMP = ("camera", "cam_id"), ("stamp", "frame_time")


def moments_by_name(seen: Mapping[str, BoardViews]) -> list[RigView]:
    """Pair pictures of the same name: files called alike in each camera's folder, frames of equal number of each video.

    Pictures that only one camera has are left out.

    Args:
        seen: By camera.
    """
    views = [
        RigView(camera=camera, moment=corners.picture, corners=corners)
        for camera, each in seen.items()
        for corners in each.views
    ]
    return _shared(views)


def moments_by_stamp(seen: Mapping[str, BoardViews], *, tolerance: float) -> list[RigView]:
    """Pair pictures by the clock: each camera's nearest in time to every picture of the one that saw the board least.

    Args:
        seen: By camera; stamps are of one clock.
        tolerance: Largest difference that still is the same moment [s]; a board that moves at 10 cm/s is 1 mm off
            after 10 ms.

    Raises:
        ValueError: A tolerance that is not positive.
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0 s, got {tolerance}")
    leader = min((name for name in seen if len(seen[name].views)), key=lambda name: len(seen[name].views), default=None)
    if leader is None:
        return []
    views = []
    for corners, stamp in zip(seen[leader].views, seen[leader].stamps, strict=True):
        for camera, each in seen.items():
            nearest = int(np.argmin(np.abs(each.stamps - stamp))) if len(each.views) else None
            if nearest is not None and abs(each.stamps[nearest] - stamp) <= tolerance:
                views.append(RigView(camera=camera, moment=corners.picture, corners=each.views[nearest]))
    return _shared(views)


def one_moment(seen: Mapping[str, BoardViews]) -> list[RigView]:
    """Take all pictures as of one moment: of a board that lay still while they were taken.

    Args:
        seen: By camera.
    """
    return [
        RigView(camera=camera, moment="now", corners=corners) for camera, each in seen.items() for corners in each.views
    ]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FrameStamps:
    """When each frame of each camera's video was taken."""

    stamps: Mapping[str, Float64[np.ndarray, " frame"]]
    """By camera [s]."""

    def put_on(self, camera: str, views: BoardViews) -> BoardViews:
        """Give the views of a camera's video with these stamps instead of their own.

        Raises:
            DataSetError: The table has no such camera, or fewer rows than the video has frames.
        """
        if camera not in self.stamps:
            raise DataSetError(f"the stamps have no camera '{camera}'; there are {', '.join(self.stamps)}")
        table = self.stamps[camera]
        if len(views.places) and views.places.max() >= len(table):
            raise DataSetError(f"camera {camera}: {len(table)} stamps, but frame {views.places.max()} shows the board")
        return replace(views, stamps=table[views.places])


def read_frame_stamps(path: str | Path) -> FrameStamps:
    """Read a CSV with columns `camera` and `stamp` [s] (or `cam_id` and `frame_time`), a row for each frame.

    Raises:
        FileNotFoundError: There is no such file.
        DataSetError: A column is missing, or a stamp is no number.
    """
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    camera, stamp = (next((name for name in names if name in columns), None) for names in (_CAMERA, _STAMP))
    if camera is None or stamp is None:
        raise DataSetError(f"{path}: columns {_CAMERA[0]} and {_STAMP[0]} are needed, got {columns}")
    try:
        told = {name: sorted(float(row[stamp]) for row in rows if row[camera] == name) for name in _names(rows, camera)}
    except ValueError as error:
        raise DataSetError(f"{path}: a {stamp} is no number: {error}") from error
    return FrameStamps(stamps={name: np.array(values) for name, values in told.items()})


def _names(rows: Sequence[Mapping[str, str]], column: str) -> list[str]:
    return list(dict.fromkeys(row[column] for row in rows))


def _shared(views: Sequence[RigView]) -> list[RigView]:
    cameras: dict[str, set[str]] = {}
    for view in views:
        cameras.setdefault(view.moment, set()).add(view.camera)
    return [view for view in views if len(cameras[view.moment]) > 1]
