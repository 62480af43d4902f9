"""How an episode of a robot begins: the arm brought back, the reward node's episode cut, its first potential known."""

import math
import time
from collections.abc import Callable
from typing import final

from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from robo_reward.errors import RoboRewardError
from robo_reward_ros.answer import Answer
from robo_reward_ros.reward_gate import Refusal
from robo_reward_ros.robot_env_link import RobotLink
from robo_reward_ros.robot_env_settings import EpisodeSettings, RobotSettings

TELL_EVERY = 5.0  # how often people are told what is waited for [s]
AGAIN_AFTER = 0.2  # between two requests to a service that does not succeed [s]
LEAST_WAIT = 0.3  # what a response is given at least: no request is left behind by who has no time for it [s]


class RobotError(RoboRewardError):
    """The robot or its reward node is not there, or cannot begin an episode; says what was waited for."""


@final
class EpisodeStart:
    """Waits for the first picture of an episode whose potential is known.

    Args:
        robot: The robot.
        episodes: How episodes begin.
    """

    def __init__(self, robot: RobotSettings, episodes: EpisodeSettings) -> None:
        self._robot, self._episodes = robot, episodes
        self.seed: int | None = None
        """Of the next episode; None = as it comes."""
        self._good: Answer | None = None
        self._answered_ns = 0
        self._word = "nothing was heard from it: is it active?"

    def hear(self, answer: Answer, refusal: Refusal | None) -> None:
        """Take an answer, with what the gate says of it."""
        why = answer.reason or ("" if refusal is None else f"refused: {refusal}")
        self._word = f"{answer.status.name}: {why}" if why else answer.status.name
        if answer.views:
            self._answered_ns = max(self._answered_ns, answer.stamp_ns)
        if refusal is None and not answer.terminated:
            self._good = answer

    def meet(self, link: RobotLink) -> bool:
        """Wait until every topic of the robot was heard; False = it was not, within `reset_timeout`."""
        end = time.monotonic() + self._episodes.reset_timeout
        while not link.wait(lambda: not link.arm.missing, min(1.0, _left(end))):
            if _left(end) <= 0:
                return False
            if self._robot.lockstep and self._episodes.reset_service:
                # a simulation that stands still says nothing until it is asked
                link.call("reset", Trigger.Request(), min(1.0, _left(end)))
        return True

    def begin(self, link: RobotLink) -> Answer:
        """Bring the arm back and give the first answer that has a potential.

        Raises:
            RobotError: Not within `reset_timeout`, or the reward node has another discount than the learner.
        """
        end = time.monotonic() + self._episodes.reset_timeout
        since_ns = self._bring_back(link, end)
        self._check_discount(link, end)
        self._wait(link, lambda: link.robot_well, end, "the robot to say that it runs as it should")
        if self._robot.lockstep:
            self._rest_until_known(link, since_ns, end)
        else:
            self._wait(link, lambda: self._known(since_ns), end, "a reward")
        assert self._good is not None  # noqa: S101  (it is known)
        return self._good

    def _known(self, since_ns: int) -> bool:
        # no tolerance: a picture from before is of the episode before
        return self._good is not None and self._good.stamp_ns >= since_ns

    def _bring_back(self, link: RobotLink, end: float) -> int:
        """Bring the arm to where episodes begin; gives the time from which pictures belong to the episode [ns]."""
        arm, lockstep = link.arm, self._robot.lockstep
        if lockstep:  # no picture comes between: the first one after the reset begins the episode
            self._ask(link, "reset_episode", end)
        self._sow(link, end)
        arm.expect()
        if self._episodes.reset_service:
            self._ask(link, "reset", end)
        else:
            link.said_ready = False
            ready = link.node.resolve_service_name("~/ready")
            self._wait(link, lambda: link.said_ready, end, f"somebody to bring the arm back and to call {ready}")
        arm.forget_command()
        if lockstep:
            self._wait(link, lambda: arm.came, end, "the arm to show itself after its reset")
            return arm.stamp_ns
        self._ask(link, "reset_episode", end)
        return link.clocks.now_ns()

    def _rest_until_known(self, link: RobotLink, since_ns: int, end: float) -> None:
        """Let a simulation take pictures at rest until one has a potential: the first of an episode never has."""
        arm, patience = link.arm, max(self._episodes.reward_wait, 0.1)
        while True:
            stamp_ns = arm.stamp_ns
            link.wait(lambda stamp_ns=stamp_ns: self._answered_ns >= stamp_ns, min(patience, _left(end)))
            if self._known(since_ns):
                return
            arm.expect()
            arm.hold(self._robot.steps_per_action)
            self._wait(link, lambda: arm.came, end, "a reward")

    def _sow(self, link: RobotLink, end: float) -> None:
        """Have a simulation begin at the start that the seed stands for."""
        if self.seed is None or not self._episodes.seed_node:
            return
        parameter = Parameter("seed", value=self.seed % 2**31).to_parameter_msg()
        response = link.call("seed", SetParameters.Request(parameters=[parameter]), min(_left(end), TELL_EVERY))
        reasons = ["nobody answers"] if response is None else [r.reason for r in response.results if not r.successful]
        if reasons:
            raise RobotError(f"{self._episodes.seed_node} does not take seed {self.seed}: {', '.join(reasons)}")

    def _ask(self, link: RobotLink, name: str, end: float) -> None:
        """Call a service until it succeeds: a node may just be starting again."""
        said = ""
        while True:
            response = link.call(name, Trigger.Request(), min(_left(end), TELL_EVERY))
            if response is not None and response.success:
                return
            said = (said or "nobody answers") if response is None else response.message
            if _left(end) <= AGAIN_AFTER + LEAST_WAIT:
                raise RobotError(
                    f"{self._service(name)} did not succeed within {self._episodes.reset_timeout:g} s: {said}"
                )
            link.node.get_logger().info(f"{self._service(name)}: {said}", throttle_duration_sec=TELL_EVERY)
            time.sleep(AGAIN_AFTER)

    def _service(self, name: str) -> str:
        return self._episodes.reset_service if name == "reset" else f"{self._episodes.reward_node}/{name}"

    def _wait(self, link: RobotLink, condition: Callable[[], bool], end: float, what: str) -> None:
        while not link.wait(condition, min(TELL_EVERY, _left(end))):
            said = f"the last word of {self._episodes.reward_node}: {self._word}"
            if _left(end) <= 0:
                raise RobotError(f"waited {self._episodes.reset_timeout:g} s for {what}; {said}")
            link.node.get_logger().info(f"waiting for {what}; {said}")

    def _check_discount(self, link: RobotLink, end: float) -> None:
        self._wait(link, lambda: link.info is not None, end, f"{self._episodes.reward_node}/info")
        node, own = math.nan if link.info is None else link.info.discount, self._episodes.discount
        if not math.isclose(node, own, rel_tol=1e-12):
            raise RobotError(
                f"{self._episodes.reward_node} discounts by {node:g}, the learner by {own:g}: "
                "shaping would change the optimal policy; make them equal"
            )


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
