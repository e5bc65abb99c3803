"""The colors of torso and thighs."""

from __future__ import annotations

import numpy as np
import pytest

from pose_ros.blazepose.appearance import adapted_colors, body_colors, color_difference
from pose_ros.blazepose.datatypes import Float32Array, ImageArray

GREEN, RED = (30, 160, 40), (200, 30, 30)
TORSO, THIGHS = (slice(40, 80), slice(40, 60)), (slice(80, 110), slice(40, 60))


def image(torso: tuple[int, int, int], thighs: tuple[int, int, int] = GREEN) -> ImageArray:
    """Return a gray image with a torso and thighs of one color each."""
    pixels = np.full((120, 100, 3), 128, np.uint8)
    pixels[TORSO], pixels[THIGHS] = torso, thighs
    return pixels


def landmarks() -> Float32Array:
    """Return landmarks (33, 3) with shoulders, hips and knees in the corners of the two."""
    points_px = np.zeros((33, 3), np.float32)
    points_px[[11, 12, 23, 24], :2] = (59, 40), (40, 40), (59, 79), (40, 79)
    points_px[[25, 26], :2] = (59, 109), (40, 109)
    return points_px


def test_the_colors_are_those_between_shoulders_hips_and_knees() -> None:
    plain = np.broadcast_to(np.array(GREEN, np.uint8), (120, 100, 3))
    expected = body_colors(np.ascontiguousarray(plain), landmarks())
    assert body_colors(image(GREEN), landmarks()).tolist() == expected.tolist()
    torso, thighs = body_colors(image(GREEN, RED), landmarks())
    assert torso.tolist() == expected[0].tolist()
    assert thighs.tolist() != expected[1].tolist()


def test_a_few_pixels_of_something_else_do_not_matter() -> None:
    covered = image(GREEN)
    covered[40:55, 40:60] = RED
    assert color_difference(
        body_colors(covered, landmarks()), body_colors(image(GREEN), landmarks())
    ) == pytest.approx(0)


def test_other_clothes_differ_more_than_the_same_in_the_shade() -> None:
    shaded = (27, 146, 36)
    green, shade, red, trousers = (
        body_colors(image(*colors), landmarks())
        for colors in ((GREEN, GREEN), (shaded, shaded), (RED, RED), (GREEN, RED))
    )
    assert color_difference(green, red) > 40 > 15 > color_difference(green, shade) > 0
    assert color_difference(green, red) == color_difference(red, green)
    assert color_difference(green, red) > color_difference(green, trousers) > 40


def test_what_is_outside_of_the_image_or_has_no_landmarks_does_not_count() -> None:
    green = body_colors(image(GREEN), landmarks())
    cut = body_colors(image(GREEN)[:85], landmarks())
    assert np.isfinite(cut[0]).all()
    assert np.isnan(cut[1]).all()
    assert color_difference(cut, body_colors(image(GREEN, RED), landmarks())) == 0
    assert body_colors(image(GREEN), landmarks()[:25])[0].tolist() == green[0].tolist()
    outside = body_colors(image(GREEN), landmarks() + np.array((500, -500, 0), np.float32))
    assert color_difference(green, outside) == 0


def test_colors_move_to_those_seen_now_as_far_as_these_are_seen() -> None:
    green, red = (body_colors(image(color, color), landmarks()) for color in (GREEN, RED))
    assert adapted_colors(green, red, 0.25) == pytest.approx(0.75 * green + 0.25 * red)
    nothing = np.full((2, 3), np.nan)
    assert np.array_equal(adapted_colors(green, nothing, 0.25), green)
    assert np.array_equal(adapted_colors(nothing, red, 0.25), red)
