"""The node `policy_node`: a policy moves the arm while all is well, and has it hold otherwise."""

import math
import re
import signal
from pathlib import Path
from threading import Condition, Event
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool

from robo_reward_ros.policy_guard import PolicyGuard, PolicyLimits
from robo_reward_ros.policy_loading import load_policy
from robo_reward_ros.policy_parameters import POLICY_PARAMETERS
from robo_reward_ros.robot_env_arm import ArmPort
from robo_reward_ros.robot_env_settings import RobotSettings, read_robot
from robo_reward_ros.ros_lifecycle import LATCHED, STEADY, NodeClocks, declare, values

LOCKSTEP_PERIOD = 0.005  # how often a simulation in lockstep is asked whether it has moved [s]


class PolicyNode(Node):
    """Commands what a policy says, once in every `action_duration`; its parameters are `POLICY_PARAMETERS`.

    The safe state is to hold: where the arm was commanded to be, repeated, so that it does not creep. The arm holds
    while nobody has enabled the policy, the robot does not say that it is well, a part of the observation is missing or
    old, the gate is not open, or the policy fails or gives no finite numbers; `~/state` says which.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("policy_node", **options)
        self._running = False
        declare(self, POLICY_PARAMETERS, configured=lambda: self._running, changed=lambda: None)
        given = values(self, POLICY_PARAMETERS)
        self._robot, _ = read_robot(Path(given["robot"]))
        if self._robot.use_sim_time:
            self.set_parameters([Parameter("use_sim_time", value=True)])
        self._policy = load_policy(given["policy"], given["policy_arguments"])
        self._guard = PolicyGuard(_limits(given, self._robot), enabled=given["enabled"])
        self._clocks = NodeClocks(self)
        self._arm = ArmPort(self, self._robot, changed=Condition())
        self._said = ""
        self._state = self.create_publisher(String, "~/state", LATCHED)
        self.create_service(SetBool, "~/enable", self._on_enable)
        if given["use_gate"]:
            self.create_subscription(Bool, given["gate_topic"], self._on_gate, LATCHED)
        if self._robot.robot_ok_topic:
            self.create_subscription(Bool, self._robot.robot_ok_topic, self._on_robot, LATCHED)
        if self._robot.lockstep:
            self.create_timer(LOCKSTEP_PERIOD, self._on_lockstep, clock=STEADY)
        else:  # on the clock of the node: while a simulator's time stands still nothing is commanded
            self.create_timer(self._robot.action_duration, self._act)
        self._running = True

    def hold(self) -> None:
        """Command the arm to stay where it was commanded to be."""
        if not self._arm.missing:
            self._arm.hold(self._robot.steps_per_action)

    def end(self) -> None:
        """Have the arm hold, for the last time."""
        self.hold()
        self._arm.delivered(1.0)

    def _on_lockstep(self) -> None:
        if self._arm.came:
            self._arm.expect()
            self._act()

    def _act(self) -> None:
        stamp_ns, lockstep = self._arm.oldest_ns, self._robot.lockstep
        age = math.nan if stamp_ns is None else (self._clocks.now_ns() - stamp_ns) * 1e-9
        objection = self._guard.objection(
            observation_age=0.0 if lockstep and stamp_ns is not None else age,
            missing=", ".join(self._arm.missing),
            now=self._clocks.steady(),
        )
        chunk = None
        if not objection:
            chunk, objection = self._asked()
        self._say(f"holding: {objection}" if objection else "acting")
        if chunk is not None:
            self._arm.act(chunk)
        else:
            self.hold()

    def _asked(self) -> tuple[np.ndarray | None, str]:
        """Ask the policy; a policy that cannot be trusted does not end the node, it has the arm hold."""
        shape = (self._robot.steps_per_action, self._robot.actions.size)
        try:
            action = np.asarray(self._policy(self._arm.observation()), np.float64)
        except (ValueError, TypeError, RuntimeError) as error:
            return None, f"the policy failed: {error}"
        if action.size != shape[0] * shape[1] or not np.isfinite(action).all():
            return None, f"the policy gave {action.tolist()}, wanted are {shape[0]} x {shape[1]} finite numbers"
        return action.reshape(shape), ""

    def _say(self, state: str) -> None:
        kind = re.sub(r"[\d.]+", "", state)  # ages differ from one moment to the next
        if kind != self._said:
            self.get_logger().info(state)
            self._state.publish(String(data=state))
            self._said = kind

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._guard.enabled = request.data
        if not request.data:
            self._arm.forget_command()
        response.success, response.message = True, "enabled" if request.data else "disabled: the arm holds"
        return response

    def _on_gate(self, message: Bool) -> None:
        self._guard.gate_said(is_open=message.data, now=self._clocks.steady())

    def _on_robot(self, message: Bool) -> None:
        self._guard.robot_said(ok=message.data, now=self._clocks.steady())


def _limits(given: dict[str, Any], robot: RobotSettings) -> PolicyLimits:
    return PolicyLimits(
        max_observation_age=robot.max_state_age,
        heed_gate=given["use_gate"],
        gate_timeout=given["gate_timeout"],
        heed_robot=bool(robot.robot_ok_topic),
        robot_timeout=robot.robot_ok_timeout,
    )


def main() -> None:
    """Run the node until it is told to stop; the last thing that it says is that the arm shall hold."""
    # rclpy's own handlers would end the context before the arm is told
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stopped = Event()
    for told_to_end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told_to_end, lambda *_: stopped.set())
    executor = SingleThreadedExecutor()
    node = PolicyNode()
    executor.add_node(node)
    try:
        while not stopped.is_set():
            executor.spin_once(timeout_sec=0.1)
        node.end()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
