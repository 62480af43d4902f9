"""Takes a lifecycle node to active, then ends: started once for each start of the node, so also when it died."""

import sys
import time

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from robo_reward_bringup.ascent import Ascent, NotActiveError

PATIENCE = 1.0  # how long one answer is waited for before the question is asked again [s]
TRANSITIONS = {"configure": Transition.TRANSITION_CONFIGURE, "activate": Transition.TRANSITION_ACTIVATE}


class Activator(Node):
    """Asks a lifecycle node for its state, and for the next transition, until it is active."""

    def __init__(self) -> None:
        super().__init__("activate")
        self.node = str(self.declare_parameter("node", "reward_node").value)
        self._timeout = float(self.declare_parameter("timeout", 120.0).value)
        self._asked: list[tuple[str, Client, Future]] = []

    def run(self) -> None:
        """Take the node to active.

        Raises:
            NotActiveError: It refused, or time is up.
        """
        ascent, began = Ascent(self.node, timeout=self._timeout), time.monotonic()
        while True:
            state = self._state()
            if state == "active":
                return
            transition = ascent.next_transition(state, passed=time.monotonic() - began)
            if transition is None:
                continue
            # asked twice, the second request is refused when the first is done: that is no refusal
            if any(
                name == transition and future.done() and not future.result().success for name, _, future in self._asked
            ):
                raise ascent.refused(transition)
            self._ask(transition)

    def _state(self) -> str | None:
        # a fresh client each time: an old one may still be matched with the node's dead predecessor only
        client = self.create_client(GetState, f"{self.node}/get_state")
        try:
            if not client.wait_for_service(PATIENCE):
                return None
            future = client.call_async(GetState.Request())
            rclpy.spin_until_future_complete(self, future, timeout_sec=PATIENCE)
            return future.result().current_state.label if future.done() else None
        finally:
            self.destroy_client(client)

    def _ask(self, transition: str) -> None:
        """Ask for a transition; its answer is looked at whenever it comes, since a model may load for long."""
        client = self.create_client(ChangeState, f"{self.node}/change_state")
        if not client.wait_for_service(PATIENCE):
            self.destroy_client(client)
            return
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        future = client.call_async(request)
        self._asked.append((transition, client, future))
        rclpy.spin_until_future_complete(self, future, timeout_sec=PATIENCE)


def main() -> int:
    """Run it; 0 = the node is active."""
    rclpy.init()
    activator = Activator()
    try:
        activator.run()
    except NotActiveError as error:
        activator.get_logger().fatal(str(error))
        return 1
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        return 0
    finally:
        activator.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
