"""The bring-up package lies beside the nodes' package; its parts without ROS are tested without ROS."""

import sys
from pathlib import Path

BRINGUP = Path(__file__).resolve().parents[3] / "ros_ws" / "src" / "robo_reward_bringup"
sys.path.insert(0, str(BRINGUP))
