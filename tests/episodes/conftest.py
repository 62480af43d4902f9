"""Data sets that several files read."""

import pytest
from lerobot_data import write_data_set


@pytest.fixture(scope="session")
def v3(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp("v3") / "squares", success={0: True, 2: False})
