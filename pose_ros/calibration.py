"""The camera that an image was taken with, as far as its calibration tells."""

from __future__ import annotations

import math

import numpy as np
from sensor_msgs.msg import CameraInfo

from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.distortion import distortion_from
from pose_ros.blazepose.errors import CameraError
from pose_ros.parameters import NodeOptions


class Calibration:
    """Gives the calibrated camera of each image, or one with the assumed field of view.

    `problem` says what is wrong with the calibration of the image before, if anything is.
    """

    def __init__(self) -> None:
        self.problem: str | None = None

    def camera(
        self, info: CameraInfo | None, image_size: ImageSize, options: NodeOptions
    ) -> Camera:
        """Return the camera of an image; `is_calibrated` tells whether it is more than assumed."""
        self.problem = None
        try:
            if info is not None:
                return camera_from_info(info, image_size, options.image_is_rectified)
        except CameraError as error:
            self.problem = f"{error}; places in space stay unknown"
        return Camera.from_hfov(image_size, math.radians(options.assumed_hfov_deg))


def camera_from_info(info: CameraInfo, image_size: ImageSize, is_rectified: bool) -> Camera:
    """Return the camera of an image.

    A raw image has the matrix K and the distortion D, a rectified one the matrix P alone. The
    matrix belongs to the full picture of the sensor; the image may be a part of it (`roi`) or
    binned or resized. Raises CameraError if the message holds no calibration, as all zero of an
    uncalibrated camera, or a distortion that is not known.
    """
    window_size = ImageSize(info.roi.width, info.roi.height)
    if not all(window_size):
        window_size = ImageSize(info.width, info.height)
    offset_px = (info.roi.x_offset, info.roi.y_offset)
    name, values = ("P", info.p) if is_rectified else ("K", info.k)
    matrix = np.reshape(values, (3, -1))[:, :3]
    distortion = None if is_rectified else distortion_from(info.distortion_model, info.d)
    camera = Camera.from_matrix(matrix, image_size, window_size, offset_px, distortion)
    if camera is None:
        raise CameraError(
            f"camera_info has {name} {np.array2string(matrix.ravel(), separator=', ')}; allowed "
            "are finite numbers with focal lengths above 0"
        )
    return camera
