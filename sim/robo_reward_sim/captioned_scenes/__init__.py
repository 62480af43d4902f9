"""Scenes that are rendered and captioned here, and the small CLIP that is trained on them."""

import os

# OpenGL without a screen; MuJoCo reads this once, when it is imported
os.environ.setdefault("MUJOCO_GL", "egl")
