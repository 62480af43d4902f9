"""A reward node and its gate beside a UR5e with RealSense cameras."""

from launch import LaunchDescription
from robo_reward_bringup.launch_actions import launch_robot


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return launch_robot("ur5e")
