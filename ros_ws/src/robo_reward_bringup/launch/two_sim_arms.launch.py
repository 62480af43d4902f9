"""Two simulated arms in the namespaces left and right."""

from launch import LaunchDescription
from robo_reward_bringup.launch_actions import launch_arms


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return launch_arms("sim_arm", ("left", "right"))
