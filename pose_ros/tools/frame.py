"""What is played, annotated or measured: frames, and sources that give them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import ImageArray

IMAGE_RATE_HZ = 10.0
"""Rate of image files that are played one after the other, unless another is asked for."""


class Frame(NamedTuple):
    """One RGB image (H, W, 3) uint8 and its time from the start of the source."""

    image: ImageArray
    time_ns: int


class FrameSource(Protocol):
    """Gives its frames from the start each time it is iterated; ImageError for a bad file.

    `rate_hz` is None for a live camera, `count` where it is not known.
    """

    @property
    def rate_hz(self) -> float | None:
        """Frames per second."""

    @property
    def count(self) -> int | None:
        """Number of frames; of videos what the file's header announces."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames from the start; times grow."""


def repeated(frames: FrameSource, limit: int | None) -> Iterator[Frame]:
    """Yield up to `limit` frames again and again, their times growing on.

    Ends with the first pass that has no frame.
    """
    start_ns = 0
    period_ns = round(1e9 / (frames.rate_hz or IMAGE_RATE_HZ))
    while True:
        end_ns = None
        for image, time_ns in islice(frames, limit):
            yield Frame(image, start_ns + time_ns)
            end_ns = start_ns + time_ns + period_ns
        if end_ns is None:
            return
        start_ns = end_ns


def played(
    frames: FrameSource, limit: int | None, is_looping: bool, rate_hz: float | None
) -> Iterator[Frame]:
    """Yield up to `limit` frames, once or repeated, with their own times or at a constant rate."""
    chosen = repeated(frames, limit) if is_looping else islice(frames, limit)
    for number, (image, time_ns) in enumerate(chosen):
        yield Frame(image, round(number * 1e9 / rate_hz) if rate_hz else time_ns)


def within_width(image: ImageArray, max_width_px: int | None) -> ImageArray:
    """Return an image (H, W, 3), scaled down in proportion if it is wider than the limit."""
    height_px, width_px = image.shape[:2]
    if max_width_px is None or width_px <= max_width_px:
        return image
    size_px = max_width_px, max(1, round(height_px * max_width_px / width_px))
    return np.asarray(cv2.resize(image, size_px, interpolation=cv2.INTER_AREA), np.uint8)
