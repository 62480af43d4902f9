"""Node and bags share one definition of a set of pictures: settings, rules of receipt, and what is counted."""

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import yaml
from bag_data import MS, START, compressed_image, raw_image, red_to_green, write_bag
from recorded_models import FRONT, TOPICS, WRIST
from recorded_roads import CAMERA_OF
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.health import Health
from robo_reward_ros.picture_door import PictureDoor
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.stage_timing import StageTiming

from robo_reward.cli.configuration import config_folder
from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.bag_file import BagFile
from robo_reward.frame_sets import MAX_AGE, MAX_FUTURE, TOLERANCE
from robo_reward.state_history import StateHistory

SHARED = {"tolerance": TOLERANCE, "max_age": MAX_AGE, "max_future": MAX_FUTURE}


def test_what_a_set_is_unless_somebody_says_otherwise_is_one_definition_for_node_and_bags():
    bag = yaml.safe_load((config_folder() / "episodes" / "mcap.yaml").read_text())
    defaults = {name: parameter.default for name, parameter in signature(BagEpisodes).parameters.items()}
    node = {"tolerance": "sync_tolerance", "max_age": "max_age", "max_future": "max_future"}
    for name, value in SHARED.items():
        assert bag[name] == defaults[name] == value
        assert REWARD_PARAMETERS[node[name]].default == getattr(CoreSettings(cameras=("one",)), node[name]) == value
    assert bag["state_max_age"] == defaults["state_max_age"] == REWARD_PARAMETERS["state_max_age"].default


def through_the_door(bag: Path, settings: CoreSettings) -> tuple[list[tuple[int, tuple[int | None, ...]]], dict]:
    """Sets (oldest stamp, stamp of each camera) that the node's door lets through, and what it dropped."""
    health, timing = Health(settings.limits, now=0.0), StageTiming()
    door, sets = PictureDoor(settings, health=health, timing=timing, states=StateHistory({}, 0.0)), []
    for message in BagFile(bag).messages(list(CAMERA_OF)):
        now_ns, camera = message.received_ns, CAMERA_OF[message.topic]
        found = door.take(camera, message.content, stamp_ns=message.stamp_ns, now_ns=now_ns, now=now_ns * 1e-9)
        if found is not None:
            stamps = tuple(None if each is None else each.stamp_ns for each in found.frames.values())
            sets.append((found.stamp_ns, stamps))
    return sets, {camera: {why: n for why, n in by.items() if n} for camera, by in door.dropped.items()}


def disorder(seed: int) -> list:
    """Arrivals as bad as they come: overtaken, repeated, lost, without a stamp, old, of the future, set back."""
    generator = np.random.default_rng(seed)
    film, events = red_to_green(2, size=(4, 4)), []
    for camera, make in (("front", raw_image), ("wrist", compressed_image)):
        period, offset = int(generator.integers(20, 60)), int(generator.integers(0, 15))
        for t in range(40):
            stamp = START + (t * period + offset) * MS
            at = stamp + int(generator.choice([1, 5, 30, 90, 600])) * MS
            fault = generator.random()
            said = (
                0
                if fault < 0.05
                else stamp + 2000 * MS
                if fault < 0.1
                else stamp - 3000 * MS
                if fault < 0.13
                else stamp
            )
            if fault < 0.9:
                events.append((TOPICS[camera], at, make(film[0], said)))
            if 0.8 < fault < 0.9:
                events.append((TOPICS[camera], at + 7 * MS, make(film[1], said)))
    return sorted(events, key=lambda event: event[1])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("optional", [(), ("wrist",)], ids=["both required", "wrist optional"])
def test_however_pictures_arrive_the_node_makes_the_sets_that_the_bag_has(tmp_path, seed, optional):
    bag = write_bag(tmp_path / "run", disorder(seed))
    prefixed = tuple(f"observation.images.{name}" for name in optional)
    live, dropped = through_the_door(bag, CoreSettings(cameras=(FRONT, WRIST), optional_cameras=prefixed))
    source = BagEpisodes(bag, cameras=TOPICS, optional=optional, instruction="make it green")
    recorded = [
        (one.frames.stamp_ns, tuple(None if each is None else each.stamp_ns for each in one.frames.frames.values()))
        for episode in source.recorded.values()
        for one in episode.sets
    ]
    assert live == recorded
    assert len(live) > 2
    counted = source._indices[0].frames.dropped
    assert dropped == {camera: {str(why): n for why, n in by.items() if n} for camera, by in counted.items()}
    assert len({why for by in dropped.values() for why in by}) >= 3


def test_a_repeated_picture_and_one_that_was_overtaken_are_out_of_order_live_and_recorded(tmp_path):
    film = red_to_green(4, size=(4, 4))
    order = [0, 2, 1, 2, 3]
    events = [
        (TOPICS[camera], START + (30 * at + 5) * MS, make(film[t], START + 20 * t * MS))
        for at, t in enumerate(order)
        for camera, make in (("front", raw_image), ("wrist", compressed_image))
    ]
    bag = write_bag(tmp_path / "run", events)
    live, dropped = through_the_door(bag, CoreSettings(cameras=(FRONT, WRIST)))
    assert [stamp for stamp, _ in live] == [START + 20 * t * MS for t in (0, 2, 3)]
    assert dropped == {camera: {"out of order": 2} for camera in (FRONT, WRIST)}
    source = BagEpisodes(bag, cameras=TOPICS, instruction="make it green")
    assert [one.frames.stamp_ns for one in source.recorded[0].sets] == [stamp for stamp, _ in live]
    assert all("(2 out of order)" in note for note in source.notes)
