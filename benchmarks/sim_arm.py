"""Steps per second of the simulated arm in lockstep over DDS: trajectory out, three pictures and the states back.

    python benchmarks/sim_arm.py [--steps 300]      (where rclpy is; see docs/ros)

The node is a process of its own. A step is a trajectory of 0.1 s and the wait for everything that is told of its end.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from machine import machine
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

RESULTS = Path(__file__).parent / "results" / "sim_arm.json"
PACKAGE = Path(__file__).parents[1] / "ros_ws" / "src" / "robo_reward_ros"
CAMERAS = ("front", "side", "wrist")
DOMAIN = 1 + os.getpid() % 200
PATIENCE = 30.0  # [s]


class Commander(Node):
    """Sends trajectories and counts what comes back."""

    def __init__(self, context: rclpy.Context) -> None:
        super().__init__("commander", context=context)
        self.heard: dict[str, Image | JointState] = {}
        for camera in CAMERAS:
            self.create_subscription(Image, f"cameras/{camera}/image_raw", self._keep(camera), 5)
        self.create_subscription(JointState, "joint_states", self._keep("joints"), 5)
        self.commands = self.create_publisher(JointTrajectory, "joint_trajectory", 5)
        self.resetting = self.create_client(Trigger, "sim_arm_node/reset")
        # under another name than the property of rclpy
        self.own_executor = SingleThreadedExecutor(context=context)
        self.own_executor.add_node(self)

    def _keep(self, name: str):  # noqa: ANN202
        return lambda message: self.heard.__setitem__(name, message)

    def until(self, happened) -> None:  # noqa: ANN001
        """Spin until something is so, or give up."""
        end = time.monotonic() + PATIENCE
        while not happened():
            self.own_executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > end:
                raise TimeoutError(f"nothing more came; heard so far: {sorted(self.heard)}")

    def whole(self) -> bool:
        """Say whether a set is complete."""
        return len(self.heard) == len(CAMERAS) + 1

    def step(self, positions: list[float]) -> float:
        """Command the joints, wait for the set, and give how long it took [s]."""
        point = JointTrajectoryPoint(positions=positions, time_from_start=Duration(nanosec=100_000_000))
        self.heard.clear()
        begun = time.perf_counter()
        names = list(self.names)
        self.commands.publish(JointTrajectory(joint_names=names, points=[point]))
        self.until(self.whole)
        return time.perf_counter() - begun

    def begin(self) -> list[float]:
        """Find the node, go to a start, and give the joints' positions there."""
        self.until(lambda: self.resetting.service_is_ready() and self.commands.get_subscription_count() > 0)
        self.until(lambda: all(self.count_publishers(f"cameras/{camera}/image_raw") for camera in CAMERAS))
        time.sleep(1.0)  # the node has to know of our subscriptions, too
        self.resetting.call_async(Trigger.Request())
        self.until(self.whole)
        self.names = self.heard["joints"].name
        return list(self.heard["joints"].position)


def measure(steps: int) -> dict[str, float]:
    """Run the node, move the arm to and fro, and give the figures."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    commander = Commander(context)
    start = np.array(commander.begin())
    begun = time.perf_counter()
    took = [commander.step((start + 0.02 * np.sin(0.3 * number)).tolist()) for number in range(steps)]
    rate = steps / (time.perf_counter() - begun)
    commander.destroy_node()
    rclpy.try_shutdown(context=context)
    percentiles = np.percentile(took, [95, 99]) * 1e3
    return {
        "steps_per_second": round(rate, 1),
        "step_ms_p50": round(statistics.median(took) * 1e3, 1),
        "step_ms_p95": round(float(percentiles[0]), 1),
        "step_ms_p99": round(float(percentiles[1]), 1),
    }


def main() -> None:
    """Start the node, measure, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    parameters = {"lockstep": "true", "publish_clock": "true", "width": 112, "height": 112}
    arguments = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    node = subprocess.Popen(
        [sys.executable, "-m", "robo_reward_ros.sim_arm_node", "--ros-args", *arguments],
        env=os.environ | {"ROS_DOMAIN_ID": str(DOMAIN), "PYTHONPATH": path},
    )
    try:
        figures = measure(steps)
    finally:
        node.kill()
        node.wait()
    load = [round(each, 1) for each in os.getloadavg()]
    report = {"machine": machine() | {"load_average": load}, "cameras": len(CAMERAS), "pixels": 112, **figures}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
