"""A camera's lens: from points in front of it to pixels and back."""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from robo_reward.camera.distortion import distort, distortion_jacobian, invertible_radius, undistort

DISTORTION_SIZES = (0, 4, 5, 8, 12, 14)
"""How many coefficients OpenCV's model may have: none, k1 k2 p1 p2, + k3, + k4 k5 k6, + s1..s4, + tau_x tau_y."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Intrinsics:
    """Focal length, principal point and distortion of a camera, in OpenCV's model.

    The frame is OpenCV's optical frame: x right, y down, z forward. Pixel (0, 0) is the centre of the top left pixel;
    the picture spans [-0.5, width - 0.5] x [-0.5, height - 0.5]. Fisheye models are another family and not meant.

    Raises:
        ValueError: A size or focal length that is not positive, a number of distortion coefficients that OpenCV does
            not know, or a number that is not finite.
    """

    width: int
    """[px]"""
    height: int
    """[px]"""
    focal_x: float
    """[px]"""
    focal_y: float
    """[px]"""
    centre_x: float
    """Column of the principal point [px]."""
    centre_y: float
    """Row of the principal point [px]."""
    distortion: Float64[np.ndarray, " coefficient"] = field(default_factory=lambda: np.zeros(0))
    """k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y, as many as the model has; empty = none."""
    invertible_radius: float = field(init=False)
    """√(x² + y²)/z up to which the distortion can be undone; beyond it the model folds back and says nothing."""

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"width and height must be > 0 px, got {self.width} x {self.height}")
        given = (self.focal_x, self.focal_y, self.centre_x, self.centre_y, *self.distortion.tolist())
        if not all(math.isfinite(each) for each in given):
            raise ValueError(f"intrinsics must be finite, got focal, centre and distortion {list(given)}")
        if self.focal_x <= 0 or self.focal_y <= 0:
            raise ValueError(f"focal_x and focal_y must be > 0 px, got {self.focal_x:g} and {self.focal_y:g}")
        if self.distortion.ndim != 1 or len(self.distortion) not in DISTORTION_SIZES:
            raise ValueError(
                f"distortion must have {', '.join(map(str, DISTORTION_SIZES))} coefficients, "
                f"got shape {self.distortion.shape}"
            )
        object.__setattr__(self, "invertible_radius", invertible_radius(self.distortion))

    @property
    def matrix(self) -> Float64[np.ndarray, "3 3"]:
        """The camera matrix K."""
        return np.array([[self.focal_x, 0, self.centre_x], [0, self.focal_y, self.centre_y], [0, 0, 1.0]])

    def project(self, points_camera: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Give the pixels of points [m] in the camera's optical frame.

        NaN behind the camera and where the distortion model folds back (`invertible_radius`): there it would put a
        point into the picture that no lens shows. A pixel may lie outside the picture; see `contains`.
        """
        flat = self._flattened(points_camera)
        return distort(flat, self.distortion) * self._focal + self._centre

    def jacobian(self, points_camera: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2 3"]:
        """Give the derivative of each pixel by its point [px/m]; NaN where `project` is NaN."""
        flat = self._flattened(points_camera)
        depth = np.where(points_camera[..., 2] > 0, points_camera[..., 2], np.nan)
        towards = np.zeros((*flat.shape[:-1], 2, 3))
        towards[..., 0, 0] = towards[..., 1, 1] = 1.0
        towards[..., 2] = -flat
        bent = distortion_jacobian(flat, self.distortion)
        return self._focal[:, None] * (bent @ (towards / depth[..., None, None]))

    def unproject(self, pixels: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
        """Give the unit rays, in the camera's optical frame, of the points that are seen at pixels.

        Exact to rounding: `project` of a point on the ray gives the pixel. NaN for a pixel that no ray within
        `invertible_radius` reaches, and for NaN.
        """
        flat = undistort((pixels - self._centre) / self._focal, self.distortion, radius=self.invertible_radius)
        rays = np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)
        rays = np.where(np.isnan(flat[..., :1]), np.nan, rays)
        return rays / np.sqrt((rays * rays).sum(axis=-1, keepdims=True))

    def contains(self, pixels: Float64[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Say which pixels lie in the picture; NaN does not."""
        inside = (pixels >= -0.5) & (pixels <= np.array([self.width, self.height]) - 0.5)
        return np.asarray(inside.all(axis=-1))

    def scaled(self, *, width: int, height: int) -> "Intrinsics":
        """Give the intrinsics of the same pictures resized to another width and height [px].

        Pixel edges scale, not centres: u' + ½ = (u + ½) · width' / width.
        """
        across, down = width / self.width, height / self.height
        return Intrinsics(
            width=width,
            height=height,
            focal_x=self.focal_x * across,
            focal_y=self.focal_y * down,
            centre_x=(self.centre_x + 0.5) * across - 0.5,
            centre_y=(self.centre_y + 0.5) * down - 0.5,
            distortion=self.distortion,
        )

    @property
    def _focal(self) -> Float64[np.ndarray, "2"]:
        return np.array([self.focal_x, self.focal_y])

    @property
    def _centre(self) -> Float64[np.ndarray, "2"]:
        return np.array([self.centre_x, self.centre_y])

    def _flattened(self, points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Points on the plane z = 1; NaN behind the camera and beyond the invertible radius."""
        depth = points[..., 2:]
        flat = points[..., :2] / np.where(depth > 0, depth, np.nan)
        if math.isinf(self.invertible_radius):
            return flat
        within = (flat * flat).sum(axis=-1, keepdims=True) < self.invertible_radius**2
        return np.where(within, flat, np.nan)


def intrinsics_from_field_of_view(fovy: float, width: int, height: int) -> Intrinsics:
    """Give the intrinsics of a pinhole with square pixels that looks through the picture's centre.

        focal = height / (2 tan(fovy / 2)),   centre = ((width − 1) / 2, (height − 1) / 2)

    Args:
        fovy: Vertical field of view, from the top edge to the bottom edge, in (0, π) [rad].
        width: [px]
        height: [px]

    Raises:
        ValueError: A field of view outside (0, π), or a size that is not positive.
    """
    if not 0 < fovy < math.pi:
        raise ValueError(f"fovy must be in (0, π) rad, got {fovy:g}" + ("; is it in degrees?" if fovy > 4 else ""))
    focal = height / (2 * math.tan(fovy / 2))
    return Intrinsics(
        width=width,
        height=height,
        focal_x=focal,
        focal_y=focal,
        centre_x=(width - 1) / 2,
        centre_y=(height - 1) / 2,
    )
