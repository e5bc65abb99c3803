"""The camera that an image was taken with, as far as its calibration is known."""

from __future__ import annotations

import math

import numpy as np
from sensor_msgs.msg import CameraInfo

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import CameraError
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.distortion import distortion_from
from pose_ros.inputs.options import InputOptions

_MAX_MISFIT_PX = 2.0
"""Sizes are rounded where an image is binned or resized."""


class Calibration:
    """Gives the calibrated camera of each image, or one with the assumed field of view.

    `problem` says what is wrong with the calibration of the image before, if anything is.
    """

    def __init__(self) -> None:
        self.problem: str | None = None

    def camera(
        self,
        info: CameraInfo | None,
        frame_id: str,
        image_size: ImageSize,
        options: InputOptions,
    ) -> Camera:
        """Return the camera of an image of a frame_id; the assumed one `is_calibrated` not."""
        self.problem = None
        try:
            if info is not None:
                _check_frame(info, frame_id)
                return camera_from_info(info, image_size, options.image_is_rectified)
        except CameraError as error:
            self.problem = f"{error}; positions stay unknown"
        return Camera.from_hfov(image_size, math.radians(options.assumed_hfov_deg))


def camera_from_info(info: CameraInfo, image_size: ImageSize, is_rectified: bool) -> Camera:
    """Return the camera of an image.

    A raw image has the matrix K and the distortion D, a rectified one the matrix P alone. The
    matrix belongs to the full image of the sensor; the image may be a part of it (`roi`), binned
    (`binning_x`, `binning_y`) or resized. Raises CameraError if the message holds no calibration,
    as all zero of an uncalibrated camera, if it is that of images of another shape, or a
    distortion that is not known.
    """
    window_size = ImageSize(info.roi.width, info.roi.height)
    if not all(window_size):
        window_size = ImageSize(info.width, info.height)
    _check_shape(info, window_size, image_size)
    offset_px = (info.roi.x_offset, info.roi.y_offset)
    name, values = ("P", info.p) if is_rectified else ("K", info.k)
    matrix = np.reshape(values, (3, -1))[:, :3]
    distortion = None if is_rectified else distortion_from(info.distortion_model, info.d)
    camera = Camera.from_matrix(matrix, image_size, window_size, offset_px, distortion)
    if camera is None:
        raise CameraError(
            f"camera_info of {info.width} x {info.height} pixels has {name} "
            f"{matrix.ravel().tolist()}; allowed are finite numbers with focal lengths above 0, "
            "of a size that fits the image"
        )
    return camera


def _check_frame(info: CameraInfo, frame_id: str) -> None:
    """Raise CameraError if the calibration names another frame than the image."""
    names = [name.lstrip("/") for name in (info.header.frame_id, frame_id)]
    if all(names) and names[0] != names[1]:
        raise CameraError(
            f"camera_info is that of frame {info.header.frame_id!r}, the image is in {frame_id!r}"
        )


def _check_shape(info: CameraInfo, window_size: ImageSize, image_size: ImageSize) -> None:
    """Raise CameraError if the image is no uniformly resized image of the calibration."""
    binning = (max(info.binning_x, 1), max(info.binning_y, 1))
    binned_px = np.divide(window_size, binning)
    if not binned_px.all():
        return
    scale = np.divide(image_size, binned_px)
    misfit_px = abs(binned_px * scale[::-1] - image_size).min()
    if misfit_px > _MAX_MISFIT_PX:
        part = "" if window_size == (info.width, info.height) else f", roi {_by(window_size)}"
        factor = "" if binning == (1, 1) else f", binning {binning[0]} x {binning[1]}"
        raise CameraError(
            f"camera_info is that of {info.width} x {info.height} pixels{part}{factor}, the image "
            f"has {_by(image_size)}: another video mode"
        )


def _by(size: ImageSize) -> str:
    return f"{size.width_px} x {size.height_px}"
