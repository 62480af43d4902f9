"""The environment of a learner on a robot, in front of a real reward node, over DDS."""

import math
import signal
from _thread import interrupt_main
from threading import Timer
from time import monotonic

import numpy as np
import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from green_arm import MODEL, GreenArm, Showing, forward, green_env, green_episodes, green_robot
from robo_reward_msgs.srv import MarkOutcome
from robo_reward_ros.robot_env import RobotEnv
from robo_reward_ros.robot_env_reset import LEAST_WAIT, RobotError
from ros_bench import Bench
from std_msgs.msg import Bool

from robo_reward.stamps import nanoseconds

DISCOUNT = 0.99


class Scene:
    def __init__(self, folder, number: int, *, lockstep: bool = True, **parameters) -> None:
        (folder / "model.yaml").write_text(MODEL)
        given = {"reward_model": str(folder / "model.yaml"), "instruction": "make it green", "max_age": 5.0}
        self.bench = Bench(number, **(given | {"max_answer_age": 5.0, "stale_after": 60.0} | parameters))
        self.bench.start()
        self.arm = GreenArm(self.bench.context, lockstep=lockstep)
        self.bench.add(self.arm)
        self.lockstep, self.env = lockstep, None

    def open(self, *, robot=None, **episodes) -> RobotEnv:
        with Showing(self.arm):
            settings = green_robot(lockstep=self.lockstep, **(robot or {}))
            self.env = green_env(self.bench, settings, green_episodes(**episodes))
        return self.env

    def close(self) -> None:
        if self.env is not None:
            self.env.close()
        self.bench.close()


@pytest.fixture
def scene(tmp_path):
    made = []

    def make(number: int, **settings) -> Scene:
        made.append(Scene(tmp_path, number, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_an_episode_in_lockstep_adds_up_to_the_difference_of_its_potentials_and_ends_truncated(scene):
    env = scene(70).open()
    observation, begun = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert begun["status"] == "OK"
    total, discount, ends = 0.0, 1.0, []
    for _ in range(5):
        observation, reward, terminated, truncated, info = env.step(forward(0.5))
        assert (info["status"], info["reward_held"], info["reason"][:4]) == ("OK", False, "time" if truncated else "")
        assert reward == info["task_reward"] + info["shaping_reward"]
        total, discount = total + discount * reward, discount * info["discount"]
        ends.append((terminated, truncated))
    assert ends == [(False, False)] * 4 + [(False, True)]
    assert observation == pytest.approx([0.6], abs=1e-6)
    assert total == pytest.approx(DISCOUNT**5 * info["potential"] - begun["potential"], abs=1e-12)
    assert info["potential"] > begun["potential"] + 0.3
    assert info["reason"] == "time is out after 5 steps"


def test_what_the_learner_was_paid_is_what_the_node_published(scene):
    made = scene(71)
    env = made.open()
    env.reset()
    stamp_ns = made.arm.last_ns
    rewards = [env.step(forward(0.3))[1] for _ in range(3)]

    def published() -> list[float]:
        told = ((each.header.stamp, each.reward) for each in made.bench.answered())
        return [reward for stamp, reward in told if nanoseconds(stamp.sec, stamp.nanosec) > stamp_ns]

    until(lambda: len(published()) == len(rewards), seconds=10)  # the learner may hear of a reward first
    assert rewards == published()


def test_the_simulated_operator_ends_the_episode_in_success_and_it_is_paid_once(scene):
    made = scene(72, success_reward=10.0)
    env = made.open(horizon=50)
    for _ in range(2):  # the second episode is not over before it began
        _, begun = env.reset()
        _, first, *ends, _ = env.step(forward())
        assert ends == [False, False]
        made.arm.success.publish(Bool(data=True))
        until(lambda: env.link.said_success)
        _, _, terminated, truncated, info = env.step(forward())
        assert (terminated, truncated, info["success"]) == (True, False, True)
        assert info["task_reward"] == 10.0
        assert first + DISCOUNT * info["shaping_reward"] == pytest.approx(-begun["potential"], abs=1e-12)
    ended = [each for each in made.bench.rewards if each.terminated]
    assert [each.success for each in ended] == [True, True]
    with pytest.raises(ValueError, match="no episode is running: call reset first"):
        env.step(forward())


def test_an_operator_who_marks_failure_or_truncation_is_told_apart(scene):
    made = scene(73)
    env = made.open(horizon=50)
    for outcome, expected in (
        (MarkOutcome.Request.FAILURE, (True, False)),
        (MarkOutcome.Request.TRUNCATED, (False, True)),
    ):
        env.reset()
        _, _, _, _, before = env.step(forward())
        request = MarkOutcome.Request(outcome=outcome, who="Ada")
        assert made.bench.call(MarkOutcome, "reward_node/mark_outcome", request).success
        until(lambda: env._alignment.over)
        _, _, terminated, truncated, info = env.step(forward())
        assert (terminated, truncated) == expected
        assert (info["success"], info["task_reward"]) == (False, 0.0)
        kept = 0.0 if terminated else DISCOUNT * before["potential"]
        assert info["shaping_reward"] == pytest.approx(kept - before["potential"], abs=1e-12)
    assert info["reason"] == "Ada ended the episode"


def test_a_robot_that_stops_truncates_and_is_not_commanded_any_more(scene):
    made = scene(74)
    env = made.open(horizon=50)
    env.reset()
    env.step(forward())
    made.arm.robot_ok.publish(Bool(data=False))
    until(lambda: not env.link.robot_well)
    commands = len(made.arm.commands)
    _, _, terminated, truncated, info = env.step(forward())
    assert (terminated, truncated) == (False, True)
    assert info["reason"] == "the robot does not say that it runs as it should"
    assert len(made.arm.commands) == commands


def test_rewards_that_cease_are_held_and_then_truncate_with_the_reason(scene):
    made = scene(75)
    env = made.open(horizon=50, reward_wait=0.05, max_hold=0.3)
    env.reset()
    _, _, _, _, before = env.step(forward(0.2))
    made.arm.shown = False
    infos = []
    for _ in range(50):
        _, reward, terminated, truncated, info = env.step(forward(0.2))
        infos.append(info)
        assert reward == pytest.approx((DISCOUNT - 1) * before["potential"])
        if truncated:
            break
    assert truncated
    assert not terminated
    assert all(each["reward_held"] for each in infos)
    assert infos[0]["reason"].startswith("the potential of ")
    assert infos[-1]["reason"].startswith("no reward passed for 0.3")


def test_a_chunk_of_three_steps_is_one_transition_discounted_by_gamma_cubed(scene):
    made = scene(76)
    env = made.open(robot={"steps_per_action": 3}, horizon=6)
    _, begun = env.reset()
    assert env.action_space.shape == (3, 1)
    _, reward, _, truncated, info = env.step(np.full((3, 1), 0.2, np.float32))
    assert info["discount"] == DISCOUNT**3
    assert reward == DISCOUNT**3 * info["potential"] - begun["potential"]
    assert len(made.arm.commands[-1].points) == 3
    assert [each.time_from_start.nanosec for each in made.arm.commands[-1].points] == [10**8, 2 * 10**8, 3 * 10**8]
    assert not truncated
    assert env.step(np.zeros((3, 1), np.float32))[3]
    env.reset()
    with pytest.raises(ValueError, match=r"an action must have the shape \(3, 1\), got \(1,\)"):
        env.step(forward())


def test_in_real_time_several_answers_make_one_transition_and_the_sums_hold(scene):
    made = scene(77, lockstep=False)
    env = made.open(horizon=6, reward_wait=0.5, tolerance=0.06)
    _, begun = env.reset()
    total, discount, stamps = 0.0, 1.0, [begun["stamp"]]
    for _ in range(6):
        _, reward, terminated, truncated, info = env.step(forward(0.4))
        assert not truncated or len(stamps) == 6, info["reason"]
        total, discount = total + discount * reward, discount * info["discount"]
        stamps.append(info["stamp"])
    assert (terminated, truncated) == (False, True)
    assert total == pytest.approx(DISCOUNT**6 * info["potential"] - begun["potential"], abs=1e-12)
    steps = np.diff(stamps)[1:]
    assert np.median(steps) == pytest.approx(0.1, abs=0.04)
    # the end of an episode has the arm hold
    assert made.arm.commands[-1].points[-1].positions == pytest.approx([made.arm.place])


def test_interrupted_in_a_step_the_arm_is_told_to_hold(scene):
    made = scene(78, lockstep=False)
    env = made.open(horizon=50, robot={"step_duration": 2.0})
    env.reset()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        commands = len(made.arm.commands)
        Timer(0.3, interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            env.step(forward())
    finally:
        signal.signal(signal.SIGINT, handler)
    until(lambda: len(made.arm.commands) == commands + 2)
    moved, held = made.arm.commands[-2:]
    assert held.points[-1].positions == moved.points[-1].positions


def test_a_learner_of_another_discount_is_refused(scene):
    env = scene(79).open(discount=0.9)
    with pytest.raises(RobotError, match=r"reward_node discounts by 0.99, the learner by 0.9"):
        env.reset()


def test_a_reset_that_cannot_succeed_says_what_it_waited_for(scene):
    made = scene(80)
    # to find each other, and to answer once, takes as long as the machine is busy: nobody is hurried there
    env = made.open(reset_timeout=2.0, reward_wait=0.1)
    assert made.bench.change("deactivate")
    until(env.link._clients["reset_episode"].service_is_ready, seconds=20)
    given = []

    def call(name: str, request, seconds: float, asked=env.link.call):
        given.append(seconds)
        return asked(name, request, seconds)

    env.link.call = call
    with pytest.raises(
        RobotError, match=r"reward_node/reset_episode did not succeed within 2 s: the node is not active"
    ):
        env.reset()
    # a request that nobody waits for is answered to nobody, which its node says, and an error in a test
    assert len(given) > 2
    assert min(given) >= LEAST_WAIT


def test_an_arm_that_is_not_there_is_named(scene):
    made = scene(81)
    with pytest.raises(RobotError, match=r"nothing was heard on joint_states within 0.3 s"):
        green_env(made.bench, green_robot(), green_episodes(reset_timeout=0.3))
    assert math.isfinite(made.arm.place)


# who gave up does not hear the response, which rclpy of Jazzy remarks on in the node's thread
@pytest.mark.filterwarnings("ignore:failed to send response")
def test_who_waits_may_look_whether_waiting_makes_sense(scene):
    class GoneError(Exception):
        pass

    made, gone = scene(85), []

    def check() -> None:
        if gone:
            raise GoneError("the nodes have ended")

    with Showing(made.arm):
        env = RobotEnv(green_robot(), green_episodes(reset_timeout=60.0), domain=made.bench.domain, check=check)
    made.env = env
    env.reset()
    gone.append(True)
    made.arm.silent = True
    began = monotonic()
    with pytest.raises(GoneError, match="the nodes have ended"):
        env.step(forward())
    with pytest.raises(GoneError):
        env.reset()
    assert monotonic() - began < 10
    env.close()  # leaves, all the same
    assert not env.link.node.context.ok()
    with pytest.raises(GoneError):
        RobotEnv(green_robot(joint_topic="nobody"), green_episodes(), domain=made.bench.domain, check=check)
    made.env = None
