"""Pictures to calibrate with: from a folder, a video, a live camera or a ROS bag, all in one form."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import av
import av.error
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from jaxtyping import UInt8

from robo_reward.errors import DataSetError

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".webm")
BAG_SUFFIXES = (".bag", ".db3", ".mcap")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Picture:
    """One picture of a camera."""

    name: str
    """File name or frame number, for messages."""
    stamp: float
    """When it was taken [s]; of a folder, its place in the sorted list."""
    place: int
    """How many pictures the source has before it, those that were passed over included."""
    grey: UInt8[np.ndarray, "height width"]


@runtime_checkable
class PictureSource(Protocol):
    """Where pictures come from."""

    def count(self) -> int | None:
        """How many there are; None = nobody knows before the end."""
        ...

    def __iter__(self) -> Iterator[Picture]:
        """Give them in the order of time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """Which of the pictures that there are get looked at.

    Raises:
        ValueError: A number that is not positive.
    """

    every: int = 1
    """Of a video or bag, every so-manieth frame."""
    topic: str | None = None
    """Of a bag with several image topics, the one that is meant."""
    number: int = 60
    """Of a live camera, how many pictures are taken."""
    interval: float = 0.5
    """Of a live camera, the time between them [s]."""

    def __post_init__(self) -> None:
        if min(self.every, self.number) < 1 or self.interval < 0:
            raise ValueError(
                f"every and number must be >= 1 and interval >= 0 s, got {self.every}, {self.number}, {self.interval}"
            )


def open_pictures(where: str | Path | int, settings: ReadingSettings) -> PictureSource:
    """Give the pictures of a folder, a video file, a ROS bag, or a camera (`/dev/video0` or its number).

    Raises:
        FileNotFoundError: There is nothing of that name.
        DataSetError: It holds no pictures; the message names what is read.
    """
    if isinstance(where, int) or str(where).isdecimal() or str(where).startswith("/dev/"):
        return DevicePictures(device=where if isinstance(where, int) else str(where), settings=settings)
    path = Path(where)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such folder, video, ROS bag or camera")
    bag = path.suffix.lower() in BAG_SUFFIXES or (path.is_dir() and (path / "metadata.yaml").is_file())
    if bag:
        from robo_reward.calibration.bag_pictures import BagPictures  # noqa: PLC0415 (an extra, only when it is meant)

        return BagPictures(path, settings=settings)
    if path.is_dir():
        return FolderPictures(folder=path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoPictures(file=path, settings=settings)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return FolderPictures(folder=path.parent, only=path.name)
    kinds = (
        f"a folder of {' '.join(PICTURE_SUFFIXES)}, a video {' '.join(VIDEO_SUFFIXES)}, a bag {' '.join(BAG_SUFFIXES)}"
    )
    raise DataSetError(f"{path}: pictures come from {kinds}, or a camera such as /dev/video0")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPictures:
    """The picture files of a folder, in the order of their names."""

    folder: Path
    only: str | None = None
    """One file's name; None = all."""

    @property
    def files(self) -> list[Path]:
        """Every picture file, sorted."""
        found = [self.folder / self.only] if self.only else sorted(self.folder.iterdir())
        return [file for file in found if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")]

    def count(self) -> int:
        """How many files there are."""
        return len(self.files)

    def __iter__(self) -> Iterator[Picture]:
        """Read them one by one.

        Raises:
            DataSetError: There is none, or one that is no picture.
        """
        if not self.files:
            raise DataSetError(f"{self.folder} holds no picture; looked for {' '.join(PICTURE_SUFFIXES)}")
        for place, file in enumerate(self.files):
            # straight from the bytes, as they were taken: OpenCV would turn the picture by its EXIF note
            grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
            if grey is None:
                raise DataSetError(f"{file} cannot be read as a picture")
            yield Picture(name=file.name, stamp=float(place), place=place, grey=np.asarray(grey, np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPictures:
    """Frames of a video file."""

    file: Path
    settings: ReadingSettings

    def count(self) -> int | None:
        """How many frames are looked at, as far as the file says."""
        with self._open() as container:
            frames = container.streams.video[0].frames
        return -(-frames // self.settings.every) if frames else None

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one.

        Raises:
            DataSetError: The file is no video, or damaged.
        """
        with self._open() as container:
            try:
                for place, frame in enumerate(container.decode(video=0)):
                    if place % self.settings.every == 0 and isinstance(frame, VideoFrame):
                        stamp = place if frame.time is None else frame.time
                        grey = frame.to_ndarray(format="gray")
                        yield Picture(name=f"frame {place}", stamp=float(stamp), place=place, grey=grey)
            except av.error.FFmpegError as error:
                raise DataSetError(f"{self.file}: the video is damaged ({error})") from error

    def _open(self) -> InputContainer:
        try:
            container = av.open(str(self.file))
        except av.error.FFmpegError as error:
            raise DataSetError(f"{self.file} is no video: {error}") from error
        if not container.streams.video:
            container.close()
            raise DataSetError(f"{self.file} holds no video stream")
        return container


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePictures:
    """Pictures of a camera that is plugged in, taken while somebody moves the board."""

    device: str | int
    """Its path or number."""
    settings: ReadingSettings

    def count(self) -> int:
        """How many are taken."""
        return self.settings.number

    def __iter__(self) -> Iterator[Picture]:
        """Take them one by one, at intervals.

        Raises:
            DataSetError: The camera cannot be opened or gives no picture.
        """
        number = int(self.device) if str(self.device).isdecimal() else str(self.device)
        camera = cv2.VideoCapture(number)
        try:
            if not camera.isOpened():
                raise DataSetError(f"camera {self.device} cannot be opened; is it plugged in, and free?")
            start = time.monotonic()
            for place in range(self.settings.number):
                yield self._taken(camera, place, start)
        finally:
            camera.release()

    def _taken(self, camera: cv2.VideoCapture, place: int, start: float) -> Picture:
        while True:  # frames are drained all the while, so that the next one is no old one
            good, frame = camera.read()
            since = time.monotonic() - start
            if not good:
                raise DataSetError(f"camera {self.device} gives no picture")
            if since >= place * self.settings.interval:
                grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                return Picture(name=f"picture {place}", stamp=since, place=place, grey=np.asarray(grey, np.uint8))
