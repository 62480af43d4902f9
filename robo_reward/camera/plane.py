"""Where a line of sight meets a plane, such as the table."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

_PARALLEL = 1e-9
"""Sine of the angle between ray and plane below which they count as parallel."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Plane:
    """The points p with ⟨normal, p⟩ = offset.

    Raises:
        ValueError: A normal that has not length 1 to 1e-6, or a number that is not finite.
    """

    normal: Float64[np.ndarray, "3"]
    """Unit vector across the plane."""
    offset: float
    """Distance of the plane from the origin along the normal [m]; a table at height h has (0, 0, 1) and h."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.normal).all() and np.isfinite(self.offset)):
            raise ValueError(f"a plane must be finite, got normal {self.normal.tolist()} and offset {self.offset}")
        length = float(np.linalg.norm(self.normal))
        if abs(length - 1) > 1e-6:
            raise ValueError(f"normal must have length 1, got {self.normal.tolist()} of length {length:.6g}")

    @classmethod
    def through(cls, point: Float64[np.ndarray, "3"], normal: Float64[np.ndarray, "3"]) -> "Plane":
        """Give the plane through a point [m] with a normal of any length but 0."""
        length = float(np.linalg.norm(normal))
        if not length > 0:
            raise ValueError(f"normal must not be zero, got {normal.tolist()}")
        return cls(normal=normal / length, offset=float(normal @ point) / length)


def ray_plane(
    origin: Float64[np.ndarray, "3"], direction: Float64[np.ndarray, "*n 3"], plane: Plane
) -> Float64[np.ndarray, "*n 3"]:
    """Give the points [m] where rays from one origin meet a plane; NaN where parallel to it or leading away from it.

        s = (offset − ⟨n, o⟩) / ⟨n, d⟩,   p = o + s d   for s ≥ 0

    Args:
        origin: Where the rays begin [m].
        direction: Unit vectors; NaN gives NaN.
        plane: In the same frame.
    """
    slope = (direction * plane.normal).sum(axis=-1)
    crossing = np.abs(slope) > _PARALLEL
    length = (plane.offset - float(origin @ plane.normal)) / np.where(crossing, slope, 1.0)
    length = np.where(crossing & (length >= 0), length, np.nan)
    return origin + length[..., None] * direction
