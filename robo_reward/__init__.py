"""Cameras in, a trustworthy reward out: perception reward models for robot learning."""

from robo_reward.clip import Clip, Episode
from robo_reward.reward_model import Estimate, RewardModel

__all__ = ["Clip", "Episode", "Estimate", "RewardModel"]
