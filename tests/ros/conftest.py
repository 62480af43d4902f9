"""The nodes' package lies beside the library, where colcon wants it; its parts without ROS are tested without ROS."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ros_ws" / "src" / "robo_reward_ros"))
sys.path.insert(0, str(Path(__file__).parent))

# only where ROS is: doctest looks into every file
collect_ignore = [] if find_spec("rclpy") and find_spec("robo_reward_msgs") else ["ros_bench.py"]
