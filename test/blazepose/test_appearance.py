"""The color of the torso."""

from __future__ import annotations

import numpy as np
import pytest

from pose_ros.blazepose.appearance import color_difference, torso_color
from pose_ros.blazepose.datatypes import Float32Array, ImageArray

GREEN, RED = (30, 160, 40), (200, 30, 30)
TORSO = slice(40, 80), slice(40, 60)


def image(torso: tuple[int, int, int]) -> ImageArray:
    """Return a gray image with a torso of one color."""
    pixels = np.full((120, 100, 3), 128, np.uint8)
    pixels[TORSO] = torso
    return pixels


def landmarks() -> Float32Array:
    """Return landmarks (33, 3) whose shoulders and hips are the corners of the torso."""
    points_px = np.zeros((33, 3), np.float32)
    points_px[[11, 12, 23, 24], :2] = (59, 40), (40, 40), (59, 79), (40, 79)
    return points_px


def test_the_color_is_that_between_shoulders_and_hips() -> None:
    plain = np.broadcast_to(np.array(GREEN, np.uint8), (120, 100, 3))
    assert (
        torso_color(image(GREEN), landmarks()).tolist()
        == torso_color(np.ascontiguousarray(plain), landmarks()).tolist()
    )


def test_a_few_pixels_of_something_else_do_not_matter() -> None:
    covered = image(GREEN)
    covered[40:55, 40:60] = RED
    assert color_difference(
        torso_color(covered, landmarks()), torso_color(image(GREEN), landmarks())
    ) == pytest.approx(0)


def test_other_clothes_differ_more_than_the_same_in_the_shade() -> None:
    green, shade, red = (
        torso_color(image(color), landmarks()) for color in (GREEN, (27, 146, 36), RED)
    )
    assert color_difference(green, red) > 40 > 15 > color_difference(green, shade) > 0
    assert color_difference(green, red) == color_difference(red, green)


def test_a_torso_outside_of_the_image_has_the_color_of_the_border() -> None:
    outside = landmarks() + np.array((500, -500, 0), np.float32)
    gray = torso_color(image(GREEN), outside)
    assert color_difference(gray, torso_color(image((128, 128, 128)), landmarks())) == 0
