"""The color of a person's torso, which distinguishes people in the same place.

It is compared only with that of the same seconds, so it need not stand the light of another hour.
"""

from __future__ import annotations

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray

_SHOULDERS, _HIPS = (11, 12), (23, 24)
_ACROSS = np.linspace(0.15, 0.85, 6)[:, None, None]
_DOWN = np.linspace(0.1, 0.9, 8)[:, None]
_LIGHTNESS_WEIGHT = 0.7
"""Lightness changes with the light; hue and saturation less."""


def torso_color(image: ImageArray, landmarks_px: Float32Array) -> Float64Array:
    """Return the median color (3,), 8-bit CIELAB, between shoulders and hips of landmarks (N, 3).

    The image (H, W, 3) is RGB; what lies outside of it has the color of its border.
    """
    top, bottom = (
        left + (right - left) * _ACROSS
        for left, right in (landmarks_px[pair, :2] for pair in (list(_SHOULDERS), list(_HIPS)))
    )
    points_px = (top + (bottom - top) * _DOWN).reshape(-1, 2)
    columns, rows = np.clip(points_px, 0, (image.shape[1] - 1, image.shape[0] - 1)).T.astype(int)
    pixels = np.ascontiguousarray(image[rows, columns][None])
    color: Float64Array = np.median(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0], axis=0)
    return color


def color_difference(one: Float64Array, other: Float64Array) -> float:
    """Return how much two colors (3,) differ; 20 is the least that different clothes differ by."""
    lightness, *chroma = one - other
    return float(np.hypot(np.hypot(*chroma), _LIGHTNESS_WEIGHT * lightness))
