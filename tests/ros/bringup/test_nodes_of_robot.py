"""From a robot and arguments to nodes: what starts, where it listens, and what is refused before anything starts."""

import json
import shlex
from pathlib import Path

import pytest
import yaml
from robo_reward_bringup.launch_arguments import arguments_of, complete, read_words
from robo_reward_bringup.node_description import NodeDescription, yaml_of
from robo_reward_bringup.nodes_of_robot import PROFILE_VARIABLES, activator, bring_up, together, transport
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.shares import robot_names, robot_path, transport_profile

MODEL = {"reward_model": "/home/me/fitted"}


def described(robot: str, *, environment=None, **given: str):
    return bring_up(read_robot(robot_path(robot)), MODEL | given, environment=environment or {})


@pytest.mark.parametrize("robot", robot_names())
def test_every_robot_comes_up_with_one_argument(robot):
    found = described(robot)
    names = [node.full_name for node in found.nodes]
    assert names[-2:] == ["/reward_node", "/gate_node"]
    reward = found.node("/reward_node")
    assert reward.parameters["reward_model"] == "/home/me/fitted"
    assert len(reward.parameters["cameras"]) == len(reward.parameters["image_topics"])
    assert reward.lifecycle
    assert [node.lifecycle for node in found.nodes].count(True) == 1


@pytest.mark.parametrize("robot", ["ur5e", "franka", "xarm7"])
def test_a_relay_tells_both_nodes_whether_a_real_robot_may_go_on(robot):
    found = described(robot)
    relay = found.node("/robot_ok_relay")
    assert relay.parameters["conditions"] == read_robot(robot_path(robot)).robot_ok
    for name in ("reward_node", "gate_node"):
        node = found.node(f"/{name}")
        assert node.parameters["use_robot_ok"]
        assert node.parameters["robot_ok_timeout"] == 1.0, "a dead relay must be noticed"
        assert node.remappings[f"{name}/robot_ok"] == "robot_ok"


def test_heed_robot_off_leaves_the_relay_out():
    found = described("ur5e", heed_robot="false")
    assert [node.name for node in found.nodes] == ["reward_node", "gate_node"]
    assert "use_robot_ok" not in found.node("/reward_node").parameters


def test_a_robot_that_says_nothing_is_not_heeded():
    assert "use_robot_ok" not in described("so101").node("/reward_node").parameters


def test_the_simulated_arm_is_the_clock_where_the_others_follow_one():
    found = described("sim_arm", use_sim_time="true")
    assert (
        found.node("/sim_arm_node").parameters | {"publish_clock": True, "use_sim_time": False}
        == found.node("/sim_arm_node").parameters
    )
    assert found.node("/reward_node").parameters["use_sim_time"]
    assert found.node("/gate_node").parameters["use_sim_time"]


def test_a_namespace_moves_every_node_and_no_topic_is_absolute():
    found = described("ur5e", namespace="left")
    assert [node.full_name for node in found.nodes] == ["/left/robot_ok_relay", "/left/reward_node", "/left/gate_node"]
    assert not any(topic.startswith("/") for topic in found.node("/left/reward_node").parameters["image_topics"])
    assert described("ur5e", namespace="/left/").nodes[0].full_name == "/left/robot_ok_relay"


def test_two_arms_come_up_together_in_namespaces_of_their_own():
    both = together([described("ur5e", namespace="left"), described("ur5e", namespace="right")])
    names = [node.full_name for node in both.nodes]
    assert len(set(names)) == len(names) == 6
    with pytest.raises(ValueError, match="two nodes have one name: .*give each arm a namespace of its own"):
        together([described("ur5e"), described("ur5e")])


def test_a_cameras_topic_can_be_given():
    parameters = described("ur5e", front_topic="cam/image_raw/compressed").node("/reward_node").parameters
    assert parameters["image_topics"] == ("cam/image_raw/compressed", "cameras/wrist/color/image_raw")


def test_any_topic_and_service_can_be_renamed_by_its_own_name():
    found = described("ur5e", **{"reward_node/reward": "/left/stamped", "reward": "/reward"})
    for name in ("/reward_node", "/gate_node"):  # the gate must go on hearing what it judges
        assert found.node(name).remappings["reward_node/reward"] == "/left/stamped"
    assert found.node("/reward_node").remappings["reward"] == "/reward"


def test_what_is_said_last_counts_robot_file_then_parameter_file_then_argument(tmp_path):
    path = tmp_path / "rewards.yaml"
    path.write_text("/**/reward_node: {ros__parameters: {sync_tolerance: 0.5, discount: 0.9, max_age: 3}}")
    assert described("ur5e").node("/reward_node").parameters["sync_tolerance"] == 0.02
    found = described("ur5e", params_file=str(path), discount="0.95").node("/reward_node").parameters
    assert (found["sync_tolerance"], found["discount"]) == (0.5, 0.95)
    assert found["max_age"] == 3.0
    assert isinstance(found["max_age"], float), "ROS takes no integer for a double"


def test_an_empty_list_is_left_to_the_nodes_default_since_ros_cannot_be_told_one():
    assert "optional_cameras" not in described("ur5e", optional_cameras="[]").node("/reward_node").parameters


def test_the_gate_expects_the_discount_that_the_reward_node_has():
    assert described("ur5e").node("/gate_node").parameters["discount"] == 0.99
    assert described("ur5e", discount="0.9").node("/gate_node").parameters["discount"] == 0.9
    assert described("ur5e", **{"gate_node.discount": "0.0"}).node("/gate_node").parameters["discount"] == 0.0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"discont": "1"}, "robot ur5e has no argument 'discont': do you mean discount"),
        ({"xyzzyx": "1"}, "robot ur5e has no argument 'xyzzyx': --show-args tells which there are"),
        ({"discount": "2.0"}, r"reward_node: discount must be in \[1e-06, 1\], got 2"),
        ({"discount": "high"}, "reward_node: discount must be of type double, got 'high'"),
        ({"gate_node.max_age": "0.0"}, r"gate_node: max_age must be in \[0.001, 60\], got 0"),
        ({"shaping": "cubic"}, "shaping must be one of linear, exponential, sigmoid; got 'cubic'"),
        ({"log_level": "loud"}, "log_level must be one of debug, info, warn, error, fatal; got 'loud'"),
        ({"respawn": "perhaps"}, "respawn must be true or false, got 'perhaps'"),
        ({"respawn_delay": "soon"}, "respawn_delay must be a number of seconds, got 'soon'"),
        ({"use_sim_time": "1"}, "use_sim_time must be true or false, got '1'"),
        ({"dds_profile": "/no/such.xml"}, "dds_profile must be large_images, none or the path of an XML file"),
        ({"params_file": "/no/such.yaml"}, "params_file /no/such.yaml cannot be read"),
        ({"rig": "/no/rig.yaml", "publish_rig": "true"}, "rig /no/rig.yaml cannot be read"),
        ({"publish_rig": "true"}, "publish_rig: name the rig, too: rig:=RIG.yaml"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(given, problem):
    with pytest.raises(ValueError, match=problem):
        described("ur5e", **given)


def test_an_unknown_parameter_of_a_file_is_told_with_its_file_and_what_is_near(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("reward_node: {ros__parameters: {sync_tolerence: 0.1}}")
    with pytest.raises(
        ValueError, match=r"params_file .*p.yaml: reward_node has no parameter 'sync_tolerence': do you"
    ):
        described("ur5e", params_file=str(path))


def test_start_cameras_starts_the_drivers_where_the_reward_node_listens():
    found = described("ur5e", start_cameras="true", namespace="left")
    front = found.node("/left/cameras/front")
    assert (front.package, front.executable) == ("realsense2_camera", "realsense2_camera_node")
    # realsense2_camera publishes <node>/color/image_raw
    assert "cameras/front/color/image_raw" in found.node("/left/reward_node").parameters["image_topics"]
    with pytest.raises(ValueError, match="start_cameras: the file of robot so101 names no driver"):
        described("so101", start_cameras="true")
    with pytest.raises(FileNotFoundError, match="realsense2_camera is not installed"):
        front.command()


def test_a_rigs_cameras_become_static_transforms(tmp_path):
    rig = """
format: robo_reward rig 1
units: {length: m, image: px}
base_frame: base
measured: nan
cameras:
  observation.images.front:
    {width: 640, height: 480, focal_x: 600, focal_y: 600, centre_x: 320, centre_y: 240, distortion: [],
     pose: {parent: base, child: front, translation: [0.5, 0, 1], quaternion_wxyz: [0, 1, 0, 0]}}
"""
    (tmp_path / "rig.yaml").write_text(rig)
    found = described("ur5e", rig=str(tmp_path / "rig.yaml"), publish_rig="true")
    infos = ("cameras/front/color/camera_info", "cameras/wrist/color/camera_info")
    assert found.node("/reward_node").parameters["camera_info_topics"] == infos, (
        "a moved camera or lens must be noticed"
    )
    node = found.node("/transform_of_front")
    assert (node.package, node.executable) == ("tf2_ros", "static_transform_publisher")
    words = dict(zip(node.arguments[::2], node.arguments[1::2], strict=True))
    assert (words["--frame-id"], words["--child-frame-id"]) == ("base", "front_rig_optical_frame")
    assert [float(words[f"--{key}"]) for key in ("x", "y", "z", "qx", "qy", "qz", "qw")] == [0.5, 0, 1, 1, 0, 0, 0]


def test_large_pictures_pass_unless_the_user_has_a_profile_already(tmp_path):
    profile = str(transport_profile())
    assert transport("large_images", {}) == dict.fromkeys(PROFILE_VARIABLES, profile)
    assert transport("large_images", {PROFILE_VARIABLES[1]: "/mine.xml"}) == {}
    assert transport("none", {}) == {}
    (tmp_path / "mine.xml").write_text("<dds/>")
    assert set(transport(str(tmp_path / "mine.xml"), {}).values()) == {str(tmp_path / "mine.xml")}


def test_a_command_hands_ros_every_value_with_its_type():
    node = NodeDescription(
        package="p",
        executable="e",
        module="p.e",
        name="n",
        namespace="/left",
        parameters={"a": True, "b": 1.0, "c": "on", "d": ("x", "1"), "e": 3, "f": "γ: [it's]"},
        remappings={"reward": "/reward"},
        arguments=("--x",),
        log_level="warn",
    )
    words = node.command(python="python")
    assert words[:9] == ["python", "-m", "p.e", "--x", "--ros-args", "-r", "__node:=n", "-r", "__ns:=/left"]
    assert words[9:11] == ["-r", "reward:=/reward"]
    assert words[-2:] == ["--log-level", "warn"]
    told = {word.split(":=", 1)[0]: word.split(":=", 1)[1] for word in words if word[:1] in "abcdef" and ":=" in word}
    assert {name: yaml.safe_load(value) for name, value in told.items()} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in node.parameters.items()
    }
    assert shlex.split(node.shell()) == words


@pytest.mark.parametrize("value", [True, 3, 1.0, "on", "", "a: b", ("x",), "1"])
def test_yaml_keeps_values_and_types(value):
    read = yaml.safe_load(yaml_of(value))
    assert read == (list(value) if isinstance(value, tuple) else value)
    assert type(read) is (list if isinstance(value, tuple) else type(value))
    assert json.loads(yaml_of(value)) == read


def test_an_activator_knows_whom_it_activates():
    node = described("ur5e", namespace="left", log_level="debug").node("/left/reward_node")
    assert not node.secured
    helper = activator(node, timeout=7.0)
    assert helper.parameters == {"node": "/left/reward_node", "timeout": 7.0}
    assert (helper.full_name, helper.respawn, helper.log_level) == ("/left/activate_reward_node", False, "debug")


def test_nodes_can_be_started_in_their_enclaves():
    node = described("ur5e", namespace="left", enclaves="true").node("/left/reward_node")
    assert node.command()[-2:] == ["--enclave", "/robo_reward/left/reward_node"]
    assert activator(node, timeout=1.0).command()[-1] == "/robo_reward/left/activate_reward_node"


def test_a_policy_starts_where_one_is_named_and_does_not_act_again_after_its_death():
    given = {"policy_node.policy": "reach.zip", "policy_node.robot": "arm.yaml"}
    node = described("sim_arm", **given).node("/policy_node")
    assert (node.parameters["policy"], node.parameters["robot"], node.respawn) == ("reach.zip", "arm.yaml", True)
    assert not described("sim_arm", **given, **{"policy_node.enabled": "true"}).node("/policy_node").respawn
    with pytest.raises(ValueError, match="name what its actions do, too: policy_node.robot:=ROBOT.yaml"):
        described("sim_arm", **{"policy_node.policy": "reach.zip"})
    with pytest.raises(ValueError, match="it waits for the gate: gate:=true, or policy_node.use_gate:=false"):
        described("sim_arm", **given, gate="false")


def test_every_argument_has_a_meaning_and_a_name_of_its_own():
    for robot in robot_names():
        arguments = arguments_of(read_robot(robot_path(robot)))
        names = [each.name for each in arguments]
        assert sorted(set(names)) == sorted(names)
        assert all(each.doc for each in arguments)
        for needed in ("namespace", "params_file", "log_level", "use_sim_time", "respawn", "image_reliability"):
            assert needed in names


def test_arguments_are_words_of_one_form_and_said_once():
    assert read_words(["a:=1", "b:=x:=y", "c:="]) == {"a": "1", "b": "x:=y", "c": ""}
    with pytest.raises(ValueError, match="'a=1' is no argument: arguments have the form name:=value"):
        read_words(["a=1"])
    with pytest.raises(ValueError, match="a is given twice: '1' and '2'"):
        read_words(["a:=1", "a:=2"])


def test_what_is_not_said_has_its_default():
    robot = read_robot(Path(robot_path("ur5e")))
    assert complete(robot, {})["respawn"] == "true"
    assert complete(robot, {"respawn": "false"})["respawn"] == "false"
