"""RGB arrays and masks as messages: what is published is what was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from std_msgs.msg import Header

from pose_ros.blazepose.errors import ImageError
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.outputs.images import compressed_from_rgb, image_from_rgb, mono_from_mask

Pixels = npt.NDArray[np.uint8]
HEADER = Header(frame_id="camera")
HEADER.stamp.sec, HEADER.stamp.nanosec = 12, 34
ROWS, COLUMNS = np.mgrid[:60, :80]
SMOOTH = np.stack((COLUMNS * 3, ROWS * 4, 255 - COLUMNS - ROWS), axis=2).astype(np.uint8)

sides = st.integers(1, 20)


@given(st_numpy.arrays(np.uint8, st.tuples(sides, sides, st.just(3))))
def test_round_trip_is_identity(rgb: Pixels) -> None:
    msg = image_from_rgb(rgb, HEADER)
    assert (msg.encoding, msg.step, msg.header) == ("rgb8", rgb.shape[1] * 3, HEADER)
    np.testing.assert_array_equal(rgb_from_image(msg), rgb)


def test_views_with_strides_make_right_messages() -> None:
    view = SMOOTH[::-1, ::2]
    np.testing.assert_array_equal(rgb_from_image(image_from_rgb(view, HEADER)), view)


def test_mask_message_is_mono8() -> None:
    mask = SMOOTH[..., 0]
    msg = mono_from_mask(mask, HEADER)
    assert (msg.encoding, msg.width, msg.height, msg.step) == ("mono8", 80, 60, 80)
    assert msg.header == HEADER
    np.testing.assert_array_equal(rgb_from_image(msg), np.dstack([mask] * 3))


def test_compressed_message_is_what_image_transport_expects() -> None:
    msg = compressed_from_rgb(SMOOTH, HEADER)
    assert (msg.format, msg.header) == ("rgb8; jpeg compressed bgr8", HEADER)
    assert np.abs(rgb_from_compressed(msg).astype(int) - SMOOTH).mean() < 4
    assert len(compressed_from_rgb(SMOOTH, HEADER, quality=30).data) < len(msg.data)


@pytest.mark.parametrize(
    ("build", "shape", "dtype"),
    [
        *((build, shape, np.uint8) for build in (image_from_rgb, compressed_from_rgb)
          for shape in ((4, 4), (4, 4, 4), (0, 4, 3))),
        (image_from_rgb, (4, 4, 3), np.float32),
        (compressed_from_rgb, (4, 4, 3), np.float32),
        (compressed_from_rgb, (1, 65501, 3), np.uint8),
        (mono_from_mask, (4, 4), np.bool_),
    ],
)  # fmt: skip
def test_other_arrays_are_rejected(
    build: Callable[[Any, Header], Any], shape: tuple[int, ...], dtype: type
) -> None:
    with pytest.raises(ImageError, match=str(shape[1])):
        build(np.zeros(shape, dtype), HEADER)
