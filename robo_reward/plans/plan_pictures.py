"""The pictures that a plan is asked about: marked, with what each mark stands for."""

from collections.abc import Mapping
from dataclasses import dataclass

from robo_reward.perception.key_points import KeyPoint, KeyPointDetector
from robo_reward.perception.visual_marks import Grid, draw_marks
from robo_reward.perception.vlm import Picture
from robo_reward.plans.plan_lift import Lift


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class MarkedPicture:
    """One camera's picture with its marks."""

    picture: Picture
    """As it is shown: marked, perhaps enlarged."""
    key_points: tuple[KeyPoint, ...]
    """Candidates, in pixels of the picture as taken."""
    grid: Grid
    """Tiles of the picture as taken."""
    chosen_in: bool
    """Whether marks are chosen in it; else it only shows heights."""


def mark_pictures(
    pictures: Mapping[str, Picture], *, lift: Lift, detector: KeyPointDetector | None
) -> dict[str, MarkedPicture]:
    """Mark the pictures of the cameras that a lift needs.

    Args:
        pictures: Camera to what it saw.
        lift: Says in which cameras marks are chosen, and which height lines are drawn.
        detector: Finds candidate key points; None = tiles only.

    Raises:
        ValueError: A camera without picture, or a picture whose size is not its camera's.
    """
    cameras = dict.fromkeys((*lift.cameras, *lift.lines()))
    if missing := [camera for camera in cameras if camera not in pictures]:
        raise ValueError(f"no picture of camera {', '.join(missing)}; there are pictures of {sorted(pictures)}")
    return {camera: _marked(camera, pictures[camera], lift=lift, detector=detector) for camera in cameras}


def explain_marks(marked: Mapping[str, MarkedPicture], *, lift: Lift) -> str:
    """Say in words what is drawn."""
    said = ["- White lines: tiles with columns a to e from left to right and rows 1 to 5 from bottom to top."]
    drawn = {point.label[0] for each in marked.values() for point in each.key_points}
    if "P" in drawn:
        said.append("- Red dots P[1], P[2], …: key points on what can be grasped. Each picture has its own numbers.")
    if "Q" in drawn:
        said.append("- Blue dots Q[1], Q[2], …: key points on other objects. Each picture has its own numbers.")
    heights = [f"h{number} = {height:g} m" for number, height in enumerate(lift.heights, start=1)]
    if heights:
        where = ", ".join(lift.lines())
        lines = f", drawn as yellow lines in the picture of camera {where}" if where else ""
        said.append(f"- Heights above the robot's base{lines}: {', '.join(heights)}.")
    return "\n".join(said)


def _marked(camera: str, picture: Picture, *, lift: Lift, detector: KeyPointDetector | None) -> MarkedPicture:
    lens, size = lift.rig.camera(camera).intrinsics, tuple(picture.shape[1:])
    if size != (lens.height, lens.width):
        raise ValueError(
            f"the picture of camera '{camera}' is {size[1]} x {size[0]} px, the rig was measured at "
            f"{lens.width} x {lens.height}; give pictures as they were calibrated"
        )
    chosen_in = camera in lift.cameras
    key_points = detector.key_points(picture) if chosen_in and detector is not None else ()
    lines = lift.lines().get(camera, ())
    return MarkedPicture(
        picture=draw_marks(picture, key_points=key_points, grid=chosen_in, lines=lines),
        key_points=key_points,
        grid=Grid(width=lens.width, height=lens.height),
        chosen_in=chosen_in,
    )
