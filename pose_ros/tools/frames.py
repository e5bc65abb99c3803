"""Frames from a video file, an image, a folder of images or a camera, as RGB arrays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError
from pose_ros.inputs.compressed_images import decode_compressed
from pose_ros.tools.frame import IMAGE_RATE_HZ, Frame, FrameSource
from pose_ros.tools.opencv_files import utf8_name
from pose_ros.tools.video import is_animation, open_video

_CHECKED_FORMATS = (b"\xff\xd8\xff", b"\x89PNG")


@dataclass(frozen=True)
class ImageFiles:
    """Image files, one after the other."""

    paths: tuple[Path, ...]
    rate_hz: float = IMAGE_RATE_HZ

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        """Read the images at even distances in time."""
        for number, path in enumerate(self.paths):
            yield Frame(_read_image(path), round(number * 1e9 / self.rate_hz))


@dataclass(frozen=True)
class Camera:
    """A camera by its number; it never ends while the device delivers."""

    index: int
    rate_hz: None = None
    count: None = None

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames as they come; their time is that of their arrival."""
        capture = cv2.VideoCapture(self.index)
        start_ns = time.monotonic_ns()
        try:
            if not capture.isOpened():
                raise ImageError(f"camera {self.index} cannot be opened")
            while (read := capture.read())[0]:
                yield Frame(_rgb(read[1]), time.monotonic_ns() - start_ns)
            raise ImageError(f"camera {self.index} delivers no more images")
        finally:
            capture.release()


def open_frames(source: str) -> FrameSource:
    """Return the frames of a video file, an image, a folder of images or a camera's number.

    Raises ImageError when there is nothing to read.
    """
    if source.isdecimal():
        return Camera(int(source))
    path = Path(source)
    if not path.exists():
        raise ImageError(f"{source} does not exist")
    return _open_folder(path) if path.is_dir() else _open_file(path)


def source_files(source: str, frames: FrameSource) -> tuple[Path, ...]:
    """Return the files that frames of a source are read from."""
    return frames.paths if isinstance(frames, ImageFiles) else (Path(source),)


def is_image(path: Path) -> bool:
    """Whether a file begins like an image that OpenCV can read."""
    if not path.is_file():
        return False
    with utf8_name(path) as name:
        return bool(cv2.haveImageReader(name))


def _open_folder(path: Path) -> ImageFiles:
    images = tuple(sorted(item for item in path.iterdir() if is_image(item)))
    if not images:
        raise ImageError(f"folder {path} has no image that can be read")
    return ImageFiles(images)


def _open_file(path: Path) -> FrameSource:
    is_still = is_image(path) and not is_animation(path)
    video = None if is_still else open_video(path)
    if video is not None:
        return video
    if is_image(path):
        return ImageFiles((path,))
    raise ImageError(f"{path} cannot be read as a video or an image")


def _read_image(path: Path) -> ImageArray:
    data, flags = path.read_bytes(), cv2.IMREAD_COLOR
    try:
        if data.startswith(_CHECKED_FORMATS):  # of the others OpenCV itself notices the end
            return _rgb(decode_compressed(data, path.suffix, flags))
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (ImageError, cv2.error) as error:
        raise ImageError(f"{path} cannot be decoded: {error}") from error
    if bgr is None:
        raise ImageError(f"{path} cannot be decoded: its data is damaged or truncated")
    return _rgb(bgr)


def _rgb(bgr: npt.NDArray[Any]) -> ImageArray:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
