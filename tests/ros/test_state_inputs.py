"""What the robot feels, over real DDS: with the pictures it belongs to, and unknown when it is missing or old."""

import numpy as np
import pytest
import torch
from key_point_plans import plan
from ros_pictures import picture, tensor, until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from geometry_msgs.msg import PointStamped, PoseStamped
from robo_reward_msgs.msg import RewardStamped
from robo_reward_ros.ros_messages import time_message
from ros_bench import Bench
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from robo_reward import RewardStream
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.tracked_point import ToolPoint
from robo_reward.plans.plan_file import write_plan
from robo_reward.stamps import episode_seconds

bench = ros_bench.bench
WAY = plan((0.0, 0.0, 0.3), (0.0, 0.0, 0.1), (0.2, 0.0, 0.1), gripper={1: "closed"})
GRIPPER = {"closed_below": 0.03, "open_above": 0.05}
MODEL = """
_target_: robo_reward.models.keypoint_affordance.KeypointAffordance
plan: PLAN
gripper: {closed_below: 0.03, open_above: 0.05}
point: {_target_: robo_reward.models.tracked_point.ToolPoint}
"""
STATE = {
    "state_names": ["tool_pose", "gripper_width"],
    "state_topics": ["tool_pose", "joint_states"],
    "state_types": ["PoseStamped", "JointState"],
    "state_fields": ["", "position.finger"],
    "state_scales": [1.0, 0.001],
}


@pytest.fixture
def model(tmp_path):
    write_plan(WAY, tmp_path / "plan.yaml")
    (tmp_path / "way.yaml").write_text(MODEL.replace("PLAN", str(tmp_path / "plan.yaml")))
    return {"reward_model": str(tmp_path / "way.yaml")}


class Felt:
    """Publishes what a robot feels, and waits until the node has heard it."""

    def __init__(self, live: Bench) -> None:
        self.live = live
        self.pose = live.client.create_publisher(PoseStamped, "tool_pose", 10)
        self.joints = live.client.create_publisher(JointState, "joint_states", 10)
        until(lambda: self.pose.get_subscription_count() and self.joints.get_subscription_count(), seconds=10)

    def say(self, position: tuple[float, float, float], width_mm: float, *, stamp_ns: int) -> None:
        pose = PoseStamped()
        pose.header.stamp = time_message(stamp_ns)
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = position
        pose.pose.orientation.w = 1.0
        joints = JointState(name=["elbow", "finger"], position=[1.0, width_mm])
        joints.header.stamp = time_message(stamp_ns)
        self.pose.publish(pose)
        self.joints.publish(joints)
        until(lambda: not any(np.isnan(each).any() for each in self.live.node.core._door._states.at(stamp_ns).values()))


def shown(live: Bench, stamp_ns: int) -> RewardStamped:
    before = len(live.answered())
    live.show(picture(0.5), stamp_ns=stamp_ns)
    until(lambda: len(live.answered()) > before, seconds=10)
    return live.answered()[-1]


def test_state_reaches_the_model_with_its_picture_bit_for_bit(bench, model):
    live = bench(**model, **STATE)
    felt = Felt(live)
    stream = RewardStream(KeypointAffordance(WAY, point=ToolPoint(), gripper=GRIPPER), discount=0.99)
    start, offline, told = None, [], []
    for z, width in ((0.3, 60.0), (0.2, 60.0), (0.11, 60.0), (0.1, 20.0), (0.1, 20.0)):
        stamp = live.now_ns()
        start = stamp if start is None else start
        felt.say((0.0, 0.0, z), width, stamp_ns=stamp)
        told.append(shown(live, stamp))
        state = {
            "tool_pose": torch.tensor([0.0, 0.0, z, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64),
            "gripper_width": 0.001 * torch.tensor([width], dtype=torch.float64),
        }
        seconds = episode_seconds(stamp, start_ns=start)
        offline.append(stream.step({"front": tensor(picture(0.5))}, stamp=seconds, state=state))
    assert [each.status for each in told] == [RewardStamped.WARMUP] + [RewardStamped.OK] * 4
    assert [(each.reward, each.progress) for each in told[1:]] == [(each.reward, each.progress) for each in offline[1:]]
    assert told[-1].progress > told[1].progress
    until(lambda: live.info)
    assert (live.info[0].state, live.info[0].state_topics) == (STATE["state_names"], ["/tool_pose", "/joint_states"])


def test_a_state_that_is_missing_or_too_old_is_unknown_and_the_model_abstains(bench, model):
    live = bench(**model, **STATE, state_max_age=0.05)
    felt = Felt(live)
    stamp = live.now_ns() - 100_000_000  # what follows lies in the past on the fastest machine too
    felt.say((0.0, 0.0, 0.3), 60.0, stamp_ns=stamp)
    shown(live, stamp)
    felt.say((0.0, 0.0, 0.2), 60.0, stamp_ns=stamp + 20_000_000)
    assert shown(live, stamp + 60_000_000).status == RewardStamped.OK  # 40 ms old
    late = shown(live, stamp + 80_000_000)
    assert (late.status, late.reason) == (RewardStamped.LOW_CONFIDENCE, "the model abstained")


def test_points_and_bare_numbers_are_states_too(bench, model):
    given = {
        "state_names": ["tool_position", "gripper_width"],
        "state_topics": ["tool_point", "width"],
        "state_types": ["geometry_msgs/msg/PointStamped", "Float64"],
    }
    live = bench(**model, **given, state_max_age=5.0)
    point = live.client.create_publisher(PointStamped, "tool_point", 10)
    width = live.client.create_publisher(Float64, "width", 10)
    until(lambda: point.get_subscription_count() and width.get_subscription_count(), seconds=10)
    states = live.node.core._door._states
    for _ in range(2):
        message = PointStamped()
        message.header.stamp = time_message(live.now_ns())
        message.point.z = 0.2
        width.publish(Float64(data=0.06))  # no header: it counts from when it is heard
        point.publish(message)
        until(lambda: not any(np.isnan(each).any() for each in states.at(live.now_ns()).values()))
        last = shown(live, live.now_ns())
    assert last.status == RewardStamped.OK


def test_a_model_that_needs_a_state_says_so_when_it_is_configured(bench, model, capfd):
    live = bench(begin=False, **model)
    assert not live.change("configure")
    assert live.state == "unconfigured"
    told = []
    wanted = "the clip's state has neither 'tool_pose' nor 'tool_position'; it has [] (cameras and image_topics, state"
    until(lambda: wanted in (told.append(capfd.readouterr().err) or "".join(told)))


def test_a_message_without_the_joint_leaves_the_state_unknown_and_says_so(bench, model, capfd):
    live = bench(**model, **STATE)
    joints = live.client.create_publisher(JointState, "joint_states", 10)
    until(joints.get_subscription_count, seconds=10)
    joints.publish(JointState(name=["elbow"], position=[1.0]))
    told = []
    wanted = "state 'gripper_width': no joint 'finger' in the message; there are elbow"
    until(lambda: wanted in (told.append(capfd.readouterr().err) or "".join(told)))
    assert live.state == "active"
