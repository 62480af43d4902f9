import json
import math

import pytest
import torch

pytest.importorskip("mujoco_warp", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("torchrl", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("robo_reward_sim.rendering", reason="MuJoCo is not installed", exc_type=ImportError)

from robo_reward_sim.warp_table_top.policy import best_action
from robo_reward_sim.warp_table_top.ppo import Ppo, PpoSettings
from robo_reward_sim.warp_table_top.rewarded import RewardedStep
from robo_reward_sim.warp_table_top.train import main

NAMES = (*(f"tool_{axis} [m]" for axis in "xyz"), "gripper_width [m]", *(f"goal_{axis} [m]" for axis in "xyz"))


class FlyingPoints:
    """Reach without an arm: points that fly where they are told to, shaped by their distance to the goal."""

    observation_names, device, discount = NAMES, torch.device("cpu"), 0.98

    def __init__(self, num_worlds: int, *, horizon: int = 25, shaped: bool = True):
        self.num_worlds, self.horizon, self.shaped = num_worlds, horizon, shaped
        self.rng = torch.Generator().manual_seed(0)
        self.ended = torch.ones(num_worlds, dtype=torch.bool)
        self.observation, self.age = torch.zeros(num_worlds, 7), torch.zeros(num_worlds, dtype=torch.int64)

    def reset(self):
        self._begin(torch.ones(self.num_worlds, dtype=torch.bool))
        return self.observation

    def step(self, action):
        begins, before = self.ended, self._distance()
        moved = self.observation.clone()
        moved[:, :3] += 0.03 * action[:, :3].clamp(-1, 1)
        self.observation, self.age = torch.where(begins[:, None], self.observation, moved), self.age + 1
        self._begin(begins)
        success = self._distance() < 0.04
        terminated = success & ~begins
        truncated = ~terminated & (self.age >= self.horizon)
        self.ended = terminated | truncated
        shaping = self.discount * (~terminated).double() * (1 - 3 * self._distance()) - (1 - 3 * before)
        return RewardedStep(
            observation=self.observation,
            task_reward=terminated.double(),
            shaping=torch.where(begins, math.nan, shaping if self.shaped else 0.0),
            terminated=terminated,
            truncated=truncated,
            real=~begins,
            success=success,
        )

    def _distance(self):
        return (self.observation[:, :3] - self.observation[:, 4:]).norm(dim=1).double()

    def _begin(self, begins):
        drawn = torch.rand(self.num_worlds, 7, generator=self.rng)
        drawn[:, [0, 4]], drawn[:, [1, 5]] = drawn[:, [0, 4]] * 0.3 + 0.3, drawn[:, [1, 5]] * 0.4 - 0.2
        drawn[:, [2, 6]] *= 0.3
        self.observation = torch.where(begins[:, None], drawn, self.observation)
        self.age = torch.where(begins, 0, self.age)
        self.ended = torch.zeros_like(begins)


def test_it_learns_to_reach():
    worlds = FlyingPoints(64)
    learner = Ppo(worlds, settings=PpoSettings(steps_per_world=32, learning_rate=1e-3), seed=0)
    rates = [learner.learn().success_rate for _ in range(30)]
    print(rates)
    assert rates[0] < 0.35
    assert sum(rates[-5:]) / 5 > 0.9
