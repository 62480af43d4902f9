"""Everything that is looked up, loaded and checked when the node is configured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from rclpy.node import Node

from robo_reward_ros.bound_model import BoundModel, bind_model, use_threads
from robo_reward_ros.camera_geometry import Geometry, read_geometry, with_poses
from robo_reward_ros.node_settings import camera_frames, check_cameras, info_topics, task_settings, topics_of
from robo_reward_ros.state_topics import StateInput, state_inputs
from robo_reward_ros.task_settings import TaskSettings
from robo_reward_ros.tf_poses import tf_poses
from robo_reward_ros.warm_up import warm_up


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Prepared:
    """A node that is ready to be activated."""

    given: Mapping[str, Any]
    """The node's parameters."""
    bound: BoundModel
    task: TaskSettings
    """What the model was bound to."""
    topics: Mapping[str, str]
    """Camera to resolved topic."""
    states: list[StateInput]
    state_topics: list[str]
    """Resolved topic of each state."""
    geometry: Geometry | None
    """Of the rig that the model counts on; None = it knows no geometry."""

    @property
    def base_frame(self) -> str:
        """Frame of rewards and of points in space."""
        return self.given["base_frame"] or ("" if self.geometry is None else self.geometry.rig.base_frame)

    def bind(self, task: TaskSettings, *, go_on: Callable[[], bool] = lambda: True) -> BoundModel:
        """Bind a model to a task and show it black pictures.

        Raises:
            ValueError: As `bind_model` and `warm_up`.
        """
        return _warm(bind_model(task, go_on=go_on), self.given, self.states, self.geometry)

    def with_bound(self, bound: BoundModel) -> "Prepared":
        """Give the same with another model."""
        return replace(self, bound=bound)

    def with_given(self, given: Mapping[str, Any]) -> "Prepared":
        """Give the same with parameters that were changed since."""
        return replace(self, given=given)


def prepare(node: Node, given: Mapping[str, Any]) -> Prepared:
    """Load the model, check all that can be checked before pictures come, and have it look at black ones.

    Args:
        node: Resolves names, and tells where the cameras' poses are from.
        given: Its parameters.

    Raises:
        ValueError: Parameters that make no sense, alone or together, and as `bind_model`, `warm_up` and `tf_poses`.
        DataSetError: No such rig.
    """
    check_cameras(given)  # before the model is loaded, which may take long
    topics = {camera: node.resolve_topic_name(topic) for camera, topic in topics_of(given).items()}
    states = state_inputs(given, empty=lambda kind: message_type(kind)())
    state_topics = [node.resolve_topic_name(each.choice.topic) for each in states]
    for topic in info_topics(given).values():
        node.resolve_topic_name(topic)
    geometry = _geometry(node, given)
    use_threads(given["torch_threads"])
    task = replace(task_settings(given), rig="" if geometry is None else geometry.file)
    bound = bind_model(task)
    if geometry is None and bound.rig:
        geometry = read_geometry(bound.rig)
    _check_infos(given, geometry)
    _warm(bound, given, states, geometry)
    if geometry is not None:
        counts = "" if bound.rig else "; the model takes none, it is there to be checked"
        node.get_logger().info(f"rig {geometry.file}, poses of its cameras from {geometry.poses}{counts}")
    return Prepared(
        given=given, bound=bound, task=task, topics=topics, states=states, state_topics=state_topics, geometry=geometry
    )


def message_type(kind: str) -> Any:
    """Give the class of a message type such as `std_msgs/msg/Float64`.

    Raises:
        ValueError: No such type is installed.
    """
    package, _, name = kind.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"state_types: {kind} is not installed ({error})") from error


def _warm(
    bound: BoundModel, given: Mapping[str, Any], states: list[StateInput], geometry: Geometry | None
) -> BoundModel:
    warm_up(
        bound,
        given["cameras"],
        size=(given["warm_up_height"], given["warm_up_width"]),
        rig_sizes=None if geometry is None else geometry.sizes(),
        state_sizes={each.name: each.size for each in states},
    )
    return bound


def _geometry(node: Node, given: Mapping[str, Any]) -> Geometry | None:
    """Read the rig that a parameter names, with the poses that count; None = no parameter names one."""
    frames = camera_frames(given)
    if not given["rig"]:
        if frames or given["camera_poses"] == "tf":
            raise ValueError("camera_frames and camera_poses=tf change the poses of a rig: name its file by rig")
        return None
    geometry = read_geometry(given["rig"])
    for camera in frames:
        geometry.rig.camera(camera)
    if given["camera_poses"] == "rig" or not frames:
        if given["camera_poses"] == "tf":
            raise ValueError("camera_poses=tf needs camera_frames: the optical frame of each camera")
        return geometry
    try:
        poses = tf_poses(node, frames, base_frame=geometry.rig.base_frame, timeout=given["tf_timeout"])
    except (ModuleNotFoundError, ValueError) as error:
        if given["camera_poses"] == "tf":
            raise ValueError(f"camera_poses=tf: {error}") from error
        node.get_logger().warning(f"the rig's own poses of the cameras are used: {error}")
        return geometry
    return with_poses(geometry, poses)


def _check_infos(given: Mapping[str, Any], geometry: Geometry | None) -> None:
    infos = info_topics(given)
    if infos and geometry is None:
        raise ValueError("camera_info_topics are checked against a rig, and there is none: name its file by rig")
    for camera in infos:
        if geometry is not None:
            geometry.rig.camera(camera)
