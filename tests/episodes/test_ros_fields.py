import re
from types import SimpleNamespace

import numpy as np
import pytest
from bag_data import float64, header, message

from robo_reward.episodes.ros_fields import numbers_of_message


def point(x: float, y: float, z: float):
    return message("geometry_msgs/msg/Point", x=x, y=y, z=z)


def pose():
    turn = message("geometry_msgs/msg/Quaternion", x=0.1, y=0.2, z=0.3, w=0.4)
    at = message("geometry_msgs/msg/Pose", position=point(1.0, 2.0, 3.0), orientation=turn)
    return message("geometry_msgs/msg/PoseStamped", header=header(1), pose=at)


def joints(names=("shoulder", "left.elbow", "wrist"), positions=(0.5, 1.5, 2.5)):
    given = {"position": np.array(positions), "velocity": np.array([]), "effort": np.array([])}
    return message("sensor_msgs/msg/JointState", header=header(1), name=list(names), **given)


def seen(ids=("left.cup", "ball")):
    """As robo_reward_msgs/KeyPoints names its points."""
    return SimpleNamespace(ids=list(ids), points=[point(1.0, 2.0, 3.0), point(4.0, 5.0, 6.0)])


@pytest.mark.parametrize(
    ("content", "fields", "numbers"),
    [
        (float64(0.25), ["data"], [0.25]),
        (pose(), ["pose.position"], [1, 2, 3]),
        (pose(), ["pose.position.z", "pose.position.x"], [3, 1]),
        (pose(), ["pose.orientation"], [0.4, 0.1, 0.2, 0.3]),
        (pose(), ["pose"], [1, 2, 3, 0.4, 0.1, 0.2, 0.3]),
        (joints(), ["position"], [0.5, 1.5, 2.5]),
        (joints(), ["position.wrist", "position.shoulder"], [2.5, 0.5]),
        (joints(), ["position.left.elbow"], [1.5]),
        (joints(), ["position.2", "position.0"], [2.5, 0.5]),
        (joints(("1", "0"), (0.5, 1.5)), ["position.1"], [0.5]),
        (SimpleNamespace(data=np.array([4.0, 5.0])), ["data.1"], [5.0]),
        (seen(), ["points.ball"], [4, 5, 6]),
        (seen(), ["points.left.cup", "points.ball"], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_fields_give_their_numbers_in_the_order_asked_for(content, fields, numbers):
    found = numbers_of_message(content, fields)
    assert found.dtype == np.float64
    assert found.tolist() == numbers


def test_joints_are_found_by_name_whatever_their_order():
    one = numbers_of_message(joints(("a", "b"), (1.0, 2.0)), ["position.b"])
    other = numbers_of_message(joints(("b", "a"), (2.0, 1.0)), ["position.b"])
    assert one.tolist() == other.tolist() == [2.0]


@pytest.mark.parametrize(
    ("content", "field", "text"),
    [
        (float64(1.0), "value", "no field 'value' in the message; there are data"),
        (pose(), "pose.place", "no field 'pose.place' in the message; there are position, orientation"),
        (joints(), "position.elbow", "no joint 'elbow' in the message; there are shoulder, left.elbow, wrist"),
        (seen(), "points.cup", "no point 'cup' in the message; there are left.cup, ball"),
        (seen(("a", "b", "c")), "points.c", "the message has no value of 'c': 2 values of 3 names"),
        (joints(), "velocity.wrist", "the message has no value of 'wrist': 0 values of 3 names"),
        (joints(), "position.3", "no number 3 in '3': the array has 3, counted from 0"),
        (SimpleNamespace(data=np.array([4.0])), "data.1", "no number 1 in 'data.1': the array has 1, counted from 0"),
        (joints(), "name", "field 'name' holds no numbers; name one of its numbers"),
        (pose(), "header", "field 'header' holds no numbers; name one of frame_id, stamp"),
    ],
)
def test_what_holds_no_numbers_is_refused_with_what_there_is(content, field, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        numbers_of_message(content, [field])
