"""Cameras in, a trustworthy reward out: perception reward models for robot learning."""

from robo_reward.clip import Clip, Episode
from robo_reward.reward_model import Estimate, RewardModel
from robo_reward.stream import Reward, RewardStream

__all__ = ["Clip", "Episode", "Estimate", "Reward", "RewardModel", "RewardStream"]
