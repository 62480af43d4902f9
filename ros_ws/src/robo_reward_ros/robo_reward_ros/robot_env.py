"""A real or simulated arm as a `gymnasium.Env`: observations and actions over topics, rewards from the reward node."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import gymnasium
import numpy as np
from robo_reward_msgs.srv import MarkOutcome

from robo_reward_ros.answer import Answer
from robo_reward_ros.reward_gate import Refusal
from robo_reward_ros.robot_env_link import RobotLink
from robo_reward_ros.robot_env_reset import EpisodeStart, RobotError
from robo_reward_ros.robot_env_settings import EpisodeSettings, RobotSettings
from robo_reward_ros.transition_alignment import TransitionAlignment, TransitionReward

Observation = np.ndarray | dict[str, np.ndarray]
SERVICE_TIMEOUT = 2.0  # of the reward node's services [s]


@final
class RobotEnv(gymnasium.Env[Any, np.ndarray]):
    """The environment of a learner on a robot.

    Observation: the numbers of `robot.states`, one after the other, float32; with cameras a dictionary of `state` and
    pictures (height, width, 3). Action: in [-1, 1], (size) or, where one action spans several steps, (steps, size).

    `step` returns task reward + shaping reward, F = γ^k (1 − terminated) Φ(s') − Φ(s), of exactly the transition
    between the two observations, whatever the rates of cameras and reward node (`TransitionAlignment`). A reward that
    does not come in time is held: the last potential counts on both sides, and what is missing is paid when the next
    one comes; after `max_hold` the episode is truncated. In `info`: `task_reward`, `shaping_reward`, `discount` (γ^k),
    `potential`, `reward_held`, `stamp` [s] of the observation, `status` of the reward node's last word, `success`,
    `reason` why an episode ended or a potential is held.

    `terminated`: success or failure, said by the reward node's latch, by `success_topic` or with `mark_outcome`.
    `truncated`: time is out, an operator cut the episode, the robot stopped, the arm or the rewards are silent, the
    reward node failed or was started again; the potential is kept, so bootstrap.

    `reset` brings the arm back by its service, or waits until a person calls `~/ready`, and returns at the first
    picture whose potential is known: no action is taken before rewards come.

    The arm is commanded to hold at every end of an episode, at Ctrl-C inside `step` and `reset`, and by `close`;
    between steps a trajectory ends by itself.

    Args:
        robot: Its topics, and what an action does.
        episodes: How they begin and end.
        name: Of the node.
        namespace: Of the robot.
        domain: Of ROS; None = ROS_DOMAIN_ID.
        arguments: As on the command line of a node, such as ["--ros-args", "-r", "a:=b"].
        check: Is called while the arm or a reward is waited for, such as to see whether their programs still run; what
            it raises comes out of `reset` and `step`.

    Raises:
        RobotError: The arm is silent for `reset_timeout`.
    """

    def __init__(
        self,
        robot: RobotSettings,
        episodes: EpisodeSettings,
        *,
        name: str = "robot_env",
        namespace: str = "",
        domain: int | None = None,
        arguments: Sequence[str] = (),
        check: Callable[[], None] | None = None,
    ) -> None:
        self._robot, self._episodes = robot, episodes
        self._alignment = TransitionAlignment(
            episodes.discount,
            # in lockstep an observation and its pictures have the same stamp
            tolerance=0.0 if robot.lockstep else episodes.tolerance,
            max_hold=episodes.max_hold,
            success_reward=episodes.success_reward,
        )
        self._start = EpisodeStart(robot, episodes)
        self._due_ns, self._steps = 0, 0
        self._link = RobotLink(
            robot,
            episodes,
            hear=self._hear,
            name=name,
            namespace=namespace,
            domain=domain,
            arguments=arguments,
            check=check,
        )
        try:
            self._connect()
        except BaseException:
            self._link.close()
            raise

    @property
    def link(self) -> RobotLink:
        """The node that listens and commands."""
        return self._link

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Bring the arm back, begin an episode of the reward node, and wait for its first potential.

        Raises:
            RobotError: Not within `reset_timeout`; says what was waited for.
        """
        super().reset(seed=seed, options=options)
        self._start.seed = seed
        with self._holding_when_interrupted():
            self._cut("the environment was reset")
            first = self._start.begin(self._link)
            with self._link.changed:
                self._alignment.begin(first)
                self._link.said_success = False
            self._steps, self._due_ns = 0, self._link.clocks.now_ns()
            stamp_ns = self._link.arm.stamp_ns
            info = {"stamp": stamp_ns * 1e-9, "potential": first.potential, "status": first.status.name}
            return self._link.arm.observation(), info | {"success": first.success, "reason": ""}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act, and give the reward of the transition to the next observation.

        Raises:
            ValueError: No episode is running, or an action of another shape.
        """
        if not self._alignment.running:
            raise ValueError("no episode is running: call reset first")
        chunk = np.asarray(action, np.float64)
        if chunk.shape != self.action_space.shape:
            raise ValueError(f"an action must have the shape {self.action_space.shape}, got {chunk.shape}")
        with self._holding_when_interrupted():
            trouble = self._advance(chunk.reshape(self._robot.steps_per_action, -1))
            stamp_ns = self._link.arm.stamp_ns
            if not trouble:
                # also where success was said already: the last pictures are answered before the episode is over
                self._link.wait(
                    lambda: self._alignment.answered(stamp_ns) or bool(self._unwell()), self._episodes.reward_wait
                )
                trouble = self._unwell()
            self._steps += self._robot.steps_per_action
            settled = self._settle(stamp_ns)
            if not trouble and self._steps >= self._episodes.horizon:
                trouble = f"time is out after {self._steps} steps"
            return self._told(settled, stamp_ns, trouble)

    def hold(self) -> None:
        """Command the arm to stay where it is; a simulation in lockstep does, and a command would move its time on."""
        if not self._robot.lockstep and not self._link.arm.missing:
            self._link.arm.hold(self._robot.steps_per_action)

    def close(self) -> None:
        """Have the arm hold, cut the episode, and leave the network."""
        self._link.check = None  # whatever has ended, this goes to its end
        if self._link.node.context.ok():
            self.hold()
            self._link.arm.delivered(1.0)
            self._cut("the environment was closed")
            self._link.close()

    def _connect(self) -> None:
        arm, seconds = self._link.arm, self._episodes.reset_timeout
        if not self._start.meet(self._link):
            why = f" ({arm.problem})" if arm.problem else ""
            raise RobotError(f"nothing was heard on {', '.join(arm.missing)} within {seconds:g} s{why}")
        if not self._link.wait(arm.reached, seconds):
            raise RobotError(f"nobody listens to {self._robot.command_topic} within {seconds:g} s")
        seen = arm.observation()
        spaces = {name: _space(each) for name, each in (seen if isinstance(seen, dict) else {"": seen}).items()}
        self.observation_space = gymnasium.spaces.Dict(spaces) if isinstance(seen, dict) else spaces[""]
        size, steps = self._robot.actions.size, self._robot.steps_per_action
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (size,) if steps == 1 else (steps, size), np.float32)

    def _hear(self, answer: Answer, refusal: Refusal | None) -> None:
        """Take an answer, on the thread of the node."""
        if self._alignment.running:
            self._alignment.take(answer, refusal)
        else:
            self._start.hear(answer, refusal)

    def _unwell(self) -> str:
        return "" if self._link.robot_well else "the robot does not say that it runs as it should"

    def _advance(self, chunk: np.ndarray) -> str:
        """Act until the next observation; gives what went wrong, empty = nothing."""
        link, arm = self._link, self._link.arm
        if self._unwell():
            return self._unwell()
        arm.expect()
        arm.act(chunk)
        if self._robot.lockstep:
            came = link.wait(lambda: arm.came, self._episodes.arm_timeout)
            return "" if came else f"the arm was silent for {self._episodes.arm_timeout:g} s after a command"
        now = link.clocks.now_ns()
        duration = round(self._robot.action_duration * 1e9)
        # a learner that was late begins a step now; it does not hurry after the clock
        self._due_ns = (self._due_ns if now - self._due_ns < duration // 2 else now) + duration
        wait = self._robot.action_duration + self._episodes.arm_timeout
        if not link.wait(lambda: self._due() or bool(self._unwell()), wait, poll=0.002):
            return f"the clock stood still for {self._episodes.arm_timeout:g} s"
        age = arm.age(link.clocks.now_ns())
        return "" if age <= self._robot.max_state_age else f"the arm's state is {age:.3g} s old"

    def _due(self) -> bool:
        return self._link.clocks.now_ns() >= self._due_ns

    def _settle(self, stamp_ns: int) -> TransitionReward:
        """End the episode in success where somebody says so, and give the transition's reward."""
        latch = self._episodes.end_on_success and self._alignment.succeeded(stamp_ns)
        if latch or self._link.said_success:
            who = "the success latch" if latch else self._episodes.success_topic
            self._mark(MarkOutcome.Request.SUCCESS, who)
            # the response may overtake the reward itself
            self._link.wait(lambda: self._alignment.over, SERVICE_TIMEOUT)
            self._alignment.end(success=True)
        with self._link.changed:
            return self._alignment.settle(stamp_ns, steps=self._robot.steps_per_action)

    def _told(
        self, settled: TransitionReward, stamp_ns: int, trouble: str
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        truncated = not settled.terminated and (settled.truncated or bool(trouble))
        reason = settled.reason if settled.terminated or settled.truncated or not trouble else trouble
        if settled.terminated or truncated:
            self.hold()
        if truncated and not settled.truncated:
            self._cut(reason)
        info = {
            "task_reward": settled.task_reward,
            "shaping_reward": settled.shaping_reward,
            "discount": settled.discount,
            "potential": settled.potential,
            "reward_held": settled.held,
            "stamp": stamp_ns * 1e-9,
            "status": settled.status.name,
            "success": settled.success,
            "reason": reason,
        }
        return self._link.arm.observation(), settled.reward, settled.terminated, truncated, info

    def _cut(self, why: str) -> None:
        """Tell the reward node that the episode is truncated here."""
        if self._alignment.running:
            self._alignment.stop()
            self._mark(MarkOutcome.Request.TRUNCATED, why)

    def _mark(self, outcome: int, who: str) -> None:
        response = self._link.call("mark_outcome", MarkOutcome.Request(outcome=outcome, who=who), SERVICE_TIMEOUT)
        if response is None or not response.success:
            said = "it did not answer" if response is None else response.message
            self._link.node.get_logger().info(f"the reward node could not be told that {who}: {said}")

    @contextmanager
    def _holding_when_interrupted(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.hold()
            self._link.arm.delivered(1.0)
            raise


def _space(example: np.ndarray) -> gymnasium.spaces.Box:
    if example.dtype == np.uint8:
        return gymnasium.spaces.Box(0, 255, example.shape, np.uint8)
    return gymnasium.spaces.Box(-np.inf, np.inf, example.shape, np.float32)
