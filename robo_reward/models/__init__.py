"""Reward models, one file each: frames of a task to progress and its spread."""
