"""`uint8[]` fields in the memory of a device, as ROS 2 Lyrical may hand them to a subscriber."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest
import running
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from pose_ros.blazepose.errors import ImageError
from pose_ros.client import landmarks_from_msg
from pose_ros.inputs.depth import depth_from_image
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.outputs.layout import LANDMARK_DTYPE, cloud_fields

Message = TypeVar("Message", Image, CompressedImage, PointCloud2)
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 6, 3), np.uint8)


class DeviceBuffer:
    """The public form of `rosidl_buffer.Buffer` 5.2.0: no view, no iteration, no items."""

    __hash__ = None  # type: ignore[assignment]
    backend_type = "demo"
    is_cpu = False

    def __init__(self, data: bytes) -> None:
        self._device = data

    def to_bytes(self) -> bytes:
        return self._device

    def __len__(self) -> int:
        return len(self._device)


def on_device(message: Message) -> Message:
    """Return the message as Lyrical's conversion from C makes it: past the setter."""
    moved = copy.copy(message)
    moved._data = DeviceBuffer(bytes(message.data))
    assert isinstance(moved.data, DeviceBuffer)
    return moved


def landmark_cloud() -> PointCloud2:
    points = np.zeros((2, 33), LANDMARK_DTYPE)
    points["x"] = RNG.random(points.shape)
    width, size = points.shape[1], LANDMARK_DTYPE.itemsize
    cloud = PointCloud2(height=2, width=width, point_step=size, row_step=size * width)
    cloud.fields = cloud_fields(LANDMARK_DTYPE)
    cloud.data.frombytes(points.tobytes())
    return cloud


def jpeg() -> CompressedImage:
    message = CompressedImage(format="jpeg")
    message.data.frombytes(bytes(cv2.imencode(".jpg", RGB)[1]))
    return message


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (running.raw("rgb8", RGB), rgb_from_image),
        (running.raw("bgr16", RGB.astype("<u2")), rgb_from_image),
        (running.raw("16UC1", RGB[..., 0].astype("<u2")), lambda m: depth_from_image(m).values),
        (jpeg(), rgb_from_compressed),
        (landmark_cloud(), lambda m: landmarks_from_msg(m).xyz),
    ],
    ids=["rgb8", "bgr16", "depth", "jpeg", "landmarks"],
)
def test_memory_of_a_device_is_read_all_the_same(
    message: Any, read: Callable[[Any], np.ndarray]
) -> None:
    assert np.array_equal(read(on_device(message)), read(message), equal_nan=True)


def test_memory_of_a_device_that_is_too_short_is_rejected() -> None:
    message = running.raw("rgb8", RGB)
    message.height += 1
    with pytest.raises(ImageError, match="needs 90 bytes of data, got 72"):
        rgb_from_image(on_device(message))
