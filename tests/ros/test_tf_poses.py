"""Poses of cameras from TF. No wheel has tf2_ros: a module with the few names that are used stands in for it here."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from key_point_plans import table_rig
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from geometry_msgs.msg import TransformStamped

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig_file import read_rig, write_rig

bench = ros_bench.bench
MOVED = Pose.from_quaternion_wxyz(np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.5, 0.5, 0.5]))
PARAMETERS = {"cameras": ["top"], "image_topics": ["camera/image_raw"], "camera_frames": ["top_optical"]}


def transform(pose: Pose) -> TransformStamped:
    told = TransformStamped()
    told.transform.translation.x, told.transform.translation.y, told.transform.translation.z = pose.translation
    turn = told.transform.rotation
    turn.w, turn.x, turn.y, turn.z = pose.quaternion_wxyz
    return told


@pytest.fixture
def tf(monkeypatch, tmp_path):
    """What TF knows: (target frame, source frame) to a transform, from the third time that it is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    known, asked = {("world", "top_optical"): transform(MOVED)}, []

    class Buffer:
        def can_transform(self, target, source, time) -> bool:
            asked.append(source)
            return len(asked) > 2 and (target, source) in known

        def lookup_transform(self, target, source, time) -> TransformStamped:
            return known[target, source]

    class TransformListener:
        def __init__(self, buffer, node, *, spin_thread) -> None:
            assert not spin_thread

        def unregister(self) -> None:
            asked.append("over")

    module = ModuleType("tf2_ros")
    module.Buffer, module.TransformListener = Buffer, TransformListener
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return asked


@pytest.fixture
def rig(tmp_path):
    write_rig(table_rig(width=64, height=48), tmp_path / "rig.yaml")
    return {"rig": str(tmp_path / "rig.yaml")}


def test_cameras_stand_where_tf_says(bench, tf, rig):
    live = bench(**PARAMETERS, **rig)
    until(lambda: live.info)
    assert (live.info[0].poses, tf[-1]) == ("tf", "over")
    geometry = live.node.prepared.geometry
    assert live.info[0].rig == geometry.file != rig["rig"]
    assert np.allclose(read_rig(Path(geometry.file)).camera("top").T_base_camera.matrix, MOVED.matrix)


def test_the_rigs_own_poses_count_where_they_are_asked_for(bench, tf, rig):
    live = bench(**PARAMETERS, **rig, camera_poses="rig")
    until(lambda: live.info)
    assert (live.info[0].rig, live.info[0].poses, tf) == (rig["rig"], "rig", [])


def test_a_transform_that_does_not_come_is_waited_for_and_named(bench, tf, rig, capfd):
    given = PARAMETERS | {"camera_frames": ["elsewhere"], "tf_timeout": 0.2, "camera_poses": "tf"}
    live, told = bench(begin=False, **given, **rig), []
    assert not live.change("configure")
    assert live.state == "unconfigured"
    wanted = "camera_poses=tf: TF has no transform from 'world' to ['elsewhere'] within 0.2 s"
    until(lambda: wanted in (told.append(capfd.readouterr().err) or "".join(told)))
