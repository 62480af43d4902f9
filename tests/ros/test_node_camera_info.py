"""CameraInfo against the rig, over real DDS: no reward until they agree, and a clean lifecycle state in any case."""

import math

import pytest
from key_point_plans import table_rig
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from robo_reward_msgs.msg import RewardStamped
from ros_bench import Bench, watch
from sensor_msgs.msg import CameraInfo

from robo_reward.camera.camera_info import camera_info_from_intrinsics
from robo_reward.camera.rig_file import write_rig

bench = ros_bench.bench
RIG = table_rig(width=64, height=48)
PARAMETERS = {"cameras": ["top"], "image_topics": ["camera/image_raw"], "camera_info_topics": ["camera/camera_info"]}


@pytest.fixture
def rig(tmp_path):
    write_rig(RIG, tmp_path / "rig.yaml")
    return {"rig": str(tmp_path / "rig.yaml")}


def info(**changes) -> CameraInfo:
    fields = camera_info_from_intrinsics(RIG.camera("top").intrinsics) | changes
    fields.pop("roi")
    return CameraInfo(**fields)


def test_no_reward_before_the_camera_has_told_that_it_agrees_with_the_rig(bench, rig):
    live = bench(**PARAMETERS, **rig)
    publisher = live.client.create_publisher(CameraInfo, "camera/camera_info", 1)
    until(publisher.get_subscription_count, seconds=10)
    watch(live, 0.1, 0.2)
    until(lambda: "nothing has come on camera/camera_info" in live.rewards[-1].reason)
    assert live.rewards[-1].status == RewardStamped.WARMUP
    assert live.values == []
    publisher.publish(info())
    good(live)
    until(lambda: live.info)
    assert (live.info[0].rig, live.info[0].poses, live.info[0].header.frame_id) == (rig["rig"], "rig", "world")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"k": [math.nan] * 9}, "camera_info of 'top': the camera is not calibrated: k must be 9 finite numbers"),
        ({"k": [0.0] * 9}, "camera_info of 'top': the camera is not calibrated: k is"),
        ({"width": 32, "height": 24}, "camera_info of 'top': its pictures are 32 x 24 px, the rig"),
    ],
)
def test_a_camera_that_contradicts_the_rig_gives_no_reward_until_it_agrees(bench, rig, wrong, text):
    live = bench(**PARAMETERS, **rig)
    publisher = live.client.create_publisher(CameraInfo, "camera/camera_info", 1)
    until(publisher.get_subscription_count, seconds=10)
    publisher.publish(info(**wrong))
    until(lambda: live.rewards and live.rewards[-1].status == RewardStamped.FAULT)
    assert live.rewards[-1].reason.startswith(text)
    watch(live, 0.1, 0.2)
    assert live.values == []
    assert live.state == "active"
    publisher.publish(info())
    good(live)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "camera_info_topics are checked against a rig, and there is none: name its file by rig"),
        ({"rig": "/nowhere/rig.yaml"}, "rig /nowhere/rig.yaml cannot be read"),
        ({"camera_info_topics": ["a", "b"]}, "camera_info_topics must be empty or have one entry for each of ['top']"),
        ({"rig": "RIG", "camera_frames": ["f"], "camera_poses": "tf"}, "camera_poses=tf: "),
        ({"rig": "RIG", "camera_poses": "tf"}, "camera_poses=tf needs camera_frames"),
        ({"camera_info_topics": [], "camera_frames": ["f"]}, "camera_frames and camera_poses=tf change the poses"),
        (
            {"rig": "RIG", "cameras": ["front"]},
            "the rig has no camera 'front'; its cameras: side, top",
        ),
    ],
)
def test_geometry_that_makes_no_sense_is_refused_when_it_is_configured(bench, rig, capfd, given, text):
    given = {**PARAMETERS, **given} | ({"rig": rig["rig"]} if given.get("rig") == "RIG" else {})
    live, told = bench(begin=False, **given, tf_timeout=0.1), []
    assert not live.change("configure")
    assert live.state == "unconfigured"
    until(lambda: text in (told.append(capfd.readouterr().err) or "".join(told)))


def test_without_tf_the_rigs_own_poses_are_used_and_it_is_said(bench, rig, capfd):
    live, told = bench(**PARAMETERS, **rig, camera_frames=["top_optical_frame"], tf_timeout=0.1), []
    until(lambda: "the rig's own poses of the cameras are used: " in (told.append(capfd.readouterr().err) or told[-1]))
    until(lambda: live.info)
    assert live.info[0].poses == "rig"


def good(live: Bench) -> None:
    """Show pictures until there is a reward."""
    for share in (0.3, 0.4, 0.5, 0.6):
        watch(live, share)
        if live.answered()[-1].status == RewardStamped.OK:
            return
    raise AssertionError(live.answered()[-1].reason)
