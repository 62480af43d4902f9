"""What the environments have in common: a fixed length, after which an episode is cut and not terminated."""

from collections.abc import Sequence

CAMERA = "render"
"""The one camera of each environment, as `CameraInfo` names what `render` gives."""


def check_settings(*, episode_length: int, render_mode: str | None) -> None:
    """Raise ValueError unless an episode has a step and the render mode is known."""
    if episode_length < 1:
        raise ValueError(f"episode_length must be >= 1 step, got {episode_length}")
    if render_mode not in (None, "rgb_array"):
        raise ValueError(f"render_mode must be rgb_array or None, got '{render_mode}'")


def check_camera(cameras: Sequence[str]) -> None:
    """Raise ValueError unless it is the one camera."""
    if tuple(cameras) != (CAMERA,):
        raise ValueError(f"there is one camera, '{CAMERA}'; got {list(cameras)}")
