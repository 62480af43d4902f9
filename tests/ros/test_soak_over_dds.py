"""A short soak of the reward node as a process, over real DDS: `benchmarks/ros_soak.py` is the long one."""

import os

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from ros_soak import soak
from soak_faults import FAULTS


@pytest.mark.slow
def test_a_node_outlives_every_fault_of_cameras_clocks_and_people():
    done = soak(1500, good_sets=30, lasting=0.5, say=False)
    assert done["alive_at_the_end"]
    assert done["faults"] >= len(FAULTS)
    assert done["laws_broken"] == []
    assert done["forbidden_rewards"] == 0
    # a second, on cores that nobody shares; as many times that as there are others at work for each core
    assert done["slowest_recovery_s"] < max(1.0, done["load_after"] / (os.cpu_count() or 1))
