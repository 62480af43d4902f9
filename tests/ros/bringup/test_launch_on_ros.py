"""A launch file on an installation of ROS: up, active, killed, active again. Run before each release.

Without one (wheels hold no `launch`) it is skipped: test_bring_up_over_dds starts the same description, and
test_launch_files holds the launch files to it.
"""

import os
import subprocess
import unittest
from time import monotonic, sleep

import pytest

pytest.importorskip("launch_testing", reason="ros2 launch comes with an installation of ROS, not as a wheel")
pytest.importorskip("launch_ros", reason="ros2 launch comes with an installation of ROS, not as a wheel")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_testing.actions import ReadyToTest
from robo_reward_bringup.shares import share
from ros_bench import Talker

TALKER = Talker(160)


@pytest.mark.launch_test
def generate_test_description():
    source = PythonLaunchDescriptionSource(str(share() / "launch" / "sim_arm.launch.py"))
    arguments = {
        "reward_model": "prompt_similarity",
        "overrides": "encoder=embedded,'reward_model.goal=[the ball is reached]','reward_model.baseline=[a ball]'",
        "instruction": "reach the ball",
    }
    return LaunchDescription(
        [
            SetEnvironmentVariable("ROS_DOMAIN_ID", str(TALKER.domain)),
            IncludeLaunchDescription(source, launch_arguments=arguments.items()),
            ReadyToTest(),
        ]
    )


def active_within(seconds: float) -> bool:
    end = monotonic() + seconds
    while monotonic() < end:
        if TALKER.state == "active":
            return True
        sleep(0.2)
    return False


class TestLaunched(unittest.TestCase):
    """unittest, since launch_testing asks for it."""

    @classmethod
    def tearDownClass(cls):
        TALKER.close()

    def test_the_reward_node_becomes_active_and_again_after_its_death(self):
        assert active_within(60)
        found = subprocess.run(
            ["pgrep", "-f", "robo_reward_ros/reward_node"], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout.split()[0]), 9)
        sleep(2)
        assert active_within(30)
