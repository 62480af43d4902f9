"""The reach of the simulated arm as cameras see it, over DDS: what is observed, and what it is worth."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")
pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

import ros_bench
from robo_reward_ros.demo_ros_model import bring_up_words
from robo_reward_ros.demo_ros_processes import running
from robo_reward_ros.robot_env import RobotEnv
from robo_reward_ros.robot_env_settings import robot_of
from robo_reward_ros.robot_env_sim_arm import STEP_DURATION, TOOL_SPEED, sim_arm_robot
from robo_reward_ros.train_robot_reward import robot_reward

from robo_reward_sim.table_top.environment import TableTopEnvironment

DISCOUNT = 0.95
STARTS = (3, 11, 500)


def towards(observation: np.ndarray) -> np.ndarray:
    """Straight to where the ball is seen from the tool [dm]."""
    return np.append(np.clip(observation[3:] / 10 / (TOOL_SPEED * STEP_DURATION), -1, 1), 1.0).astype(np.float32)


@pytest.mark.slow
def test_a_hand_that_follows_what_cameras_see_reaches_the_ball_and_is_paid_for_it(tmp_path, monkeypatch):
    lock = ros_bench.own_domain(30)
    domain = int(lock.name.rpartition("_")[2])
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rewarded = robot_reward(tmp_path / "reward", model="geometry", task="reach", demonstrations=0)
    words = bring_up_words(
        rewarded.model,
        task="reach",
        discount=DISCOUNT,
        success_reward=2.0,
        seed=0,
        cameras=rewarded.cameras,
        more=rewarded.words,
    )
    described = sim_arm_robot(observation="seen", discount=DISCOUNT, success_reward=2.0, reset_timeout=60.0)
    environment = {"ROS_DOMAIN_ID": str(domain), "OMP_NUM_THREADS": "1"}
    with running("robo_reward_bringup", words, log=tmp_path / "log", environment=environment):
        env, truth = RobotEnv(*robot_of(described), domain=domain), TableTopEnvironment("reach")
        try:
            for seed in STARTS:
                told, _ = truth.reset(seed=seed)
                follow(env, seed=seed, tool=told[:3], ball=told[4:7])
        finally:
            env.close()
            truth.close()
            lock.close()


def follow(env: RobotEnv, *, seed: int, tool: np.ndarray, ball: np.ndarray) -> None:
    """One episode from a start of which the truth is known [m]."""
    observation, info = env.reset(seed=seed)
    assert observation[:3] == pytest.approx(tool, abs=2e-3)
    assert observation[3:] / 10 + observation[:3] == pytest.approx(ball, abs=0.02)
    potentials, rewards, discount, over = [info["potential"]], [], 1.0, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(towards(observation))
        assert not info["reward_held"], info["reason"]
        rewards.append(discount * reward)
        discount *= info["discount"]
        potentials.append(info["potential"])
        over = terminated or truncated
    assert (terminated, info["success"], info["task_reward"]) == (True, True, 2.0)
    assert len(rewards) < 35
    *on_the_way, _ = potentials  # that of a terminal state is 0
    assert potentials[0] < 0.1
    assert max(on_the_way) > 0.6
    assert (np.diff(on_the_way) > -0.02).all()
    paid = 2.0 * DISCOUNT ** (len(rewards) - 1) - potentials[0]
    assert sum(rewards) == pytest.approx(paid, abs=1e-9)
