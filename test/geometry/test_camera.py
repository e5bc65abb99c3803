"""The pinhole camera: intrinsics that fit the image, rays, projection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.distortion import distortion_from

VGA = ImageSize(640, 480)
K = (500.0, 0.0, 321.0, 0.0, 510.0, 239.0, 0.0, 0.0, 1.0)
CAMERA = Camera(VGA, 500.0, 510.0, 321.0, 239.0, is_calibrated=True)


def test_matrix_of_the_image_is_taken_as_it_is() -> None:
    assert Camera.from_matrix(K, VGA, VGA) == CAMERA
    assert Camera.from_matrix(np.reshape(K, (3, 3)), VGA, VGA) == CAMERA


def test_window_of_no_size_is_the_image() -> None:
    assert Camera.from_matrix(K, VGA, ImageSize(0, 0)) == CAMERA


@pytest.mark.parametrize(
    "k",
    [
        np.zeros(9),
        np.full(9, np.nan),
        (*K[:2], math.inf, *K[3:]),
        (-500.0, *K[1:]),
        (*K[:4], 0.0, *K[5:]),
        (5e-324, *K[1:]),
        (1e308, *K[1:]),
        (*K[:2], -1e308, *K[3:]),
    ],
)
def test_what_is_no_calibration_gives_no_camera(k: object) -> None:
    assert Camera.from_matrix(k, VGA, VGA) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [ImageSize(320, 240), ImageSize(1280, 960), ImageSize(320, 480)])
def test_scaled_image_keeps_the_rays_of_its_corners(size: ImageSize) -> None:
    scaled = Camera.from_matrix(K, size, VGA)
    assert scaled is not None
    edges = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])  # of the picture, half a pixel outside
    np.testing.assert_allclose(
        scaled.rays(edges * size - 0.5), CAMERA.rays(edges * VGA - 0.5), atol=1e-12
    )


def test_binned_image_has_its_principal_point_between_the_binned_pixels() -> None:
    binned = Camera.from_matrix(K, ImageSize(320, 240), VGA)
    assert binned == Camera(ImageSize(320, 240), 250.0, 255.0, 160.25, 119.25, is_calibrated=True)


def test_part_of_the_sensor_moves_the_principal_point() -> None:
    size = ImageSize(100, 50)
    part = Camera.from_matrix(K, size, size, offset_px=(300, 200))
    assert part == Camera(size, 500.0, 510.0, 21.0, 39.0, is_calibrated=True)


@pytest.mark.parametrize("hfov_deg", [30, 60, 120])
def test_assumed_field_of_view_spans_the_image(hfov_deg: float) -> None:
    camera = Camera.from_hfov(VGA, math.radians(hfov_deg))
    left, right, middle = camera.rays([(-0.5, 239.5), (639.5, 239.5), (319.5, 239.5)])
    assert math.degrees(math.atan(right[0]) - math.atan(left[0])) == pytest.approx(hfov_deg)
    assert middle.tolist() == [0.0, 0.0, 1.0]
    assert camera.fx == camera.fy
    assert not camera.is_calibrated


def test_rays_point_right_down_and_forward() -> None:
    rays = CAMERA.rays([(321, 239), (821, 239), (321, 749)])
    assert rays.tolist() == [[0, 0, 1], [1, 0, 1], [0, 1, 1]]


_coordinates = st.floats(-1e6, 1e6)


@given(
    st.lists(st.tuples(_coordinates, _coordinates), max_size=5),
    st.floats(0.01, 100),
)
def test_projection_of_a_ray_is_its_pixel(
    points: list[tuple[float, float]], distance_m: float
) -> None:
    points_px = np.array(points).reshape(-1, 2)
    projected = CAMERA.project(CAMERA.rays(points_px) * distance_m)
    np.testing.assert_allclose(projected, points_px, rtol=1e-9, atol=1e-9)


def test_points_not_in_front_of_the_camera_have_no_pixel() -> None:
    projected = CAMERA.project([(1, 1, -1), (0, 0, 0), (0, 0, 2)])
    assert np.isnan(projected[:2]).all()
    assert projected[2].tolist() == [321, 239]


def test_lens_bends_the_rays_both_ways() -> None:
    lens = distortion_from("plumb_bob", (-0.3, 0.1, 0.001, 0.0, 0.0))
    camera = Camera.from_matrix(K, VGA, VGA, distortion=lens)
    assert camera is not None
    assert camera.distortion is lens
    corner = [(10.0, 20.0), (600.0, 30.0)]
    rays = camera.rays(corner)
    assert (np.abs(rays[:, :2]) > np.abs(CAMERA.rays(corner)[:, :2])).all()
    np.testing.assert_allclose(camera.project(rays * 3), corner, atol=1e-6)


def test_lens_is_that_of_the_camera_whatever_the_size_of_the_image() -> None:
    lens = distortion_from("plumb_bob", (-0.3, 0.1, 0.001, 0.0, 0.0))
    half, quarter = ImageSize(320, 240), ImageSize(160, 120)
    whole = Camera.from_matrix(K, VGA, VGA, distortion=lens)
    part = Camera.from_matrix(K, quarter, half, (300, 200), distortion=lens)
    assert whole is not None
    assert part is not None
    pixels = np.array([(0.0, 0.0), (50.0, 100.0)])
    same = (pixels + 0.5) * 2 - 0.5 + (300, 200)
    np.testing.assert_allclose(part.rays(pixels), whole.rays(same), atol=1e-9)
