"""A bag of two episodes, and its copy with rewards."""

from pathlib import Path

import pytest
from bag_data import MS, START, boolean, empty, float64, two_cameras, write_bag
from rewarded_bags import SPLIT, TOPICS, opened, relabelling

from robo_reward.relabel.run import relabel


@pytest.fixture(scope="module")
def two_episodes(tmp_path_factory) -> Path:
    """One that succeeds and one that is cut; the robot's gripper is recorded, too."""
    later = START + 5 * 10**9
    events = [
        *two_cameras(9),
        ("/success", START + 850 * MS, boolean(True)),
        ("/reset_episode", START + 900 * MS, empty()),
        ("/gripper", START + 910 * MS, float64(0.04)),
        *two_cameras(5, start_ns=later, end=0.5),
    ]
    return write_bag(tmp_path_factory.mktemp("episodes") / "run", events)


@pytest.fixture(scope="module")
def relabelled(two_episodes, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("relabelled") / "run_rewarded"
    return relabel(opened(two_episodes, **SPLIT), output, relabelling(), store=None, into_bags=TOPICS)
