"""The lifecycle node `reward_node`: ROS in, ROS out; everything else is `RewardCore`."""

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from robo_reward_msgs.msg import RewardModelInfo, RewardStamped
from std_msgs.msg import Float64, Header

from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel, bind_model, use_threads
from robo_reward_ros.node_settings import check_cameras, core_settings, task_settings
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.reward_services import offer_services
from robo_reward_ros.ros_inputs import listen, resolved_topics
from robo_reward_ros.ros_lifecycle import LATCHED, STEADY, NodeClocks, declare, log_verdict, spin, told, values
from robo_reward_ros.ros_messages import diagnostic_message, info_message, reward_message
from robo_reward_ros.warm_up import warm_up

BUSY = 5.0  # how long a model may take to finish when the node is deactivated [s]


class RewardNode(LifecycleNode):
    """Publishes what a reward model says of the cameras; its parameters are `REWARD_PARAMETERS`."""

    def __init__(self, **options: Any) -> None:
        super().__init__("reward_node", **options)
        self._bound: BoundModel | None = None
        self._core: RewardCore | None = None
        self._heard, self._ticking, self._said = [], [], (Status.UNKNOWN, "")
        declare(self, REWARD_PARAMETERS, configured=lambda: self._bound is not None, changed=self._on_parameters)
        self._rewards = self.create_lifecycle_publisher(RewardStamped, "~/reward", 10)
        self._values = self.create_lifecycle_publisher(Float64, "reward", 10)
        self._info = self.create_lifecycle_publisher(RewardModelInfo, "~/info", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        offer_services(self)

    @told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, check its weights, and have it look at black pictures."""
        given = values(self, REWARD_PARAMETERS)
        check_cameras(given)  # before the model is loaded, which may take long
        resolved_topics(self, given)
        use_threads(given["torch_threads"])
        bound = bind_model(task_settings(given))
        warm_up(bound, given["cameras"], size=(given["warm_up_height"], given["warm_up_width"]))
        self._bound, self.given = bound, given
        self.get_logger().info(f"model {bound.model.version} is ready for the task '{bound.goal_id}'")
        return TransitionCallbackReturn.SUCCESS

    @told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and answer."""
        done = super().on_activate(state)  # first: publishers are silent until then
        settings = core_settings(values(self, REWARD_PARAMETERS), session=time.time_ns())
        self._core = RewardCore(self._bound, settings, clocks=NodeClocks(self), publish=self._publish)
        self._heard = listen(self, self._core, self.given)
        self._ticking = [
            self.create_timer(self.given["watchdog_period"], self._on_watchdog, clock=STEADY),
            self.create_timer(self.given["diagnostics_period"], self._on_diagnostics, clock=STEADY),
        ]
        self._publish_info()
        return done

    @told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall silent, then let the model finish what it is at."""
        self._stop()
        return super().on_deactivate(state)

    @told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model; refused while it is still busy."""
        if self._core is not None and not self._core.close(BUSY):
            raise RuntimeError("the model is still busy with a set of pictures; try again when it is done")
        self._core = self._bound = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, from any state."""
        self._stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up everything; the node is unconfigured then."""
        self._stop()
        self._core = self._bound = None
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        if self._core is not None and not self._core.close(BUSY):
            self.get_logger().error(f"the model was still busy after {BUSY:g} s")
        for each in self._heard:
            self.destroy_subscription(each)
        for each in self._ticking:
            self.destroy_timer(each)
        self._heard, self._ticking = [], []

    @property
    def core(self) -> RewardCore:
        """What answers.

        Raises:
            ValueError: The node is not active.
        """
        if self._core is None or not self._ticking:
            raise ValueError("the node is not active")
        return self._core

    def _on_watchdog(self) -> None:
        verdict = self.core.tick()
        if verdict != self._said:
            log_verdict(self.get_logger(), verdict)
        self._said = verdict

    def _on_diagnostics(self) -> None:
        message = diagnostic_message(self.get_fully_qualified_name(), self.core, verdict=self._said)
        self._diagnostics.publish(
            DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()), status=[message])
        )

    def _on_parameters(self) -> None:
        if self._core is not None:
            self._core.allow_spread(self.get_parameter("max_spread").value)

    def set_bound(self, bound: BoundModel) -> None:
        """Note which model answers now, and say so."""
        self._bound = bound
        self._publish_info()

    def _publish_info(self) -> None:
        info = info_message(self._bound, cameras=resolved_topics(self, self.given), given=self.given)
        info.header.stamp = self.get_clock().now().to_msg()
        self._info.publish(info)

    def _publish(self, answer: Answer) -> None:
        self._rewards.publish(reward_message(answer, frame_id=self.given["base_frame"]))
        if answer.status == Status.OK:
            self._values.publish(Float64(data=answer.total_reward))


def main() -> None:
    """Run the node."""
    spin(RewardNode)


if __name__ == "__main__":
    main()
