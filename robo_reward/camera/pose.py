"""Rigid motions between frames; `T_a_b` takes points of frame b to frame a."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.spatial.transform import Rotation

_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Pose:
    """The pose of frame b in frame a, `T_a_b`: it takes the coordinates of a point in b to those in a.

        p_a = R p_b + t

    The same object says where b stands in a: t is b's origin in a, the columns of R are b's axes in a.

    Raises:
        ValueError: A rotation that is not orthonormal and right-handed to 1e-6, or a number that is not finite.
    """

    rotation: Float64[np.ndarray, "3 3"]
    """R: axes of frame b as columns, in frame a."""
    translation: Float64[np.ndarray, "3"]
    """t: origin of frame b in frame a [m]."""

    def __post_init__(self) -> None:
        _check("rotation", self.rotation, (3, 3))
        _check("translation", self.translation, (3,))
        error = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if error > _TOLERANCE:
            raise ValueError(f"rotation must be orthonormal to {_TOLERANCE:g}, R Rᵀ is off the identity by {error:.3g}")
        if np.linalg.det(self.rotation) < 0:
            raise ValueError("rotation must be right-handed (determinant 1), got a reflection (determinant -1)")

    @classmethod
    def identity(cls) -> "Pose":
        """Give the pose of a frame in itself."""
        return cls(rotation=np.eye(3), translation=np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: Float[np.ndarray, "4 4"]) -> "Pose":
        """Give the pose that a homogeneous matrix stands for; its rotation is made orthonormal to rounding.

        Raises:
            ValueError: A last row other than (0, 0, 0, 1), or a rotation that is none to 1e-6.
        """
        matrix = np.asarray(matrix, np.float64)
        _check("matrix", matrix, (4, 4))
        if not np.allclose(matrix[3], (0, 0, 0, 1), rtol=0, atol=_TOLERANCE):
            raise ValueError(f"the last row of a pose must be (0, 0, 0, 1), got {matrix[3].tolist()}")
        rough = cls(rotation=matrix[:3, :3].copy(), translation=matrix[:3, 3].copy())  # refuses what is no rotation
        return cls(rotation=Rotation.from_matrix(rough.rotation).as_matrix(), translation=rough.translation)

    @classmethod
    def from_quaternion_wxyz(
        cls, translation: Float[np.ndarray, "3"], quaternion_wxyz: Float[np.ndarray, "4"]
    ) -> "Pose":
        """Give the pose of a translation [m] and a quaternion, real part first as in MuJoCo; ROS has it last.

        Raises:
            ValueError: A quaternion whose length is further than 1e-3 from 1, or a number that is not finite.
        """
        translation, quaternion = np.array(translation, np.float64), np.asarray(quaternion_wxyz, np.float64)
        _check("quaternion_wxyz", quaternion, (4,))
        length = float(np.linalg.norm(quaternion))
        if abs(length - 1) > 1e-3:
            raise ValueError(f"quaternion_wxyz must have length 1, got {quaternion.tolist()} of length {length:.4g}")
        rotation = Rotation.from_quat(quaternion[[1, 2, 3, 0]]).as_matrix()  # scipy's order is xyzw
        return cls(rotation=rotation, translation=translation)

    @classmethod
    def from_rotation_vector(
        cls, translation: Float[np.ndarray, "3"], rotation_vector: Float[np.ndarray, "3"]
    ) -> "Pose":
        """Give the pose of a translation [m] and a rotation vector: axis times angle [rad], as OpenCV's `rvec`."""
        translation, vector = np.array(translation, np.float64), np.asarray(rotation_vector, np.float64)
        _check("rotation_vector", vector, (3,))
        return cls(rotation=Rotation.from_rotvec(vector).as_matrix(), translation=translation)

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """The homogeneous matrix."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.translation
        return matrix

    @property
    def quaternion_wxyz(self) -> Float64[np.ndarray, "4"]:
        """The rotation as a unit quaternion, real part first and not negative; ROS has it last."""
        return Rotation.from_matrix(self.rotation).as_quat(canonical=True)[[3, 0, 1, 2]]

    @property
    def rotation_vector(self) -> Float64[np.ndarray, "3"]:
        """The rotation as axis times angle [rad], angle in [0, π]; OpenCV's `rvec`."""
        return Rotation.from_matrix(self.rotation).as_rotvec()

    def inverse(self) -> "Pose":
        """Give `T_b_a`."""
        return Pose(rotation=self.rotation.T.copy(), translation=-self.rotation.T @ self.translation)

    def __matmul__(self, other: "Pose") -> "Pose":
        """Chain: `T_a_b @ T_b_c` is `T_a_c`."""
        return Pose(
            rotation=self.rotation @ other.rotation,
            translation=self.rotation @ other.translation + self.translation,
        )

    def apply(self, points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
        """Take points [m] of frame b to frame a; NaN stays NaN."""
        # products and sums, not a matrix product: a point gets the same bits alone and among many
        return (points[..., None, :] * self.rotation).sum(axis=-1) + self.translation


def pose_difference(one: Pose, other: Pose) -> tuple[float, float]:
    """Say how far apart two poses of the same frames are: (distance of the origins [m], angle in [0, π] [rad])."""
    between = Rotation.from_matrix(one.rotation.T @ other.rotation)
    return float(np.linalg.norm(one.translation - other.translation)), float(between.magnitude())


def _check(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {values.tolist()}")
