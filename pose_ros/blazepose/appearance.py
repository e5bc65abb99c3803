"""The colors of a person's torso and thighs, which distinguish people in the same place.

They are compared only with those of the same seconds, so they need not stand the light of another
hour.
"""

from __future__ import annotations

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray
from pose_ros.blazepose.topology import HIPS, KNEES, SHOULDERS

_ACROSS = np.linspace(0.15, 0.85, 6)[:, None, None]
_DOWN = np.linspace(0.1, 0.9, 8)[:, None]
_ALONG = np.linspace(0.15, 0.85, 12)[:, None, None]
_LIGHTNESS_WEIGHT = 0.7
"""Lightness changes with the light; hue and saturation less."""
_SEEN_SHARE = 0.7


def body_colors(image: ImageArray, landmarks_px: Float32Array) -> Float64Array:
    """Return the median colors (2, 3), 8-bit CIELAB, of torso and thighs of landmarks (N, 3).

    The image (H, W, 3) is RGB. What is mostly outside of it, or has no landmarks, is NaN.
    """
    points_px = landmarks_px[:, :2].astype(np.float64)
    top, bottom = (
        points_px[pair[0]] + (points_px[pair[1]] - points_px[pair[0]]) * _ACROSS
        for pair in (SHOULDERS, HIPS)
    )
    torso_px = (top + (bottom - top) * _DOWN).reshape(-1, 2)
    if len(points_px) <= max(KNEES):
        return np.stack([_median_color(image, torso_px), np.full(3, np.nan)])
    thighs_px = points_px[HIPS] + (points_px[KNEES] - points_px[HIPS]) * _ALONG
    return np.stack([_median_color(image, part) for part in (torso_px, thighs_px.reshape(-1, 2))])


def _median_color(image: ImageArray, points_px: Float64Array) -> Float64Array:
    """Return the median color (3,) at points (P, 2)."""
    is_inside = np.all((points_px >= 0) & (points_px < image.shape[1::-1]), axis=1)
    if is_inside.mean() < _SEEN_SHARE:
        return np.full(3, np.nan)
    columns, rows = points_px[is_inside].T.astype(int)
    pixels = np.ascontiguousarray(image[rows, columns][None])
    color: Float64Array = np.median(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0], axis=0)
    return color


def color_difference(one: Float64Array, other: Float64Array) -> float:
    """Return how much the colors (2, 3) differ in what is seen of both; 0 if that is nothing.

    20 is the least that different clothes differ by.
    """
    differences = (one - other) * (_LIGHTNESS_WEIGHT, 1, 1)
    squares = np.square(differences).sum(axis=1)
    known = squares[np.isfinite(squares)]
    return float(np.sqrt(known.mean())) if len(known) else 0.0


def adapted_colors(before: Float64Array, now: Float64Array, weight: float) -> Float64Array:
    """Return the colors (2, 3) moved by a weight towards those seen now."""
    mixed = before + weight * (now - before)
    return np.where(np.isnan(mixed), np.where(np.isnan(before), now, before), mixed)
