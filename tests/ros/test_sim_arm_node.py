"""The simulated arm over real DDS."""

import math
import os
import subprocess
import sys
from time import monotonic, sleep

import cv2
import numpy as np
import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")
pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from robo_reward_ros.sim_arm_core import JOINTS
from robo_reward_ros.sim_arm_messages import transform_messages
from robo_reward_ros.sim_arm_node import SimArmNode
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PORTS
from sim_arm_bench import TOPICS, ArmTalker
from std_srvs.srv import SetBool

from robo_reward.camera.camera_info import intrinsics_from_camera_info
from robo_reward.stamps import nanoseconds
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.kinematics import ArmKinematics


@pytest.fixture
def talk():
    running = []

    def begin(number: int, **options) -> ArmTalker:
        running.append(ArmTalker(number, **options))
        return running[-1]

    yield begin
    for each in running:
        each.close()


def test_in_lockstep_a_set_goes_out_for_every_trajectory_and_reset_and_never_else(talk):
    talker = talk(120, publish_clock=True)
    sleep(0.5)
    assert not talker.heard["picture"]  # time stands still
    assert talker.reset().message == "start 1: move the gripper to the red ball"
    talker.sets(1)
    for number in range(3):
        talker.command([*np.array(talker.heard["joint_states"][-1].position)[:5] + 0.01, 0.02])
        talker.sets(number + 2)
    talker.reset()
    talker.sets(5)
    sleep(0.3)
    assert {name: len(talker.heard[name]) for name in TOPICS if name != "/clock"} == dict.fromkeys(
        [name for name in TOPICS if name != "/clock"], 5
    )
    stamps = talker.stamps("picture")
    for name in ("joint_states", "tool_pose", "goal_pose", "cameras/front/camera_info"):
        assert talker.stamps(name) == stamps  # one moment, one stamp
    assert np.diff(stamps).tolist() == [100_000_000] * 4  # simulated time, over the reset, too
    told = {nanoseconds(each.clock.sec, each.clock.nanosec) for each in talker.heard["/clock"]}
    assert set(stamps) <= told


def test_over_dds_it_is_the_gymnasium_task(talk):
    talker, kinematics = talk(121, task="pick", seed=7), ArmKinematics()
    set_seed = SetParameters.Request(parameters=[Parameter("seed", value=7).to_parameter_msg()])
    assert talker.call(SetParameters, "sim_arm_node/set_parameters", set_seed).results[0].successful
    talker.reset()
    talker.sets(1)
    with TableTopEnvironment("pick", height=24, width=32) as environment:
        observation, info = environment.reset(seed=7)
        target = np.array(talker.heard["joint_states"][0].position[:5])
        for number in range(8):
            heard = {
                name: messages[number]
                for name, messages in talker.heard.items()
                if name in (*TOPICS, "picture") and name != "/clock"
            }
            assert np.allclose(heard["sim_arm_node/observation"].data, observation, atol=1e-4)
            assert heard["sim_arm_node/task_success"].data == info["success"]
            assert heard["sim_arm_node/progress"].data == pytest.approx(info["progress"], abs=1e-3)
            assert heard["gripper_width"].data == pytest.approx(observation[3], abs=1e-4)
            at = heard["tool_pose"].pose.position
            assert np.allclose([at.x, at.y, at.z], observation[:3], atol=1e-4)
            at = heard["goal_pose"].pose.position
            assert np.allclose([at.x, at.y, at.z], observation[4:7], atol=1e-4)
            seen = np.frombuffer(heard["picture"].data, np.uint8).reshape(24, 32, 3)
            assert np.abs(seen.astype(int) - environment.frames(("front",))["front"]).mean() < 1.0
            action = expert("pick")(environment.scene.observation)
            observation, _, _, _, info = environment.step(action)
            target = kinematics.joint_targets(target, 0.015 * action[:3])
            talker.command([*target, 0.02 * (1 - action[3])])
            talker.sets(number + 2)


def test_joint_states_and_camera_info_say_what_they_are(talk):
    talker = talk(122)
    talker.reset()
    talker.sets(1)
    state, info = talker.heard["joint_states"][0], talker.heard["cameras/front/camera_info"][0]
    assert tuple(state.name) == JOINTS
    assert len(state.position) == len(state.velocity) == 6
    assert (state.header.frame_id, info.header.frame_id) == ("base", "front_optical_frame")
    fields = {name: getattr(info, name) for name in ("width", "height", "distortion_model", "d", "k", "r", "p")}
    lens = intrinsics_from_camera_info(fields)
    assert (lens.width, lens.height) == (32, 24)
    assert lens.focal_y == pytest.approx(12 / math.tan(math.radians(22.5)))
    picture = talker.heard["picture"][0]
    assert (picture.encoding, picture.step, picture.header.frame_id) == ("rgb8", 96, "front_optical_frame")
    label = talker.heard["sim_arm_node/observation"][0].layout.dim[0].label
    assert label.startswith("tool_x [m], tool_y [m], tool_z [m], gripper_width [m], goal_x [m]")


def test_a_compressed_picture_is_the_raw_one_but_for_jpeg(talk):
    talker = talk(123, compressed=True, height=96, width=96)
    talker.reset()
    talker.sets(1)
    message = talker.heard["picture"][0]
    assert message.format == "rgb8; jpeg compressed bgr8"
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR_RGB)
    with TableTopEnvironment("reach", height=96, width=96) as environment:
        environment.reset(seed=1)
        assert np.abs(decoded.astype(int) - environment.frames(("front",))["front"]).mean() < 4


def test_in_time_sets_come_at_the_rate_and_success_and_resets_go_round(talk):
    talker = talk(
        124,
        lockstep=False,
        policy="scripted",
        auto_reset=True,
        camera_rate=20.0,
        real_time_factor=2.0,
        publish_clock=True,
    )
    begun = monotonic()
    until(lambda: len(talker.heard["picture"]) >= 60, seconds=60)
    assert monotonic() - begun > 60 / 40 - 0.5  # never faster than asked
    assert {each.data for each in talker.heard["sim_arm_node/task_success"]} == {True, False}
    assert set(np.diff(talker.stamps("picture"))) == {50_000_000}
    goals = {round(each.pose.position.x, 6) for each in talker.heard["goal_pose"]}
    assert len(goals) >= 2


def test_stamps_of_the_system_rise_whatever_happens(talk):
    talker = talk(125)
    before = talker.now_ns()
    for number in range(4):
        talker.reset()
        talker.sets(number + 1)
    stamps = talker.stamps("picture")
    assert (np.diff(stamps) > 0).all()
    assert before <= stamps[0] <= stamps[-1] <= talker.now_ns()


def test_a_protective_stop_is_told_and_trajectories_are_refused(talk):
    talker = talk(126)
    talker.reset()
    talker.sets(1)
    until(lambda: talker.heard["robot_ok"] and talker.heard["robot_ok"][-1].data)
    assert talker.call(SetBool, "sim_arm_node/protective_stop", SetBool.Request(data=True)).success
    until(lambda: not talker.heard["robot_ok"][-1].data)
    talker.command(talker.heard["joint_states"][0].position)
    sleep(0.5)
    assert len(talker.heard["picture"]) == 1
    assert talker.call(SetBool, "sim_arm_node/protective_stop", SetBool.Request(data=False)).success
    until(lambda: talker.heard["robot_ok"][-1].data)
    talker.command(talker.heard["joint_states"][0].position)
    talker.sets(2)


def test_a_trajectory_that_cannot_be_executed_is_told_and_the_next_one_is_executed(talk):
    talker = talk(127)
    talker.reset()
    talker.sets(1)
    talker.command([0.0], names=["knee"])
    talker.command([math.nan], names=["elbow"])
    talker.command(talker.heard["joint_states"][0].position)
    talker.sets(2)
    sleep(0.3)
    assert len(talker.heard["picture"]) == 2


def test_robot_ok_is_there_for_those_who_come_late_and_comes_again(talk):
    talker = talk(128)
    until(lambda: len(talker.heard["robot_ok"]) >= 3, seconds=10)
    assert all(each.data for each in talker.heard["robot_ok"])


def test_only_the_seed_may_change(talk):
    talker = talk(129)
    change = SetParameters.Request(parameters=[Parameter("task", value="push").to_parameter_msg()])
    result = talker.call(SetParameters, "sim_arm_node/set_parameters", change).results[0]
    assert not result.successful
    assert "task takes effect when the node is configured" in result.reason


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cameras": ["top"]}, "unknown table-top camera 'top'; available: front, side, wrist"),
        ({"policy": "scripted", "lockstep": True}, "lockstep waits for trajectories"),
        ({"policy": "dance"}, "policy must be empty, scripted or the file of a saved policy, got 'dance'"),
    ],
)
def test_wrong_parameters_are_told_and_leave_nothing_behind(parameters, message):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=231)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    with pytest.raises(ValueError, match=message):
        SimArmNode(context=context, parameter_overrides=overrides)
    rclpy.try_shutdown(context=context)


def test_wrong_parameters_end_the_process_with_one_line():
    command = [sys.executable, "-m", "robo_reward_ros.sim_arm_node", "--ros-args", "-p", "cameras:=[top]"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "ROS_DOMAIN_ID": "231"}
    ended = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "sim_arm_node: unknown table-top camera 'top'; available: front, side, wrist" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_everything_is_in_the_arms_namespace_and_in_the_table_of_ports(talk):
    talker = talk(130, namespace="left")
    talker.reset()
    talker.sets(1)
    ports = {
        name.replace("NAME", "front").replace("~", "sim_arm_node")
        for way, name, *_ in SIM_ARM_PORTS
        if way == "publishes"
    }
    of_ros = ("/rosout", "/parameter_events")
    published = {
        name.removeprefix("/left/")
        for name, _ in talker.client.get_publisher_names_and_types_by_node("sim_arm_node", "/left")
        if name not in of_ros
    }
    assert published == ports - {"/clock", "/tf"} or "tf2_msgs" in sys.modules


def test_transforms_lead_from_the_base_to_the_tool_and_to_every_camera(talk):
    talker = talk(131, cameras=["front", "wrist"])
    moment = talker.arm.arm.snapshot()
    transforms = transform_messages(moment, stamp=talker.client.get_clock().now().to_msg())
    assert [each.child_frame_id for each in transforms] == ["tool", "front_optical_frame", "wrist_optical_frame"]
    assert {each.header.frame_id for each in transforms} == {"base"}
    at = transforms[0].transform.translation
    assert np.allclose([at.x, at.y, at.z], moment.observation[:3])
