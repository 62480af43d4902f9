"""A reward node and its gate beside your robot."""

from launch import LaunchDescription
from robo_reward_bringup.launch_actions import launch_any


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return launch_any()
