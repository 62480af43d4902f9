"""Which numbers of which topics the robot's state is."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.state_topics import history, state_inputs


@dataclass
class Point:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


@dataclass
class Turn:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 1.0


@dataclass
class Pose:
    position: Point = field(default_factory=Point)
    orientation: Turn = field(default_factory=Turn)


@dataclass
class PoseStamped:
    pose: Pose = field(default_factory=Pose)


@dataclass
class JointState:
    name: list[str] = field(default_factory=list)
    position: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass
class Array:
    data: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass
class Number:
    data: float = 0.0


EMPTY = {
    "geometry_msgs/msg/PoseStamped": PoseStamped,
    "sensor_msgs/msg/JointState": JointState,
    "std_msgs/msg/Float64MultiArray": Array,
    "std_msgs/msg/Float64": Number,
}
DEFAULTS = {name: each.default for name, each in REWARD_PARAMETERS.items()}


def inputs(**given):
    return state_inputs(DEFAULTS | given, empty=lambda kind: EMPTY[kind]())


def one(kind: str, fields: str = "", *, name: str = "felt", **given):
    given = {"state_names": (name,), "state_topics": ("/felt",), "state_types": (kind,)} | given
    return inputs(**given, state_fields=(fields,))[0]


def test_without_names_nothing_is_felt():
    assert inputs() == []


def test_a_pose_is_a_position_and_a_quaternion_with_its_real_part_first():
    pose = one("PoseStamped", name="tool_pose")
    told = PoseStamped(Pose(position=Point(1.0, 2.0, 3.0), orientation=Turn(0.1, 0.2, 0.3, 0.4)))
    assert pose.size == 7
    assert pose.numbers(told).tolist() == [1.0, 2.0, 3.0, 0.4, 0.1, 0.2, 0.3]


def test_part_of_a_message_can_be_a_state_of_its_own():
    position = one("geometry_msgs/PoseStamped", "pose.position", name="tool_position")
    assert (position.size, position.kind) == (3, "geometry_msgs/msg/PoseStamped")


def test_joints_are_named_and_scaled_whatever_their_order():
    gripper = one("JointState", "position.left, position.right", state_scales=(0.001,))
    told = JointState(name=["right", "elbow", "left"], position=np.array([20.0, 1.0, 30.0]))
    assert gripper.numbers(told).tolist() == [0.03, 0.02]


def test_numbers_of_an_array_are_named_by_index():
    some = one("Float64MultiArray", "data.2, data.0")
    assert some.numbers(Array(np.array([1.0, 2.0, 3.0]))).tolist() == [3.0, 1.0]


def test_the_history_knows_every_state_and_its_size():
    felt = history([one("PoseStamped"), one("Float64", name="width")], max_age=0.1).at(0)
    assert {name: len(values) for name, values in felt.items()} == {"felt": 7, "width": 1}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"state_topics": ()}, r"state_topics must have one entry for each of state_names \['felt'\], got \[\]"),
        ({"state_types": ("a", "b")}, r"state_types must have one entry .* got \['a', 'b'\]"),
        ({"state_scales": (1.0, 2.0)}, r"state_scales must be empty or have one entry .* got \[1.0, 2.0\]"),
        ({"state_names": ("",)}, "state_names must be different names"),
        ({"state_types": ("Nonsense",)}, "state_types has 'Nonsense'; a type is one of Float64, Float64MultiArray"),
        ({"state_types": ("JointState",)}, "state 'felt': say in state_fields which numbers"),
        ({"state_fields": ("pose.place",)}, "state 'felt', geometry_msgs/msg/PoseStamped: no field 'pose.place'"),
        (
            {"state_types": ("Float64MultiArray",), "state_fields": ("data",)},
            r"'data' of std_msgs/msg/Float64MultiArray may have any number of values; name them one by one",
        ),
        (
            {"state_types": ("JointState",), "state_fields": ("position",)},
            r"such as 'position.0, position.1' or 'position.JOINT'",
        ),
        ({"state_scales": (0.0,)}, "state 'felt': its scale must be finite and not 0, got 0"),
        ({"state_names": ("tool_pose",), "state_scales": (0.001,)}, "cannot be scaled, its quaternion would be"),
    ],
)
def test_states_that_make_no_sense_are_refused(given, text):
    base = {"state_names": ("felt",), "state_topics": ("/felt",), "state_types": ("PoseStamped",)}
    with pytest.raises(ValueError, match=text):
        inputs(**(base | given))


def test_a_message_without_the_joint_says_which_there_are():
    with pytest.raises(ValueError, match="no joint 'left' in the message; there are a, b"):
        one("JointState", "position.left").numbers(SimpleNamespace(name=["a", "b"], position=np.zeros(2)))
