"""Reinforcement learning with rewards from cameras: vectorised environments, learners, exactly resumed training."""
