"""Simulated tasks for robo_reward: recorded demos, captioned scenes; imports the core, never the reverse."""
