"""From camera_info to the camera of an image."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import CameraError
from pose_ros.geometry.camera import Camera
from pose_ros.inputs.calibration import Calibration, camera_from_info
from pose_ros.inputs.options import InputOptions

SIZE = ImageSize(640, 480)
K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)
P = (400.0, 0.0, 310.0, -20.0, 0.0, 410.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0)
D = (-0.3, 0.1, 0.001, 0.002, 0.0)


def info(**values: Any) -> CameraInfo:
    return CameraInfo(**{"width": 640, "height": 480, "k": K, "p": P, **values})


def test_camera_of_a_full_picture_is_the_matrix() -> None:
    camera = camera_from_info(info(), SIZE, is_rectified=False)
    assert camera == Camera(SIZE, 500.0, 500.0, 320.0, 240.0, is_calibrated=True)


def test_camera_of_a_binned_part_fits_that_part() -> None:
    part = RegionOfInterest(x_offset=100, y_offset=40, width=200, height=160)
    message = info(binning_x=2, binning_y=2, roi=part)
    camera = camera_from_info(message, ImageSize(100, 80), is_rectified=False)
    assert (camera.fx, camera.fy) == (250, 250)
    assert (camera.cx, camera.cy) == ((220 + 0.5) / 2 - 0.5, (200 + 0.5) / 2 - 0.5)


def test_a_raw_image_has_k_and_the_distortion() -> None:
    message = info(distortion_model="plumb_bob", d=D)
    camera = camera_from_info(message, SIZE, is_rectified=False)
    assert (camera.fx, camera.fy) == (500, 500)
    assert camera.distortion is not None
    ((u, v),) = camera.project([(0.4, 0.3, 1.0)])
    assert (u, v) != pytest.approx((520, 390), abs=1)


def test_a_rectified_image_has_p_and_no_distortion() -> None:
    message = info(distortion_model="plumb_bob", d=D)
    camera = camera_from_info(message, SIZE, is_rectified=True)
    assert camera == Camera(SIZE, 400.0, 410.0, 310.0, 230.0, is_calibrated=True)


@pytest.mark.parametrize("is_rectified", [False, True])
@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_what_is_no_calibration_is_reported(bad: float, is_rectified: bool) -> None:
    message = info(k=[bad] * 9, p=[bad] * 12)
    with pytest.raises(CameraError, match=f" has {'P' if is_rectified else 'K'} "):
        camera_from_info(message, SIZE, is_rectified)


def test_an_unknown_distortion_is_reported() -> None:
    with pytest.raises(CameraError, match="'kannala'"):
        camera_from_info(info(distortion_model="kannala", d=D), SIZE, is_rectified=False)


def test_without_calibration_the_field_of_view_is_assumed() -> None:
    calibration, options = Calibration(), InputOptions(assumed_hfov_deg=90.0)
    camera = calibration.camera(None, "", SIZE, options)
    assert camera.fx == pytest.approx(320)
    assert not camera.is_calibrated
    assert calibration.problem is None


def test_the_problem_is_that_of_the_last_image() -> None:
    calibration, options = Calibration(), InputOptions()
    assert not calibration.camera(info(k=[0.0] * 9), "", SIZE, options).is_calibrated
    assert calibration.problem is not None
    assert "\n" not in calibration.problem
    assert calibration.camera(info(), "", SIZE, options).is_calibrated
    assert calibration.problem is None


def test_the_option_decides_whether_the_image_is_rectified() -> None:
    camera = Calibration().camera(info(), "", SIZE, InputOptions(image_is_rectified=True))
    assert camera.fx == 400
