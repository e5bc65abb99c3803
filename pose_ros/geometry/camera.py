"""The camera: pixels to rays and back, in its optical frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float64Array, ImageSize
from pose_ros.geometry.distortion import Distortion

_MAX_PX = 1e9
# In widths and heights of the image: beyond any lens, and any part of a sensor.
_MIN_FOCAL, _MAX_EXTENT = 0.01, 1000.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera: x right, y down, z forward; whole pixel numbers are pixel centres.

    Focal lengths `fx` and `fy` and principal point `cx`, `cy` are in px of an image of
    `image_size`. `is_calibrated` is False for an assumed field of view, which is good enough to
    show something in 3D but not to measure. `distortion` is that of the lens; None: a pinhole,
    as for rectified images. Pixels of an image that `is_mirrored` are at W - 1 - u in the image
    that the camera took, to which all the rest belongs.
    """

    image_size: ImageSize
    fx: float
    fy: float
    cx: float
    cy: float
    is_calibrated: bool
    distortion: Distortion | None = None
    is_mirrored: bool = False

    @classmethod
    def from_matrix(
        cls,
        k: npt.ArrayLike,
        image_size: ImageSize,
        window_size: ImageSize,
        offset_px: tuple[float, float] = (0.0, 0.0),
        distortion: Distortion | None = None,
    ) -> Camera | None:
        """Return the camera of an intrinsic matrix, (9,) or (3, 3), that fits the image.

        The image shows the part of the calibrated picture that starts at `offset_px` and measures
        `window_size`; where it has another size (binned, resized) the matrix is scaled. A window
        of no size counts as the image's own. None if the matrix is not a calibration: all zero,
        as uncalibrated cameras send it, not finite, or beyond any camera (a focal length under
        0.01 or over 1000 times the image's width or height, a principal point as far away).
        """
        matrix = np.asarray(k, np.float64).reshape(3, 3)
        focal_px, center_px = matrix[[0, 1], [0, 1]], matrix[:2, 2]
        if not (abs(matrix) <= _MAX_PX).all():
            return None
        scale = np.divide(image_size, window_size if all(window_size) else image_size)
        # Resizing keeps the edges of the picture in place, which lie half a pixel outside.
        focal_px, center_px = focal_px * scale, (center_px - offset_px + 0.5) * scale - 0.5
        extents = np.divide((focal_px, center_px), image_size)
        if (extents[0] < _MIN_FOCAL).any() or (abs(extents) > _MAX_EXTENT).any():
            return None
        (fx, fy), (cx, cy) = focal_px.tolist(), center_px.tolist()
        return cls(image_size, fx, fy, cx, cy, is_calibrated=True, distortion=distortion)

    @classmethod
    def from_hfov(cls, image_size: ImageSize, hfov_rad: float) -> Camera:
        """Return a camera of square pixels with an assumed horizontal field of view below pi."""
        width_px, height_px = image_size
        focal_px = width_px / 2 / math.tan(hfov_rad / 2)
        center_px = (width_px - 1) / 2, (height_px - 1) / 2
        return cls(image_size, focal_px, focal_px, *center_px, is_calibrated=False)

    def rays(self, points_px: npt.ArrayLike) -> Float64Array:
        """Return where the rays through pixels (n, 2) meet the plane z = 1: (n, 3).

        A ray is NaN where the lens shows nothing that is in front of the camera.
        """
        points_px = self._as_taken(np.asarray(points_px, np.float64).reshape(-1, 2))
        plane: Float64Array = (points_px - (self.cx, self.cy)) / (self.fx, self.fy)
        if self.distortion is not None and len(plane):
            plane = self.distortion.undistort(plane)
        return np.column_stack((plane, np.where(np.isnan(plane[:, 0]), np.nan, 1)))

    def project(self, points_m: npt.ArrayLike) -> Float64Array:
        """Return the pixels (n, 2) of points (n, 3) in the optical frame.

        They are NaN where z <= 0, and where the lens does not show the point.
        """
        points_m = np.asarray(points_m, np.float64).reshape(-1, 3)
        depth_m = np.where(points_m[:, 2:] > 0, points_m[:, 2:], np.nan)
        plane: Float64Array = points_m[:, :2] / depth_m
        if self.distortion is not None and len(plane):
            plane = self.distortion.distort(plane)
        return self._as_taken(plane * (self.fx, self.fy) + (self.cx, self.cy))

    def _as_taken(self, points_px: Float64Array) -> Float64Array:
        """Return where pixels (n, 2) of the image are in the image as taken, and back."""
        if self.is_mirrored:
            last_px = self.image_size.width_px - 1
            points_px = np.column_stack((last_px - points_px[:, 0], points_px[:, 1]))
        return points_px
