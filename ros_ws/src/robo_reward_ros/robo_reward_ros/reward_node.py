"""The lifecycle node `reward_node`: ROS in, ROS out; everything else is `RewardCore`."""

import time
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from robo_reward_ros.evaluate_action import offer_evaluation
from robo_reward_ros.preparation import Prepared, prepare
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.reward_publishers import RewardPublishers
from robo_reward_ros.reward_services import offer_services
from robo_reward_ros.reward_session import RewardSession
from robo_reward_ros.ros_lifecycle import declare, spin, survive_wrong_transitions, told, values

BUSY = 5.0  # how long a model may take to finish when the node is deactivated [s]


class RewardNode(LifecycleNode):
    """Publishes what a reward model says of the cameras; its parameters are `REWARD_PARAMETERS`."""

    def __init__(self, **options: Any) -> None:
        super().__init__("reward_node", **options)
        survive_wrong_transitions(self)
        self._prepared: Prepared | None = None
        self._session: RewardSession | None = None
        self._refused: dict[str, str] = {}
        declare(
            self,
            REWARD_PARAMETERS,
            configured=lambda: self._prepared is not None,
            changed=self._on_parameters,
            refused=self._refused,
        )
        self._voices = RewardPublishers(self)
        offer_services(self)
        self._evaluation = offer_evaluation(self)

    @told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, check its weights, and have it look at black pictures."""
        if self._refused:
            raise ValueError("; ".join(self._refused.values()))
        self._prepared = prepare(self, values(self, REWARD_PARAMETERS))
        bound = self._prepared.bound
        self.get_logger().info(f"model {bound.model.version} is ready for the task '{bound.goal_id}'")
        return TransitionCallbackReturn.SUCCESS

    @told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and answer."""
        done = super().on_activate(state)  # first: publishers are silent until then
        given = {**self.prepared.given, "max_spread": self.get_parameter("max_spread").value}
        prepared = self.prepared.with_given(given)
        self._session = RewardSession(self, prepared, self._voices, number=time.time_ns())
        return done

    @told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall silent, then let the model finish what it is at."""
        self._stop()
        return super().on_deactivate(state)

    @told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model; refused while it is still busy."""
        if self._session is not None and not self._session.close(BUSY):
            raise RuntimeError("the model is still busy with a set of pictures; try again when it is done")
        self._session = self._prepared = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, from any state."""
        self._stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up everything; the node is unconfigured then."""
        self._stop()
        self._session = self._prepared = None
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Let the model finish before what it publishes with is gone."""
        self._stop()
        super().destroy_node()

    @property
    def prepared(self) -> Prepared:
        """What was configured.

        Raises:
            ValueError: The node is not configured.
        """
        if self._prepared is None:
            raise ValueError("the node is not configured")
        return self._prepared

    @property
    def session(self) -> RewardSession:
        """What answers.

        Raises:
            ValueError: The node is not active.
        """
        if self._session is None or self._session.closed:
            raise ValueError("the node is not active")
        return self._session

    @property
    def core(self) -> RewardCore:
        """What answers, without ROS.

        Raises:
            ValueError: The node is not active.
        """
        return self.session.core

    def note_bound(self, session: RewardSession) -> None:
        """Keep what a session's model was bound to, for the next activation, and say so.

        Raises:
            ValueError: That session is over.
        """
        if self._session is not session or session.closed:
            raise ValueError("the node was deactivated meanwhile")
        self._prepared = self.prepared.with_bound(session.bound)
        session.tell_bound()

    def _stop(self) -> None:
        if self._session is not None and not self._session.close(BUSY):
            self.get_logger().error(f"the model was still busy after {BUSY:g} s")

    def _on_parameters(self) -> None:
        if self._session is not None and not self._session.closed:
            self._session.core.allow_spread(self.get_parameter("max_spread").value)


def main() -> None:
    """Run the node."""
    spin(RewardNode)


if __name__ == "__main__":
    main()
