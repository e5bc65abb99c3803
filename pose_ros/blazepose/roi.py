"""The region of interest from two alignment points.

The pose graph turns a center point and a point on the circle around the person into a rotated
square, both for a detection's keypoints and for the auxiliary landmarks of the frame before.
ref: AlignmentPointsRectsCalculator, RectTransformationCalculator (square_long).
"""

from __future__ import annotations

import math

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageSize, NormalizedRect
from pose_ros.blazepose.trigonometry import atan2

_BOX_SCALE = 1.6


def _rotation(delta_px: Float32Array) -> np.float32:
    """Return the rotation that turns up (0, -1) onto `delta_px`, in [-pi, pi)."""
    rotation = float(np.float32(math.pi / 2) - atan2(-delta_px[1], delta_px[0]))
    turns = math.floor((rotation + math.pi) / (2 * math.pi))
    return np.float32(rotation - 2 * math.pi * turns)


def circle_size_px(points_px: Float32Array, image_size: ImageSize) -> np.float32:
    """Return the diameter of the circle around the person, as MediaPipe rounds it.

    `points_px` (2, 2) are the circle's center, and the point on it that is up.
    """
    size_px = _diameter_px(points_px)
    width_px, height_px = (size_px / np.float32(side) * np.float32(side) for side in image_size)
    mean_px: np.float32 = (width_px + height_px) / np.float32(2)
    return mean_px


def _diameter_px(points_px: Float32Array) -> np.float32:
    x, y = points_px[1] - points_px[0]
    diameter_px: np.float32 = np.sqrt(x * x + y * y) * np.float32(2)
    return diameter_px


def roi_from_points(
    points_px: Float32Array, scale: float, image_size: ImageSize
) -> NormalizedRect | None:
    """Return the square around the circle, `scale` times larger; None for an empty circle.

    `points_px` (2, 2) are the circle's center, and the point on it that is up.
    """
    width, height = np.float32(image_size.width_px), np.float32(image_size.height_px)
    center_px, circle_px = points_px
    size_px = _diameter_px(points_px)
    if not (np.isfinite(size_px) and np.isfinite(center_px).all() and size_px > 0):
        return None
    long_px = max(size_px / width * width, size_px / height * height)
    return NormalizedRect(
        center_px[0] / width,
        center_px[1] / height,
        long_px / width * np.float32(scale),
        long_px / height * np.float32(scale),
        _rotation(circle_px - center_px),
    )


def roi_from_box(box_px: Float64Array, image_size: ImageSize) -> NormalizedRect:
    """Return the upright square around a person's box (4,): xmin, ymin, xmax, ymax."""
    low_px, high_px = box_px[:2], box_px[2:]
    x, y = (low_px + high_px) / 2 / image_size
    width, height = _BOX_SCALE * (high_px - low_px).max() / np.array(image_size)
    return NormalizedRect(*map(np.float32, (x, y, width, height, 0)))
