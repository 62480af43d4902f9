"""Answers to ROS messages and back."""

import math
from collections.abc import Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point
from robo_reward_msgs.msg import Keypoint2D, Keypoint2DArray, KeyPoints, RewardModelInfo, RewardStamped

from robo_reward.stamps import nanoseconds
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel
from robo_reward_ros.health import Verdict
from robo_reward_ros.key_points import KeyPointsSeen, PicturePoint
from robo_reward_ros.preparation import Prepared
from robo_reward_ros.reward_core import RewardCore

SAME = tuple(name for name in Answer.__dataclass_fields__ if name not in ("stamp_ns", "newest_stamp_ns", "status"))
"""Fields of equal name and meaning."""
LEVELS: Mapping[Status, bytes] = {
    Status.OK: DiagnosticStatus.OK,
    Status.WARMUP: DiagnosticStatus.OK,
    Status.STALE_INPUT: DiagnosticStatus.ERROR,
    Status.FAULT: DiagnosticStatus.ERROR,
}
"""Level of each status in /diagnostics; the others are warnings."""


def time_message(stamp_ns: int) -> Time:
    """Give a stamp [ns] as a message."""
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def reward_message(answer: Answer, *, frame_id: str) -> RewardStamped:
    """Give an answer as a message."""
    message = RewardStamped(status=int(answer.status), newest_stamp=time_message(answer.newest_stamp_ns))
    message.header.stamp, message.header.frame_id = time_message(answer.stamp_ns), frame_id
    for name in SAME:
        value = getattr(answer, name)
        setattr(message, name, list(value) if isinstance(value, tuple) else value)
    return message


def answer_of_message(message: RewardStamped) -> Answer:
    """Read a message.

    Raises:
        ValueError: Numbers that contradict the status, or a status that this release does not know.
    """
    values = {name: getattr(message, name) for name in SAME}
    for name in ("views", "view_present", "view_lag", "view_progress"):
        values[name] = tuple(values[name])
    return Answer(
        stamp_ns=nanoseconds(message.header.stamp.sec, message.header.stamp.nanosec),
        newest_stamp_ns=nanoseconds(message.newest_stamp.sec, message.newest_stamp.nanosec),
        status=Status(message.status),
        **values,
    )


def info_message(bound: BoundModel, prepared: Prepared) -> RewardModelInfo:
    """Say what the rewards come from; the stamp is the node's to fill.

    Args:
        bound: Model and task.
        prepared: Cameras and robot.
    """
    low, high = bound.bounds
    cameras, given, geometry = prepared.topics, prepared.given, prepared.geometry
    model = type(bound.model)
    info = RewardModelInfo(
        model_id=bound.model.version,
        goal_id=bound.goal_id,
        model_class=f"{model.__module__}.{model.__qualname__}",
        configuration=bound.configuration,
        sha256=bound.sha256,
        cameras=list(cameras),
        required=[name not in given["optional_cameras"] for name in cameras],
        topics=list(cameras.values()),
        sync_tolerance=given["sync_tolerance"],
        max_age=given["max_age"],
        state=[each.name for each in prepared.states],
        state_topics=prepared.state_topics,
        rig="" if geometry is None else geometry.file,
        poses="" if geometry is None else geometry.poses,
        discount=bound.discount,
        potential=repr(bound.potential),
        potential_min=low,
        potential_max=high,
        success_threshold=math.nan if bound.success is None else bound.success.threshold,
        success_reward=bound.success_reward,
    )
    info.header.frame_id = prepared.base_frame
    return info


def key_points_message(marks: KeyPointsSeen, *, stamp_ns: int, frame_id: str) -> KeyPoints:
    """Give key points as a message.

    Args:
        marks: Of one set of pictures.
        stamp_ns: Of its oldest picture [ns].
        frame_id: Base frame of the rig.
    """
    message = KeyPoints(ids=[each.id for each in marks.points])
    message.header.stamp, message.header.frame_id = time_message(stamp_ns), frame_id
    message.points = [Point(**dict(zip("xyz", each.position.tolist(), strict=True))) for each in marks.points]
    message.covariance.fromlist([value for each in marks.points for value in each.covariance.ravel().tolist()])
    for camera, points in marks.views.items():
        view = Keypoint2DArray(camera=camera, points=[_picture_point(each) for each in points])
        view.header.stamp, view.header.frame_id = time_message(stamp_ns), frame_id
        message.views.append(view)
    return message


def _picture_point(point: PicturePoint) -> Keypoint2D:
    x, y = point.pixel.tolist()
    return Keypoint2D(id=point.id, x=x, y=y, score=math.nan, covariance=point.covariance.ravel())


def diagnostic_message(name: str, core: RewardCore, *, verdict: Verdict) -> DiagnosticStatus:
    """Say how the node fares: status, percentiles of every stage [ms], and what was dropped and why."""
    last = core.last
    status, reason = verdict if verdict[0] != Status.OK else (last.status, last.reason)
    values = {
        "status": status.name,
        "episode": last.episode,
        "sequence": last.sequence,
        "sets answered": last.sets_answered,
        "sets dropped": last.sets_dropped,
        "pictures refused": last.pictures_refused,
        "task": last.goal_id,
    }
    for stage, took in core.timing.summary().items():
        values[f"{stage} p50, p95, max [ms]"] = f"{took.p50 * 1e3:.2f}, {took.p95 * 1e3:.2f}, {took.largest * 1e3:.2f}"
    for camera, by in core.dropped.items():
        values |= {f"{camera}: {why}": count for why, count in by.items()}
    return DiagnosticStatus(
        level=LEVELS.get(status, DiagnosticStatus.WARN),
        name=name,
        message=f"{status.name}: {reason}" if reason else status.name,
        hardware_id=last.model_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
