"""What a simulated arm tells, as ROS messages of one stamp."""

from collections.abc import Mapping

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, Quaternion, TransformStamped, Vector3
from jaxtyping import Float64, UInt8
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState, RegionOfInterest
from std_msgs.msg import Float64MultiArray, Header, MultiArrayDimension

from robo_reward.camera.camera_info import camera_info_from_intrinsics
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward_ros.sim_arm_core import JOINTS, ArmSnapshot

BASE, TOOL = "base", "tool"
"""Frames of the arm's base and of the point between its fingertips."""

_JPEG_QUALITY = 90


def optical_frame(camera: str) -> str:
    """Give the name of a camera's optical frame."""
    return f"{camera}_optical_frame"


def image_message(
    pixels: UInt8[np.ndarray, "height width 3"], *, stamp: Time, camera: str, compressed: bool
) -> Image | CompressedImage:
    """Give a picture as rgb8, or as JPEG."""
    header = Header(stamp=stamp, frame_id=optical_frame(camera))
    if compressed:
        done, data = cv2.imencode(".jpg", pixels[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
        if not done:
            raise ValueError(f"OpenCV could not encode a picture of {pixels.shape}")
        message = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
        message.data.frombytes(data.tobytes())
        return message
    height, width, _ = pixels.shape
    message = Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width)
    message.data.frombytes(memoryview(np.ascontiguousarray(pixels)).cast("B"))
    return message


def camera_info_message(intrinsics: Intrinsics, *, stamp: Time, camera: str) -> CameraInfo:
    """Give a camera's intrinsics."""
    fields = camera_info_from_intrinsics(intrinsics)
    region = RegionOfInterest(**fields.pop("roi"))
    return CameraInfo(header=Header(stamp=stamp, frame_id=optical_frame(camera)), roi=region, **fields)


def joint_state_message(snapshot: ArmSnapshot, *, stamp: Time) -> JointState:
    """Give positions and velocities of the joints."""
    return JointState(
        header=Header(stamp=stamp, frame_id=BASE),
        name=list(JOINTS),
        position=snapshot.position.tolist(),
        velocity=snapshot.velocity.tolist(),
    )


def pose_message(pose: Pose, *, stamp: Time) -> PoseStamped:
    """Give a pose in the base frame."""
    message = PoseStamped(header=Header(stamp=stamp, frame_id=BASE))
    message.pose.position, message.pose.orientation = Point(**_xyz(pose)), _quaternion(pose)
    return message


def point_message(point: Float64[np.ndarray, "3"], *, stamp: Time) -> PoseStamped:
    """Give a point in the base frame, without a turn."""
    return pose_message(Pose(rotation=np.eye(3), translation=point), stamp=stamp)


def observation_message(snapshot: ArmSnapshot, *, names: tuple[str, ...]) -> Float64MultiArray:
    """Give the task's observation; the label of its dimension lists the numbers' names."""
    message = Float64MultiArray(data=snapshot.observation.tolist())
    message.layout.dim = [MultiArrayDimension(label=", ".join(names), size=len(names), stride=len(names))]
    return message


def transform_messages(snapshot: ArmSnapshot, *, stamp: Time) -> list[TransformStamped]:
    """Give where tool and cameras are in the base frame."""
    poses: Mapping[str, Pose] = {TOOL: snapshot.T_base_tool} | {
        optical_frame(name): camera.T_base_camera for name, camera in snapshot.cameras.items()
    }
    return [_transform(pose, stamp=stamp, child=child) for child, pose in poses.items()]


def _transform(pose: Pose, *, stamp: Time, child: str) -> TransformStamped:
    message = TransformStamped(header=Header(stamp=stamp, frame_id=BASE), child_frame_id=child)
    message.transform.translation, message.transform.rotation = Vector3(**_xyz(pose)), _quaternion(pose)
    return message


def _xyz(pose: Pose) -> dict[str, float]:
    return dict(zip("xyz", pose.translation.tolist(), strict=True))


def _quaternion(pose: Pose) -> Quaternion:
    return Quaternion(**dict(zip("wxyz", pose.quaternion_wxyz.tolist(), strict=True)))
