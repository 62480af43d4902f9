"""The node `gate_node`: stamped rewards in, only good ones out, and whether it is safe to go on."""

from typing import Any

from rclpy.node import Node
from robo_reward_msgs.msg import RewardStamped
from std_msgs.msg import Bool, Float64

from robo_reward_ros.gate_parameters import GATE_PARAMETERS, gate_limits
from robo_reward_ros.reward_gate import RewardGate
from robo_reward_ros.ros_lifecycle import LATCHED, STEADY, NodeClocks, declare, spin, values
from robo_reward_ros.ros_messages import answer_of_message, reward_message


class GateNode(Node):
    """Publishes rewards that pass a `RewardGate`; its parameters are `GATE_PARAMETERS`, fixed at the start.

    `~/open` is published periodically: a controller that does not hear true for some periods, because the gate is
    closed or dead, must go to its safe state.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("gate_node", **options)
        self._running = False
        declare(self, GATE_PARAMETERS, configured=lambda: self._running, changed=lambda: None)
        given = values(self, GATE_PARAMETERS)
        self._gate, self._clocks, self._was_open = RewardGate(gate_limits(given)), NodeClocks(self), False
        self._running = True
        self._stamped = self.create_publisher(RewardStamped, "~/reward", 10)
        self._values = self.create_publisher(Float64, "~/value", 10)
        self._open = self.create_publisher(Bool, "~/open", LATCHED)
        self.create_subscription(RewardStamped, given["reward_topic"], self._on_reward, 10)
        if given["use_robot_ok"]:
            self.create_subscription(Bool, "~/robot_ok", self._on_robot, LATCHED)
        self.create_timer(given["watchdog_period"], self._on_watchdog, clock=STEADY)

    @property
    def gate(self) -> RewardGate:
        """What judges."""
        return self._gate

    def _on_reward(self, message: RewardStamped) -> None:
        try:
            answer = answer_of_message(message)
        except ValueError as error:
            self.get_logger().warning(f"a message that contradicts itself: {error}", throttle_duration_sec=5.0)
            return
        passes = self._gate.passes(answer, now_ns=self._clocks.now_ns(), now=self._clocks.steady())
        cut = self._gate.cut()
        if cut is not None:
            self._stamped.publish(reward_message(cut, frame_id=message.header.frame_id))
        if passes:
            self._stamped.publish(message)
            self._values.publish(Float64(data=answer.total_reward))
        self._on_watchdog()

    def _on_robot(self, message: Bool) -> None:
        self._gate.robot_said(ok=message.data, now=self._clocks.steady())
        self._on_watchdog()

    def _on_watchdog(self) -> None:
        is_open = self._gate.open(now=self._clocks.steady())
        if is_open != self._was_open:
            counts = ", ".join(f"{reason} {count}" for reason, count in self._gate.refused.items()) or "nothing"
            self.get_logger().info(f"the gate is {'open' if is_open else 'closed'}; refused so far: {counts}")
        self._was_open = is_open
        self._open.publish(Bool(data=is_open))


def main() -> None:
    """Run the node."""
    spin(GateNode)


if __name__ == "__main__":
    main()
