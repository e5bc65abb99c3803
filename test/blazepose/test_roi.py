"""The ROI from two points: algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import ImageSize, Roi
from pose_ros.blazepose.roi import circle_size_px, roi_from_box, roi_from_points

SIZE = ImageSize(640, 480)
SCALE = 1.5
PX = 1e-3  # float32 rounding of normalized coordinates, px
RAD = 1e-5  # the same of angles
points = st.tuples(st.floats(0, 640, width=32), st.floats(0, 480, width=32))
circles = st.tuples(st.floats(-200, 200, width=32), st.floats(-200, 200, width=32))


def roi_of(center: tuple[float, float], delta: tuple[float, float], size: ImageSize = SIZE) -> Roi:
    start = np.array(center, np.float32)
    points_px = np.stack([start, start + np.array(delta, np.float32)])
    rect = roi_from_points(points_px, SCALE, size)
    assert rect is not None
    return Roi.from_normalized(rect, size)


def angle_between(a_rad: float, b_rad: float) -> float:
    return abs(math.remainder(a_rad - b_rad, 2 * math.pi))


@pytest.mark.parametrize(
    ("delta", "rotation_deg"),
    [((0, -10), 0), ((10, 0), 90), ((0, 10), -180), ((-10, 0), -90), ((10, -10), 45)],
)
def test_rotation_is_clockwise_from_up(delta: tuple[float, float], rotation_deg: float) -> None:
    roi = roi_of((300, 200), delta)
    assert math.degrees(roi.rotation_rad) == pytest.approx(rotation_deg, abs=1e-4)


def test_the_square_is_centerd_on_the_first_point_and_scaled_twice_the_radius() -> None:
    roi = roi_of((300, 200), (30, -40))
    assert roi.center_px == pytest.approx((300, 200), abs=PX)
    assert roi.size_px == pytest.approx(2 * 50 * SCALE, abs=PX)


@given(points, circles)
def test_the_circles_diameter_is_twice_the_distance_of_its_points(
    center: tuple[float, float], delta: tuple[float, float]
) -> None:
    points_px = np.array([center, np.add(center, delta)], np.float32)
    expected = 2 * math.dist(*points_px.astype(float))
    assert float(circle_size_px(points_px, SIZE)) == pytest.approx(expected, rel=1e-6)


@given(points, circles)
def test_the_rotation_is_wrapped_and_up_leads_to_the_circles_point(
    center: tuple[float, float], delta: tuple[float, float]
) -> None:
    assume(math.hypot(*delta) > 1)
    roi = roi_of(center, delta)
    assert -math.pi <= np.float32(roi.rotation_rad) < np.float32(math.pi)
    top_left, top_right = roi.corners_px()[:2]
    up_px = ((top_left + top_right) / 2 - roi.center_px) / SCALE
    assert up_px == pytest.approx(delta, abs=0.01)


@given(points, circles, st.floats(-math.pi, math.pi))
def test_turning_the_circles_point_turns_the_roi(
    center: tuple[float, float], delta: tuple[float, float], angle_rad: float
) -> None:
    assume(math.hypot(*delta) > 1)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    turned_delta = (cos * delta[0] - sin * delta[1], sin * delta[0] + cos * delta[1])
    roi, turned = roi_of(center, delta), roi_of(center, turned_delta)
    assert turned.size_px == pytest.approx(roi.size_px, abs=PX)
    assert angle_between(turned.rotation_rad, roi.rotation_rad + angle_rad) < 1e-3


@given(points, circles, st.integers(-100, 100), st.integers(-100, 100))
def test_shifting_both_points_shifts_the_roi(
    center: tuple[float, float], delta: tuple[float, float], x: int, y: int
) -> None:
    assume(math.hypot(*delta) > 1)
    roi, shifted = roi_of(center, delta), roi_of((center[0] + x, center[1] + y), delta)
    assert shifted.center_px - roi.center_px == pytest.approx((x, y), abs=PX)
    assert shifted.size_px == pytest.approx(roi.size_px, abs=PX)
    assert angle_between(shifted.rotation_rad, roi.rotation_rad) < 1e-3


@given(points, circles, st.sampled_from([0.25, 0.5, 2, 4]))
def test_scaling_image_and_points_scales_the_roi(
    center: tuple[float, float], delta: tuple[float, float], factor: float
) -> None:
    assume(math.hypot(*delta) > 1)
    scaled_size = ImageSize(int(SIZE.width_px * factor), int(SIZE.height_px * factor))
    roi = roi_of(center, delta)
    x, y = center
    scaled = roi_of((x * factor, y * factor), (delta[0] * factor, delta[1] * factor), scaled_size)
    assert np.allclose(scaled.center_px, roi.center_px * factor, atol=PX * factor)
    assert scaled.size_px == pytest.approx(roi.size_px * factor, abs=PX * factor)
    assert angle_between(scaled.rotation_rad, roi.rotation_rad) < 1e-3


@given(points, circles)
def test_the_roi_is_a_square_in_px_whatever_the_images_shape(
    center: tuple[float, float], delta: tuple[float, float]
) -> None:
    assume(math.hypot(*delta) > 1)
    rect = roi_from_points(np.array([center, np.add(center, delta)], np.float32), SCALE, SIZE)
    assert rect is not None
    assert float(rect.width) * 640 == pytest.approx(float(rect.height) * 480, abs=PX)


@pytest.mark.parametrize(
    ("center", "circle"),
    [
        ((5, 5), (5, 5)),
        ((math.nan, 5), (5, 5)),
        ((5, 5), (math.inf, 5)),
        ((math.inf, 5), (math.inf, 5)),
        ((0, 0), (1e30, 1e30)),
    ],
)
def test_points_without_a_circle_give_no_roi(
    center: tuple[float, float], circle: tuple[float, float]
) -> None:
    points_px = np.array([center, circle], np.float32)
    with np.errstate(all="ignore"):
        assert roi_from_points(points_px, SCALE, SIZE) is None


@pytest.mark.parametrize(("box", "side_px"), [((10, 20, 60, 120), 160), ((0, 0, 100, 40), 160)])
def test_the_roi_of_a_box_is_an_upright_square_around_it(
    box: tuple[float, ...], side_px: float
) -> None:
    roi = Roi.from_normalized(roi_from_box(np.array(box, np.float64), SIZE), SIZE)
    x_min, y_min, x_max, y_max = box
    assert roi.center_px == pytest.approx(((x_min + x_max) / 2, (y_min + y_max) / 2), abs=PX)
    assert roi.size_px == pytest.approx(side_px, abs=PX)
    assert roi.rotation_rad == 0
