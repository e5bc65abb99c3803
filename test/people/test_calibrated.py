"""Points of space are found again from where calibrated cameras see them."""

from __future__ import annotations

import media
import numpy as np
import pytest

from people.calibrated import Camera, read_cameras, triangulate

POINTS_M = np.random.RandomState(0).uniform((-1, -0.5, 0), (0.5, 0.5, 2), (20, 3))
CAMERAS = 4


@pytest.fixture(scope="module")
def cameras() -> list[Camera]:
    media.require("p2s_calibration")
    return read_cameras(media.path("p2s_calibration"))


def test_the_cameras_see_the_room_upright_and_inside_the_image(cameras: list[Camera]) -> None:
    assert len(cameras) == CAMERAS
    floor_and_ceiling_m = np.array(((-0.5, 0, 0), (-0.5, 0, 1.8)))
    for camera in cameras:
        (_, floor_px), (_, ceiling_px) = seen = camera.project(floor_and_ceiling_m)
        assert floor_px > ceiling_px
        assert ((seen > 0) & (seen < (1088, 1920))).all()


def test_points_come_back_from_what_the_cameras_see(cameras: list[Camera]) -> None:
    seen_px = np.stack([camera.project(POINTS_M) for camera in cameras])
    assert triangulate(cameras, seen_px) == pytest.approx(POINTS_M, abs=1e-5)


@pytest.mark.parametrize("camera", range(CAMERAS))
def test_a_camera_that_sees_nothing_does_not_count(cameras: list[Camera], camera: int) -> None:
    seen_px = np.stack([camera.project(POINTS_M) for camera in cameras])
    seen_px[camera] = np.nan
    assert triangulate(cameras, seen_px) == pytest.approx(POINTS_M, abs=1e-5)


@pytest.mark.parametrize("camera", range(CAMERAS))
def test_one_camera_may_see_some_points_wrong(cameras: list[Camera], camera: int) -> None:
    seen_px = np.stack([camera.project(POINTS_M) for camera in cameras])
    seen_px[camera, ::2, 0] += 100
    assert triangulate(cameras, seen_px) == pytest.approx(POINTS_M, abs=1e-5)
