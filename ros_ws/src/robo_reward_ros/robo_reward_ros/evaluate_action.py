"""The action of the reward node that watches an episode and says how it went."""

from collections import deque
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from robo_reward_msgs.action import EvaluateEpisode

from robo_reward_ros.answer import Answer
from robo_reward_ros.elapsed_time import ElapsedTime
from robo_reward_ros.episode_tally import EpisodeTally
from robo_reward_ros.reward_session import RewardSession
from robo_reward_ros.ros_lifecycle import STEADY, NodeClocks, awaitable
from robo_reward_ros.ros_messages import reward_message

PERIOD = 0.1
"""Between two looks at what was answered, and two pieces of feedback [s]."""


def offer_evaluation(node: Any) -> ActionServer:
    """Offer the action; several may watch at a time, and none keeps the node from anything.

    Args:
        node: A `RewardNode`.
    """
    group = ReentrantCallbackGroup()

    async def execute(goal: Any) -> EvaluateEpisode.Result:
        try:
            session = node.session
            if not goal.request.timeout >= 0:
                raise ValueError(f"timeout must be >= 0 s, 0 = none; got {goal.request.timeout:g}")
        except ValueError as error:
            goal.abort()
            return EvaluateEpisode.Result(message=str(error))
        if goal.request.reset:
            await awaitable(node, session.core.reset_episode("evaluate_episode began"), group=group)
        watch = _Watch(node, session, goal, group=group)
        return _result(watch.tally, await watch.end())

    return ActionServer(
        node,
        EvaluateEpisode,
        "~/evaluate_episode",
        execute,
        callback_group=group,
        cancel_callback=lambda goal: CancelResponse.ACCEPT,
    )


class _Watch:
    """Watches one episode for one goal."""

    def __init__(self, node: Any, session: RewardSession, goal: Any, *, group: ReentrantCallbackGroup) -> None:
        self.tally = EpisodeTally()
        self._node, self._session, self._goal, self._group = node, session, goal, group
        self._heard: deque[Answer] = deque()
        self._time, self._late = ElapsedTime(NodeClocks(node)), False

    async def end(self) -> str:
        """Wait until the episode, its time or the patience of who asked is over; give what is to be said of it."""
        hear = self._heard.append
        self._session.listeners.append(hear)
        try:
            while not (said := self._said()):
                if self._time.seconds() > (self._goal.request.timeout or float("inf")):
                    self._late = True
                    cut = self._session.core.reset_episode("evaluate_episode: its time is over")
                    await awaitable(self._node, cut, group=self._group)
                else:
                    await _pause(self._node, self._group)
            return said
        finally:
            self._session.listeners.remove(hear)

    def _said(self) -> str:
        """Look at what was answered; empty = the watch goes on."""
        self._hear()
        goal = self._goal
        if self.tally.over:
            goal.succeed()
            how = "terminated" if self.tally.terminated else "truncated"
            when = f" after {goal.request.timeout:g} s" if self._late else ""
            return f"episode {self.tally.episode} was {how}{when}{', with success' if self.tally.success else ''}"
        if goal.is_cancel_requested:
            goal.canceled()
            return "canceled; the episode goes on"
        if self._session.closed or self._late:
            goal.abort()
            waited = f"no set of pictures was answered within {goal.request.timeout:g} s"
            return "the node was deactivated" if self._session.closed else waited
        return ""

    def _hear(self) -> None:
        answer = None
        while self._heard and not self.tally.over:
            answer = self._heard.popleft()
            self.tally.hear(answer)
        if answer is not None:
            latest = reward_message(answer, frame_id=self._session.base_frame)
            self._goal.publish_feedback(EvaluateEpisode.Feedback(latest=latest))


async def _pause(node: Node, group: ReentrantCallbackGroup) -> None:
    future = Future(executor=node.executor)

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    timer = node.create_timer(PERIOD, wake, callback_group=group, clock=STEADY)
    try:
        await future
    finally:
        node.destroy_timer(timer)


def _result(tally: EpisodeTally, message: str) -> EvaluateEpisode.Result:
    return EvaluateEpisode.Result(
        episode=tally.episode or 0,
        success=tally.success,
        terminated=tally.terminated,
        truncated=tally.truncated,
        episode_return=tally.discounted_return,
        final_progress=tally.final_progress,
        max_progress=tally.max_progress,
        transitions=tally.transitions,
        refused=tally.refused,
        duration=tally.duration,
        message=message,
    )
