"""The nodes' package lies beside the library, where colcon wants it; its parts without ROS are tested without ROS."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ros_ws" / "src" / "robo_reward_ros"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ros_ws" / "src" / "robo_reward_bringup"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))  # the soak's faults are tests, too

# only where ROS is: doctest looks into every file
collect_ignore = (
    [] if find_spec("rclpy") and find_spec("robo_reward_msgs") else ["green_arm.py", "ros_bench.py", "sim_arm_bench.py"]
)


@pytest.fixture
def robot():
    """Builds cores with their clocks; closes them."""
    from core_robot import Robot

    made = []

    def make(model=None, **changes) -> Robot:
        made.append(Robot(model, **changes))
        return made[-1]

    yield make
    for each in made:
        each.core.close(5)
