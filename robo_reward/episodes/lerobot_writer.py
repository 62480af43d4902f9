"""Records new episodes into a LeRobot v3 data set: pictures in, H.264 and parquet out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import UInt8

from robo_reward.episodes.lerobot_format import Feature


class LeRobotWriter:
    """Records episodes one after the other; the data set gets its name when all are there.

    Everything goes to `<folder>.partial`, which `finish` renames to `folder`: an interrupted recording leaves nothing
    that looks whole. What an earlier interrupted recording left there is replaced. The same calls give the same bytes.

    Used as a context manager it finishes on leaving without an error, and leaves `<folder>.partial` behind otherwise.

    Raises:
        OutputError: `folder` exists, or the disk is full.
        ValueError: `fps` not positive, no camera, a camera that is not `video` or of odd size, a name that the writer
            fills itself or that has '/' in it.
    """

    def __init__(
        self,
        folder: Path,
        features: Mapping[str, Feature],
        *,
        fps: float,
        robot_type: str,
        crf: int = 20,
        key_frame_every: int = 10,
    ) -> None:
        """Begin a data set.

        Args:
            folder: Where the data set will be; must not exist.
            features: Cameras (`dtype="video"`, shape (height, width, 3)) and columns, without those that the writer
                fills: timestamp, frame_index, episode_index, index, task_index.
            fps: Frames per second [1/s].
            robot_type: Name of the robot.
            crf: x264's constant rate factor in [0, 51]; less is better and larger.
            key_frame_every: Frames between key frames; less makes random access faster and files larger.
        """
        raise NotImplementedError

    def add_episode(
        self,
        instruction: str,
        *,
        views: Mapping[str, Iterable[UInt8[np.ndarray, "3 height width"]]],
        columns: Mapping[str, np.ndarray[Any, Any]],
    ) -> None:
        """Append one episode, encoded while its frames come in.

        Args:
            instruction: The task in words; episodes of one instruction share a task.
            views: RGB frames of every camera, channels first, oldest first: an array `(time, 3, height, width)` or a
                generator. Frame t is at t / fps seconds.
            columns: `(time,)` for shape (1,), else `(time, *shape)`, of exactly the declared dtype.

        Raises:
            ValueError: Names that differ from `features`, an empty instruction, shapes, dtypes or lengths that differ,
                an episode without frames.
            OutputError: The disk is full.
        """
        raise NotImplementedError

    def finish(self) -> Path:
        """Write tables of contents and statistics, give the folder its name, and return it.

        Raises:
            ValueError: No episode was added.
            OutputError: The disk is full, or something took the name meanwhile.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish unless an error ended the block."""
        raise NotImplementedError
