"""What a reward node is while it is active: its core, with all that listens, ticks and tells."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, final

from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel
from robo_reward_ros.debug_view import DebugView
from robo_reward_ros.key_points import Followed, followed, key_points
from robo_reward_ros.node_settings import core_settings
from robo_reward_ros.picture_decoding import Seen
from robo_reward_ros.preparation import Prepared
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.reward_publishers import RewardPublishers
from robo_reward_ros.ros_inputs import Inputs
from robo_reward_ros.ros_lifecycle import STEADY, NodeClocks, log_verdict
from robo_reward_ros.state_topics import history
from robo_reward_ros.task_settings import TaskSettings


@final
class RewardSession:
    """One activation of a reward node.

    Args:
        node: The node.
        prepared: Model, cameras and robot.
        publishers: The node's.
        number: Of the activation; grows.
    """

    def __init__(self, node: Any, prepared: Prepared, publishers: RewardPublishers, *, number: int) -> None:
        self._node, self._prepared, self._publishers = node, prepared, publishers
        given = prepared.given
        self.bound = prepared.bound
        """What answers, or will as soon as it is bound."""
        self.closed = False
        self.listeners: list[Callable[[Answer], None]] = []
        """Told of every answer; quick."""
        self._follower: Followed | None = None
        self._said = (Status.UNKNOWN, "")
        self._view = self._debug_view(given["debug_rate"])
        self.core = RewardCore(
            self._watched(prepared.bound),
            core_settings(given, session=number),
            clocks=NodeClocks(node),
            publish=self._answer,
            states=history(prepared.states, max_age=given["state_max_age"]),
            seen=self._see,
        )
        self._inputs = Inputs(node, self.core, prepared)
        self._ticking = [
            node.create_timer(given["watchdog_period"], self._watch, clock=STEADY),
            node.create_timer(given["diagnostics_period"], self._diagnose, clock=STEADY),
        ]
        publishers.info(prepared.bound, prepared)

    @property
    def base_frame(self) -> str:
        """Frame of rewards."""
        return self._prepared.base_frame

    def set_task(self, task: TaskSettings) -> "Future[BoundModel]":
        """Bind another model on the thread of the present one; until then, or if it fails, the present one stays."""

        def build() -> BoundModel:
            bound = self._prepared.bind(task, go_on=lambda: not self.closed)
            self.bound = bound
            return self._watched(bound)

        return self.core.set_task(build)

    def tell_bound(self) -> None:
        """Say what answers now."""
        self._publishers.info(self.bound, self._prepared)

    def close(self, timeout: float) -> bool:
        """Fall silent, and let the model finish; False = it was still busy after so many seconds."""
        self.closed = True
        finished = self.core.close(timeout)
        self._inputs.close()
        for each in self._ticking:
            self._node.destroy_timer(each)
        self._ticking = []
        if self._view is not None:
            self._view.close()
        return finished

    def _debug_view(self, rate: float) -> DebugView | None:
        if not rate:
            return None
        publishers = self._publishers
        return DebugView(publishers.debug, wanted=lambda: publishers.debug_wanted, rate=rate)

    def _watched(self, bound: BoundModel) -> BoundModel:
        self._follower = followed(bound.model, self._prepared.geometry)
        return bound if self._follower is None else replace(bound, model=self._follower)

    def _watch(self) -> None:
        verdict = self.core.tick()
        if verdict != self._said:
            log_verdict(self._node.get_logger(), verdict)
        self._said = verdict
        self._inputs.refresh()

    def _diagnose(self) -> None:
        self._publishers.diagnostics(self.core, self._said)

    def _answer(self, answer: Answer) -> None:
        self._publishers.answer(answer, base_frame=self.base_frame)
        for listener in tuple(self.listeners):
            listener(answer)

    def _see(self, seen: Seen) -> None:
        """Tell where the key points are, and draw; on the worker's thread."""
        marks, geometry = None, self._prepared.geometry
        if self._follower is not None and geometry is not None:
            marks = key_points(self._follower.memory, geometry, known=not math.isnan(seen.answer.progress))
            stamp_ns = seen.answer.stamp_ns
            self._publishers.key_points(marks, stamp_ns=stamp_ns, base_frame=geometry.rig.base_frame)
        if self._view is not None:
            self._view.see(seen, marks)
