"""Looks for the board in pictures, with a bar, and says what was rejected."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from robo_reward.calibration.boards import Board
from robo_reward.calibration.chosen_views import BoardViews, look_for_board
from robo_reward.calibration.corners import DetectionSettings
from robo_reward.calibration.pictures import ReadingSettings, open_pictures


def views_with_bar(
    pictures: str | int, board: Board, *, reading: Mapping[str, Any], detection: Mapping[str, Any], name: str
) -> BoardViews:
    """Find the board in all pictures of one camera; says how many were rejected and why."""
    source = open_pictures(pictures, ReadingSettings(**reading))
    console = Console(stderr=True, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{name}: looking for the board", total=source.count())
        found = look_for_board(
            source, board, settings=DetectionSettings(**detection), on_picture=lambda _: bar.advance(task)
        )
    total = len(found.views) + len(found.rejected)
    # numbers behind the colon differ from picture to picture
    reasons = Counter(each.reason.split(":")[0] for each in found.rejected)
    told = "".join(f"; {count} rejected: {reason}" for reason, count in reasons.most_common())
    console.print(f"{name}: the board is seen in {len(found.views)} of {total} pictures{told}", markup=False)
    return found
