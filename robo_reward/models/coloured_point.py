"""A thing of one colour as a point source: found by each camera of a rig, triangulated, and kept if it stands still."""

from collections.abc import Sequence
from pathlib import Path

from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import read_rig
from robo_reward.models.rig_point import RigPoint
from robo_reward.models.still_point import StillPoint
from robo_reward.models.tracked_point import PointSource
from robo_reward.perception.colour_tracker import ColourTracker


def coloured_point(
    rig: Rig | str | Path,
    *,
    colour: Sequence[float],
    cameras: Sequence[str] = (),
    still: bool = False,
    pixel_std: float = 0.5,
    hue_tolerance: float = 12.0,
    min_saturation: float = 0.4,
    min_area: int = 6,
) -> PointSource:
    """Locate the middle of the thing that has a colour.

    Args:
        rig: Cameras, or their YAML file.
        colour: Red, green and blue of the thing in the pictures, from 0 to 255.
        cameras: Which cameras of the rig look for it; empty = all.
        still: The thing stays where it is as long as an episode lasts; see `StillPoint`.
        pixel_std: Of the rig's reprojection error [px].
        hue_tolerance: As `ColourTracker` [deg].
        min_saturation: As `ColourTracker`.
        min_area: As `ColourTracker` [px].

    Raises:
        ValueError: As `RigPoint` and `ColourTracker`.
        DataSetError: No such rig, or none that can be read.
    """
    known = rig if isinstance(rig, Rig) else read_rig(Path(rig))
    tracker = ColourTracker(colour, hue_tolerance=hue_tolerance, min_saturation=min_saturation, min_area=min_area)
    trackers = {name: tracker for name in cameras or known.cameras}
    source = RigPoint(known, trackers=trackers, pixel_std=pixel_std)
    return StillPoint(source) if still else source
