"""The policy node in front of an arm, over DDS: it acts while all is well, and holds otherwise."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from green_arm import GreenArm
from rclpy.parameter import Parameter
from robo_reward_ros.policy_node import PolicyNode
from robo_reward_ros.ros_lifecycle import LATCHED
from ros_bench import Talker
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool

ROBOT = """
robot:
  joints: [slide]
  states: {slide: {topic: joint_states, fields: [position.slide]}}
  actions:
    _target_: robo_reward_ros.robot_env_actions.JointDeltas
    scale: [0.02]
    lower: [0.0]
    upper: [1.0]
  step_duration: 0.05
  max_state_age: 0.4
"""
GIVEN = {"policy": "test_policy_node:advance", "policy_arguments": ["share=1.0"], "gate_topic": "gate/open"}


def advance(share: float):
    """A policy for `module:function`."""
    return lambda observation: np.array([share])


class Broken:
    def __call__(self, observation):
        raise RuntimeError("out of ideas")


def broken():
    return Broken()


def endless():
    return lambda observation: np.array([np.nan])


class Stage:
    """An arm, a gate's word that is repeated, and what the node says of itself."""

    def __init__(self, folder, number: int) -> None:
        (folder / "robot.yaml").write_text(ROBOT)
        self.robot = folder / "robot.yaml"
        self.talker = Talker(number)
        self.arm = GreenArm(self.talker.context, lockstep=False)
        self.talker.add(self.arm)
        client = self.talker.client
        self.open, self.states, self._gate = True, [], client.create_publisher(Bool, "gate/open", LATCHED)
        client.create_subscription(String, "policy_node/state", lambda said: self.states.append(said.data), LATCHED)
        client.create_timer(0.05, self._say)

    def _say(self) -> None:
        if self.open is not None:
            self._gate.publish(Bool(data=self.open))

    def start(self, **parameters) -> PolicyNode:
        given = GIVEN | {"robot": str(self.robot)} | parameters
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        node = PolicyNode(context=self.talker.context, parameter_overrides=overrides)
        self.talker.add(node)
        return node

    def enable(self, enabled: bool = True) -> None:
        assert self.talker.call(SetBool, "policy_node/enable", SetBool.Request(data=enabled)).success

    def says(self, text: str) -> None:
        until(lambda: bool(self.states) and self.states[-1].startswith(text), seconds=10)

    def stands(self) -> None:
        """Nothing but the same target is commanded, again and again."""
        count = len(self.arm.commands)
        until(lambda: len(self.arm.commands) >= count + 4)
        held = [each.points[-1].positions[0] for each in self.arm.commands[count + 1 :]]
        assert len(set(held)) == 1


@pytest.fixture
def stage(tmp_path):
    made = []

    def make(number: int) -> Stage:
        made.append(Stage(tmp_path, number))
        return made[-1]

    yield make
    for each in made:
        each.talker.close()


def test_it_acts_once_a_person_enables_it_and_holds_when_told_to_stop(stage):
    made = stage(120)
    made.start()
    made.says("holding: nobody has enabled the policy")
    made.stands()
    made.enable()
    made.says("acting")
    until(lambda: made.arm.place > 0.2)
    made.enable(False)
    made.says("holding: nobody has enabled the policy")
    made.stands()


def test_a_gate_that_closes_or_falls_silent_has_the_arm_hold_until_it_opens_again(stage):
    made = stage(121)
    made.start(enabled=True)
    made.says("acting")
    made.open = False
    made.says("holding: the gate says no to whether good rewards come")
    made.stands()
    made.open = True
    made.says("acting")
    made.open = None
    made.says("holding: the gate says nothing to whether good rewards come")
    made.stands()


def test_a_robot_that_stops_has_the_arm_hold(stage):
    made = stage(122)
    made.start(enabled=True)
    made.says("acting")
    made.arm.robot_ok.publish(Bool(data=False))
    made.says("holding: the robot says no to whether it runs as it should")
    made.stands()


def test_an_observation_that_gets_old_stops_it(stage):
    made = stage(123)
    made.start(enabled=True)
    made.says("acting")
    made.arm.silent = True
    made.says("holding: the observation is ")


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("broken", "holding: the policy failed: out of ideas"),
        ("endless", "holding: the policy gave [nan], wanted are 1"),
    ],
)
def test_a_policy_that_fails_or_gives_no_numbers_has_the_arm_hold(stage, policy, text):
    made = stage(124)
    made.start(enabled=True, policy=f"test_policy_node:{policy}", policy_arguments=[])
    made.says(text)
    made.stands()


def test_a_wrong_robot_file_is_named_at_the_start(stage):
    made = stage(125)
    with pytest.raises(ValueError, match=r"robot=nowhere.yaml: there is no such file"):
        made.start(robot="nowhere.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_the_process_leaves_the_arm_holding_and_ends_without_an_error(stage, how):
    made = stage(126)
    environment = os.environ | {"ROS_DOMAIN_ID": str(made.talker.domain), "PYTHONPATH": os.pathsep.join(sys.path)}
    given = {"robot": made.robot, "policy": GIVEN["policy"], "enabled": "true", "gate_topic": "gate/open"}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", "robo_reward_ros.policy_node", "--ros-args", *words]
    process = subprocess.Popen([*command, "-p", "policy_arguments:=['share=1.0']"], env=environment)
    try:
        until(lambda: made.arm.place > 0.2, seconds=60)
        process.send_signal(how)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
    moved, held = (each.points[-1].positions[0] for each in made.arm.commands[-2:])
    assert held == pytest.approx(moved)
