"""Rewards of a recorded episode as the messages that the robot's node would have published."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from robo_reward.clip import Episode
from robo_reward.episodes.bag_index import RecordedEpisode, RecordedSet
from robo_reward.episodes.bag_writer import FLOAT64, REWARD_STAMPED, AddedMessage
from robo_reward.relabel.reward_columns import SUCCESS_PROBABILITY

NAN = float("nan")


class Status(IntEnum):
    """Those values of `RewardStamped.status` that a recording can have."""

    OK = 1
    WARMUP = 4
    LOW_CONFIDENCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTopics:
    """Where rewards go in a bag: the names that the robot's node uses."""

    stamped: str = "/reward_node/reward"
    """robo_reward_msgs/RewardStamped, one for each set of frames and one for the end of an episode."""
    value: str = "/reward"
    """std_msgs/Float64: shaped and task reward of a transition, only where the status is OK."""

    def under(self, namespace: str) -> "RewardTopics":
        """Give the topics in a namespace; "" = as they are.

        Raises:
            ValueError: A namespace that does not begin with a slash, or ends with one.
        """
        if namespace and (not namespace.startswith("/") or namespace.endswith("/")):
            raise ValueError(f"a namespace begins with a slash and does not end with one, got '{namespace}'")
        return RewardTopics(stamped=namespace + self.stamped, value=namespace + self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is the same in all messages of an episode."""

    model_id: str
    discount: float
    success_reward: float
    session: int
    """[ns]: when the first set of the bag was taken."""
    episode: int
    """Number within the bag."""
    sequence: int
    """Number of the first message within the bag."""
    answered: int
    """Sets of the bag before this episode."""


def reward_messages(
    episode: Episode, recorded: RecordedEpisode, columns: Mapping[str, np.ndarray], told: Told, *, topics: RewardTopics
) -> Iterator[AddedMessage]:
    """Give the messages of one episode, each at the time at which its set was complete.

    The message of set t tells of the transition t−1 → t; the first set has none (WARMUP). The task is paid for once,
    where the episode ends, as on the robot: success before that shows as `success` alone. The state after the last set
    was not recorded: an episode that terminated ends with a message of its own, whose reward is that of reaching a
    terminal state, and any other with one that says `truncated`.

    Args:
        episode: Whose success and end are as in `columns`.
        recorded: Its sets.
        columns: As `robo_reward.relabel.reward_columns` gives them.
        told: What is the same in all of them.
        topics: Where they go.
    """
    rows = [_of_set(t, columns, told) for t in range(episode.num_frames)]
    rows.append(_of_end(columns, told, terminated=episode.terminated))
    for number, row in enumerate(rows):
        at_end = number == episode.num_frames
        one = recorded.sets[-1] if at_end else recorded.sets[number]
        received_ns = max(recorded.ended_ns, one.formed_ns) if at_end else one.formed_ns
        order = {
            "session": told.session,
            "sequence": told.sequence + number,
            "episode": told.episode,
            "sets_answered": told.answered + min(number + 1, episode.num_frames),
            "sets_dropped": 0,
            "pictures_refused": 0,
        }
        said = {"model_id": told.model_id, "goal_id": episode.instruction, "input_age": NAN, "inference_time": NAN}
        fields = _of_frames(one, views=not at_end) | row | said | order
        yield AddedMessage(topic=topics.stamped, kind=REWARD_STAMPED, received_ns=received_ns, fields=fields)
        if row["status"] == Status.OK:
            paid = {"data": row["reward"] + row["task_reward"]}
            yield AddedMessage(topic=topics.value, kind=FLOAT64, received_ns=received_ns, fields=paid)


def _of_set(t: int, columns: Mapping[str, np.ndarray], told: Told) -> dict[str, Any]:
    progress, spread = float(columns["reward.progress"][t]), float(columns["reward.spread"][t])
    reward = float(columns["reward.shaped"][t - 1]) if t else NAN
    success = bool(columns["next.success"][t - 1]) if t else False
    if np.isnan(progress):
        status, reason = (Status.LOW_CONFIDENCE if t else Status.WARMUP), "the model abstained"
    elif np.isnan(reward):
        status, reason = Status.WARMUP, "the first potential of an episode: there is no transition yet"
    else:
        status, reason = Status.OK, ""
    paid = status == Status.OK
    return {
        "status": int(status),
        "reason": reason,
        "progress": progress,
        "spread": spread,
        "potential": float(columns["reward.potential"][t]) if paid else NAN,
        "reward": reward if paid else NAN,
        "discount": told.discount if paid else NAN,
        "steps": int(paid),
        "task_reward": 0.0 if paid else NAN,  # paid once, where the episode ends
        "success_probability": float(columns[SUCCESS_PROBABILITY][t]) if SUCCESS_PROBABILITY in columns else NAN,
        "success": success,
        "terminated": False,
        "truncated": False,
    }


def _of_end(columns: Mapping[str, np.ndarray], told: Told, *, terminated: bool) -> dict[str, Any]:
    """Tell of the transition into the state that nobody recorded."""
    last = len(columns["reward.progress"]) - 1
    row = _of_set(last, columns, told)
    row |= {"terminated": terminated, "truncated": not terminated, "success": bool(columns["next.success"][last])}
    reward = float(columns["reward.shaped"][last])
    if not terminated or np.isnan(reward):
        unknown = dict.fromkeys(("potential", "reward", "discount", "task_reward"), NAN)
        reason = "the episode ended before a potential was known" if terminated else "the recording ends here"
        return row | unknown | {"status": int(Status.WARMUP), "reason": reason, "steps": 0}
    return row | {
        "status": int(Status.OK),
        "reason": "",
        "potential": float(columns["reward.potential"][last]),
        "reward": reward,
        "discount": told.discount,
        "steps": 1,
        "task_reward": told.success_reward * row["success"],
    }


def _of_frames(one: RecordedSet, *, views: bool) -> dict[str, Any]:
    frames = one.frames.frames if views else {}
    lags = [NAN if frame is None else (frame.stamp_ns - one.frames.stamp_ns) * 1e-9 for frame in frames.values()]
    return {
        "header": {"stamp": _time(one.frames.stamp_ns), "frame_id": ""},
        "newest_stamp": _time(one.frames.newest_stamp_ns),
        "views": list(frames),
        "view_present": np.array([frame is not None for frame in frames.values()], bool),
        "view_lag": np.array(lags, np.float64),
        "view_progress": np.full(len(frames), NAN),
    }


def _time(stamp_ns: int) -> dict[str, int]:
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return {"sec": sec, "nanosec": nanosec}
