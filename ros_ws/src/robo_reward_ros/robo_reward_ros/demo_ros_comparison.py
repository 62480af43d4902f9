"""Rewards of a bag, those that came live beside those that relabelling gave: are they the same numbers? No ROS."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robo_reward.episodes.bag_file import BagFile

LIVE, OFFLINE = "/reward_node/reward", "/offline/reward_node/reward"
NUMBERS = ("progress", "spread", "potential", "reward", "discount", "task_reward")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer: to a set of pictures, or the end of an episode."""

    stamp_ns: int
    terminated: bool
    truncated: bool
    status: int
    progress: float = field(compare=False)  # NaN equals nothing; `numbers` has it, too
    numbers: tuple[str, ...]
    """Hexadecimal: equal bit for bit, NaN too."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Comparison:
    """What came live, episode by episode, and how it compares."""

    episodes: Sequence[Sequence[Told]]
    """Of the demo, without heartbeats; the last one of each is its end."""
    answers: int
    """Live answers to pictures, and ends by success."""
    different: int
    """Of them, those whose numbers differ from the relabelled ones, or are missing there."""
    unanswered: int
    """Relabelled answers that did not come live, or were not recorded."""


def compare(bag: Path, *, since_ns: int) -> Comparison:
    """Compare a relabelled bag's rewards with those that were recorded in it.

    Args:
        bag: With the live rewards on `LIVE` and the relabelled ones on `OFFLINE`.
        since_ns: When the demo's first episode began [ns]; what came before was setting up.
    """
    file = BagFile(bag)
    live = [_told(each.content, each.stamp_ns) for each in file.messages([LIVE]) if _counts(each, since_ns)]
    relabelled = (_told(each.content, each.stamp_ns) for each in file.messages([OFFLINE]))
    offline = {_key(told): told for told in relabelled if not told.truncated}
    compared = [told for told in live if not told.truncated]
    different = [told for told in compared if offline.get(_key(told)) != told]
    known = {_key(told) for told in live}
    unanswered = [key for key in offline if key not in known and since_ns < key[0]]
    return Comparison(
        episodes=_episodes(live), answers=len(compared), different=len(different), unanswered=len(unanswered)
    )


def _counts(message: Any, since_ns: int) -> bool:
    """Heartbeats and what came before the first episode do not."""
    content = message.content
    ends = bool(content.terminated or content.truncated)
    return message.stamp_ns > since_ns and (len(content.views) > 0 or ends)


def _told(content: Any, stamp_ns: int) -> Told:
    return Told(
        stamp_ns=stamp_ns,
        terminated=bool(content.terminated),
        truncated=bool(content.truncated),
        status=int(content.status),
        progress=float(content.progress),
        numbers=tuple(float(getattr(content, name)).hex() for name in NUMBERS),
    )


def _key(told: Told) -> tuple[int, bool]:
    return told.stamp_ns, told.terminated


def _episodes(live: Sequence[Told]) -> list[list[Told]]:
    """Cut where an end was told."""
    episodes: list[list[Told]] = [[]]
    for told in live:
        episodes[-1].append(told)
        if told.terminated or told.truncated:
            episodes.append([])
    return [episode for episode in episodes if len(episode) > 2]
