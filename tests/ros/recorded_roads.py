"""Three roads from a bag to rewards: the live core, the relabelled bag, the relabelled data set. No ROS is needed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from recorded_models import FRONT, TASK, TOPICS, WRIST, RecordedModel
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import TaskSettings, bind_model
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.reward_core import RewardCore
from ros_pictures import until

from robo_reward.cli.main import main
from robo_reward.episodes.bag_file import BagFile, BagMessage
from robo_reward.episodes.bag_topics import state_topics
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_rows import SENSED
from robo_reward.episodes.ros_fields import numbers_of_message
from robo_reward.relabel.score_episodes import score_episodes
from robo_reward.reward_model import Estimate
from robo_reward.state_history import StateHistory

CAMERA_OF = {TOPICS["front"]: FRONT, TOPICS["wrist"]: WRIST}
NUMBERS = ("progress", "spread", "potential", "reward", "task_reward", "discount", "success_probability")


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer is worth, comparable bit for bit: numbers as hexadecimal, NaN equal to NaN."""

    stamp_ns: int
    status: int
    success: bool
    model_id: str
    goal_id: str
    numbers: tuple[str, ...]


def told(answer: Any, *, stamp_ns: int) -> Told:
    """Of an `Answer`, or a message of the same fields."""
    numbers = tuple(float(getattr(answer, name)).hex() for name in NUMBERS)
    return Told(stamp_ns, int(answer.status), bool(answer.success), answer.model_id, answer.goal_id, numbers)


def task_settings(recorded: RecordedModel) -> TaskSettings:
    return TaskSettings(reward_model=recorded.reward_model, instruction=TASK, overrides=recorded.overrides)


def messages(recorded: RecordedModel) -> Sequence[BagMessage]:
    bag = BagFile(recorded.bag)
    return list(bag.messages(list(bag.kinds)))


def feel(recorded: RecordedModel, message: BagMessage, say: Callable[..., None]) -> None:
    """Say what a message holds of the robot's state."""
    for name, state in state_topics(recorded.state).items():
        if state.topic == message.topic:
            say(name, state.scale * numbers_of_message(message.content, state.fields), stamp_ns=message.stamp_ns)


def states_of(recorded: RecordedModel) -> StateHistory:
    return StateHistory(recorded.sizes, 0.1)


class _ReceiptClocks:
    """The clocks of a node to which each message comes when the recorder received it."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def steady(self) -> float:
        return self.now * 1e-9


def through_the_core(recorded: RecordedModel) -> list[Told]:
    """Feed a live core, message by message, each answered before the next comes."""
    clocks, answers = _ReceiptClocks(), list[Answer]()
    heard = messages(recorded)
    clocks.now = heard[0].received_ns
    settings = CoreSettings(cameras=(FRONT, WRIST))
    bound = bind_model(task_settings(recorded))
    core = RewardCore(bound, settings, clocks=clocks, publish=answers.append, states=states_of(recorded))
    for message in heard:
        clocks.now = message.received_ns
        feel(recorded, message, core.feel)
        if message.topic in CAMERA_OF:
            core.picture(CAMERA_OF[message.topic], message.content, stamp_ns=message.stamp_ns)
            until(lambda: core._worker.idle, seconds=20)
    assert core.close(5)
    return [told(each, stamp_ns=each.stamp_ns) for each in answers if each.views]


def relabelled(recorded: RecordedModel, output: Path, *more: str) -> Path:
    """`robo-reward relabel episodes=mcap`, as a user types it."""
    cameras = ", ".join(f"{name}: {topic}" for name, topic in TOPICS.items())
    state = str(dict(recorded.state)).replace("'", "")
    given = [
        "episodes=mcap",
        f"episodes.path={recorded.bag}",
        f"episodes.cameras={{{cameras}}}",
        f"episodes.instruction={TASK}",
        *([f"episodes.state={state}"] if recorded.state else []),
        f"reward_model={recorded.reward_model}",
        *recorded.overrides,
        *(["success_from=model"] if recorded.success else []),
        f"output={output}",
        *more,
    ]
    assert main(["relabel", *given]) == 0
    return output


def in_the_bag(recorded: RecordedModel, output: Path, *more: str) -> list[Told]:
    """The messages of sets in the relabelled copy of the bag."""
    bag = BagFile(relabelled(recorded, output, "output_format=bag", *more))
    stamped = [each for each in bag.messages(["/reward_node/reward"]) if each.content.views]
    return [told(each.content, stamp_ns=each.stamp_ns) for each in stamped]


COLUMNS = ("reward.progress", "reward.spread", "reward.potential", "reward.shaped", "stamp_ns")


def in_the_data_set(recorded: RecordedModel, output: Path, *more: str) -> tuple[Path, dict[str, np.ndarray]]:
    """The columns of the data set that the bag becomes."""
    source = LeRobotEpisodes(relabelled(recorded, output, *more))
    return output, dict(source.columns(source.episodes[0], COLUMNS))


def assert_columns(columns: dict[str, np.ndarray], live: Sequence[Told]) -> None:
    """Row t of a data set is about set t, and the transition to the next one."""
    numbers = [dict(zip(NUMBERS, each.numbers, strict=True)) for each in live]
    assert columns["stamp_ns"].tolist() == [each.stamp_ns for each in live]
    known = [t for t, each in enumerate(live) if each.status == Status.OK]
    for name in ("progress", "spread"):
        assert [float(columns[f"reward.{name}"][t]).hex() for t in known] == [numbers[t][name] for t in known]
    assert [float(columns["reward.potential"][t]).hex() for t in known] == [numbers[t]["potential"] for t in known]
    assert [float(columns["reward.shaped"][t - 1]).hex() for t in known] == [numbers[t]["reward"] for t in known]
    assert math.isnan(columns["reward.shaped"][-1]) or known


def estimates_of_the_data_set(recorded: RecordedModel, folder: Path) -> Estimate:
    """What the model says of the data set that the bag became, read as any other."""
    state = {name: {"column": SENSED + name} for name in recorded.state}
    source = LeRobotEpisodes(folder, state=state or None)
    model = bind_model(task_settings(recorded)).model
    ((_, scores),) = score_episodes(source, {TASK: model}, episodes=source.episodes, store=None)
    return scores.estimate
