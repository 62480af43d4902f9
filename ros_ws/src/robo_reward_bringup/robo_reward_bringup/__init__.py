"""Brings reward nodes up beside an arm: one description, for `ros2 launch` and for plain Python alike."""
