"""Rewards into copies of the bags that they were computed from."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from robo_reward.clip import Episode
from robo_reward.durable import output_errors
from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.bag_file import BagFile
from robo_reward.episodes.bag_writer import AddedMessage, check_copy, copy_bag
from robo_reward.relabel.reward_messages import RewardTopics, Told, reward_messages

RewardsOf = Callable[[Episode], tuple[Episode, Mapping[str, np.ndarray]]]
"""Gives an episode, with its end and success as decided, and its reward columns."""


def check_bags(source: BagEpisodes, topics: RewardTopics) -> None:
    """Find out before hours of work whether every bag can be copied with rewards in it.

    Raises:
        DataSetError: A bag of ROS 1, one that has the topics already, or one without definitions of its types.
    """
    for bag in _episodes_of(source):
        check_copy(bag, [topics.stamped, topics.value])


def write_bags(
    staging: Path,
    source: BagEpisodes,
    rewards_of: RewardsOf,
    *,
    discount: float,
    success_reward: float,
    version_of: Mapping[str, str],
    topics: RewardTopics,
) -> None:
    """Copy every bag of the source with the rewards of its selected episodes.

    One bag is copied to `staging` itself, several to folders in it by their names. What an interrupted run left there
    is replaced. The caller ends with `robo_reward.durable.publish_folder(staging, output)`.

    Args:
        staging: Folder to write.
        source: The bags.
        rewards_of: Gives the rewards of an episode; asked once per episode, in order.
        discount: The learner's γ.
        success_reward: Task reward of a transition that ends in success.
        version_of: Instruction to the version of its model.
        topics: Where rewards go.

    Raises:
        DataSetError: A bag cannot be read.
        OutputError: The disk is full or the folder cannot be written.
    """
    with output_errors(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.parent.mkdir(parents=True, exist_ok=True)
    bags = _episodes_of(source)
    for number, (bag, episodes) in enumerate(bags.items()):
        folder = staging if len(bags) == 1 else staging / _name(number, list(bags))

        def added(episodes: list[Episode] = episodes) -> Iterator[AddedMessage]:
            session = source.recorded[episodes[0].index].sets[0].frames.stamp_ns
            sequence = answered = 0
            for place, given in enumerate(episodes):
                episode, columns = rewards_of(given)
                told = Told(
                    model_id=version_of[episode.instruction],
                    discount=discount,
                    success_reward=success_reward,
                    session=session,
                    episode=place,
                    sequence=sequence,
                    answered=answered,
                )
                yield from reward_messages(episode, source.recorded[episode.index], columns, told, topics=topics)
                sequence, answered = sequence + episode.num_frames + 1, answered + episode.num_frames

        copy_bag(bag, folder, added())


def _episodes_of(source: BagEpisodes) -> dict[BagFile, list[Episode]]:
    """Selected episodes of each bag."""
    found: dict[BagFile, list[Episode]] = {}
    for episode in source.episodes:
        found.setdefault(source.recorded[episode.index].bag, []).append(episode)
    return found


def _name(number: int, bags: list[BagFile]) -> str:
    """Give a bag's folder: its own name, with a number where an earlier bag has it."""
    names = [bag.path.stem if bag.path.is_file() else bag.path.name for bag in bags]
    return names[number] if names[number] not in names[:number] else f"{names[number]}_{number}"
