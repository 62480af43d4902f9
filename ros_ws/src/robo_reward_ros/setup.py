"""An ament_python package; robo_reward itself is installed with pip, as it is no ROS package."""

from setuptools import setup

setup(
    name="robo_reward_ros",
    version="0.1.0",
    packages=["robo_reward_ros"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/robo_reward_ros"]),
        ("share/robo_reward_ros", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "reward_node = robo_reward_ros.reward_node:main",
            "gate_node = robo_reward_ros.gate_node:main",
            "sim_arm_node = robo_reward_ros.sim_arm_node:main",
            "policy_node = robo_reward_ros.policy_node:main",
            "train_robot = robo_reward_ros.train_robot:main",
            "demo_ros = robo_reward_ros.demo_ros:main",
        ]
    },
)
