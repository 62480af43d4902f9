"""What many tests share: seeded randomness, a deterministic encoder, the recordings outside the repository."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# whoever imports MuJoCo first chooses how it draws, for all tests after it
os.environ.setdefault("MUJOCO_GL", "egl")

# a busy machine is no failure, and the same examples are tried everywhere
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings, calibrations and weights that this project did not make and does not carry."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real recordings are not on this machine: {SHARED_DATA} is absent")
    return SHARED_DATA
