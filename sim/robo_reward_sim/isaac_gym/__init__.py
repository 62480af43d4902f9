"""Thousands of worlds on one device, of NVIDIA's Isaac Gym and Isaac Lab: what their cameras see, as frames to score.

Neither is a dependency: both are NVIDIA's downloads. Pictures stay on the device from the simulator to the encoder.
"""
