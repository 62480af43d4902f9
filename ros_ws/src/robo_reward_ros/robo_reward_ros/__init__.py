"""Reward models as ROS 2 nodes: pure parts that know no ROS, and thin nodes (`*_node.py`, `ros_*.py`) over them."""
