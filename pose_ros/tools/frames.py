"""Frames from a video file, a picture, a folder of pictures or a camera, as RGB arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError

PICTURE_RATE_HZ = 10.0
"""Rate of pictures that are played as a video, where no other is asked for."""


class Frame(NamedTuple):
    """One RGB image (H, W, 3) uint8 and its time from the start of the source."""

    image: ImageArray
    time_ns: int


class FrameSource(Protocol):
    """Gives its frames from the start each time it is iterated; ImageError for a bad file.

    `rate_hz` is None where frames come at their own pace, `count` where they do not end.
    """

    @property
    def rate_hz(self) -> float | None:
        """Frames per second."""

    @property
    def count(self) -> int | None:
        """Number of frames; of videos an estimate from the file's header."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames from the start."""


@dataclass(frozen=True)
class Video:
    """A video file."""

    path: Path
    rate_hz: float
    count: int

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames with the file's own time stamps."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while (image := _read(capture)) is not None:
                yield Frame(image, round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6))
        finally:
            capture.release()


@dataclass(frozen=True)
class Pictures:
    """Picture files, one after the other."""

    paths: tuple[Path, ...]
    rate_hz: float = PICTURE_RATE_HZ

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        """Read the pictures at even distances in time."""
        for number, path in enumerate(self.paths):
            yield Frame(_read_picture(path), round(number * 1e9 / self.rate_hz))


@dataclass(frozen=True)
class Camera:
    """A camera by its number; it never ends while the device delivers."""

    index: int
    rate_hz: None = None
    count: None = None

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames as they come; their time is not known."""
        capture = cv2.VideoCapture(self.index)
        try:
            if not capture.isOpened():
                raise ImageError(f"camera {self.index} cannot be opened")
            while (image := _read(capture)) is not None:
                yield Frame(image, 0)
            raise ImageError(f"camera {self.index} stopped to deliver images")
        finally:
            capture.release()


def open_frames(source: str) -> FrameSource:
    """Return the frames of a video file, a picture, a folder of pictures or a camera's number.

    Raises ImageError when there is nothing to read.
    """
    if source.isdecimal():
        return Camera(int(source))
    path = Path(source)
    if not path.exists():
        raise ImageError(f"{source} does not exist")
    if path.is_dir():
        return _open_folder(path)
    return Pictures((path,)) if is_picture(path) else _open_video(path)


def is_picture(path: Path) -> bool:
    """Tell whether a file begins like a picture that OpenCV can read."""
    return path.is_file() and cv2.haveImageReader(str(path))


def _open_folder(path: Path) -> Pictures:
    pictures = tuple(sorted(item for item in path.iterdir() if is_picture(item)))
    if not pictures:
        raise ImageError(f"folder {path} has no picture that can be read")
    return Pictures(pictures)


def _open_video(path: Path) -> Video:
    capture = cv2.VideoCapture(str(path))
    try:
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        if _read(capture) is None or not 0 < rate_hz < 1000:
            raise ImageError(f"{path} cannot be read as a video or a picture")
        return Video(path, rate_hz, max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    finally:
        capture.release()


def _read(capture: cv2.VideoCapture) -> ImageArray | None:
    is_read, bgr = capture.read()
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8) if is_read else None


def _read_picture(path: Path) -> ImageArray:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ImageError(f"picture {path} cannot be decoded: its data is damaged")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
