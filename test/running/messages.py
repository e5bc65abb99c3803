"""Images of a person and image messages, each stamped one frame after the last."""

from __future__ import annotations

import functools
import itertools
from typing import Any, TypeAlias

import media
import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.outputs.images import compressed_from_rgb, image_from_rgb

FRAME_ID = "camera_optical"
FRAME_NS = 33_333_333
FIRST_NS = 1_700_000_000 * 10**9

Message: TypeAlias = "Image | CompressedImage"
_stamps_ns = itertools.count(FIRST_NS, FRAME_NS)


@functools.cache
def person(count: int = 1) -> tuple[ImageArray, ...]:
    """The first frames of the shipped clip, RGB."""
    return tuple(itertools.islice(media.frames("person"), count))


def black(height: int = 48, width: int = 64) -> ImageArray:
    return np.zeros((height, width, 3), np.uint8)


def header(stamp_ns: int | None = None) -> Header:
    """A header with the given stamp, or one that is a frame later than the last."""
    seconds, nanoseconds = divmod(next(_stamps_ns) if stamp_ns is None else stamp_ns, 10**9)
    return Header(frame_id=FRAME_ID, stamp=Time(sec=seconds, nanosec=nanoseconds))


def image(rgb: ImageArray, stamp_ns: int | None = None) -> Image:
    return image_from_rgb(rgb, header(stamp_ns))


def raw(encoding: str, pixels: npt.NDArray[Any], padding: int = 0) -> Image:
    """A message of any encoding from its rows (H, W, ...), each padded with some bytes."""
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    height, width = pixels.shape[:2]
    message = Image(header=header(), height=height, width=width, encoding=encoding)
    message.step = padded.shape[1]
    message.data.frombytes(padded.tobytes())
    return message


def jpeg(rgb: ImageArray, quality: int = 95) -> CompressedImage:
    return compressed_from_rgb(rgb, header(), quality)
