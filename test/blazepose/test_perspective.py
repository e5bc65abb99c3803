"""The projective map of a square onto corners, beside OpenCV's."""

from __future__ import annotations

import platform

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.perspective import image_from_square

SIDE_PX = 256
SQUARE_PX = np.array([(0, SIDE_PX), (0, 0), (SIDE_PX, 0), (SIDE_PX, SIDE_PX)], np.float32)


@st.composite
def corners(draw: st.DrawFn) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Corners (4, 2) of a rotated square, as float32 rounds them."""
    center = [draw(st.floats(-500, 2500)) for _ in "xy"]
    size, angle = draw(st.floats(1, 4000)), draw(st.sampled_from((0, 0.5, np.pi / 2)))
    angle += draw(st.floats(-4, 4)) * draw(st.booleans())
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    square = np.array([(-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5), (0.5, 0.5)])
    return np.asarray(size * square @ turn + center, np.float32)


@given(corners())
def test_the_corners_of_the_square_are_mapped_onto_the_corners(
    corners_px: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    mapped = np.c_[SQUARE_PX, np.ones(4)] @ image_from_square(corners_px, SIDE_PX).T
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], corners_px, rtol=1e-5, atol=1e-3)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenCV's last bits are those of x86")
@given(corners())
def test_it_has_the_bits_of_opencv_on_x86(
    corners_px: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    _, inverse = cv2.invert(cv2.getPerspectiveTransform(corners_px, SQUARE_PX))
    np.testing.assert_array_equal(image_from_square(corners_px, SIDE_PX), inverse)


@pytest.mark.parametrize(
    "corners_px", [np.full((4, 2), 7.0), np.c_[np.arange(4.0), np.arange(4.0)]]
)
def test_corners_on_a_point_or_a_line_give_zeros(
    corners_px: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    assert not image_from_square(corners_px.astype(np.float32), SIDE_PX).any()
